"""W3C's operations chain and negotiation-needed flag (webrtc sections 4.4.1.2 and 4.7.3)."""

import pytest
import trio
import trio.testing

from trio_rtc import InvalidStateError
from trio_rtc._error_filters import without_closed_errors
from trio_rtc.event_target import HandlerRunner
from trio_rtc.transceivers.operations_chain import (
    NegotiationNeeded,
    OperationsChain,
    settle,
    settle_without_value,
)


class Connection:
    """A connection that may be closed, with its chain."""

    def __init__(self) -> None:
        self.closed = False
        self.log: list[str] = []
        self.chain = OperationsChain(lambda: self.closed)
        self.chain.on_empty = lambda: self.log.append("empty")

    async def operate(self, name: str, seconds: float = 1.0) -> None:
        async with self.chain.operation():
            self.log.append(f"{name} begins")
            await trio.sleep(seconds)
            self.log.append(f"{name} ends")


@pytest.mark.usefixtures("autojump_clock")
async def test_operations_run_one_after_another_in_the_order_of_the_calls() -> None:
    connection = Connection()
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(connection.operate, name)
            await trio.testing.wait_all_tasks_blocked()
        assert not connection.chain.is_empty
        assert connection.log == ["a begins"]
    assert connection.log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")] + ["empty"]
    assert connection.chain.is_empty


@pytest.mark.usefixtures("autojump_clock")
async def test_a_failed_or_cancelled_operation_lets_the_next_one_run() -> None:
    connection = Connection()
    with pytest.raises(ValueError, match="failed"):
        async with connection.chain.operation():
            raise ValueError("failed")
    with trio.move_on_after(0.5):
        await connection.operate("cancelled")
    await connection.operate("last")
    assert connection.log == ["empty", "cancelled begins", "empty", "last begins", "last ends", "empty"]


async def test_a_closed_connection_refuses_operations() -> None:
    connection = Connection()
    connection.closed = True
    with pytest.raises(InvalidStateError, match="is closed") as raised:
        await connection.operate("late")
    assert connection.log == []
    # Marked: it may escape a handler.
    assert without_closed_errors(raised.value, ending=False) is None


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.usefixtures("autojump_clock")
async def test_closing_fails_operations_that_run_or_wait(waits: bool) -> None:
    connection = Connection()
    errors: list[BaseException] = []

    async def operate(name: str) -> None:
        try:
            await connection.operate(name)
        except trio.ClosedResourceError as error:
            errors.append(error)

    async with trio.open_nursery() as nursery:
        for name in ["first", "second"] if waits else ["first"]:
            nursery.start_soon(operate, name)
            await trio.testing.wait_all_tasks_blocked()
        connection.closed = True
    assert connection.log == ["first begins", "first ends"]
    assert len(errors) == 1 + waits
    assert all(without_closed_errors(error, ending=False) is None for error in errors)


class Negotiation:
    """A negotiation-needed flag; ``needed`` is the result of the check."""

    def __init__(self, nursery: trio.Nursery) -> None:
        runner = HandlerRunner()
        runner.open(nursery)
        self.chain = OperationsChain(lambda: False)
        self.flag = NegotiationNeeded(runner, self.chain)
        self.needed: bool | None = True
        self.checks = 0
        self.events = 0
        self.flag.on_check = self._check
        self.flag.on_set = self._fire

    def _check(self) -> bool | None:
        self.checks += 1
        return self.needed

    def _fire(self) -> None:
        self.events += 1


@pytest.mark.usefixtures("autojump_clock")
async def test_the_event_fires_only_when_the_flag_becomes_set() -> None:
    async with trio.open_nursery() as nursery:
        negotiation = Negotiation(nursery)
        expected = [(True, 1, True), (True, 1, True), (None, 1, True), (False, 1, False), (True, 2, True)]
        for needed, events, is_set in expected:
            negotiation.needed = needed
            negotiation.flag.update()
            await trio.testing.wait_all_tasks_blocked()
            assert (negotiation.events, negotiation.flag.is_set) == (events, is_set)
        negotiation.flag.clear()
        assert not negotiation.flag.is_set
        await trio.testing.wait_all_tasks_blocked()
        assert negotiation.events == 3


@pytest.mark.parametrize("when", ["before", "during"])
@pytest.mark.usefixtures("autojump_clock")
async def test_the_check_waits_for_the_end_of_chained_operations(when: str) -> None:
    async with trio.open_nursery() as nursery:
        negotiation = Negotiation(nursery)
        if when == "before":
            # The check is queued, but an operation begins first.
            negotiation.flag.update()
        async with negotiation.chain.operation():
            for _ in range(3 if when == "during" else 0):
                negotiation.flag.update()
            await trio.testing.wait_all_tasks_blocked()
            assert negotiation.checks == 0
        await trio.testing.wait_all_tasks_blocked()
        assert (negotiation.checks, negotiation.events) == (1, 1)
        async with negotiation.chain.operation():
            pass
        await trio.testing.wait_all_tasks_blocked()
        assert negotiation.checks == 1


async def succeed() -> int:
    await trio.lowlevel.checkpoint()
    return 7


async def fail() -> int:
    await trio.lowlevel.checkpoint()
    raise InvalidStateError("no")


async def test_legacy_callbacks_replace_the_result_and_the_error() -> None:
    """W3C webrtc section 4.4.3."""
    results: list[object] = []
    assert await settle(succeed, None, None) == 7
    assert await settle(succeed, results.append, None) is None
    assert await settle(fail, results.append, results.append) is None
    assert results[0] == 7
    assert isinstance(results[1], InvalidStateError)
    with pytest.raises(InvalidStateError):
        await settle(fail, results.append, None)
    assert len(results) == 2


async def test_an_error_that_is_not_w3cs_is_raised_despite_callbacks() -> None:
    async def broken() -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await settle_without_value(broken, lambda: None, lambda error: None)


async def test_legacy_callback_without_a_value() -> None:
    calls: list[str] = []

    async def nothing() -> None:
        await trio.lowlevel.checkpoint()

    await settle_without_value(nothing, lambda: calls.append("done"), None)
    await settle_without_value(nothing, None, None)
    assert calls == ["done"]
