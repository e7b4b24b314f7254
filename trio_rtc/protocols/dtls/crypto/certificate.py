"""Certificates: our own, self-signed ones, and the check of the peer's by its fingerprint.

In WebRTC nobody asks an authority. What authenticates a certificate is its hash, which came over signaling
(RFC 8122, RFC 8827 section 5.1): therefore names, dates and issuers of the peer's certificate are not looked at.
"""

import datetime
import hmac
import random
from collections.abc import Sequence

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from trio_rtc.enums import RTCErrorDetailType
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure

from .cipher_suites import Authentication
from .key_exchange import NamedGroup, generate_curve_key
from .signature import MAX_RSA_BITS, MIN_RSA_BITS, PrivateKey, PublicKey

ECDSA_P256 = "ECDSA P-256"
RSA_2048 = "RSASSA-PKCS1-v1_5 2048"

DAY = 86400.0
DEFAULT_LIFETIME = 30 * DAY  # W3C webrtc section 4.10.2
MAX_LIFETIME = 365 * DAY

# The hashes of RFC 8122 section 5 that still deserve trust; sha-1, md5 and md2 do not.
_FINGERPRINT_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-224": hashes.SHA224(),
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


@attrs.frozen
class Fingerprint:
    """The hash of a certificate, as in ``a=fingerprint`` and ``RTCDtlsFingerprint``.

    Attributes:
        algorithm: Name of the hash function, in lower case ("sha-256").
        value: The hash in upper-case hexadecimal, bytes separated by colons.
    """

    algorithm: str = attrs.field(converter=_lower)
    value: str = attrs.field(converter=_upper)

    @classmethod
    def of(cls, certificate: bytes, algorithm: str) -> "Fingerprint":
        """Hash a DER certificate.

        Raises:
            ValueError: The algorithm is not one of sha-224, sha-256, sha-384 and sha-512.
        """
        if algorithm.lower() not in _FINGERPRINT_HASHES:
            raise ValueError(f"no trusted hash function is called {algorithm!r}")
        digest = hashes.Hash(_FINGERPRINT_HASHES[algorithm.lower()])
        digest.update(certificate)
        return cls(algorithm, digest.finalize().hex(":"))


