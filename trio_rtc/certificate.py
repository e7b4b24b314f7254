"""RTCCertificate: the certificate of a connection."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from trio_rtc import _attrs as attrs

from ._environment import default_wall_clock, new_rng
from ._strict_names.checks import strict_class
from .errors import InvalidAccessError, NotSupportedError
from .protocols.dtls import Certificate

DEFAULT_LIFETIME = 30 * 86400.0
MAXIMUM_LIFETIME = 365 * 86400.0
_F4 = b"\x01\x00\x01"


@strict_class
@attrs.frozen
class RTCDtlsFingerprint:
    """The digest of a certificate (W3C webrtc section 5.5.2).

    Attributes:
        algorithm: Name of the hash function, "sha-256".
        value: The digest in lower-case hexadecimal, with colons.
    """

    algorithm: str
    value: str


@strict_class
@attrs.frozen(eq=False)
class RTCCertificate:
    """A certificate with its private key (W3C webrtc section 4.9.2).

    Created by ``RTCPeerConnection.generate_certificate`` or, beyond W3C, by :meth:`from_pem`: a program that keeps its
    certificate has the same fingerprint after a restart.

    Attributes:
        expires: Time of expiry in milliseconds since 1970.
    """

    expires: float
    _certificate: Certificate = attrs.field(repr=False)
    _fingerprint: RTCDtlsFingerprint = attrs.field(init=False, repr=False)

    @_fingerprint.default
    def _find_fingerprint(self) -> RTCDtlsFingerprint:
        fingerprint = self._certificate.fingerprint("sha-256")
        return RTCDtlsFingerprint(fingerprint.algorithm, fingerprint.value.lower())

    @classmethod
    def from_pem(cls, text: str) -> "RTCCertificate":
        """Return the certificate in a PEM text, which also has its private key.

        The key must not be encrypted. It may be ECDSA on P-256, P-384 or P-521, or RSA of 2,048 to 8,192 bits. Dates
        and names of a certificate are not checked, except that ``RTCPeerConnection`` refuses one that has expired.

        Args:
            text: The two, in any order: the result of :meth:`to_pem`, or made by OpenSSL.

        Raises:
            ValueError: One of the two is missing, malformed or of another kind, or they do not belong together.
        """
        certificate = Certificate.from_pem(text)
        return cls(certificate.expires * 1000, certificate)

    def to_pem(self) -> str:
        """Return private key and certificate as PEM text. It must be kept secret."""
        return self._certificate.to_pem()

    def get_fingerprints(self) -> list[RTCDtlsFingerprint]:
        """Return the certificate's fingerprints: the SHA-256 one."""
        return [self._fingerprint]


def generate_certificate(
    key_generation_algorithm: str | Mapping[str, Any] = "ECDSA",
    *,
    rng: random.Random | None = None,
    wall_now: float | None = None,
) -> RTCCertificate:
    """Return a new self-signed certificate; see ``RTCPeerConnection.generate_certificate``."""
    algorithm, lifetime = _read_algorithm(key_generation_algorithm)
    certificate = Certificate.generate(
        rng or new_rng(),
        default_wall_clock()() if wall_now is None else wall_now,
        algorithm=algorithm,
        lifetime=lifetime,
    )
    return RTCCertificate(certificate.expires * 1000, certificate)


def choose_certificate(
    configured: Sequence[RTCCertificate], rng: random.Random, wall_now: float
) -> RTCCertificate:
    """Return the certificate of a new connection: the first of its configuration, or else a new one.

    ``InvalidAccessError`` if one of the configuration has expired.
    """
    if any(certificate.expires <= wall_now * 1000 for certificate in configured):
        raise InvalidAccessError("a certificate of the configuration has expired")
    return configured[0] if configured else generate_certificate(rng=rng, wall_now=wall_now)


def needs_thread(key_generation_algorithm: str | Mapping[str, Any]) -> bool:
    """Return whether generating the certificate needs a thread, as it takes long (an RSA key: a tenth of a second)."""
    return not _read_algorithm(key_generation_algorithm)[0].startswith("ECDSA")


def core_certificate(certificate: RTCCertificate) -> Certificate:
    return certificate._certificate


def _read_algorithm(algorithm: str | Mapping[str, Any]) -> tuple[str, float]:
    """Translate a WebCrypto AlgorithmIdentifier, with W3C's ``expires`` in milliseconds."""
    members: Mapping[str, Any] = {"name": algorithm} if isinstance(algorithm, str) else algorithm
    if not isinstance(members.get("name"), str):
        raise TypeError(
            f"key_generation_algorithm must be a name, or a dictionary with one, not {algorithm!r:.100}"
        )
    expires = members.get("expires", DEFAULT_LIFETIME * 1000)
    if not isinstance(expires, int | float) or not expires >= 0:
        raise TypeError(f"expires must be a number of milliseconds from now, at least 0, not {expires!r}")
    lifetime = min(expires / 1000, MAXIMUM_LIFETIME)
    match members["name"].upper():
        case "ECDSA":
            if _member(members, "named_curve", "namedCurve", "P-256") == "P-256":
                return "ECDSA P-256", lifetime
        case "RSASSA-PKCS1-V1_5":
            if (
                _member(members, "modulus_length", "modulusLength", 2048) == 2048
                and bytes(_member(members, "public_exponent", "publicExponent", _F4)) == _F4
                and _name(members.get("hash", "SHA-256")) == "SHA-256"
            ):
                return "RSASSA-PKCS1-v1_5 2048", lifetime
        case _:
            pass
    raise NotSupportedError(
        f"key_generation_algorithm must be ECDSA on P-256, or RSASSA-PKCS1-v1_5 with 2048 bits and SHA-256, "
        f"not {dict(members)!r}"
    )


def _member(members: Mapping[str, Any], name: str, idl_name: str, default: Any) -> Any:
    return members.get(name, members.get(idl_name, default))


def _name(algorithm: Any) -> str:
    """Return the name of a WebCrypto algorithm, which is a string or a dictionary."""
    return str(algorithm.get("name") if isinstance(algorithm, Mapping) else algorithm).upper()
