"""Cipher suites: ECDHE for the key exchange and an AEAD for the records, no others.

RFC 9325 section 4.2 recommends these, RFC 8827 section 6.5 requires the first.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from trio_rtc import _attrs as attrs


class Aead(Protocol):
    """Common interface of the AEAD classes of ``cryptography``."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Encrypt and authenticate ``data``."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Decrypt ``data``, or raise ``cryptography.exceptions.InvalidTag``."""


class Authentication(StrEnum):
    """Kind of the key that signs the key exchange."""

    ECDSA = "ECDSA"
    RSA = "RSA"


@attrs.frozen
class AeadAlgorithm:
    """An AEAD and the sizes of key and nonce.

    Attributes:
        create: Class of the cipher, called with the key.
        key_length: Bytes of the key.
        fixed_iv_length: Bytes of the nonce taken from the key schedule.
        explicit_nonce_length: Bytes of the nonce sent in each record of (D)TLS 1.2 (8 in RFC 5288, 0 in RFC 7905).
    """

    create: Callable[[bytes], Aead]
    key_length: int
    fixed_iv_length: int
    explicit_nonce_length: int


AES_128_GCM = AeadAlgorithm(AESGCM, 16, 4, 8)
AES_256_GCM = AeadAlgorithm(AESGCM, 32, 4, 8)
CHACHA20_POLY1305 = AeadAlgorithm(ChaCha20Poly1305, 32, 12, 0)


@attrs.frozen
class CipherSuite:
    """A cipher suite of TLS 1.2.

    Attributes:
        identifier: Number in IANA's registry "TLS Cipher Suites".
        name: Name in that registry.
        authentication: Kind of the server's key.
        aead: Protection of the records.
        hash_algorithm: Hash of the PRF and of the transcript.
    """

    identifier: int
    name: str
    authentication: Authentication
    aead: AeadAlgorithm
    hash_algorithm: hashes.HashAlgorithm


_SHA256 = hashes.SHA256()
_SHA384 = hashes.SHA384()

ECDHE_ECDSA_AES_128_GCM = CipherSuite(
    0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Authentication.ECDSA, AES_128_GCM, _SHA256
)
ECDHE_RSA_AES_128_GCM = CipherSuite(
    0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Authentication.RSA, AES_128_GCM, _SHA256
)
ECDHE_ECDSA_AES_256_GCM = CipherSuite(
    0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Authentication.ECDSA, AES_256_GCM, _SHA384
)
ECDHE_RSA_AES_256_GCM = CipherSuite(
    0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Authentication.RSA, AES_256_GCM, _SHA384
)
ECDHE_ECDSA_CHACHA20_POLY1305 = CipherSuite(
    0xCCA9,
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    Authentication.ECDSA,
    CHACHA20_POLY1305,
    _SHA256,
)
ECDHE_RSA_CHACHA20_POLY1305 = CipherSuite(
    0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Authentication.RSA, CHACHA20_POLY1305, _SHA256
)

# In order of preference: AES-128 first, since common CPUs have instructions for it.
CIPHER_SUITES = (
    ECDHE_ECDSA_AES_128_GCM,
    ECDHE_RSA_AES_128_GCM,
    ECDHE_ECDSA_AES_256_GCM,
    ECDHE_RSA_AES_256_GCM,
    ECDHE_ECDSA_CHACHA20_POLY1305,
    ECDHE_RSA_CHACHA20_POLY1305,
)