@attrs.frozen
class Certificate:
    """A certificate with its private key.

    Attributes:
        der: The certificate.
        private_key: Its key: ECDSA on P-256 (or another curve that was imported), or RSA.
        expires: When it ends, in seconds of Unix time.
    """

    der: bytes = attrs.field(repr=False)
    private_key: PrivateKey = attrs.field(repr=False, eq=False)
    expires: float

    @classmethod
    def generate(
        cls,
        rng: random.Random,
        wall_now: float,
        *,
        algorithm: str = ECDSA_P256,
        lifetime: float = DEFAULT_LIFETIME,
    ) -> "Certificate":
        """Make a self-signed certificate.

        With ECDSA every byte comes from ``rng``. Prime numbers for RSA come from ``cryptography``'s own
        source of randomness, which cannot be replaced.

        Args:
            rng: Source of the key, the name and the serial number.
            wall_now: Unix time in seconds.
            algorithm: "ECDSA P-256" or "RSASSA-PKCS1-v1_5 2048".
            lifetime: Seconds until it expires; more than 365 days are cut to that (W3C webrtc 4.10.2).

        Raises:
            ValueError: The algorithm is another one, or the lifetime is negative.
        """
        if lifetime < 0:
            raise ValueError("a certificate cannot expire before it is made")
        key: PrivateKey
        if algorithm == ECDSA_P256:
            key = generate_curve_key(NamedGroup.SECP256R1, rng)
        elif algorithm == RSA_2048:
            key = rsa.generate_private_key(65537, 2048)
        else:
            raise ValueError(f"certificates are {ECDSA_P256!r} or {RSA_2048!r}, not {algorithm!r}")
        return cls._self_sign(key, rng, wall_now, min(lifetime, MAX_LIFETIME))

    @classmethod
    def _self_sign(
        cls, key: PrivateKey, rng: random.Random, wall_now: float, lifetime: float
    ) -> "Certificate":
        # Random names, so that certificates tell nothing about who made them; a day back, since clocks differ.
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, rng.randbytes(8).hex())])
        expires = int(wall_now + lifetime)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(rng.getrandbits(63) | 1 << 62)
            .not_valid_before(_utc(wall_now - DAY))
            .not_valid_after(_utc(expires))
        )
        deterministic = True if isinstance(key, ec.EllipticCurvePrivateKey) else None
        certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic)
        return cls(certificate.public_bytes(serialization.Encoding.DER), key, float(expires))

    @property
    def authentication(self) -> Authentication:
        """Which cipher suites the key can be used with."""
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return Authentication.ECDSA
        return Authentication.RSA

    def fingerprint(self, algorithm: str = "sha-256") -> Fingerprint:
        """Hash the certificate.

        Raises:
            ValueError: The algorithm is not one of sha-224, sha-256, sha-384 and sha-512.
        """
        return Fingerprint.of(self.der, algorithm)

    def to_pem(self) -> str:
        """Return private key and certificate as PEM text. Keep it secret."""
        key = self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)
        return (key + certificate).decode("ascii")

    @classmethod
    def from_pem(cls, text: str) -> "Certificate":
        """Read what ``to_pem`` wrote, or any PEM text with a private key and its certificate.

        Raises:
            ValueError: There is no such pair, the key is not ECDSA or RSA, or the two do not belong together.
        """
        data = text.encode()
        try:
            certificate = x509.load_pem_x509_certificate(data)
            key = serialization.load_pem_private_key(data, password=None)
            own = certificate.public_key()
        except (UnsupportedAlgorithm, TypeError, x509.InvalidVersion) as error:
            raise ValueError(f"this PEM text cannot be used: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError("a certificate needs an ECDSA or RSA key")
        if key.public_key() != own:
            raise ValueError("the certificate is not that of the private key")
        expires = certificate.not_valid_after_utc.timestamp()
        return cls(certificate.public_bytes(serialization.Encoding.DER), key, expires)


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def matches_fingerprint(certificate: bytes, fingerprints: Sequence[Fingerprint]) -> bool:
    """Return whether a DER certificate has one of the fingerprints (RFC 8122 section 5), in constant time.

    Fingerprints by hash functions that are not trusted match nothing.
    """
    # Hashed once for each function, however many fingerprints a peer has listed.
    actual = {
        algorithm: Fingerprint.of(certificate, algorithm).value.encode()
        for algorithm in {fingerprint.algorithm for fingerprint in fingerprints} & _FINGERPRINT_HASHES.keys()
    }
    matched = False
    for fingerprint in fingerprints:
        if fingerprint.algorithm in actual:
            # Encoded, since compare_digest refuses text that is not ASCII, and this text came from a peer.
            matched |= hmac.compare_digest(actual[fingerprint.algorithm], fingerprint.value.encode())
    return matched


@attrs.frozen
class PeerCertificate:
    """The peer's certificate, after its fingerprint was found right.

    Attributes:
        der: The certificate.
        public_key: The key that its signatures are verified with.
    """

    der: bytes = attrs.field(repr=False)
    public_key: PublicKey = attrs.field(repr=False)

    @property
    def authentication(self) -> Authentication:
        """Which cipher suites the key can be used with."""
        return (
            Authentication.ECDSA
            if isinstance(self.public_key, ec.EllipticCurvePublicKey)
            else Authentication.RSA
        )


def authenticate(chain: Sequence[bytes], fingerprints: Sequence[Fingerprint]) -> PeerCertificate:
    """Check the certificate that the peer has sent, and only then parse it.

    Raises:
        HandshakeFailure: There is none, it has the wrong fingerprint, or a key that cannot be used.
    """
    if not chain:
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the peer has no certificate")
    if not matches_fingerprint(chain[0], fingerprints):
        raise HandshakeFailure(
            AlertDescription.BAD_CERTIFICATE,
            "the peer's certificate has none of the signaled fingerprints",
            RTCErrorDetailType.FINGERPRINT_FAILURE,
        )
    try:
        key = x509.load_der_x509_certificate(chain[0]).public_key()
    except Exception as error:
        # What cryptography raises for a hostile certificate is not a closed list. Its deprecation warnings, of a serial
        # number that is not positive for example, are exceptions too where the program says so.
        raise HandshakeFailure(
            AlertDescription.BAD_CERTIFICATE, "the peer's certificate does not parse"
        ) from error
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            message = f"the peer's RSA key has {key.key_size} bits"
            raise HandshakeFailure(AlertDescription.UNSUPPORTED_CERTIFICATE, message)
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        raise HandshakeFailure(
            AlertDescription.UNSUPPORTED_CERTIFICATE, "the peer's key is neither ECDSA nor RSA"
        )
    return PeerCertificate(chain[0], key)
