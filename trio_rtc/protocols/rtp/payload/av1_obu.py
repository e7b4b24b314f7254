"""Open bitstream units (AV1 Bitstream and Decoding Process Specification, section 5)."""

from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from ._bits import BitReader

SEQUENCE_HEADER: Final = 1
TEMPORAL_DELIMITER: Final = 2
FRAME_HEADER: Final = 3
TILE_GROUP: Final = 4
FRAME: Final = 6
REDUNDANT_FRAME_HEADER: Final = 7
TILE_LIST: Final = 8

_HAS_EXTENSION: Final = 0x04
_HAS_SIZE: Final = 0x02
_FORBIDDEN: Final = 0x80
# Section 4.10.5: leb128() has at most eight bytes and a value of 32 bits.
_MAX_LEB128_BYTES: Final = 8
_MAX_LEB128: Final = 0xFFFFFFFF
_KEY_FRAME: Final = 0


@attrs.frozen
class Obu:
    """An OBU.

    Attributes:
        header: The header of one or two bytes, without the size bit.
        body: The bytes after the header and the size.
    """

    header: bytes
    body: bytes

    @property
    def type(self) -> int:
        return self.header[0] >> 3 & 0x0F

    @property
    def layers(self) -> tuple[int, int] | None:
        """Temporal and spatial id, ``None`` without the extension."""
        return (self.header[1] >> 5, self.header[1] >> 3 & 3) if len(self.header) > 1 else None

    def encode(self) -> bytes:
        """Return the OBU without its size, as in RTP."""
        return self.header + self.body

    def encode_with_size(self) -> bytes:
        """Return the OBU with its size, as in the low-overhead format."""
        return (
            bytes([self.header[0] | _HAS_SIZE]) + self.header[1:] + encode_leb128(len(self.body)) + self.body
        )

    @classmethod
    def read(cls, data: bytes, start: int, end: int) -> tuple["Obu", int]:
        """Parse the OBU at ``start`` and return it with its end; an OBU without size extends to ``end``.

        Raises:
            ProtocolError: The OBU exceeds ``end`` or has the forbidden bit set.
        """
        if start >= end:
            raise ProtocolError("OBU is empty")
        first = data[start]
        if first & _FORBIDDEN:
            raise ProtocolError("OBU has the forbidden bit set")
        body = start + (2 if first & _HAS_EXTENSION else 1)
        if body > end:
            raise ProtocolError("OBU ends within its header")
        header = bytes([first & ~_HAS_SIZE]) + data[start + 1 : body]
        body_end = end
        if first & _HAS_SIZE:
            size, body = read_leb128(data, body, end)
            body_end = body + size
            if body_end > end:
                raise ProtocolError(f"OBU has {size} bytes, but {end - body} bytes are left")
        return cls(header, data[body:body_end]), body_end


def encode_leb128(value: int) -> bytes:
    """Return a number as leb128() in the fewest bytes."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_leb128(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the leb128() at ``start`` and its end.

    Raises:
        ProtocolError: The number exceeds ``end`` or 32 bits.
    """
    value = 0
    for index in range(min(_MAX_LEB128_BYTES, end - start)):
        byte = data[start + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value > _MAX_LEB128:
                break
            return value, start + index + 1
    raise ProtocolError("leb128 number is truncated or exceeds 32 bits")


def split_temporal_unit(data: bytes) -> list[Obu]:
    """Return the OBUs of a temporal unit in the low-overhead format.

    Raises:
        ProtocolError: The temporal unit is malformed.
    """
    obus = []
    start = 0
    while start < len(data):
        obu, start = Obu.read(data, start, len(data))
        obus.append(obu)
    return obus


def begins_with_keyframe(frame: Obu) -> bool:
    """Return whether a frame's header shows a shown key frame (section 5.9.2).

    Frames with reduced_still_picture_header, which have no frame type, are not detected; they are not sent in calls.
    """
    # show_existing_frame, frame_type, show_frame.
    return bool(frame.body) and frame.body[0] >> 4 == _KEY_FRAME << 1 | 1


def read_sequence_size(obu: Obu) -> tuple[int, int] | None:
    """Return the maximum width and height of a sequence header, ``None`` if it is malformed."""
    try:
        return _read_sequence_size(BitReader(obu.body))
    except ProtocolError:
        return None


def _read_sequence_size(bits: BitReader) -> tuple[int, int]:
    """Parse a sequence header (section 5.5.1) up to its size."""
    bits.read(4)
    if bits.read_flag():
        # reduced_still_picture_header
        bits.read(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_operating_points(bits: BitReader) -> None:
    delay_bits = 0
    if bits.read_flag():
        bits.read(64)
        if bits.read_flag():
            # num_ticks_per_picture_minus_1 is uvlc(), which has the same code as ue(v).
            bits.read_exp_golomb()
        if bits.read_flag():
            delay_bits = bits.read(5) + 1
            bits.read(42)
    has_display_delay = bits.read_flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read_flag():
            bits.read(2 * delay_bits + 1)
        if has_display_delay and bits.read_flag():
            bits.read(4)
