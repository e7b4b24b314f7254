"""The handshake messages of DTLS 1.2 (RFC 5246 section 7.4, RFC 6347 section 4.3.2, RFC 8422 section 5)."""

from collections.abc import Sequence
from enum import IntEnum

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .extensions import (
    Extensions,
    encode_extensions,
    encode_numbers,
    parse_extensions,
    parse_numbers,
    vector,
)
from .record.codec import VERSION_1_0, VERSION_1_2

RANDOM_LENGTH = 32
NULL_COMPRESSION = 0
NAMED_CURVE = 3
MAX_SESSION_ID = 32
MAX_CERTIFICATES = 10


class HandshakeType(IntEnum):
    """The kinds of handshake messages."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


class CertificateType(IntEnum):
    """Kinds of client certificates in a CertificateRequest."""

    RSA_SIGN = 1
    ECDSA_SIGN = 64


@attrs.frozen
class HandshakeMessage:
    """A whole handshake message, before fragmentation or after reassembly.

    Attributes:
        message_type: One of ``HandshakeType``, or an unknown number.
        sequence: ``message_seq`` of RFC 6347 section 4.2.2.
        body: What follows the header.
    """

    message_type: int
    sequence: int
    body: bytes = attrs.field(repr=False)

    def encode(self) -> bytes:
        """Return the message as one fragment, which is also how it is hashed (RFC 6347 section 4.2.6)."""
        return self.encode_fragment(0, len(self.body))

    def encode_fragment(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes of the body from ``offset`` on, behind the header of a fragment."""
        return b"".join(
            (
                self.message_type.to_bytes(1, "big"),
                len(self.body).to_bytes(3, "big"),
                self.sequence.to_bytes(2, "big"),
                offset.to_bytes(3, "big"),
                length.to_bytes(3, "big"),
                self.body[offset : offset + length],
            )
        )


