"""Handshake messages and the two hellos, which all versions of DTLS share.

The header is that of RFC 6347 section 4.2.2; the hellos are those of RFC 5246 sections 7.4.1.2 and 7.4.1.3 with the
cookie of RFC 6347 section 4.2.1. DTLS 1.3 (RFC 9147 section 5.3) keeps their format and puts its version into the
extension ``supported_versions``.
"""

from enum import IntEnum
from struct import Struct

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .alert import AlertDescription, HandshakeFailure
from .extensions import (
    Extensions,
    ExtensionType,
    encode_extensions,
    encode_numbers,
    parse_extensions,
    parse_number_list,
    parse_numbers,
    vector,
)
from .record.codec import VERSION_1_2

# Message type, length (24 bits), message number, offset and length of the fragment (24 bits each); the upper eight bits
# of each are a field of their own.
FRAGMENT_HEADER = Struct(">BBHHBHBH")
FRAGMENT_HEADER_LENGTH = FRAGMENT_HEADER.size
RANDOM_LENGTH = 32
NULL_COMPRESSION = 0
MAX_SESSION_ID = 32


class HandshakeType(IntEnum):
    """Handshake message types (IANA's registry "TLS HandshakeType")."""

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


@attrs.frozen
class HandshakeMessage:
    """A complete handshake message, before fragmentation or after reassembly.

    Attributes:
        message_type: One of ``HandshakeType``, or an unknown type.
        sequence: ``message_seq`` of RFC 6347 section 4.2.2.
        body: The message without its header.
    """

    message_type: int
    sequence: int
    body: bytes = attrs.field(repr=False)

    def expect_type(self, message_type: HandshakeType) -> None:
        """Raise ``HandshakeFailure`` unless the message has this type."""
        if self.message_type != message_type:
            raise HandshakeFailure(
                AlertDescription.UNEXPECTED_MESSAGE,
                f"handshake message of type {self.message_type}, expected {message_type.name}",
            )

    def encode(self) -> bytes:
        """Return the message as one fragment, the form in which DTLS 1.2 hashes it (RFC 6347 section 4.2.6)."""
        return self.encode_fragment(0, len(self.body))

    def encode_fragment(self, offset: int, length: int) -> bytes:
        """Return the fragment with ``length`` bytes of the body from ``offset`` on."""
        total = len(self.body)
        return (
            FRAGMENT_HEADER.pack(
                self.message_type,
                *(total >> 16, total & 0xFFFF),
                self.sequence,
                *(offset >> 16, offset & 0xFFFF),
                *(length >> 16, length & 0xFFFF),
            )
            + self.body[offset : offset + length]
        )


@attrs.frozen
class ClientHello:
    """The first message of a client.

    Attributes:
        version: Newest version of the client, at most 1.2: newer ones are listed in ``supported_versions``.
        random: 32 bytes.
        session_id: Empty, or a session to resume, which is not supported.
        cookie: Empty, or the cookie of a HelloVerifyRequest.
        cipher_suites: Numbers of cipher suites in order of preference.
        compression_methods: Contains 0.
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
        reader = Reader(body)
        version = reader.read_integer(2)
        random = reader.read(RANDOM_LENGTH)
        session_id = reader.read_vector(1)
        if len(session_id) > MAX_SESSION_ID:
            raise ProtocolError(f"session id of {len(session_id)} bytes, at most {MAX_SESSION_ID}")
        cookie = reader.read_vector(1)
        cipher_suites = parse_numbers(reader.read_vector(2))
        compression_methods = reader.read_vector(1)
        if not cipher_suites or not compression_methods:
            raise ProtocolError("ClientHello without a cipher suite or a compression method")
        extensions = parse_extensions(reader)
        reader.expect_end("ClientHello")
        return cls(version, random, session_id, cookie, cipher_suites, compression_methods, extensions)

    def offers_version(self, version: int) -> bool:
        """Return whether the client supports a version of DTLS.

        Version numbers count down: 0xFEFF is 1.0, 0xFEFD is 1.2, 0xFEFC is 1.3. The newest version without
        ``supported_versions`` is 1.2 (RFC 8446 section 4.2.1).

        Raises:
            ProtocolError: The extension is malformed.
        """
        if self.version >> 8 != VERSION_1_2 >> 8 or self.version > VERSION_1_2:
            return False
        versions = self.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
        return version == VERSION_1_2 if versions is None else version in parse_number_list(versions, 1)


@attrs.frozen
class ServerHello:
    """The server's answer to a ClientHello.

    Attributes:
        random: 32 bytes.
        extensions: Bodies by type.
        version: Selected version, at most 1.2.
        session_id: Empty, since resumption is not supported.
        compression_method: 0.
    """

    random: bytes
    cipher_suite: int
    extensions: Extensions
    version: int = VERSION_1_2
    session_id: bytes = b""
    compression_method: int = NULL_COMPRESSION

    def encode(self) -> bytes:
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
        reader = Reader(body)
        version = reader.read_integer(2)
        random = reader.read(RANDOM_LENGTH)
        session_id = reader.read_vector(1)
        if len(session_id) > MAX_SESSION_ID:
            raise ProtocolError(f"session id of {len(session_id)} bytes, at most {MAX_SESSION_ID}")
        cipher_suite = reader.read_integer(2)
        compression_method = reader.read_integer(1)
        extensions = parse_extensions(reader)
        reader.expect_end("ServerHello")
        return cls(random, cipher_suite, extensions, version, session_id, compression_method)

    def selected_version(self) -> int:
        """Return the version that the server has selected, from ``supported_versions`` if it is present."""
        body = self.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
        if body is None:
            return self.version
        reader = Reader(body)
        version = reader.read_integer(2)
        reader.expect_end("supported_versions")
        return version
