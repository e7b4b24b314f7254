"""Congestion controllers that pace: two associations over a simulated link, in virtual time."""

import random
from collections import deque
from itertools import pairwise

import attrs
import pytest

from tests.strategies.sctp_pair import DATA, LoseNth, SctpPair, chunk_kinds
from trio_rtc.protocols.sctp import CongestionControllerFactory, DeliverySample, SctpOptions

CHUNK = 1148
"""Bytes of the DATA chunk of a full packet."""


@attrs.frozen
class Acknowledged:
    size: int
    flight_before: int
    cumulative_advanced: bool
    in_recovery: bool
    smoothed_round_trip: float | None
    sample: DeliverySample | None


@attrs.define
class FixedRateController:
    """Paces at a fixed rate under a fixed window, and records all notifications."""

    pacing_rate: float | None
    congestion_window: int = 1 << 20
    measures_delivery: bool = True
    sent: list[tuple[int, int, bool]] = attrs.field(factory=list)
    acknowledged: list[Acknowledged] = attrs.field(factory=list)
    lost: list[tuple[int, bool]] = attrs.field(factory=list)
    timeouts: list[tuple[int, int]] = attrs.field(factory=list)
    idle_periods: list[int] = attrs.field(factory=list)
    calls: list[str] = attrs.field(factory=list)

    def on_sent(self, size: int, flight: int, application_limited: bool, now: float) -> None:
        self.sent.append((size, flight, application_limited))

    def on_acknowledged(
        self,
        size: int,
        *,
        flight_before: int,
        cumulative_advanced: bool,
        in_recovery: bool,
        smoothed_round_trip: float | None,
        sample: DeliverySample | None,
        now: float,
    ) -> None:
        self.calls.append("on_acknowledged")
        self.acknowledged.append(
            Acknowledged(size, flight_before, cumulative_advanced, in_recovery, smoothed_round_trip, sample)
        )

    def on_lost(self, size: int, begins_recovery: bool, now: float) -> None:
        self.calls.append("on_lost")
        self.lost.append((size, begins_recovery))

    def on_timeout(self, size: int, expirations: int, now: float) -> None:
        self.timeouts.append((size, expirations))

    def on_idle(self, periods: int) -> None:
        self.idle_periods.append(periods)


