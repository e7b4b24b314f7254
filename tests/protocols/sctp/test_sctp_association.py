"""The public interface of an association: calls in each state, packets sent and events."""

import math
import random
from typing import Any

import attrs
import pytest

from tests.strategies.sctp_pair import (
    ABORT,
    COOKIE_ACK,
    COOKIE_ECHO,
    DATA,
    ERROR,
    HEARTBEAT,
    INIT,
    INIT_ACK,
    RE_CONFIG,
    SACK,
    SHUTDOWN,
    SHUTDOWN_COMPLETE,
    LoseNth,
    SctpPair,
    chunk_kinds,
)
from tests.strategies.sctp_peer import Peer, data_chunk, established_peer
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.protocols.sctp import (
    Association,
    AssociationClosed,
    AssociationError,
    AssociationEstablished,
    AssociationStatistics,
    BufferedAmountLow,
    SctpOptions,
)
from trio_rtc.protocols.sctp.handshake import Handshake, error_report
from trio_rtc.protocols.sctp.heartbeat import PathMonitor
from trio_rtc.protocols.sctp.packet.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    encode_chunk,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, add_checksum, encode_header, encode_packet
from trio_rtc.protocols.sctp.packet.parameters import (
    FORWARD_TSN_SUPPORTED,
    SUPPORTED_EXTENSIONS,
    UNRECOGNIZED_PARAMETER,
    Parameter,
)
from trio_rtc.protocols.sctp.tx.path_share import PathShare

SMALL_BUFFER = SctpOptions(receive_buffer_size=20_000, max_message_size=8000)


def header_from_left(pair: SctpPair) -> bytes:
    """Return the header of the left side's packets, with a zero checksum."""
    packet = next(packet for sender, packet in pair.wire if sender == 0 and packet[HEADER_SIZE] != INIT)
    return packet[:8] + bytes(4)


def to_right(pair: SctpPair, *chunks: bytes) -> list[bytes]:
    """Deliver a packet of the left side to the right, and return its answers."""
    pair.right.association.receive([encode_packet(header_from_left(pair), chunks)], pair.now)
    return pair.right.association.datagrams_to_send(pair.now)


def dropped(pair: SctpPair) -> dict[str, int]:
    return pair.right.association.statistics().dropped


def pair_with_unread_messages() -> SctpPair:
    """Return a pair whose right side has half a receive window of unread messages, while its data is delayed."""
    pair = SctpPair(SMALL_BUFFER).connect()
    pair.right.reading = False
    for _ in range(2):
        pair.left.association.send(3, 51, bytes(5000), pair.now)
    pair.run_for(1)
    pair.lost = lambda sender, packet: True
    pair.right.association.send(5, 51, bytes(8000), pair.now)
    pair.right.association.send(5, 51, bytes(8000), pair.now)
    pair.flush()
    pair.right.association.send(5, 51, b"held back", pair.now)
    assert pair.right.association.datagrams_to_send(pair.now) == []
    assert pair.right.association.is_send_deferred(pair.now)
    return pair


def sacks(packets: list[bytes]) -> list[Sack]:
    """Return the SACKs of packets that have nothing else."""
    found = [parse_chunk(packet, HEADER_SIZE)[0] for packet in packets if chunk_kinds(packet) == [SACK]]
    assert len(found) == len(packets)
    return [chunk for chunk in found if isinstance(chunk, Sack)]


@pytest.mark.parametrize("retained", [False, True])
def test_receiving_messages_opens_the_window_at_once(retained: bool) -> None:
    """Although nothing else may be sent; retained messages are charged until they are released."""
    pair = pair_with_unread_messages()
    right = pair.right.association
    assert right.peek_payload_protocol(3) == 51
    assert right.peek_payload_protocol(4) is None
    assert not right.acknowledgement_due
    if retained:
        message = right.retain_message(3)
        assert message == (51, bytes(5000))
        assert right.statistics().receive_window < 11_000
        assert right.datagrams_to_send(pair.now) == []
        right.release_message(message)
    else:
        assert right.receive_message(3) == (51, bytes(5000))
    assert right.acknowledgement_due
    (sack,) = sacks(right.datagrams_to_send(pair.now))
    assert sack.advertised_receiver_window == right.statistics().receive_window > 14_000
    assert not right.acknowledgement_due
    assert right.datagrams_to_send(pair.now) == []


