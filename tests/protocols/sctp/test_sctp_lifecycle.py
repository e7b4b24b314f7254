"""Establishment, shutdown and end of an association."""

import math
import random
from collections.abc import Callable

import attrs
import pytest

from tests.strategies.sctp_packets import (
    deliver_to_right,
    dropped,
    init_of,
    kinds_of,
    make_pair,
    pair_with_unread_messages,
    receive,
    shutting_down,
    to_right,
)
from tests.strategies.sctp_pair import (
    ABORT,
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    ERROR,
    HEARTBEAT,
    INIT,
    INIT_ACK,
    SACK,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    START,
    LoseNth,
    SctpPair,
    chunk_kinds,
)
from tests.strategies.sctp_peer import Peer, data_chunk
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.sctp import (
    Association,
    AssociationClosed,
    AssociationError,
    AssociationEstablished,
    SctpOptions,
)
from trio_rtc.protocols.sctp.packet.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Error,
    Heartbeat,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import add_checksum
from trio_rtc.protocols.sctp.packet.parameters import Parameter


def echoing_peer() -> tuple[Peer, int]:
    """Return a peer that has the association's COOKIE ECHO, and the tag of packets to it."""
    peer = Peer()
    peer.association.connect(peer.now)
    ((_, init),) = peer.sent_packets()
    tag = int.from_bytes(init[4:8], "big")
    init_ack = InitAck(7, 100_000, 10, 10, 20, (Parameter(7, b"cookie"),)).encode()
    assert peer.send(tag, init_ack) == [(7, CookieEcho(b"cookie").encode())]
    return peer, tag


STALE, UNRESOLVABLE = Parameter(3, bytes(4)), Parameter(5, b"address!")


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("zero_checksum", [(True, True), (True, False), (False, False)])
def test_connects_and_talks(both: bool, zero_checksum: tuple[bool, bool]) -> None:
    pair = SctpPair(*[SctpOptions(zero_checksum=zero) for zero in zero_checksum]).connect(both=both)
    pair.left.association.send(1, 51, b"ping", pair.now)
    pair.right.association.send(2, 53, b"pong", pair.now)
    assert pair.run(lambda: bool(pair.left.messages and pair.right.messages), 1)
    assert pair.right.messages == [(1, 51, b"ping")]
    assert pair.left.messages == [(2, 53, b"pong")]
    for end in pair.ends:
        assert [event for event in end.events if isinstance(event, AssociationEstablished)] == [
            AssociationEstablished(65535, 65535)
        ]
        assert end.association.statistics().dropped == {}


def test_handshake_needs_two_round_trips_and_carries_data() -> None:
    pair = SctpPair(delay=0.05)
    pair.left.association.send(1, 51, b"early", pair.now)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 1)
    assert pair.now == pytest.approx(START + 0.15)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(
    ("sender", "kind"),
    [(0, INIT), (1, INIT_ACK), (0, COOKIE_ECHO), (1, COOKIE_ACK), (1, INIT), (0, INIT_ACK), (1, COOKIE_ECHO)],
)
def test_survives_loss_of_each_handshake_packet(both: bool, sender: int, kind: int) -> None:
    pair = SctpPair(lost=LoseNth(sender, kind, 0))
    pair.left.association.send(1, 51, b"early", pair.now)
    pair.right.association.send(1, 51, b"bird", pair.now)
    pair.connect(both=both, timeout=5)
    assert pair.run(lambda: bool(pair.left.messages and pair.right.messages), 5)


def test_fails_without_a_peer() -> None:
    pair = SctpPair(lost=lambda sender, packet: True)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.left.association.closed, 200)
    error = pair.left.closed_event().error
    assert error is not None
    assert error.reason == "the association was not established: the peer does not answer INIT"
    assert pair.kinds_sent(0)[INIT] == SctpOptions().max_init_retransmissions + 1
    assert pair.now == pytest.approx(START + 27.5)


