"""Handshake messages that only DTLS 1.2 has (RFC 5246 section 7.4, RFC 6347 section 4.2.1, RFC 8422 section 5)."""

from collections.abc import Sequence
from enum import IntEnum

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.extensions import encode_numbers, parse_numbers, vector
from trio_rtc.protocols.dtls.record.codec import VERSION_1_0
from trio_rtc.protocols.reader import Reader

NAMED_CURVE = 3
MAX_CERTIFICATES = 10


class CertificateType(IntEnum):
    """Certificate types of a CertificateRequest (RFC 5246 section 7.4.4)."""

    RSA_SIGN = 1
    ECDSA_SIGN = 64


@attrs.frozen
class HelloVerifyRequest:
    """A server's request that the client repeats its hello with a cookie (RFC 6347 section 4.2.1)."""

    cookie: bytes

    def encode(self) -> bytes:
        """Return the body of the message. Its version is 1.0, whichever version is negotiated later."""
        return VERSION_1_0.to_bytes(2, "big") + vector(1, self.cookie)

    @classmethod
    def parse(cls, body: bytes) -> "HelloVerifyRequest":
        """Parse the body of the message, ignoring its version."""
        reader = Reader(body)
        reader.read(2)
        cookie = reader.read_vector(1)
        reader.expect_end("HelloVerifyRequest")
        return cls(cookie)


def encode_certificates(chain: Sequence[bytes]) -> bytes:
    return vector(3, b"".join(vector(3, certificate) for certificate in chain))


def parse_certificates(body: bytes) -> tuple[bytes, ...]:
    """Split the body of a Certificate message into at most ten certificates, which are not parsed."""
    reader = Reader(body)
    chain = Reader(reader.read_vector(3))
    reader.expect_end("Certificate")
    certificates: list[bytes] = []
    while chain.remaining:
        if len(certificates) == MAX_CERTIFICATES:
            raise ProtocolError(f"more than {MAX_CERTIFICATES} certificates")
        certificates.append(chain.read_vector(3))
    return tuple(certificates)


@attrs.frozen
class ServerKeyExchange:
    """The server's ephemeral key, and the signature of both randoms and ``parameters`` (RFC 8422 section 5.4)."""

    group: int
    public_bytes: bytes
    scheme: int
    signature: bytes

    @staticmethod
    def encode_parameters(group: int, public_bytes: bytes) -> bytes:
        """Return the signed part of the message."""
        return bytes((NAMED_CURVE,)) + group.to_bytes(2, "big") + vector(1, public_bytes)

    @property
    def parameters(self) -> bytes:
        """The signed part of the message."""
        return self.encode_parameters(self.group, self.public_bytes)

    def encode(self) -> bytes:
        return self.parameters + self.scheme.to_bytes(2, "big") + vector(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> "ServerKeyExchange":
        reader = Reader(body)
        if reader.read_integer(1) != NAMED_CURVE:
            raise ProtocolError("ServerKeyExchange without a named curve")
        group = reader.read_integer(2)
        public_bytes = reader.read_vector(1)
        scheme = reader.read_integer(2)
        signature = reader.read_vector(2)
        reader.expect_end("ServerKeyExchange")
        return cls(group, public_bytes, scheme, signature)


@attrs.frozen
class CertificateRequest:
    """The server's request for the client's certificate.

    Attributes:
        certificate_types: Numbers of ``CertificateType``.
        schemes: Numbers of the signature schemes that the server verifies.
        authorities: Distinguished names; empty here, ignored from a peer.
    """

    certificate_types: bytes
    schemes: tuple[int, ...]
    authorities: bytes = b""

    def encode(self) -> bytes:
        return b"".join(
            (
                vector(1, self.certificate_types),
                vector(2, encode_numbers(self.schemes)),
                vector(2, self.authorities),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> "CertificateRequest":
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
    reader = Reader(body)
    public_bytes = reader.read_vector(1)
    reader.expect_end("ClientKeyExchange")
    return public_bytes


@attrs.frozen
class CertificateVerify:
    """The client's signature of the handshake so far."""

    scheme: int
    signature: bytes

    def encode(self) -> bytes:
        return self.scheme.to_bytes(2, "big") + vector(2, self.signature)

    @classmethod
    def parse(cls, body: bytes) -> "CertificateVerify":
        reader = Reader(body)
        scheme = reader.read_integer(2)
        signature = reader.read_vector(2)
        reader.expect_end("CertificateVerify")
        return cls(scheme, signature)
