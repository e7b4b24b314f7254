"""Control chunks, new data and retransmissions in packets."""

import math
import random

import pytest

from tests.strategies.sctp_packets import dropped, init_of, kinds_of, make_pair, receive, to_right
from tests.strategies.sctp_pair import COOKIE_ECHO, DATA, INIT, INIT_ACK, SACK, SctpPair, chunk_kinds
from tests.strategies.sctp_peer import Peer, data_chunk, established_peer
from trio_rtc.protocols.sctp import Association, SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import (
    CookieAck,
    CookieEcho,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
)
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import encode_header, encode_packet
from trio_rtc.protocols.sctp.packet.parameters import Parameter

# Packets.


def heartbeats(count: int) -> bytes:
    return Heartbeat(b"x").encode() * count


@pytest.mark.parametrize(("asked", "answered"), [(31, 31), (32, 32), (33, 32), (50, 32)])
def test_thirty_two_replies_may_be_queued(asked: int, answered: int) -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    packet = to_right(tag, Heartbeat(b"nonce").encode())
    pair.right.association.receive([packet] * asked, pair.now)
    answers = pair.right.association.datagrams_to_send(pair.now)
    assert sum(map(len, kinds_of(answers))) == answered
    assert dropped(pair, "reply") == asked - answered
    assert len(receive(pair, packet)) == 1, "the next round has room again"


@pytest.mark.parametrize(("asked", "answered"), [(32, 32), (33, 32)])
def test_thirty_two_separate_packets_may_be_queued(asked: int, answered: int) -> None:
    pair = make_pair()
    pair.right.association.receive([to_right(0, Init(77, 100_000, 10, 10, 5).encode())] * asked, pair.now)
    assert kinds_of(pair.right.association.datagrams_to_send(pair.now)) == [[INIT_ACK]] * answered
    assert pair.right.association.datagrams_to_send(pair.now) == []


@pytest.mark.parametrize(("size", "answered"), [(1140, True), (1144, False)])
def test_an_answer_that_does_not_fit_a_packet_is_dropped(size: int, answered: bool) -> None:
    """A packet has 1,160 bytes: 12 of header, 4 of the chunk, 4 of the parameter, and the nonce."""
    pair = make_pair().connect()
    packets = receive(pair, to_right(init_of(pair, 1).initiate_tag, Heartbeat(bytes(size)).encode()))
    assert [len(packet) for packet in packets] == [1160] * answered
    assert dropped(pair, "reply") == (not answered)


@pytest.mark.parametrize(("size", "packets"), [(568, [1160]), (572, [592, 584])])
def test_control_chunks_share_a_packet_that_they_fill(size: int, packets: list[int]) -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    asked = [to_right(tag, Heartbeat(bytes(room)).encode()) for room in (size, 564)]
    pair.right.association.receive(asked, pair.now)
    assert [len(packet) for packet in pair.right.association.datagrams_to_send(pair.now)] == packets


def test_delayed_data_is_discarded_at_the_end() -> None:
    pair = SctpPair().connect()
    left = pair.left.association
    for message in (b"leaves", b"waits"):
        left.send(1, 51, message, pair.now)
        left.datagrams_to_send(pair.now)
    assert left.next_timer() == pytest.approx(pair.now + 0.001)
    left.lower_closed(pair.now)
    assert left.next_timer() == math.inf
    assert left.datagrams_to_send(pair.now + 1) == []


@pytest.mark.parametrize(("count", "dropped"), [(31, {}), (32, {}), (33, {"reply": 1}), (40, {"reply": 8})])
def test_thirty_two_requests_of_a_batch_are_answered(count: int, dropped: dict[str, int]) -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    ((_, answer),) = peer.send(tag, heartbeats(count))
    assert answer == HeartbeatAck(b"x").encode() * min(count, 32)
    assert peer.association.statistics().dropped == dropped
    assert peer.send(tag, heartbeats(1)) == [(7, HeartbeatAck(b"x").encode())]


def test_thirty_two_inits_of_a_batch_are_answered() -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    init = encode_packet(encode_header(5000, 5000, 0), [Init(7, 100_000, 10, 10, 5).encode()])
    association.receive([init] * 40, 0.0)
    assert len(association.datagrams_to_send(0.0)) == 32
    association.receive([init], 0.0)
    assert len(association.datagrams_to_send(0.0)) == 1


@pytest.mark.parametrize("size", [1140, 1141])
def test_an_answer_fits_a_packet_or_is_dropped(size: int) -> None:
    """A packet of 1160 bytes has 1148 for chunks, of which eight are headers of chunk and parameter."""
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    question, answer = Heartbeat(bytes(size)), HeartbeatAck(bytes(size))
    assert peer.send(tag, question.encode()) == ([(7, answer.encode())] if size == 1140 else [])
    assert peer.association.statistics().dropped == ({} if size == 1140 else {"reply": 1})


