"""EventTarget: handler attributes, listeners, subscriptions, and handlers that raise."""

import functools
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from trio_rtc import Event, EventTarget, RTCPeerConnection
from trio_rtc.event_target import EventHandler, HandlerRunner

pytestmark = pytest.mark.usefixtures("autojump_clock")


class Lamp(EventTarget):
    EVENTS = frozenset({"on", "off"})

    on_on = EventHandler[Event]("on")


def switch(lamp: EventTarget, kind: str = "on") -> None:
    assert lamp.dispatch_event(Event(kind, lamp))


def make_lamp() -> Lamp:
    return Lamp(HandlerRunner())


def test_handlers_are_called_in_the_order_in_which_they_were_added() -> None:
    lamp = make_lamp()
    log: list[str] = []
    lamp.add_event_listener("on", lambda _: log.append("first"))
    lamp.on_on = lambda _: log.append("slot")
    lamp.add_event_listener("on", lambda _: log.append("last"))
    lamp.on_on = lambda _: log.append("the slot's new handler")
    switch(lamp)
    switch(lamp, "off")
    assert log == ["first", "the slot's new handler", "last"]


def test_the_slot() -> None:
    lamp = make_lamp()
    assert lamp.on_on is None
    handled: list[Event] = []

    def handler(event: Event) -> None:
        handled.append(event)

    lamp.on_on = handler
    assert lamp.on_on is handler
    lamp.on_on = None
    assert lamp.on_on is None
    switch(lamp)
    assert handled == []


def test_a_handler_added_twice_is_called_once() -> None:
    lamp = make_lamp()
    log: list[object] = []
    lamp.add_event_listener("on", log.append)
    lamp.add_event_listener("on", log.append)
    switch(lamp)
    assert len(log) == 1
    lamp.remove_event_listener("on", log.append)
    lamp.remove_event_listener("on", log.append)
    switch(lamp)
    assert len(log) == 1


def test_once() -> None:
    lamp = make_lamp()
    log: list[object] = []
    lamp.add_event_listener("on", log.append, once=True)
    switch(lamp)
    switch(lamp)
    assert len(log) == 1


def test_handlers_removed_or_added_during_dispatch() -> None:
    lamp = make_lamp()
    log: list[str] = []

    def added_handler(_: object) -> None:
        log.append("added_handler")

    def removed_handler(_: object) -> None:
        log.append("removed_handler")

    def first(_: object) -> None:
        lamp.remove_event_listener("on", removed_handler)
        lamp.add_event_listener("on", added_handler)

    lamp.add_event_listener("on", first)
    lamp.add_event_listener("on", removed_handler)
    switch(lamp)
    assert log == []
    switch(lamp)
    assert log == ["added_handler"]


class Answerer:
    def generate(self, event: Event) -> Iterator[Event]:
        yield event

    async def generate_asynchronously(self, event: Event) -> AsyncIterator[Event]:
        yield event

    __call__ = generate_asynchronously


@pytest.mark.parametrize(
    "handler",
    [
        Answerer.generate,
        Answerer().generate,
        Answerer().generate_asynchronously,
        functools.partial(Answerer().generate),
        Answerer(),
    ],
    ids=["function", "method", "asynchronous", "partial", "object"],
)
def test_generator_functions_are_rejected(handler: Any) -> None:
    lamp = make_lamp()
    with pytest.raises(TypeError, match=r"on_on must be a function without 'yield', not .*would never run"):
        lamp.on_on = handler
    with pytest.raises(TypeError, match=r"argument 'handler' must be a function without 'yield'"):
        lamp.add_event_listener("on", handler)
    assert lamp.on_on is None


async def dispatch_to(handler: Callable[[Event], Any]) -> None:
    async with RTCPeerConnection() as pc:
        pc.on_negotiation_needed = handler
        pc.dispatch_event(Event("negotiation_needed", pc))
        await trio.sleep_forever()


async def test_a_handler_that_returns_a_generator_ends_the_block() -> None:
    async def numbers(_: Event) -> AsyncGenerator[int]:
        yield 1

    def letters(_: Event) -> Generator[str]:
        yield "a"

    for generator_function in (numbers, letters):

        def handler(event: Event, make: Callable[[Event], object] = generator_function) -> Any:
            return make(event)

        with pytest.raises(
            TypeError, match=r"a handler of 'negotiation_needed', .* returned a generator, which"
        ):
            await dispatch_to(handler)


