"""What every payload format promises."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame


@attrs.frozen
class AssembledFrame:
    """What a depacketizer makes of the payloads of one frame.

    Attributes:
        payload: As :class:`.EncodedFrame` has it.
        keyframe: Whether it can be decoded by itself.
        spatial_id: The highest spatial layer in it, if the format tells.
        temporal_id: The temporal layer, if the format tells.
        width: Pixels, if the payload tells.
        height: Pixels, if the payload tells.
    """

    payload: bytes
    keyframe: bool = True
    spatial_id: int | None = None
    temporal_id: int | None = None
    width: int | None = None
    height: int | None = None


class Packetizer(Protocol):
    """Cuts frames of one outgoing stream into payloads."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame, none larger than ``max_size`` bytes.

        Raises:
            ValueError: It is not a frame of this codec.
        """


class Depacketizer(Protocol):
    """Puts frames of one incoming stream together."""

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload; ``False`` for one that cannot be read."""

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether a keyframe begins with this payload, so that forwarding or decoding may begin here."""

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Put the payloads of one frame together, which are all there and in order.

        Raises:
            ProtocolError: They are malformed; that costs this frame and nothing else.
        """