def test_answers_fill_packets_in_order() -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    # Headers of four and four bytes; 1148 bytes fit each packet.
    questions = [Heartbeat(bytes([number]) * size) for number, size in enumerate((500, 632, 4, 1128, 0, 9))]
    answers = peer.send(tag, *(question.encode() for question in questions[:3]))
    answers += peer.send(tag, *(question.encode() for question in questions[3:]))
    replies = [HeartbeatAck(question.info).encode() for question in questions]
    assert [chunks for _, chunks in answers] == [
        b"".join(replies[:2]),
        replies[2],
        b"".join(replies[3:5]),
        replies[5],
    ]


@pytest.mark.parametrize("checksum", [False, True])
def test_only_the_cookie_has_a_checksum_with_zero_checksum(checksum: bool) -> None:
    """RFC 9653 section 5.2: the packet with the COOKIE ECHO has one in any case, and INIT and INIT ACK as well."""
    pair = SctpPair(SctpOptions(zero_checksum=not checksum)).connect()
    pair.left.association.send(1, 51, b"data", pair.now)
    pair.run_for(1)
    for _, packet in pair.wire:
        handshake = not {INIT, INIT_ACK, COOKIE_ECHO}.isdisjoint(chunk_kinds(packet))
        assert (packet[8:12] != bytes(4)) is (handshake or checksum)


@pytest.mark.parametrize("cookie_size", [1000, 1040, 1044, 1048])
def test_chunks_bundled_with_the_cookie_fit_its_packet(cookie_size: int) -> None:
    """A report of unknown parameters that does not fit is dropped, and data waits."""
    peer = Peer()
    peer.association.connect(peer.now)
    ((_, init),) = peer.sent_packets()
    tag = int.from_bytes(init[4:8], "big")
    cookie, unknown = Parameter(7, bytes(cookie_size)), Parameter(0xC123, bytes(88))
    report = Error((Parameter(8, unknown.encode()),)).encode()
    assert len(report) == 100
    peer.association.send(1, 51, b"data", peer.now)
    ((_, chunks),) = peer.send(tag, InitAck(7, 100_000, 10, 10, 20, (cookie, unknown)).encode())
    echo = CookieEcho(cookie.value).encode()
    rest = 1148 - len(echo)
    if rest >= 100:
        assert chunks == echo + report + data_chunk(100) * (rest >= 120)
    else:
        assert chunks == echo + data_chunk(100)
    # The report is sent once.
    peer.now += 0.5
    peer.association.handle_timer(peer.now)
    ((_, chunks),) = peer.sent_packets()
    assert chunks == echo + data_chunk(100)


def test_cookie_ack_comes_first_and_once() -> None:
    """RFC 9260 section 5.1: it is the first chunk of its packet."""
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    header = encode_header(5000, 5000, tag)
    questions = [encode_packet(header, [chunk]) for chunk in (heartbeats(1), echo, heartbeats(1), echo)]
    peer.association.receive(questions, peer.now)
    assert peer.sent_packets() == [(7, CookieAck().encode() + HeartbeatAck(b"x").encode() * 2)]


@pytest.mark.parametrize(("queued", "leaves"), [(16 * 1132 - 1, False), (16 * 1132, True)])
def test_a_batch_of_full_packets_is_not_delayed(queued: int, leaves: bool) -> None:
    pair = SctpPair(SctpOptions(initial_window_packets=100)).connect()
    left = pair.left.association
    for message in (b"leaves", b"waits"):
        left.send(1, 51, message, pair.now)
        pair.left.sent = len(left.datagrams_to_send(pair.now))
    assert pair.left.sent == 0
    assert left.is_send_deferred(pair.now)
    left.send(1, 51, bytes(queued - 5), pair.now)
    assert left.is_send_deferred(pair.now) is not leaves
    assert (len(left.datagrams_to_send(pair.now)) >= 16) is leaves


def test_delayed_data_leaves_after_the_delay() -> None:
    pair = SctpPair(SctpOptions(coalescing_delay=0.25)).connect()
    left = pair.left.association
    left.send(1, 51, b"leaves", pair.now)
    assert len(left.datagrams_to_send(pair.now)) == 1
    left.send(1, 51, b"waits", pair.now)
    assert left.datagrams_to_send(pair.now) == []
    assert left.next_timer() == pair.now + 0.25
    for early in (0.1, 0.249):
        assert left.is_send_deferred(pair.now + early)
        left.handle_timer(pair.now + early)
        assert left.datagrams_to_send(pair.now + early) == []
    assert not left.is_send_deferred(pair.now + 0.25)
    left.handle_timer(pair.now + 0.25)
    (packet,) = left.datagrams_to_send(pair.now + 0.25)
    assert chunk_kinds(packet) == [DATA]
    assert left.next_timer() > pair.now + 0.25


