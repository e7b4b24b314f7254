"""Validity of packets and chunks: verification tags, ports, checksums and nonces, at their limits."""

import math
import struct

import attrs
import pytest

from tests.strategies.sctp_pair import (
    COOKIE_ACK,
    COOKIE_ECHO,
    ERROR,
    HEARTBEAT,
    INIT,
    INIT_ACK,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    SctpPair,
    chunk_kinds,
)
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    ShutdownComplete,
    encode_chunk,
    parse_chunk,
)
from trio_rtc.protocols.sctp.packet.header import add_checksum, encode_header, encode_packet
from trio_rtc.protocols.sctp.packet.parameters import (
    FORWARD_TSN_SUPPORTED,
    HOST_NAME_ADDRESS,
    STATE_COOKIE,
    SUPPORTED_EXTENSIONS,
    UNRECOGNIZED_PARAMETER,
    ZERO_CHECKSUM_ACCEPTABLE,
    Parameter,
)

LEFT_PORT, RIGHT_PORT = 5001, 5002
LEFT = SctpOptions(local_port=LEFT_PORT, remote_port=RIGHT_PORT)
RIGHT = SctpOptions(local_port=RIGHT_PORT, remote_port=LEFT_PORT)


def make_pair(**options: object) -> SctpPair:
    return SctpPair(attrs.evolve(LEFT, **options), attrs.evolve(RIGHT, **options))  # type: ignore[arg-type]


def init_of(pair: SctpPair, sender: int) -> Init:
    """Return the INIT or INIT ACK that a side has sent: its tag is that of packets to it."""
    packet = next(packet for index, packet in pair.wire if index == sender and packet[12] in (INIT, INIT_ACK))
    chunk, _ = parse_chunk(packet, 12)
    assert isinstance(chunk, Init)
    return chunk


def to_right(tag: int, *chunks: bytes, source: int = LEFT_PORT, destination: int = RIGHT_PORT) -> bytes:
    """Return a packet to the right side."""
    return encode_packet(encode_header(source, destination, tag), chunks)


def to_left(tag: int, *chunks: bytes) -> bytes:
    return encode_packet(encode_header(RIGHT_PORT, LEFT_PORT, tag), chunks)


def dropped(pair: SctpPair, reason: str) -> int:
    return pair.right.association.statistics().dropped.get(reason, 0)


def receive(pair: SctpPair, packet: bytes) -> list[bytes]:
    """Deliver a packet to the right side, and return its answers."""
    pair.right.association.receive([packet], pair.now)
    return pair.right.association.datagrams_to_send(pair.now)


# Verification tags (RFC 9260 section 8.5).


@pytest.mark.parametrize("connected", [True, False])
def test_an_init_has_no_tag(connected: bool) -> None:
    pair = make_pair()
    init = Init(77, 100_000, 10, 10, 5)
    tags = {1, 77, 0xFFFFFFFF}
    if connected:
        pair.connect()
        tags |= {init_of(pair, 0).initiate_tag, init_of(pair, 1).initiate_tag}
    for tag in tags:
        assert receive(pair, to_right(tag, init.encode())) == []
    assert dropped(pair, "verification tag") == len(tags)
    (answer,) = receive(pair, to_right(0, init.encode()))
    assert chunk_kinds(answer) == [INIT_ACK]
    assert answer[4:8] == (77).to_bytes(4, "big")


def test_nothing_but_an_init_may_have_no_tag() -> None:
    pair = make_pair().connect()
    for chunk in (CookieAck().encode(), Heartbeat(b"x").encode(), Abort().encode(), Abort((), True).encode()):
        assert receive(pair, to_right(0, chunk)) == []
    assert dropped(pair, "verification tag") == 4
    assert pair.is_connected


@pytest.mark.parametrize("whose", ["receiver", "sender", "neither"])
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 0xFE, 0xFF])
def test_an_abort_has_the_receivers_tag_or_reflects_the_senders(whose: str, flags: int) -> None:
    """With the T bit the tag is the one that packets to the sender have."""
    pair = make_pair().connect()
    receiver, sender = init_of(pair, 1).initiate_tag, init_of(pair, 0).initiate_tag
    tag = {"receiver": receiver, "sender": sender, "neither": receiver ^ sender ^ 1}[whose]
    receive(pair, to_right(tag, encode_chunk(Abort.kind, flags, b"")))
    assert pair.right.association.closed is (whose == ("sender" if flags & 1 else "receiver"))


@pytest.mark.parametrize("tag", [0, 1, 0xFFFFFFFF])
def test_an_abort_with_the_t_bit_before_the_peers_tag_is_known(tag: int) -> None:
    pair = make_pair()
    pair.right.association.connect(pair.now)
    receive(pair, to_right(tag, Abort((), True).encode()))
    assert dropped(pair, "verification tag") == 1
    assert not pair.right.association.closed


