"""The send queue: streams, fragmentation, limits, resets."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END, UNORDERED
from trio_rtc.protocols.sctp.tx.send_queue import SendQueue, make_reliability

PAYLOAD = 1000


SPACE = PAYLOAD + 16


def drain(queue: SendQueue, space: int = SPACE, now: float = 0.0) -> list[tuple[int, int, int, bytes]]:
    """Return stream, SSN, flags and payload of each chunk produced."""
    found = []
    tsn = 1
    while (produced := queue.produce(space, tsn, now)) is not None:
        chunk = produced[0]
        kind, flags, length, wire_tsn, stream, ssn, ppid = DATA_HEADER.unpack_from(chunk)
        assert (kind, wire_tsn, ppid) == (0, tsn, 51)
        assert len(chunk) == (length + 3) & ~3 <= space
        found.append((stream, ssn, flags, chunk[16:length]))
        tsn += 1
    return found


def test_streams_take_turns_and_partly_sent_messages_are_finished() -> None:
    queue = SendQueue(PAYLOAD)
    for stream, size in ((1, 2500), (1, 10), (2, 10), (2, 10), (3, 10)):
        queue.push(stream, 51, bytes(size), True, None)
    produced = drain(queue)
    assert [(stream, ssn, flags) for stream, ssn, flags, _ in produced] == [
        (1, 0, BEGIN),
        (1, 0, 0),
        (1, 0, END),
        (2, 0, BEGIN | END),
        (3, 0, BEGIN | END),
        (1, 1, BEGIN | END),
        (2, 1, BEGIN | END),
    ]
    assert queue.total == 0
    assert not queue.has_sendable


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5000), st.booleans()), max_size=12),
    st.integers(70, 254).map(lambda quarter: 4 * quarter),
)
def test_fragments_make_up_the_messages(messages: list[tuple[int, int, bool]], space: int) -> None:
    queue = SendQueue(PAYLOAD)
    chance = random.Random(1)
    sent = [(stream, chance.randbytes(size), ordered) for stream, size, ordered in messages]
    for stream, data, ordered in sent:
        queue.push(stream, 51, data, ordered, None)
    assert queue.total == sum(len(data) for _, data, _ in sent)
    whole: dict[int, list[bytes]] = {stream: [] for stream in range(4)}
    parts: list[bytes] = []
    tsn = 0
    room = space
    while queue.has_sendable:
        produced = queue.produce(room, tsn, 0.0)
        if produced is None:
            assert room < SPACE, "a full packet is never left empty"
            room = SPACE
            continue
        room = space
        _, flags, length, _, stream, _, _ = DATA_HEADER.unpack_from(produced[0])
        parts = [produced[0][16:length]] if flags & BEGIN else [*parts, produced[0][16:length]]
        if flags & END:
            whole[stream].append(b"".join(parts))
        tsn += 1
    for stream in range(4):
        assert whole[stream] == [data for number, data, _ in sent if number == stream]
    assert queue.total == 0


def test_a_message_of_one_packet_is_not_cut() -> None:
    queue = SendQueue(PAYLOAD)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    assert queue.produce(SPACE - 4, 1, 0.0) is None
    assert queue.produce(SPACE, 1, 0.0) is not None


def test_unordered_messages_use_no_ssn() -> None:
    queue = SendQueue(PAYLOAD)
    for ordered in (True, False, True):
        queue.push(1, 51, b"x", ordered, None)
    assert [(ssn, flags & UNORDERED) for _, ssn, flags, _ in drain(queue)] == [(0, 0), (0, 4), (1, 0)]


def test_expired_messages_are_dropped_unseen_and_many_at_once() -> None:
    queue = SendQueue(PAYLOAD)
    for _ in range(5000):
        queue.push(
            1, 51, b"old", True, make_reliability(1, ordered=True, max_retransmits=None, expires_at=1.0)
        )
    queue.push(1, 51, b"new", True, None)
    assert [(ssn, data) for _, ssn, _, data in drain(queue, now=1.0)] == [(0, b"new")]
    assert queue.expired == 5000


def test_messages_that_do_not_count_are_sent_and_take_room() -> None:
    queue = SendQueue(PAYLOAD)
    queue.push(1, 51, bytes(1500), True, None, counted=False)
    queue.push(1, 51, bytes(700), True, None)
    assert (queue.buffered(1), queue.total) == (700, 2200)
    queue.produce(SPACE, 1, 0.0)
    assert (queue.buffered(1), queue.total) == (700, 2200 - PAYLOAD)
    assert queue.take_low_streams() == []
    drain(queue)
    assert (queue.buffered(1), queue.total) == (0, 0)
    assert queue.take_low_streams() == [1]


def test_streams_beyond_the_limit_take_no_room_any_more() -> None:
    queue = SendQueue(PAYLOAD)
    for stream in (1, 2):
        queue.push(stream, 51, bytes(1500), True, None, counted=False)
        queue.push(stream, 51, bytes(700), True, None)
    queue.produce(SPACE, 1, 0.0)
    queue.limit_streams(1)
    assert queue.total == 0
    assert not queue.has_sendable


def test_low_is_reported_once_for_each_fall() -> None:
    queue = SendQueue(PAYLOAD)
    queue.set_threshold(1, 1500)
    queue.push(1, 51, bytes(3000), True, None)
    queue.produce(SPACE, 1, 0.0)
    assert queue.take_low_streams() == []
    queue.produce(SPACE, 2, 0.0)
    assert queue.take_low_streams() == [1]
    queue.produce(SPACE, 3, 0.0)
    assert queue.take_low_streams() == []


def test_the_first_tsn_of_a_message_may_be_zero() -> None:
    reliability = make_reliability(1, ordered=True, max_retransmits=1, expires_at=None)
    assert reliability is not None
    for tsn in (0, 1, 2):
        reliability.record_sent(tsn, 7)
    assert (reliability.first_tsn, reliability.last_tsn, reliability.ssn) == (0, 2, 7)


def test_two_streams_take_turns() -> None:
    queue = SendQueue(PAYLOAD)
    for stream in (1, 1, 2, 2):
        queue.push(stream, 51, b"x", True, None)
    assert [stream for stream, _, _, _ in drain(queue)] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("size", "room", "fragment"), [(1001, 255, None), (1001, 256, 256), (1000, 999, None)]
)
def test_the_rest_of_a_packet_is_filled_with_a_fragment_of_256_bytes_at_least(
    size: int, room: int, fragment: int | None
) -> None:
    queue = SendQueue(PAYLOAD)
    queue.push(1, 51, bytes(size), True, None)
    produced = queue.produce(room + 16, 1, 0.0)
    assert (None if produced is None else len(produced[0]) - 16) == fragment


@pytest.mark.parametrize("size", range(1, 9))
def test_chunks_are_padded_to_four_bytes(size: int) -> None:
    queue = SendQueue(PAYLOAD)
    queue.push(1, 51, bytes(size), True, None)
    produced = queue.produce(SPACE, 1, 0.0)
    assert produced is not None
    assert len(produced[0]) == 16 + (size + 3) // 4 * 4
    assert DATA_HEADER.unpack_from(produced[0])[2] == 16 + size


def test_streams_that_the_peer_does_not_offer_are_dropped_with_a_partly_sent_message() -> None:
    queue = SendQueue(PAYLOAD)
    for stream, size in ((10, 2500), (9, 20), (11, 30), (9, 40)):
        queue.push(stream, 51, bytes(size), True, None)
    assert queue.produce(SPACE, 1, 0.0) is not None
    assert queue.total == 1500 + 20 + 30 + 40
    queue.limit_streams(10)
    assert queue.total == 60
    assert [queue.buffered(stream) for stream in (9, 10, 11)] == [60, 0, 0]
    assert [(stream, ssn, len(data)) for stream, ssn, _, data in drain(queue)] == [(9, 0, 20), (9, 1, 40)]
    assert queue.total == 0
    assert not queue.has_sendable


def test_a_lifetime_that_ends_between_fragments_abandons_the_message() -> None:
    queue = SendQueue(PAYLOAD)
    reliability = make_reliability(1, ordered=True, max_retransmits=None, expires_at=1.0)
    queue.push(1, 51, bytes(2500), True, reliability)
    queue.push(1, 51, b"next", True, None)
    assert queue.produce(SPACE, 7, 0.9) is not None
    assert queue.produce(SPACE, 8, 1.0) is None
    assert queue.expired_begun == [reliability]
    assert reliability is not None
    assert (reliability.first_tsn, reliability.last_tsn, reliability.ssn) == (7, 7, 0)
    assert queue.expired == 0
    assert queue.total == 4
    assert [(ssn, data) for _, ssn, _, data in drain(queue, now=1.0)] == [(1, b"next")]


def test_limits_do_not_apply_to_a_peer_without_partial_reliability() -> None:
    queue = SendQueue(PAYLOAD)
    queue.partial_reliability = False
    queue.push(1, 51, b"old", True, make_reliability(1, ordered=True, max_retransmits=0, expires_at=1.0))
    produced = queue.produce(SPACE, 1, 2.0)
    assert produced is not None
    assert produced[1] is None


@pytest.mark.parametrize(
    ("max_retransmits", "expires_at", "expected"),
    [(None, None, None), (0, None, (0, math.inf)), (3, 5.0, (3, 5.0)), (None, 5.0, (math.inf, 5.0))],
)
def test_limits(
    max_retransmits: int | None, expires_at: float | None, expected: tuple[float, float] | None
) -> None:
    found = make_reliability(4, ordered=False, max_retransmits=max_retransmits, expires_at=expires_at)
    if found is None:
        assert expected is None
    else:
        assert (found.max_retransmits, found.expires_at) == expected
        assert (found.stream_id, found.ordered, found.ssn, found.abandoned) == (4, False, 0, False)


def test_messages_after_a_reset_have_new_ssns_and_those_after_a_failed_one_the_old() -> None:
    for finishes in (True, False):
        queue = SendQueue(PAYLOAD)
        queue.push(1, 51, b"before", True, None)
        queue.begin_reset(1)
        queue.push(1, 51, b"after", True, None)
        queue.begin_reset(1)
        queue.push(1, 51, b"later", True, None)
        assert [data for _, _, _, data in drain(queue)] == [b"before"]
        assert [queue.is_drained(1, tsn) for tsn in (0, 1, 2)] == [False, True, True]
        assert queue.total == 10
        assert queue.buffered(1) == 10
        (queue.finish_reset if finishes else queue.cancel_reset)([1])
        ssns = [0, 1] if finishes else [1, 2]
        assert [(ssn, data) for _, ssn, _, data in drain(queue)] == [(ssns[0], b"after"), (ssns[1], b"later")]
        assert queue.buffered(1) == queue.total == 0


def test_a_reset_that_fails_before_the_stream_has_drained_keeps_the_order() -> None:
    queue = SendQueue(PAYLOAD)
    queue.push(1, 51, b"before", True, None)
    queue.begin_reset(1)
    queue.push(1, 51, b"after", True, None)
    queue.cancel_reset([1])
    queue.push(1, 51, b"last", True, None)
    assert [(ssn, data) for _, ssn, _, data in drain(queue)] == [(0, b"before"), (1, b"after"), (2, b"last")]


def test_low_is_reported_when_the_threshold_is_reached_and_not_again_below_it() -> None:
    queue = SendQueue(PAYLOAD)
    queue.set_threshold(1, 100)
    for _ in range(4):
        queue.push(1, 51, bytes(50), True, None)
    told = []
    for tsn in range(4):
        queue.produce(SPACE, tsn, 0.0)
        told.append(queue.take_low_streams())
    assert told == [[], [1], [], []]
