"""Requests for lost packets and keyframes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.options import NackOptions
from trio_rtc.protocols.rtp.receive.requests import KeyframeRequestLimiter, NackGenerator

OPTIONS = NackOptions(min_tolerance=0.005, max_tolerance=0.1, max_requests=3, backoff=1.0, max_missing=50)


@pytest.fixture
def nack() -> NackGenerator:
    generator = NackGenerator(OPTIONS)
    generator.set_round_trip(0.05)
    return generator


def test_stream_without_loss_requests_nothing(nack: NackGenerator) -> None:
    for number in range(100):
        nack.packet_received(number, number / 100)
    assert nack.next_timer() == math.inf
    assert nack.due(2.0) == []


def test_a_loss_is_requested_after_the_tolerance_and_then_once_per_round_trip(
    nack: NackGenerator,
) -> None:
    nack.packet_received(10, 0.0)
    nack.packet_received(13, 1.0)
    assert nack.due(1.0) == []
    assert nack.next_timer() == pytest.approx(1.005)
    assert nack.due(1.005) == [11, 12]
    assert nack.due(1.006) == []
    assert nack.next_timer() == pytest.approx(1.06)
    nack.packet_received(12, 1.05, retransmitted=True)
    assert nack.due(1.061) == [11]
    assert nack.requested == 3


def test_gives_up_after_the_maximum_of_requests_and_reports_that_once(nack: NackGenerator) -> None:
    nack.packet_received(1, 0.0)
    nack.packet_received(3, 0.0)
    asked = []
    while nack.next_timer() != math.inf:
        now = nack.next_timer()
        asked += nack.due(now)
        assert nack.next_timer() > now
    assert asked == [2, 2, 2]
    assert nack.take_gave_up()
    assert not nack.take_gave_up()
    assert nack.given_up == 1


def test_too_old_packet_is_given_up() -> None:
    nack = NackGenerator(NackOptions(max_age=0.5))
    nack.packet_received(1, 0.0)
    nack.packet_received(3, 0.0)
    assert nack.due(1.0) == []
    assert nack.take_gave_up()


def test_too_many_lost_packets_are_given_up_together(nack: NackGenerator) -> None:
    nack.packet_received(0, 0.0)
    nack.packet_received(10, 0.0)
    nack.packet_received(100, 0.0)
    assert nack.missing == 0
    assert nack.take_gave_up()
    nack.packet_received(102, 0.0)
    assert nack.due(1.0) == [101]


def test_tolerance_grows_with_reordering_and_shrinks_again(nack: NackGenerator) -> None:
    nack.packet_received(0, 0.0)
    nack.packet_received(2, 1.0)
    nack.packet_received(1, 1.004)
    assert nack.tolerance == pytest.approx(0.005)
    nack.packet_received(4, 2.0)
    assert nack.due(2.005) == [3]
    # It arrived before an answer to the request could have.
    nack.packet_received(3, 2.025)
    assert nack.tolerance == pytest.approx(0.025)
    nack.packet_received(6, 3.0)
    assert nack.next_timer() == pytest.approx(3.025)
    nack.packet_received(5, 3.5, retransmitted=True)
    for number in range(8, 400, 2):
        nack.packet_received(number, 4.0)
        nack.packet_received(number - 1, 4.0)
    assert nack.tolerance == pytest.approx(0.005)


def test_tolerance_is_bounded(nack: NackGenerator) -> None:
    nack.packet_received(0, 0.0)
    nack.packet_received(2, 1.0)
    nack.packet_received(1, 2.0)
    assert nack.tolerance == 0.1


def lose_one_each_second(
    nack: NackGenerator, first: int, count: int, *, back_after: float, **how: bool
) -> None:
    """Lose a packet in fifty, request it, and receive it late."""
    for index in range(count):
        lost = first + 50 * index
        nack.packet_received(lost + 1, lost)
        nack.due(lost + 0.01)
        nack.packet_received(lost, lost + back_after, **how)
        for number in range(lost + 2, lost + 50):
            nack.packet_received(number, number)


def test_answers_update_the_round_trip_time(nack: NackGenerator) -> None:
    nack.packet_received(0, 0.0)
    nack.packet_received(2, 1.0)
    assert nack.due(1.005) == [1]
    nack.packet_received(1, 1.405, retransmitted=True)
    nack.packet_received(4, 2.0)
    assert nack.due(2.01) == [3]
    assert nack.next_timer() == pytest.approx(2.01 + (0.05 + 0.4) / 2 + OPTIONS.min_tolerance)
    # It is not known which of two requests is answered; a shorter time is adopted gradually.
    assert nack.due(2.5) == [3]
    nack.packet_received(3, 2.51, retransmitted=True)
    lose_one_each_second(nack, 5, 20, back_after=0.06, retransmitted=True)
    nack.packet_received(1006, 1500.0)
    nack.due(1500.01)
    assert nack.next_timer() == pytest.approx(1500.01 + 0.05 + 0.175 * (7 / 8) ** 20 + OPTIONS.min_tolerance)


def test_a_recovered_packet_answers_no_request(nack: NackGenerator) -> None:
    """It arrives long before an answer could: taken for one, it would make the round trip too short."""
    nack.set_round_trip(0.3)
    lose_one_each_second(nack, 1, 20, back_after=0.03, recovered=True)
    nack.packet_received(1002, 1500.0)
    nack.due(1500.01)
    assert nack.next_timer() == pytest.approx(1500.01 + 0.3 + OPTIONS.min_tolerance)


def lose_one_in_ten(nack: NackGenerator, count: int) -> int:
    """Lose a tenth of the packets, each of which is recovered; return the number after them."""
    for number in range(count):
        if number % 10 != 9:
            nack.packet_received(number, number / 100)
        else:
            nack.packet_received(number + 1, number / 100)
            nack.packet_received(number, number / 100, recovered=True)
    return count + 1


def test_where_many_packets_are_lost_a_request_is_sent_twice(nack: NackGenerator) -> None:
    lost = lose_one_in_ten(nack, 200)
    nack.packet_received(lost + 1, 10.0)
    assert nack.due(10.005) == [lost]
    assert nack.next_timer() == pytest.approx(10.015)
    assert nack.due(10.015) == [lost]
    # The next one comes a round trip after the first of the two.
    assert nack.next_timer() == pytest.approx(10.06)
    assert nack.due(10.06) == [lost]
    assert nack.next_timer() == pytest.approx(10.07)
    nack.packet_received(lost, 10.065, retransmitted=True)
    assert nack.next_timer() == math.inf
    assert nack.requested == 3


def test_an_answer_within_the_repetition_ends_it(nack: NackGenerator) -> None:
    nack.set_round_trip(0.03)
    lost = lose_one_in_ten(nack, 200)
    nack.packet_received(lost + 1, 10.0)
    assert nack.due(10.005) == [lost]
    # A late timer sends the repetition, and not the next request with it.
    assert nack.due(10.2) == [lost]
    assert nack.next_timer() > 10.2
    nack.packet_received(lost, 10.205, retransmitted=True)
    assert nack.due(11.0) == []


def test_requests_are_not_repeated_on_a_path_as_short_as_the_repetition(nack: NackGenerator) -> None:
    nack.set_round_trip(0.005)
    lost = lose_one_in_ten(nack, 200)
    nack.packet_received(lost + 1, 10.0)
    assert nack.due(10.005) == [lost]
    assert nack.next_timer() == pytest.approx(10.005 + NackOptions().min_interval)


def test_requests_are_sent_once_again_when_fewer_are_lost(nack: NackGenerator) -> None:
    lost = lose_one_in_ten(nack, 200)
    for number in range(lost, lost + 400):
        nack.packet_received(number, 3.0)
    nack.packet_received(lost + 401, 10.0)
    assert nack.due(10.005) == [lost + 400]
    assert nack.next_timer() == pytest.approx(10.06)


def test_the_retransmission_timeout_is_as_long_as_two_answers_take(nack: NackGenerator) -> None:
    nack.set_round_trip(0.3)
    nack.packet_received(0, 0.0)
    nack.packet_received(2, 1.0)
    assert nack.due(1.0 + OPTIONS.min_tolerance) == [1]
    second = nack.next_timer()
    assert second + 0.3 < 1.0 + nack.retransmission_timeout < second + 2 * 0.3


def test_packets_that_are_not_needed_are_not_requested(nack: NackGenerator) -> None:
    nack.packet_received(0, 0.0)
    nack.packet_received(5, 0.0)
    nack.forget_below(3)
    assert nack.due(1.0) == [3, 4]
    assert not nack.is_missing(2)
    nack.forget_below(100)
    assert nack.next_timer() == math.inf
    assert not nack.take_gave_up()


@given(st.data())
def test_every_lost_packet_is_requested_and_no_other(data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(1, 198), max_size=60))
    nack = NackGenerator(NackOptions(max_requests=4, max_missing=100))
    asked: set[int] = set()
    for number in range(200):
        if number not in lost:
            nack.packet_received(number, number / 1000)
    now = 1.0
    while (now := max(now, nack.next_timer())) != math.inf:
        asked.update(nack.due(now))
        assert nack.next_timer() > now
    assert asked == lost
    assert nack.take_gave_up() == bool(lost)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**40), 2**40) | st.integers(0, 600),
            st.booleans(),
            st.booleans(),
            st.floats(0, 0.5),
        )
    )
)
def test_list_is_bounded_and_timers_move_on(packets: list[tuple[int, bool, bool, float]]) -> None:
    nack = NackGenerator(OPTIONS)
    now = 0.0
    for number, recovered, repeated, wait in packets:
        now += wait
        nack.packet_received(number, now, recovered=recovered, retransmitted=repeated)
        nack.due(now)
        assert nack.missing <= OPTIONS.max_missing
        assert nack.next_timer() > now


def test_no_keyframe_is_requested_without_need() -> None:
    limiter = KeyframeRequestLimiter(0.5)
    assert limiter.next_timer() == math.inf
    assert not limiter.take_request(10.0)


def test_the_first_keyframe_request_is_sent_at_once() -> None:
    limiter = KeyframeRequestLimiter(0.5)
    limiter.is_wanted = True
    assert limiter.next_timer() <= 0.0
    assert limiter.take_request(0.0)
    assert not limiter.is_wanted
    assert limiter.next_timer() == math.inf


def test_the_next_keyframe_request_waits_for_the_interval() -> None:
    limiter = KeyframeRequestLimiter(0.5)
    limiter.is_wanted = True
    limiter.take_request(1.0)
    limiter.is_wanted = True
    assert limiter.next_timer() == 1.5
    assert not limiter.take_request(1.49)
    assert limiter.take_request(1.5)


def test_a_keyframe_that_arrives_cancels_its_request() -> None:
    limiter = KeyframeRequestLimiter(0.5)
    limiter.is_wanted = True
    limiter.take_request(1.0)
    limiter.is_wanted = True
    limiter.is_wanted = False
    assert not limiter.take_request(2.0)