def shutting_down() -> SctpPair:
    """Return a pair whose right side has sent SHUTDOWN ACK, and waits for SHUTDOWN COMPLETE."""
    pair = make_pair().connect()
    pair.left.association.shutdown(pair.now)
    pair.lost = lambda sender, packet: SHUTDOWN_ACK in chunk_kinds(packet)
    assert pair.run(lambda: bool(pair.kinds_sent(1)[SHUTDOWN_ACK]), 1)
    return pair


@pytest.mark.parametrize("whose", ["receiver", "sender", "neither"])
@pytest.mark.parametrize("reflected", [True, False])
def test_a_shutdown_complete_has_the_receivers_tag_or_reflects_the_senders(
    whose: str, reflected: bool
) -> None:
    pair = shutting_down()
    receiver, sender = init_of(pair, 1).initiate_tag, init_of(pair, 0).initiate_tag
    tag = {"receiver": receiver, "sender": sender, "neither": receiver ^ sender ^ 1}[whose]
    receive(pair, to_right(tag, ShutdownComplete(reflected).encode()))
    assert pair.right.association.closed is (whose == ("sender" if reflected else "receiver"))


# Ports.


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        *((RIGHT_PORT, LEFT_PORT), (LEFT_PORT, LEFT_PORT), (RIGHT_PORT, RIGHT_PORT), (0, RIGHT_PORT)),
        *((LEFT_PORT, 0), (LEFT_PORT + 256, RIGHT_PORT), (LEFT_PORT, RIGHT_PORT + 256)),
    ],
)
@pytest.mark.parametrize("connected", [True, False])
def test_packets_of_other_ports_are_dropped(source: int, destination: int, connected: bool) -> None:
    pair = make_pair()
    tag, chunk = 0, Init(77, 100_000, 10, 10, 5).encode()
    if connected:
        tag, chunk = init_of(pair.connect(), 1).initiate_tag, Heartbeat(b"nonce").encode()
    assert receive(pair, to_right(tag, chunk, source=source, destination=destination)) == []
    assert dropped(pair, "port") == 1
    assert receive(pair, to_right(tag, chunk)) != []


# Checksums (RFC 9653 section 5.3).


@pytest.mark.parametrize("kind", [INIT, COOKIE_ECHO])
def test_a_handshake_without_a_checksum_is_dropped_also_where_zero_is_accepted(kind: int) -> None:
    pair = make_pair()
    pair.lost = lambda sender, packet: kind in chunk_kinds(packet)
    pair.left.association.connect(pair.now)
    assert pair.run(lambda: bool(pair.kinds_sent(0)[kind]), 1)
    packet = next(packet for sender, packet in pair.wire if sender == 0 and packet[12] == kind)
    assert receive(pair, packet[:8] + bytes(4) + packet[12:]) == []
    assert dropped(pair, "checksum") == 1
    assert receive(pair, packet) != []


def test_an_init_ack_without_a_checksum_is_dropped() -> None:
    pair = make_pair()
    pair.lost = lambda sender, packet: sender == 1
    pair.left.association.connect(pair.now)
    pair.run_for(0.1)
    answer = next(packet for sender, packet in pair.wire if sender == 1)
    assert chunk_kinds(answer) == [INIT_ACK]
    left = pair.left.association
    left.receive([answer[:8] + bytes(4) + answer[12:]], pair.now)
    assert left.statistics().dropped == {"checksum": 1}
    assert left.datagrams_to_send(pair.now) == []
    left.receive([answer], pair.now)
    assert chunk_kinds(left.datagrams_to_send(pair.now)[0]) == [COOKIE_ECHO]


@pytest.mark.parametrize("kind", [INIT_ACK, COOKIE_ECHO, INIT])
def test_an_established_association_requires_the_checksum_of_a_handshake(kind: int) -> None:
    pair = make_pair().connect()
    packet = next(
        packet
        for sender, packet in pair.wire
        if packet[12] == kind and sender == (1 if kind == INIT_ACK else 0)
    )
    tag = bytes(4) if kind == INIT else init_of(pair, 1).initiate_tag.to_bytes(4, "big")
    header = struct.pack(">HH", LEFT_PORT, RIGHT_PORT) + tag + bytes(4)
    assert receive(pair, header + packet[12:]) == []
    assert dropped(pair, "checksum") == 1
    receive(pair, add_checksum(header + packet[12:]))
    assert dropped(pair, "checksum") == 1


def test_everything_else_may_be_without_a_checksum_but_not_with_a_wrong_one() -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    whole = to_right(tag, Heartbeat(b"nonce").encode())
    assert receive(pair, whole[:8] + bytes(4) + whole[12:]) != []
    for wrong in (b"\0\0\0\1", b"\1\0\0\0", whole[8:11] + bytes((whole[11] ^ 1,))):
        assert receive(pair, whole[:8] + wrong + whole[12:]) == []
    assert dropped(pair, "checksum") == 3


