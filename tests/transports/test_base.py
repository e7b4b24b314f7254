"""The common shell, with a core without a protocol."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import trio
import trio.testing

from tests.strategies.toy_core import CLOSING_PACKET, Answered, EchoTransport
from tests.strategies.wires import Wire
from trio_rtc.transports.base import Inbox

pytestmark = pytest.mark.usefixtures("autojump_clock")

ItemT = TypeVar("ItemT")


@asynccontextmanager
async def running(transport: EchoTransport) -> AsyncIterator[EchoTransport]:
    """Run a transport around a block."""
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await settle()
        yield transport
        nursery.cancel_scope.cancel()


async def settle() -> None:
    """Wait until all tasks are blocked."""
    await trio.testing.wait_all_tasks_blocked()


async def expect_closed(inbox: Inbox[ItemT], at_once: Callable[[ItemT, float], None] | None = None) -> None:
    with pytest.raises(trio.EndOfChannel):
        await inbox.receive(at_once)


# -- the inbox ---------------------------------------------------------------------------------------------------


async def test_an_inbox_keeps_the_order() -> None:
    inbox = Inbox[int]()
    inbox.push(1, 10, trio.current_time())
    inbox.push(2, 10, trio.current_time())
    assert (await inbox.receive(), inbox.receive_nowait(), inbox.receive_nowait()) == (1, 2, None)
    assert inbox.dropped == 0


async def test_a_full_inbox_drops_the_newest_and_counts_its_packets() -> None:
    inbox = Inbox[int](2)
    for item in range(4):
        inbox.push(item, 10 + item, trio.current_time())
    assert inbox.dropped == 12 + 13
    assert [inbox.receive_nowait() for _ in range(3)] == [0, 1, None]
    inbox.push(4, 1, trio.current_time())
    assert inbox.receive_nowait() == 4


async def test_documented_capacity_of_an_inbox() -> None:
    inbox = Inbox[int]()
    for item in range(33):
        inbox.push(item, 1, trio.current_time())
    assert inbox.dropped == 1
    assert [inbox.receive_nowait() for _ in range(33)] == [*range(32), None]


async def test_an_item_for_a_waiting_receiver_is_not_queued() -> None:
    inbox = Inbox[int](1)
    taken: list[int | None] = []

    async def own() -> None:
        taken.append(await inbox.receive())
        taken.extend(inbox.receive_nowait() for _ in range(2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(own)
        await settle()
        inbox.push(1, 1, trio.current_time())
        inbox.push(2, 1, trio.current_time())
    assert taken == [1, 2, None]
    assert inbox.dropped == 0


async def test_a_closed_inbox_returns_its_queued_items() -> None:
    inbox = Inbox[int]()
    inbox.push(1, 1, trio.current_time())
    inbox.push(2, 1, trio.current_time())
    inbox.close()
    inbox.close()
    assert await inbox.receive() == 1
    assert inbox.receive_nowait() == 2
    assert inbox.receive_nowait() is None
    with pytest.raises(trio.EndOfChannel):
        await inbox.receive()


async def test_wake_makes_a_receiver_return_and_takes_no_place_of_an_item() -> None:
    inbox = Inbox[int](1)
    inbox.wake()
    assert await inbox.receive() is None
    inbox.push(1, 1, trio.current_time())
    inbox.wake()
    inbox.wake()
    assert [await inbox.receive(), inbox.receive_nowait()] == [1, None]
    inbox.close()
    inbox.wake()
    await expect_closed(inbox)


async def test_items_after_close_receiver_are_dropped_and_counted() -> None:
    inbox = Inbox[int]()
    inbox.close_receiver()
    inbox.push(1, 3, trio.current_time())
    inbox.close()
    inbox.push(2, 4, trio.current_time())
    assert inbox.dropped == 7


async def test_a_cancelled_receive_removes_nothing() -> None:
    inbox = Inbox[int]()
    with trio.move_on_after(1):
        await inbox.receive()
    inbox.push(1, 1, trio.current_time())
    assert inbox.receive_nowait() == 1
    assert inbox.receive_nowait() is None


async def test_a_waiting_receiver_gets_items_directly() -> None:
    inbox = Inbox[int](1)
    at_once: list[int] = []
    inbox.push(1, 1, trio.current_time())
    # Queued items are received first, and nothing overtakes them.
    assert await inbox.receive(lambda item, now: at_once.append(item)) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, inbox, lambda item, now: at_once.append(item))
        await settle()
        for item in range(2, 7):
            inbox.push(item, 1, trio.current_time())
        assert at_once == [2, 3, 4, 5, 6]
        inbox.close()
    assert inbox.dropped == 0


async def test_a_receiver_that_no_longer_waits_gets_nothing_directly() -> None:
    inbox = Inbox[int]()
    at_once: list[int] = []
    with trio.move_on_after(1):
        await inbox.receive(lambda item, now: at_once.append(item))
    inbox.push(1, 1, trio.current_time())
    assert at_once == []
    assert inbox.receive_nowait() == 1


# -- packets -----------------------------------------------------------------------------------------------------


async def test_received_packets_are_answered_and_reported() -> None:
    async with running(EchoTransport()) as transport:
        await trio.sleep(3)
        now = trio.current_time()
        transport.arrive(b"a", b"b")
        await settle()
        assert transport.core.received == [(now, b"a"), (now, b"b")]
        assert transport.events == [Answered(b"a"), Answered(b"b")]
        assert transport.wire.sent == [[b"re: a", b"re: b"]]


async def test_packets_for_a_waiting_task_are_answered_before_another_task_runs() -> None:
    async with running(EchoTransport()) as transport:
        transport.core.deadlines = [trio.current_time() + 3]
        for packet in (b"a", b"b"):
            transport.arrive(packet)
        # There was no checkpoint before.
        assert transport.wire.sent == [[b"re: a"], [b"re: b"]]
        assert transport.events == [Answered(b"a"), Answered(b"b")]
        await trio.sleep(10)
        assert len(transport.core.expired) == 1


async def test_a_directly_received_packet_that_closes_the_core_ends_the_task() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await settle()
        transport.arrive(b"a")
        transport.core.closes_after = 2
        transport.arrive(b"b")
    await expect_closed(transport.upper)
    assert transport.wire.packets == [b"re: a", b"re: b"]


async def test_a_queued_packet_that_closes_the_core_ends_the_task() -> None:
    transport = EchoTransport()
    transport.core.closes_after = 1
    transport.arrive(b"a")
    await transport.run()
    await expect_closed(transport.upper)
    assert transport.wire.packets == [b"re: a"]


async def test_queued_batches_are_answered_together() -> None:
    transport = EchoTransport()
    for packet in (b"a", b"b", b"c"):
        transport.arrive(packet)
    async with running(transport):
        assert transport.wire.sent == [[b"re: a", b"re: b", b"re: c"]]


class CountingWire(Wire):
    """Counts the calls of ``drain``."""

    drains = 0

    async def drain(self) -> None:
        self.drains += 1
        await super().drain()


async def test_a_wire_that_is_not_full_is_not_drained() -> None:
    wire = CountingWire()
    transport = EchoTransport(wire)
    transport.arrive(b"a")
    async with running(transport):
        transport.arrive(b"b")
        await settle()
        assert wire.packets == [b"re: a", b"re: b"]
        assert wire.drains == 0


async def test_a_long_queue_is_answered_completely_in_parts() -> None:
    transport = EchoTransport()
    packets = [b"%d" % number for number in range(30)]
    for packet in packets:
        transport.arrive(packet)
    async with running(transport):
        assert transport.wire.packets == [b"re: " + packet for packet in packets]
        assert [len(batch) for batch in transport.wire.sent] == [9, 9, 9, 3]


async def test_packets_dropped_by_a_full_inbox_are_counted() -> None:
    transport = EchoTransport(capacity=2)
    for _ in range(3):
        transport.arrive(b"a", b"b")
    assert transport.inbox_dropped == 2


# -- timers ------------------------------------------------------------------------------------------------------


async def test_a_timer_is_handled_when_due() -> None:
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 5, start + 5, start + 7]
    async with running(transport):
        await trio.sleep(4.9)
        assert transport.core.timer_calls == []
        await trio.sleep(10)
    assert transport.core.expired == [start + 5, start + 5, start + 7]
    assert transport.core.timer_calls == [start + 5, start + 7]
    assert transport.wire.sent == [[b"timer", b"timer"], [b"timer"]]


async def test_a_timer_overdue_at_the_start_is_handled_immediately() -> None:
    transport = EchoTransport()
    transport.core.deadlines = [trio.current_time() - 1]
    async with running(transport):
        assert transport.wire.packets == [b"timer"]
        assert len(transport.core.timer_calls) == 1


async def test_a_timer_set_by_another_task_requires_only_a_flush() -> None:
    async with running(EchoTransport()) as transport:
        await trio.sleep(1)
        due = trio.current_time() + 2
        transport.core.deadlines = [due]
        assert transport.flush_nowait(trio.current_time())
        await trio.sleep(10)
        assert transport.core.expired == [due]


async def test_a_timer_moved_to_an_earlier_time_is_handled_then() -> None:
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 50]
    async with running(transport):
        transport.core.deadlines = [start + 20]
        await transport.flush()
        await trio.sleep(60)
    assert transport.core.expired == [start + 20]


async def test_a_timer_postponed_repeatedly_rarely_wakes_the_task() -> None:
    """As with every SACK: the task wakes occasionally, not once for each."""
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 1]
    async with running(transport):
        for _ in range(100):
            await trio.sleep(0.25)
            transport.core.deadlines = [trio.current_time() + 1]
            transport.arrive(b"acknowledgement")
        await trio.sleep(10)
    assert transport.core.expired == [start + 26]
    assert len(transport.core.timer_calls) <= 40


async def test_a_cancelled_timer_does_not_make_the_task_spin() -> None:
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 1]
    async with running(transport):
        transport.core.deadlines = []
        await trio.sleep(100)
    assert transport.core.timer_calls == [start + 1]
    assert transport.core.expired == []


# -- other tasks -------------------------------------------------------------------------------------------------


async def test_another_task_can_send_without_a_task_switch() -> None:
    async with running(EchoTransport()) as transport:
        transport.core.queue_packet(b"from a verb")
        assert transport.flush_nowait(trio.current_time())
        assert transport.wire.sent == [[b"from a verb"]]


async def test_a_flush_without_anything_to_send_sends_nothing() -> None:
    async with running(EchoTransport()) as transport:
        assert transport.flush_nowait(trio.current_time())
        await transport.flush()
        assert transport.wire.sent == []


async def test_wake_schedules_a_flush() -> None:
    async with running(EchoTransport()) as transport:
        for packet in (b"once", b"again"):
            transport.core.queue_packet(packet)
            transport.wake()
            transport.wake()
            await settle()
            assert transport.wire.packets[-1] == packet
        assert len(transport.core.timer_calls) == 2


async def test_wake_before_the_task_runs_is_not_lost() -> None:
    transport = EchoTransport()
    transport.core.queue_packet(b"early")
    transport.wake()
    async with running(transport):
        assert transport.wire.packets == [b"early"]


async def test_wake_while_the_task_waits_for_the_wire_is_not_lost() -> None:
    async with running(EchoTransport()) as transport:
        transport.wire.gate.shut()
        transport.arrive(b"a")
        await settle()
        transport.core.queue_packet(b"meanwhile")
        transport.wake()
        await settle()
        transport.wire.gate.open()
        await settle()
        assert transport.wire.packets == [b"re: a", b"meanwhile"]


async def test_wake_between_queued_packets_is_not_lost() -> None:
    async with running(EchoTransport()) as transport:
        for order in ("wake first", "packets first", "between"):
            transport.wire.gate.shut()
            transport.arrive(b"a")
            await settle()
            if order == "wake first":
                transport.wake()
            transport.arrive(b"b")
            if order == "between":
                transport.wake()
            transport.arrive(b"c")
            transport.wake()
            transport.wire.gate.open()
            await settle()
            transport.core.queue_packet(b"last")
            transport.wake()
            await settle()
            assert transport.wire.packets[-1] == b"last"


# -- a full wire -------------------------------------------------------------------------------------------------


async def test_only_the_sender_waits_for_a_full_wire() -> None:
    async with running(EchoTransport()) as transport:
        transport.wire.gate.shut()
        transport.core.queue_packet(b"slow")
        with trio.move_on_after(1) as waited:
            await transport.flush()
        assert waited.cancelled_caught
        transport.wire.gate.open()
        await transport.wire.drain()
        assert transport.wire.packets == [b"slow"]


async def test_a_full_wire_blocks_the_task_and_loses_nothing() -> None:
    async with running(EchoTransport()) as transport:
        transport.wire.gate.shut()
        transport.arrive(b"a")
        await settle()
        transport.arrive(b"b")
        await settle()
        assert [packet for _, packet in transport.core.received] == [b"a"]
        transport.wire.gate.open()
        await settle()
        assert transport.wire.packets == [b"re: a", b"re: b"]


async def test_a_wire_filled_by_queued_packets_blocks_the_task() -> None:
    transport = EchoTransport()
    transport.wire.gate.shut()
    transport.arrive(b"a")
    async with running(transport):
        transport.arrive(b"b")
        await settle()
        assert [packet for _, packet in transport.core.received] == [b"a"]
        transport.wire.gate.open()
        await settle()
        assert transport.wire.packets == [b"re: a", b"re: b"]


async def test_directly_received_packets_that_fill_the_wire_block_the_task() -> None:
    async with running(EchoTransport()) as transport:
        transport.wire.gate.shut()
        transport.arrive(b"a")
        transport.arrive(b"b")
        await settle()
        for packet in (b"c", b"d"):
            transport.arrive(packet)
        await settle()
        assert [packet for _, packet in transport.core.received] == [b"a", b"b"]
        transport.wire.gate.open()
        await settle()
        assert transport.wire.packets == [b"re: a", b"re: b", b"re: c", b"re: d"]


async def test_a_timer_due_while_the_wire_is_full_loses_nothing() -> None:
    transport = EchoTransport()
    due = trio.current_time() + 5
    transport.core.deadlines = [due]
    async with running(transport):
        transport.wire.gate.shut()
        transport.arrive(b"a")
        await trio.sleep(10)
        transport.arrive(b"b")
        transport.wire.gate.open()
        await settle()
        assert sorted(transport.wire.packets) == [b"re: a", b"re: b", b"timer"]
        assert len(transport.core.expired) == 1


async def test_a_full_wire_does_not_delay_cancellation() -> None:
    transport = EchoTransport()
    async with running(transport):
        transport.wire.gate.shut()
        transport.arrive(b"a")
        await settle()
    await expect_closed(transport.upper)


# -- ends --------------------------------------------------------------------------------------------------------


async def test_closing_sends_one_close_message_and_ends_the_task() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await settle()
        await transport.close()
        await transport.close()
    assert transport.wire.packets == [CLOSING_PACKET]
    await expect_closed(transport.upper)


async def test_a_closed_inbox_closes_the_core_after_its_queued_items() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        transport.arrive(b"the last")
        transport.inbox.close()
    assert [packet for _, packet in transport.core.received] == [b"the last"]
    assert transport.core.lower_is_closed
    await expect_closed(transport.upper)


async def test_packets_after_the_end_are_dropped_and_counted() -> None:
    transport = EchoTransport()
    await transport.close()
    await transport.run()
    transport.arrive(b"a", b"b")
    assert transport.inbox_dropped == 2
    assert transport.core.received == []


async def test_an_exception_in_a_handler_propagates_and_ends_the_layers_above() -> None:
    transport = EchoTransport(Wire())
    with pytest.RaisesGroup(ZeroDivisionError):
        async with running(transport):
            transport.arrive(b"bug")
            await settle()
    await expect_closed(transport.upper)