def test_fails_when_the_cookie_is_never_acknowledged() -> None:
    pair = SctpPair(lost=lambda sender, packet: COOKIE_ECHO in chunk_kinds(packet))
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.left.association.closed, 200)
    error = pair.left.closed_event().error
    assert error is not None
    assert error.reason == "the association was not established: the peer does not answer COOKIE ECHO"
    assert pair.now == pytest.approx(START + 27.5)


@pytest.mark.parametrize(("answered_init", "cookies"), [(2, 11), (5, 8), (10, 3)])
def test_init_and_cookie_echo_share_one_deadline(answered_init: int, cookies: int) -> None:
    """A peer answers INIT late, and COOKIE ECHO never, which is sent 0, 0.5, 1.5 and 3.5 s later, then every 3 s."""
    inits = 0

    def lose(sender: int, packet: bytes) -> bool:
        nonlocal inits
        kinds = chunk_kinds(packet)
        inits += INIT in kinds
        return COOKIE_ECHO in kinds or (INIT in kinds and inits <= answered_init)

    pair = SctpPair(lost=lose)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.left.association.closed, 200)
    error = pair.left.closed_event().error
    assert error is not None
    assert error.reason == "the association was not established: the peer does not answer COOKIE ECHO"
    assert pair.now == pytest.approx(START + SctpOptions().set_up_time)
    assert pair.kinds_sent(0)[COOKIE_ECHO] == cookies


def test_a_stale_cookie_does_not_prolong_the_handshake() -> None:
    """The peer answers every COOKIE ECHO with an ERROR, so that the handshake begins again and again."""
    pair = SctpPair(SctpOptions(), SctpOptions(cookie_life=0.001), delay=0.5)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.left.association.closed, 200)
    assert pair.now == pytest.approx(START + 27.5)


def test_the_deadline_ends_with_the_handshake() -> None:
    pair = SctpPair().connect()
    pair.run(lambda: False, 60)
    assert not pair.left.association.closed
    assert not pair.right.association.closed


def test_the_third_cookie_echo_carries_no_data() -> None:
    """For peers that drop a packet with COOKIE ECHO and DATA; the data follows the COOKIE ACK."""
    pair = SctpPair(lost=lambda sender, packet: {COOKIE_ECHO, DATA} <= set(chunk_kinds(packet)))
    pair.left.association.send(1, 51, b"early", pair.now)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 10)
    assert pair.right.messages == [(1, 51, b"early")]
    kinds_sent = [chunk_kinds(packet) for sender, packet in pair.wire if sender == 0]
    echoes = [kinds for kinds in kinds_sent if COOKIE_ECHO in kinds]
    assert echoes == [[COOKIE_ECHO, DATA]] * 2 + [[COOKIE_ECHO]]


def test_chunks_of_an_established_peer_cause_another_cookie_echo_for_a_lost_cookie_ack() -> None:
    pair = SctpPair(lost=LoseNth(1, COOKIE_ACK, 0, 1, 2))
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.right.association.state == "connected", 1)
    for number in range(3):
        pair.right.association.send(1, 51, b"%d" % number, pair.now)
        pair.run_for(0.1)
    assert pair.run(lambda: pair.is_connected, 0.5)
    assert pair.run(lambda: len(pair.left.messages) == 3, 2)


def pair_with_stale_cookie(send: Callable[[Association, float], None], age: float = 3.0) -> SctpPair:
    """Return a pair whose right side is about to get a cookie that is out of date, after the left did ``send``."""
    pair = SctpPair(SctpOptions(), SctpOptions(cookie_life=1.0))
    delayed: list[bytes] = []

    def hold_first_echo(sender: int, packet: bytes) -> bool:
        if COOKIE_ECHO in chunk_kinds(packet) and len(delayed) < 3:
            delayed.append(packet)
            return True
        return False

    pair.lost = hold_first_echo
    send(pair.left.association, pair.now)
    pair.left.association.connect(pair.now)
    pair.run_for(age)
    pair.transmit(1, delayed[0])
    return pair


def test_stale_cookie_restarts_the_handshake() -> None:
    pair = pair_with_stale_cookie(lambda association, now: None)
    assert pair.run(lambda: pair.is_connected, 20)
    assert pair.kinds_sent(1)[ERROR] >= 1
    assert pair.kinds_sent(0)[INIT] == 2


