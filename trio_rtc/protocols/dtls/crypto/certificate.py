"""Local certificates, self-signed, and authentication of the peer's certificate by its fingerprint.

WebRTC has no certificate authorities. A certificate is authenticated by its hash, which was signaled (RFC 8122, RFC
8827 section 5.1). Names, dates and issuer of the peer's certificate are therefore ignored.
"""

import datetime
import hmac
import random
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCErrorDetailType
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure

from .cipher_suites import Authentication
from .key_exchange import NamedGroup, generate_curve_key
from .signature import MAX_RSA_BITS, MIN_RSA_BITS, PrivateKey, PublicKey

ECDSA_P256 = "ECDSA P-256"
RSA_2048 = "RSASSA-PKCS1-v1_5 2048"

_IMPORTED_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

DAY = 86400.0
DEFAULT_LIFETIME = 30 * DAY  # W3C webrtc section 4.10.2
MAX_LIFETIME = 365 * DAY

# The trusted hash functions of RFC 8122 section 5, which are all but sha-1, md5 and md2.
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
    """Hash of a certificate, as in ``a=fingerprint`` and ``RTCDtlsFingerprint``.

    Attributes:
        algorithm: Name of the hash function in lower case ("sha-256").
        value: Hash in upper-case hexadecimal, bytes separated by colons.
    """

    algorithm: str = attrs.field(converter=_lower)
    value: str = attrs.field(converter=_upper)

    @classmethod
    def of(cls, certificate: bytes, algorithm: str) -> "Fingerprint":
        """Return the fingerprint of a DER certificate.

        Raises:
            ValueError: The algorithm is not one of sha-224, sha-256, sha-384 and sha-512.
        """
        if algorithm.lower() not in _FINGERPRINT_HASHES:
            trusted = ", ".join(_FINGERPRINT_HASHES)
            raise ValueError(
                f"algorithm of a fingerprint: {algorithm!r}, must be one of the hash functions {trusted}"
            )
        digest = hashes.Hash(_FINGERPRINT_HASHES[algorithm.lower()])
        digest.update(certificate)
        return cls(algorithm, digest.finalize().hex(":"))


