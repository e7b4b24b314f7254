"""A hostile peer that has passed DTLS: memory that it can make us use, and the work of a packet.

Work is counted in lines of Python that run, for one size and for four times the size.
"""

import struct
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.line_count import count_lines
from tests.strategies.sctp_pair import COOKIE_ACK, COOKIE_ECHO, RE_CONFIG, SctpPair, chunk_kinds
from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn, ReConfig, Sack
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END, UNORDERED
from trio_rtc.protocols.sctp.packet.header import add_checksum
from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest
from trio_rtc.protocols.sctp.rx.data_tracker import DataTracker
from trio_rtc.protocols.sctp.rx.reassembly import MAX_HELD
from trio_rtc.protocols.sctp.rx.receiver import Receiver
from trio_rtc.protocols.sctp.tx.outstanding import MAX_REPORTED, Outstanding

WHOLE = BEGIN | END
SIZE = 500


def data(tsn: int, flags: int = WHOLE, stream: int = 1, ssn: int = 0, payload: bytes = b"x") -> bytes:
    header = DATA_HEADER.pack(0, flags, 16 + len(payload), tsn & 0xFFFFFFFF, stream, ssn, 51)
    return header + payload + bytes(-len(payload) % 4)


def make_receiver(buffer_size: int = 4 << 20) -> Receiver:
    return Receiver(1, buffer_size=buffer_size, max_message_size=128 << 10, streams=65535, ack_delay=0.1)


