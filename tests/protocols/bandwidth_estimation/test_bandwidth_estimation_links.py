"""The estimator and the pacer over simulated links: end-to-end requirements."""

import itertools
import random
from collections.abc import Callable

import pytest

from tests.strategies.bandwidth_estimation_link import (
    CrossTraffic,
    Flow,
    Link,
    LinkShape,
    Simulation,
    SourceShape,
    percentile,
)
from trio_rtc.protocols.bandwidth_estimation import LimitedBy

MEGABIT = 1e6
FALLING = ((0.0, 4 * MEGABIT), (25.0, 0.5 * MEGABIT), (50.0, 4 * MEGABIT))
# From ten seconds after each change to the next one.
PHASES = ((10.0, 25.0, 4 * MEGABIT), (35.0, 50.0, 0.5 * MEGABIT), (60.0, 75.0, 4 * MEGABIT))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def run_alone(shape: LinkShape, until: float, seed: int = 1, **flow: object) -> tuple[Flow, Link]:
    simulation = Simulation()
    rng = random.Random(seed)
    link = Link(simulation, shape, rng)
    only = Flow(simulation, link, rng, **flow)  # type: ignore[arg-type]
    simulation.run(until)
    return only, link


def queue_between(link: Link, begin: float, end: float) -> list[float]:
    return [delay for time, delay in link.queue_delays if begin <= time < end]


def assert_uses(flow: Flow, begin: float, end: float, rate: float) -> None:
    """Within 20 % under the rate of the link, on average and nine times of ten, and not above it for long."""
    targets = flow.target_between(begin, end)
    assert 0.8 * rate <= mean(targets) <= rate
    assert percentile(targets, 0.1) >= 0.8 * rate
    assert percentile(targets, 0.9) <= 1.12 * rate
    assert flow.throughput(begin, end) >= 0.75 * rate


def test_a_link_that_falls_and_recovers_is_followed() -> None:
    flow, link = run_alone(LinkShape(FALLING), 75.0)
    for begin, end, rate in PHASES:
        targets = flow.target_between(begin, end)
        assert min(targets) >= 0.8 * rate
        assert max(targets) <= 1.12 * rate
        assert_uses(flow, begin, end, rate)
        assert percentile(queue_between(link, begin, end), 0.95) < 0.08


def test_the_queue_of_a_falling_link_is_drained_within_five_seconds() -> None:
    flow, link = run_alone(LinkShape(FALLING), 40.0)
    # The link holds a second at most; an eighth of the rate fills that before any feedback on it arrives.
    assert max(queue_between(link, 25.0, 28.0)) > 0.5
    assert max(queue_between(link, 30.0, 40.0)) < 0.1
    assert max(delay for time, delay in flow.pacer_delays if time >= 30.0) < 0.25


def test_random_loss_of_a_tenth_does_not_starve() -> None:
    flow, _ = run_alone(LinkShape([(0.0, 4 * MEGABIT)], loss=0.1), 25.0)
    targets = flow.target_between(10.0, 25.0)
    assert 0.8 * 4 * MEGABIT <= mean(targets) <= 4 * MEGABIT
    # A tenth of it does not arrive.
    assert flow.throughput(10.0, 25.0) >= 0.75 * 4 * MEGABIT
    assert flow.estimator.statistics().loss_fraction == pytest.approx(0.1, abs=0.04)


def test_jitter_that_reorders_does_not_collapse_it() -> None:
    flow, link = run_alone(LinkShape([(0.0, 4 * MEGABIT)], jitter=0.03), 25.0)
    assert_uses(flow, 10.0, 25.0, 4 * MEGABIT)
    assert percentile(queue_between(link, 10.0, 25.0), 0.95) < 0.1


@pytest.mark.parametrize("seed", [1, 2])
def test_loss_jitter_and_a_fall_together(seed: int) -> None:
    flow, link = run_alone(LinkShape(FALLING, loss=0.1, jitter=0.03), 75.0, seed)
    for begin, end, rate in PHASES:
        assert 0.8 * rate <= mean(flow.target_between(begin, end)) <= 1.05 * rate
        assert percentile(queue_between(link, begin, end), 0.95) < 0.3


def test_probing_ramps_up_within_two_seconds() -> None:
    flow, _ = run_alone(LinkShape([(0.0, 4 * MEGABIT)]), 2.5)
    assert flow.targets[0][1] == 300_000
    assert min(flow.target_between(2.0, 2.5)) >= 0.8 * 4 * MEGABIT


def test_a_slow_link_is_found_as_well() -> None:
    flow, link = run_alone(LinkShape([(0.0, 0.15 * MEGABIT)]), 30.0)
    assert_uses(flow, 10.0, 30.0, 0.15 * MEGABIT)
    assert percentile(queue_between(link, 10.0, 30.0), 0.95) < 0.2


def test_a_source_that_sends_little_is_not_underestimated() -> None:
    source = SourceShape(max_bitrate=lambda now: 400_000.0 if now < 25.0 else 20e6)
    flow, _ = run_alone(LinkShape([(0.0, 4 * MEGABIT)]), 30.0, source=source)
    assert min(flow.target_between(10.0, 25.0)) >= 0.8 * 4 * MEGABIT
    assert flow.throughput(10.0, 25.0) < 0.7 * MEGABIT
    assert min(flow.target_between(26.0, 30.0)) >= 0.8 * 4 * MEGABIT


