"""Streams that are reset and used again."""

import math

import pytest

from tests.strategies.line_count import count_lines
from tests.strategies.sctp_pair import DATA, INIT_ACK, RE_CONFIG, LoseNth, SctpPair, chunk_kinds, lose_share
from tests.strategies.sctp_peer import data_chunk, established_peer
from trio_rtc.protocols.sctp import (
    BufferedAmountLow,
    IncomingStreamsReset,
    MessagesAvailable,
    OutgoingResetFailed,
    OutgoingStreamsReset,
)
from trio_rtc.protocols.sctp.packet.chunks import ReConfig, Sack
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import add_checksum
from trio_rtc.protocols.sctp.packet.parameters import Parameter
from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest, ReconfigurationResponse
from trio_rtc.protocols.sctp.rx.receiver import Receiver
from trio_rtc.protocols.sctp.stream_reset import StreamReset
from trio_rtc.protocols.sctp.tx.send_queue import SendQueue


def test_streams_are_reset_after_their_messages_and_can_be_used_again() -> None:
    pair = SctpPair(lost=lose_share(0.1, 3)).connect()
    for generation in range(3):
        for number in range(10):
            pair.left.association.send(4, 53, bytes([generation, number]) * 400, pair.now)
        pair.left.association.reset_streams([4], pair.now)
        count = generation + 1
        assert pair.run(lambda count=count: pair.left.events.count(OutgoingStreamsReset((4,))) == count, 30)  # type: ignore[misc]
        assert pair.right.events.count(IncomingStreamsReset((4,))) == generation + 1
        assert len(pair.right.on_stream(4)) == 10 * (generation + 1), "the reset came after the messages"
    expected = [bytes([generation, number]) * 400 for generation in range(3) for number in range(10)]
    assert pair.right.on_stream(4) == expected


def test_messages_after_a_reset_wait_for_it() -> None:
    pair = SctpPair().connect()
    association = pair.left.association
    association.send(4, 53, b"before", pair.now)
    association.reset_streams([4, 6], pair.now)
    association.send(4, 53, b"after", pair.now)
    assert association.buffered_amount(4) == 11
    assert pair.run(lambda: len(pair.right.messages) == 2, 5)
    assert pair.right.on_stream(4) == [b"before", b"after"]
    reset = [event for event in pair.right.events if isinstance(event, IncomingStreamsReset)]
    assert sorted(stream for event in reset for stream in event.stream_ids) == [4, 6]


@pytest.mark.parametrize("sender", [0, 1])
def test_lost_reset_requests_and_responses_are_repeated(sender: int) -> None:
    pair = SctpPair(lost=LoseNth(sender, RE_CONFIG, 0, 1)).connect()
    pair.left.association.send(4, 53, b"x", pair.now)
    pair.left.association.reset_streams([4], pair.now)
    assert pair.run(lambda: OutgoingStreamsReset((4,)) in pair.left.events, 10)
    assert pair.right.events.count(IncomingStreamsReset((4,))) == 1


def test_a_reset_is_in_progress_while_data_before_it_is_missing() -> None:
    pair = SctpPair().connect()
    pair.lost = LoseNth(0, DATA, 0)
    pair.left.association.send(1, 53, bytes(1000), pair.now)
    pair.flush()
    pair.left.association.reset_streams([4], pair.now)
    pair.run_for(0.1)
    assert not pair.right.has(IncomingStreamsReset)
    assert pair.run(lambda: OutgoingStreamsReset((4,)) in pair.left.events, 5)
    assert pair.right.events.count(IncomingStreamsReset((4,))) == 1
    assert pair.right.on_stream(1) == [bytes(1000)]


def test_a_request_leaves_once() -> None:
    pair = SctpPair().connect()
    association = pair.left.association
    association.reset_streams([4], pair.now)
    (packet,) = association.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [RE_CONFIG]
    assert association.datagrams_to_send(pair.now) == []
    association.send(1, 53, b"next", pair.now)
    (packet,) = association.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [DATA]


def test_a_request_is_not_sent_again_with_the_answer_to_the_peers() -> None:
    pair = SctpPair().connect()
    for end in pair.ends:
        end.association.reset_streams([4], pair.now)
    assert pair.run(lambda: all(end.has(OutgoingStreamsReset) for end in pair.ends), 5)
    for sender in (0, 1):
        sent = [packet for index, packet in pair.wire if index == sender and RE_CONFIG in chunk_kinds(packet)]
        # The parameter's type follows the headers of packet and chunk.
        kinds = [int.from_bytes(packet[16:18], "big") for packet in sent]
        assert [chunk_kinds(packet) for packet in sent] == [[RE_CONFIG]] * 2
        assert kinds == [OutgoingResetRequest.kind, ReconfigurationResponse.kind]