def test_init_follows_a_stale_cookie_at_once() -> None:
    """Not when T1 expires, which would be 1.54 seconds after the beginning."""
    pair = pair_with_stale_cookie(lambda association, now: None, age=1.2)
    assert pair.run(lambda: pair.kinds_sent(0)[INIT] == 2, 0.1)


def test_data_that_went_with_a_stale_cookie_is_delivered() -> None:
    pair = pair_with_stale_cookie(lambda association, now: association.send(1, 51, bytes(3000), now))
    assert pair.run(lambda: bool(pair.right.messages), 20)
    assert pair.right.messages == [(1, 51, bytes(3000))]


def test_message_that_expires_after_it_went_with_a_stale_cookie_is_abandoned() -> None:
    def send(association: Association, now: float) -> None:
        association.send(1, 51, bytes(30000), now, lifetime=2.0)
        association.send(1, 51, b"next", now)

    pair = pair_with_stale_cookie(send)
    assert pair.run(lambda: bool(pair.right.messages), 20)
    assert pair.right.messages == [(1, 51, b"next")]
    assert pair.left.association.statistics().messages_abandoned == 1


def test_stale_cookie_ends_an_association_that_was_to_be_shut_down() -> None:
    pair = pair_with_stale_cookie(lambda association, now: None)
    pair.left.association.shutdown(pair.now)
    assert pair.run(lambda: pair.left.association.closed, 1)
    assert pair.left.closed_event().error is None
    assert pair.kinds_sent(0)[INIT] == 1


def test_forged_cookie_is_dropped() -> None:
    pair = SctpPair()
    pair.lost = lambda sender, packet: COOKIE_ECHO in chunk_kinds(packet)
    pair.left.association.connect(pair.now)
    pair.run_for(0.1)
    (echo,) = [packet for _, packet in pair.wire if COOKIE_ECHO in chunk_kinds(packet)]
    pair.lost = lambda sender, packet: False
    forged = bytearray(echo)
    forged[20] ^= 1
    forged[8:12] = bytes(4)
    pair.transmit(1, add_checksum(bytes(forged)))
    pair.run_for(0.1)
    assert pair.right.association.state == "connecting"
    assert pair.right.association.statistics().dropped == {"cookie": 1}


def test_restarted_peer_ends_the_association() -> None:
    pair = SctpPair().connect()
    reborn = SctpPair(seed=99)
    reborn.now = pair.now
    reborn.ends = (reborn.left, pair.right)
    reborn.right = pair.right
    reborn.left.association.connect(reborn.now)
    reborn.run_for(1.0)
    assert pair.right.association.closed
    error = pair.right.closed_event().error
    assert error is not None
    assert "restart" in error.reason


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(
    ("sender", "kind"), [(0, SHUTDOWN), (1, SHUTDOWN_ACK), (0, SHUTDOWN_COMPLETE), (1, SHUTDOWN), (0, ABORT)]
)
def test_shutdown_delivers_everything_first_whatever_is_lost(both: bool, sender: int, kind: int) -> None:
    pair = SctpPair().connect()
    pair.lost = LoseNth(sender, kind, 0)
    for end in pair.ends:
        end.association.send(1, 53, bytes(50_000), pair.now)
    pair.left.association.shutdown(pair.now)
    if both:
        pair.right.association.shutdown(pair.now)
    with pytest.raises(InvalidStateError):
        pair.left.association.send(1, 53, b"late", pair.now)
    assert pair.run(lambda: pair.is_closed, 100)
    assert [end.closed_event() for end in pair.ends] == [AssociationClosed(None), AssociationClosed(None)]
    assert [end.on_stream(1) for end in pair.ends] == [[bytes(50_000)]] * 2


