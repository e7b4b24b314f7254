"""A bounded queue of frames drops the oldest, and of encoded video also dependent frames."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp import EncodedFrame, RtpPacket
from trio_rtc.tracks.frame_queue import MAX_QUEUED_BYTES, FrameQueue, at_keyframe

Item = TypeVar("Item")


def frame(number: int, keyframe: bool = False) -> EncodedFrame:
    return EncodedFrame(b"", number, 90_000, "VP8", keyframe=keyframe)


async def drain(queue: FrameQueue[Item]) -> list[Item]:
    queue.end()
    return [item async for item in queue]


async def test_items_are_received_in_order() -> None:
    """Keyframe requests of a sender without layers are ``None``."""
    queue: FrameQueue[str | None] = FrameQueue(3)
    for item in (None, "h", None):
        queue.put(item)
    assert [await queue.receive() for _ in range(3)] == [None, "h", None]


async def test_the_oldest_is_dropped() -> None:
    queue: FrameQueue[int] = FrameQueue(3)
    assert [queue.put(number) for number in range(5)] == [True, True, True, False, False]
    assert await drain(queue) == [2, 3, 4]
    assert queue.dropped == 2


async def test_frames_after_a_dropped_one_are_dropped_up_to_a_keyframe() -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(4, at_keyframe)
    for number in range(5):
        queue.put(frame(number, keyframe=number in (0, 3)))
    assert [item.timestamp for item in await drain(queue)] == [3, 4]


async def test_without_a_keyframe_frames_are_dropped_until_one_arrives() -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(3, at_keyframe)
    for number in range(6):
        queue.put(frame(number, keyframe=number == 0))
    assert queue.queued == 0
    assert queue.waiting_for_keyframe
    assert queue.dropped == 6
    queue.put(frame(6, keyframe=True))
    assert not queue.waiting_for_keyframe
    assert [item.timestamp for item in await drain(queue)] == [6]


async def test_receiving_waits(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    queue: FrameQueue[str] = FrameQueue(3)

    async def put_later() -> None:
        await trio.sleep(5)
        queue.put("item")

    nursery.start_soon(put_later)
    assert await queue.receive() == "item"
    assert trio.current_time() >= 5


async def test_putting_can_wait_for_room(nursery: trio.Nursery) -> None:
    queue: FrameQueue[int] = FrameQueue(2)
    sent: list[int] = []

    async def put_all() -> None:
        for number in range(5):
            await queue.put_when_free(number)
            sent.append(number)
        queue.end()

    nursery.start_soon(put_all)
    await trio.testing.wait_all_tasks_blocked()
    assert sent == [0, 1]
    assert [item async for item in queue] == [0, 1, 2, 3, 4]
    assert queue.dropped == 0


async def test_an_error_is_raised_after_queued_items() -> None:
    queue: FrameQueue[int] = FrameQueue(2)
    queue.put(1)
    queue.end(OSError("gone"))
    assert await queue.receive() == 1
    with pytest.raises(trio.BrokenResourceError) as caught:
        await queue.receive()
    assert isinstance(caught.value.__cause__, OSError)


async def test_closing_wakes_waiting_tasks_and_drops_the_rest() -> None:
    queue: FrameQueue[int] = FrameQueue(1)
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await queue.receive()

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await queue.aclose()
    assert queue.put(1)
    assert queue.queued == 0


async def test_a_cancelled_receiver_removes_nothing() -> None:
    queue: FrameQueue[str] = FrameQueue(1)
    queue.put("item")
    with trio.CancelScope() as scope:
        scope.cancel()
        await queue.receive()
    assert await drain(queue) == ["item"]


@pytest.mark.parametrize("receive", [FrameQueue.receive, FrameQueue.receive_all])
async def test_a_receiver_cancelled_when_an_item_arrives_is_not_notified_of_closing(
    nursery: trio.Nursery, receive: Callable[[FrameQueue[str]], Awaitable[object]]
) -> None:
    queue: FrameQueue[str] = FrameQueue(1)

    async def receive_cancelled(task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await receive(queue)

    scope = await nursery.start(receive_cancelled)
    await trio.testing.wait_all_tasks_blocked()
    queue.put("item")
    scope.cancel()
    queue.close()
    await trio.testing.wait_all_tasks_blocked()
    assert scope.cancelled_caught


async def test_waiting_costs_no_additional_scheduler_turn(nursery: trio.Nursery) -> None:
    queue: FrameQueue[str] = FrameQueue(2)
    log: list[str] = []

    async def receive() -> None:
        log.append(await queue.receive())

    nursery.start_soon(receive)
    await trio.testing.wait_all_tasks_blocked()
    queue.put("item")
    await trio.lowlevel.cancel_shielded_checkpoint()
    assert log == ["item"]


async def test_a_waiting_sender_returns_when_the_queue_is_closed(nursery: trio.Nursery) -> None:
    queue: FrameQueue[int] = FrameQueue(1)
    queue.put(1)

    async def close_later() -> None:
        await trio.testing.wait_all_tasks_blocked()
        queue.close()

    nursery.start_soon(close_later)
    await queue.wait_for_room()
    assert not queue.is_full


def test_an_empty_queue_is_truthy() -> None:
    queue: FrameQueue[int] = FrameQueue(1)
    assert bool(queue)
    with pytest.raises(ValueError, match="capacity"):
        FrameQueue(0)
    with pytest.raises(ValueError, match="encoded_capacity"):
        FrameQueue(2, encoded_capacity=1)


# Bytes, beside the number of items.


def large(number: int, keyframe: bool = False, size: int = MAX_QUEUED_BYTES // 4) -> EncodedFrame:
    return EncodedFrame(bytes(size), number, 90_000, "VP8", keyframe=keyframe)


async def test_large_frames_fill_the_queue_before_their_number_does() -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(64, at_keyframe)
    assert all(queue.put(large(number, keyframe=number in {0, 2})) for number in range(4))
    assert not queue.put(large(4))
    assert queue.dropped == 2
    assert [item.timestamp for item in await drain(queue)] == [2, 3, 4]


async def test_received_bytes_make_room() -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(64, at_keyframe)
    for number in range(4):
        queue.put(large(number, keyframe=True))
    assert (await queue.receive()).timestamp == 0
    assert queue.put(large(4, keyframe=True))
    assert len(await queue.receive_all()) == 4
    assert all(queue.put(large(number, keyframe=True)) for number in range(4))
    assert len(queue.clear()) == 4
    assert all(queue.put(large(number, keyframe=True)) for number in range(4))
    assert queue.dropped == 0


async def test_one_frame_larger_than_the_bound_is_alone() -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(64, at_keyframe)
    queue.put(large(0, keyframe=True))
    queue.put(large(1, keyframe=True, size=2 * MAX_QUEUED_BYTES))
    assert (queue.queued, queue.dropped) == (1, 1)
    queue.put(large(2, keyframe=True))
    assert [item.timestamp for item in await drain(queue)] == [2]


async def test_payloads_of_packets_are_counted() -> None:
    queue: FrameQueue[RtpPacket] = FrameQueue(512)
    for number in range(3):
        queue.put(RtpPacket(96, number, 0, 1, bytes(MAX_QUEUED_BYTES // 2)))
    assert [packet.sequence_number for packet in await drain(queue)] == [1, 2]


@given(
    operations=st.lists(
        st.tuples(st.sampled_from(["put", "put", "put", "take", "clear"]), st.integers(0, 9), st.booleans()),
        max_size=60,
    )
)
def test_a_queue_never_holds_more_bytes_than_its_bound(operations: list[tuple[str, int, bool]]) -> None:
    queue: FrameQueue[EncodedFrame] = FrameQueue(8, at_keyframe)
    for number, (operation, tenths, keyframe) in enumerate(operations):
        if operation == "put":
            queue.put(large(number, keyframe, tenths * MAX_QUEUED_BYTES // 10))
        elif operation == "take" and queue.queued:
            queue._pop_next()
        elif operation == "clear":
            queue.clear()
        held = sum(len(item.payload) for item in queue._items)
        assert queue._bytes == held <= MAX_QUEUED_BYTES
