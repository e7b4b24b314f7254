"""Validity of packets and chunks: verification tags, ports, checksums and nonces, at their limits."""

import struct

import pytest

from tests.strategies.sctp_packets import (
    LEFT_PORT,
    RIGHT_PORT,
    dropped,
    init_of,
    make_pair,
    receive,
    shutting_down,
    to_right,
)
from tests.strategies.sctp_pair import COOKIE_ECHO, INIT, INIT_ACK, SctpPair, chunk_kinds
from trio_rtc.protocols.sctp.packet.chunks import (
    Abort,
    CookieAck,
    Heartbeat,
    Init,
    ShutdownComplete,
    encode_chunk,
)
from trio_rtc.protocols.sctp.packet.header import add_checksum

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