def test_data_is_accepted_in_shutdown_sent() -> None:
    """RFC 9260 section 9.2: each DATA chunk is acknowledged until the peer's SHUTDOWN ACK."""
    pair = SctpPair().connect()
    pair.right.association.send(1, 53, bytes(50_000), pair.now)
    pair.left.association.shutdown(pair.now)
    pair.run(lambda: SHUTDOWN in pair.kinds_sent(0), 0.001)
    assert pair.run(lambda: pair.is_closed, 10)
    assert pair.left.on_stream(1) == [bytes(50_000)]
    assert [end.closed_event() for end in pair.ends] == [AssociationClosed(None), AssociationClosed(None)]


def test_shutdown_during_the_handshake() -> None:
    pair = SctpPair()
    pair.left.association.connect(pair.now)
    pair.run(lambda: COOKIE_ECHO in pair.kinds_sent(0), 1)
    pair.left.association.shutdown(pair.now)
    assert pair.run(lambda: pair.is_closed, 10)
    assert pair.left.closed_event() == pair.right.closed_event() == AssociationClosed(None)


def test_close_aborts_with_its_reason_and_keeps_received_messages() -> None:
    pair = SctpPair().connect()
    pair.right.reading = False
    pair.left.association.send(1, 53, b"last words", pair.now)
    pair.run_for(1)
    pair.left.association.close(pair.now)
    pair.left.association.close(pair.now)
    pair.run_for(1)
    assert pair.left.closed_event() == AssociationClosed(None)
    error = pair.right.closed_event().error
    assert error is not None
    assert error.cause_code == 12
    assert pair.right.pull(1) == 1
    for end in pair.ends:
        assert end.association.next_timer() == math.inf
        assert end.association.statistics().flight_size == 0


def test_lower_closed_ends_without_sending() -> None:
    pair = SctpPair().connect()
    pair.left.association.send(1, 53, b"x", pair.now)
    pair.left.association.lower_closed(pair.now)
    assert pair.left.association.datagrams_to_send(pair.now) == []
    pair.left.collect_events()
    assert pair.left.closed_event().error is not None


# Chunks allowed in a state.


def test_nothing_is_processed_after_a_cookie_that_is_not_ours() -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    heartbeat = Heartbeat(b"nonce").encode()
    assert receive(pair, to_right(tag, CookieEcho(bytes(66)).encode(), heartbeat)) == []
    assert dropped(pair, "cookie") == 1


def test_nothing_is_sent_any_more_when_the_transport_below_has_closed() -> None:
    pair = make_pair()
    pair.left.association.connect(pair.now)
    pair.left.association.lower_closed(pair.now)
    assert pair.left.association.datagrams_to_send(pair.now) == []
    assert pair.left.association.next_timer() == math.inf
    assert pair.left.association.state == "closed"


@pytest.mark.parametrize("kind", [INIT, COOKIE_ECHO])
def test_a_peer_that_restarts_after_its_shutdown_is_sent_shutdown_ack(kind: int) -> None:
    """RFC 9260 section 9.2: it has not received our SHUTDOWN ACK; chunks after COOKIE ECHO are not processed."""
    pair = shutting_down()
    echo = next(packet for sender, packet in pair.wire if sender == 0 and packet[12] == COOKIE_ECHO)
    chunk, _ = parse_chunk(echo, 12)
    if kind == INIT:
        packet = to_right(0, Init(77, 100_000, 10, 10, 5).encode())
    else:
        packet = to_right(init_of(pair, 1).initiate_tag, chunk.encode(), Heartbeat(b"nonce").encode())
    answers = receive(pair, packet)
    assert kinds_of(answers) == [[SHUTDOWN_ACK]]
    assert not pair.right.association.closed


def test_messages_are_refused_after_shutdown_on_either_side() -> None:
    pair = shutting_down()
    for end in pair.ends:
        with pytest.raises(InvalidStateError):
            end.association.send(1, 51, b"late", pair.now)
        assert end.association.state == "connected"


# The end.


