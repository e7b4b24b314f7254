"""OBUs of AV1: leb128, and the frame size in a sequence header."""

import pytest

from tests.strategies.rtp_payloads import load_sample
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload.av1_obu import (
    Obu,
    encode_leb128,
    read_leb128,
    read_sequence_size,
    split_temporal_unit,
)

SEQUENCE = split_temporal_unit(load_sample("svt-av1")[0][1])[1]


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (0xFFFFFFFF, "ffffffff0f")],
)
def test_leb128(value: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode_leb128(value) == data
    assert read_leb128(b"\x99" + data, 1, len(data) + 1) == (value, len(data) + 1)


@pytest.mark.parametrize("data", ["", "80", "8080808080808080", "ffffffff1f", "808080808080808000"])
def test_malformed_leb128(data: str) -> None:
    with pytest.raises(ProtocolError):
        read_leb128(bytes.fromhex(data), 0, len(data) // 2)


def test_leb128_may_be_longer_than_needed() -> None:
    assert read_leb128(bytes.fromhex("8580808000"), 0, 5) == (5, 5)


def bits(written: str) -> bytes:
    """Return bits, written with spaces between the fields, as bytes."""
    digits = written.replace(" ", "")
    return int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8), "big")


# Nine and eight bits for the size, then 320 x 180.
SIZE = "1000 0111 100111111 10110011"
SEQUENCE_HEADERS = {
    "a sample": (SEQUENCE.body, (96, 64)),
    # seq_profile, still_picture, reduced_still_picture_header, seq_level_idx.
    "reduced": (bits("000 1 1 00100" + SIZE), (320, 180)),
    # No timing, no display delay, one operating point of level 4.
    "plain": (bits("000 0 0 0 0 00000 000000000000 00100" + SIZE), (320, 180)),
    # Timing with equal_picture_interval (uvlc 1 is 010) and no decoder model; a level above 7 has a tier.
    "timing": (bits("000 0 0 1" + 64 * "1" + "1 010 0 0 00000 000000000001 01000 1" + SIZE), (320, 180)),
    # Decoder model with delays of two bits; display delays; two operating points, one of which has both.
    "model": (
        bits(
            "000 0 0 1" + 64 * "0" + "0 1 00001" + 42 * "1" + "1 00001"
            "000000000001 00100 1 11 11 1 1 1010" + "000000000011 00100 0 0" + SIZE
        ),
        (320, 180),
    ),
    "cut": (bits("000 0 0 0 0 00000 000000000000 00100" + SIZE)[:-1], None),
    "empty": (b"", None),
}


@pytest.mark.parametrize("name", SEQUENCE_HEADERS)
def test_size_of_a_sequence_header(name: str) -> None:
    body, size = SEQUENCE_HEADERS[name]
    assert read_sequence_size(Obu(b"\x08", body)) == size
