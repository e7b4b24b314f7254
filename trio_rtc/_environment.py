"""The environment of a trio run: randomness, wall clock, and threads for codecs and files.

By default it is the operating system's. ``trio_rtc.testing.run`` replaces it by a deterministic environment, for its
own trio run only.
"""

import functools
import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from trio_rtc import _attrs as attrs

T = TypeVar("T")


@attrs.define(eq=False)
class DeterministicEnvironment:
    """Environment of a deterministic run, made from a seed.

    Attributes:
        seed: Source of all randomness.
        epoch: Unix time at which the run begins, in seconds.
        threads: Whether codecs and files use worker threads.
    """

    seed: int
    epoch: float
    threads: bool = False
    _generators: int = 0

    def new_rng(self) -> random.Random:
        """Return a new generator, whose sequence depends on the seed and its ordinal number."""
        self._generators += 1
        return random.Random(f"{self.seed}/{self._generators}")  # noqa: S311 - for tests only

    def wall_clock(self) -> float:
        return self.epoch + trio.current_time()


_deterministic: "trio.lowlevel.RunVar[DeterministicEnvironment | None]" = trio.lowlevel.RunVar(
    "trio_rtc_environment", None
)
_limiters: "trio.lowlevel.RunVar[dict[str, trio.CapacityLimiter] | None]" = trio.lowlevel.RunVar(
    "trio_rtc_limiters", None
)


def require_trio(called: str) -> None:
    """Raise ``RuntimeError`` outside of trio, where obscure errors would follow; ``called`` is the function."""
    if not trio.lowlevel.in_trio_run():
        raise RuntimeError(
            f"{called} needs trio, and no trio run is active here: start the program with trio.run(main), "
            "or with anyio.run(main, backend='trio'); asyncio cannot run trio_rtc"
        )


def use(environment: DeterministicEnvironment) -> None:
    _deterministic.set(environment)


def deterministic_environment() -> DeterministicEnvironment | None:
    """Return the environment of this trio run; ``None`` for the operating system's and outside of trio."""
    return _deterministic.get() if trio.lowlevel.in_trio_run() else None


def new_rng() -> random.Random:
    """Return a source of randomness: the operating system's, or in a deterministic run a new generator."""
    environment = deterministic_environment()
    return random.SystemRandom() if environment is None else environment.new_rng()


def default_wall_clock() -> Callable[[], float]:
    """Return the function that returns the Unix time in seconds."""
    environment = deterministic_environment()
    return time.time if environment is None else environment.wall_clock


def new_id() -> str:
    """Return a unique identifier: a random UUID (RFC 9562 section 5.4)."""
    return str(uuid.UUID(int=new_rng().getrandbits(128), version=4))


def thread_limiter(purpose: str, total_tokens: int) -> trio.CapacityLimiter:
    """Return this trio run's limiter of the threads for one purpose, created at the first call."""
    limiters = _limiters.get()
    if limiters is None:
        limiters = {}
        _limiters.set(limiters)
    if purpose not in limiters:
        limiters[purpose] = trio.CapacityLimiter(total_tokens)
    return limiters[purpose]


def thread_limiters() -> Sequence[trio.CapacityLimiter]:
    """Return the limiters of this trio run's threads that have been used, trio's own included."""
    own = _limiters.get() or {}
    return [*own.values(), trio.to_thread.current_default_thread_limiter()]


def runs_threads() -> bool:
    """Return whether codecs and files use threads, whose results arrive in no fixed order."""
    environment = deterministic_environment()
    return environment is None or environment.threads


async def call_in_thread(
    function: Callable[..., T],
    *args: object,
    limiter: trio.CapacityLimiter | None = None,
    abandon_on_cancel: bool = False,
) -> T:
    """Call a function in a thread like ``trio.to_thread.run_sync``, or in place where threads are not used."""
    if runs_threads():
        call = functools.partial(function, *args)
        return await trio.to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=abandon_on_cancel)
    await trio.lowlevel.checkpoint_if_cancelled()
    result = function(*args)
    await trio.lowlevel.cancel_shielded_checkpoint()
    return result