def test_one_packet_leaves_with_the_cookie_and_the_next_ones_after_cookie_ack() -> None:
    """A partial packet is delayed by a millisecond, as after any other packet with data."""
    peer = Peer()
    for size in (1000, 2000):
        peer.association.send(1, 51, bytes(size), peer.now)
    peer.association.connect(peer.now)
    ((_, init),) = peer.sent_packets()
    tag = int.from_bytes(init[4:8], "big")
    init_ack = InitAck(7, 100_000, 10, 10, 20, (Parameter(7, b"cookie"),)).encode()
    ((_, chunks),) = peer.send(tag, init_ack)
    assert len(chunks) == 12 + 1016
    assert peer.sent_packets() == []
    assert peer.send(tag, CookieAck().encode()) == []
    peer.now += 0.001
    peer.association.handle_timer(peer.now)
    assert [len(chunks) for _, chunks in peer.sent_packets()] == [1148, 16 + 868]


def test_the_partial_packet_of_a_batch_is_delayed() -> None:
    peer, _ = established_peer(initial_window_packets=100)
    peer.association.send(1, 51, bytes(4), peer.now)
    assert len(peer.sent_packets()) == 1
    peer.association.send(1, 51, bytes(16 * 1132 + 100), peer.now)
    assert [len(chunks) for _, chunks in peer.sent_packets()] == [1148] * 16
    assert peer.sent_packets() == []
    peer.now += 0.001
    peer.association.handle_timer(peer.now)
    assert [len(chunks) for _, chunks in peer.sent_packets()] == [116]


def test_new_data_is_bundled_with_a_retransmission() -> None:
    peer, _ = established_peer()
    peer.association.send(1, 51, b"lost", peer.now)
    assert peer.sent_packets() == [(7, data_chunk(100, b"lost"))]
    peer.now += 0.5
    peer.association.handle_timer(peer.now)
    peer.association.send(1, 51, b"new.", peer.now)
    new = DATA_HEADER.pack(0, BEGIN | END, 20, 101, 1, 1, 51) + b"new."
    assert peer.sent_packets() == [(7, data_chunk(100, b"lost") + new)]


def test_a_fast_retransmission_is_not_delayed() -> None:
    peer, tag = established_peer()
    for _ in range(5):
        peer.association.send(1, 51, bytes(1132), peer.now)
    assert len(peer.sent_packets()) == 5
    peer.association.send(1, 51, b"new.", peer.now)
    assert peer.sent_packets() == []
    sent = peer.send(tag, Sack(99, 100_000, ((2, 5),)).encode())
    assert [len(chunks) for _, chunks in sent] == [1148, 20]
    assert int.from_bytes(sent[0][1][4:8], "big") == 100


def test_more_retransmissions_than_a_burst_follow_in_the_next_ones() -> None:
    peer, tag = established_peer(max_burst=2)
    for _ in range(9):
        peer.association.send(1, 51, bytes(1132), peer.now)
    sent = []
    for _ in range(5):
        sent += peer.sent_packets()
        peer.now += 0.001
        peer.association.handle_timer(peer.now)
    assert len(sent) == 9
    sent = peer.send(tag, Sack(99, 100_000, ((5, 9),)).encode())
    for count in (2, 4):
        assert [int.from_bytes(chunks[4:8], "big") for _, chunks in sent] == list(range(100, 100 + count))
        if count == 2:
            assert peer.association.next_timer() == peer.now + 0.0001
        peer.now += 0.0001
        peer.association.handle_timer(peer.now)
        sent += peer.sent_packets()
    assert len(sent) == 4
    assert peer.association.next_timer() > peer.now + 0.1


def test_without_a_delay_the_rest_of_a_batch_follows_at_once() -> None:
    peer, _ = established_peer(initial_window_packets=100, coalescing_delay=0.0)
    peer.association.send(1, 51, bytes(4), peer.now)
    assert len(peer.sent_packets()) == 1
    peer.association.send(1, 51, bytes(16 * 1132 + 100), peer.now)
    assert len(peer.sent_packets()) == 16
    assert peer.association.next_timer() == peer.now + 0.0001
    peer.now += 0.0001
    peer.association.handle_timer(peer.now)
    assert [len(chunks) for _, chunks in peer.sent_packets()] == [116]


def test_an_acknowledgement_is_delayed_also_while_data_is_delayed() -> None:
    peer, tag = established_peer()
    sack = Sack(20, 4194200)
    assert peer.send(tag, data_chunk(20)) == [(7, sack.encode())], "the first one is acknowledged at once"
    peer.association.send(1, 51, bytes(20 * 1132), peer.now)
    assert len(peer.sent_packets()) == 10
    assert peer.send(tag, data_chunk(21)) == []
    peer.now += 0.02
    peer.association.handle_timer(peer.now)
    assert [chunks[0] for _, chunks in peer.sent_packets()] == [SACK]
    assert peer.send(tag, data_chunk(22)) == []
    # It is bundled with the next packet.
    ((_, chunks),) = peer.send(tag, heartbeats(1))
    assert chunks[16:] == HeartbeatAck(b"x").encode()
    assert chunks[:8] == bytes.fromhex("03000010") + (22).to_bytes(4, "big")


def test_cookie_ack_comes_before_an_acknowledgement_and_that_before_all_else() -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    answers = peer.send(tag, echo, heartbeats(2), data_chunk(20))
    sack = Sack(20, 4194200).encode()
    assert answers == [(7, CookieAck().encode() + sack + HeartbeatAck(b"x").encode() * 2)]
