"""The packets of a receiver, singly or in batches."""

import pytest
import trio
import trio.testing

from trio_rtc import RtpPacket, RtpPacketChannel
from trio_rtc.tracks.frame_queue import FrameQueue

PACKETS = [RtpPacket(96, number, 0, 1, bytes([number])) for number in range(6)]


async def test_a_batch_has_all_queued_packets() -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(10)
    channel = RtpPacketChannel(queue)
    queue.put_all(PACKETS[:2])
    queue.put_all(PACKETS[2:3])
    with trio.testing.assert_checkpoints():
        assert await channel.receive_batch() == PACKETS[:3]
    queue.put_all(PACKETS[3:5])
    assert await channel.receive() is PACKETS[3]
    assert await channel.receive_batch() == PACKETS[4:5]


async def test_a_batch_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(10)
    channel = RtpPacketChannel(queue)
    batches: list[list[RtpPacket]] = []

    async def receive_batches() -> None:
        batches.append(await channel.receive_batch())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_batches)
        await trio.testing.wait_all_tasks_blocked()
        queue.put_all(PACKETS)
    assert batches == [PACKETS]


async def test_the_oldest_packets_are_dropped_and_counted() -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(4)
    channel = RtpPacketChannel(queue)
    queue.put_all(PACKETS[:3])
    queue.put_all(PACKETS[3:])
    assert channel.dropped == 2
    assert await channel.receive_batch() == PACKETS[2:]


async def test_batches_end_with_the_packets() -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(10)
    channel = RtpPacketChannel(queue)
    queue.put_all(PACKETS)
    queue.end()
    queue.put_all(PACKETS)
    assert [batch async for batch in channel.batches()] == [PACKETS]
    with pytest.raises(trio.EndOfChannel):
        await channel.receive_batch()


async def test_a_cancelled_reader_removes_nothing() -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(10)
    channel = RtpPacketChannel(queue)
    queue.put_all(PACKETS)
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.receive_batch()
    assert scope.cancelled_caught
    assert await channel.receive_batch() == PACKETS
