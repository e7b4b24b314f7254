import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    BandwidthEstimator,
    LimitedBy,
    OveruseState,
    ProbePurpose,
)

PACKET = 1200


def flow(
    estimator: BandwidthEstimator,
    begin: float,
    end: float,
    bitrate: float,
    first: int = 0,
    delay: float = 0.05,
) -> int:
    """Send at a rate over a path without a limit, with feedback every 50 ms; return the next number."""
    number, now, waiting, next_feedback = first, begin, [], begin + 0.05
    while now < end:
        estimator.record_packet_sent(number, PACKET, now)
        waiting.append((number, now + delay + 1000.0))
        number += 1
        now += 8 * PACKET / bitrate
        if now >= next_feedback:
            estimator.handle_feedback(waiting, 2 * delay, now)
            waiting = []
            next_feedback += 0.05
        if estimator.next_timer() <= now:
            estimator.handle_timer(now)
    return number


def test_initially_the_target_is_the_start_bitrate() -> None:
    estimator = BandwidthEstimator()
    assert estimator.target_bitrate == 300_000
    assert estimator.next_timer() == math.inf
    assert estimator.take_probes() == []
    statistics = estimator.statistics()
    assert statistics.limited_by is LimitedBy.START
    assert statistics.available_outgoing_bitrate is None
    assert statistics.round_trip_time is None
    assert statistics.overuse is OveruseState.NORMAL


def test_the_first_packet_creates_probes_once() -> None:
    estimator = BandwidthEstimator()
    estimator.record_packet_sent(0, PACKET, 0.0)
    assert [cluster.purpose for cluster in estimator.take_probes()] == [ProbePurpose.START] * 2
    assert estimator.take_probes() == []


def test_without_probing_there_are_none() -> None:
    estimator = BandwidthEstimator(probing=False)
    flow(estimator, 0.0, 5.0, 300_000)
    assert estimator.take_probes() == []


def test_the_target_grows_on_a_path_without_a_limit_as_statistics_show() -> None:
    estimator = BandwidthEstimator(probing=False)
    flow(estimator, 0.0, 5.0, 300_000)
    statistics = estimator.statistics()
    assert 380_000 < statistics.target_bitrate <= 1.5 * 320_000 + 10_000
    assert statistics.available_outgoing_bitrate == statistics.target_bitrate
    assert statistics.acknowledged_bitrate == pytest.approx(300_000, rel=0.1)
    assert statistics.round_trip_time == pytest.approx(0.1)
    assert statistics.loss_fraction == 0
    assert statistics.limited_by is LimitedBy.DELAY


def test_the_round_trip_is_measured_when_the_caller_gives_none() -> None:
    estimator = BandwidthEstimator()
    estimator.record_packet_sent(0, PACKET, 1.0)
    estimator.handle_feedback([(0, 77.0)], None, 1.25)
    assert estimator.round_trip_time == pytest.approx(0.25)
    estimator.update_round_trip(0.05)
    assert estimator.round_trip_time == pytest.approx(0.225)


def test_bounds_apply_at_once() -> None:
    estimator = BandwidthEstimator()
    estimator.set_bounds(50_000, None, 200_000)
    assert estimator.target_bitrate == 200_000
    estimator.set_bounds(400_000, None, 900_000)
    assert estimator.target_bitrate == 400_000
    estimator.set_bounds(50_000, 600_000, 900_000)
    assert estimator.target_bitrate == 600_000


def test_it_is_known_whether_the_path_or_the_application_limits_the_target() -> None:
    estimator = BandwidthEstimator(probing=False)
    assert not estimator.path_limited  # room for bursts is assumed initially
    flow(estimator, 0.0, 5.0, 300_000)
    assert estimator.path_limited
    estimator.set_bounds(50_000, None, 250_000)
    assert not estimator.path_limited
    # The path does not carry the least that the application sends.
    estimator.set_bounds(2_000_000, None, 3_000_000)
    assert estimator.path_limited


@pytest.mark.parametrize(
    "bounds", [(0, None, 1), (2, None, 1), (1, 3, 2), (2, 1, 3), (1, None, math.inf), (math.nan, None, 1)]
)
def test_invalid_bounds_are_refused(bounds: tuple[float, float | None, float]) -> None:
    with pytest.raises(ValueError, match="in order"):
        BandwidthEstimator().set_bounds(*bounds)


