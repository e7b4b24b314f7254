"""RTP (RFC 3550), pure: packets, header extensions, payload formats, repair, and the session over all streams."""

from .events import (
    BitratesChanged,
    Closed,
    FramesReceived,
    KeyframeRequested,
    Opened,
    PacketsReceived,
    RtpEvent,
    StreamEnded,
    StreamStarted,
    TelephoneEventReceived,
)
from .frame import EncodedFrame
from .options import RtpOptions
from .packet import RtpPacket
from .parameters import Codec, Encoding, ReceiveParameters, SendParameters
from .receive import Concealment
from .session import RtpSession
from .telephone import HeardTelephoneEvent

__all__ = [
    "BitratesChanged",
    "Closed",
    "Codec",
    "Concealment",
    "EncodedFrame",
    "Encoding",
    "FramesReceived",
    "HeardTelephoneEvent",
    "KeyframeRequested",
    "Opened",
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