@attrs.frozen
class Certificate:
    """A certificate with its private key.

    Attributes:
        der: The certificate in DER.
        private_key: ECDSA on P-256 (or another curve if imported), or RSA.
        expires: End of its validity in seconds of Unix time.
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
        """Generate a self-signed certificate.

        With ECDSA every byte is derived from ``rng``. Primes for RSA come from ``cryptography``'s own source of
        randomness, which cannot be replaced.

        Args:
            rng: Source of the key, the name and the serial number.
            wall_now: Unix time in seconds.
            algorithm: "ECDSA P-256" or "RSASSA-PKCS1-v1_5 2048".
            lifetime: Seconds until it expires, limited to 365 days (W3C webrtc 4.10.2).

        Raises:
            ValueError: The algorithm is another one, or the lifetime is negative.
        """
        if lifetime < 0:
            raise ValueError(f"lifetime of a certificate: {lifetime} s, it would expire before now")
        key: PrivateKey
        if algorithm == ECDSA_P256:
            key = generate_curve_key(NamedGroup.SECP256R1, rng)
        elif algorithm == RSA_2048:
            key = rsa.generate_private_key(65537, 2048)
        else:
            raise ValueError(
                f"algorithm of a certificate: {algorithm!r}, must be {ECDSA_P256!r} or {RSA_2048!r}"
            )
        return cls._self_sign(key, rng, wall_now, min(lifetime, MAX_LIFETIME))

    @classmethod
    def _self_sign(
        cls, key: PrivateKey, rng: random.Random, wall_now: float, lifetime: float
    ) -> "Certificate":
        # A random name, so that a certificate does not identify its issuer; valid from yesterday, since clocks differ.
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
        """Kind of the key, which the cipher suite must match."""
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return Authentication.ECDSA
        return Authentication.RSA

    def fingerprint(self, algorithm: str = "sha-256") -> Fingerprint:
        """Return the fingerprint of the certificate.

        Raises:
            ValueError: The algorithm is not one of sha-224, sha-256, sha-384 and sha-512.
        """
        return Fingerprint.of(self.der, algorithm)

    def to_pem(self) -> str:
        """Return private key and certificate as PEM text, which must be kept secret."""
        key = self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)
        return (key + certificate).decode("ascii")

    @classmethod
    def from_pem(cls, text: str) -> "Certificate":
        """Parse the result of ``to_pem``, or any PEM text with a private key and its certificate.

        Raises:
            ValueError: One of the two is missing, the key is neither ECDSA nor RSA, or it is not that of the
                certificate.
        """
        data = text.encode()
        try:
            certificate = x509.load_pem_x509_certificate(data)
            key = serialization.load_pem_private_key(data, password=None)
            own = certificate.public_key()
        except (UnsupportedAlgorithm, TypeError, x509.InvalidVersion) as error:
            raise ValueError(f"PEM text of a certificate and its private key: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"private key of a certificate: {type(key).__name__}, must be ECDSA or RSA")
        if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, _IMPORTED_CURVES):
            raise ValueError(f"curve of a certificate's key: {key.curve.name}, must be P-256, P-384 or P-521")
        if isinstance(key, rsa.RSAPrivateKey) and not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError(
                f"RSA key of a certificate: {key.key_size} bits, must be from {MIN_RSA_BITS} to {MAX_RSA_BITS}"
            )
        if key.public_key() != own:
            raise ValueError("PEM text: the private key does not belong to the certificate")
        expires = certificate.not_valid_after_utc.timestamp()
        return cls(certificate.public_bytes(serialization.Encoding.DER), key, expires)


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def matches_fingerprint(certificate: bytes, fingerprints: Sequence[Fingerprint]) -> bool:
    """Return whether a DER certificate has one of the fingerprints (RFC 8122 section 5), in constant time.

    Fingerprints of untrusted hash functions never match.
    """
    # Hashed once per hash function, however many fingerprints a peer has listed.
    actual = {
        algorithm: Fingerprint.of(certificate, algorithm).value.encode()
        for algorithm in {fingerprint.algorithm for fingerprint in fingerprints} & _FINGERPRINT_HASHES.keys()
    }
    matched = False
    for fingerprint in fingerprints:
        if fingerprint.algorithm in actual:
            # Encoded, since compare_digest refuses text that is not ASCII, and this text is from a peer.
            matched |= hmac.compare_digest(actual[fingerprint.algorithm], fingerprint.value.encode())
    return matched


@attrs.frozen
class PeerCertificate:
    """The peer's certificate, authenticated by its fingerprint.

    Attributes:
        der: The certificate in DER.
        public_key: The key that verifies the peer's signatures.
    """

    der: bytes = attrs.field(repr=False)
    public_key: PublicKey = attrs.field(repr=False)

    @property
    def authentication(self) -> Authentication:
        """Kind of the key, which the cipher suite must match."""
        return (
            Authentication.ECDSA
            if isinstance(self.public_key, ec.EllipticCurvePublicKey)
            else Authentication.RSA
        )


def authenticate_peer(chain: Sequence[bytes], fingerprints: Sequence[Fingerprint]) -> PeerCertificate:
    """Check the fingerprint of the first certificate of the peer's chain, and only then parse it.

    Raises:
        HandshakeFailure: The chain is empty, no fingerprint matches, or the key is not supported.
    """
    if not chain:
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the peer has sent no certificate")
    if not matches_fingerprint(chain[0], fingerprints):
        raise HandshakeFailure(
            AlertDescription.BAD_CERTIFICATE,
            "the peer's certificate matches none of the signaled fingerprints",
            RTCErrorDetailType.FINGERPRINT_FAILURE,
        )
    try:
        key = x509.load_der_x509_certificate(chain[0]).public_key()
    except Exception as error:
        # The exceptions that cryptography raises for a hostile certificate are not a closed list. Its deprecation
        # warnings, of a serial number that is not positive for example, are exceptions too if a program configures so.
        raise HandshakeFailure(
            AlertDescription.BAD_CERTIFICATE, "the peer's certificate does not parse"
        ) from error
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            message = f"the peer's RSA key has {key.key_size} bits, must be {MIN_RSA_BITS} to {MAX_RSA_BITS}"
            raise HandshakeFailure(AlertDescription.UNSUPPORTED_CERTIFICATE, message)
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        raise HandshakeFailure(
            AlertDescription.UNSUPPORTED_CERTIFICATE, "the peer's key is neither ECDSA nor RSA"
        )
    return PeerCertificate(chain[0], key)
