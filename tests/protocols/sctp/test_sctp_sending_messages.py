"""Messages under loss, reordering and Nagle's algorithm, and misuse of the interface."""

import random

import pytest

from tests.strategies.sctp_pair import DATA, SACK, START, LoseNth, SctpPair, chunk_kinds, lose_share
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.protocols.sctp import Association, AssociationEstablished, BufferedAmountLow, SctpOptions


def test_messages_of_every_size_arrive_whole() -> None:
    pair = SctpPair().connect()
    sizes = [1, 2, 3, 4, 5, 255, 1131, 1132, 1133, 1134, 1160, 2264, 2265, 70_000, 262_144]
    chance = random.Random(3)
    sent = [chance.randbytes(size) for size in sizes]
    for data in sent:
        pair.left.association.send(7, 53, data, pair.now)
    assert pair.run(lambda: len(pair.right.messages) == len(sent), 10)
    assert pair.right.on_stream(7) == sent
    assert all(len(packet) <= SctpOptions().max_packet_size for _, packet in pair.wire)


@pytest.mark.parametrize("seed", range(4))
def test_everything_arrives_in_order_under_loss_and_reordering(seed: int) -> None:
    pair = SctpPair(seed=seed, jitter=0.03, lost=lose_share(0.1, seed)).connect()
    chance = random.Random(seed)
    sent: dict[int, list[bytes]] = {stream: [] for stream in range(5)}
    for number in range(150):
        stream = number % 5
        data = number.to_bytes(2, "big") + chance.randbytes(chance.choice([1, 50, 1000, 4000]))
        sent[stream].append(data)
        pair.left.association.send(stream, 53, data, pair.now, ordered=stream != 4)
    assert pair.run(lambda: len(pair.right.messages) == 150, 300)
    for stream in range(4):
        assert pair.right.on_stream(stream) == sent[stream]
    assert sorted(pair.right.on_stream(4)) == sorted(sent[4])


def test_thirty_percent_loss_both_ways() -> None:
    pair = SctpPair(seed=5, lost=lose_share(0.3, 5)).connect()
    for number in range(60):
        for end in pair.ends:
            end.association.send(number % 3, 53, bytes([number]) * 900, pair.now)
    assert pair.run(lambda: all(len(end.messages) == 60 for end in pair.ends), 300)


def test_duplicated_packets_are_harmless() -> None:
    pair = SctpPair().connect()
    for number in range(50):
        pair.left.association.send(1, 53, bytes([number]) * 500, pair.now)
        pair.flush()
        for _, _, to, packet in list(pair.in_flight):
            pair.transmit(to, packet)
        pair.step()
    pair.run_for(1)
    assert pair.right.on_stream(1) == [bytes([number]) * 500 for number in range(50)]
    assert pair.right.association.statistics().dropped["duplicate or out of the window"] >= 50


def test_one_lost_packet_is_retransmitted_before_the_timeout() -> None:
    pair = SctpPair(lost=LoseNth(0, DATA, 3)).connect()
    begun = pair.now
    pair.left.association.send(1, 53, bytes(10_000), pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 1)
    assert pair.now - begun < 0.1
    assert pair.left.association.statistics().chunks_retransmitted == 1


def test_a_lost_retransmission_is_noticed_without_a_timeout() -> None:
    lost: list[bytes] = []

    def lose_one_tsn_twice(sender: int, packet: bytes) -> bool:
        tsn = packet[16:20]
        is_full = sender == 0 and chunk_kinds(packet)[0] == DATA and len(packet) > 1000
        chosen = is_full and (not lost or (lost[0] == tsn and len(lost) < 2))
        if chosen:
            lost.append(tsn)
        return chosen

    pair = SctpPair().connect()
    pair.lost = lose_one_tsn_twice
    begun = pair.now
    pair.left.association.send(1, 53, bytes(60_000), pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 1)
    assert len(lost) == 2
    assert pair.now - begun < 0.2


def test_the_last_packet_lost_comes_by_timeout() -> None:
    pair = SctpPair(lost=LoseNth(0, DATA, 0)).connect()
    begun = pair.now
    pair.left.association.send(1, 53, b"alone", pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 2)
    assert 0.2 <= pair.now - begun < 0.7


def test_unordered_messages_do_not_wait() -> None:
    pair = SctpPair(lost=LoseNth(0, DATA, 0)).connect()
    pair.left.association.send(1, 53, bytes(1000), pair.now)
    pair.left.association.send(1, 53, b"second" * 150, pair.now, ordered=False)
    pair.left.association.send(2, 53, b"other" * 200, pair.now)
    pair.run_for(0.05)
    assert sorted(stream for stream, _, _ in pair.right.messages) == [1, 2]


def test_small_messages_share_packets() -> None:
    pair = SctpPair().connect()
    before = pair.left.sent
    for number in range(100):
        pair.left.association.send(1, 53, bytes([number]) * 100, pair.now)
    pair.run_for(1)
    assert len(pair.right.messages) == 100
    assert pair.left.sent - before <= 13


def test_a_burst_of_sends_is_coalesced_and_the_first_is_not_delayed() -> None:
    pair = SctpPair().connect()
    pair.run_for(1)
    association = pair.left.association
    association.send(1, 53, b"first", pair.now)
    assert len(association.datagrams_to_send(pair.now)) == 1
    for _ in range(5):
        association.send(1, 53, b"more", pair.now)
        assert association.datagrams_to_send(pair.now) == []
    deadline = association.next_timer()
    assert deadline == pytest.approx(pair.now + SctpOptions().coalescing_delay)
    association.handle_timer(deadline)
    (packet,) = association.datagrams_to_send(deadline)
    assert chunk_kinds(packet) == [DATA] * 5