async def test_a_generator_that_can_be_awaited_is_an_asynchronous_handler() -> None:
    handled: list[Event] = []

    @types.coroutine
    def handler(event: Event) -> Generator[Any, Any, None]:
        checkpoint = trio.lowlevel.checkpoint
        yield from checkpoint().__await__()
        handled.append(event)

    async with RTCPeerConnection() as pc:
        pc.on_negotiation_needed = handler
        pc.dispatch_event(event := Event("negotiation_needed", pc))
        await trio.testing.wait_all_tasks_blocked()
    assert handled == [event]


def test_unknown_events_are_rejected_with_the_known_ones() -> None:
    lamp = make_lamp()
    uses: tuple[Callable[[], object], ...] = (
        lambda: lamp.add_event_listener("blink", print),
        lambda: lamp.remove_event_listener("blink", print),
        lambda: switch(lamp, "blink"),
    )
    for use in uses:
        with pytest.raises(ValueError, match=r"Lamp has no event 'blink'; it has: off, on"):
            use()


async def test_an_unknown_subscription_is_rejected() -> None:
    with pytest.raises(ValueError, match="no event"):
        async with make_lamp().subscribe("blink"):
            pass


async def test_a_subscription_receives_the_events_of_its_block() -> None:
    lamp = make_lamp()
    switch(lamp)
    async with lamp.subscribe("on") as ons, lamp.subscribe("on") as again:
        switch(lamp)
        switch(lamp, "off")
        switch(lamp)
        assert [(await ons.receive()).type, (await ons.receive()).type] == ["on", "on"]
        assert again.statistics().current_buffer_used == 2
        with pytest.raises(trio.WouldBlock):
            ons.receive_nowait()
    switch(lamp)
    with pytest.raises(trio.ClosedResourceError):
        await ons.receive()


async def test_subscriptions_end_with_the_connection() -> None:
    async with RTCPeerConnection() as pc, pc.subscribe("negotiation_needed") as needed:
        pc.create_data_channel("chat")
        await trio.testing.wait_all_tasks_blocked()
        pc.close()
        assert [event.type async for event in needed] == ["negotiation_needed"]


async def test_an_asynchronous_handler_gets_its_events_one_at_a_time_and_in_order() -> None:
    log: list[str] = []
    async with RTCPeerConnection() as pc:

        async def slow(event: Event) -> None:
            log.append(f"begin {event.target}")
            await trio.sleep(1)
            log.append(f"end {event.target}")

        pc.add_event_listener("signaling_state_change", slow)
        pc.add_event_listener("signaling_state_change", lambda event: log.append(f"sync {event.target}"))
        for target in ("1", "2"):
            pc.dispatch_event(Event("signaling_state_change", target))
        await trio.sleep(5)
    assert log == ["sync 1", "sync 2", "begin 1", "end 1", "begin 2", "end 2"]


async def test_asynchronous_handlers_wait_for_the_block() -> None:
    pc = RTCPeerConnection()
    log: list[str] = []

    async def handle(event: Event) -> None:
        log.append(event.type)

    pc.on_negotiation_needed = handle
    pc.dispatch_event(Event("negotiation_needed", pc))
    assert log == []
    async with pc:
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["negotiation_needed"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_handler_that_raises_ends_the_block_but_not_other_handlers(kind: str) -> None:
    called: list[object] = []

    def fail(_: object) -> None:
        raise LookupError("of the handler")

    async def fail_later(event: object) -> None:
        await trio.lowlevel.checkpoint()
        fail(event)

    async def block() -> None:
        async with RTCPeerConnection() as pc:
            pc.on_negotiation_needed = fail if kind == "sync" else fail_later
            pc.add_event_listener("negotiation_needed", called.append)
            pc.dispatch_event(Event("negotiation_needed", pc))
            await trio.sleep_forever()

    with pytest.raises(LookupError, match="of the handler"):
        await block()
    assert len(called) == 1


async def test_no_handler_is_called_after_close() -> None:
    async with RTCPeerConnection() as pc:
        log: list[object] = []
        pc.on_negotiation_needed = log.append
        pc.create_data_channel("chat")
        pc.close()
        assert pc.dispatch_event(Event("negotiation_needed", pc))
        await trio.sleep(1)
        assert log == []
