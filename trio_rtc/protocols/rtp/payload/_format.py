"""The interface of payload formats, and splitting into pieces of equal size."""

from collections.abc import Sequence
from typing import Protocol

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame


@attrs.frozen
class AssembledFrame:
    """A frame that a depacketizer has reassembled.

    Attributes:
        payload: The encoded frame, as in :class:`.EncodedFrame`.
        keyframe: Whether the frame can be decoded by itself.
        spatial_id: The highest spatial layer of the frame, ``None`` if unknown.
        temporal_id: The temporal layer, ``None`` if unknown.
        width: Pixels, ``None`` if unknown.
        height: Pixels, ``None`` if unknown.
    """

    payload: bytes
    keyframe: bool = True
    spatial_id: int | None = None
    temporal_id: int | None = None
    width: int | None = None
    height: int | None = None


class Packetizer(Protocol):
    """Splits the frames of one outgoing stream into payloads."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame, each of at most ``max_size`` bytes.

        Raises:
            ValueError: The frame is not valid for this codec, or ``max_size`` is too small.
        """


class Depacketizer(Protocol):
    """Reassembles the frames of one incoming stream."""

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload; ``False`` for a malformed one."""

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether a keyframe begins with this payload: forwarding or decoding may start here."""

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a frame from its complete payloads in order.

        Raises:
            ProtocolError: A payload is malformed; only this frame is lost.
        """


def split_evenly(data: bytes, max_size: int) -> list[bytes]:
    """Split into the fewest pieces of at most ``max_size`` bytes, all of about the same size.

    A much smaller last piece would cost as much as the others, reveal more to an observer of the path, and be of less
    use to the bandwidth estimator.

    Raises:
        ValueError: ``max_size`` is less than 1.
    """
    if max_size < 1:
        raise ValueError(f"max_size must leave at least 1 byte for the payload, not {max_size}")
    count = -(-len(data) // max_size)
    small, larger = divmod(len(data), count) if count else (0, 0)
    pieces = []
    start = 0
    for index in range(count):
        end = start + small + (index < larger)
        pieces.append(data[start:end])
        start = end
    return pieces
