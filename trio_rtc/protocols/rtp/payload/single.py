"""Audio whose frames are never cut: G.711 and G.722 (RFC 3551) and comfort noise (RFC 3389).

A payload is the encoder's bytes as they are. One byte is one unit of the RTP clock for all of them but comfort noise:
G.711 has 8000 samples a second of a byte each, and G.722 has 16000 of four bits each, but a clock rate of 8000 by a
mistake that RFC 3551 section 4.5.2 keeps for compatibility.
"""

from collections.abc import Sequence

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._format import AssembledFrame


class SinglePayloadPacketizer:
    """Sends each frame as one payload."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the one payload of a frame.

        Raises:
            ValueError: It is empty, or larger than ``max_size``: sound cannot be cut without another timestamp.
        """
        size = len(frame.payload)
        if not 0 < size <= max_size:
            raise ValueError(f"a frame of {size} bytes of {frame.codec} does not fit a packet of {max_size}")
        return [frame.payload]


class SinglePayloadDepacketizer:
    """Takes each payload as one frame."""

    def starts_frame(self, payload: bytes) -> bool:
        """Every payload is a frame; an empty one is none."""
        return bool(payload)

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Every frame of sound can be decoded by itself."""
        return bool(payload)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one, or it is empty.
        """
        if len(payloads) != 1 or not payloads[0]:
            raise ProtocolError("a frame of sound is one payload that is not empty")
        return AssembledFrame(payloads[0])


def payload_duration(payload: bytes) -> int:
    """Return for how long a payload of G.711 or G.722 sounds, in units of their RTP clock rate of 8000."""
    return len(payload)