def test_both_sides_reset_the_same_streams_at_once() -> None:
    pair = SctpPair().connect()
    for end in pair.ends:
        end.association.reset_streams([1, 2], pair.now)
    assert pair.run(lambda: all(end.has(OutgoingStreamsReset) for end in pair.ends), 5)
    assert all(IncomingStreamsReset((1, 2)) in end.events for end in pair.ends)


def test_many_streams_are_reset_in_several_requests() -> None:
    pair = SctpPair().connect()
    pair.left.association.reset_streams(range(1000), pair.now)
    assert pair.run(
        lambda: (
            sum(
                len(event.stream_ids) for event in pair.left.events if isinstance(event, OutgoingStreamsReset)
            )
            == 1000
        ),
        5,
    )


def test_a_peer_that_cannot_reset_is_detected() -> None:
    pair = SctpPair()

    def strip_extensions(sender: int, packet: bytes) -> bool:
        if sender == 1 and INIT_ACK in chunk_kinds(packet):
            # An unknown parameter that is skipped, in the place of Supported Extensions.
            changed = packet[:8] + bytes(4) + packet[12:].replace(b"\x80\x08\x00\x06", b"\x8f\x08\x00\x06")
            pair.transmit(0, add_checksum(changed))
            return True
        return False

    pair.lost = strip_extensions
    pair.connect(both=False)
    pair.left.association.reset_streams([3], pair.now)
    pair.run_for(1)
    assert OutgoingResetFailed((3,)) in pair.left.events
    pair.left.association.send(3, 53, b"still there", pair.now)
    assert pair.run(lambda: pair.right.on_stream(3) == [b"still there"], 1)


def test_thousands_of_streams_are_reset_in_several_requests() -> None:
    """Also after streams with unacknowledged data, which are examined again when it is acknowledged."""
    pair = SctpPair().connect()
    association = pair.left.association
    pair.lost = lambda sender, packet: sender == 0 and DATA in chunk_kinds(packet)
    for stream_id in range(2000):
        association.send(stream_id, 53, b"x", pair.now)
    association.reset_streams(range(4000), pair.now)
    pair.run_for(0.05)
    pair.lost = lambda sender, packet: False

    def reset() -> int:
        events = [event for event in pair.left.events if isinstance(event, OutgoingStreamsReset)]
        return sum(len(event.stream_ids) for event in events)

    assert pair.run(lambda: reset() == 4000, 60)
    assert len(pair.right.messages) == 2000


def test_a_request_examines_a_bounded_number_of_streams() -> None:
    def work(streams: int) -> int:
        pair = SctpPair().connect()
        association = pair.left.association
        for stream_id in range(streams):
            association.send(stream_id, 53, b"x", pair.now)
        association.reset_streams(range(streams), pair.now)
        return count_lines(lambda: association.datagrams_to_send(pair.now))

    assert work(9000) == work(3000)


def test_a_new_association_resets_nothing() -> None:
    resets = StreamReset(1, 2, True)
    assert not resets.has_requests
    assert not resets.has_chunks
    assert resets.errors == 0
    assert resets.deadline == math.inf
    assert resets.take_chunks(0.0, 1.0) == []


def test_repetitions_are_counted_for_each_request() -> None:
    pair = SctpPair(lost=lambda sender, packet: sender == 1 and RE_CONFIG in chunk_kinds(packet)).connect()
    pair.left.association.reset_streams([1], pair.now)
    assert pair.run(lambda: pair.kinds_sent(0)[RE_CONFIG] == 4, 10)
    block = pair.left.association._lifecycle.block
    assert block is not None
    assert block.errors == block.resets.errors == 3
    pair.lost = lambda sender, packet: False
    assert pair.run(lambda: not block.resets.has_requests, 20)
    assert block.errors == 0
    assert block.resets.deadline == math.inf
    pair.left.association.reset_streams([1], pair.now)
    pair.flush()
    assert block.errors == 0
    assert block.resets.deadline > pair.now


