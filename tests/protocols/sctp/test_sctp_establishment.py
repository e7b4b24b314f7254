"""Establishment: crossing and lost handshakes, cookies, packets of other associations."""

from collections.abc import Callable

import attrs
import pytest

from tests.strategies.sctp_pair import (
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    ERROR,
    FORWARD_TSN,
    INIT,
    INIT_ACK,
    RE_CONFIG,
    START,
    LoseNth,
    SctpPair,
    chunk_kinds,
)
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.sctp import Association, AssociationEstablished, SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import Init, parse_chunk
from trio_rtc.protocols.sctp.packet.header import add_checksum, has_valid_checksum
from trio_rtc.protocols.sctp.packet.parameters import (
    FORWARD_TSN_SUPPORTED,
    SUPPORTED_EXTENSIONS,
    ZERO_CHECKSUM_ACCEPTABLE,
)


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


def test_zero_checksum_is_used_only_when_both_offer_it() -> None:
    for offers, used in (((True, True), True), ((True, False), False)):
        pair = SctpPair(*[SctpOptions(zero_checksum=offer) for offer in offers]).connect()
        pair.left.association.send(1, 51, b"data", pair.now)
        pair.flush()
        assert (pair.wire[-1][1][8:12] == bytes(4)) is used


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


def lose_zero_checksum_parameter(sender: int, packet: bytes) -> bool:
    """Lose INITs and INIT ACKs with the zero checksum parameter, which some implementations cannot parse."""
    return bool({INIT, INIT_ACK} & set(chunk_kinds(packet))) and has_zero_checksum_parameter(packet)


def has_zero_checksum_parameter(packet: bytes) -> bool:
    return parse_handshake_chunk(packet).parameter(ZERO_CHECKSUM_ACCEPTABLE) is not None


def parse_handshake_chunk(packet: bytes) -> Init:
    chunk, _ = parse_chunk(packet, 12)
    assert isinstance(chunk, Init)
    return chunk


def test_the_third_init_has_no_optional_parameter() -> None:
    pair = SctpPair(lost=lose_zero_checksum_parameter)
    pair.left.association.send(1, 51, b"ping", pair.now)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: pair.is_connected and bool(pair.right.messages), 1.6)
    inits = [parse_handshake_chunk(packet) for _, packet in pair.wire if chunk_kinds(packet) == [INIT]]
    assert [init.parameter(ZERO_CHECKSUM_ACCEPTABLE) is not None for init in inits] == [True, True, False]
    for init in inits:
        assert (init.initiate_tag, init.initial_tsn) == (inits[0].initiate_tag, inits[0].initial_tsn)
        assert init.parameter(FORWARD_TSN_SUPPORTED) is not None
        assert init.parameter(SUPPORTED_EXTENSIONS) == bytes((RE_CONFIG, FORWARD_TSN))
    pair.right.association.send(1, 51, b"pong", pair.now)
    assert pair.run(lambda: bool(pair.left.messages), 1)
    assert all(has_valid_checksum(packet) for _, packet in pair.wire)


def test_a_peer_that_begins_without_the_optional_parameter_is_answered_without_it() -> None:
    """Both begin: the INIT of the peer that cannot parse ours establishes the association at once."""
    pair = SctpPair(SctpOptions(), SctpOptions(zero_checksum=False), lost=lose_zero_checksum_parameter)
    pair.connect(timeout=0.1)
    answers = [packet for _, packet in pair.wire if chunk_kinds(packet) == [INIT_ACK]]
    assert answers
    assert not any(map(has_zero_checksum_parameter, answers))


def test_a_late_answer_to_the_first_init_is_accepted_after_the_third() -> None:
    """The peer knows from the first INIT that zero checksums are fine, and may send them."""
    pair = SctpPair()
    held: list[bytes] = []

    def hold_init_acks(sender: int, packet: bytes) -> bool:
        is_answer = chunk_kinds(packet) == [INIT_ACK]
        if is_answer:
            held.append(packet)
        return is_answer

    pair.lost = hold_init_acks
    pair.left.association.connect(pair.now)
    pair.run_for(1.6)
    assert pair.kinds_sent(0)[INIT] == 3
    assert [has_zero_checksum_parameter(packet) for packet in held] == [True, True, False]
    pair.lost = lambda sender, packet: False
    pair.transmit(0, held[0])
    pair.left.association.send(1, 51, b"ping", pair.now)
    pair.right.association.send(1, 51, b"pong", pair.now)
    assert pair.run(lambda: bool(pair.left.messages and pair.right.messages), 1)
    assert pair.is_connected
    assert all(has_valid_checksum(packet) for sender, packet in pair.wire if sender == 0)
    assert not all(has_valid_checksum(packet) for sender, packet in pair.wire if sender == 1)
    assert pair.left.association.statistics().dropped == {}


def test_crossing_inits_after_the_optional_parameter_was_omitted() -> None:
    pair = SctpPair(lost=lambda sender, packet: pair.now < START + 1.4)
    pair.connect(timeout=5)
    pair.left.association.send(1, 51, b"ping", pair.now)
    pair.right.association.send(1, 51, b"pong", pair.now)
    assert pair.run(lambda: bool(pair.left.messages and pair.right.messages), 1)
    assert all(has_valid_checksum(packet) for _, packet in pair.wire)


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


def test_statistics_before_the_handshake() -> None:
    statistics = attrs.asdict(SctpPair().left.association.statistics())
    assert statistics.pop("dropped") == {}
    assert statistics.pop("smoothed_round_trip") is None
    assert set(statistics.values()) == {0}


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


def test_streams_are_not_reset_before_the_association_is_established() -> None:
    # The number of streams is not final before that: a stream that is being reset could be removed.
    pair = SctpPair(lost=lambda sender, packet: COOKIE_ECHO in chunk_kinds(packet))
    pair.left.association.connect(pair.now)
    pair.run_for(0.1)
    assert pair.kinds_sent(0)[COOKIE_ECHO] == 1
    with pytest.raises(InvalidStateError, match="needs an established association"):
        pair.left.association.reset_streams([1], pair.now)


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


def test_packets_of_other_associations_are_dropped_and_counted() -> None:
    pair = SctpPair().connect()
    stranger = SctpPair(seed=50).connect()
    stranger.left.association.send(1, 51, b"not for you", stranger.now)
    stranger.flush()
    packet = stranger.wire[-1][1]
    pair.right.association.receive(
        [packet, packet[:-1], b"", b"\0" * 12, packet[:8] + b"\1" + packet[9:]], pair.now
    )
    dropped = pair.right.association.statistics().dropped
    assert dropped == {"verification tag": 1, "malformed": 3, "checksum": 1}
    assert pair.is_connected


def test_a_zero_checksum_that_was_not_offered_is_refused() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(zero_checksum=False)).connect()
    pair.left.association.send(1, 51, b"hello", pair.now)
    pair.flush()
    packet = pair.wire[-1][1]
    pair.right.association.receive([packet[:8] + bytes(4) + packet[12:]], pair.now)
    assert pair.right.association.statistics().dropped == {"checksum": 1}
    assert pair.run(lambda: bool(pair.right.messages), 1)
