"""Statistics of an association."""

import random

import attrs

from tests.strategies.sctp_pair import SctpPair
from tests.strategies.sctp_peer import data_chunk, established_peer
from trio_rtc.protocols.sctp import Association, AssociationStatistics, SctpOptions


def test_statistics_before_the_handshake() -> None:
    statistics = attrs.asdict(SctpPair().left.association.statistics())
    assert statistics.pop("dropped") == {}
    assert statistics.pop("smoothed_round_trip") is None
    assert set(statistics.values()) == {0}


# Statistics.


def test_before_the_handshake_only_packets_count() -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    expected = dict.fromkeys((field.name for field in attrs.fields(AssociationStatistics)), 0)
    nothing: dict[str, object] = {**expected, "dropped": {}, "smoothed_round_trip": None}
    assert attrs.asdict(association.statistics()) == nothing
    association.connect(0.0)
    assert len(association.datagrams_to_send(0.0)) == 1
    association.receive([b"no packet", bytes(16)], 0.1)
    assert attrs.asdict(association.statistics()) == {
        **nothing,
        "packets_sent": 1,
        "packets_received": 2,
        "dropped": {"malformed": 1, "port": 1},
    }


def test_messages_that_were_never_sent_count_as_abandoned() -> None:
    peer, _ = established_peer()
    for lifetime in (0.1, 0.2, 0.3):
        peer.association.send(1, 51, b"late", peer.now, lifetime=lifetime)
    peer.now += 0.2
    assert len(peer.sent_packets()) == 1
    statistics = peer.association.statistics()
    assert (statistics.messages_abandoned, statistics.chunks_sent, statistics.flight_size) == (2, 1, 20)


def test_messages_received_again_under_other_tsns_count_as_dropped() -> None:
    peer, tag = established_peer()
    for tsn in (20, 21):
        peer.send(tag, data_chunk(tsn))
    statistics = peer.association.statistics()
    assert statistics.dropped == {"message delivered or skipped before": 1}
    assert (statistics.chunks_received, statistics.bytes_received) == (2, 8)
    assert statistics.receive_window == 4194200
