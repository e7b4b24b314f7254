"""What every test shares: hypothesis profiles, and how an async test is run.

Async tests are run by pytest-trio (``trio_mode`` in pyproject.toml). Around each of them this file adds three
things:

* It replays exactly: ``trio_rtc.testing.run`` seeds all randomness, trio's order of runnable tasks included.
* It ends. A deadlock becomes ``trio.TooSlowError``: under ``autojump_clock`` at once, on the real clock after
  a minute, of mutants after ten seconds.
* It leaves nothing behind: no task more than before, and no open socket, simulated or not.

Tests of the simulated network itself, which are marked ``leaves_sockets``, need not close its sockets.
"""

import functools
import gc
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, Phase, settings

from trio_rtc.testing import run

DEFAULT_EXAMPLES = 50
DEADLOCK_VIRTUAL_SECONDS = 1e8
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
# Of mutants many wait for a packet that never comes.
DEADLOCK_REAL_SECONDS = 10.0 if PROFILE == "mutants" else 60.0

_COMMON = settings(
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _COMMON, derandomize=True, max_examples=DEFAULT_EXAMPLES)
# Many runs of the same tests, of which most fail at once; nobody reads what a failure shrinks to.
settings.register_profile(
    "mutants",
    _COMMON,
    derandomize=True,
    max_examples=DEFAULT_EXAMPLES // 5,
    phases=(Phase.explicit, Phase.generate),
    report_multiple_bugs=False,
)
settings.register_profile("fuzz", _COMMON, derandomize=False, max_examples=DEFAULT_EXAMPLES * 10)
settings.register_profile("nightly", _COMMON, derandomize=False, max_examples=DEFAULT_EXAMPLES * 100)
settings.load_profile(PROFILE)


class RealClock(trio.abc.Clock):
    """The clock of the machine."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return time.perf_counter()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


def run_replayably(
    async_function: Callable[[], Awaitable[object]],
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
    *,
    check_sockets: bool = True,
) -> None:
    """Run with ``trio_rtc.testing.run``, on the real clock where no other is given."""
    virtual = isinstance(clock, trio.testing.MockClock)
    run(
        async_function,
        clock=clock or RealClock(),
        timeout=DEADLOCK_VIRTUAL_SECONDS if virtual else DEADLOCK_REAL_SECONDS,
        instruments=instruments,
        check_sockets=check_sockets,
    )


def run_in_virtual_time(
    async_function: Callable[[], Awaitable[object]],
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
    *,
    check_sockets: bool = True,
) -> None:
    """Run like ``run_replayably``, with a clock that jumps to the next deadline when nothing else is to do."""
    clock = clock or trio.testing.MockClock(autojump_threshold=0)
    run_replayably(async_function, clock, instruments, check_sockets=check_sockets)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let every async test be run by ``run_replayably``; those under ``@given`` are seeded by hypothesis."""
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return
    # pytest-trio sees a clock only among the arguments; this makes usefixtures("autojump_clock") work as well.
    virtual = "autojump_clock" in item.fixturenames
    runner = run_in_virtual_time if virtual else run_replayably
    check_sockets = item.get_closest_marker("leaves_sockets") is None
    item.add_marker(pytest.mark.trio(run=functools.partial(runner, check_sockets=check_sockets)))


def pytest_collection_finish() -> None:
    """Begin with cheap collections: see ``forget_the_past``."""
    forget_the_past()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Keep collections cheap to the end: what hypothesis and pytest remember of each test adds up."""
    if nextitem is None or nextitem.path != item.path:
        forget_the_past()


def forget_the_past() -> None:
    """Put what is alive now out of the collector's sight, so that a collection after each test is cheap."""
    gc.collect()
    gc.freeze()
