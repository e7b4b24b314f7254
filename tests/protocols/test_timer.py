"""Timers with exponential back-off."""

import math

from trio_rtc.protocols.timer import Timer


def expirations(timer: Timer, count: int) -> list[float]:
    """Return the intervals between expirations at their deadlines."""
    intervals, last = [], 0.0
    for _ in range(count):
        now = timer.deadline
        assert timer.expire(now)
        intervals.append(now - last)
        last = now
    return intervals


def test_the_interval_doubles_up_to_its_maximum() -> None:
    timer = Timer(1.0, maximum=5.0)
    timer.start(0.0)
    assert expirations(timer, 5) == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert timer.expirations == 5


def test_a_factor_of_one_is_a_constant_interval() -> None:
    timer = Timer(0.5, factor=1.0)
    timer.start(0.0)
    assert expirations(timer, 3) == [0.5, 0.5, 0.5]


def test_a_timer_expires_at_its_deadline_and_not_before() -> None:
    timer = Timer(1.0)
    assert not timer.running
    assert not timer.expire(1e9)
    timer.start(10.0)
    assert timer.running
    assert not timer.expire(10.999)
    assert timer.expirations == 0
    assert timer.expire(11.0)


def test_a_late_expiration_does_not_shorten_the_next_interval() -> None:
    timer = Timer(1.0)
    timer.start(0.0)
    assert timer.expire(100.0)
    assert timer.deadline == 102.0


def test_restarting_resets_the_back_off_and_may_set_another_duration() -> None:
    timer = Timer(1.0, maximum=3.0)
    timer.start(0.0)
    expirations(timer, 2)
    timer.start(10.0)
    assert (timer.deadline, timer.expirations) == (11.0, 0)
    timer.start(10.0, 2.5)
    assert timer.deadline == 12.5
    assert timer.expire(12.5)
    assert timer.deadline == 15.5
    timer.start(20.0)
    assert timer.deadline == 22.5


def test_a_stopped_timer_has_no_deadline() -> None:
    timer = Timer(1.0)
    timer.start(0.0)
    assert timer.expire(1.0)
    timer.stop()
    timer.stop()
    assert (timer.deadline, timer.expirations, timer.running) == (math.inf, 0, False)
