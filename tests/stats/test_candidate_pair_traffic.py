"""Traffic of each candidate pair while it was selected."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, CandidatePair
from trio_rtc.stats.candidate_pair_traffic import CandidatePairTraffic, LastPackets, PairKey, Traffic, key_of

CANDIDATE = Candidate.parse("candidate:1 1 udp 1 10.0.0.1 1000 typ host")
BASE = Address("10.0.0.1", 1000)


@attrs.define
class Counter:
    """The counters of a transport."""

    bytes_sent: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_received: int = 0
    packets_discarded: int = 0
    bytes_discarded: int = 0
    last_sent_at: float | None = None
    last_received_at: float | None = None

    def carry(self, packets: int) -> None:
        self.bytes_sent += 100 * packets
        self.bytes_received += 10 * packets
        self.packets_sent += packets
        self.packets_received += 2 * packets


def traffic(packets: int) -> Traffic:
    return Traffic(100 * packets, 10 * packets, packets, 2 * packets)


def pair(number: int) -> CandidatePair:
    return CandidatePair(CANDIDATE, CANDIDATE, BASE, Address("10.0.0.2", number))


def key(number: int) -> PairKey:
    return BASE, Address("10.0.0.2", number), None


def test_sum_and_difference() -> None:
    assert traffic(3).plus(traffic(4)) == traffic(7)
    assert traffic(3).plus(traffic(4), sign=-1) == Traffic(-100, -10, -1, -2)


def test_last_packets_are_those_while_the_pair_was_selected() -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    pairs.select(pair(1))
    assert pairs.last_packets_of(key(1)) == LastPackets()
    counter.carry(1)
    counter.last_sent_at, counter.last_received_at = 5.0, 6.0
    pairs.select(pair(2))
    assert pairs.last_packets_of(key(1)) == LastPackets(5.0, 6.0)
    assert pairs.last_packets_of(key(2)) == LastPackets()
    counter.carry(1)
    counter.last_sent_at, counter.last_received_at = 7.0, 8.0
    pairs.select(pair(1))
    assert pairs.last_packets_of(key(1)) == LastPackets(5.0, 6.0)
    assert pairs.last_packets_of(key(2)) == LastPackets(7.0, 8.0)
    assert pairs.last_packets_of(key(3)) == LastPackets()


def test_traffic_belongs_to_the_pair_selected_at_the_time() -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    counter.carry(1)
    for selected, packets in ((1, 2), (2, 4), (None, 8), (1, 16)):
        pairs.select(None if selected is None else pair(selected))
        counter.carry(packets)
    assert pairs.of(key(1)) == traffic(18)
    assert pairs.of(key(2)) == traffic(4)
    assert pairs.of(key(3)) == Traffic()
    assert pairs.changes == 4


def test_without_counters_there_is_no_traffic() -> None:
    pairs = CandidatePairTraffic()
    pairs.select(pair(1))
    assert pairs.of(key(1)) == Traffic()
    pairs.counter = Counter()
    pairs.counter.carry(3)
    assert pairs.of(key(1)) == traffic(3)


def test_selecting_the_same_pair_again_keeps_its_traffic() -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    for _ in range(3):
        pairs.select(pair(1))
        counter.carry(1)
    assert pairs.of(key(1)) == traffic(3)


@pytest.mark.parametrize(("others", "is_kept"), [(63, True), (64, False)])
def test_the_oldest_of_more_than_64_former_pairs_is_forgotten(others: int, is_kept: bool) -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    for number in range(1 + others):
        pairs.select(pair(number))
        counter.carry(1)
    pairs.select(None)
    assert pairs.of(key(0)) == (traffic(1) if is_kept else Traffic())
    assert pairs.of(key(others)) == traffic(1)


@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.integers(0, 9)), max_size=30))
def test_all_traffic_with_a_selected_pair_is_counted_once(steps: list[tuple[int | None, int]]) -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    expected = dict.fromkeys(range(6), 0)
    for selected, packets in steps:
        pairs.select(None if selected is None else pair(selected))
        counter.carry(packets)
        if selected is not None:
            expected[selected] += packets
    assert {number: pairs.of(key(number)) for number in range(6)} == {
        number: traffic(packets) for number, packets in expected.items()
    }


def test_an_ice_restart_with_the_same_addresses_begins_at_zero() -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    restarted = attrs.evolve(pair(1), local=attrs.evolve(CANDIDATE, username_fragment="next"))
    pairs.select(pair(1))
    counter.carry(3)
    pairs.select(restarted)
    counter.carry(2)
    assert pairs.of(key(1)) == traffic(3)
    assert pairs.of(key_of(restarted.local_base, restarted.remote_address, restarted.local)) == traffic(2)


def test_discarded_packets_belong_to_the_pair_selected_at_the_time() -> None:
    counter = Counter()
    pairs = CandidatePairTraffic(counter)
    pairs.select(pair(1))
    counter.packets_discarded, counter.bytes_discarded = 2, 200
    pairs.select(pair(2))
    counter.packets_discarded, counter.bytes_discarded = 3, 250
    assert pairs.of(key(1)) == Traffic(packets_discarded=2, bytes_discarded=200)
    assert pairs.of(key(2)) == Traffic(packets_discarded=1, bytes_discarded=50)
