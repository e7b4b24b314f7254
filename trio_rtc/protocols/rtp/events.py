"""What the RTP session tells."""

from collections.abc import Mapping
from typing import Final

import attrs

from .packet.frame import Concealment, EncodedFrame
from .packet.packet import RtpPacket
from .payload import DTMF_EVENTS

_TONES: Final = {event: tone for tone, event in DTMF_EVENTS.items()}


@attrs.frozen
class ReceivedTelephoneEvent:
    """A telephone event as far as it was heard (RFC 4733). Each is told twice: when it begins and when it is over.

    Attributes:
        code: Which event, 0 to 255; 0 to 15 are the tones of DTMF.
        duration: For how long it has lasted, in seconds.
        volume: Power of the tone, in -dBm0: 0 to 63.
        ended: Whether it is over.
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
    """The first packet of a source has come.

    Attributes:
        mid: The section it belongs to.
        ssrc: The source.
        rid: Its simulcast layer, if it says one.
    """

    mid: str
    ssrc: int
    rid: str | None


@attrs.frozen
class StreamEnded:
    """A source has said goodbye, or was not heard for long."""

    mid: str
    ssrc: int
    rid: str | None


@attrs.frozen
class PacketsReceived:
    """Packets of one source, for those who forward them; repaired ones among them."""

    mid: str
    rid: str | None
    packets: list[RtpPacket]


@attrs.frozen
class FramesReceived:
    """Frames of one source, complete and in their order; of sound also what is to be made up."""

    mid: str
    rid: str | None
    frames: list[EncodedFrame | Concealment]


@attrs.frozen
class Opened:
    """There are keys: packets can leave from now on."""


@attrs.frozen
class KeyframeRequested:
    """The next frame that is sent must be a keyframe.

    The peer has sent a PLI or FIR, or a frame was dropped on this side, before it reached the network.
    """

    mid: str
    rid: str | None


@attrs.frozen
class BitratesChanged:
    """What each outgoing stream may use has changed.

    Attributes:
        bitrates: SSRC → bits a second.
        available: Bits a second of them all together, as estimated.
    """

    bitrates: Mapping[int, float]
    available: float


@attrs.frozen
class TelephoneEventReceived:
    """A telephone event of one source has begun, or is over."""

    mid: str
    rid: str | None
    heard: ReceivedTelephoneEvent


@attrs.frozen
class Closed:
    """The session has ended: nothing comes and nothing goes."""


RtpEvent = (
    StreamStarted
    | StreamEnded
    | PacketsReceived
    | Opened
    | FramesReceived
    | KeyframeRequested
    | BitratesChanged
    | TelephoneEventReceived
    | Closed
)
