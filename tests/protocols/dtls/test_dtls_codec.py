"""Handshake messages: to bytes and back, arbitrary and mutated bytes, and fragments in any order."""

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import CIPHER_SUITES, SRTP_PROFILES, AlertDescription, NamedGroup
from trio_rtc.protocols.dtls.alert import AlertLevel
from trio_rtc.protocols.dtls.crypto.signature import SignatureScheme
from trio_rtc.protocols.dtls.extensions import (
    EMPTY_RENEGOTIATION_INFO,
    UNCOMPRESSED_POINTS,
    ExtensionType,
    encode_use_srtp,
    parse_number_list,
    parse_numbers,
    parse_use_srtp,
)
from trio_rtc.protocols.dtls.flight import FlightItem, FlightMessage, FlightRecord, pack_flight
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.reassembly import (
    MAX_MESSAGES_AHEAD,
    Fragment,
    Outcome,
    Reassembler,
    parse_fragments,
)
from trio_rtc.protocols.dtls.record.codec import (
    HEADER_LENGTH,
    MAX_FRAGMENT,
    MAX_PLAINTEXT,
    ContentType,
    parse_records,
)
from trio_rtc.protocols.dtls.record.protection import NullProtection
from trio_rtc.protocols.dtls.tls12.messages import (
    CertificateRequest,
    CertificateType,
    CertificateVerify,
    HelloVerifyRequest,
    ServerKeyExchange,
    encode_certificates,
    encode_client_key_exchange,
    parse_certificates,
    parse_client_key_exchange,
)

numbers = st.integers(0, 0xFFFF)
number_lists = st.lists(numbers, min_size=1, max_size=20).map(tuple)
extensions = st.dictionaries(numbers, st.binary(max_size=30), max_size=6)
randoms = st.binary(min_size=32, max_size=32)
session_ids = st.binary(max_size=32)

Message = (
    ClientHello
    | ServerHello
    | HelloVerifyRequest
    | ServerKeyExchange
    | CertificateRequest
    | CertificateVerify
)

MESSAGES: dict[type[Message], st.SearchStrategy[Message]] = {
    ClientHello: st.builds(
        ClientHello,
        version=numbers,
        random=randoms,
        session_id=session_ids,
        cookie=st.binary(max_size=255),
        cipher_suites=number_lists,
        compression_methods=st.binary(min_size=1, max_size=5),
        extensions=extensions,
    ),
    ServerHello: st.builds(
        ServerHello,
        random=randoms,
        cipher_suite=numbers,
        extensions=extensions,
        version=numbers,
        session_id=session_ids,
        compression_method=st.integers(0, 255),
    ),
    HelloVerifyRequest: st.builds(HelloVerifyRequest, cookie=st.binary(max_size=255)),
    ServerKeyExchange: st.builds(
        ServerKeyExchange,
        group=numbers,
        public_bytes=st.binary(max_size=255),
        scheme=numbers,
        signature=st.binary(max_size=300),
    ),
    CertificateRequest: st.builds(
        CertificateRequest,
        certificate_types=st.binary(max_size=10),
        schemes=number_lists,
        authorities=st.binary(max_size=50),
    ),
    CertificateVerify: st.builds(CertificateVerify, scheme=numbers, signature=st.binary(max_size=300)),
}

CLIENT_HELLO = ClientHello(0xFEFD, bytes(32), b"", b"", (0xC02B,), b"\0", {5: b"x"})

PARSERS = [
    *(message.parse for message in MESSAGES),
    parse_certificates,
    parse_client_key_exchange,
    parse_fragments,
    parse_number_list,
    parse_numbers,
    parse_use_srtp,
]


@pytest.mark.parametrize("message_class", MESSAGES, ids=lambda message_class: message_class.__name__)
@given(data=st.data())
def test_messages_survive_the_wire(message_class: type[Message], data: st.DataObject) -> None:
    message = data.draw(MESSAGES[message_class])
    assert message_class.parse(message.encode()) == message


