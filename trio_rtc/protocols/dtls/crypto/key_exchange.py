"""Ephemeral elliptic curve Diffie-Hellman (RFC 8422), with keys from the connection's source of randomness."""

import random
from enum import IntEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure


class NamedGroup(IntEnum):
    """Supported groups (IANA's registry "TLS Supported Groups").

    A TLS 1.2 client's list of groups also lists the curves that it accepts in certificates (RFC 8422 section 5.1), so
    without secp384r1 a server with a P-384 certificate would refuse our hello.
    """

    SECP256R1 = 23
    SECP384R1 = 24
    X25519 = 29

    @property
    def label(self) -> str:
        """Name in the registry."""
        return self.name.lower()


GROUPS = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)

_CURVES: dict[NamedGroup, ec.EllipticCurve] = {
    NamedGroup.SECP256R1: ec.SECP256R1(),
    NamedGroup.SECP384R1: ec.SECP384R1(),
}

# The orders of the two curves (SEC 2): a private key is an integer from 1 to the order minus one.
_ORDERS = {
    NamedGroup.SECP256R1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    NamedGroup.SECP384R1: int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}


def generate_curve_key(group: NamedGroup, rng: random.Random) -> ec.EllipticCurvePrivateKey:
    """Return a private key on a NIST curve, drawn from ``rng``."""
    return ec.derive_private_key(rng.randrange(1, _ORDERS[group]), _CURVES[group])


@attrs.frozen
class EphemeralKey:
    """An ephemeral key pair.

    Attributes:
        public_bytes: The encoded public key: 32 bytes for X25519, an uncompressed point otherwise.
    """

    group: NamedGroup
    public_bytes: bytes
    _private_key: x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey = attrs.field(repr=False)

    @classmethod
    def generate(cls, group: NamedGroup, rng: random.Random) -> "EphemeralKey":
        if group is NamedGroup.X25519:
            x25519_key = x25519.X25519PrivateKey.from_private_bytes(rng.randbytes(32))
            return cls(group, x25519_key.public_key().public_bytes_raw(), x25519_key)
        curve_key = generate_curve_key(group, rng)
        point = curve_key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return cls(group, point, curve_key)

    def exchange(self, peer_public: bytes) -> bytes:
        """Return the shared secret; ``HandshakeFailure`` if the key is no point of the group or of small order."""
        try:
            if isinstance(self._private_key, x25519.X25519PrivateKey):
                peer = x25519.X25519PublicKey.from_public_bytes(peer_public)
                return self._private_key.exchange(peer)
            if peer_public[:1] != b"\x04":
                raise ValueError("not an uncompressed point")
            curve = _CURVES[self.group]
            point = ec.EllipticCurvePublicKey.from_encoded_point(curve, peer_public)
            return self._private_key.exchange(ec.ECDH(), point)
        except Exception as error:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER,
                f"invalid {self.group.label} public key of {len(peer_public)} bytes",
            ) from error
