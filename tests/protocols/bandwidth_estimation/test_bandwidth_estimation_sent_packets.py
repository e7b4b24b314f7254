import math

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, SentPackets


def sent(
    count: int, options: BandwidthEstimationOptions | None = None, interval: float = 0.01
) -> SentPackets:
    packets = SentPackets(options or BandwidthEstimationOptions())
    for number in range(count):
        packets.sent(number, 1000, number * interval)
    return packets


def test_received_packets_have_both_times_in_order_of_arrival() -> None:
    packets = sent(3)
    results = packets.feedback([(0, 50.02), (1, 50.01), (2, 50.03)], 0.1)
    assert [(p.sequence_number, p.send_time, p.arrival_time, p.size) for p in results.received] == [
        (1, 0.01, 50.01, 1000),
        (0, 0.0, 50.02, 1000),
        (2, 0.02, 50.03, 1000),
    ]
    assert results.lost == []
    assert results.bytes_in_flight_before == 3000
    assert packets.bytes_in_flight == 0


def test_the_cluster_is_kept() -> None:
    packets = SentPackets(BandwidthEstimationOptions())
    packets.sent(7, 100, 0.0, probe_cluster=4)
    assert packets.feedback([(7, 1.0)], 0.1).received[0].probe_cluster == 4


def test_a_missing_packet_is_lost_only_when_later_ones_have_arrived() -> None:
    packets = sent(30)
    assert packets.feedback([(0, None), (1, 1.0), (9, 1.1)], 0.2).lost == []
    results = packets.feedback([(10, 1.2)], 0.2)
    assert [packet.sequence_number for packet in results.lost] == [0]


def test_a_missing_packet_that_arrives_after_all_is_not_lost() -> None:
    packets = sent(30)
    packets.feedback([(0, None), (1, 1.0)], 0.2)
    assert [p.sequence_number for p in packets.feedback([(0, 1.05)], 0.2).received] == [0]
    assert packets.feedback([(25, 1.3)], 0.4).lost == []


def test_a_packet_without_feedback_is_neither_received_nor_lost() -> None:
    packets = sent(30)
    results = packets.feedback([(29, 1.0)], 0.4)
    assert len(results.received) == 1
    assert results.lost == []
    packets.forget(20.0)
    assert (packets.forgotten, packets.bytes_in_flight, len(packets)) == (29, 0, 0)


def test_feedback_that_was_lost_is_noticed_once() -> None:
    packets = sent(30)
    assert not packets.feedback([(0, 1.0), (1, None)], 0.1).gap
    assert not packets.feedback([(2, 1.1), (3, 1.1)], 0.2).gap
    assert packets.feedback([(6, 1.2), (7, 1.2)], 0.3).gap
    assert not packets.feedback([(8, 1.3)], 0.4).gap
    # It was only late.
    assert not packets.feedback([(4, 1.15), (5, 1.15)], 0.4).gap
    assert not packets.feedback([(9, 1.4)], 0.5).gap
    assert not packets.feedback([], 0.5).gap


def test_packets_of_lost_feedback_do_not_count_as_in_flight() -> None:
    packets = sent(10)
    assert packets.bytes_behind_newest == 10_000
    packets.feedback([(4, None), (6, 1.0)], 0.2)
    assert packets.bytes_behind_newest == 3000
    assert packets.bytes_in_flight == 9000


def test_unknown_repeated_and_invalid_entries_are_ignored() -> None:
    packets = sent(2)
    packets.feedback([(0, 1.0)], 0.1)
    results = packets.feedback([(0, 1.0), (77, 1.0), (-5, None), (1, math.nan)], 0.1)
    assert (results.received, results.lost) == ([], [])


def test_bounded_in_number() -> None:
    packets = sent(200, BandwidthEstimationOptions(history_packets=100))
    assert (len(packets), packets.forgotten, packets.bytes_in_flight) == (100, 100, 100_000)


def test_bounded_in_number_with_missing_ones() -> None:
    packets = SentPackets(BandwidthEstimationOptions(history_packets=10))
    for number in range(50):
        packets.sent(number, 10, number / 1000)
        packets.feedback([(number, None)], number / 1000)
    assert len(packets) == 10


def test_a_number_sent_twice_counts_once() -> None:
    packets = sent(1)
    packets.sent(0, 500, 0.1)
    assert (len(packets), packets.bytes_in_flight) == (1, 500)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.none() | st.floats(allow_nan=True)), max_size=80),
    st.integers(1, 60),
)
def test_every_packet_has_one_fate(arrivals: list[tuple[int, float | None]], count: int) -> None:
    packets = sent(count)
    fates: list[int] = []
    for begin in range(0, len(arrivals), 7):
        results = packets.feedback(arrivals[begin : begin + 7], 1.0)
        fates += [packet.sequence_number for packet in results.received]
        fates += [packet.sequence_number for packet in results.lost]
    assert len(fates) == len(set(fates))
    assert set(fates) <= set(range(count))
    assert len(packets) == count - len(fates)
    assert packets.bytes_in_flight == 1000 * len(packets)