def test_a_small_message_received_causes_no_window_update() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    pair.lost = lambda sender, packet: False
    pair.left.association.send(4, 51, b"small", pair.now)
    pair.run_for(1)
    assert right.receive_message(4) == (51, b"small")
    assert not right.acknowledgement_due
    message = right.retain_message(3)
    assert message is not None
    assert right.retain_message(9) is None


def test_before_the_handshake_there_are_no_messages() -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    assert association.receive_message(1) is None
    assert association.retain_message(1) is None
    assert association.peek_payload_protocol(1) is None
    assert not association.acknowledgement_due
    association.release_message((51, b"never received"))
    association.path_restored(0.0)
    assert association.datagrams_to_send(0.0) == []


def test_messages_can_be_received_and_released_after_the_end() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    right.close(pair.now)
    assert right.peek_payload_protocol(3) == 51
    message = right.retain_message(3)
    assert message == (51, bytes(5000))
    right.release_message(message)
    assert right.receive_message(3) == (51, bytes(5000))
    assert right.receive_message(3) is None


def test_the_send_buffer_has_its_configured_size() -> None:
    association = Association(SctpOptions(send_buffer_size=1000), rng=random.Random(1))
    association.send(1, 51, bytes(600), 0.0)
    with pytest.raises(OperationError, match="600 of 1000 bytes are queued, no room for 401"):
        association.send(2, 51, bytes(401), 0.0)
    association.send(2, 51, bytes(400), 0.0)
    assert association.total_buffered == 1000
    assert [association.buffered_amount(stream) for stream in (1, 2, 3)] == [600, 400, 0]


def test_the_buffered_amount_is_low_at_its_threshold() -> None:
    pair = SctpPair().connect()
    left = pair.left.association
    left.set_buffered_amount_low_threshold(1, 100_000)
    left.send(1, 51, bytes(200_000), pair.now)
    left.send(2, 51, bytes(200_000), pair.now)
    low: dict[int, int] = {}
    while len(low) < 2:
        pair.step()
        for event in pair.left.events:
            if isinstance(event, BufferedAmountLow):
                low.setdefault(event.stream_id, left.buffered_amount(event.stream_id))
    assert 0 < low[1] <= 100_000
    assert low[2] == 0
    assert pair.left.events.count(BufferedAmountLow(1)) == pair.left.events.count(BufferedAmountLow(2)) == 1


def test_data_that_shares_the_path_with_media_has_a_window_of_two_packets() -> None:
    """Until it has measured the round trip; without media, the congestion window is the only one."""
    pair = SctpPair().connect()
    left = pair.left.association
    before = left.statistics().congestion_window
    assert not left.share_path(1e6, pair.now)
    assert left.statistics().congestion_window == 2 * (1160 - 12)
    left.send(1, 51, bytes(100_000), pair.now)
    assert len(left.datagrams_to_send(pair.now)) == 2
    assert left.datagrams_to_send(pair.now) == []
    assert not left.share_path(2e6, pair.now)
    assert left.datagrams_to_send(pair.now) == []
    assert left.share_path(None, pair.now)
    assert left.statistics().congestion_window == before
    assert len(left.datagrams_to_send(pair.now)) == 8


def test_losses_of_an_outage_are_retransmitted_when_the_path_is_restored() -> None:
    pair = SctpPair().connect()
    pair.lost = lambda sender, packet: True
    left = pair.left.association
    left.send(1, 51, b"lost", pair.now)
    pair.run_for(10)
    assert left.next_timer() - pair.now > 1
    assert left.datagrams_to_send(pair.now) == []
    left.path_restored(pair.now)
    (packet,) = left.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [DATA]
    # The timeout is the measured one again, and nothing more leaves before it.
    left.path_restored(pair.now)
    assert left.next_timer() == pytest.approx(pair.now + 0.5, abs=0.5)


def test_a_reset_leaves_at_once_although_data_is_delayed() -> None:
    pair = pair_with_unread_messages()
    right = pair.right.association
    right.reset_streams([7], pair.now)
    (packet,) = right.datagrams_to_send(pair.now)
    assert chunk_kinds(packet) == [RE_CONFIG]


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