@pytest.mark.parametrize("connecting", [False, True])
def test_a_shutdown_before_the_peer_has_answered_ends_at_once(connecting: bool) -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    association.send(1, 51, b"never", 0.0)
    if connecting:
        association.connect(0.0)
    association.shutdown(0.1)
    assert association.closed
    assert association.events() == [AssociationClosed(None)]
    assert association.next_timer() == math.inf
    with pytest.raises(InvalidStateError):
        association.send(1, 51, b"late", 0.2)
    with pytest.raises(InvalidStateError):
        association.connect(0.2)
    association.shutdown(0.2)
    assert association.events() == ()


def test_a_shutdown_during_the_handshake_delivers_messages_queued_before() -> None:
    pair = SctpPair()
    left = pair.left.association
    left.send(1, 51, b"early", pair.now)
    left.connect(pair.now)
    assert pair.run(lambda: pair.kinds_sent(0)[COOKIE_ECHO] == 1, 1)
    left.shutdown(pair.now)
    with pytest.raises(InvalidStateError):
        left.send(1, 51, b"late", pair.now)
    assert not left.closed
    pair.run_for(1)
    assert pair.is_closed
    assert [end.closed_event() for end in pair.ends] == [AssociationClosed(None)] * 2
    assert pair.right.on_stream(1) == [b"early"]


def test_a_chunk_before_the_association_is_dropped() -> None:
    pair = SctpPair()
    pair.left.association.connect(pair.now)
    pair.run(lambda: any(sender == 0 and COOKIE_ECHO in chunk_kinds(packet) for sender, packet in pair.wire))
    assert deliver_to_right(pair, Heartbeat(b"x").encode()) == []
    assert deliver_to_right(pair, Sack(1, 1000).encode()) == []
    assert deliver_to_right(pair, Shutdown(1).encode(), ShutdownAck().encode()) == []
    assert pair.right.association.statistics().dropped == {"chunk out of state": 4}
    assert not pair.right.association.closed


def test_an_init_ack_counts_once() -> None:
    pair = SctpPair().connect(both=False)
    ack = next(packet for sender, packet in pair.wire if sender == 1 and INIT_ACK in chunk_kinds(packet))
    pair.left.association.receive([ack, ack], pair.now)
    assert pair.left.association.statistics().dropped == {"chunk out of state": 2}
    assert pair.left.association.datagrams_to_send(pair.now) == []
    assert pair.is_connected


@pytest.mark.parametrize("kind", [HEARTBEAT, SACK, DATA, SHUTDOWN])
def test_chunks_of_an_established_peer_cause_another_cookie_echo(kind: int) -> None:
    """COOKIE ACK was lost: T1-cookie need not expire."""
    pair = SctpPair(lost=LoseNth(0, COOKIE_ACK, 0))
    pair.right.association.connect(pair.now)
    assert pair.run(lambda: pair.kinds_sent(0)[COOKIE_ACK] == 1, 1)
    data = DATA_HEADER.pack(0, BEGIN | END, 17, 0, 1, 0, 51) + b"x\0\0\0"
    chunks = {
        HEARTBEAT: Heartbeat(b"x").encode(),
        SACK: Sack(1, 1000).encode(),
        SHUTDOWN: Shutdown(1).encode(),
    }
    chunk = chunks.get(kind, data)
    assert [chunk_kinds(packet) for packet in deliver_to_right(pair, chunk)] == [[COOKIE_ECHO]]
    assert pair.right.association.statistics().dropped == {
        "data out of state" if kind == DATA else "chunk out of state": 1
    }


def test_acknowledgements_after_shutdown_ack_change_nothing() -> None:
    pair = SctpPair(lost=lambda sender, packet: SHUTDOWN_COMPLETE in chunk_kinds(packet)).connect()
    pair.left.association.shutdown(pair.now)
    pair.run_for(0.1)
    before = pair.right.association.statistics()
    assert deliver_to_right(pair, Sack(1, 1000).encode()) == []
    after = pair.right.association.statistics()
    assert after == attrs.evolve(before, packets_received=before.packets_received + 1)
    assert not pair.right.association.closed


