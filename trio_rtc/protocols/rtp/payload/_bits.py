"""A bounds-checked bit reader for the headers of video bitstreams."""

from trio_rtc.errors import ProtocolError

# The values of ue(v) (H.264, H.265) and uvlc() (AV1) have at most 32 bits.
_MAX_LEADING_ZEROS = 32


class BitReader:
    """Reads unsigned integers of any number of bits, most significant bit first."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise ProtocolError("bitstream header is truncated")
        return self._value >> self._left & (1 << bits) - 1

    def read_flag(self) -> bool:
        return self.read(1) == 1

    def read_exp_golomb(self) -> int:
        """Read ue(v), H.264 section 9.1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MAX_LEADING_ZEROS:
                raise ProtocolError(f"Exp-Golomb code has more than {_MAX_LEADING_ZEROS} leading zeros")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_exp_golomb(self) -> int:
        """Read se(v), H.264 section 9.1.1."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
