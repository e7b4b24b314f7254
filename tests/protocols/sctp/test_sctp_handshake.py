"""The handshake: parameters that are offered, agreed on and reported."""

import random
from typing import Any

import attrs
import pytest

from tests.strategies.sctp_packets import LEFT, dropped, init_of, make_pair, receive, to_left, to_right
from tests.strategies.sctp_pair import (
    COOKIE_ACK,
    COOKIE_ECHO,
    ERROR,
    FORWARD_TSN,
    INIT,
    INIT_ACK,
    RE_CONFIG,
    START,
    SctpPair,
    chunk_kinds,
)
from tests.strategies.sctp_peer import Peer, data_chunk
from trio_rtc.protocols.sctp import Association, SctpOptions
from trio_rtc.protocols.sctp.handshake import Handshake, error_report
from trio_rtc.protocols.sctp.packet.chunks import (
    CookieAck,
    Error,
    Heartbeat,
    Init,
    InitAck,
    Sack,
    encode_chunk,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, has_valid_checksum
from trio_rtc.protocols.sctp.packet.parameters import (
    FORWARD_TSN_SUPPORTED,
    HOST_NAME_ADDRESS,
    STATE_COOKIE,
    SUPPORTED_EXTENSIONS,
    UNRECOGNIZED_PARAMETER,
    ZERO_CHECKSUM_ACCEPTABLE,
    Parameter,
)
from trio_rtc.protocols.sctp.tx.path_share import PathShare

# Unknown parameters (RFC 9260 section 3.2.1).

STOPS, STOPS_AND_REPORTS, SKIPS, SKIPS_AND_REPORTS = 0x2F00, 0x6F00, 0x9F00, 0xDF00


OFFERS = (
    Parameter(FORWARD_TSN_SUPPORTED, b""),
    Parameter(SUPPORTED_EXTENSIONS, bytes((130, 192))),
    Parameter(ZERO_CHECKSUM_ACCEPTABLE, (1).to_bytes(4, "big")),
)


def answer_to(*parameters: Parameter) -> InitAck:
    """Return the right side's answer to an INIT with these parameters."""
    pair = make_pair()
    (packet,) = receive(pair, to_right(0, Init(77, 100_000, 10, 10, 5, parameters).encode()))
    chunk, _ = parse_chunk(packet, 12)
    assert isinstance(chunk, InitAck)
    return chunk


def reported(init_ack: InitAck) -> list[int]:
    return [
        int.from_bytes(value[:2], "big")
        for kind, value in init_ack.parameters
        if kind == UNRECOGNIZED_PARAMETER
    ]


def capabilities_after(*parameters: Parameter) -> tuple[bool, bool]:
    """Connect with an INIT of these parameters; return whether reset and a zero checksum were negotiated."""
    pair = make_pair()
    init_ack = answer_to(*parameters)
    right = pair.right.association
    receive(pair, to_right(0, Init(77, 100_000, 10, 10, 5, parameters).encode()))
    assert init_ack.cookie is not None
    # The same seed has made the same secret, so that this is also the cookie of ``pair``.
    receive(pair, to_right(init_ack.initiate_tag, encode_chunk(COOKIE_ECHO, 0, init_ack.cookie)))
    assert right.state == "connected"
    right.send(1, 51, b"x", pair.now)
    (packet,) = right.datagrams_to_send(pair.now)
    right.reset_streams([2], pair.now)
    resets = any(130 in chunk_kinds(each) for each in right.datagrams_to_send(pair.now))
    return resets, packet[8:12] == bytes(4)


# Types that RFC 9260, RFC 4895 and RFC 5061 have registered and that mean nothing here.
REGISTERED = (5, 6, 9, 12, 0x8000, 0x8002, 0x8003, 0x8004, 0xC006)


# Unknown parameters of an INIT ACK (RFC 9260 section 3.2.2).


@attrs.define
class Connecting:
    """The left side, with INIT sent, and a peer that answers by hand."""

    pair: SctpPair
    tag: int

    def receive(self, chunk: InitAck, behind: bytes = b"") -> None:
        chunks = [chunk.encode(), behind] if behind else [chunk.encode()]
        self.pair.left.association.receive([to_left(self.tag, *chunks)], self.pair.now)

    def packets(self) -> list[bytes]:
        return self.pair.left.association.datagrams_to_send(self.pair.now)

    def sent(self) -> list[list[int]]:
        return [list(chunk_kinds(packet)) for packet in self.packets()]

    def wait(self) -> list[list[int]]:
        """Expire T1, and return the packets sent then."""
        self.pair.now = self.pair.left.association.next_timer()
        self.pair.left.association.handle_timer(self.pair.now)
        return self.sent()


def waiting_for_init_ack(**options: object) -> Connecting:
    pair = make_pair(**options)
    pair.left.association.connect(pair.now)
    (packet,) = pair.left.association.datagrams_to_send(pair.now)
    init, _ = parse_chunk(packet, 12)
    assert isinstance(init, Init)
    return Connecting(pair, init.initiate_tag)


def init_ack(*parameters: Parameter) -> InitAck:
    return InitAck(7, 100_000, 10, 10, 1, parameters)


COOKIE = Parameter(STATE_COOKIE, b"cookie")
REPORTED = Parameter(0xC123, b"value")
STOPS_REPORTED = Parameter(0x4123, b"stop")
NOT_REPORTED = Parameter(0x8123, b"")


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


def make_handshake(options: SctpOptions | None = None) -> Handshake:
    return Handshake(options or SctpOptions(), random.Random(1), PathShare(1148, 0.03, 1 << 20))


def make_init(*parameters: Parameter) -> Init:
    return Init(7, 100_000, 10, 20, 5, parameters)


def test_zero_checksum_is_used_only_when_both_offer_it() -> None:
    for offers, used in (((True, True), True), ((True, False), False)):
        pair = SctpPair(*[SctpOptions(zero_checksum=offer) for offer in offers]).connect()
        pair.left.association.send(1, 51, b"data", pair.now)
        pair.flush()
        assert (pair.wire[-1][1][8:12] == bytes(4)) is used


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


def test_a_zero_checksum_that_was_not_offered_is_refused() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(zero_checksum=False)).connect()
    pair.left.association.send(1, 51, b"hello", pair.now)
    pair.flush()
    packet = pair.wire[-1][1]
    pair.right.association.receive([packet[:8] + bytes(4) + packet[12:]], pair.now)
    assert pair.right.association.statistics().dropped == {"checksum": 1}
    assert pair.run(lambda: bool(pair.right.messages), 1)


