"""Whether trains of packets are spread by a bottleneck."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, BandwidthEstimator
from trio_rtc.protocols.bandwidth_estimation.packet_trains import PacketTrains
from trio_rtc.protocols.bandwidth_estimation.sent_packets import ReceivedPacket

SIZE = 1250  # 10,000 bits
INTERVAL = 1 / 30


TARGET = 1e6


def add_trains(
    trains: PacketTrains,
    frames: range,
    *,
    packets: int = 3,
    sent: float = 0.004,
    arriving: float = 0.004,
    target: float = TARGET,
) -> None:
    """Add frames, whose packets are sent and arrive at intervals: at 2.5 Mbit/s, by default."""
    for frame in frames:
        for index in range(packets):
            begin = frame * INTERVAL
            packet = ReceivedPacket(0, begin + index * sent, 7.0 + begin + index * arriving, SIZE, None)
            trains.add([packet], target)


@pytest.fixture
def trains() -> PacketTrains:
    return PacketTrains(BandwidthEstimationOptions())


@pytest.fixture
def spread(trains: PacketTrains) -> PacketTrains:
    """Trains on a path that has no room."""
    add_trains(trains, range(10), arriving=0.016)
    return trains


def test_room_is_assumed_until_four_trains_are_complete(trains: PacketTrains) -> None:
    assert trains.have_room
    add_trains(trains, range(4), arriving=0.016)
    assert trains.have_room  # the last one may go on
    add_trains(trains, range(4, 5), arriving=0.016)
    assert not trains.have_room


@pytest.mark.parametrize(
    ("arriving", "target", "room"),
    [(0.016, 352e3, True), (0.016, 362e3, False), (0.0001, 1e9, True)],
    ids=["625 kbit/s", "not quite enough", "at once"],
)
def test_room_is_a_rate_of_arrival_of_1_75_times_the_target(
    trains: PacketTrains, arriving: float, target: float, room: bool
) -> None:
    add_trains(trains, range(10), arriving=arriving, target=target)
    assert trains.have_room == room


def test_spread_trains_are_outnumbered_by_others(spread: PacketTrains) -> None:
    add_trains(spread, range(10, 19))
    assert not spread.have_room
    add_trains(spread, range(19, 21))
    assert spread.have_room


def test_the_last_sixteen_trains_decide(trains: PacketTrains) -> None:
    add_trains(trains, range(40), arriving=0.016)
    add_trains(trains, range(40, 51))
    assert trains.have_room


@pytest.mark.parametrize(("arriving", "room"), [(0.004, True), (0.006, False)])
def test_trains_that_were_sent_slowly_count_where_they_are_spread(
    trains: PacketTrains, arriving: float, room: bool
) -> None:
    """Sent at 2.5 Mbit/s for a target of 2, they cannot arrive at 3.5: only slower arrivals count."""
    add_trains(trains, range(10), arriving=arriving, target=2e6)
    assert trains.have_room == room


@pytest.mark.parametrize(("packets", "sent"), [(2, 0.004), (3, 0.0101)])
def test_pairs_and_packets_far_apart_are_no_trains(spread: PacketTrains, packets: int, sent: float) -> None:
    add_trains(spread, range(10, 60), packets=packets, sent=sent, arriving=0.0)
    assert not spread.have_room


def test_reordered_packets_do_not_count(trains: PacketTrains) -> None:
    add_trains(trains, range(10))
    trains.add([ReceivedPacket(0, 0.0, 20.0, SIZE, None)], TARGET)
    add_trains(trains, range(10, 11))
    assert trains.have_room


@pytest.mark.parametrize(("seconds", "room"), [(1.9, True), (2.2, False)])
@pytest.mark.parametrize("first", [0, 10], ids=["none yet", "ten"])
def test_trains_are_discarded_when_no_others_are_sent(
    trains: PacketTrains, first: int, seconds: float, room: bool
) -> None:
    """Frames of one packet are no measurement of the path, which may have changed."""
    add_trains(trains, range(first))
    add_trains(trains, range(first, first + round(seconds / INTERVAL)), packets=1)
    assert trains.have_room == room


@pytest.mark.parametrize(("arriving", "limited"), [(0.004, False), (0.016, True)])
def test_a_path_that_does_not_spread_trains_has_room_for_bursts(arriving: float, limited: bool) -> None:
    """At a target of 1 Mbit/s, trains arrive at 2.5 Mbit/s or at 0.625."""
    estimator = BandwidthEstimator(BandwidthEstimationOptions(start_bitrate=1e6), probing=False)
    results = []
    for number in range(30):
        frame, index = divmod(number, 3)
        begin = frame * INTERVAL
        estimator.record_packet_sent(number, SIZE, begin + index * 0.004)
        results.append((number, 7.0 + begin + index * arriving))
    estimator.handle_feedback(results, None, 0.4)
    assert 0.8e6 < estimator.target_bitrate < 1.2e6
    assert estimator.path_limited == limited
