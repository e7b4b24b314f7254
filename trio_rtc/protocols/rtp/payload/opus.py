"""Opus (RFC 7587): a payload is one Opus packet as RFC 6716 section 3 has it.

Several frames in one packet are the encoder's matter. The packet's first byte, and for code 3 its second, tell how
long it sounds, which a playout buffer needs before anything is decoded.
"""

from collections.abc import Sequence
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._format import AssembledFrame

CLOCK_RATE: Final = 48000
# RFC 6716 section 3.2.5: a packet has at most 120 ms.
MAX_DURATION: Final = 5760

# RFC 6716 table 2: duration of a frame by configuration number, in samples at 48 kHz.
_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
_FIRST_CELT: Final = 16
_SILK_PART: Final = 960
_FRAME_DURATIONS: Final = 3 * _SILK + 2 * _HYBRID + 4 * _CELT


def payload_duration(payload: bytes) -> int:
    """Return for how long an Opus packet sounds, in units of 1/48000 s.

    Raises:
        ProtocolError: It is empty, has no frame or more than 120 ms (RFC 6716 sections 3.1 and 3.2.5).
    """
    if not payload:
        raise ProtocolError("an Opus packet is empty")
    duration = _FRAME_DURATIONS[payload[0] >> 3]
    code = payload[0] & 3
    if not code:
        return duration
    if code < 3:
        return 2 * duration
    if len(payload) < 2:
        raise ProtocolError("an Opus packet of code 3 has no frame count")
    duration *= payload[1] & 0x3F
    if not 0 < duration <= MAX_DURATION:
        raise ProtocolError(f"an Opus packet has {duration} samples")
    return duration


def repeats_previous(payload: bytes) -> bool:
    """Return whether an Opus packet carries what was before it once more (in-band FEC).

    That is told by a bit behind those for voice activity, with which each frame of SILK begins (RFC 6716 sections
    4.2.3 and 4.2.4); only the packet's first frame matters. ``False`` for a packet that ends before it.
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
    """Return where the first frame of a packet begins (RFC 6716 section 3.2); beyond its end if that is empty."""
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
    """Return how many bytes the length of a frame takes (RFC 6716 section 3.2.1)."""
    return 2 if offset < len(payload) and payload[offset] >= 252 else 1


class OpusPacketizer:
    """Sends each Opus packet as one payload."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the one payload of a frame.

        Raises:
            ValueError: It is not an Opus packet, or larger than ``max_size``: it cannot be cut (RFC 7587 section 4.2).
        """
        try:
            payload_duration(frame.payload)
        except ProtocolError as error:
            raise ValueError(str(error)) from None
        if len(frame.payload) > max_size:
            raise ValueError(f"an Opus packet of {len(frame.payload)} bytes does not fit {max_size}")
        return [frame.payload]


class OpusDepacketizer:
    """Takes each payload as one Opus packet."""

    def starts_frame(self, payload: bytes) -> bool:
        """Every payload is a frame; an empty one is none."""
        return bool(payload)

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Every Opus packet can be decoded by itself."""
        return bool(payload)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one, or it is not an Opus packet.
        """
        if len(payloads) != 1:
            raise ProtocolError(f"an Opus frame of {len(payloads)} payloads")
        payload_duration(payloads[0])
        return AssembledFrame(payloads[0])