@pytest.mark.parametrize(("count", "requests"), [(200, [200]), (201, [200, 1])])
def test_two_hundred_streams_fit_a_request(count: int, requests: list[int]) -> None:
    pair = SctpPair().connect()
    pair.left.association.reset_streams(range(count), pair.now)
    assert pair.run(
        lambda: (
            sum(1 for event in pair.left.events if isinstance(event, OutgoingStreamsReset)) == len(requests)
        ),
        5,
    )
    done = [event.stream_ids for event in pair.left.events if isinstance(event, OutgoingStreamsReset)]
    assert [len(ids) for ids in done] == requests


def test_only_the_answer_to_the_request_in_flight_counts() -> None:
    resets = StreamReset(5, 2, True)
    queue = SendQueue(1000)
    queue.begin_reset(1)
    resets._request = OutgoingResetRequest(5, 1, 0, (1,))
    receiver = Receiver(1, buffer_size=10_000, max_message_size=1000, streams=10, ack_delay=0.1)
    for sequence in (4, 6):
        chunk = ReConfig((ReconfigurationResponse(sequence, 1).encode(),))
        assert resets.handle_chunk(chunk, receiver, queue) == []
        assert resets.has_requests
    chunk = ReConfig((ReconfigurationResponse(5, 1).encode(),))
    assert resets.handle_chunk(chunk, receiver, queue) == [OutgoingStreamsReset((1,))]
    assert resets.handle_chunk(chunk, receiver, queue) == []
    assert not resets.has_requests


def test_a_peer_that_cannot_reset_fails_once_for_each_stream() -> None:
    queue = SendQueue(1000)
    resets = StreamReset(5, 2, False)
    for stream in (1, 3):
        queue.begin_reset(stream)
        resets.request(stream)
    transmitter = SctpPair().connect().left.association._lifecycle.block
    assert transmitter is not None
    assert resets.prepare(queue, transmitter.transmitter) == [OutgoingResetFailed((1, 3))]
    assert resets.prepare(queue, transmitter.transmitter) == []
    assert not resets.has_requests


# A scripted peer. The association's TSNs and requests begin with 100, those of the peer with 20.


def request(sequence: int, *streams: int, last_tsn: int = 19) -> bytes:
    return ReConfig((OutgoingResetRequest(sequence, 99, last_tsn, streams).encode(),)).encode()


def response(sequence: int, result: int) -> bytes:
    return ReConfig((ReconfigurationResponse(sequence, result).encode(),)).encode()


def denied(kind: int, sequence: int) -> bytes:
    """Return a request of another kind, with its sequence number and four bytes more."""
    return ReConfig((Parameter(kind, sequence.to_bytes(4, "big") + bytes(4)),)).encode()


NOTHING, PERFORMED, DENIED, WRONG_SSN, BUSY, BAD_SEQUENCE, IN_PROGRESS = range(7)


def test_requests_are_performed_once_and_answered_each_time() -> None:
    """RFC 6525 section 5.2.1: only the last one and the next one are in sequence."""
    peer, tag = established_peer()
    peer.association.events()

    def answers(chunk: bytes) -> list[bytes]:
        return [chunks for _, chunks in peer.send(tag, chunk)]

    assert answers(request(19, 1)) == [response(19, BAD_SEQUENCE)]
    assert answers(request(21, 1)) == [response(21, BAD_SEQUENCE)]
    assert peer.association.events() == ()
    for count in (1, 0):
        assert answers(request(20, 1, 2)) == [response(20, PERFORMED)]
        assert list(peer.association.events()) == [IncomingStreamsReset((1, 2))] * count
    assert answers(request(19, 1)) == [response(19, BAD_SEQUENCE)]
    for kind in (14, 15, 17, 18):
        assert answers(denied(kind, 22)) == [response(22, BAD_SEQUENCE)]
    for _ in range(2):
        assert answers(denied(17, 21)) == [response(21, DENIED)]
    assert answers(request(20, 1, 2)) == [response(20, BAD_SEQUENCE)]
    assert answers(request(22)) == [response(22, PERFORMED)]
    assert list(peer.association.events()) == [IncomingStreamsReset(())]
    # An unknown parameter is none of them.
    assert answers(denied(19, 23)) == []


