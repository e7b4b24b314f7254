"""The receiver: DATA, FORWARD-TSN, acknowledgements, the receive window."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END, IMMEDIATE, UNORDERED, DataHeader
from trio_rtc.protocols.sctp.packet.parameters import Parameter
from trio_rtc.protocols.sctp.rx.reassembly import OVERHEAD
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
    while (message := receiver.pop_message(stream)) is not None:
        taken.append(message[1])
    return taken


@given(st.randoms(use_true_random=False), st.integers(1, 12), st.booleans())
def test_messages_are_reassembled_in_any_order_of_arrival(
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
    assert [report.value for report in receiver.take_error_causes()] == [bytes((0, 2, 0, 0))] * 8
    assert receiver.take_error_causes() == []


def feed(receiver: Receiver, *tsns: int, now: float = 0.0, flags: int = WHOLE) -> None:
    for tsn in tsns:
        receiver.receive_data(bytes(12) + chunk(tsn, flags | UNORDERED), 12)
    receiver.finish_batch(now)


def test_when_an_acknowledgement_is_due() -> None:
    receiver = make_receiver()
    feed(receiver, 10)
    assert receiver.ack_due, "the first packet is acknowledged at once"
    assert receiver.make_sack().cumulative_tsn == 10
    feed(receiver, 11, now=5.0)
    assert not receiver.ack_due
    assert receiver.ack_deadline == pytest.approx(5.1)
    receiver.handle_timer(5.05)
    assert not receiver.ack_due
    receiver.handle_timer(5.1)
    assert receiver.ack_due
    receiver.make_sack()
    feed(receiver, 12, 13)
    assert receiver.ack_due, "every second packet"
    receiver.make_sack()
    feed(receiver, 15)
    assert receiver.ack_due, "a hole"
    assert receiver.make_sack().gap_blocks == ((2, 2),)
    feed(receiver, 14)
    receiver.make_sack()
    feed(receiver, 14)
    assert receiver.ack_due, "a duplicate"
    assert receiver.make_sack().duplicate_tsns == (14,)
    feed(receiver, 16, flags=WHOLE | IMMEDIATE)
    assert receiver.ack_due, "the I bit"
    receiver.make_sack()
    assert not receiver.has_unacknowledged


def test_held_data_is_charged_with_overhead() -> None:
    """100 bytes a chunk or message, and 300 a message that is not complete."""
    receiver = make_receiver(buffer_size=50_000)
    receiver.receive_data(bytes(12) + chunk(10, ssn=0, data=bytes(1000)), 12)
    assert receiver.make_sack().advertised_receiver_window == 50_000 - 1000 - 100
    receiver.receive_data(bytes(12) + chunk(11, flags=BEGIN, ssn=1, data=bytes(1000)), 12)
    assert receiver.make_sack().advertised_receiver_window == 50_000 - 2000 - 200 - 300


def test_the_window_follows_received_messages() -> None:
    receiver = make_receiver(buffer_size=50_000)
    payload = bytes(1000)
    tsn = 10
    while receiver.make_sack().advertised_receiver_window:
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 10, data=payload), 12)
        tsn += 1
    held = tsn - 10
    assert 40 <= held <= 50
    for _ in range(10):
        # A closed window is advertised: some more is accepted below the buffer's size, then nothing.
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 10, data=payload), 12)
        tsn += 1
    assert receiver.dropped["receive buffer full"] >= 8
    assert receiver.reassembly.charged < 52_000
    receiver.make_sack()
    for _ in range(5):
        receiver.pop_message(1)
    assert not receiver.ack_due
    while not receiver.ack_due:
        assert receiver.pop_message(1) is not None, "the window has opened by a good step before the last one"
    take_all(receiver)
    assert receiver.make_sack().advertised_receiver_window == 50_000


def test_data_sent_before_the_window_closed_is_accepted_up_to_twice_the_buffer() -> None:
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


def test_forward_tsn_discards_fragments_and_delivers_waiting_messages() -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(11, 0, ssn=0), 12)
    receiver.receive_data(bytes(12) + chunk(13, ssn=1, data=b"second"), 12)
    receiver.receive_data(bytes(12) + chunk(15, ssn=3, data=b"fourth"), 12)
    receiver.receive_data(bytes(12) + chunk(16, ssn=4, data=b"fifth"), 12)
    receiver.handle_forward_tsn(ForwardTsn(14, ((1, 2),)))
    assert receiver.ack_due
    assert receiver.tracker.cumulative_tsn == 16
    assert take_all(receiver) == [b"second", b"fourth", b"fifth"]
    assert receiver.reassembly.charged == 0
    receiver.handle_forward_tsn(ForwardTsn(12, ((1, 9),)))
    receiver.receive_data(bytes(12) + chunk(17, ssn=5, data=b"sixth"), 12)
    assert take_all(receiver) == [b"sixth"], "an old FORWARD-TSN changes nothing"


def test_a_reset_waits_for_data_sent_before_it() -> None:
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


@pytest.mark.parametrize(("charge", "window"), [(0, 50_000), (48_500, 1500), (48_501, 0), (60_000, 0)])
def test_a_window_of_less_than_1500_bytes_is_advertised_as_closed(charge: int, window: int) -> None:
    receiver = make_receiver(buffer_size=50_000)
    receiver.reassembly.charged = charge
    assert receiver.window == receiver.make_sack().advertised_receiver_window == window


@pytest.mark.parametrize(("charge", "taken"), [(99_999, True), (100_000, False)])
@pytest.mark.parametrize("tsn", [10, 11])
def test_new_data_is_accepted_up_to_twice_the_buffer(charge: int, taken: bool, tsn: int) -> None:
    receiver = make_receiver(buffer_size=50_000)
    receiver.reassembly.charged = charge
    feed(receiver, tsn)
    assert receiver.chunks_received == taken
    assert receiver.dropped == ({} if taken else {"receive buffer full": 1})
    assert receiver.tracker.highest_tsn == (tsn if taken else 9)
    assert receiver.ack_due


@pytest.mark.parametrize(("charge", "taken"), [(149_999, True), (150_000, False)])
@pytest.mark.parametrize("tsn", [10, 12])
def test_chunks_that_fill_holes_are_accepted_up_to_three_times_the_buffer(
    charge: int, taken: bool, tsn: int
) -> None:
    receiver = make_receiver(buffer_size=50_000)
    feed(receiver, 14)
    receiver.reassembly.charged = charge
    feed(receiver, tsn)
    assert receiver.chunks_received == 1 + taken
    assert receiver.dropped == ({} if taken else {"receive buffer full": 1})


@pytest.mark.parametrize(("charge", "taken"), [(49_999, True), (50_000, False)])
def test_window_probes_are_accepted_up_to_the_buffer(charge: int, taken: bool) -> None:
    receiver = make_receiver(buffer_size=50_000)
    receiver.reassembly.charged = 49_000
    assert receiver.make_sack().advertised_receiver_window == 0
    receiver.reassembly.charged = charge
    feed(receiver, 10)
    assert receiver.chunks_received == taken


def test_counters_of_chunks() -> None:
    receiver = make_receiver()
    for tsn, size in ((10, 1), (12, 20), (12, 20), (11, 300)):
        receiver.receive_data(bytes(12) + chunk(tsn, WHOLE | UNORDERED, data=bytes(size)), 12)
    assert receiver.chunks_received == 3
    assert receiver.bytes_received == 321
    assert receiver.dropped == {"duplicate or out of the window": 1}
    assert receiver.reassembly.charged == 321 + 3 * OVERHEAD
    assert receiver.reassembly.take_ready_streams() == (1,)
    assert receiver.reassembly.take_ready_streams() == ()


def test_several_chunks_in_a_packet_are_one_packet_to_acknowledge() -> None:
    receiver = make_receiver()
    feed(receiver, 10)
    receiver.make_sack()
    packet = bytes(12) + chunk(11, WHOLE | UNORDERED, data=b"12345") + chunk(12, WHOLE | UNORDERED)
    other = b"\x04\x00\x00\x04"
    assert receiver.receive_data(packet + other, 12) == len(packet)
    receiver.finish_batch(1.0)
    assert not receiver.ack_due
    assert receiver.has_unacknowledged
    assert receiver.ack_deadline == 1.1
    feed(receiver, now=1.05)
    assert receiver.ack_deadline == 1.1
    assert take_all(receiver) == [b"data", b"12345", b"data"]
    receiver.make_sack()
    assert receiver.ack_deadline == math.inf
    assert not receiver.has_unacknowledged


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize(("size", "due"), [(12_399, False), (12_400, True)])
def test_a_window_that_has_opened_by_a_quarter_is_advertised(retained: bool, size: int, due: bool) -> None:
    receiver = make_receiver(buffer_size=50_000)
    receiver.reassembly.add(10, (0, WHOLE | UNORDERED, 0, 10, 1, 0, 51), bytes(size))
    receiver.reassembly.add(11, (0, WHOLE | UNORDERED, 0, 11, 1, 0, 51), bytes(100))
    receiver.make_sack()
    if retained:
        message = receiver.retain_message(1)
        assert message == (51, bytes(size))
        assert receiver.reassembly.charged == size + 100 + 2 * OVERHEAD
        assert not receiver.ack_due
        receiver.release_message(message)
    else:
        assert receiver.pop_message(1) == (51, bytes(size))
    assert receiver.reassembly.charged == 100 + OVERHEAD
    assert receiver.ack_due is due


def test_an_empty_stream_has_no_message() -> None:
    receiver = make_receiver()
    assert receiver.pop_message(1) is None
    assert receiver.retain_message(1) is None
    assert receiver.reassembly.peek_payload_protocol(1) is None
    assert not receiver.ack_due
    feed(receiver, 10)
    assert receiver.reassembly.peek_payload_protocol(1) == 51
    assert receiver.reassembly.peek_payload_protocol(2) is None


@pytest.mark.parametrize(("last_tsn", "at_once"), [(9, True), (10, False)])
def test_a_reset_waits_only_for_missing_data(last_tsn: int, at_once: bool) -> None:
    receiver = make_receiver()
    assert receiver.request_reset(last_tsn, (1,)) is at_once
    assert receiver.reset_is_deferred is not at_once
    receiver.finish_batch(0.0)
    assert receiver.reset_is_deferred is not at_once


def test_chunks_after_a_deferred_reset_of_all_streams() -> None:
    receiver = make_receiver()
    assert not receiver.request_reset(10, ())
    receiver.receive_data(bytes(12) + chunk(11, stream=3, data=b"later"), 12)
    assert receiver.reassembly.charged == 5 + OVERHEAD
    assert take_all(receiver, 3) == []
    receiver.receive_data(bytes(12) + chunk(10, stream=3, data=b"now"), 12)
    receiver.finish_batch(0.0)
    assert take_all(receiver, 3) == [b"now", b"later"]
    assert receiver.reassembly.charged == 0


def test_other_streams_do_not_wait_for_a_deferred_reset() -> None:
    receiver = make_receiver()
    assert not receiver.request_reset(10, (1,))
    receiver.receive_data(bytes(12) + chunk(11, stream=2), 12)
    assert take_all(receiver, 2) == [b"data"]


@pytest.mark.parametrize("streams", [(1,), ()])
def test_a_reset_drops_messages_that_wait_for_their_ssn(streams: tuple[int, ...]) -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(10, stream=1, ssn=0), 12)
    receiver.receive_data(bytes(12) + chunk(11, stream=1, ssn=2, data=b"never"), 12)
    assert take_all(receiver) == [b"data"]
    assert receiver.reassembly.charged == 5 + OVERHEAD
    assert receiver.request_reset(11, streams)
    assert receiver.reassembly.charged == 0
    for tsn, ssn in ((12, 0), (13, 1), (14, 2)):
        receiver.receive_data(bytes(12) + chunk(tsn, stream=1, ssn=ssn, data=bytes((ssn,))), 12)
    assert take_all(receiver) == [b"\0", b"\1", b"\2"]


@pytest.mark.parametrize(("size", "allowed"), [(10_000, True), (10_001, False)])
def test_the_largest_message(size: int, allowed: bool) -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(10, BEGIN, data=bytes(5000)), 12)
    receiver.receive_data(bytes(12) + chunk(11, END, data=bytes(size - 5000)), 12)
    assert (receiver.violation is None) is allowed
    assert (take_all(receiver) == [bytes(size)]) is allowed


@pytest.mark.parametrize("size", [1, 4, 15])
def test_a_chunk_without_a_whole_header_raises(size: int) -> None:
    receiver = make_receiver()
    with pytest.raises(ProtocolError):
        receiver.receive_data(bytes(12) + chunk(10) + chunk(11)[:size], 12)
    assert take_all(receiver) == [b"data"]


def piece(tsn: int, flags: int, ssn: int = 0) -> tuple[int, DataHeader, bytes]:
    """Return a fragment whose data is its TSN."""
    return tsn, (0, flags, 0, tsn, 1, ssn, 51), str(tsn).encode()


def test_a_thousand_chunks_are_held_for_a_deferred_reset() -> None:
    receiver = make_receiver(1, buffer_size=10_000_000)
    assert not receiver.request_reset(1, (1,))
    for tsn in range(2, 1200):
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 2), 12)
        dropped = receiver.dropped["receive buffer full"]
        assert dropped == max(0, tsn - 1 - 1024)
    # Data sent before the reset is accepted, and completes it.
    receiver.receive_data(bytes(12) + chunk(1, stream=2), 12)
    receiver.finish_batch(0.0)
    assert not receiver.reset_is_deferred
    assert len(take_all(receiver)) == 1024
    assert receiver.tracker.cumulative_tsn == 1025


def test_the_first_violation_counts() -> None:
    receiver = make_receiver()
    empty = DATA_HEADER.pack(0, WHOLE, 16, 10, 1, 0, 51)
    for tsn in (10, 11):
        receiver.receive_data(bytes(12) + empty[:4] + tsn.to_bytes(4, "big") + empty[8:], 12)
        assert receiver.violation == Parameter(9, (10).to_bytes(4, "big"))
    receiver.receive_data(bytes(12) + chunk(10, data=bytes(10_001)), 12)
    assert receiver.violation == Parameter(9, (10).to_bytes(4, "big"))


def test_the_first_contradiction_counts() -> None:
    receiver = make_receiver()
    for tsn in (10, 20):
        for offset, ssn in enumerate((0, 1)):
            receiver.receive_data(bytes(12) + chunk(tsn + offset, (BEGIN, END)[offset], ssn=ssn), 12)
        assert receiver.violation is not None
        assert receiver.violation.kind == 13
        assert receiver.violation.value.endswith(b"TSNs 10 to 10")


def test_the_tsn_zero_fills_a_hole_when_the_buffer_is_full() -> None:
    receiver = make_receiver(0, buffer_size=1000)
    for tsn in range(1, 30):
        receiver.receive_data(bytes(12) + chunk(tsn, UNORDERED | WHOLE), 12)
    assert receiver.reassembly.charged >= 2000
    receiver.receive_data(bytes(12) + chunk(0, UNORDERED | WHOLE, data=b"zero"), 12)
    assert take_all(receiver)[-1] == b"zero"
    assert receiver.tracker.cumulative_tsn > 0


def test_a_forward_tsn_causes_a_sack() -> None:
    receiver = make_receiver()
    assert not receiver.has_unacknowledged
    receiver.handle_forward_tsn(ForwardTsn(12))
    assert receiver.has_unacknowledged
    assert receiver.make_sack().cumulative_tsn == 12
    assert not receiver.has_unacknowledged


def test_no_timer_runs_for_an_acknowledgement_that_is_due() -> None:
    receiver = make_receiver()
    receiver.receive_data(bytes(12) + chunk(10), 12)
    receiver.finish_batch(0.0)
    assert (receiver.ack_due, receiver.ack_deadline) == (True, math.inf)
    receiver.make_sack()
    receiver.receive_data(bytes(12) + chunk(11, WHOLE | IMMEDIATE), 12)
    receiver.finish_batch(1.0)
    assert (receiver.ack_due, receiver.ack_deadline) == (True, math.inf)
    receiver.make_sack()
    receiver.receive_data(bytes(12) + chunk(12), 12)
    receiver.finish_batch(2.0)
    assert (receiver.ack_due, receiver.ack_deadline) == (False, 2.1)


def test_an_empty_stream_causes_no_window_update() -> None:
    receiver = make_receiver(buffer_size=40_000)
    for tsn in range(10, 110):
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 9), 12)
    receiver.make_sack()
    # Messages that waited for their SSN are dropped and no longer charged.
    assert receiver.request_reset(109, (1,))
    assert receiver.window == 40_000
    assert receiver.pop_message(1) is None
    assert not receiver.ack_due


@pytest.mark.parametrize("contradictions", [1, 2])
def test_a_held_chunk_may_be_a_violation(contradictions: int) -> None:
    receiver = make_receiver()
    assert not receiver.request_reset(10, (1,))
    for number in range(contradictions):
        for offset, ssn in enumerate((0, 1)):
            tsn = 11 + 10 * number + offset
            receiver.receive_data(bytes(12) + chunk(tsn, (BEGIN, END)[offset], ssn=ssn), 12)
    assert receiver.violation is None
    receiver.receive_data(bytes(12) + chunk(10, stream=2), 12)
    receiver.finish_batch(0.0)
    assert receiver.violation is not None
    assert receiver.violation.value.endswith(b"TSNs 11 to 11")


def test_each_chunk_that_is_dropped_counts_once() -> None:
    receiver = make_receiver(buffer_size=1000)
    for _ in range(3):
        receiver.receive_data(bytes(12) + chunk(10), 12)
    assert receiver.dropped == {"duplicate or out of the window": 2}
    for tsn in range(11, 40):
        receiver.receive_data(bytes(12) + chunk(tsn, ssn=tsn - 10), 12)
    taken = receiver.chunks_received
    assert receiver.dropped == {"duplicate or out of the window": 2, "receive buffer full": 30 - taken}
    assert receiver.tracker.cumulative_tsn == 9 + taken
