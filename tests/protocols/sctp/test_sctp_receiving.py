"""The receiving side: TSNs against a simple model, messages out of chunks in any order, acknowledgements."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END, IMMEDIATE, UNORDERED
from trio_rtc.protocols.sctp.rx.data_tracker import MAX_DUPLICATES, WINDOW, DataTracker
from trio_rtc.protocols.sctp.rx.reassembly import OVERHEAD, MessageViolation, Reassembly
from trio_rtc.protocols.sctp.rx.receiver import Receiver

WHOLE = BEGIN | END


def chunk(tsn: int, flags: int = WHOLE, stream: int = 1, ssn: int = 0, data: bytes = b"data") -> bytes:
    """Return a DATA chunk."""
    header = DATA_HEADER.pack(0, flags, 16 + len(data), tsn & 0xFFFFFFFF, stream, ssn, 51)
    return header + data + bytes(-len(data) % 4)


def make_receiver(initial_tsn: int = 10, buffer_size: int = 100_000, streams: int = 100) -> Receiver:
    return Receiver(
        initial_tsn, buffer_size=buffer_size, max_message_size=10_000, streams=streams, ack_delay=0.1
    )


def take_all(receiver: Receiver, stream: int = 1) -> list[bytes]:
    taken = []
    while (message := receiver.take_message(stream)) is not None:
        taken.append(message[1])
    return taken


@given(
    st.lists(st.integers(-3, 40) | st.tuples(st.integers(-3, 40)), max_size=60),
    st.sampled_from([0, 1000, 0xFFFFFFF0]),
)
def test_the_tracker_agrees_with_a_set(steps: list[int | tuple[int]], initial: int) -> None:
    """An integer is a TSN that arrives, a tuple a FORWARD-TSN, both from the initial TSN on."""
    tracker = DataTracker(initial)
    seen: set[int] = set()
    cumulative = initial - 1
    for step in steps:
        if isinstance(step, int):
            tsn = tracker.unwrap((initial + step) & 0xFFFFFFFF)
            assert tsn == initial + step
            new = tsn > cumulative and tsn not in seen
            assert tracker.is_new(tsn) is new
            if new:
                tracker.add(tsn)
                seen.add(tsn)
        else:
            target = initial + step[0]
            assert tracker.forward(target) is (target > cumulative)
            cumulative = max(cumulative, target)
        while cumulative + 1 in seen:
            cumulative += 1
        assert tracker.cumulative_tsn == cumulative
        above = {tsn for first, last in tracker.ranges for tsn in range(first, last + 1)}
        assert above == {tsn for tsn in seen if tsn > cumulative}
        assert tracker.highest_tsn == max(above, default=cumulative)
        for (_, end), (start, _) in zip(tracker.ranges, tracker.ranges[1:], strict=False):
            assert end + 1 < start
        assert all(first <= last for first, last in tracker.gap_blocks())
    assert len(tracker.duplicates) <= MAX_DUPLICATES


def test_the_tracker_refuses_what_no_gap_block_reaches() -> None:
    tracker = DataTracker(0)
    assert tracker.is_new(WINDOW - 1)
    assert not tracker.is_new(WINDOW)


@given(st.randoms(use_true_random=False), st.integers(1, 12), st.booleans())
def test_messages_are_put_together_in_any_order_of_arrival(
    chance: random.Random, count: int, doubled: bool
) -> None:
    receiver = make_receiver(0xFFFFFFFA)
    tsn = 0xFFFFFFFA
    ssns = {1: 0, 2: 0}
    sent: dict[int, list[bytes]] = {1: [], 2: []}
    unordered: set[bytes] = set()
    wire = []
    for number in range(count):
        stream = chance.choice([1, 2])
        is_unordered = chance.random() < 0.3
        parts = [bytes([number, index]) * chance.randint(1, 5) for index in range(chance.randint(1, 5))]
        for index, part in enumerate(parts):
            flags = UNORDERED * is_unordered
            flags |= BEGIN * (index == 0) | END * (index == len(parts) - 1)
            wire.append(chunk(tsn, flags, stream, 0 if is_unordered else ssns[stream], part))
            tsn += 1
        message = b"".join(parts)
        if is_unordered:
            unordered.add(message)
        else:
            ssns[stream] += 1
        sent[stream].append(message)
    if doubled:
        wire += wire
    chance.shuffle(wire)
    for piece in wire:
        assert receiver.receive_data(bytes(12) + piece, 12) == 12 + len(piece)
    assert receiver.tracker.cumulative_tsn == tsn - 1
    for stream in (1, 2):
        received = take_all(receiver, stream)
        assert sorted(received) == sorted(sent[stream])
        ordered = [message for message in sent[stream] if message not in unordered]
        assert [message for message in received if message not in unordered] == ordered
    assert receiver.reassembly.charged == 0


def test_ssn_wraps() -> None:
    reassembly = Reassembly(100)
    for number in range(0x10005):
        reassembly.add(number, (0, WHOLE, 20, 0, 1, number & 0xFFFF, 51), b"%d" % number)
        assert reassembly.take(1) == (51, b"%d" % number)


def test_a_stale_ssn_is_dropped_and_counted() -> None:
    reassembly = Reassembly(100)
    for tsn, ssn in ((1, 0), (2, 0), (3, 2), (4, 2)):
        reassembly.add(tsn, (0, WHOLE, 20, 0, 1, ssn, 51), b"x")
    assert reassembly.stale == 2
    assert reassembly.charged == 2 * (OVERHEAD + 1)


@pytest.mark.parametrize(
    "second",
    [(0, END, 20, 0, 2, 0, 51), (0, END, 20, 0, 1, 1, 51), (0, END | UNORDERED, 20, 0, 1, 0, 51)],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_fragments_that_contradict_each_other(second: tuple[int, ...], reverse: bool) -> None:
    reassembly = Reassembly(100)
    pieces = [(1, (0, BEGIN, 20, 0, 1, 0, 51)), (2, second)]
    with pytest.raises(MessageViolation, match="different messages"):  # noqa: PT012
        for tsn, header in reversed(pieces) if reverse else pieces:
            reassembly.add(tsn, header, b"x")  # type: ignore[arg-type]


def test_a_message_without_data_or_too_large_is_a_violation() -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(10, data=b""), 12)
    assert receiver.violation is not None
    assert receiver.violation.kind == 9
    receiver = make_receiver()
    for tsn in range(10, 22):
        receiver.receive_data(bytes(12) + chunk(tsn, BEGIN * (tsn == 10), data=bytes(1000)), 12)
    assert receiver.violation is not None
    assert b"over 10000 bytes" in receiver.violation.value


@pytest.mark.parametrize("cut", [1, 8, 15, 17])
def test_a_chunk_that_runs_over_the_packet_raises(cut: int) -> None:
    receiver = make_receiver()
    with pytest.raises(ProtocolError):
        receiver.receive_data(bytes(12) + chunk(10, data=bytes(20))[:-cut], 12)
    assert receiver.chunks_received == 0


def test_a_stream_that_does_not_exist_is_reported_and_acknowledged() -> None:
    receiver = make_receiver(streams=2)
    for tsn in range(10, 30):
        receiver.receive_data(bytes(12) + chunk(tsn, stream=2), 12)
    assert receiver.tracker.cumulative_tsn == 29
    assert 1 <= len(receiver.take_reports()) <= 8
    assert receiver.take_reports() == []


def feed(receiver: Receiver, *tsns: int, now: float = 0.0, flags: int = WHOLE) -> None:
    for tsn in tsns:
        receiver.receive_data(bytes(12) + chunk(tsn, flags | UNORDERED), 12)
    receiver.finish_batch(now)


def test_when_an_acknowledgement_is_due() -> None:
    receiver = make_receiver()
    feed(receiver, 10)
    assert receiver.ack_due, "the first packet is acknowledged at once"
    assert receiver.take_sack().cumulative_tsn == 10
    feed(receiver, 11, now=5.0)
    assert not receiver.ack_due
    assert receiver.ack_deadline == pytest.approx(5.1)
    receiver.handle_timer(5.05)
    assert not receiver.ack_due
    receiver.handle_timer(5.1)
    assert receiver.ack_due
    receiver.take_sack()
    feed(receiver, 12, 13)
    assert receiver.ack_due, "every second packet"
    receiver.take_sack()
    feed(receiver, 15)
    assert receiver.ack_due, "a hole"
    assert receiver.take_sack().gap_blocks == ((2, 2),)
    feed(receiver, 14)
    receiver.take_sack()
    feed(receiver, 14)
    assert receiver.ack_due, "a duplicate"
    assert receiver.take_sack().duplicate_tsns == (14,)
    feed(receiver, 16, flags=WHOLE | IMMEDIATE)
    assert receiver.ack_due, "the I bit"
    receiver.take_sack()
    assert not receiver.has_unacknowledged


def test_what_is_held_costs_the_window_more_than_its_bytes() -> None:
    """100 bytes a chunk or message, and 300 a message that is not complete."""
    receiver = make_receiver(buffer_size=50_000)
    receiver.receive_data(bytes(12) + chunk(10, ssn=0, data=bytes(1000)), 12)
    assert receiver.take_sack().advertised_receiver_window == 50_000 - 1000 - 100
    receiver.receive_data(bytes(12) + chunk(11, flags=BEGIN, ssn=1, data=bytes(1000)), 12)
    assert receiver.take_sack().advertised_receiver_window == 50_000 - 2000 - 200 - 300


def test_the_window_follows_what_is_taken() -> None:
    receiver = make_receiver(buffer_size=50_000)
    payload = bytes(1000)
    tsn = 10
    while receiver.take_sack().advertised_receiver_window:
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 10, data=payload), 12)
        tsn += 1
    held = tsn - 10
    assert 40 <= held <= 50
    for _ in range(10):
        # The window is told to be closed: some more fits below the buffer's size, then nothing.
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 10, data=payload), 12)
        tsn += 1
    assert receiver.dropped["receive buffer full"] >= 8
    assert receiver.reassembly.charged < 52_000
    receiver.take_sack()
    for _ in range(5):
        receiver.take_message(1)
    assert not receiver.ack_due
    while not receiver.ack_due:
        assert receiver.take_message(1) is not None, (
            "the window has opened by a good step before the last one"
        )
    take_all(receiver)
    assert receiver.take_sack().advertised_receiver_window == 50_000


def test_what_was_sent_before_the_window_closed_is_taken_up_to_twice_the_buffer() -> None:
    receiver = make_receiver(buffer_size=50_000)
    for number in range(90):
        receiver.receive_data(bytes(12) + chunk(10 + number, ssn=number, data=bytes(1000)), 12)
    assert receiver.dropped["receive buffer full"] == 0
    assert receiver.reassembly.charged == 90 * 1100
    for number in range(90, 100):
        receiver.receive_data(bytes(12) + chunk(10 + number, ssn=number, data=bytes(1000)), 12)
    assert receiver.dropped["receive buffer full"] == 9
    assert receiver.reassembly.charged == 91 * 1100


def test_a_flood_that_ignores_the_window_is_bounded() -> None:
    receiver = make_receiver(buffer_size=50_000)
    for tsn in range(12, 2000):
        receiver.receive_data(bytes(12) + chunk(tsn, stream=tsn % 50, data=bytes(1000)), 12)
    for tsn in range(12 + 60_000, 12, -7):
        receiver.receive_data(bytes(12) + chunk(tsn, BEGIN, stream=3, data=bytes(1000)), 12)
    assert receiver.reassembly.charged <= 3 * 50_000 + 2000
    assert receiver.dropped["receive buffer full"] > 1000


def test_forward_tsn_gives_up_fragments_and_delivers_what_waited() -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(11, 0, ssn=0), 12)
    receiver.receive_data(bytes(12) + chunk(13, ssn=1, data=b"second"), 12)
    receiver.receive_data(bytes(12) + chunk(15, ssn=3, data=b"fourth"), 12)
    receiver.receive_data(bytes(12) + chunk(16, ssn=4, data=b"fifth"), 12)
    receiver.forward(ForwardTsn(14, ((1, 2),)))
    assert receiver.ack_due
    assert receiver.tracker.cumulative_tsn == 16
    assert take_all(receiver) == [b"second", b"fourth", b"fifth"]
    assert receiver.reassembly.charged == 0
    receiver.forward(ForwardTsn(12, ((1, 9),)))
    receiver.receive_data(bytes(12) + chunk(17, ssn=5, data=b"sixth"), 12)
    assert take_all(receiver) == [b"sixth"], "an old FORWARD-TSN changes nothing"


def test_a_reset_waits_for_what_was_sent_before_it() -> None:
    receiver = make_receiver()
    feed_ordered = [(10, 0, b"first"), (12, 0, b"after the reset"), (11, 1, b"second")]
    assert not receiver.request_reset(11, (1,))
    for tsn, ssn, data in feed_ordered:
        assert receiver.reset_is_deferred
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=ssn, data=data), 12)
        receiver.finish_batch(0.0)
    assert not receiver.reset_is_deferred
    assert take_all(receiver) == [b"first", b"second", b"after the reset"]
    assert receiver.reassembly.charged == 0
    assert receiver.request_reset(12, ())
