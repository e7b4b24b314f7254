"""Codec of handshake messages and extensions: round trips, arbitrary and mutated bytes."""

import contextlib
from collections.abc import Callable
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
    parse_number_list,
    parse_numbers,
    parse_use_srtp,
)
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.reassembly import parse_fragments
from trio_rtc.protocols.dtls.record.codec import MAX_FRAGMENT, MAX_PLAINTEXT, ContentType
from trio_rtc.protocols.dtls.tls12.messages import (
    CertificateRequest,
    CertificateType,
    CertificateVerify,
    HelloVerifyRequest,
    ServerKeyExchange,
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
def test_a_message_parses_to_itself(message_class: type[Message], data: st.DataObject) -> None:
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
def test_truncated_and_trailing_bytes_of_a_message_are_errors(message: Message) -> None:
    encoded = message.encode()
    assert type(message).parse(encoded) == message
    for wrong in (encoded + b"\0", encoded[:-1]):
        with pytest.raises(ProtocolError):
            type(message).parse(wrong)


@pytest.mark.parametrize("offer", [{"cipher_suites": ()}, {"compression_methods": b""}])
def test_a_client_hello_without_an_offer_is_an_error(offer: dict[str, Any]) -> None:
    """RFC 5246 section 7.4.1.2: at least one cipher suite, and the null compression."""
    with pytest.raises(ProtocolError, match="without a cipher suite"):
        ClientHello.parse(attrs.evolve(CLIENT_HELLO, **offer).encode())


@pytest.mark.parametrize("hello", [CLIENT_HELLO, ServerHello(bytes(32), 0xC02B, {})])
def test_a_session_id_has_at_most_32_bytes(hello: ClientHello | ServerHello) -> None:
    longest = attrs.evolve(hello, session_id=bytes(32))
    assert type(hello).parse(longest.encode()) == longest
    with pytest.raises(ProtocolError, match="of 33 bytes, at most 32"):
        type(hello).parse(attrs.evolve(hello, session_id=bytes(33)).encode())


@pytest.mark.parametrize("message_class", MESSAGES, ids=lambda message_class: message_class.__name__)
@given(data=st.data())
def test_truncated_and_mutated_messages_parse_or_raise_protocol_error(
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
def test_parsers_raise_only_protocol_error(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        parse(data)


def test_numbers_of_iana_registries() -> None:
    """Only other implementations would notice a wrong one: two peers of ours agree on any."""
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
