"""What every test shares: hypothesis profiles, and how an async test is run.

Async tests are run by pytest-trio (``trio_mode`` in pyproject.toml). Around each of them this file adds three
things:

* It replays exactly. trio shuffles the order of runnable tasks; inside a hypothesis example that shuffle is
  seeded, so every async test is run as the one explicit example of a hypothesis test.
* It ends. A deadlock becomes ``trio.TooSlowError``: under ``autojump_clock`` at once, on the real clock after
  a minute.
* It leaves nothing behind: no task more than before, and no open socket, which the garbage collector finds
  here and not somewhere in a later test (``ResourceWarning`` is an error).
"""

import gc
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

DEFAULT_EXAMPLES = 50
DEADLOCK_VIRTUAL_SECONDS = 1e8
DEADLOCK_REAL_SECONDS = 60.0

_COMMON = settings(
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("default", _COMMON, derandomize=True, max_examples=DEFAULT_EXAMPLES)
settings.register_profile("fuzz", _COMMON, derandomize=False, max_examples=DEFAULT_EXAMPLES * 10)
settings.register_profile("nightly", _COMMON, derandomize=False, max_examples=DEFAULT_EXAMPLES * 100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def run_replayably(
    async_function: Callable[[], Awaitable[object]],
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> None:
    """Run like ``trio.run``, with trio's own chance seeded, a bound on time, and a check for leaks."""
    virtual = isinstance(clock, trio.testing.MockClock)
    bound = DEADLOCK_VIRTUAL_SECONDS if virtual else DEADLOCK_REAL_SECONDS

    async def bounded() -> None:
        living = trio.lowlevel.current_statistics().tasks_living
        with trio.fail_after(bound):
            await async_function()
        left = trio.lowlevel.current_statistics().tasks_living - living
        assert left == 0, f"{left} tasks left behind"

    @settings(phases=[Phase.explicit], deadline=None)
    @given(st.none())
    @example(None)
    def replayable(_: None) -> None:
        trio.run(bounded, clock=clock, instruments=instruments)

    replayable()
    gc.collect()


def run_in_virtual_time(
    async_function: Callable[[], Awaitable[object]],
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
) -> None:
    """Run like ``run_replayably``, with a clock that jumps to the next deadline when nothing else is to do."""
    run_replayably(async_function, clock or trio.testing.MockClock(autojump_threshold=0), instruments)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let every async test be run by ``run_replayably``; those under ``@given`` are seeded by hypothesis."""
    if not isinstance(item, pytest.Function) or not inspect.iscoroutinefunction(item.obj):
        return
    # pytest-trio sees a clock only among the arguments; this makes usefixtures("autojump_clock") work as well.
    virtual = "autojump_clock" in item.fixturenames
    item.add_marker(pytest.mark.trio(run=run_in_virtual_time if virtual else run_replayably))


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
