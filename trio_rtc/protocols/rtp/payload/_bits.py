"""A bounds-checked cursor over bits, for the headers of video bitstreams."""

from trio_rtc.errors import ProtocolError

# ue(v) of H.264 and H.265 and uvlc() of AV1 never need more: their values have 32 bits.
_MAX_LEADING_ZEROS = 32


class BitReader:
    """Reads unsigned integers of any number of bits, most significant bit first."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, bits: int) -> int:
        """Take an unsigned integer of that many bits."""
        self._left -= bits
        if self._left < 0:
            raise ProtocolError("a bitstream header runs over its end")
        return self._value >> self._left & (1 << bits) - 1

    def read_flag(self) -> bool:
        """Take one bit."""
        return self.read(1) == 1

    def read_exp_golomb(self) -> int:
        """Take ue(v), H.264 section 9.1."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MAX_LEADING_ZEROS:
                raise ProtocolError("an Exp-Golomb code is too long")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_exp_golomb(self) -> int:
        """Take se(v), H.264 section 9.1.1."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code & 1 else -(code // 2)
