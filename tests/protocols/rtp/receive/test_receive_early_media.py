"""The first packets of a stream, kept for later demand."""

from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.buffer_budget import (
    PACKET_OVERHEAD,
    BufferBudget,
    oldest,
)
from trio_rtc.protocols.rtp.packet.packet import MediaPacket
from trio_rtc.protocols.rtp.receive.early_media import EarlyMedia

SIZE = 1000
"""Bytes of the payload of a packet."""
COST = SIZE + PACKET_OVERHEAD


def early_packet(size: int, arrival: float = 0.0) -> MediaPacket:
    return MediaPacket(0, 0, RtpPacket(96, 0, 0, 1, bytes(size)), arrival, False)


def held(early: EarlyMedia) -> int:
    """Return the cost of the kept packets."""
    return sum(len(each.packet.payload) + PACKET_OVERHEAD for each in early.packets or ())


def test_the_stream_with_the_oldest_early_media_drops_it() -> None:
    budget = BufferBudget(3 * COST, oldest)
    dropped: list[str] = []
    first, second, third = (EarlyMedia(budget, lambda name=name: dropped.append(name)) for name in "abc")
    for stream in (first, second, third):
        stream.begin(is_video=True)
    second.add(early_packet(SIZE))
    first.add(early_packet(SIZE))
    second.add(early_packet(SIZE))
    assert dropped == []
    third.add(early_packet(SIZE))
    assert dropped == ["b"]
    assert (second.packets, held(first), held(third)) == (None, COST, COST)
    second.add(early_packet(SIZE))
    assert budget.size == 2 * COST


def test_consumed_packets_make_room() -> None:
    budget = BufferBudget(2 * COST, oldest)
    first, second = EarlyMedia(budget, lambda: None), EarlyMedia(budget, lambda: None)
    for stream in (first, second):
        stream.begin(is_video=True)
        stream.add(early_packet(SIZE))
    for_frames, for_packets = first.set_demand(frames=True, packets=True)
    assert len(for_frames) == len(for_packets) == 1
    assert budget.size == COST
    second.add(early_packet(SIZE))
    assert (held(second), budget.discarded) == (2 * COST, 0)
