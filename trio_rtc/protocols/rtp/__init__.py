"""RTP (RFC 3550), pure: packets, header extensions, payload formats, repair, and the session over all streams."""

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
from .parameters import Codec, Encoding, ReceiveParameters, SendParameters
from .session import RtpSession

__all__ = [
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
]