# The nonce of HEARTBEAT ACK (RFC 9260 section 8.3).


def answer_heartbeats(pair: SctpPair, answer: bytes | None, seconds: float) -> int:
    """Answer the left side's HEARTBEATs, with their nonce or another one; return how many there were.

    Nothing but these answers reaches the left side.
    """
    count = 0

    def intercept(sender: int, packet: bytes) -> bool:
        nonlocal count
        if sender == 0 and HEARTBEAT in chunk_kinds(packet):
            count += 1
            chunk, _ = parse_chunk(packet, 12)
            assert isinstance(chunk, Heartbeat)
            info = chunk.info if answer is None else answer
            pair.transmit(0, to_left(init_of(pair, 0).initiate_tag, HeartbeatAck(info).encode()))
        return True

    pair.lost = intercept
    pair.run(lambda: pair.left.association.closed, seconds)
    return count


def test_a_heartbeat_is_answered_by_its_own_nonce_only() -> None:
    minutes = 600
    pair = make_pair().connect()
    assert answer_heartbeats(pair, None, minutes) > 10
    assert not pair.left.association.closed
    for wrong in (b"", bytes(16), bytes(15)):
        pair = make_pair().connect()
        assert answer_heartbeats(pair, wrong, minutes) > 5
        assert pair.left.association.closed


def test_a_heartbeat_ack_without_a_heartbeat_is_ignored() -> None:
    """It must not restart the interval: the association would be kept alive by unsolicited acknowledgements."""
    pair = make_pair().connect()
    association = pair.left.association
    pair.run_for(1.0)
    before = association.next_timer()
    for info in (b"", bytes(16)):
        association.receive(
            [to_left(init_of(pair, 0).initiate_tag, HeartbeatAck(info).encode())], pair.now + 1
        )
    assert association.next_timer() == before


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


# Chunks that must not be bundled (RFC 9260 section 6.10).


@pytest.mark.parametrize("before", [Heartbeat(b"").encode(), CookieAck().encode()])
@pytest.mark.parametrize("kind", [INIT, INIT_ACK, SHUTDOWN_COMPLETE])
def test_an_init_that_is_not_first_in_its_packet_is_discarded(kind: int, before: bytes) -> None:
    pair = make_pair().connect()
    tag = init_of(pair, 1).initiate_tag
    bundled = ShutdownComplete().encode() if kind == SHUTDOWN_COMPLETE else init_chunk(kind)
    answers = receive(pair, to_right(tag, before, bundled, Heartbeat(b"behind").encode()))
    # Chunks before it are processed, chunks after it are not.
    expected = [HeartbeatAck.kind] if before[0] == HEARTBEAT else []
    assert [kind for answer in answers for kind in chunk_kinds(answer)] == expected
    assert dropped(pair, "bundled") == 1
    assert not pair.right.association.closed


@pytest.mark.parametrize(
    "behind", [Heartbeat(b"").encode(), CookieAck().encode(), encode_chunk(0x80, 0, b"")]
)
def test_an_init_followed_by_another_chunk_is_discarded(behind: bytes) -> None:
    pair = make_pair()
    assert receive(pair, to_right(0, init_chunk(INIT), behind)) == []
    assert dropped(pair, "bundled") == 1
    (answer,) = receive(pair, to_right(0, init_chunk(INIT)))
    assert chunk_kinds(answer) == [INIT_ACK]


def test_an_init_ack_followed_by_another_chunk_is_discarded() -> None:
    left = waiting_for_init_ack()
    left.receive(init_ack(Parameter(STATE_COOKIE, b"cookie")), behind=Heartbeat(b"").encode())
    assert left.sent() == []
    left.receive(init_ack(Parameter(STATE_COOKIE, b"cookie")))
    assert left.sent() == [[COOKIE_ECHO]]


def init_chunk(kind: int) -> bytes:
    return (Init if kind == INIT else InitAck)(7, 100_000, 10, 10, 1).encode()


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


# Queued replies (bounded, because a peer can cause them).


def kinds_of(packets: list[bytes]) -> list[list[int]]:
    return [chunk_kinds(packet) for packet in packets]


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


def test_counters_of_packets() -> None:
    pair = make_pair().connect()
    right = pair.right.association
    before = right.statistics()
    tag = init_of(pair, 1).initiate_tag
    heartbeat = to_right(tag, Heartbeat(b"nonce").encode())
    right.receive([heartbeat, b"short", heartbeat[:-1], to_right(tag, b"\x04\0\0\x03"), heartbeat], pair.now)
    assert len(right.datagrams_to_send(pair.now)) == 1
    after = right.statistics()
    assert after.packets_received - before.packets_received == 5
    assert after.packets_sent - before.packets_sent == 1
    assert after.dropped == {"malformed": 3}
