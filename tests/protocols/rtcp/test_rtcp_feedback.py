"""NACK, PLI, FIR and REMB: encoded bytes and bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtcp import (
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    RtcpPacket,
    encode,
    parse,
)

VECTORS = [
    (GenericNack(1, 2, ((0x0103, 0x8001), (0x0200, 0))), "81cd0004 00000001 00000002 01038001 02000000"),
    (GenericNack(1, 2, ()), "81cd0002 00000001 00000002"),
    (PictureLossIndication(1, 2), "81ce0002 00000001 00000002"),
    (
        FullIntraRequest(1, ((3, 4), (5, 255))),
        "84ce0006 00000001 00000000 00000003 04000000 00000005 ff000000",
    ),
    (
        ReceiverEstimatedMaximumBitrate(1, 0x3FFFF << 2, (7, 8)),
        "8fce0006 00000001 00000000 52454d42 020bffff 00000007 00000008",
    ),
    (ReceiverEstimatedMaximumBitrate(1, 1000, ()), "8fce0004 00000001 00000000 52454d42 000003e8"),
]


@pytest.mark.parametrize(("packet", "data"), VECTORS)
def test_encoded_bytes(packet: RtcpPacket, data: str) -> None:
    assert encode([packet]) == bytes.fromhex(data)
    assert parse(bytes.fromhex(data)) == [packet]


def test_bitrate_is_rounded_down() -> None:
    (packet,) = parse(encode([ReceiverEstimatedMaximumBitrate(1, 8_927_169, (2,))]))
    assert isinstance(packet, ReceiverEstimatedMaximumBitrate)
    assert packet.bitrate == 8_927_168 // 64 * 64


def test_bitrate_has_64_bits() -> None:
    largest = ReceiverEstimatedMaximumBitrate(1, ((1 << 18) - 1) << 46, ())
    assert parse(encode([largest])) == [largest]
    for bitrate in (1 << 64, -1):
        with pytest.raises(ValueError, match="must have a bitrate"):
            encode([ReceiverEstimatedMaximumBitrate(1, bitrate, ())])
    with pytest.raises(ValueError, match="must have a bitrate"):
        encode([ReceiverEstimatedMaximumBitrate(1, 1, (1,) * 256)])


def test_near_sequence_numbers_share_an_entry() -> None:
    (nack,) = GenericNack.build(1, 2, [100, 101, 116, 117, 134], 1200)
    assert nack.entries == ((100, 0x8001), (117, 0), (134, 0))
    assert nack.sequence_numbers == [100, 101, 116, 117, 134]


def test_sequence_numbers_wrap() -> None:
    (nack,) = GenericNack.build(1, 2, [0x1FFFE, 0x20001], 1200)
    assert nack.entries == ((0xFFFE, 0b100),)
    assert nack.sequence_numbers == [0xFFFE, 1]


def test_no_nack_without_loss() -> None:
    assert GenericNack.build(1, 2, [], 1200) == []


@given(st.sets(st.integers(0, 60_000), max_size=200), st.integers(16, 200))
def test_all_numbers_are_requested_within_max_size(numbers: set[int], max_size: int) -> None:
    nacks = GenericNack.build(1, 2, numbers, max_size)
    assert all(len(encode([nack])) <= max_size for nack in nacks)
    assert [number for nack in nacks for number in nack.sequence_numbers] == sorted(numbers)


def test_max_size_without_room_for_an_entry_is_rejected() -> None:
    with pytest.raises(ValueError, match="must be at least 16, not 15"):
        GenericNack.build(1, 2, [1], 15)