def test_a_raised_bound_is_probed_for() -> None:
    estimator = BandwidthEstimator()
    estimator.set_bounds(50_000, 300_000, 310_000)
    flow(estimator, 0.0, 3.0, 300_000)
    estimator.take_probes()
    estimator.set_bounds(50_000, None, 2_000_000, now=3.0)
    assert [cluster.bitrate for cluster in estimator.take_probes()] == [2 * estimator.target_bitrate]
    assert 310_000 <= estimator.target_bitrate < 2_000_000


def test_remb_limits_the_target() -> None:
    estimator = BandwidthEstimator(probing=False)
    number = flow(estimator, 0.0, 3.0, 300_000)
    estimator.handle_remb(120_000, 3.0)
    assert estimator.target_bitrate == 120_000
    assert estimator.statistics().limited_by is LimitedBy.REMB
    flow(estimator, 3.0, 4.0, 120_000, number)
    assert estimator.target_bitrate == 120_000
    estimator.handle_remb(1e9, 4.0)
    assert estimator.target_bitrate > 300_000


def test_an_old_remb_is_forgotten_if_that_is_chosen() -> None:
    estimator = BandwidthEstimator(BandwidthEstimationOptions(remb_timeout=2.0))
    estimator.handle_remb(120_000, 0.0)
    estimator.handle_receiver_report(0.05, 1.0)
    assert estimator.target_bitrate == 120_000
    estimator.handle_receiver_report(0.05, 3.0)
    assert estimator.target_bitrate == 300_000
    assert estimator.statistics().remb_bitrate is None


def test_a_peer_with_only_remb_is_followed_up_and_down() -> None:
    estimator = BandwidthEstimator(probing=False)
    estimator.handle_remb(2e6, 0.0)
    assert estimator.target_bitrate == 2e6
    estimator.handle_remb(5e5, 1.0)
    assert estimator.target_bitrate == 5e5


def test_a_peer_with_only_receiver_reports_is_controlled_by_loss_thresholds() -> None:
    estimator = BandwidthEstimator(probing=False)
    for second in range(10):
        estimator.handle_receiver_report(0.0, float(second))
    grown = estimator.target_bitrate
    assert 500_000 < grown < 700_000
    estimator.handle_receiver_report(0.05, 10.0)
    assert estimator.target_bitrate == grown
    estimator.handle_receiver_report(0.4, 11.0)
    assert estimator.target_bitrate == pytest.approx(0.8 * grown)
    assert estimator.statistics().loss_fraction == 0.4
    for second in range(12, 100):
        estimator.handle_receiver_report(1.0, float(second))
    assert estimator.target_bitrate == BandwidthEstimationOptions().min_bitrate


def test_reports_do_not_matter_once_there_is_better_feedback() -> None:
    estimator = BandwidthEstimator(probing=False)
    flow(estimator, 0.0, 3.0, 300_000)
    before = estimator.target_bitrate
    estimator.handle_receiver_report(1.0, 3.0)
    assert estimator.target_bitrate == before


def test_missing_feedback_lowers_the_target_step_by_step_but_only_while_packets_are_sent() -> None:
    estimator = BandwidthEstimator(probing=False)
    number = flow(estimator, 0.0, 3.0, 300_000)
    before = estimator.target_bitrate
    for step in range(50):
        if estimator.next_timer() <= 3.0 + step / 10:
            estimator.handle_timer(3.0 + step / 10)
    after_pause = estimator.target_bitrate
    assert after_pause >= 0.2 * before
    # Unanswered packets.
    estimator = BandwidthEstimator(probing=False)
    number = flow(estimator, 0.0, 3.0, 300_000)
    for step in range(300):
        now = 3.0 + step / 10
        estimator.record_packet_sent(number + step, PACKET, now)
        if estimator.next_timer() <= now:
            estimator.handle_timer(now)
    assert estimator.target_bitrate == BandwidthEstimationOptions().min_bitrate