def test_a_response_is_never_delayed() -> None:
    pair = SctpPair().connect()
    association = pair.left.association
    pair.run_for(1)
    association.send(1, 53, b"first", pair.now)
    association.datagrams_to_send(pair.now)
    pair.right.association.send(1, 53, b"question", pair.now)
    (question,) = pair.right.association.datagrams_to_send(pair.now)
    association.receive([question], pair.now)
    association.send(1, 53, b"answer", pair.now)
    (packet,) = association.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [SACK, DATA]


def test_a_response_is_bundled_with_a_delayed_acknowledgement() -> None:
    pair = SctpPair().connect()
    for end in pair.ends:
        end.association.send(1, 53, b"first", pair.now)
    pair.run_for(1)
    pair.right.association.send(1, 53, b"question", pair.now)
    (question,) = pair.right.association.datagrams_to_send(pair.now)
    association = pair.left.association
    association.receive([question], pair.now)
    assert association.datagrams_to_send(pair.now) == []
    association.send(1, 53, b"answer", pair.now)
    (packet,) = association.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [SACK, DATA]


@pytest.mark.parametrize(("missing", "packets"), [(0, 16), (1, 0)])
def test_a_batch_of_full_packets_is_not_delayed(missing: int, packets: int) -> None:
    """1132 bytes of data fill a packet of 1160: 12 of header, 16 of the DATA chunk's."""
    pair = SctpPair(SctpOptions(initial_window_packets=100)).connect()
    pair.run_for(1)
    association = pair.left.association
    association.send(1, 53, b"first", pair.now)
    assert len(association.datagrams_to_send(pair.now)) == 1
    association.send(1, 53, bytes(16 * 1132 - missing), pair.now)
    assert [len(packet) for packet in association.datagrams_to_send(pair.now)] == [1160] * packets


def test_without_coalescing_everything_leaves_at_once() -> None:
    pair = SctpPair(SctpOptions(coalescing_delay=0.0)).connect()
    for _ in range(5):
        pair.left.association.send(1, 53, b"now", pair.now)
        assert len(pair.left.association.datagrams_to_send(pair.now)) == 1


def test_a_call_returns_a_bounded_burst_and_the_rest_follows() -> None:
    pair = SctpPair(SctpOptions(max_burst=4, initial_window_packets=100), SctpOptions()).connect()
    pair.left.association.send(1, 53, bytes(30_000), pair.now)
    assert len(pair.left.association.datagrams_to_send(pair.now)) == 4
    later = pair.left.association.next_timer()
    assert pair.now < later < pair.now + 0.001
    pair.left.association.handle_timer(later)
    assert len(pair.left.association.datagrams_to_send(later)) == 4


def test_tsn_and_ssn_wrap() -> None:
    options = SctpOptions(initial_tsn=0xFFFFFFFF - 5, receive_buffer_size=1 << 24)
    pair = SctpPair(options, lost=lose_share(0.02), delay=0.0005).connect()
    count = 0x10000 + 100
    for number in range(count):
        pair.left.association.send(1, 53, number.to_bytes(4, "big"), pair.now)
    assert pair.run(lambda: len(pair.right.messages) == count, 300)
    assert pair.right.on_stream(1) == [number.to_bytes(4, "big") for number in range(count)]


def test_buffered_amount_counts_unsent_data() -> None:
    pair = SctpPair(SctpOptions(initial_window_packets=2)).connect()
    association = pair.left.association
    association.set_buffered_amount_low_threshold(1, 1000)
    association.send(1, 53, bytes(5000), pair.now)
    assert association.buffered_amount(1) == association.total_buffered == 5000
    pair.flush()
    assert association.buffered_amount(1) == 5000 - 2 * 1132
    assert BufferedAmountLow(1) not in pair.left.events
    pair.run_for(1)
    assert association.buffered_amount(1) == association.total_buffered == 0
    assert pair.left.events.count(BufferedAmountLow(1)) == 1


def test_misuse_raises_at_once() -> None:
    association = Association(SctpOptions(send_buffer_size=1000), rng=random.Random(1))
    with pytest.raises(ValueError, match="at least one byte"):
        association.send(1, 53, b"", START)
    with pytest.raises(ValueError, match="not 65535"):
        association.send(65535, 53, b"x", START)
    with pytest.raises(OperationError):
        association.send(1, 53, bytes(1001), START)
    with pytest.raises(InvalidStateError):
        association.reset_streams([1], START)
    association.close(START)
    with pytest.raises(InvalidStateError):
        association.send(1, 53, b"x", START)
    with pytest.raises(InvalidStateError):
        association.connect(START)
    with pytest.raises(ValueError, match="multiple of four"):
        SctpOptions(max_packet_size=1170)
    with pytest.raises(ValueError, match="from 512 on"):
        SctpOptions(max_packet_size=508)
    assert SctpOptions(max_packet_size=512).max_packet_size == 512
    with pytest.raises(ValueError, match="must hold"):
        SctpOptions(receive_buffer_size=300_000)


def test_fewer_streams_are_negotiated() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(inbound_streams=10))
    pair.left.association.send(9, 53, b"fits", pair.now)
    pair.left.association.send(10, 53, b"does not", pair.now)
    pair.connect()
    pair.run_for(1)
    assert AssociationEstablished(65535, 10) in pair.left.events
    assert pair.right.messages == [(9, 53, b"fits")]
    assert pair.left.association.total_buffered == 0
    with pytest.raises(ValueError, match="not 10"):
        pair.left.association.send(10, 53, b"x", pair.now)
