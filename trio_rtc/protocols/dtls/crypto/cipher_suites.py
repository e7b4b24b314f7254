"""What can be negotiated: cipher suites and SRTP protection profiles.

The profile is small on purpose (ECDHE for the key exchange, AEAD for the records), see RFC 9325
section 4.2 and RFC 8827 section 6.5.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


class Aead(Protocol):
    """What the AEAD classes of ``cryptography`` have in common."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Seal ``data``."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Open ``data``, or raise ``cryptography.exceptions.InvalidTag``."""


class Authentication(StrEnum):
    """The kind of key that signs the key exchange."""

    ECDSA = "ECDSA"
    RSA = "RSA"


@attrs.frozen
class AeadAlgorithm:
    """An AEAD and how TLS 1.2 makes its nonces.

    Attributes:
        create: Makes the cipher from a key.
        key_length: Bytes of the key.
        fixed_iv_length: Bytes of the nonce that come from the key block.
        explicit_nonce_length: Bytes of the nonce that each record carries (RFC 5288; 0 in RFC 7905).
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
        identifier: Its number in IANA's registry "TLS Cipher Suites".
        name: Its name there.
        authentication: The kind of the server's key.
        aead: What protects the records.
        hash_algorithm: The hash of the PRF and of the transcript.
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

# In order of preference: AES-128 first, since every CPU that matters here has instructions for it.
CIPHER_SUITES = (
    ECDHE_ECDSA_AES_128_GCM,
    ECDHE_RSA_AES_128_GCM,
    ECDHE_ECDSA_AES_256_GCM,
    ECDHE_RSA_AES_256_GCM,
    ECDHE_ECDSA_CHACHA20_POLY1305,
    ECDHE_RSA_CHACHA20_POLY1305,
)


@attrs.frozen
class SrtpProfile:
    """An SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

    Attributes:
        identifier: Its number in IANA's registry "DTLS-SRTP Protection Profiles".
        name: Its name there.
        key_length: Bytes of a master key.
        salt_length: Bytes of a master salt.
    """

    identifier: int
    name: str
    key_length: int
    salt_length: int


SRTP_AEAD_AES_256_GCM = SrtpProfile(0x0008, "SRTP_AEAD_AES_256_GCM", 32, 12)
SRTP_AEAD_AES_128_GCM = SrtpProfile(0x0007, "SRTP_AEAD_AES_128_GCM", 16, 12)
SRTP_AES128_CM_HMAC_SHA1_80 = SrtpProfile(0x0001, "SRTP_AES128_CM_HMAC_SHA1_80", 16, 14)

SRTP_PROFILES = (SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80)
