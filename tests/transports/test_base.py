"""What all transports share, with a core that has no protocol."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import trio
import trio.testing

from tests.strategies.toy_core import GOODBYE, Answered, EchoTransport
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
    """Let everybody do what there is to do now."""
    await trio.testing.wait_all_tasks_blocked()


async def expect_closed(inbox: Inbox[ItemT], at_once: Callable[[ItemT, float], None] | None = None) -> None:
    with pytest.raises(trio.EndOfChannel):
        await inbox.receive(at_once)


# -- the inbox ---------------------------------------------------------------------------------------------------


async def test_an_inbox_gives_in_order_what_it_got() -> None:
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


async def test_an_inbox_holds_as_much_as_the_documentation_says() -> None:
    inbox = Inbox[int]()
    for item in range(33):
        inbox.push(item, 1, trio.current_time())
    assert inbox.dropped == 1
    assert [inbox.receive_nowait() for _ in range(33)] == [*range(32), None]


async def test_an_item_handed_to_a_waiting_owner_takes_no_place() -> None:
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


async def test_a_closed_inbox_gives_what_it_still_has() -> None:
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


async def test_what_comes_to_an_inbox_without_an_owner_is_dropped_and_counted() -> None:
    inbox = Inbox[int]()
    inbox.close_receiver()
    inbox.push(1, 3, trio.current_time())
    inbox.close()
    inbox.push(2, 4, trio.current_time())
    assert inbox.dropped == 7


async def test_a_cancelled_wait_takes_nothing() -> None:
    inbox = Inbox[int]()
    with trio.move_on_after(1):
        await inbox.receive()
    inbox.push(1, 1, trio.current_time())
    assert inbox.receive_nowait() == 1
    assert inbox.receive_nowait() is None


async def test_a_waiting_owner_may_take_what_comes_in_the_step_that_delivers_it() -> None:
    inbox = Inbox[int](1)
    at_once: list[int] = []
    inbox.push(1, 1, trio.current_time())
    # What is in the queue comes first, and nothing overtakes it.
    assert await inbox.receive(lambda item, now: at_once.append(item)) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_closed, inbox, lambda item, now: at_once.append(item))
        await settle()
        for item in range(2, 7):
            inbox.push(item, 1, trio.current_time())
        assert at_once == [2, 3, 4, 5, 6]
        inbox.close()
    assert inbox.dropped == 0


async def test_an_owner_that_waits_no_more_takes_nothing_at_once() -> None:
    inbox = Inbox[int]()
    at_once: list[int] = []
    with trio.move_on_after(1):
        await inbox.receive(lambda item, now: at_once.append(item))
    inbox.push(1, 1, trio.current_time())
    assert at_once == []
    assert inbox.receive_nowait() == 1


# -- packets -----------------------------------------------------------------------------------------------------


async def test_what_arrives_is_answered_and_reported() -> None:
    async with running(EchoTransport()) as transport:
        await trio.sleep(3)
        now = trio.current_time()
        transport.arrive(b"a", b"b")
        await settle()
        assert transport.core.received == [(now, b"a"), (now, b"b")]
        assert transport.events == [Answered(b"a"), Answered(b"b")]
        assert transport.wire.sent == [[b"re: a", b"re: b"]]


async def test_what_arrives_while_the_task_waits_is_answered_before_any_other_task_runs() -> None:
    async with running(EchoTransport()) as transport:
        transport.core.deadlines = [trio.current_time() + 3]
        for packet in (b"a", b"b"):
            transport.arrive(packet)
        # No checkpoint up to here.
        assert transport.wire.sent == [[b"re: a"], [b"re: b"]]
        assert transport.events == [Answered(b"a"), Answered(b"b")]
        await trio.sleep(10)
        assert len(transport.core.expired) == 1


async def test_what_ends_the_core_while_the_task_waits_ends_the_task() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await settle()
        transport.arrive(b"a")
        transport.core.closes_after = 2
        transport.arrive(b"b")
    await expect_closed(transport.upper)
    assert transport.wire.packets == [b"re: a", b"re: b"]


async def test_what_ends_the_core_out_of_the_queue_ends_the_task() -> None:
    transport = EchoTransport()
    transport.core.closes_after = 1
    transport.arrive(b"a")
    await transport.run()
    await expect_closed(transport.upper)
    assert transport.wire.packets == [b"re: a"]


async def test_batches_that_wait_are_answered_together() -> None:
    transport = EchoTransport()
    for packet in (b"a", b"b", b"c"):
        transport.arrive(packet)
    async with running(transport):
        assert transport.wire.sent == [[b"re: a", b"re: b", b"re: c"]]


class CountingWire(Wire):
    """Counts how often somebody waits for it."""

    drains = 0

    async def drain(self) -> None:
        self.drains += 1
        await super().drain()


async def test_a_wire_that_is_not_full_is_not_waited_for() -> None:
    wire = CountingWire()
    transport = EchoTransport(wire)
    transport.arrive(b"a")
    async with running(transport):
        transport.arrive(b"b")
        await settle()
        assert wire.packets == [b"re: a", b"re: b"]
        assert wire.drains == 0


async def test_a_long_queue_is_answered_in_parts_and_nothing_is_left_out() -> None:
    transport = EchoTransport()
    packets = [b"%d" % number for number in range(30)]
    for packet in packets:
        transport.arrive(packet)
    async with running(transport):
        assert transport.wire.packets == [b"re: " + packet for packet in packets]
        assert [len(batch) for batch in transport.wire.sent] == [9, 9, 9, 3]


async def test_what_does_not_fit_the_inbox_is_counted() -> None:
    transport = EchoTransport(capacity=2)
    for _ in range(3):
        transport.arrive(b"a", b"b")
    assert transport.inbox_dropped == 2


# -- timers ------------------------------------------------------------------------------------------------------


async def test_a_timer_is_handled_when_it_is_due() -> None:
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


async def test_a_timer_that_is_overdue_at_the_start_is_handled_at_once() -> None:
    transport = EchoTransport()
    transport.core.deadlines = [trio.current_time() - 1]
    async with running(transport):
        assert transport.wire.packets == [b"timer"]
        assert len(transport.core.timer_calls) == 1


async def test_a_timer_set_by_another_task_needs_only_a_flush() -> None:
    async with running(EchoTransport()) as transport:
        await trio.sleep(1)
        due = trio.current_time() + 2
        transport.core.deadlines = [due]
        assert transport.flush_nowait(trio.current_time())
        await trio.sleep(10)
        assert transport.core.expired == [due]


async def test_a_timer_moved_forward_is_handled_early() -> None:
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 50]
    async with running(transport):
        transport.core.deadlines = [start + 20]
        await transport.flush()
        await trio.sleep(60)
    assert transport.core.expired == [start + 20]


async def test_a_timer_that_is_moved_back_again_and_again_costs_little() -> None:
    """As with every acknowledgement: the task looks in vain once in a while, and not once for each."""
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


async def test_a_timer_that_is_taken_back_does_not_make_the_task_spin() -> None:
    transport = EchoTransport()
    start = trio.current_time()
    transport.core.deadlines = [start + 1]
    async with running(transport):
        transport.core.deadlines = []
        await trio.sleep(100)
    assert transport.core.timer_calls == [start + 1]
    assert transport.core.expired == []


# -- other tasks -------------------------------------------------------------------------------------------------


async def test_another_task_can_send_in_its_own_stack() -> None:
    async with running(EchoTransport()) as transport:
        transport.core.queue_packet(b"from a verb")
        assert transport.flush_nowait(trio.current_time())
        assert transport.wire.sent == [[b"from a verb"]]


async def test_a_flush_without_anything_to_send_sends_nothing() -> None:
    async with running(EchoTransport()) as transport:
        assert transport.flush_nowait(trio.current_time())
        await transport.flush()
        assert transport.wire.sent == []


async def test_wake_lets_the_task_look_soon() -> None:
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


# -- a full wire -------------------------------------------------------------------------------------------------


async def test_a_caller_waits_for_a_full_wire_and_the_others_do_not() -> None:
    async with running(EchoTransport()) as transport:
        transport.wire.gate.shut()
        transport.core.queue_packet(b"slow")
        with trio.move_on_after(1) as waited:
            await transport.flush()
        assert waited.cancelled_caught
        transport.wire.gate.open()
        await transport.wire.drain()
        assert transport.wire.packets == [b"slow"]


async def test_a_full_wire_holds_up_the_task_and_loses_nothing() -> None:
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


async def test_a_wire_that_is_full_for_what_was_in_the_queue_holds_up_the_task() -> None:
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


async def test_what_comes_at_once_to_a_full_wire_is_waited_for() -> None:
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


async def test_a_full_wire_does_not_keep_a_cancelled_task() -> None:
    transport = EchoTransport()
    async with running(transport):
        transport.wire.gate.shut()
        transport.arrive(b"a")
        await settle()
    await expect_closed(transport.upper)


# -- ends --------------------------------------------------------------------------------------------------------


async def test_closing_says_goodbye_once_and_ends_the_task() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await settle()
        await transport.close()
        await transport.close()
    assert transport.wire.packets == [GOODBYE]
    await expect_closed(transport.upper)


async def test_the_end_of_the_layer_below_ends_the_core_after_what_it_left() -> None:
    transport = EchoTransport()
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        transport.arrive(b"the last")
        transport.inbox.close()
    assert [packet for _, packet in transport.core.received] == [b"the last"]
    assert transport.core.lower_is_closed
    await expect_closed(transport.upper)


async def test_what_comes_after_the_end_is_dropped_and_counted() -> None:
    transport = EchoTransport()
    await transport.close()
    await transport.run()
    transport.arrive(b"a", b"b")
    assert transport.inbox_dropped == 2
    assert transport.core.received == []


async def test_a_bug_in_a_handler_surfaces_and_ends_the_layers_above() -> None:
    transport = EchoTransport(Wire())
    with pytest.RaisesGroup(ZeroDivisionError):
        async with running(transport):
            transport.arrive(b"bug")
            await settle()
    await expect_closed(transport.upper)
