"""Reports, source descriptions, BYE and extended reports: encoded bytes; NTP times and round-trip times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtcp import (
    ApplicationDefined,
    Bye,
    DelaySinceLastReceiverReport,
    ExtendedReport,
    ItemType,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
    compact_from_seconds,
    compact_ntp,
    encode,
    ntp_from_unix,
    parse,
    round_trip_time,
    seconds_from_compact,
    unix_from_ntp,
)

BLOCK = ReportBlock(0x11111111, 0x40, -2, 0x00010005, 0x22222222, 0x33333333, 0x44444444)
BLOCK_HEX = "11111111 40fffffe 00010005 22222222 33333333 44444444"

VECTORS = [
    (
        SenderReport(1, 0x0102030405060708, 0x090A0B0C, 16, 32),
        "80c80006 00000001 01020304 05060708 090a0b0c 00000010 00000020",
    ),
    (
        SenderReport(1, 0x0102030405060708, 0x090A0B0C, 16, 32, (BLOCK,)),
        "81c8000c 00000001 01020304 05060708 090a0b0c 00000010 00000020" + BLOCK_HEX,
    ),
    (ReceiverReport(9), "80c90001 00000009"),
    (ReceiverReport(9, (BLOCK, BLOCK)), "82c9000d 00000009" + BLOCK_HEX * 2),
    # Items that end at a 32-bit boundary are still terminated by a zero.
    (SourceDescription((SourceDescriptionChunk(1, ((1, b"ab"),)),)), "81ca0003 00000001 01026162 00000000"),
    (
        SourceDescription(
            (
                SourceDescriptionChunk(1, ((ItemType.CNAME, b"a"), (ItemType.MID, b"0"))),
                SourceDescriptionChunk(2),
            )
        ),
        "82ca0005 00000001 0101610f 01300000 00000002 00000000",
    ),
    (SourceDescription(), "80ca0000"),
    (Bye((1, 2)), "82cb0002 00000001 00000002"),
    (Bye((1,), b"bye"), "81cb0002 00000001 03627965"),
    (Bye((1,), b"over"), "81cb0003 00000001 046f7665 72000000"),
    (Bye(()), "80cb0000"),
    (ApplicationDefined(5, 1, b"trio", b"data"), "85cc0003 00000001 7472696f 64617461"),
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


def test_cumulative_loss_is_clamped_to_24_bits() -> None:
    for cumulative, lost in ((1 << 30, (1 << 23) - 1), (-(1 << 30), -(1 << 23))):
        (packet,) = parse(encode([ReceiverReport(1, (ReportBlock(2, cumulative_lost=cumulative),))]))
        assert isinstance(packet, ReceiverReport)
        assert packet.blocks[0].cumulative_lost == lost


def test_profile_specific_extension_is_ignored() -> None:
    assert parse(bytes.fromhex("80c90002 00000009 deadbeef")) == [ReceiverReport(9)]


def test_items_are_looked_up_by_type() -> None:
    chunk = SourceDescriptionChunk(1, ((ItemType.CNAME, "né".encode()), (ItemType.MID, b"\xff")))
    assert chunk.cname == "né"
    assert chunk.item(ItemType.MID) is None
    assert chunk.item(ItemType.NOTE) is None


def test_other_blocks_of_extended_reports_are_skipped() -> None:
    data = bytes.fromhex("80cf0006 00000001 01000001 deadbeef 04000002 01020304 05060708")
    assert parse(data) == [ExtendedReport(1, 0x0102030405060708)]


def test_ntp_times() -> None:
    assert ntp_from_unix(0) == 2_208_988_800 << 32
    assert ntp_from_unix(1.5) == 2_208_988_801 << 32 | 0x8000_0000
    assert unix_from_ntp(2_208_988_801 << 32 | 0x8000_0000) == 1.5
    assert compact_ntp(0x0102030405060708) == 0x03040506


@given(st.floats(0, 2_000_000_000))
def test_ntp_times_round_trip(seconds: float) -> None:
    assert unix_from_ntp(ntp_from_unix(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_round_trip_time_of_the_example_in_rfc_3550() -> None:
    # RFC 3550 section 6.4.1, figure 2.
    assert compact_ntp(0xB44DB705_20000000) == 0xB7052000
    assert seconds_from_compact(0x00054000) == 5.25
    assert round_trip_time(0xB7108000, 0xB7052000, 0x00054000) == 6.125


def test_round_trip_times_wrap_and_are_never_negative() -> None:
    assert round_trip_time(0x00008000, 0xFFFF0000, 0x00008000) == 1.0
    assert round_trip_time(0x00010000, 0x00010001, 0) == 0.0
    assert round_trip_time(0x00010000, 0, 0x100) is None


def test_durations_are_clamped() -> None:
    assert compact_from_seconds(1.5) == 0x00018000
    assert compact_from_seconds(-1.0) == 0
    assert compact_from_seconds(1e9) == 0xFFFF_FFFF
