"""How this suite runs async tests: replay, deadlocks and leaks (see tests/conftest.py)."""

import gc
import socket

import pytest
import trio
import trio.testing

from tests.conftest import run_replayably
from trio_rtc import testing


async def record_order() -> list[int]:
    order: list[int] = []

    async def step(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(step, number)
    return order


def test_scheduling_replays() -> None:
    seen: list[list[int]] = []

    async def scenario() -> None:
        seen.append(await record_order())

    for _ in range(5):
        run_replayably(scenario)
    assert len(seen) == 5
    assert all(order == seen[0] for order in seen)


async def test_virtual_time_is_free(autojump_clock: trio.testing.MockClock) -> None:
    start = trio.current_time()
    await trio.sleep(3600)
    assert trio.current_time() - start == pytest.approx(3600)


def test_a_function_that_is_not_async_is_an_error() -> None:
    with pytest.raises(
        TypeError, match=r"argument 'async_fn' must be an async function; <function .*> returned 5$"
    ):
        testing.run(lambda: 5)  # type: ignore[arg-type, return-value]


def test_deadlock_under_virtual_time_is_an_error() -> None:
    with pytest.raises(trio.TooSlowError):
        run_replayably(trio.sleep_forever, clock=trio.testing.MockClock(autojump_threshold=0))


def test_task_left_behind_is_an_error() -> None:
    async def leave_a_task() -> None:
        trio.lowlevel.spawn_system_task(trio.sleep_forever)

    with pytest.raises(AssertionError, match=r"1 tasks left behind: trio\.sleep_forever"):
        run_replayably(leave_a_task)


def test_socket_left_open_is_found_at_once() -> None:
    async def leave_a_socket() -> None:
        cycle: list[object] = [socket.socket()]
        cycle.append(cycle)

    # A collection that begins by itself within the run would find the socket before the check does.
    gc.disable()
    try:
        with pytest.raises(AssertionError, match="1 sockets left open: unclosed <socket"):
            run_replayably(leave_a_socket)
    finally:
        gc.enable()