def test_a_request_waits_for_the_data_before_it_and_no_other_is_accepted_meanwhile() -> None:
    peer, tag = established_peer()
    peer.association.events()
    assert peer.send(tag, request(20, 1, last_tsn=21)) == [(7, response(20, IN_PROGRESS))]
    assert peer.send(tag, request(20, 1, last_tsn=21)) == [(7, response(20, IN_PROGRESS))]
    assert peer.send(tag, request(21, 2)) == [(7, response(21, BUSY))]
    assert peer.association.events() == ()
    assert peer.send(tag, data_chunk(20)) == [(7, Sack(20, 4194200).encode())]
    assert peer.association.events() == [MessagesAvailable((1,))]
    assert peer.association.receive_message(1) == (51, b"data")
    ((_, chunks),) = peer.send(tag, data_chunk(21))
    assert chunks[16:] == response(20, PERFORMED)
    assert IncomingStreamsReset((1,)) in peer.association.events()
    assert peer.send(tag, request(20, 1, last_tsn=21)) == [(7, response(20, PERFORMED))]
    assert peer.send(tag, request(21, 2)) == [(7, response(21, PERFORMED))]
    assert peer.association.events() == [IncomingStreamsReset((2,))]


def test_four_responses_leave_in_a_batch() -> None:
    peer, tag = established_peer()
    ((_, chunks),) = peer.send(tag, *(request(30 + number, 1) for number in range(6)))
    assert chunks == b"".join(response(30 + number, BAD_SEQUENCE) for number in range(4))
    assert peer.send(tag, request(34, 1)) == [(7, response(34, BAD_SEQUENCE))]


def test_a_malformed_parameter_invalidates_the_chunk() -> None:
    peer, tag = established_peer()
    peer.association.events()
    good = OutgoingResetRequest(20, 99, 19, (1,)).encode()
    assert peer.send(tag, ReConfig((good, Parameter(13, bytes(11)))).encode()) == []
    assert peer.association.events() == ()
    assert peer.association.statistics().dropped == {"malformed": 1}
    assert peer.send(tag, ReConfig((good,)).encode()) == [(7, response(20, PERFORMED))]


@pytest.mark.parametrize(
    ("result", "done"),
    [(NOTHING, True), (PERFORMED, True), (DENIED, False), (WRONG_SSN, False), (BAD_SEQUENCE, False)],
)
def test_results_of_our_request(result: int, done: bool) -> None:
    peer, tag = established_peer()
    association = peer.association
    association.send(1, 51, b"data", peer.now)
    peer.sent_packets()
    peer.send(tag, Sack(100, 100_000).encode())
    association.events()
    association.reset_streams([1, 2], peer.now)
    association.reset_streams([2, 3], peer.now)
    asked = ReConfig((OutgoingResetRequest(100, 19, 100, (1, 2, 3)).encode(),)).encode()
    assert peer.sent_packets() == [(7, asked)]
    association.reset_streams([3, 4], peer.now)
    association.send(1, 51, b"next", peer.now)
    assert peer.sent_packets() == []
    assert association.next_timer() == peer.now + association.statistics().retransmission_timeout
    # The peer waits for something: it is alive, and asked again.
    for pending in (IN_PROGRESS, BUSY):
        assert peer.send(tag, response(100, pending)) == []
        peer.now = association.next_timer()
        association.handle_timer(peer.now)
        assert peer.sent_packets() == [(7, asked)]
    event = (OutgoingStreamsReset if done else OutgoingResetFailed)((1, 2, 3))
    answers = [chunks for _, chunks in peer.send(tag, response(100, result))]
    assert [told for told in association.events() if not isinstance(told, BufferedAmountLow)] == [event]
    another = ReConfig((OutgoingResetRequest(101, 19, 100, (4,)).encode(),)).encode()
    ssn = 0 if done else 1
    after = DATA_HEADER.pack(0, BEGIN | END, 20, 101, 1, ssn, 51) + b"next"
    assert b"".join(answers) == another + after
    assert peer.send(tag, response(100, result)) == [], "an old response has no effect"
    assert association.events() == ()


def test_a_peer_that_answers_no_reset_ends_the_association() -> None:
    """Each repetition counts as a retransmission; an answer that it is in progress ends the count."""
    peer, tag = established_peer(max_retransmissions=3, heartbeat_interval=0.0)
    association = peer.association
    association.reset_streams([1], peer.now)
    for silent in (2, 3):
        for _ in range(silent):
            assert not association.closed
            assert len(peer.sent_packets()) == 1
            peer.now = association.next_timer()
            association.handle_timer(peer.now)
        if silent == 2:
            assert len(peer.send(tag, response(100, IN_PROGRESS))) == 1
            peer.now = association.next_timer()
            association.handle_timer(peer.now)
    assert association.closed