# Rejected packets and chunks.


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7])
def test_a_packet_that_is_no_multiple_of_four_is_dropped(size: int) -> None:
    pair = SctpPair().connect()
    packet = encode_packet(header_from_left(pair), [Heartbeat(b"x").encode(), bytes(size)])
    pair.right.association.receive([add_checksum(packet[:8] + bytes(4) + packet[12:])], pair.now)
    assert dropped(pair) == {"malformed": 1}
    assert pair.right.association.datagrams_to_send(pair.now) == [], "none of its chunks counts"


@pytest.mark.parametrize("kind", [INIT, INIT_ACK, SHUTDOWN_COMPLETE])
@pytest.mark.parametrize("first", [False, True])
def test_chunks_that_must_not_be_bundled_are_dropped_in_bundles(kind: int, first: bool) -> None:
    """RFC 9260 section 6.10; the chunks before it are processed."""
    pair = SctpPair(SctpOptions(zero_checksum=False)).connect()
    alone = encode_chunk(kind, 0, b"" if kind == SHUTDOWN_COMPLETE else bytes.fromhex("00000001") * 4)
    heartbeat = Heartbeat(b"x").encode()
    answers = to_right(pair, *([alone, heartbeat] if first else [heartbeat, alone]))
    assert len(answers) == (not first)
    reason = "verification tag" if first and kind == INIT else "bundled"
    assert dropped(pair) == {reason: 1}
    assert pair.is_connected


def test_a_chunk_before_the_association_is_dropped() -> None:
    pair = SctpPair()
    pair.left.association.connect(pair.now)
    pair.run(lambda: any(sender == 0 and COOKIE_ECHO in chunk_kinds(packet) for sender, packet in pair.wire))
    assert to_right(pair, Heartbeat(b"x").encode()) == []
    assert to_right(pair, Sack(1, 1000).encode()) == []
    assert to_right(pair, Shutdown(1).encode(), ShutdownAck().encode()) == []
    assert dropped(pair) == {"chunk out of state": 4}
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
    assert [chunk_kinds(packet) for packet in to_right(pair, chunk)] == [[COOKIE_ECHO]]
    assert dropped(pair) == {"data out of state" if kind == DATA else "chunk out of state": 1}


def test_acknowledgements_after_shutdown_ack_change_nothing() -> None:
    pair = SctpPair(lost=lambda sender, packet: SHUTDOWN_COMPLETE in chunk_kinds(packet)).connect()
    pair.left.association.shutdown(pair.now)
    pair.run_for(0.1)
    before = pair.right.association.statistics()
    assert to_right(pair, Sack(1, 1000).encode()) == []
    after = pair.right.association.statistics()
    assert after == attrs.evolve(before, packets_received=before.packets_received + 1)
    assert not pair.right.association.closed


def test_data_for_streams_that_do_not_exist_is_reported() -> None:
    """RFC 9260 section 6.5: with cause 1, and acknowledged all the same."""
    pair = SctpPair(SctpOptions(initial_tsn=10), SctpOptions(inbound_streams=4, initial_tsn=20)).connect()
    for index, stream in enumerate((3, 4, 65535)):
        data = DATA_HEADER.pack(0, BEGIN | END, 17, 10 + index, stream, 0, 51) + b"x\0\0\0"
        answers = to_right(pair, data)
        reports = [
            parse_chunk(packet, HEADER_SIZE + 16)[0].encode()[4:]
            for packet in answers
            if chunk_kinds(packet) == [SACK, ERROR]
        ]
        expected = Parameter(1, stream.to_bytes(2, "big") + bytes(2)).encode()
        assert reports == ([] if stream == 3 else [expected])
    assert pair.right.association.statistics().chunks_received == 3


# The handshake.


class Extremes(random.Random):
    """Draws the lowest or the highest number of each range, and notes how many bytes are drawn."""

    def __init__(self, *, highest: bool) -> None:
        super().__init__(1)
        self._highest = highest
        self.sizes: list[int] = []

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        first, end = (0, start) if stop is None else (start, stop)
        return end - 1 if self._highest else first

    def randbytes(self, n: int) -> bytes:
        self.sizes.append(n)
        return super().randbytes(n)


