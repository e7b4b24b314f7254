"""Opus (RFC 7587): a payload is one Opus packet (RFC 6716 section 3).

A packet may have several Opus frames. Its first byte, and for code 3 its second, give its duration, which a jitter
buffer needs before decoding.
"""

from collections.abc import Sequence
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._format import AssembledFrame
from .single import SinglePayloadDepacketizer

CLOCK_RATE: Final = 48000
# RFC 6716 section 3.2.5: at most 120 ms per packet.
MAX_DURATION: Final = 5760

# RFC 6716 table 2: duration of a frame by configuration number, in samples at 48 kHz.
_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
_FIRST_CELT: Final = 16
_SILK_PART: Final = 960
_FRAME_DURATIONS: Final = 3 * _SILK + 2 * _HYBRID + 4 * _CELT


def payload_duration(payload: bytes) -> int:
    """Return the duration of an Opus packet in units of 1/48000 s.

    Raises:
        ProtocolError: The packet is empty, has no frame or is longer than 120 ms (RFC 6716 sections 3.1 and 3.2.5).
    """
    if not payload:
        raise ProtocolError("Opus packet is empty")
    duration = _FRAME_DURATIONS[payload[0] >> 3]
    code = payload[0] & 3
    if not code:
        return duration
    if code < 3:
        return 2 * duration
    if len(payload) < 2:
        raise ProtocolError("Opus packet of code 3 has no frame count")
    duration *= payload[1] & 0x3F
    if not 0 < duration <= MAX_DURATION:
        raise ProtocolError(f"Opus packet has {duration} samples instead of 1 to {MAX_DURATION}")
    return duration


def has_in_band_fec(payload: bytes) -> bool:
    """Return whether an Opus packet has in-band FEC (LBRR): a redundant copy of the previous packet's audio.

    Each SILK frame begins with voice activity bits followed by the LBRR flag (RFC 6716 sections 4.2.3 and 4.2.4); only
    the packet's first frame counts. Return ``False`` for a packet that ends before the flag.
    """
    if not payload or payload[0] >> 3 >= _FIRST_CELT:
        return False
    start = _first_frame(payload)
    if start >= len(payload):
        return False
    parts = max(1, _FRAME_DURATIONS[payload[0] >> 3] // _SILK_PART)
    first = payload[start]
    if first << parts & 0x80:
        return True
    is_stereo = payload[0] & 0x04
    return bool(is_stereo and first << (2 * parts + 1) & 0x80)


def _first_frame(payload: bytes) -> int:
    """Return the offset of the first frame (RFC 6716 section 3.2), or the packet's end if that frame is empty."""
    code = payload[0] & 3
    start, lengths = 1, int(code == 2)
    if code == 3:
        layout = payload[1] if len(payload) > 1 else 0
        start = 2
        if layout & 0x40:
            while start < len(payload) and payload[start] == 255:
                start += 1
            start += 1
        if layout & 0x80:
            lengths = (layout & 0x3F) - 1
    if lengths > 0 and payload[start : start + 1] == b"\0":
        return len(payload)
    for _ in range(lengths):
        start += _length_size(payload, start)
    return start


def _length_size(payload: bytes, offset: int) -> int:
    """Return the number of bytes of a frame length (RFC 6716 section 3.2.1)."""
    return 2 if offset < len(payload) and payload[offset] >= 252 else 1


class OpusPacketizer:
    """Sends each Opus packet as one payload."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the one payload of a frame.

        Raises:
            ValueError: The frame is not an Opus packet or larger than ``max_size``; it cannot be split (RFC 7587
                section 4.2).
        """
        try:
            payload_duration(frame.payload)
        except ProtocolError as error:
            raise ValueError(str(error)) from None
        if len(frame.payload) > max_size:
            raise ValueError(f"an Opus packet must have at most {max_size} bytes, not {len(frame.payload)}")
        return [frame.payload]


class OpusDepacketizer(SinglePayloadDepacketizer):
    """Treats each payload as one Opus packet, which can be decoded by itself."""

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one payload, or it is not an Opus packet.
        """
        if len(payloads) != 1:
            raise ProtocolError(f"Opus frame has {len(payloads)} payloads instead of one")
        payload_duration(payloads[0])
        return AssembledFrame(payloads[0])