@pytest.mark.parametrize(
    "message",
    [
        CLIENT_HELLO,
        ServerHello(bytes(32), 0xC02B, {5: b"x"}),
        HelloVerifyRequest(b"cookie"),
        ServerKeyExchange(29, bytes(32), 0x0403, bytes(64)),
        CertificateRequest(b"\1", (0x0403,), b""),
        CertificateVerify(0x0403, bytes(64)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_nothing_stands_behind_a_message_and_nothing_is_missing(message: Message) -> None:
    encoded = message.encode()
    assert type(message).parse(encoded) == message
    for wrong in (encoded + b"\0", encoded[:-1]):
        with pytest.raises(ProtocolError):
            type(message).parse(wrong)


@pytest.mark.parametrize("offer", [{"cipher_suites": ()}, {"compression_methods": b""}])
def test_a_client_offers_something(offer: dict[str, Any]) -> None:
    """RFC 5246 section 7.4.1.2: at least one cipher suite, and the null compression."""
    with pytest.raises(ProtocolError, match="without a cipher suite"):
        ClientHello.parse(attrs.evolve(CLIENT_HELLO, **offer).encode())


@pytest.mark.parametrize("hello", [CLIENT_HELLO, ServerHello(bytes(32), 0xC02B, {})])
def test_a_session_id_has_at_most_32_bytes(hello: ClientHello | ServerHello) -> None:
    longest = attrs.evolve(hello, session_id=bytes(32))
    assert type(hello).parse(longest.encode()) == longest
    with pytest.raises(ProtocolError, match="of 33 bytes, at most 32"):
        type(hello).parse(attrs.evolve(hello, session_id=bytes(33)).encode())


def test_nothing_stands_behind_certificates_or_a_key() -> None:
    for parse, encoded in (
        (parse_certificates, encode_certificates([b"one", b"other"])),
        (parse_client_key_exchange, encode_client_key_exchange(bytes(32))),
    ):
        parse(encoded)
        for wrong in (encoded + b"\0", encoded[:-1]):
            with pytest.raises(ProtocolError):
                parse(wrong)


@pytest.mark.parametrize("message_class", MESSAGES, ids=lambda message_class: message_class.__name__)
@given(data=st.data())
def test_cut_and_mutated_messages_are_a_protocol_error_or_well_formed(
    message_class: type[Message], data: st.DataObject
) -> None:
    encoded = bytearray(data.draw(MESSAGES[message_class]).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(encoded[: data.draw(st.integers(0, len(encoded)))])
    try:
        message = message_class.parse(cut)
    except ProtocolError:
        return
    assert message_class.parse(message.encode()) == message


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=300))
def test_parsers_raise_nothing_but_protocol_errors(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        parse(data)


def test_nothing_stands_behind_the_contents_of_an_extension() -> None:
    lists = (parse_number_list, b"\0\4\0\1\0\2", (1, 2))
    profiles = (parse_use_srtp, b"\0\2\0\7\1x", ((7,), b"x"))
    for parse, encoded, parsed in (lists, profiles):
        assert parse(encoded) == parsed
        for wrong in (encoded + b"\0", encoded[:-1]):
            with pytest.raises(ProtocolError):
                parse(wrong)


@given(st.lists(st.binary(max_size=100), max_size=10).map(tuple))
def test_certificates_survive_the_wire(chain: tuple[bytes, ...]) -> None:
    assert parse_certificates(encode_certificates(chain)) == chain


def test_too_many_certificates() -> None:
    with pytest.raises(ProtocolError):
        parse_certificates(encode_certificates([b"x"] * 11))


@given(st.binary(max_size=255))
def test_a_client_key_exchange_survives_the_wire(public_bytes: bytes) -> None:
    assert parse_client_key_exchange(encode_client_key_exchange(public_bytes)) == public_bytes


@given(number_lists)
def test_srtp_profiles_survive_the_wire(profiles: tuple[int, ...]) -> None:
    assert parse_use_srtp(encode_use_srtp(profiles)) == (profiles, b"")


def test_an_extension_that_is_there_twice() -> None:
    hello = ServerHello(bytes(32), 1, {5: b"x"}).encode()
    block = hello[-5:]
    with pytest.raises(ProtocolError, match="twice"):
        ServerHello.parse(hello[:-7] + b"\0\x0a" + block + block)


def test_a_fragment_beyond_its_message() -> None:
    message = HandshakeMessage(1, 0, bytes(10))
    encoded = bytearray(message.encode_fragment(5, 5))
    assert parse_fragments(bytes(encoded)) == [Fragment(1, 10, 0, 5, bytes(5))]
    encoded[3] = 9
    with pytest.raises(ProtocolError, match="beyond"):
        parse_fragments(bytes(encoded))


def test_numbers_of_the_registries_of_iana() -> None:
    """They matter to other implementations only: two peers of our own agree on any."""
    assert [suite.identifier for suite in CIPHER_SUITES] == [0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8]
    assert {profile.name: profile.identifier for profile in SRTP_PROFILES} == {
        "SRTP_AES128_CM_HMAC_SHA1_80": 1,
        "SRTP_AEAD_AES_128_GCM": 7,
        "SRTP_AEAD_AES_256_GCM": 8,
    }
    assert [(group.label, group.value) for group in NamedGroup] == [
        ("secp256r1", 23),
        ("secp384r1", 24),
        ("x25519", 29),
    ]
    assert {scheme.name: scheme.value for scheme in SignatureScheme} == {
        "RSA_PKCS1_SHA256": 0x0401,
        "RSA_PKCS1_SHA384": 0x0501,
        "RSA_PKCS1_SHA512": 0x0601,
        "ECDSA_SECP256R1_SHA256": 0x0403,
        "ECDSA_SECP384R1_SHA384": 0x0503,
        "ECDSA_SECP521R1_SHA512": 0x0603,
        "RSA_PSS_RSAE_SHA256": 0x0804,
        "RSA_PSS_RSAE_SHA384": 0x0805,
        "RSA_PSS_RSAE_SHA512": 0x0806,
    }
    assert [kind.value for kind in HandshakeType] == [0, 1, 2, 3, 11, 12, 13, 14, 15, 16, 20]
    assert [kind.value for kind in ExtensionType] == [10, 11, 13, 14, 23, 43, 0xFF01]
    assert [kind.value for kind in CertificateType] == [1, 64]
    assert [kind.value for kind in ContentType] == [20, 21, 22, 23, 26]
    assert [level.value for level in AlertLevel] == [1, 2]
    assert [alert.value for alert in AlertDescription] == [
        *(0, 10, 20, 22, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 70, 71, 80, 90, 100, 110)
    ]
    assert [(profile.key_length, profile.salt_length) for profile in SRTP_PROFILES] == [
        *((32, 12), (16, 12), (16, 14))
    ]
    assert UNCOMPRESSED_POINTS == b"\1\0"
    assert EMPTY_RENEGOTIATION_INFO == b"\0"
    # RFC 5246 section 6.2: 2^14 bytes, and 2,048 more under a cipher.
    assert (MAX_PLAINTEXT, MAX_FRAGMENT) == (16_384, 18_432)


# Flights


def pack(items: Sequence[FlightItem], mtu: int) -> list[bytes]:
    def seal(epoch: int, content_type: int, plaintext: bytes) -> bytes:
        return NullProtection().seal_batch(content_type, 0, [plaintext])[0]

    return pack_flight(items, mtu, lambda epoch: HEADER_LENGTH, seal)


@pytest.mark.parametrize(
    ("bodies", "mtu", "sizes"),
    [
        # A fragment has 25 bytes of headers. One of 32 bytes is worth a place at the end of a datagram.
        ((118, 100), 200, [200, 25 + 100 - 32]),
        ((119, 100), 200, [25 + 119, 25 + 100]),
        ((119, 31), 200, [200]),
        ((120, 31), 200, [25 + 120, 25 + 31]),
        ((175,), 200, [200]),
        ((176,), 200, [200, 25 + 1]),
        ((0, 0), 200, [50]),
        # Where there is not even room for that, it is all that a datagram has.
        ((10,), 30, [30, 30]),
        ((), 200, []),
    ],
)
def test_datagrams_of_a_flight_are_filled(bodies: tuple[int, ...], mtu: int, sizes: list[int]) -> None:
    messages = [HandshakeMessage(11, number, bytes(size)) for number, size in enumerate(bodies)]
    datagrams = pack([FlightMessage(0, message) for message in messages], mtu)
    assert [len(datagram) for datagram in datagrams] == sizes
    reassembler = Reassembler(1000, 1000)
    for datagram in datagrams:
        for record in parse_records(datagram):
            for fragment in parse_fragments(datagram[record.start : record.end]):
                reassembler.add_fragment(0, fragment)
    assert [reassembler.pop_message(0) for _ in bodies] == messages


@pytest.mark.parametrize(("size", "sizes"), [(161, [200]), (162, [25 + 162, 14])])
def test_change_cipher_spec_fills_a_datagram_too(size: int, sizes: list[int]) -> None:
    """It is one byte, and no handshake message: it has no fragment header."""
    change = FlightRecord(0, ContentType.CHANGE_CIPHER_SPEC, b"\1")
    items: list[FlightItem] = [FlightMessage(0, HandshakeMessage(11, 0, bytes(size))), change]
    datagrams = pack(items, 200)
    assert [len(datagram) for datagram in datagrams] == sizes
    assert datagrams[-1].endswith(b"\x14\xfe\xfd" + bytes(8) + b"\0\1\1")


# Reassembly


@given(
    body=st.binary(max_size=60),
    cuts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_fragments_in_any_order_with_overlap(
    body: bytes, cuts: list[tuple[int, int]], order: random.Random
) -> None:
    message = HandshakeMessage(11, 0, body)
    ranges = [(min(a, len(body)), min(b, len(body))) for a, b in cuts]
    pieces = [(min(a, b), abs(b - a)) for a, b in ranges]
    # The last one makes sure that nothing is missing.
    half = len(body) // 2
    pieces += [(0, half), (half, len(body) - half)]
    order.shuffle(pieces)
    reassembler = Reassembler(100, 100)
    covered: set[int] = set()
    for count, (offset, length) in enumerate(pieces, start=1):
        (fragment,) = parse_fragments(message.encode_fragment(offset, length))
        assert reassembler.add_fragment(0, fragment) is Outcome.STORED
        covered.update(range(offset, offset + length))
        if len(covered) == len(body):
            assert reassembler.pop_message(0) == message
            break
        assert reassembler.pop_message(0) is None
        assert count < len(pieces)
    assert reassembler.add_fragment(0, Fragment(11, len(body), 0, 0, b"")) is Outcome.REPEATED


def test_messages_come_out_in_order() -> None:
    reassembler = Reassembler(100, 1000)
    messages = [HandshakeMessage(sequence, sequence, bytes([sequence])) for sequence in range(5)]
    for message in reversed(messages):
        assert reassembler.pop_message(0) is None
        reassembler.add_fragment(0, *parse_fragments(message.encode()))
    assert [reassembler.pop_message(0) for _ in messages] == messages
    assert reassembler.pop_message(0) is None


def test_epochs_are_kept_apart() -> None:
    reassembler = Reassembler(100, 1000)
    protected, plain = HandshakeMessage(20, 0, b"genuine"), HandshakeMessage(20, 0, b"forged!")
    (half,) = parse_fragments(protected.encode_fragment(0, 3))
    reassembler.add_fragment(0, *parse_fragments(plain.encode()))
    reassembler.add_fragment(1, half)
    assert reassembler.pop_message(1) is None
    reassembler.add_fragment(1, *parse_fragments(protected.encode()))
    assert reassembler.pop_message(1) == protected
    assert reassembler.pop_message(0) is None


def test_memory_is_bounded() -> None:
    reassembler = Reassembler(100, 250)
    assert reassembler.add_fragment(0, Fragment(1, 101, 0, 0, b"")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 100, 1, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 51, 2, 0, b"")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 50, 2, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 0, MAX_MESSAGES_AHEAD, 0, b"")) is Outcome.REFUSED
    # What is taken makes room.
    reassembler.add_fragment(0, Fragment(1, 100, 0, 0, bytes(100)))
    assert reassembler.pop_message(0) is not None
    assert reassembler.add_fragment(0, Fragment(1, 100, 3, 0, b"")) is Outcome.STORED


def test_an_earlier_message_takes_the_room_of_the_last_one() -> None:
    reassembler = Reassembler(100, 250)
    reassembler.add_fragment(0, Fragment(1, 100, 1, 0, bytes(100)))
    reassembler.add_fragment(0, Fragment(1, 100, 2, 0, bytes(100)))
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, bytes(100))) is Outcome.STORED
    taken = [reassembler.pop_message(0) for _ in range(3)]
    assert [message and message.sequence for message in taken] == [0, 1, None]