@pytest.mark.parametrize(("highest", "tag", "tsn"), [(False, 1, 0), (True, 0xFFFFFFFF, 0xFFFFFFFF)])
def test_any_tag_but_zero_and_any_tsn_may_be_drawn(highest: bool, tag: int, tsn: int) -> None:
    chance = Extremes(highest=highest)
    association = Association(SctpOptions(), rng=chance)
    association.connect(0.0)
    (packet,) = association.datagrams_to_send(0.0)
    init, _ = parse_chunk(packet, HEADER_SIZE)
    assert isinstance(init, Init)
    assert (init.initiate_tag, init.initial_tsn) == (tag, tsn)
    assert chance.sizes == [32], "the secret of the cookie has as many bits as its HMAC"


def make_handshake(options: SctpOptions | None = None) -> Handshake:
    return Handshake(options or SctpOptions(), random.Random(1), PathShare(1148, 0.03, 1 << 20))


def make_init(*parameters: Parameter) -> Init:
    return Init(7, 100_000, 10, 20, 5, parameters)


@pytest.mark.parametrize(("inbound", "outbound"), [(65535, 65535), (10, 20), (9, 21), (11, 19), (1, 1)])
def test_the_smaller_number_of_streams_is_agreed_on(inbound: int, outbound: int) -> None:
    options = SctpOptions(inbound_streams=inbound, outbound_streams=outbound)
    agreed = make_handshake(options).negotiate(make_init(), 1.0)
    assert (agreed.inbound_streams, agreed.outbound_streams) == (min(inbound, 10), min(outbound, 20))


@pytest.mark.parametrize("field", ["initiate_tag", "outbound_streams", "inbound_streams"])
def test_an_init_ack_with_a_zero_is_rejected(field: str) -> None:
    """RFC 9260 section 3.3.3: these are illegal values; others may be zero."""
    init_ack = InitAck(7, 0, 10, 20, 0, (Parameter(7, b"cookie"),))
    handshake = make_handshake()
    assert handshake.find_cookie(init_ack) == b"cookie"
    changes: dict[str, Any] = {field: 0}
    assert handshake.find_cookie(attrs.evolve(init_ack, **changes)) is None


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1, True), (1132, True), (1133, False)])
def test_a_cookie_must_fit_a_packet_with_a_chunk_of_data(size: int, taken: bool) -> None:
    init_ack = InitAck(7, 0, 10, 20, 0, (Parameter(7, bytes(size)),))
    assert (make_handshake().find_cookie(init_ack) is not None) is taken


@pytest.mark.parametrize("parameter", [False, True])
@pytest.mark.parametrize("extensions", [b"", bytes([130]), bytes([192]), bytes([130, 192]), bytes([15, 193])])
def test_either_way_to_support_partial_reliability_counts(parameter: bool, extensions: bytes) -> None:
    """The parameter of RFC 3758, or the list of RFC 5061, which also has stream reset."""
    parameters = [Parameter(SUPPORTED_EXTENSIONS, extensions)]
    if parameter:
        parameters.append(Parameter(FORWARD_TSN_SUPPORTED, b""))
    capabilities = make_handshake().negotiate(make_init(*parameters), 0.0).capabilities
    assert capabilities.partial_reliability is (parameter or 192 in extensions)
    assert capabilities.reconfiguration is (130 in extensions)
    assert not capabilities.zero_checksum


@pytest.mark.parametrize(
    ("sizes", "reported"),
    [([248], 1), ([249], 0), ([120, 120], 2), ([120, 121], 1), ([0] * 33, 32), ([0, 300, 0], 1)],
)
def test_unknown_parameters_are_reported_up_to_256_bytes(sizes: list[int], reported: int) -> None:
    unknown = [Parameter(0xC123, bytes(size)) for size in sizes]
    answer = make_handshake().answer(make_init(*unknown, Parameter(0x8123, b"skipped")), 0.0)
    found = [value for kind, value in answer.parameters if kind == UNRECOGNIZED_PARAMETER]
    assert found == [parameter.encode() for parameter in unknown[:reported]]
    report = error_report(InitAck(7, 100_000, 10, 20, 5, tuple(unknown)))
    assert report.count(b"\xc1\x23") == reported
    assert bool(report) is bool(reported)


