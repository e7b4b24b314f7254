"""Data beside media on one path: a window by the queue of the path, and by the bitrate of media."""

import math

import pytest

from trio_rtc.protocols.sctp.tx.path_share import PathShare

PACKET = 1000
TARGET = 0.03


class Bottleneck:
    """A path of a rate and a base round trip that data and others fill: a fluid, a step a round trip."""

    def __init__(self, rate: float, base: float = 0.05) -> None:
        self.rate = rate
        self.base = base
        self.now = 0.0
        self.queue = 0.0
        self.share = PathShare(PACKET, TARGET, 1 << 20)

    def run(self, seconds: float, *, others: float = 0.0, wanted: float = math.inf) -> float:
        """Simulate other traffic of a bitrate; return the bitrate of data at the end."""
        end = self.now + seconds
        bitrate = 0.0
        while self.now < end:
            flight = min(self.share.window, wanted)
            round_trip = self.base + self.queue
            bitrate = 8 * flight / round_trip
            self.queue = max(self.queue + (bitrate + others - self.rate) / self.rate * round_trip, 0.0)
            self.now += round_trip
            self.share.round_trip_measured(self.base + self.queue, int(flight), self.now)
        return bitrate


def test_without_media_there_is_no_bound() -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    assert share.window == math.inf
    share.round_trip_measured(10.0, 1 << 30, 1.0)
    assert share.window == math.inf
    assert not share.set_max_bitrate(math.inf, 2.0)
    assert share.window == 2 * PACKET
    assert share.set_max_bitrate(None, 3.0)
    assert share.window == math.inf


@pytest.mark.parametrize(("flight", "grows"), [(3 * PACKET, True), (3 * PACKET + 1, False)])
def test_the_base_is_measured_with_three_packets_in_flight_at_most(flight: int, grows: bool) -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    share.round_trip_measured(0.05, flight, 0.1)
    assert (share.window > 2 * PACKET) is grows


@pytest.mark.parametrize(("flight", "grows"), [(PACKET, True), (PACKET - 1, False)])
def test_a_window_of_which_less_than_half_is_in_use_does_not_grow(flight: int, grows: bool) -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    share.round_trip_measured(0.05, flight, 0.1)
    assert (share.window > 2 * PACKET) is grows


@pytest.mark.parametrize("rate", [2e6, 4e6, 20e6])
@pytest.mark.parametrize("base", [0.02, 0.05, 0.2])
def test_data_uses_the_remaining_bandwidth_and_keeps_the_queue_short(rate: float, base: float) -> None:
    path = Bottleneck(rate, base)
    path.share.set_max_bitrate(math.inf, 0.0)
    for others in (0.0, 0.5 * rate, 0.2 * rate):
        path.run(19.0, others=others)
        assert path.run(0.01, others=others) == pytest.approx(rate - others, rel=0.1)
        assert path.queue <= 2 * TARGET


def test_data_is_no_faster_than_media_where_the_path_is_full() -> None:
    path = Bottleneck(4e6)
    path.share.set_max_bitrate(math.inf, 0.0)
    assert path.run(9) == pytest.approx(4e6, rel=0.1)
    media, data = 0.5e6, 0.0
    for _ in range(150):
        # Media grows slowly while the queue is short, as its congestion control does.
        path.share.set_max_bitrate(media, path.now)
        data = path.run(0.1, others=media)
        if path.queue < 0.015:
            media *= 1.01
    assert media >= 0.45 * 4e6
    assert data <= 1.1 * media
    assert data + media >= 0.85 * 4e6


def test_where_the_path_is_not_full_data_is_not_bounded_by_media() -> None:
    path = Bottleneck(20e6)
    path.share.set_max_bitrate(math.inf, 0.0)
    before = path.run(9)
    # Data has less than the path carries, and there is no queue.
    path.rate = 40e6
    path.share.set_max_bitrate(1e6, path.now)
    assert path.run(5) >= before


def test_on_a_short_path_the_queue_is_shorter() -> None:
    path = Bottleneck(20e6, 0.002)
    path.share.set_max_bitrate(math.inf, 0.0)
    assert path.run(5) == pytest.approx(20e6, rel=0.15)
    assert path.queue < 0.015


def test_the_round_trip_without_a_queue_is_measured_again() -> None:
    path = Bottleneck(4e6)
    path.share.set_max_bitrate(math.inf, 0.0)
    path.run(9)
    # The path is another one.
    path.base = 0.2
    path.run(12)
    assert path.run(5) == pytest.approx(4e6, rel=0.1)
    assert path.queue <= 1.3 * TARGET