def test_the_timer_stops_when_nothing_is_sent() -> None:
    estimator = BandwidthEstimator()
    estimator.record_packet_sent(0, PACKET, 0.0)
    now = 0.0
    while estimator.next_timer() < math.inf:
        assert estimator.next_timer() > now
        now = estimator.next_timer()
        estimator.handle_timer(now)
    assert 10 < now < 11
    estimator.record_packet_sent(1, PACKET, 60.0)
    assert estimator.next_timer() == pytest.approx(60.0 + BandwidthEstimationOptions().process_interval)


def test_while_feedback_comes_the_timer_has_nothing_to_do() -> None:
    estimator = BandwidthEstimator(probing=False)
    now = 0.0
    for number in range(100):
        estimator.record_packet_sent(number, PACKET, now)
        now += 0.05
        assert estimator.next_timer() > now
        estimator.handle_feedback([(number, 1000.0 + now)], None, now)


def test_missing_feedback_is_noticed_at_any_interval_of_the_timer() -> None:
    options = BandwidthEstimationOptions(settled_interval=0.7)
    estimator = BandwidthEstimator(options, probing=False)
    number = flow(estimator, 0.0, 3.0, 300_000)
    estimator.record_packet_sent(number, PACKET, 3.0)
    falls: list[float] = []
    before = estimator.target_bitrate
    while (now := estimator.next_timer()) < 6.5:
        estimator.handle_timer(now)
        number += 1
        estimator.record_packet_sent(number, PACKET, now)
        if estimator.target_bitrate < before:
            falls.append(now)
            before = estimator.target_bitrate
    assert 3.9 <= falls[0] <= 4.2
    steps = [later - earlier for earlier, later in itertools.pairwise(falls)]
    assert steps == pytest.approx([0.5] * len(steps))
    assert len(steps) >= 3


@pytest.mark.parametrize(
    "options",
    [
        {"min_bitrate": 5e5},
        {"threshold_min": 100.0},
        {"feedback_interval_min": 1.0},
        {"backoff": 0.0},
        {"increase_factor": 1.0},
        {"history_packets": 40_000},
        {"pacer_max_packets": 0},
        {"trendline_window": 1},
        {"loss_tolerated": 1.5},
        {"loss_delay": -1.0},
        {"burst_time": math.nan},
    ],
)
def test_invalid_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        BandwidthEstimationOptions(**options)  # type: ignore[arg-type]


_number = st.integers(-10, 120)
_time = st.floats(allow_nan=True, allow_infinity=True)
_arrival = st.none() | st.floats(0, 3) | _time
_action = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1500)),
    st.tuples(st.just("feedback"), st.lists(st.tuples(_number, _arrival), max_size=40)),
    st.tuples(st.just("round_trip"), _time),
    st.tuples(st.just("loss"), _time),
    st.tuples(st.just("remb"), _time),
    st.tuples(st.just("wait"), st.floats(0, 3)),
)


@given(st.lists(_action, max_size=60))
@example([("send", 100), ("feedback", [(0, 1e308)]), ("send", 100), ("feedback", [(1, -1e308)])])
@example([("remb", 0.0), ("loss", 1.0), ("feedback", [(0, math.inf)])])
def test_arbitrary_feedback_never_raises_and_the_target_stays_within_bounds(
    actions: list[tuple[str, object]],
) -> None:
    estimator = BandwidthEstimator()
    estimator.set_bounds(40_000, 200_000, 900_000)
    now, number = 0.0, 0
    for name, value in actions:
        if name == "send":
            clusters = estimator.take_probes()
            for _ in range(8):
                estimator.record_packet_sent(number, value, now, clusters[0].id if clusters else None)  # type: ignore[arg-type]
                number += 1
                now += 0.002
        elif name == "feedback":
            estimator.handle_feedback(value, None, now)  # type: ignore[arg-type]
        elif name == "round_trip":
            estimator.handle_feedback([(number - 1, now)], value, now)  # type: ignore[arg-type]
        elif name == "loss":
            estimator.handle_receiver_report(value, now)  # type: ignore[arg-type]
        elif name == "remb":
            estimator.handle_remb(value, now)  # type: ignore[arg-type]
        else:
            now += value  # type: ignore[operator]
            estimator.handle_timer(now)
            assert estimator.next_timer() > now
        assert 40_000 <= estimator.target_bitrate <= 900_000
        statistics = estimator.statistics()
        assert statistics.bytes_in_flight >= 0
        assert 0 <= statistics.loss_fraction <= 1
