"""The events of an RTP session."""

from collections.abc import Mapping
from typing import Final

from trio_rtc import _attrs as attrs

from .packet.frame import Concealment, EncodedFrame
from .packet.packet import RtpPacket
from .payload import DTMF_EVENTS

_TONES: Final = {event: tone for tone, event in DTMF_EVENTS.items()}


@attrs.frozen
class ReceivedTelephoneEvent:
    """A received telephone event (RFC 4733). Each is reported twice: when it begins and when it ends.

    Attributes:
        code: The event, 0 to 255; 0 to 15 are the tones of DTMF.
        duration: Its duration so far in seconds.
        volume: The power of the tone in -dBm0, 0 to 63.
        ended: Whether it has ended.
    """

    code: int
    duration: float
    volume: int
    ended: bool

    @property
    def tone(self) -> str | None:
        """``"0"`` to ``"9"``, ``"*"``, ``"#"``, ``"A"`` to ``"D"``; ``None`` for an event that is not of DTMF."""
        return _TONES.get(self.code)


@attrs.frozen
class StreamStarted:
    """The first packet of a stream was received.

    Attributes:
        mid: The section.
        ssrc: The SSRC.
        rid: The simulcast layer, if its packets name one.
    """

    mid: str
    ssrc: int
    rid: str | None


@attrs.frozen
class StreamEnded:
    """A stream has ended: by BYE, silence, replacement or negotiation."""

    mid: str
    ssrc: int
    rid: str | None


@attrs.frozen
class PacketsReceived:
    """Packets of one stream to forward, retransmitted and recovered ones among them."""

    mid: str
    rid: str | None
    packets: list[RtpPacket]


@attrs.frozen
class FramesReceived:
    """Complete frames of one stream in decode order; of audio also concealments."""

    mid: str
    rid: str | None
    frames: list[EncodedFrame | Concealment]


@attrs.frozen
class RtpOpened:
    """The SRTP keys are set: packets can be sent."""


@attrs.frozen
class KeyframeRequested:
    """The next frame of a stream that we send must be a keyframe.

    The peer has sent a PLI or FIR, or a frame was dropped on this side before it reached the network.
    """

    mid: str
    rid: str | None


@attrs.frozen
class BitratesChanged:
    """The bitrates of the streams that we send have changed.

    Attributes:
        bitrates: SSRC → bits per second.
        available: The estimated bandwidth of all together, in bits per second.
    """

    bitrates: Mapping[int, float]
    available: float


@attrs.frozen
class TelephoneEventReceived:
    """A telephone event of one stream has begun or ended."""

    mid: str
    rid: str | None
    event: ReceivedTelephoneEvent


@attrs.frozen
class RtpClosed:
    """The session has ended: no packet is sent or received any more."""


RtpEvent = (
    StreamStarted
    | StreamEnded
    | PacketsReceived
    | RtpOpened
    | FramesReceived
    | KeyframeRequested
    | BitratesChanged
    | TelephoneEventReceived
    | RtpClosed
)
