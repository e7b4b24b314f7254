"""Whether trains of packets are spread by a bottleneck."""

import math

import pytest

from trio_rtc.protocols.congestion import BandwidthEstimator, CongestionOptions
from trio_rtc.protocols.congestion.packet_trains import PacketTrains
from trio_rtc.protocols.congestion.sent_packets import ReceivedPacket

SIZE = 1250  # 10,000 bits
INTERVAL = 1 / 30


def trains(count: int, *, packets: int = 3, sent: float = 0.004, arriving: float = 0.004) -> PacketTrains:
    """Return the measurement after frames, whose packets are sent and arrive at intervals."""
    measured = PacketTrains(CongestionOptions())
    for frame in range(count):
        for index in range(packets):
            begin = frame * INTERVAL
            measured.add(
                [ReceivedPacket(0, begin + index * sent, 7.0 + begin + index * arriving, SIZE, None)]
            )
    return measured


@pytest.mark.parametrize(("arriving", "bitrate"), [(0.004, 2.5e6), (0.016, 625e3), (0.0001, math.inf)])
def test_the_rate_is_that_of_the_arrivals(arriving: float, bitrate: float) -> None:
    assert trains(10, arriving=arriving).bitrate == pytest.approx(bitrate)


def test_four_complete_trains_are_enough() -> None:
    assert trains(4).bitrate is None  # the last one may go on
    assert trains(5).bitrate == pytest.approx(2.5e6)


def test_pairs_and_packets_far_apart_are_no_trains() -> None:
    assert trains(50, packets=2).bitrate is None
    assert trains(50, sent=0.0101).bitrate is None


def test_overtaken_packets_do_not_count() -> None:
    measured = trains(10)
    late = ReceivedPacket(0, 0.0, 20.0, SIZE, None)
    measured.add([late])
    measured.add([ReceivedPacket(0, 10 * INTERVAL, 7.0 + 10 * INTERVAL, SIZE, None)])
    assert measured.bitrate == pytest.approx(2.5e6)


def test_the_last_trains_decide() -> None:
    measured = trains(40, arriving=0.016)
    for frame in range(100, 110):
        for index in range(3):
            at = frame * INTERVAL + index * 0.004
            measured.add([ReceivedPacket(0, at, 7.0 + at, SIZE, None)])
    assert measured.bitrate == pytest.approx(2.5e6)


@pytest.mark.parametrize(("seconds", "bitrate"), [(1.9, 2.5e6), (2.2, None)])
def test_trains_are_forgotten_when_no_others_are_sent(seconds: float, bitrate: float | None) -> None:
    """Frames of one packet say nothing of the path, which may have changed."""
    measured = trains(10)
    for frame in range(10, 10 + round(seconds / INTERVAL)):
        at = frame * INTERVAL
        measured.add([ReceivedPacket(0, at, 7.0 + at, SIZE, None)])
    assert measured.bitrate == (None if bitrate is None else pytest.approx(bitrate))


@pytest.mark.parametrize(("arriving", "limited"), [(0.004, False), (0.016, True)])
def test_a_path_that_does_not_spread_trains_has_room_for_bursts(arriving: float, limited: bool) -> None:
    """At a target of 1 Mbit/s, trains arrive at 2.5 Mbit/s or at 0.625."""
    estimator = BandwidthEstimator(CongestionOptions(start_bitrate=1e6), probing=False)
    results = []
    for number in range(30):
        frame, index = divmod(number, 3)
        begin = frame * INTERVAL
        estimator.packet_sent(number, SIZE, begin + index * 0.004)
        results.append((number, 7.0 + begin + index * arriving))
    estimator.feedback_received(results, None, 0.4)
    assert 0.8e6 < estimator.target_bitrate < 1.2e6
    assert estimator.path_limited == limited
