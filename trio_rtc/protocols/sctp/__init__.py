"""SCTP over DTLS (RFC 9260, RFC 8261): the transport of data channels.

:class:`Association` is the core. ``packet`` is the codec, ``rx`` the receiving and ``tx`` the sending side; the two
do not import each other.
"""

from .association import Association
from .counters import Counters
from .events import (
    AssociationClosed,
    AssociationError,
    AssociationEstablished,
    BufferedAmountLow,
    IncomingStreamsReset,
    MessagesAvailable,
    OutgoingResetFailed,
    OutgoingStreamsReset,
    SctpEvent,
)
from .options import SctpOptions
from .statistics import AssociationStatistics
from .tx.congestion import CongestionController, CongestionControllerFactory, DeliverySample
from .tx.congestion_reno import RenoController

__all__ = [
    "Association",
    "AssociationError",
    "AssociationEstablished",
    "AssociationStatistics",
    "BufferedAmountLow",
    "AssociationClosed",
    "CongestionController",
    "CongestionControllerFactory",
    "Counters",
    "DeliverySample",
    "IncomingStreamsReset",
    "MessagesAvailable",
    "OutgoingResetFailed",
    "OutgoingStreamsReset",
    "RenoController",
    "SctpEvent",
    "SctpOptions",
]