def test_a_window_that_is_not_used_does_not_grow() -> None:
    path = Bottleneck(4e6)
    path.share.set_max_bitrate(math.inf, 0.0)
    path.run(9, wanted=3 * PACKET)
    assert path.share.window <= 7 * PACKET


@pytest.mark.parametrize(
    ("round_trip", "max_bitrate", "in_use", "factor"),
    [
        # Alone: base and target over the round trip, at most a tenth more and at least half.
        (0.05, math.inf, True, 1.1),
        (0.0727, math.inf, True, 1.1),
        (0.075, math.inf, True, 0.08 / 0.075),
        (0.08, math.inf, True, 1.0),
        (0.1, math.inf, True, 0.8),
        (0.16, math.inf, True, 0.5),
        (0.3, math.inf, True, 0.5),
        (0.05, math.inf, False, 1.0),
        (0.1, math.inf, False, 0.8),
        # Above media's share: slowly, and less while the path is full, which 9 ms of queueing delay show.
        (0.05, 1.0, True, 1.004),
        (0.0589, 1.0, True, 1 + 0.08 * 0.0589),
        (0.0591, 1.0, True, 0.9),
        (0.1, 1.0, True, 0.8),
        (0.0589, 1.0, False, 1.0),
        # Just as much as media, and a byte more.
        (0.06, 8 * 100_000 / 0.06, True, 1.1),
        (0.06, 8 * 99_999 / 0.06, True, 0.9),
    ],
)
def test_the_window_after_a_round_trip(
    round_trip: float, max_bitrate: float, in_use: bool, factor: float
) -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    while share.window < 50_000:
        share.round_trip_measured(0.05, 2 * PACKET if share.window == 2 * PACKET else int(share.window), 0.1)
    share._by_delay = 100_000
    share.set_max_bitrate(max_bitrate, 0.2)
    assert share.window == 100_000
    share.round_trip_measured(round_trip, 50_000 if in_use else 49_999, 0.3)
    assert share.window == pytest.approx(100_000 * factor, abs=0.01)


@pytest.mark.parametrize(("base", "target"), [(0.005, 0.01), (0.01, 0.01), (0.02, 0.02), (0.05, 0.03)])
def test_the_target_is_the_base_on_short_paths_but_ten_milliseconds_at_least(
    base: float, target: float
) -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    share.round_trip_measured(base, 2 * PACKET, 0.1)
    share._by_delay = 100_000
    share.round_trip_measured(2 * (base + target), 100_000, 0.2)
    assert share.window == pytest.approx(50_000)
    share.round_trip_measured(1.25 * (base + target), 100_000, 0.3)
    assert share.window == pytest.approx(40_000)


def test_the_window_has_bounds() -> None:
    share = PathShare(PACKET, TARGET, 2500)
    share.set_max_bitrate(math.inf, 0.0)
    for window in (2200, 2420, 2500, 2500):
        share.round_trip_measured(0.05, 2 * PACKET, 0.1)
        assert share.window == pytest.approx(window)
    for window in (2000, 2000):
        share.round_trip_measured(1.0, 2 * PACKET, 0.1)
        assert share.window == window


@pytest.mark.parametrize(("now", "measures"), [(9.99, False), (10.0, True)])
def test_the_base_is_measured_every_ten_seconds(now: float, measures: bool) -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    for time in (0.1, 0.2, now):
        share.round_trip_measured(0.05, 2 * PACKET, time)
    assert (share.window == 2 * PACKET) is measures
    # A bitrate that changes begins no measurement.
    share.set_max_bitrate(1e9, now)
    assert (share.window == 2 * PACKET) is measures


def test_a_round_trip_may_be_zero() -> None:
    """On a simulated network without delay."""
    share = PathShare(PACKET, TARGET, 1 << 20)
    share.set_max_bitrate(math.inf, 0.0)
    for window in (2200, 2420):
        share.round_trip_measured(0.0, 2 * PACKET, 0.1)
        assert share.window == pytest.approx(window)


def test_only_a_larger_window_is_reported() -> None:
    share = PathShare(PACKET, TARGET, 1 << 20)
    assert not share.set_max_bitrate(None, 0.0)
    assert not share.set_max_bitrate(1e6, 0.0)
    assert not share.set_max_bitrate(2e6, 0.0)
    assert share.set_max_bitrate(None, 0.0)