PROBE_GAINS = (1.2, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Gains of the pacing rate, one for each round trip: as of BBR's ProbeBW."""


@attrs.define
class BandwidthController(FixedRateController):
    """Paces at the highest delivery rate of the last acknowledgements, as BBR does, and probes for more.

    The phase in which the probing begins is drawn at random, so that several senders do not probe at the same time.
    """

    rng: random.Random = attrs.field(factory=lambda: random.Random(0))
    phase: int | None = None
    phase_began: float = 0.0
    delivered: int = 0
    in_flight_since: deque[tuple[float, int]] = attrs.field(factory=deque)
    rates: deque[float] = attrs.field(factory=lambda: deque(maxlen=20))
    least_round_trip: float = 1.0

    def on_sent(self, size: int, flight: int, application_limited: bool, now: float) -> None:
        self.in_flight_since.append((now, self.delivered))

    def on_acknowledged(
        self,
        size: int,
        *,
        flight_before: int,
        cumulative_advanced: bool,
        in_recovery: bool,
        smoothed_round_trip: float | None,
        sample: DeliverySample | None,
        now: float,
    ) -> None:
        self.delivered += size
        if sample is None or sample.application_limited:
            return
        while self.in_flight_since[0][0] < sample.sent_at:
            self.in_flight_since.popleft()
        self.least_round_trip = min(self.least_round_trip, sample.round_trip)
        self.rates.append((self.delivered - self.in_flight_since[0][1]) / sample.round_trip)
        if self.phase is None:
            # Not the one that drains a queue, since there is none.
            self.phase = self.rng.choice([each for each in range(len(PROBE_GAINS)) if each != 1])
        elif now - self.phase_began > self.least_round_trip:
            self.phase = (self.phase + 1) % len(PROBE_GAINS)
            self.phase_began = now
        self.pacing_rate = PROBE_GAINS[self.phase] * max(self.rates)
        self.congestion_window = int(2 * max(self.rates) * self.least_round_trip)


class LinkPair(SctpPair):
    """A pair whose left side sends over a link of ``rate`` bytes a second with an unbounded queue.

    Attributes:
        departures: When the left side sent each packet of data.
        queueing: For how long the link's queue has delayed each of them.
    """

    def __init__(
        self, controller: CongestionControllerFactory, *, rate: float = 1e9, delay: float = 0.02
    ) -> None:
        super().__init__(SctpOptions(congestion_controller=controller), SctpOptions(), delay=delay)
        self.rate = rate
        self.free_at = 0.0
        self.departures: list[float] = []
        self.queueing: list[float] = []

    def transmit(self, to: int, packet: bytes) -> None:
        if to == 0 or DATA not in chunk_kinds(packet):
            super().transmit(to, packet)
            return
        self.departures.append(self.now)
        self.queueing.append(max(0.0, self.free_at - self.now))
        self.free_at = max(self.free_at, self.now) + len(packet) / self.rate
        now, self.now = self.now, self.free_at
        super().transmit(to, packet)
        self.now = now

    def send(self, size: int) -> None:
        self.left.association.send(1, 53, bytes(size), self.now)

    def transfer(self, *sizes: int) -> None:
        """Send messages and wait until all have arrived."""
        count = len(self.right.messages) + len(sizes)
        for size in sizes:
            self.send(size)
        assert self.run(lambda: len(self.right.messages) == count)


def paced_pair(rate: float | None, *, window: int = 1 << 20) -> tuple[LinkPair, FixedRateController]:
    controller = FixedRateController(rate, window)
    pair = LinkPair(lambda packet_size, initial_window, maximum_window, rng: controller)
    pair.connect()
    return pair, controller


@pytest.mark.parametrize("rate", [20_000.0, 250_000.0, 1_000_000.0])
def test_packets_leave_evenly_at_the_pacing_rate(rate: float) -> None:
    pair, _ = paced_pair(rate)
    pair.transfer(40 * (CHUNK - 16))
    assert len(pair.departures) == 40
    intervals = [after - before for before, after in pairwise(pair.departures)]
    assert intervals == pytest.approx([CHUNK / rate] * 39, rel=1e-6)


def test_a_high_rate_is_kept_with_a_burst_each_millisecond() -> None:
    rate = 10e6
    pair, _ = paced_pair(rate)
    pair.transfer(*[200_000] * 4)
    assert len(set(pair.departures)) < 100, "a timer is not set for each packet"
    for index, time in enumerate(pair.departures):
        sent = [each for each in pair.departures[index:] if each <= time + 0.01]
        assert len(sent) * CHUNK <= rate * (sent[-1] - time + 0.001) + 2 * CHUNK
    assert pair.departures[-1] - pair.departures[0] == pytest.approx(800_000 / rate, rel=0.05)


def test_a_changed_rate_applies_to_the_next_packet() -> None:
    pair, controller = paced_pair(100_000.0)
    pair.send(40 * (CHUNK - 16))
    assert pair.run(lambda: len(pair.departures) == 10)
    controller.pacing_rate = 200_000.0
    assert pair.run(lambda: len(pair.departures) == 20)
    controller.pacing_rate = None
    assert pair.run(lambda: len(pair.departures) == 40)
    intervals = [after - before for before, after in pairwise(pair.departures)]
    assert intervals[:10] == pytest.approx([CHUNK / 100_000] * 10)
    assert intervals[10:19] == pytest.approx([CHUNK / 200_000] * 9)
    assert intervals[20:] == pytest.approx([0.0] * 19)


def test_nothing_is_made_up_for_after_a_pause() -> None:
    pair, _ = paced_pair(100_000.0)
    pair.transfer(5 * (CHUNK - 16))
    pair.run_for(1.0)
    pair.transfer(5 * (CHUNK - 16))
    intervals = [after - before for before, after in pairwise(pair.departures[5:])]
    assert intervals == pytest.approx([CHUNK / 100_000] * 4)


def test_small_messages_are_paced_by_their_size() -> None:
    pair, _ = paced_pair(10_000.0)
    for _ in range(10):
        pair.transfer(84)
    # Each waits until the one before it has arrived, for longer than its 10 ms.
    assert max(after - before for before, after in pairwise(pair.departures)) < 0.021
    pair.departures.clear()
    pair.transfer(*[84] * 100)
    assert pair.departures[-1] - pair.departures[0] == pytest.approx(99 * 0.01, rel=0.15)


def test_sacks_do_not_wait_for_pacing() -> None:
    pair, _ = paced_pair(1000.0)
    pair.send(20 * (CHUNK - 16))
    pair.run_for(0.5)
    sent = pair.left.sent
    pair.right.association.send(1, 53, bytes(10 * (CHUNK - 16)), pair.now)
    assert pair.run(lambda: bool(pair.left.messages), 0.3)
    pair.run_for(0.1)
    assert pair.left.sent > sent
    assert len(pair.departures) == 1
    assert pair.right.association.statistics().chunks_retransmitted == 0


def test_retransmissions_are_paced() -> None:
    pair, controller = paced_pair(100_000.0)
    pair.lost = LoseNth(0, DATA, 3, 4, 5)
    pair.transfer(40 * (CHUNK - 16))
    assert pair.left.association.statistics().chunks_retransmitted == 3
    assert controller.lost
    times = pair.departures
    assert min(after - before for before, after in pairwise(times)) >= CHUNK / 100_000 - 1e-9


def test_without_a_rate_packets_leave_as_the_window_allows() -> None:
    pair, controller = paced_pair(None, window=10 * CHUNK)
    pair.transfer(40 * (CHUNK - 16))
    assert controller.sent[0] == (10 * CHUNK, 10 * CHUNK, False)
    assert pair.departures[:10] == [pair.departures[0]] * 10


def test_acknowledgements_have_the_time_of_sending_and_the_round_trip() -> None:
    pair, controller = paced_pair(100_000.0)
    pair.transfer(20 * (CHUNK - 16))
    pair.run_for(1.0)
    assert sum(each.size for each in controller.acknowledged) == 20 * CHUNK
    for each in controller.acknowledged:
        assert each.sample is not None
        assert min(abs(each.sample.sent_at - time) for time in pair.departures) < 1e-9
        assert each.sample.round_trip == pytest.approx(0.04, abs=0.021), (
            "40 ms, and 20 of the delayed acknowledgement"
        )
        assert each.smoothed_round_trip == pytest.approx(0.05, abs=0.02)
        assert each.cumulative_advanced
        assert not each.in_recovery
        assert 0 < each.size <= each.flight_before
    limited = [
        each.sample is not None and each.sample.application_limited for each in controller.acknowledged
    ]
    assert limited == [False] * (len(limited) - 1) + [True]


def test_a_retransmission_measures_no_round_trip() -> None:
    pair, controller = paced_pair(100_000.0)
    pair.lost = LoseNth(0, DATA, 9)
    pair.transfer(10 * (CHUNK - 16))
    pair.run_for(1.0)
    assert controller.timeouts == [(CHUNK, 1)]
    assert controller.acknowledged[-1].sample is None
    assert controller.sent[-1] == (CHUNK, CHUNK, True)


def test_losses_are_reported_with_their_size_and_one_recovery_for_all() -> None:
    pair, controller = paced_pair(None, window=50 * CHUNK)
    pair.lost = LoseNth(0, DATA, 3, 4, 20)
    pair.transfer(100 * (CHUNK - 16))
    pair.run_for(1.0)
    assert sum(size for size, _ in controller.lost) == 3 * CHUNK
    assert [begins for _, begins in controller.lost].count(True) == 1
    assert sum(size for size, _, _ in controller.sent) == 103 * CHUNK
    assert sum(each.size for each in controller.acknowledged) == 100 * CHUNK
    assert any(each.in_recovery for each in controller.acknowledged)
    assert not all(each.cumulative_advanced for each in controller.acknowledged)


def test_an_application_that_sends_little_limits_itself() -> None:
    pair, controller = paced_pair(1e6)
    for _ in range(5):
        pair.send(100)
        pair.run_for(0.1)
    pair.run_for(2.0)
    pair.transfer(100)
    assert [limited for _, _, limited in controller.sent] == [True] * 6
    assert all(
        each.sample is not None and each.sample.application_limited for each in controller.acknowledged
    )
    assert len(controller.idle_periods) == 1


def test_a_controller_can_estimate_the_bandwidth_of_a_link_and_pace_at_it() -> None:
    """As BBR does: the delivery rate from sizes and times of sending, and the round trip without a queue."""
    made: list[BandwidthController] = []

    def make(packet_size: int, initial: int, maximum: int, rng: random.Random) -> BandwidthController:
        made.append(BandwidthController(20_000.0, maximum, rng=rng))
        return made[-1]

    pair = LinkPair(make, rate=200_000.0)
    pair.connect()
    (controller,) = made
    pair.transfer(*[100_000] * 20)
    assert max(controller.rates) == pytest.approx(200_000, rel=0.1)
    half = len(pair.departures) // 2
    elapsed = pair.departures[-1] - pair.departures[half]
    assert (len(pair.departures) - half) * CHUNK / elapsed == pytest.approx(200_000, rel=0.1)
    assert max(pair.queueing[half:]) < 2 * controller.least_round_trip, "the window bounds the queue"


def test_a_controller_draws_from_the_generator_of_its_association() -> None:
    def phases(seed: int) -> list[float]:
        drawn: list[float] = []

        def make(packet_size: int, initial: int, maximum: int, rng: random.Random) -> FixedRateController:
            drawn.append(rng.random())
            return FixedRateController(None)

        pair = SctpPair(
            SctpOptions(congestion_controller=make), SctpOptions(congestion_controller=make), seed=seed
        )
        pair.connect()
        return drawn

    assert len(phases(1)) == 2
    assert phases(1) == phases(1) != phases(2)


def test_losses_are_reported_before_the_acknowledgements_of_the_same_sack() -> None:
    pair, controller = paced_pair(None, window=50 * CHUNK)
    pair.lost = LoseNth(0, DATA, 3)
    pair.transfer(20 * (CHUNK - 16))
    at = controller.calls.index("on_lost")
    assert controller.calls[at + 1] == "on_acknowledged"
    acknowledged = controller.acknowledged[controller.calls[:at].count("on_acknowledged")]
    assert acknowledged.in_recovery
    assert acknowledged.flight_before >= CHUNK + acknowledged.size


@pytest.mark.parametrize("measures", [False, True])
def test_a_controller_may_begin_to_pace_at_any_time(measures: bool) -> None:
    pair, controller = paced_pair(None, window=10 * CHUNK)
    controller.measures_delivery = measures
    pair.transfer(100 * (CHUNK - 16))
    controller.pacing_rate = 100_000.0
    pair.departures.clear()
    pair.transfer(10 * (CHUNK - 16))
    intervals = [after - before for before, after in pairwise(pair.departures)]
    assert intervals == pytest.approx([CHUNK / 100_000] * 9)
    assert bool(controller.sent) is measures
