"""FlexFEC-03 on the wire."""

import pytest

from tests.strategies.fec_packets import SSRC, row_of
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec, parse_flexfec


def test_flexfec_on_the_wire() -> None:
    packet = bytes.fromhex("80e0 0010 00000005 01020304 aabbcc")
    # One SSRC, mask of 15 bits: the end bit, then the bit of the first packet.
    assert build_flexfec(row_of(packet)) == bytes.fromhex(
        "00e0 0003 00000005 01 000000 01020304 0010 c000 aabbcc"
    )


@pytest.mark.parametrize(
    ("offsets", "mask"),
    [
        ([0, 14], "c001"),
        ([0, 15], "4000 c0000000"),
        ([0, 45], "4000 80000001"),
        ([0, 46], "4000 00000000 c000000000000000"),
        ([0, 15, 108], "4000 40000000 8000000000000001"),
    ],
)
def test_masks_of_flexfec(offsets: list[int], mask: str) -> None:
    row = FecPacket([MediaKey(SSRC, (0xFFF0 + offset) & 0xFFFF) for offset in offsets], 0, 0)
    payload = build_flexfec(row)
    assert payload[18:] == bytes.fromhex(mask)
    assert parse_flexfec(payload).keys == row.keys


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "00e00003000000050100000001020304",
        "80e0 0003 00000005 01 000000 01020304 0010 c000",
        "40e0 0003 00000005 01 000000 01020304 0010 c000",
        "00e0 0003 00000005 00 000000 01020304 0010 c000",
        "00e0 0003 00000005 11 000000 01020304 0010 c000",
        "00e0 0003 00000005 01 000000 01020304 0010 8000",
        "00e0 0003 00000005 01 000000 01020304 0010 4000 40000000 4000000000000000",
    ],
)
def test_malformed_flexfec(payload: str) -> None:
    with pytest.raises(ProtocolError):
        parse_flexfec(bytes.fromhex(payload))