@pytest.mark.parametrize("kind", [SKIPS, SKIPS_AND_REPORTS, *REGISTERED])
def test_parameters_after_an_unknown_one_that_is_skipped_count(kind: int) -> None:
    assert capabilities_after(Parameter(kind, b"1234"), *OFFERS) == (True, True)
    assert reported(answer_to(Parameter(kind, b"1234"), *OFFERS)) == [kind] * (kind == SKIPS_AND_REPORTS)


@pytest.mark.parametrize("kind", [STOPS, STOPS_AND_REPORTS, HOST_NAME_ADDRESS])
def test_parameters_after_an_unknown_one_that_stops_do_not_count(kind: int) -> None:
    stop = Parameter(kind, b"1234")
    assert capabilities_after(*OFFERS, stop) == (True, True)
    assert capabilities_after(stop, *OFFERS) == (False, False)
    assert capabilities_after(OFFERS[1], stop, OFFERS[2]) == (True, False)
    behind = Parameter(SKIPS_AND_REPORTS, b"")
    assert reported(answer_to(stop, *OFFERS, behind)) == [kind] * (kind == STOPS_AND_REPORTS)
    assert reported(answer_to(behind, stop)) == [behind.kind] + [kind] * (kind == STOPS_AND_REPORTS)


@pytest.mark.parametrize("kind", [STOPS, STOPS_AND_REPORTS])
@pytest.mark.parametrize("cookie_first", [True, False])
def test_a_cookie_after_an_unknown_parameter_that_stops_is_ignored(kind: int, cookie_first: bool) -> None:
    pair = make_pair()
    left = pair.left.association
    left.connect(pair.now)
    pair.flush()
    parameters = [Parameter(STATE_COOKIE, b"cookie"), Parameter(kind, b"")]
    init_ack = InitAck(77, 100_000, 10, 10, 5, tuple(parameters if cookie_first else parameters[::-1]))
    left.receive([to_left(init_of(pair, 0).initiate_tag, init_ack.encode())], pair.now)
    kinds = [kind for packet in left.datagrams_to_send(pair.now) for kind in chunk_kinds(packet)]
    reported = [ERROR] if kind == STOPS_AND_REPORTS else []
    assert kinds == ([COOKIE_ECHO, *reported] if cookie_first else [])
    assert left.statistics().dropped == ({} if cookie_first else {"init ack": 1})