def test_a_cookie_is_good_for_its_life_and_no_longer() -> None:
    peer = Peer()
    tag, echo = peer.send_init(7, 20)
    peer.now += 60.125
    stale = Error((Parameter(3, (125_000).to_bytes(4, "big")),)).encode()
    assert peer.send(tag, echo, data_chunk(20)) == [(7, stale)]
    assert peer.association.statistics().dropped == {}, "bundled chunks are not processed"
    peer.now -= 0.125
    assert peer.send(tag, echo, data_chunk(20)) == [(7, CookieAck().encode() + Sack(20, 4194200).encode())]
    assert peer.association.state == "connected"


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


def test_early_messages_on_streams_that_the_peer_has_not() -> None:
    peer = Peer()
    for stream in (9, 10):
        peer.association.send(stream, 51, bytes(100), peer.now)
    tag, echo = peer.send_init(7, 20)
    ((_, answer),) = peer.send(tag, echo)
    assert len(answer) == 4 + 116, "COOKIE ACK, and the message on the last stream"
    assert peer.association.total_buffered == 0
    assert peer.association.buffered_amount(10) == 0


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


# Signs of life.


def test_a_heartbeat_has_a_nonce_of_its_own_each_time() -> None:
    monitor = PathMonitor(30.0)
    assert (monitor.deadline, monitor.errors) == (math.inf, 0)
    monitor.record_acknowledgement(1.0)
    chance = random.Random(1)
    assert monitor.handle_timer(30.9, 0.5, chance) is None
    nonces = []
    for now, errors in ((31.0, 0), (31.5, 1), (32.5, 2), (34.5, 3)):
        assert monitor.deadline == now
        heartbeat = monitor.handle_timer(now, 0.5, chance)
        assert heartbeat is not None
        assert monitor.errors == errors
        nonces.append(heartbeat.info)
    assert {len(nonce) for nonce in nonces} == {16}
    assert len(set(nonces)) == 4
    assert monitor.handle_ack(nonces[2], 35.0) is None
    assert monitor.handle_ack(nonces[3], 35.0) == 0.5
    assert (monitor.deadline, monitor.errors) == (65.0, 0)
    assert monitor.handle_ack(nonces[3], 36.0) is None


def test_no_heartbeat_is_sent_during_the_shutdown() -> None:
    monitor = PathMonitor(30.0)
    monitor.record_acknowledgement(1.0)
    monitor.stop()
    monitor.record_acknowledgement(2.0)
    assert monitor.deadline == math.inf
    assert monitor.handle_timer(1000.0, 0.5, random.Random(1)) is None


# Packets.


def heartbeats(count: int) -> bytes:
    return Heartbeat(b"x").encode() * count


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


# Statistics.


def test_before_the_handshake_only_packets_count() -> None:
    association = Association(SctpOptions(), rng=random.Random(1))
    expected = dict.fromkeys((field.name for field in attrs.fields(AssociationStatistics)), 0)
    nothing: dict[str, object] = {**expected, "dropped": {}, "smoothed_round_trip": None}
    assert attrs.asdict(association.statistics()) == nothing
    association.connect(0.0)
    assert len(association.datagrams_to_send(0.0)) == 1
    association.receive([b"no packet", bytes(16)], 0.1)
    assert attrs.asdict(association.statistics()) == {
        **nothing,
        "packets_sent": 1,
        "packets_received": 2,
        "dropped": {"malformed": 1, "port": 1},
    }


def test_messages_that_were_never_sent_count_as_abandoned() -> None:
    peer, _ = established_peer()
    for lifetime in (0.1, 0.2, 0.3):
        peer.association.send(1, 51, b"late", peer.now, lifetime=lifetime)
    peer.now += 0.2
    assert len(peer.sent_packets()) == 1
    statistics = peer.association.statistics()
    assert (statistics.messages_abandoned, statistics.chunks_sent, statistics.flight_size) == (2, 1, 20)


def test_messages_received_again_under_other_tsns_count_as_dropped() -> None:
    peer, tag = established_peer()
    for tsn in (20, 21):
        peer.send(tag, data_chunk(tsn))
    statistics = peer.association.statistics()
    assert statistics.dropped == {"message delivered or skipped before": 1}
    assert (statistics.chunks_received, statistics.bytes_received) == (2, 8)
    assert statistics.receive_window == 4194200
