"""Audio whose frames are never split: G.711 and G.722 (RFC 3551) and comfort noise (RFC 3389).

A payload is the encoder's output. Except for comfort noise, one byte is one unit of the RTP clock: G.711 has 8000
samples per second of one byte each. G.722 has 16000 of four bits each, but an RTP clock rate of 8000, an error that RFC
3551 section 4.5.2 retains for compatibility.
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
            ValueError: The frame is empty or larger than ``max_size``; audio cannot be split without another timestamp.
        """
        size = len(frame.payload)
        if not 0 < size <= max_size:
            raise ValueError(f"a {frame.codec} frame must have 1 to {max_size} bytes, not {size}")
        return [frame.payload]


class SinglePayloadDepacketizer:
    """Treats each payload as one frame."""

    def starts_frame(self, payload: bytes) -> bool:
        """Return ``True`` unless the payload is empty."""
        return bool(payload)

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return ``True`` unless the payload is empty: every audio frame can be decoded by itself."""
        return bool(payload)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one payload, or it is empty.
        """
        if len(payloads) != 1 or not payloads[0]:
            raise ProtocolError("audio frame must have exactly one payload, which must not be empty")
        return AssembledFrame(payloads[0])


def payload_duration(payload: bytes) -> int:
    """Return the duration of a G.711 or G.722 payload in units of the RTP clock rate of 8000."""
    return len(payload)