def test_a_peer_that_answers_under_another_tag_than_its_own_init_has() -> None:
    """RFC 9260 section 5.2.4, action B: that of its COOKIE ECHO counts, for both directions."""
    peer = Peer()
    peer.association.connect(peer.now)
    ((_, init),) = peer.sent_packets()
    tag = int.from_bytes(init[4:8], "big")
    init_ack = InitAck(7, 100_000, 10, 10, 20, (Parameter(7, b"cookie"),)).encode()
    assert peer.send(tag, init_ack) == [(7, CookieEcho(b"cookie").encode())]
    same_tag, echo = peer.send_init(8, 30)
    assert same_tag == tag
    answers = peer.send(tag, echo, data_chunk(30))
    assert answers == [(8, CookieAck().encode() + Sack(30, 4194200).encode())]
    peer.association.send(1, 51, b"to8.", peer.now)
    assert peer.sent_packets() == [(8, data_chunk(100, b"to8."))]


def test_a_peer_that_restarts_ends_the_association() -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    tag, echo = peer.send_init(8, 30)
    answers = peer.send(tag, echo, Heartbeat(b"x").encode())
    assert answers == [(7, Abort((Parameter(13, b"restart"),)).encode())]
    error = AssociationError("the peer tried to restart the association")
    assert peer.association.events() == [AssociationEstablished(10, 10), AssociationClosed(error)]
    assert peer.association.statistics().dropped == {}, "bundled chunks are not processed"


def test_an_abort_before_the_handshake_is_dropped() -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    assert peer.send(tag, Abort().encode()) == []
    assert peer.association.statistics().dropped == {"chunk out of state": 1}
    assert peer.send(tag, echo) == [(7, CookieAck().encode())]


@pytest.mark.parametrize(
    ("causes", "begins_again"),
    [
        ((STALE,), True),
        ((UNRESOLVABLE, STALE), True),
        ((STALE, UNRESOLVABLE), True),
        ((UNRESOLVABLE,), False),
    ],
)
def test_only_a_stale_cookie_restarts_the_handshake(
    causes: tuple[Parameter, ...], begins_again: bool
) -> None:
    peer, tag = echoing_peer()
    answers = peer.send(tag, Error(causes).encode())
    assert [(answered, chunk[0]) for answered, chunk in answers] == ([(0, INIT)] if begins_again else [])
    # In an established association it has no effect.
    other = Peer()
    tag, echo = other.send_init(7, 20)
    other.send(tag, echo)
    assert other.send(tag, Error(causes).encode()) == []
    assert other.association.state == "connected"


@pytest.mark.parametrize(
    ("causes", "words", "code"),
    [
        ((), "no cause given", None),
        ((Parameter(12, b""),), "user initiated abort", 12),
        ((Parameter(13, b"why\n"), Parameter(99, b"?")), "protocol violation: why?, cause 99", 13),
        ((Parameter(9, bytes(4)),), "no user data", 9),
    ],
)
def test_the_reason_of_an_abort(causes: tuple[Parameter, ...], words: str, code: int | None) -> None:
    peer, tag = echoing_peer()
    peer.send(tag, Abort(causes).encode())
    error = AssociationError(f"the peer aborted: {words}", code, by_peer=True)
    assert peer.association.events() == [AssociationClosed(error)]


def test_a_shutdown_acknowledges_data() -> None:
    """RFC 9260 section 9.2: its cumulative TSN is like that of a SACK; the window stays."""
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    peer.association.send(1, 51, b"data", peer.now)
    peer.association.send(1, 51, b"more", peer.now)
    assert len(peer.sent_packets()) == 1
    assert peer.send(tag, Shutdown(99).encode()) == []
    assert peer.send(tag, Shutdown(100).encode()) == []
    assert peer.association.statistics().flight_size == 20
    assert peer.send(tag, Shutdown(101).encode()) == [(7, ShutdownAck().encode())]
    assert peer.association.statistics().flight_size == 0
    assert peer.association.statistics().peer_window == 100_000


def test_after_the_end_no_timer_is_left_and_the_last_packet_leaves_at_once() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    assert right.next_timer() < math.inf
    right.close(pair.now)
    assert right.next_timer() == math.inf
    (packet,) = right.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [ABORT]
