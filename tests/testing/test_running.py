"""trio_rtc.testing.run: reproducibility, deadlocks and leaks."""

import functools
import gc
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.conftest import run_deterministically
from trio_rtc import testing
from trio_rtc.testing import run


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


def test_scheduling_is_reproducible() -> None:
    seen: list[list[int]] = []

    async def scenario() -> None:
        seen.append(await record_order())

    for _ in range(5):
        run_deterministically(scenario)
    assert len(seen) == 5
    assert all(order == seen[0] for order in seen)


async def test_virtual_time_takes_no_real_time(autojump_clock: trio.testing.MockClock) -> None:
    start = trio.current_time()
    await trio.sleep(3600)
    assert trio.current_time() - start == pytest.approx(3600)


def test_function_that_is_not_async_raises() -> None:
    with pytest.raises(
        TypeError, match=r"argument 'async_fn' must be an async function; <function .*> returned 5$"
    ):
        testing.run(lambda: 5)  # type: ignore[arg-type, return-value]


def test_type_error_of_the_function_is_not_rewritten() -> None:
    @attrs.define
    class Mine:
        x: int = attrs.field(validator=attrs.validators.instance_of(int))

    async def fails() -> None:
        Mine("x")  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="'x' must be <class 'int'>") as caught:
        run(fails)
    assert "run()" not in str(caught.value)
    assert caught.traceback[-1].name == "__call__"


def test_deadlock_under_virtual_time_is_an_error() -> None:
    with pytest.raises(trio.TooSlowError):
        run_deterministically(trio.sleep_forever, clock=trio.testing.MockClock(autojump_threshold=0))


def test_task_left_running_is_an_error() -> None:
    async def leave_a_task() -> None:
        trio.lowlevel.spawn_system_task(trio.sleep_forever)

    with pytest.raises(AssertionError, match=r"1 tasks left running: trio\.sleep_forever"):
        run_deterministically(leave_a_task)


def test_socket_left_open_is_found() -> None:
    async def leave_a_socket() -> None:
        cycle: list[object] = [socket.socket()]
        cycle.append(cycle)

    # An automatic garbage collection within the run would find the socket before the check does.
    gc.disable()
    try:
        with pytest.raises(AssertionError, match="1 sockets left open: unclosed <socket"):
            run_deterministically(leave_a_socket)
    finally:
        gc.enable()


async def make_socket() -> list[Any]:
    return [socket.socket()]


async def make_trio_socket() -> list[Any]:
    return [trio.socket.socket()]


async def make_listeners() -> list[Any]:
    return list(await trio.open_tcp_listeners(0, host="127.0.0.1"))


async def make_pair() -> list[Any]:
    return list(socket.socketpair())


async def close_all(kept: list[Any]) -> None:
    """Close them in trio, as trio's sockets require."""
    for each in kept:
        getattr(each, "socket", each).close()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system does not list open files")
@pytest.mark.parametrize(
    ("make", "count"), [(make_socket, 1), (make_trio_socket, 1), (make_listeners, 1), (make_pair, 2)]
)
def test_referenced_socket_left_open_is_found(make: Callable[[], Awaitable[list[Any]]], count: int) -> None:
    kept: list[Any] = []

    async def keep(*, close: bool = False) -> None:
        made = await make()
        kept.extend(made)
        if close:
            await close_all(made)

    try:
        with pytest.raises(AssertionError, match=f"{count} sockets left open: <socket.socket fd="):
            run(keep)
        # Sockets of another run and closed sockets are ignored.
        run(functools.partial(keep, close=True))
        run(keep, check_sockets=False)
    finally:
        run(close_all, kept)


def test_socket_opened_before_the_run_may_stay_open() -> None:
    with socket.socket() as before:

        async def use() -> None:
            before.bind(("127.0.0.1", 0))

        run(use)
