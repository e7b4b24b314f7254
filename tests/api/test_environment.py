"""The environment of a trio run: the operating system's or a deterministic one."""

import random
import threading
import time
import uuid
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from trio_rtc import _environment
from trio_rtc._environment import DeterministicEnvironment


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a function without the environment that ``trio_rtc.testing.run`` would have."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_outside_of_trio_the_environment_is_that_of_the_operating_system() -> None:
    assert _environment.deterministic_environment() is None
    assert isinstance(_environment.new_rng(), random.SystemRandom)
    assert _environment.default_wall_clock() is time.time
    assert _environment.runs_threads()
    with pytest.raises(RuntimeError, match=r"^f\(\) needs trio, and no trio run is active here"):
        _environment.require_trio("f()")


def test_a_deterministic_environment_is_that_of_its_run_only() -> None:
    async def deterministic() -> None:
        environment = DeterministicEnvironment(seed=1, epoch=1e9)
        _environment.use(environment)
        _environment.require_trio("f()")
        assert _environment.deterministic_environment() is environment
        begin = trio.current_time()
        clock = _environment.default_wall_clock()
        assert clock() == 1e9 + begin
        await trio.sleep(10)
        assert clock() == 1e9 + begin + 10

    async def other() -> None:
        await trio.lowlevel.checkpoint()
        assert _environment.deterministic_environment() is None
        assert isinstance(_environment.new_rng(), random.SystemRandom)

    run(deterministic)
    run(other)


def test_generators_depend_on_the_seed_and_their_number() -> None:
    def sequences(seed: int) -> list[int]:
        environment = DeterministicEnvironment(seed=seed, epoch=0.0)
        return [environment.new_rng().getrandbits(64) for _ in range(3)]

    assert sequences(1) == sequences(1)
    assert len({*sequences(1), *sequences(2)}) == 6


def test_identifiers_are_random_uuids() -> None:
    first, second = uuid.UUID(_environment.new_id()), uuid.UUID(_environment.new_id())
    assert first != second
    assert (first.version, first.variant) == (4, uuid.RFC_4122)


def test_a_run_has_one_limiter_for_each_purpose() -> None:
    async def main() -> None:
        await trio.lowlevel.checkpoint()
        default = trio.to_thread.current_default_thread_limiter()
        assert _environment.thread_limiters() == [default]
        encoders = _environment.thread_limiter("encoders", 2)
        files = _environment.thread_limiter("files", 3)
        assert _environment.thread_limiter("encoders", 7) is encoders
        assert (encoders.total_tokens, files.total_tokens) == (2, 3)
        assert _environment.thread_limiters() == [encoders, files, default]

    run(main)
    run(main)


@pytest.mark.parametrize("threads", [None, True, False])
def test_calls_are_made_in_a_thread_or_in_place(threads: bool | None) -> None:
    async def main() -> None:
        if threads is not None:
            _environment.use(DeterministicEnvironment(seed=1, epoch=0.0, threads=threads))
        thread, value = await _environment.call_in_thread(lambda one: (threading.get_ident(), one), 7)
        assert value == 7
        assert (thread == threading.get_ident()) is (threads is False)
        assert _environment.runs_threads() is (threads is not False)

    # Threads take real time.
    trio.run(main)


def test_a_call_without_threads_is_a_checkpoint_and_cancellable_before_it_begins() -> None:
    calls: list[str] = []

    async def main() -> None:
        with trio.testing.assert_checkpoints():
            await _environment.call_in_thread(calls.append, "called")
        with trio.CancelScope() as scope:
            scope.cancel()
            await _environment.call_in_thread(calls.append, "cancelled")
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            # A result is not lost when the cancellation comes during the call.
            await _environment.call_in_thread(scope.cancel)
            calls.append("returned")
        assert not scope.cancelled_caught

    run(main)
    assert calls == ["called", "returned"]
