"""Sender and receiver reports: encoded bytes and bounds."""

import pytest

from trio_rtc.protocols.rtcp import (
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    encode,
    parse,
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