def test_a_link_that_grows_is_found_while_the_source_sends_little() -> None:
    source = SourceShape(max_bitrate=lambda now: 100_000.0 if now < 30.0 else 20e6)
    flow, _ = run_alone(LinkShape([(0.0, 1 * MEGABIT), (10.0, 4 * MEGABIT)]), 30.0, source=source)
    assert max(flow.target_between(5.0, 10.0)) < 1.2 * MEGABIT
    assert min(flow.target_between(28.0, 30.0)) >= 0.8 * 4 * MEGABIT


def test_a_long_round_trip() -> None:
    shape = LinkShape([(0.0, 4 * MEGABIT)], base_delay=0.1)
    flow, link = run_alone(shape, 30.0, return_delay=0.1)
    assert_uses(flow, 10.0, 30.0, 4 * MEGABIT)
    assert flow.estimator.round_trip_time == pytest.approx(0.22, abs=0.03)
    assert percentile(queue_between(link, 10.0, 30.0), 0.95) < 0.08


@pytest.mark.parametrize(
    "clock",
    [
        pytest.param(lambda now: 1.0005 * now + 1e6, id="fast"),
        pytest.param(lambda now: 0.9995 * now - 1e6, id="slow"),
        pytest.param(lambda now: (now + 7.0) % 20.0, id="wraps"),
    ],
)
def test_the_clock_of_the_peer_does_not_matter(clock: Callable[[float], float]) -> None:
    flow, _ = run_alone(LinkShape([(0.0, 4 * MEGABIT)]), 22.0, clock=clock)
    assert_uses(flow, 10.0, 22.0, 4 * MEGABIT)


def test_feedback_that_is_lost_for_seconds_lowers_the_target_and_comes_back() -> None:
    flow, link = run_alone(
        LinkShape([(0.0, 4 * MEGABIT)]), 26.0, feedback_arrives=lambda now: not 10 < now < 14
    )
    silent = flow.target_between(11.5, 14.0)
    assert all(later <= earlier for earlier, later in itertools.pairwise(silent))
    assert silent[-1] < 0.5 * flow.target_between(9.0, 10.0)[-1]
    assert_uses(flow, 18.0, 26.0, 4 * MEGABIT)
    assert max(queue_between(link, 10.0, 26.0)) < 0.1


def test_cross_traffic_gets_its_part_and_leaves_it_again() -> None:
    """Of all calls together, since the highest twentieth of one call's queues depends on a probe or two."""
    queues: list[float] = []
    for seed in range(1, 5):
        simulation = Simulation()
        rng = random.Random(seed)
        link = Link(simulation, LinkShape([(0.0, 4 * MEGABIT)]), rng)
        CrossTraffic(simulation, link, 2 * MEGABIT, 10.0, 25.0)
        flow = Flow(simulation, link, rng)
        simulation.run(45.0)
        assert 0.8 * 2 * MEGABIT <= mean(flow.target_between(15.0, 25.0)) <= 2.2 * MEGABIT
        queues += queue_between(link, 15.0, 25.0)
        assert_uses(flow, 35.0, 45.0, 4 * MEGABIT)
    assert percentile(queues, 0.95) < 0.1


def test_two_flows_share_a_link() -> None:
    simulation = Simulation()
    rng = random.Random(1)
    link = Link(simulation, LinkShape([(0.0, 4 * MEGABIT)]), rng)
    flows = [Flow(simulation, link, rng, SourceShape(begins=begins)) for begins in (0.0, 5.0)]
    simulation.run(65.0)
    shares = [flow.throughput(25.0, 65.0) for flow in flows]
    assert sum(shares) >= 0.8 * 4 * MEGABIT
    assert min(shares) >= 0.5 * max(shares)
    assert percentile(queue_between(link, 25.0, 65.0), 0.95) < 0.3


def test_loss_without_a_queue_is_noticed() -> None:
    # The link holds three packets: a full queue hardly changes its delay.
    flow, link = run_alone(
        LinkShape([(0.0, 2 * MEGABIT)], max_queue=0.0), 25.0, source=SourceShape(noise=0.0)
    )
    assert mean(flow.target_between(10.0, 25.0)) <= 2.2 * MEGABIT
    assert mean(flow.target_between(10.0, 25.0)) >= 0.8 * MEGABIT
    assert link.dropped > 0


def test_feedback_takes_less_than_a_twentieth() -> None:
    flow, _ = run_alone(LinkShape([(0.0, 4 * MEGABIT)]), 10.0)
    received = sum(size for _, size in flow.received)
    assert flow.feedback_bytes <= 0.05 * received
    assert flow.estimator.statistics().limited_by in (LimitedBy.DELAY, LimitedBy.LOSS)


def test_the_same_seed_gives_the_same_run() -> None:
    shape = LinkShape([(0.0, 1 * MEGABIT)], loss=0.05, jitter=0.02)
    first, _ = run_alone(shape, 5.0, seed=7)
    second, _ = run_alone(shape, 5.0, seed=7)
    assert first.targets == second.targets