def test_a_contradicting_fragment_replaces_what_was_there() -> None:
    for forged in (Fragment(1, 100, 0, 0, b"forged"), Fragment(2, 7, 0, 0, b"forged!")):
        # What was there takes no room any more.
        reassembler = Reassembler(100, 100)
        for fragment in (forged, Fragment(1, 7, 0, 0, b"genu"), Fragment(1, 7, 0, 4, b"ine")):
            assert reassembler.add_fragment(0, fragment) is Outcome.STORED
        assert reassembler.pop_message(0) == HandshakeMessage(1, 0, b"genuine")


def test_what_has_come_is_not_awaited_again() -> None:
    reassembler = Reassembler(100, 100)
    for offset, length in ((10, 10), (0, 5), (5, 5), (25, 5), (20, 5)):
        assert reassembler.pop_message(0) is None
        reassembler.add_fragment(0, Fragment(1, 30, 0, offset, bytes(length)))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, bytes(30))


def test_a_message_that_is_larger_than_all_the_room_is_refused() -> None:
    reassembler = Reassembler(1000, 100)
    assert reassembler.add_fragment(0, Fragment(1, 101, 0, 0, b"x")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, b"x")) is Outcome.STORED


def test_a_message_in_crumbs_is_begun_anew() -> None:
    reassembler = Reassembler(1000, 1000)
    # Each of the first 63 crumbs makes one gap more. There may be 64.
    crumbs = [Fragment(1, 1000, 0, offset, b"x") for offset in range(1, 256, 2)]
    outcomes = [reassembler.add_fragment(0, crumb) for crumb in crumbs]
    assert outcomes == [*[Outcome.STORED] * 63, Outcome.REFUSED] * 2
    reassembler.add_fragment(0, Fragment(1, 1000, 0, 0, bytes(1000)))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, bytes(1000))


def test_bounds_of_fragments() -> None:
    """No flight has more messages than 16, and no datagram of one more fragments than 32."""
    reassembler = Reassembler(100, 1000)
    assert reassembler.add_fragment(0, Fragment(1, 1, 15, 0, b"x")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 1, 16, 0, b"x")) is Outcome.REFUSED
    reassembler.add_fragment(0, Fragment(1, 0, 0, 0, b""))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, b"")
    assert reassembler.add_fragment(0, Fragment(1, 1, 16, 0, b"x")) is Outcome.STORED
    one = HandshakeMessage(1, 0, b"x").encode()
    assert len(parse_fragments(32 * one)) == 32
    assert len(parse_fragments(2 * one, 2)) == 2
    with pytest.raises(ProtocolError):
        parse_fragments(33 * one)
    for payload, limit in ((2 * one, 1), (one, 0), (b"", 32)):
        with pytest.raises(ProtocolError):
            parse_fragments(payload, limit)
