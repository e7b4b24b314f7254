"""The channel at the end of a frame queue."""

import pytest
import trio

from trio_rtc.frame_queue import FrameQueue, QueueChannel


async def test_what_is_queued_is_taken_in_order_whatever_it_is() -> None:
    """Keyframe requests of a sender without layers are ``None``."""
    queue = FrameQueue(3)
    channel = QueueChannel(queue)
    for item in (None, "h", None):
        queue.put(item)
    assert [await channel.receive() for _ in range(3)] == [None, "h", None]


async def test_what_comes_later_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    queue = FrameQueue(3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_put_later, queue)
        assert await QueueChannel(queue).receive() is None
        with pytest.raises(trio.EndOfChannel):
            await QueueChannel(queue).receive()


async def _put_later(queue: FrameQueue) -> None:
    await trio.sleep(1)
    queue.put(None)
    await trio.sleep(1)
    queue.end()
