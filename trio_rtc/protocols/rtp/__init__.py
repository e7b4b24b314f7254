"""RTP (RFC 3550) without I/O: one session for all media of a transport.

Its rooms: ``packet`` (packets and frames), ``payload`` (payload formats), ``demux`` (sections and SSRCs), ``receive``
and ``send`` (the two halves of a session, which do not know each other), ``fec`` (error correction and redundancy) and
``forward`` (packets of other streams).
"""

from typing import TYPE_CHECKING

from trio_rtc.protocols._lazy import lazy_names

from .codec import UNASSIGNED, Codec, format_parameters, is_same_codec, parse_parameters
from .events import (
    BitratesChanged,
    FramesReceived,
    KeyframeRequested,
    PacketsReceived,
    ReceivedTelephoneEvent,
    RtpClosed,
    RtpEvent,
    RtpOpened,
    StreamEnded,
    StreamStarted,
    TelephoneEventReceived,
)
from .options import RtpOptions
from .packet.frame import Concealment, EncodedFrame
from .packet.packet import RtpPacket
from .parameters import Encoding, ReceiveParameters, SendParameters

__all__ = [
    "UNASSIGNED",
    "BitratesChanged",
    "RtpClosed",
    "Codec",
    "Concealment",
    "EncodedFrame",
    "Encoding",
    "FramesReceived",
    "ReceivedTelephoneEvent",
    "KeyframeRequested",
    "RtpOpened",
    "PacketsReceived",
    "ReceiveParameters",
    "RtpEvent",
    "RtpOptions",
    "RtpPacket",
    "RtpSession",
    "SendParameters",
    "StreamEnded",
    "StreamStarted",
    "TelephoneEventReceived",
    "format_parameters",
    "is_same_codec",
    "parse_parameters",
]

if TYPE_CHECKING:
    from .session import RtpSession
else:
    # A connection without media does not import the modules of RTP.
    __getattr__ = lazy_names(__name__, {"session": ("RtpSession",)})
