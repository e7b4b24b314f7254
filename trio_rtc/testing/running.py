"""Runs an async function reproducibly: seeded scheduling, virtual time, no leaks."""

import gc
import inspect
import os
import random
import socket
import stat
import warnings
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

import trio
import trio.testing

# The first call with media would load this with checkpoints, and differ from the second.
import trio_rtc.protocols.rtp.session  # noqa: F401
from trio_rtc import _environment

from ._threads import AutojumpGuard
from .network import networks_of_run

T = TypeVar("T")
Args = TypeVarTuple("Args")

DEFAULT_TIMEOUT = 3600.0
"""Maximum seconds of a run, by its clock."""
EPOCH = 1_780_000_000.0
"""Unix time in seconds at the beginning of a run, for the dates in certificates and statistics."""


def run(
    async_fn: Callable[[*Args], Awaitable[T]],
    *args: *Args,
    seed: int = 0,
    timeout: float = DEFAULT_TIMEOUT,
    clock: trio.abc.Clock | None = None,
    instruments: Sequence[trio.abc.Instrument] = (),
    check_sockets: bool = True,
) -> T:
    """Run an async function like ``trio.run``, but with the same behavior in every run with the same seed.

    - The order in which ready tasks run depends only on the seed.
    - Time is virtual: when all tasks wait, the clock jumps to the next deadline.
    - Peer connections, certificates, tracks and simulated networks created inside get their random numbers from the
      seed and the date from the clock, unless ``Settings.rng``, ``Settings.wall_clock`` or the network's ``seed`` is
      set.
    - Codecs and local files are used in the event loop's thread. Other threads (``trio.to_thread``) stop the clock.
    - When the function has returned, no task and no socket created inside may be left, neither a simulated one nor a
      ``socket.socket``. On Windows, which cannot list open files, a ``socket.socket`` is found only if it is not
      referenced any more.

    The state outside is restored at the end. Concurrent runs in several threads of one process disturb each other.

    Args:
        async_fn: The function.
        *args: Its arguments.
        seed: Source of all randomness.
        timeout: Seconds by the clock after which the function is cancelled.
        clock: Replaces the virtual clock. With a real clock, codecs use threads; scheduling and random numbers remain
            deterministic.
        instruments: As for ``trio.run``.
        check_sockets: Whether an open socket is an error.

    Returns:
        The function's result.

    Raises:
        TypeError: ``async_fn`` is not an async function.
        trio.TooSlowError: The timeout has expired. A deadlock raises this error at once.
        AssertionError: A task or a socket was left.
        RuntimeError: This version of trio cannot be made deterministic.
    """
    if clock is None:
        clock = trio.testing.MockClock(autojump_threshold=0)
    virtual = isinstance(clock, trio.testing.MockClock)
    environment = _environment.DeterministicEnvironment(seed, EPOCH, threads=not virtual)

    async def bounded() -> T:
        _environment.use(environment)
        if isinstance(clock, trio.testing.MockClock):
            trio.lowlevel.add_instrument(AutojumpGuard(clock))
        before = set(_living_tasks())
        with trio.move_on_after(timeout):
            awaitable: object = async_fn(*args)
            if not inspect.isawaitable(awaitable):
                raise TypeError(
                    f"run() argument 'async_fn' must be an async function; {async_fn!r} returned {awaitable!r:.100}"
                )
            result: T = await awaitable
            _check_tasks(before)
            if check_sockets:
                _check_simulated_sockets()
            return result
        unit = "seconds of virtual time" if virtual else "seconds"
        raise trio.TooSlowError(f"{async_fn!r} has not returned after {timeout:g} {unit}")

    sockets_before = _open_sockets()
    with _deterministic_scheduling(seed):
        result = trio.run(bounded, clock=clock, instruments=instruments)
    if check_sockets:
        _check_sockets(sockets_before)
    return result


@contextmanager
def _deterministic_scheduling(seed: int) -> Iterator[None]:
    """Seed the generator by which trio shuffles tasks, and enable sorting tasks before it shuffles.

    trio has no public API for it; Hypothesis and pytest-trio set the same two variables.
    """
    scheduler = _trio_scheduler()
    generator: random.Random = scheduler._r
    state, sorts_before = generator.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    generator.seed(seed)
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = sorts_before
        generator.setstate(state)


def _trio_scheduler() -> Any:
    """Return trio's module that schedules tasks; ``RuntimeError`` if it cannot be made deterministic."""
    try:
        from trio._core import _run as scheduler  # noqa: PLC0415 - private, may be missing in other versions
    except ImportError:
        scheduler = None  # type: ignore[assignment]
    is_known = isinstance(getattr(scheduler, "_r", None), random.Random)
    if not is_known or not hasattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING"):
        raise RuntimeError(
            f"trio_rtc.testing.run cannot seed the scheduler of trio {trio.__version__}: trio._core._run has "
            "changed; use trio 0.27 to 0.35, or a newer trio_rtc"
        )
    return scheduler


def _living_tasks() -> Iterator[trio.lowlevel.Task]:
    waiting = [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        if task is None:
            continue
        yield task
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)


def _check_tasks(before: Iterable[trio.lowlevel.Task]) -> None:
    left = sorted(task.name for task in set(_living_tasks()).difference(before))
    if left:
        raise AssertionError(f"{len(left)} tasks left running: {', '.join(left)}")


def _check_simulated_sockets() -> None:
    sockets = [
        f"{socket.host.name} {socket.local_address.host} port {socket.local_address.port}"
        for network in networks_of_run()
        for socket in network.open_sockets
    ]
    if sockets:
        raise AssertionError(f"{len(sockets)} simulated sockets left open: {', '.join(sockets)}")


def _open_sockets() -> set[tuple[int, int, int]]:
    """Return descriptor, device and inode of each open socket of this process; nothing if they cannot be listed."""
    try:
        descriptors = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return set()
    found: set[tuple[int, int, int]] = set()
    for descriptor in descriptors:
        try:
            status = os.fstat(descriptor)
        except OSError:
            # The descriptor of the listing itself.
            continue
        if stat.S_ISSOCK(status.st_mode):
            found.add((descriptor, status.st_dev, status.st_ino))
    return found


def _kept_sockets(before: Collection[tuple[int, int, int]]) -> list[str]:
    """Describe the ``socket.socket`` objects that are open and were not before.

    Descriptors are checked first, because searching all objects takes a thousand times as long.
    """
    new = {descriptor for descriptor, *inode in _open_sockets().difference(before)}
    if not new:
        return []
    kept = [each for each in gc.get_objects() if isinstance(each, socket.socket) and each.fileno() in new]
    return [repr(each) for each in kept]


def _check_sockets(before: Collection[tuple[int, int, int]]) -> None:
    """Raise ``AssertionError`` for system sockets that were not closed, referenced or not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    left = [str(warning.message) for warning in caught if "unclosed <socket" in str(warning.message)]
    left += _kept_sockets(before)
    for warning in caught:
        if str(warning.message) not in left:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if left:
        raise AssertionError(f"{len(left)} sockets left open: {', '.join(left)}")
