"""Virtual time that stops while a thread runs."""

import time

import pytest
import trio
import trio.testing

from trio_rtc._environment import thread_limiter
from trio_rtc.testing._threads import AutojumpGuard


def run(seconds_in_thread: float, deadline: float, *, own_limiter: bool) -> tuple[bool, float]:
    """Return whether a thread ended before the deadline, and the virtual seconds that it took."""
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main() -> tuple[bool, float]:
        trio.lowlevel.add_instrument(AutojumpGuard(clock))
        limiter = thread_limiter("tests", 2) if own_limiter else None
        begun = trio.current_time()
        with trio.move_on_after(deadline) as scope:
            await trio.to_thread.run_sync(time.sleep, seconds_in_thread, limiter=limiter)
        return not scope.cancel_called, trio.current_time() - begun

    # trio_rtc.testing.run has a guard of its own.
    return trio.run(main, clock=clock)


@pytest.mark.parametrize("own_limiter", [True, False])
def test_a_thread_takes_no_virtual_time(own_limiter: bool) -> None:
    assert run(0.2, 0.01, own_limiter=own_limiter) == (True, 0.0)


def test_the_clock_jumps_before_and_after_threads() -> None:
    clock = trio.testing.MockClock(autojump_threshold=0)
    times: list[float] = []

    async def main() -> None:
        trio.lowlevel.add_instrument(AutojumpGuard(clock))
        begun = trio.current_time()
        for _ in range(3):
            await trio.sleep(1000)
            await trio.to_thread.run_sync(time.sleep, 0.01)
            times.append(trio.current_time() - begun)
        assert clock.autojump_threshold in (0, float("inf"))

    real = time.monotonic()
    # See run().
    trio.run(main, clock=clock)
    assert times == [1000, 2000, 3000]
    assert time.monotonic() - real < 60
