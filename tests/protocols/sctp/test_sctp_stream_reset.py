"""Streams that are reset and used again."""

import math

import pytest

from tests.strategies.sctp_pair import DATA, INIT_ACK, RE_CONFIG, LoseNth, SctpPair, chunk_kinds, lose_share
from tests.strategies.work import count_lines
from trio_rtc.protocols.sctp import IncomingStreamsReset, OutgoingResetFailed, OutgoingStreamsReset
from trio_rtc.protocols.sctp.packet.chunks import ReConfig
from trio_rtc.protocols.sctp.packet.header import add_checksum
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


def test_messages_behind_a_reset_wait_for_it() -> None:
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
def test_lost_reset_requests_and_answers_are_repeated(sender: int) -> None:
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
        # Behind the headers of packet and chunk stands the parameter's type.
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


def test_a_peer_that_cannot_reset_is_told_apart() -> None:
    pair = SctpPair()

    def strip_extensions(sender: int, packet: bytes) -> bool:
        if sender == 1 and INIT_ACK in chunk_kinds(packet):
            # An unknown parameter that is skipped, in the place of Supported Extensions.
            changed = packet[:8] + bytes(4) + packet[12:].replace(b"\x80\x08\x00\x06", b"\x8f\x08\x00\x06")
            pair.fly(0, add_checksum(changed))
            return True
        return False

    pair.lost = strip_extensions
    pair.connect(both=False)
    pair.left.association.reset_streams([3], pair.now)
    pair.run_for(1)
    assert OutgoingResetFailed((3,)) in pair.left.events
    pair.left.association.send(3, 53, b"still there", pair.now)
    assert pair.run(lambda: pair.right.on_stream(3) == [b"still there"], 1)


def test_thousands_of_streams_are_reset_by_and_by() -> None:
    """Also behind streams that have something left to send, which are looked at again when that is acknowledged."""
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


def test_a_request_looks_at_a_bounded_number_of_streams() -> None:
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
    assert not resets.is_busy
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
    assert pair.run(lambda: not block.resets.is_busy, 20)
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
        assert resets.is_busy
    chunk = ReConfig((ReconfigurationResponse(5, 1).encode(),))
    assert resets.handle_chunk(chunk, receiver, queue) == [OutgoingStreamsReset((1,))]
    assert resets.handle_chunk(chunk, receiver, queue) == []
    assert not resets.is_busy


def test_a_peer_that_cannot_reset_is_told_once_for_each_stream() -> None:
    queue = SendQueue(1000)
    resets = StreamReset(5, 2, False)
    for stream in (1, 3):
        queue.begin_reset(stream)
        resets.want(stream)
    transmitter = SctpPair().connect().left.association._lifecycle.block
    assert transmitter is not None
    assert resets.prepare(queue, transmitter.transmitter) == [OutgoingResetFailed((1, 3))]
    assert resets.prepare(queue, transmitter.transmitter) == []
    assert not resets.is_busy
