"""ULPFEC on the wire."""

from tests.strategies.fec_packets import SSRC, row_of
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey
from trio_rtc.protocols.rtp.fec.ulpfec import build_ulpfec, parse_ulpfec


def test_ulpfec_on_the_wire() -> None:
    packet = bytes.fromhex("80e0 0010 00000005 01020304 aabbcc")
    assert build_ulpfec(row_of(packet)) == bytes.fromhex("00e0 0010 00000005 0003 0003 8000 aabbcc")
    row = FecPacket([MediaKey(SSRC, 0xFFFF), MediaKey(SSRC, 15)], 0, 0)
    assert build_ulpfec(row)[0] == 0x40
    assert build_ulpfec(row)[12:] == bytes.fromhex("8000 8000 0000")
    assert parse_ulpfec(build_ulpfec(row), SSRC).keys == row.keys
