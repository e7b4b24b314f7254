"""Extended reports: encoded bytes, and skipping of other blocks."""

import pytest

from trio_rtc.protocols.rtcp import (
    DelaySinceLastReceiverReport,
    ExtendedReport,
    RtcpPacket,
    encode,
    parse,
)

VECTORS = [
    (ExtendedReport(1), "80cf0001 00000001"),
    (ExtendedReport(1, 0x0102030405060708), "80cf0004 00000001 04000002 01020304 05060708"),
    (
        ExtendedReport(
            1, None, (DelaySinceLastReceiverReport(2, 3, 4), DelaySinceLastReceiverReport(5, 6, 7))
        ),
        "80cf0008 00000001 05000006 00000002 00000003 00000004 00000005 00000006 00000007",
    ),
]


@pytest.mark.parametrize(("packet", "data"), VECTORS)
def test_encoded_bytes(packet: RtcpPacket, data: str) -> None:
    assert encode([packet]) == bytes.fromhex(data)
    assert parse(bytes.fromhex(data)) == [packet]


def test_other_blocks_of_extended_reports_are_skipped() -> None:
    data = bytes.fromhex("80cf0006 00000001 01000001 deadbeef 04000002 01020304 05060708")
    assert parse(data) == [ExtendedReport(1, 0x0102030405060708)]
