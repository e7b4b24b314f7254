"""Payload formats: how the frames of each codec are cut into RTP packets and put together again.

Each codec has its module, with a packetizer and a depacketizer; :func:`packetizer` and :func:`depacketizer` find them
by the name that SDP has. A server that does not decode reads a payload's layers with :func:`layer_reader`, and makes
simulcast layers one stream with :func:`rewriter`.
"""

from ._format import AssembledFrame, Depacketizer, Packetizer
from .continuity import Continuity, ContinuityTracker
from .layers import LayerIds
from .quantizer import QuantizerReader
from .registry import (
    Rewriter,
    continuity_tracker,
    depacketizer,
    layer_reader,
    packetizer,
    payload_duration,
    repeats_previous,
    rewriter,
)
from .telephone_event import DTMF_EVENTS, TelephoneEvent

__all__ = [
    "DTMF_EVENTS",
    "AssembledFrame",
    "Continuity",
    "ContinuityTracker",
    "Depacketizer",
    "LayerIds",
    "Packetizer",
    "QuantizerReader",
    "Rewriter",
    "TelephoneEvent",
    "continuity_tracker",
    "depacketizer",
    "layer_reader",
    "packetizer",
    "payload_duration",
    "repeats_previous",
    "rewriter",
]