# Mandatory fields (RFC 9260 section 3.3.2), and the size of a cookie.


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize(("value", "answered"), [(0, False), (1, True), (2, True)])
def test_an_init_needs_a_tag_and_streams_both_ways(position: int, value: int, answered: bool) -> None:
    pair = make_pair()
    tag, outbound, inbound = (value if index == position else 77 for index in range(3))
    init = Init(tag, 100_000, outbound, inbound, 5)
    assert bool(receive(pair, to_right(0, init.encode()))) is answered
    assert dropped(pair, "init") == (not answered)


@pytest.mark.parametrize("excess", [0, 1])
def test_a_cookie_is_echoed_only_if_it_fits_a_packet(excess: int) -> None:
    """COOKIE ECHO cannot be fragmented; the header of a packet and of a chunk go with it."""
    pair = make_pair()
    left = pair.left.association
    left.connect(pair.now)
    pair.flush()
    cookie = bytes(LEFT.max_packet_size - 12 - 16 + excess)
    init_ack = InitAck(77, 100_000, 10, 10, 5, (Parameter(STATE_COOKIE, cookie),))
    left.receive([to_left(init_of(pair, 0).initiate_tag, init_ack.encode())], pair.now)
    packets = left.datagrams_to_send(pair.now)
    assert [kind for packet in packets for kind in chunk_kinds(packet)] == [COOKIE_ECHO] * (not excess)
    assert all(len(packet) <= LEFT.max_packet_size for packet in packets)


def test_unknown_parameters_of_an_init_ack_are_reported_with_the_first_cookie_echo_only() -> None:
    left = waiting_for_init_ack()
    left.receive(init_ack(COOKIE, REPORTED, NOT_REPORTED, STOPS_REPORTED, REPORTED))
    (packet,) = left.packets()
    assert chunk_kinds(packet) == [COOKIE_ECHO, ERROR]
    _, offset = parse_chunk(packet, 12)
    error, _ = parse_chunk(packet, offset)
    # Cause 8. Parameters after the one that stops processing are ignored.
    unknown = REPORTED.encode() + STOPS_REPORTED.encode()
    assert error == Error((Parameter(8, unknown),))
    # A peer that cannot parse it gets the others without.
    assert left.wait() == [[COOKIE_ECHO]]
    assert left.wait() == [[COOKIE_ECHO]]


def test_data_follows_the_report() -> None:
    left = waiting_for_init_ack()
    left.pair.left.association.send(0, 51, b"hello", left.pair.now)
    left.receive(init_ack(COOKIE, REPORTED))
    assert left.sent() == [[COOKIE_ECHO, ERROR, 0]]


@pytest.mark.parametrize("parameter", [NOT_REPORTED, Parameter(FORWARD_TSN_SUPPORTED, b"")])
def test_parameters_without_the_report_bit_are_not_reported(parameter: Parameter) -> None:
    left = waiting_for_init_ack()
    left.receive(init_ack(COOKIE, parameter))
    assert left.sent() == [[COOKIE_ECHO]]


def test_a_report_is_bounded_and_never_leaves_without_the_cookie() -> None:
    left = waiting_for_init_ack()
    left.receive(init_ack(COOKIE, *[Parameter(0xC123, bytes(20))] * 30))
    (packet,) = left.packets()
    assert chunk_kinds(packet) == [COOKIE_ECHO, ERROR]
    assert len(packet) < 400
    left = waiting_for_init_ack()
    size = SctpOptions().max_packet_size - 12 - 4 - 16
    left.receive(init_ack(Parameter(STATE_COOKIE, bytes(size)), Parameter(0xC123, bytes(20))))
    assert left.sent() == [[COOKIE_ECHO]]


def test_our_own_peer_accepts_the_report() -> None:
    pair = make_pair()
    pair.left.association.connect(pair.now)
    (packet,) = pair.left.association.datagrams_to_send(pair.now)
    (answer,) = receive(pair, packet)
    chunk, _ = parse_chunk(answer, 12)
    assert isinstance(chunk, InitAck)
    changed = attrs.evolve(chunk, parameters=(*chunk.parameters, REPORTED))
    left = Connecting(pair, int.from_bytes(answer[4:8], "big"))
    left.receive(changed)
    (echo,) = left.packets()
    assert chunk_kinds(echo) == [COOKIE_ECHO, ERROR]
    (acknowledgement,) = receive(pair, echo)
    assert chunk_kinds(acknowledgement)[0] == COOKIE_ACK


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


def test_an_init_ack_followed_by_another_chunk_is_discarded() -> None:
    left = waiting_for_init_ack()
    left.receive(init_ack(Parameter(STATE_COOKIE, b"cookie")), behind=Heartbeat(b"").encode())
    assert left.sent() == []
    left.receive(init_ack(Parameter(STATE_COOKIE, b"cookie")))
    assert left.sent() == [[COOKIE_ECHO]]