@attrs.frozen
class ClientHello:
    """The first message of a client.

    Attributes:
        version: The newest version that it speaks, up to 1.2 (newer ones stand in an extension).
        random: 32 bytes.
        session_id: Empty, or a session to resume, which is not done here.
        cookie: Empty, or what HelloVerifyRequest had.
        cipher_suites: Numbers of cipher suites in order of preference.
        compression_methods: Always holds 0.
        extensions: Bodies by type, in order.
    """

    version: int
    random: bytes
    session_id: bytes
    cookie: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: bytes
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the body of the message."""
        return b"".join(
            (
                self.version.to_bytes(2, "big"),
                self.random,
                vector(1, self.session_id),
                vector(1, self.cookie),
                vector(2, encode_numbers(self.cipher_suites)),
                vector(1, self.compression_methods),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> "ClientHello":
        """Parse the body of the message.

        Raises:
            ProtocolError: It is malformed.
        """
        reader = Reader(body)
        version = reader.read_integer(2)
        random = reader.read(RANDOM_LENGTH)
        session_id = reader.read_vector(1)
        if len(session_id) > MAX_SESSION_ID:
            raise ProtocolError("a session id of more than 32 bytes")
        cookie = reader.read_vector(1)
        cipher_suites = parse_numbers(reader.read_vector(2))
        compression_methods = reader.read_vector(1)
        if not cipher_suites or not compression_methods:
            raise ProtocolError("a ClientHello that offers nothing")
        extensions = parse_extensions(reader)
        reader.expect_end("ClientHello")
        return cls(version, random, session_id, cookie, cipher_suites, compression_methods, extensions)


@attrs.frozen
class HelloVerifyRequest:
    """A server's wish to see that the client can receive (RFC 6347 section 4.2.1).

    Attributes:
        cookie: What the client shall repeat.
    """

    cookie: bytes

    def encode(self) -> bytes:
        """Return the body of the message; its version is 1.0 whatever is negotiated later."""
        return VERSION_1_0.to_bytes(2, "big") + vector(1, self.cookie)

    @classmethod
    def parse(cls, body: bytes) -> "HelloVerifyRequest":
        """Parse the body of the message. Its version says nothing and is not looked at.

        Raises:
            ProtocolError: It is malformed.
        """
        reader = Reader(body)
        reader.read(2)
        cookie = reader.read_vector(1)
        reader.expect_end("HelloVerifyRequest")
        return cls(cookie)


@attrs.frozen
class ServerHello:
    """The server's choice.

    Attributes:
        random: 32 bytes.
        cipher_suite: The number of the cipher suite.
        extensions: Bodies by type.
        version: The negotiated version.
        session_id: Empty: there is no resumption.
        compression_method: 0.
    """

    random: bytes
    cipher_suite: int
    extensions: Extensions
    version: int = VERSION_1_2
    session_id: bytes = b""
    compression_method: int = NULL_COMPRESSION

    def encode(self) -> bytes:
        """Return the body of the message."""
        return b"".join(
            (
                self.version.to_bytes(2, "big"),
                self.random,
                vector(1, self.session_id),
                self.cipher_suite.to_bytes(2, "big"),
                self.compression_method.to_bytes(1, "big"),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> "ServerHello":
        """Parse the body of the message.

        Raises:
            ProtocolError: It is malformed.
        """
        reader = Reader(body)
        version = reader.read_integer(2)
        random = reader.read(RANDOM_LENGTH)
        session_id = reader.read_vector(1)
        if len(session_id) > MAX_SESSION_ID:
            raise ProtocolError("a session id of more than 32 bytes")
        cipher_suite = reader.read_integer(2)
        compression_method = reader.read_integer(1)
        extensions = parse_extensions(reader)
        reader.expect_end("ServerHello")
        return cls(random, cipher_suite, extensions, version, session_id, compression_method)


def encode_certificates(chain: Sequence[bytes]) -> bytes:
    """Return the body of a Certificate message."""
    return vector(3, b"".join(vector(3, certificate) for certificate in chain))


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """Cut the body of a Certificate message into certificates, without parsing those.

    Raises:
        ProtocolError: It is malformed, or there are more than ten.
    """
    reader = Reader(body)
    chain = Reader(reader.read_vector(3))
    reader.expect_end("Certificate")
    certificates: list[bytes] = []
    while chain.remaining:
        if len(certificates) == MAX_CERTIFICATES:
            raise ProtocolError("too many certificates")
        certificates.append(chain.read_vector(3))
    return tuple(certificates)


@attrs.frozen
class ServerKeyExchange:
    """The server's ephemeral key and its signature (RFC 8422 section 5.4).

    Attributes:
        group: The number of the group.
        public_bytes: The key.
        scheme: The signature scheme.
        signature: Over both randoms and the parameters.
    """

    group: int
    public_bytes: bytes
    scheme: int
    signature: bytes

    @staticmethod
    def encode_parameters(group: int, public_bytes: bytes) -> bytes:
        """Return the part of the message that is signed."""
        return bytes((NAMED_CURVE,)) + group.to_bytes(2, "big") + vector(1, public_bytes)

    @property
    def parameters(self) -> bytes:
        """The part of the message that is signed."""
        return self.encode_parameters(self.group, self.public_bytes)

    def encode(self) -> bytes:
        """Return the body of the message."""
        return self.parameters + self.scheme.to_bytes(2, "big") + vector(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> "ServerKeyExchange":
        """Parse the body of the message.

        Raises:
            ProtocolError: It is malformed or has explicit curve parameters.
        """
        reader = Reader(body)
        if reader.read_integer(1) != NAMED_CURVE:
            raise ProtocolError("a key exchange on an unnamed curve")
        group = reader.read_integer(2)
        public_bytes = reader.read_vector(1)
        scheme = reader.read_integer(2)
        signature = reader.read_vector(2)
        reader.expect_end("ServerKeyExchange")
        return cls(group, public_bytes, scheme, signature)


@attrs.frozen
class CertificateRequest:
    """The server's wish for the client's certificate.

    Attributes:
        certificate_types: Numbers of ``CertificateType``.
        schemes: Signature schemes that the server verifies.
        authorities: Distinguished names; empty here, and what a peer says in it is not looked at.
    """

    certificate_types: bytes
    schemes: tuple[int, ...]
    authorities: bytes = b""

    def encode(self) -> bytes:
        """Return the body of the message."""
        return b"".join(
            (
                vector(1, self.certificate_types),
                vector(2, encode_numbers(self.schemes)),
                vector(2, self.authorities),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> "CertificateRequest":
        """Parse the body of the message.

        Raises:
            ProtocolError: It is malformed.
        """
        reader = Reader(body)
        certificate_types = reader.read_vector(1)
        schemes = parse_numbers(reader.read_vector(2))
        authorities = reader.read_vector(2)
        reader.expect_end("CertificateRequest")
        return cls(certificate_types, schemes, authorities)


def encode_client_key_exchange(public_bytes: bytes) -> bytes:
    """Return the body of a ClientKeyExchange message (RFC 8422 section 5.7)."""
    return vector(1, public_bytes)


def parse_client_key_exchange(body: bytes) -> bytes:
    """Return the client's ephemeral key.

    Raises:
        ProtocolError: It is malformed.
    """
    reader = Reader(body)
    public_bytes = reader.read_vector(1)
    reader.expect_end("ClientKeyExchange")
    return public_bytes


@attrs.frozen
class CertificateVerify:
    """The client's signature over the handshake so far.

    Attributes:
        scheme: The signature scheme.
        signature: The signature.
    """

    scheme: int
    signature: bytes

    def encode(self) -> bytes:
        """Return the body of the message."""
        return self.scheme.to_bytes(2, "big") + vector(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> "CertificateVerify":
        """Parse the body of the message.

        Raises:
            ProtocolError: It is malformed.
        """
        reader = Reader(body)
        scheme = reader.read_integer(2)
        signature = reader.read_vector(2)
        reader.expect_end("CertificateVerify")
        return cls(scheme, signature)
