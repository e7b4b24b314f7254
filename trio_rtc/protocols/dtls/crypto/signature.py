"""Signatures of the handshake (RFC 5246 section 4.7, RFC 8446 section 4.2.3)."""

from collections.abc import Sequence
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

# Lower bound: RFC 9325 section 4.5. Upper bound: a peer must not make us verify with an enormous key.
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192


class SignatureScheme(IntEnum):
    """Signature schemes (IANA's registry "TLS SignatureScheme").

    In TLS 1.2 an ECDSA scheme names the hash only; the curve is the certificate's.
    """

    RSA_PKCS1_SHA256 = 0x0401
    ECDSA_SECP256R1_SHA256 = 0x0403
    RSA_PKCS1_SHA384 = 0x0501
    ECDSA_SECP384R1_SHA384 = 0x0503
    RSA_PKCS1_SHA512 = 0x0601
    ECDSA_SECP521R1_SHA512 = 0x0603
    RSA_PSS_RSAE_SHA256 = 0x0804
    RSA_PSS_RSAE_SHA384 = 0x0805
    RSA_PSS_RSAE_SHA512 = 0x0806


# Schemes that are verified, in order of preference.
SIGNATURE_SCHEMES = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.ECDSA_SECP521R1_SHA512,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PKCS1_SHA512,
)

_ECDSA: dict[SignatureScheme, hashes.HashAlgorithm] = {
    SignatureScheme.ECDSA_SECP256R1_SHA256: hashes.SHA256(),
    SignatureScheme.ECDSA_SECP384R1_SHA384: hashes.SHA384(),
    SignatureScheme.ECDSA_SECP521R1_SHA512: hashes.SHA512(),
}

_RSA_PKCS1: dict[SignatureScheme, hashes.HashAlgorithm] = {
    SignatureScheme.RSA_PKCS1_SHA256: hashes.SHA256(),
    SignatureScheme.RSA_PKCS1_SHA384: hashes.SHA384(),
    SignatureScheme.RSA_PKCS1_SHA512: hashes.SHA512(),
}

_RSA_PSS: dict[SignatureScheme, hashes.HashAlgorithm] = {
    SignatureScheme.RSA_PSS_RSAE_SHA256: hashes.SHA256(),
    SignatureScheme.RSA_PSS_RSAE_SHA384: hashes.SHA384(),
    SignatureScheme.RSA_PSS_RSAE_SHA512: hashes.SHA512(),
}


def _rsa_parameters(scheme: int) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    known = SignatureScheme(scheme)
    if known in _RSA_PKCS1:
        return padding.PKCS1v15(), _RSA_PKCS1[known]
    algorithm = _RSA_PSS[known]
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH), algorithm


def select_scheme(key: PrivateKey, offered: Sequence[int]) -> SignatureScheme | None:
    """Return the scheme to sign with among those that the peer accepts, or None.

    PKCS #1 precedes PSS, although PSS is the better scheme: its signatures need no randomness, which PSS would draw
    from the operating system instead of the connection's source.
    """
    ecdsa = isinstance(key, ec.EllipticCurvePrivateKey)
    candidates = tuple(_ECDSA) if ecdsa else (*_RSA_PKCS1, *_RSA_PSS)
    return next((scheme for scheme in candidates if scheme in offered), None)


def sign(key: PrivateKey, scheme: SignatureScheme, data: bytes) -> bytes:
    """Sign ``data`` with a scheme that ``select_scheme`` has selected for ``key``.

    ECDSA signatures are deterministic (RFC 6979), so the same handshake yields the same bytes.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_ECDSA[scheme], deterministic_signing=True))
    return key.sign(data, *_rsa_parameters(scheme))


def verify(key: PublicKey, scheme: int, signature: bytes, data: bytes) -> None:
    """Verify the peer's signature, by a scheme that was offered and fits the key, or raise ``HandshakeFailure``."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_ECDSA[SignatureScheme(scheme)]))
        else:
            key.verify(signature, data, *_rsa_parameters(scheme))
    except InvalidSignature as error:
        raise HandshakeFailure(
            AlertDescription.DECRYPT_ERROR, "the peer's signature does not verify"
        ) from error
    except Exception as error:
        message = f"signature scheme {scheme:#06x} does not fit the peer's key"
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, message) from error
