"""The bit reader for headers of video bitstreams."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload._bits import BitReader


def test_integers_of_any_number_of_bits() -> None:
    reader = BitReader(bytes([0b1011_0010, 0b0111_1111]))
    assert [reader.read(1), reader.read(3), reader.read(0), reader.read(6)] == [1, 3, 0, 9]
    assert reader.read_flag()
    assert reader.read(5) == 31
    with pytest.raises(ProtocolError, match="truncated"):
        reader.read_flag()


@pytest.mark.parametrize(
    ("bits", "unsigned", "signed"),
    [("1", 0, 0), ("010", 1, 1), ("011", 2, -1), ("00100", 3, 2), ("00111", 6, -3)],
)
def test_exp_golomb_codes(bits: str, unsigned: int, signed: int) -> None:
    data = int(bits.ljust(8, "0"), 2).to_bytes(1, "big")
    assert BitReader(data).read_exp_golomb() == unsigned
    assert BitReader(data).read_signed_exp_golomb() == signed


def test_an_exp_golomb_code_has_at_most_32_leading_zeros() -> None:
    assert BitReader(bytes(4) + b"\x80" + bytes(4)).read_exp_golomb() == 2**32 - 1
    with pytest.raises(ProtocolError, match="leading zeros"):
        BitReader(bytes(9)).read_exp_golomb()