def feed(receiver: Receiver, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        receiver.receive_data(bytes(12) + chunk, 12)


def grows_like(attack: Callable[[int], Callable[[], object]], size: int = SIZE) -> float:
    """Return how many times the work of an attack is, when it is four times as large."""
    return count_lines(attack(4 * size)) / count_lines(attack(size))


# Work.


def skips_over_waiting_messages(size: int) -> Callable[[], object]:
    receiver = make_receiver()
    feed(receiver, (data(1 + index, ssn=1 + index) for index in range(size)))
    skipped = tuple((stream, 0) for stream in range(2, 2 + size))
    return lambda: receiver.handle_forward_tsn(ForwardTsn(10 * size, skipped))


def skips_of_one_stream(size: int) -> Callable[[], object]:
    """Repeated in one chunk, while as many messages wait far after all of them."""
    receiver = make_receiver()
    feed(receiver, (data(1 + index, ssn=20000 + index) for index in range(size)))
    skipped = tuple((1, ssn) for ssn in range(size))
    return lambda: receiver.handle_forward_tsn(ForwardTsn(10 * size, skipped))


def skips_below_fragments(size: int) -> Callable[[], object]:
    receiver = make_receiver()
    feed(receiver, (data(10000 + 2 * index, 0) for index in range(size)))

    def attack() -> None:
        for index in range(size):
            receiver.handle_forward_tsn(ForwardTsn(1 + index))

    return attack


def resets_beside_waiting_messages(size: int) -> Callable[[], object]:
    receiver = make_receiver()
    feed(receiver, (data(1 + index, ssn=1 + index) for index in range(size)))
    return lambda: [receiver.request_reset(1, (2,)) for _ in range(size)]


@pytest.mark.parametrize(
    "attack",
    [
        skips_over_waiting_messages,
        skips_of_one_stream,
        skips_below_fragments,
        resets_beside_waiting_messages,
    ],
)
def test_work_grows_no_faster_than_the_input(attack: Callable[[int], Callable[[], object]]) -> None:
    assert grows_like(attack) < 6


def test_fragments_from_the_last_to_the_first_are_not_copied_each_time() -> None:
    """Lists within lists, as deep as there are fragments; the message is right all the same."""
    receiver = make_receiver()
    count = 2_000
    payloads = [struct.pack(">I", index) for index in range(count)]
    for index in range(count - 1, -1, -1):
        flags = BEGIN * (index == 0) | END * (index == count - 1)
        receiver.receive_data(bytes(12) + data(1 + index, flags, payload=payloads[index]), 12)
    assert receiver.pop_message(1) == (51, b"".join(payloads))
    assert receiver.reassembly.charged == 0


class CountingList(list[tuple[int, int]]):
    """A list that counts the items read."""

    reads = 0

    def __getitem__(self, index: Any) -> Any:
        self.reads += 1
        return super().__getitem__(index)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for item in super().__iter__():
            self.reads += 1
            yield item


def test_gap_blocks_that_alternate_between_sacks_are_not_compared_each_with_each() -> None:
    def reads(count: int) -> int:
        outstanding = Outstanding(1, 1100)
        for tsn in range(1, 4 * count + 1):
            outstanding.chunks[tsn] = (b"chunk", None)
        outstanding.next_tsn = 4 * count + 1
        odd = CountingList((tsn, tsn) for tsn in range(1, 4 * count, 4))
        even = CountingList((tsn, tsn) for tsn in range(3, 4 * count, 4))
        outstanding.acknowledge_gaps(odd)
        outstanding.acknowledge_gaps(even)
        return odd.reads + even.reads

    assert reads(4000) / reads(1000) < 6


ranges = st.lists(st.integers(1, 40), max_size=12, unique=True).map(
    lambda edges: [(a, b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


@given(st.lists(ranges, min_size=1, max_size=4))
@example([[(1, 9)], [(2, 3), (5, 12)]])
@example([[(1, 2), (4, 9)], [(1, 8)]])
def test_gap_blocks_may_change_in_any_way(sacks: list[list[tuple[int, int]]]) -> None:
    outstanding = Outstanding(0, 1100)
    for tsn in range(50):
        outstanding.chunks[tsn] = (b"chunk", None)
    outstanding.next_tsn = 50
    outstanding.flight = 50 * 5
    for blocks in sacks:
        outstanding.acknowledge_gaps(blocks)
        assert outstanding.gap_acked == {tsn for first, last in blocks for tsn in range(first, last + 1)}
        assert outstanding.flight == 5 * (50 - len(outstanding.gap_acked))


def outstanding_chunks(count: int) -> Outstanding:
    outstanding = Outstanding(1, 1100)
    for tsn in range(1, count + 1):
        outstanding.chunks[tsn] = (b"chunk", None)
    outstanding.next_tsn = count + 1
    outstanding.flight = 5 * count
    return outstanding


def report_loss(outstanding: Outstanding, last: int) -> None:
    """Handle the report that everything up to the last TSN is missing, three times."""
    for first in (last, last - 1, last - 2):
        newly = outstanding.acknowledge_gaps([(first, last)])
        outstanding.report_missing(newly, last, 0.0, early=False)


def test_a_sack_reports_only_so_many_chunks_as_missing() -> None:
    def work(count: int) -> int:
        outstanding = outstanding_chunks(count)
        return count_lines(lambda: report_loss(outstanding, count))

    assert work(8000) == work(4000)


def test_after_a_long_burst_of_losses_everything_is_reported_in_the_end() -> None:
    count = 3 * MAX_REPORTED
    outstanding = outstanding_chunks(count + 100)
    report_loss(outstanding, count)
    assert sorted(outstanding.lost) == list(range(1, MAX_REPORTED + 1))
    retransmitted = 0
    last = count
    while outstanding.cumulative_tsn < count - 3:
        while (tsn := outstanding.next_lost()) is not None:
            outstanding.retransmit(tsn)
            retransmitted += 1
        outstanding.acknowledge(min(retransmitted, count - 3))
        for _ in range(3):
            last += 1
            newly = outstanding.acknowledge_gaps([(count - 2, last)])
            outstanding.report_missing(newly, last, 0.0, early=False)
    assert retransmitted == count - 3
    assert last < count + 20


def connected_pair() -> SctpPair:
    return SctpPair(SctpOptions(zero_checksum=False)).connect()


def packet_from_left(pair: SctpPair, *chunks: bytes) -> bytes:
    """Return a packet of the left side's making."""
    packets = [packet for sender, packet in pair.wire if sender == 0 and packet[12] == COOKIE_ECHO]
    return add_checksum(packets[0][:8] + bytes(4) + b"".join(chunks))


def test_only_one_sack_of_a_packet_counts() -> None:
    """Each can cost a look at everything outstanding, and hundreds would fit."""
    pair = connected_pair()
    right = pair.right.association
    init_ack = next(packet for sender, packet in pair.wire if sender == 1)
    initial = int.from_bytes(init_ack[28:32], "big")
    right.send(1, 51, b"x", pair.now)
    assert right.datagrams_to_send(pair.now)
    nothing_new, everything = (Sack((initial + offset) & 0xFFFFFFFF, 100_000).encode() for offset in (-1, 0))
    right.receive([packet_from_left(pair, nothing_new, everything)], pair.now)
    assert right.statistics().flight_size > 0
    right.receive([packet_from_left(pair, everything, nothing_new)], pair.now)
    assert right.statistics().flight_size == 0
    assert not right.closed


def fragment_flags(index: int, count: int) -> int:
    return BEGIN * (index == 0) | END * (index == count - 1)


def test_a_message_in_absurdly_small_fragments_ends_the_association() -> None:
    """The last one would put all of them together."""
    receiver = make_receiver()
    feed(receiver, (data(1 + index, BEGIN * (index == 0)) for index in range(3000)))
    assert receiver.violation is not None
    receiver = make_receiver()
    payload = bytes(128)
    feed(receiver, (data(1 + index, fragment_flags(index, 1000), payload=payload) for index in range(1000)))
    assert receiver.violation is None
    assert receiver.pop_message(1) == (51, bytes(128_000))


def test_a_forward_tsn_over_gaps_removes_them_together() -> None:
    def work(gaps: int) -> int:
        receiver = make_receiver()
        feed(receiver, (data(2 + 2 * index, WHOLE | UNORDERED) for index in range(gaps)))
        assert len(receiver.tracker.ranges) == gaps
        lines = count_lines(lambda: receiver.handle_forward_tsn(ForwardTsn(2 * gaps + 1)))
        assert receiver.tracker.ranges == []
        assert receiver.tracker.cumulative_tsn == 2 * gaps + 1
        return lines

    assert work(8000) == work(100)


@given(st.lists(st.integers(2, 60), max_size=30), st.integers(0, 70))
def test_a_forward_tsn_absorbs_the_ranges_it_reaches(arrived: list[int], forwarded: int) -> None:
    tracker = DataTracker(1)
    for tsn in arrived:
        if tracker.is_new(tsn):
            tracker.add(tsn)
    tracker.forward(forwarded)
    expected = forwarded
    while expected + 1 in arrived:
        expected += 1
    assert tracker.cumulative_tsn == expected
    reported = {tsn for first, last in tracker.ranges for tsn in range(first, last + 1)}
    assert reported == {tsn for tsn in arrived if tsn > expected}


def fill_the_first_gap(receiver: Receiver) -> None:
    feed(receiver, iter([data(1)]))
    receiver.finish_batch(0.0)


def most_held(receiver: Receiver, chunks: Iterator[bytes]) -> int:
    """Feed chunks, the gap before them last, and return how many lines of Python that one runs."""
    feed(receiver, chunks)
    assert receiver.violation is None
    assert receiver.dropped["receive buffer full"]
    return count_lines(lambda: fill_the_first_gap(receiver))


def messages_out_of_turn(count: int) -> Iterator[bytes]:
    return (data(2 + index, ssn=1 + index) for index in range(count))


@pytest.mark.parametrize(
    ("chunks", "lines_each"),
    [(messages_out_of_turn, 12), (lambda count: (data(3 + 2 * index, 0) for index in range(count)), 1)],
)
def test_messages_released_by_one_chunk_are_bounded(
    chunks: Callable[[int], Iterator[bytes]], lines_each: int
) -> None:
    most = most_held(make_receiver(), chunks(12_000))
    assert most < MAX_HELD * lines_each + 500
    assert most_held(make_receiver(), chunks(24_000)) == most


def test_chunks_that_release_others_are_accepted_when_much_is_held() -> None:
    receiver = make_receiver()
    feed(receiver, messages_out_of_turn(MAX_HELD + 10))
    dropped = receiver.dropped["receive buffer full"]
    assert dropped
    feed(receiver, iter([data(1)]))
    taken = 0
    while receiver.pop_message(1) is not None:
        taken += 1
    assert taken == MAX_HELD + 11 - dropped
    # Dropped chunks were not acknowledged, so they are sent again.
    assert receiver.tracker.cumulative_tsn == taken
    feed(receiver, (data(1 + index, ssn=index) for index in range(taken, MAX_HELD + 11)))
    assert receiver.tracker.cumulative_tsn == MAX_HELD + 11
    assert not receiver.reassembly.is_crowded


def test_chunks_held_for_a_deferred_reset_are_bounded() -> None:
    receiver = make_receiver()
    assert not receiver.request_reset(1, ())
    feed(receiver, (data(2 + index, ssn=index) for index in range(6000)))
    assert receiver.dropped["receive buffer full"] > 4000
    lines = count_lines(lambda: fill_the_first_gap(receiver))
    assert lines < 50_000
    assert not receiver.reset_is_deferred


# Memory.


def messages_of_one_stream(count: int) -> Iterator[bytes]:
    return (data(1 + index, WHOLE | UNORDERED) for index in range(count))


def messages_that_wait(count: int) -> Iterator[bytes]:
    return (data(1 + index, stream=index // 20000, ssn=1 + index % 20000) for index in range(count))


def beginnings(count: int) -> Iterator[bytes]:
    return (data(1 + index, BEGIN) for index in range(count))


def middles(count: int) -> Iterator[bytes]:
    return (data(2 + 2 * index, 0) for index in range(count))


@pytest.mark.parametrize("flood", [messages_of_one_stream, messages_that_wait, beginnings, middles])
@pytest.mark.parametrize("during_a_reset", [False, True])
def test_tiny_chunks_use_no_more_memory_than_the_buffer_size(
    flood: Callable[[int], Iterator[bytes]], during_a_reset: bool
) -> None:
    buffer_size = 1 << 18
    receiver = make_receiver(buffer_size)
    if during_a_reset:
        # It waits for the end of the batch, and all later chunks of all streams are held until then.
        assert not receiver.request_reset(1, ())
    chunks = list(flood(16_000))
    tracemalloc.start()
    try:
        feed(receiver, iter(chunks))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert receiver.dropped["receive buffer full"]
    assert receiver.reassembly.charged <= 3 * buffer_size + 1000
    assert held < 5 * buffer_size


def test_repeated_cookies_of_a_batch_are_answered_once() -> None:
    pair = connected_pair()
    echo = next(packet for sender, packet in pair.wire if sender == 0 and COOKIE_ECHO in chunk_kinds(packet))
    pair.right.association.receive([echo] * 500, pair.now)
    packets = pair.right.association.datagrams_to_send(pair.now)
    assert [kind for packet in packets for kind in chunk_kinds(packet)].count(COOKIE_ACK) == 1


def test_early_resets_of_a_batch_are_answered_a_few_times() -> None:
    pair = connected_pair()
    init = next(packet for sender, packet in pair.wire if sender == 0)
    initial = int.from_bytes(init[28:32], "big")
    far = (initial + 1000) & 0xFFFFFFFF
    first = ReConfig((OutgoingResetRequest(initial, 0, far, (1,)).encode(),)).encode()
    again = ReConfig((OutgoingResetRequest((initial + 1) & 0xFFFFFFFF, 0, far, (2,)).encode(),)).encode()
    right = pair.right.association
    right.receive([packet_from_left(pair, first)], pair.now)
    right.receive([packet_from_left(pair, *[again] * 40)] * 20, pair.now)
    answers = [kind for packet in right.datagrams_to_send(pair.now) for kind in chunk_kinds(packet)]
    assert 0 < answers.count(RE_CONFIG) <= 5
    assert not right.closed
