"""When a keyframe is asked for that somebody wants."""

import math

from trio_rtc.protocols.rtp.receive.keyframe_request_limiter import KeyframeRequestLimiter


def test_what_nobody_wants_is_not_asked_for() -> None:
    demand = KeyframeRequestLimiter(0.5)
    assert demand.next_timer() == math.inf
    assert not demand.take(10.0)


def test_the_first_is_asked_for_at_once() -> None:
    demand = KeyframeRequestLimiter(0.5)
    demand.is_wanted = True
    assert demand.next_timer() <= 0.0
    assert demand.take(0.0)
    assert not demand.is_wanted
    assert demand.next_timer() == math.inf


def test_the_next_has_to_wait() -> None:
    demand = KeyframeRequestLimiter(0.5)
    demand.is_wanted = True
    demand.take(1.0)
    demand.is_wanted = True
    assert demand.next_timer() == 1.5
    assert not demand.take(1.49)
    assert demand.take(1.5)


def test_one_that_comes_meanwhile_is_not_asked_for() -> None:
    demand = KeyframeRequestLimiter(0.5)
    demand.is_wanted = True
    demand.take(1.0)
    demand.is_wanted = True
    demand.is_wanted = False
    assert not demand.take(2.0)
