"""Records of a connection: batches, replays, forgeries, malformed records, other epochs and content types."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.dtls_pair import Pair, check_agreement, make_connection, make_pair, seal_record
from tests.strategies.dtls_records import connected, received, seal
from trio_rtc.protocols.dtls import CIPHER_SUITES, CipherSuite, DtlsRole
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.record.codec import HEADER, ContentType

SUITES = pytest.mark.parametrize("suite", CIPHER_SUITES[::2], ids=lambda suite: suite.name)


@SUITES
def test_a_batch_is_one_event(suite: CipherSuite) -> None:
    pair = connected(suite)
    items = [bytes([index]) * index * 30 for index in range(32)]
    assert received(pair, seal(pair, *items)) == items
    assert pair.server.events() == []


@SUITES
def test_records_may_share_a_datagram(suite: CipherSuite) -> None:
    pair = connected(suite)
    first, second, third, fourth = seal(pair, b"1", b"2", b"3", b"4")
    before = pair.server.counters.records_received
    assert received(pair, [first, second + third, fourth]) == [b"1", b"2", b"3", b"4"]
    assert pair.server.counters.records_received == before + 4


@SUITES
def test_a_replayed_record_is_dropped(suite: CipherSuite) -> None:
    pair = connected(suite)
    datagrams = seal(pair, b"1", b"2", b"3")
    assert received(pair, [datagrams[0], datagrams[2], datagrams[0], datagrams[2]]) == [b"1", b"3"]
    assert pair.server.counters.replayed == 2
    # The general path, for several records in a datagram, has the same window.
    assert received(pair, [b"".join(datagrams)]) == [b"2"]
    assert pair.server.counters.replayed == 4


@pytest.mark.parametrize("window", [32, 64, 1000])
def test_the_replay_window_bounds_how_late_a_record_may_arrive(window: int) -> None:
    pair = connected(replay_window=window)
    datagrams = seal(pair, *(str(index).encode() for index in range(window + 1)))
    assert received(pair, datagrams[-1:]) == [str(window).encode()]
    assert received(pair, datagrams[:1]) == []
    assert received(pair, datagrams[1:2]) == [b"1"]
    assert pair.server.counters.replayed == 1


@SUITES
@given(position=st.integers(0, 200), bit=st.integers(0, 7))
@example(position=12, bit=2)
def test_a_changed_bit_anywhere_drops_only_this_record(suite: CipherSuite, position: int, bit: int) -> None:
    pair = connected(suite)
    first, second, third = seal(pair, b"1", b"2" * 20, b"3")
    changed = bytearray(second)
    changed[position % len(changed)] ^= 1 << bit
    assert received(pair, [first, bytes(changed), third]) == [b"1", b"3"]
    counters = pair.server.counters
    # A smaller length splits the record in two: a forged one and a rest that does not parse.
    dropped = counters.forged + counters.malformed + counters.wrong_epoch + counters.replayed
    assert dropped == 2 if position % len(changed) in (11, 12) and counters.forged else dropped == 1
    # The genuine record is still accepted.
    assert received(pair, [second]) == [b"2" * 20]


def test_a_forged_record_does_not_move_the_window() -> None:
    pair = connected()
    datagrams = seal(pair, b"1", b"2")
    content_type, version, _, length = HEADER.unpack_from(datagrams[1])
    future = HEADER.pack(content_type, version, 1 << 48 | 1 << 40, length) + datagrams[1][HEADER.size :]
    assert received(pair, [future, *datagrams]) == [b"1", b"2"]
    assert pair.server.counters.forged == 1


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20, 36])
def test_records_shorter_than_nonce_and_tag_are_malformed(length: int) -> None:
    pair = connected()
    (datagram,) = seal(pair, b"")
    fragment = max(0, length - HEADER.size)
    cut = (datagram[:11] + fragment.to_bytes(2, "big") + datagram[13:])[:length]
    assert received(pair, [cut, datagram]) == [b""]
    assert pair.server.counters.malformed == (1 if length else 0)


def test_application_data_in_the_clear_is_dropped() -> None:
    record = bytes((23, 0xFE, 0xFD)) + bytes(8) + b"\0\4evil"
    fresh = make_connection(DtlsRole.SERVER)
    fresh.start(0.0)
    fresh.receive([record], 0.0)
    assert fresh.events() == []
    assert fresh.counters.unexpected == 1
    pair = connected()
    assert received(pair, [record]) == []


# Authentic records that are not expected


def handshake_record(pair: Pair, sender: DtlsRole, kind: HandshakeType) -> bytes:
    fragment = HandshakeMessage(kind, 7, b"").encode()
    return seal_record(pair.of(sender), ContentType.HANDSHAKE, fragment)


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("kind", [HandshakeType.HELLO_REQUEST, HandshakeType.CLIENT_HELLO])
def test_renegotiation_is_declined(role: DtlsRole, kind: HandshakeType) -> None:
    """With the warning no_renegotiation (RFC 5246 section 7.2.2); the connection continues."""
    pair = connected()
    pair.of(role).receive([handshake_record(pair, role.other, kind)], pair.now)
    (answer,) = pair.of(role).datagrams_to_send(pair.now)
    assert answer[0] == ContentType.ALERT
    assert pair.of(role).counters.unexpected == 0
    before = pair.of(role.other).counters.records_received
    pair.of(role.other).receive([answer], pair.now)
    assert pair.of(role.other).counters.records_received == before + 1
    check_agreement(pair)


def test_other_handshake_messages_once_connected_are_counted() -> None:
    pair = connected()
    for index, kind in enumerate([HandshakeType.CERTIFICATE, HandshakeType.SERVER_HELLO], start=1):
        pair.server.receive([handshake_record(pair, DtlsRole.CLIENT, kind)], pair.now)
        assert pair.server.counters.unexpected == index
    # The server sent the final flight, so the client has none to retransmit.
    pair.client.receive([handshake_record(pair, DtlsRole.SERVER, HandshakeType.FINISHED)], pair.now + 1)
    assert pair.client.counters.unexpected == 1
    assert pair.client.datagrams_to_send(pair.now) == pair.server.datagrams_to_send(pair.now) == []
    check_agreement(pair)


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("plaintext", [b"\1", b"", b"\2", b"\1\1"])
def test_change_cipher_spec_is_one_byte(role: DtlsRole, plaintext: bytes) -> None:
    pair = connected()
    changes = seal_record(pair.of(role.other), ContentType.CHANGE_CIPHER_SPEC, plaintext)
    pair.of(role).receive([changes], pair.now)
    assert pair.of(role).counters.malformed == (plaintext != b"\1")
    check_agreement(pair)


@given(st.binary(max_size=100), st.integers(0, 2**32))
def test_garbage_at_any_time_never_raises(garbage: bytes, seed: int) -> None:
    rng = random.Random(seed)
    pair = make_pair()
    pair.start()
    for _ in range(rng.randrange(5)):
        pair.step()
    for connection in (pair.client, pair.server):
        connection.receive([garbage, b"\x16\xfe\xfd\x00\x01" + garbage], pair.now)
        # Only a handshake message in the clear could fail the handshake; this is none.
        assert not connection.closed
    pair.run(lambda: pair.completed)
    check_agreement(pair)
