"""Open bitstream units, what AV1 is made of (AV1 Bitstream and Decoding Process Specification, section 5)."""

from typing import Final

import attrs

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
# Section 4.10.5: leb128() has eight bytes at most, and a value of 32 bits.
_MAX_LEB128_BYTES: Final = 8
_MAX_LEB128: Final = 0xFFFFFFFF
_KEY_FRAME: Final = 0


@attrs.frozen
class Obu:
    """One OBU.

    Attributes:
        header: Its header of one or two bytes, without the size bit.
        body: What follows the header and the size.
    """

    header: bytes
    body: bytes

    @property
    def type(self) -> int:
        """Its obu_type."""
        return self.header[0] >> 3 & 0x0F

    @property
    def layers(self) -> tuple[int, int] | None:
        """Temporal and spatial id, if it has the extension."""
        return (self.header[1] >> 5, self.header[1] >> 3 & 3) if len(self.header) > 1 else None

    def encode(self) -> bytes:
        """Return it without its size, as RTP has it."""
        return self.header + self.body

    def encode_with_size(self) -> bytes:
        """Return it with its size, as the low-overhead format has it."""
        return (
            bytes([self.header[0] | _HAS_SIZE]) + self.header[1:] + encode_leb128(len(self.body)) + self.body
        )

    @classmethod
    def read(cls, data: bytes, start: int, end: int) -> tuple["Obu", int]:
        """Read the OBU at ``start``, and return it with the offset behind it; one without size reaches to ``end``.

        Raises:
            ProtocolError: It runs over ``end``, or its forbidden bit is set.
        """
        if start >= end:
            raise ProtocolError("an OBU is empty")
        first = data[start]
        if first & _FORBIDDEN:
            raise ProtocolError("an OBU has its forbidden bit set")
        body = start + (2 if first & _HAS_EXTENSION else 1)
        if body > end:
            raise ProtocolError("an OBU ends within its header")
        header = bytes([first & ~_HAS_SIZE]) + data[start + 1 : body]
        behind = end
        if first & _HAS_SIZE:
            size, body = read_leb128(data, body, end)
            behind = body + size
            if behind > end:
                raise ProtocolError(f"an OBU of {size} bytes, {end - body} are left")
        return cls(header, data[body:behind]), behind


def encode_leb128(value: int) -> bytes:
    """Return a number as leb128() in the fewest bytes."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_leb128(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the leb128() at ``start`` and the offset behind it.

    Raises:
        ProtocolError: It runs over ``end``, or is too large.
    """
    value = 0
    for index in range(min(_MAX_LEB128_BYTES, end - start)):
        byte = data[start + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value > _MAX_LEB128:
                break
            return value, start + index + 1
    raise ProtocolError("a leb128 number has no end or is too large")


def split_temporal_unit(data: bytes) -> list[Obu]:
    """Return the OBUs of a temporal unit in the low-overhead format.

    Raises:
        ProtocolError: It is malformed.
    """
    obus = []
    start = 0
    while start < len(data):
        obu, start = Obu.read(data, start, len(data))
        obus.append(obu)
    return obus


def begins_with_keyframe(frame: Obu) -> bool:
    """Return whether the header of a frame says that it is a keyframe that is shown (section 5.9.2).

    Frames of still pictures, whose header does not say it, are none here; nobody sends those.
    """
    # show_existing_frame, frame_type, show_frame.
    return bool(frame.body) and frame.body[0] >> 4 == _KEY_FRAME << 1 | 1


def read_sequence_size(obu: Obu) -> tuple[int, int] | None:
    """Return the largest width and height that a sequence header allows, ``None`` if it cannot be read."""
    try:
        return _read_sequence_size(BitReader(obu.body))
    except ProtocolError:
        return None


def _read_sequence_size(bits: BitReader) -> tuple[int, int]:
    """Read a sequence header (section 5.5.1) up to its size."""
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
            # num_ticks_per_picture_minus_1 is uvlc(), which is read as Exp-Golomb is.
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
