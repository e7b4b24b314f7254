"""Common setup of all tests: hypothesis profiles, and the runner of async tests.

Async tests are run by pytest-trio (``trio_mode`` in pyproject.toml). This file ensures three
properties of each:

* It is deterministic: ``trio_rtc.testing.run`` seeds all randomness, including trio's task order.
* It terminates. A deadlock raises ``trio.TooSlowError``: under ``autojump_clock`` at once, on the real clock after
  a minute, for mutants after ten seconds.
* It leaves nothing behind: no further task, and no open socket, simulated or not.

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
# Many mutants wait for a packet that never arrives.
DEADLOCK_REAL_SECONDS = 10.0 if PROFILE == "mutants" else 60.0

_COMMON = settings(
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _COMMON, derandomize=True, max_examples=DEFAULT_EXAMPLES)
# Many runs of the same tests, of which most fail at once; shrunk failures are not read.
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


def run_deterministically(
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
    """Run like ``run_deterministically``, with a clock that jumps to the next deadline when all tasks wait."""
    clock = clock or trio.testing.MockClock(autojump_threshold=0)
    run_deterministically(async_function, clock, instruments, check_sockets=check_sockets)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run every async test with ``run_deterministically``; those under ``@given`` are seeded by hypothesis."""
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return
    # pytest-trio finds a clock only among the arguments; this makes usefixtures("autojump_clock") work as well.
    virtual = "autojump_clock" in item.fixturenames
    runner = run_in_virtual_time if virtual else run_deterministically
    check_sockets = item.get_closest_marker("leaves_sockets") is None
    item.add_marker(pytest.mark.trio(run=functools.partial(runner, check_sockets=check_sockets)))


def pytest_collection_finish() -> None:
    """Make garbage collections cheap: see ``freeze_live_objects``."""
    freeze_live_objects()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Keep garbage collections cheap, since hypothesis and pytest retain objects of each test."""
    if nextitem is None or nextitem.path != item.path:
        freeze_live_objects()


def freeze_live_objects() -> None:
    """Exclude live objects from garbage collection, so that a collection after each test is cheap."""
    gc.collect()
    gc.freeze()
