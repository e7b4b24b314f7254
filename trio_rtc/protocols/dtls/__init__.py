"""DTLS 1.2 (RFC 6347) in the profile of WebRTC (RFC 8827), a pure core on the primitives of ``cryptography``."""

from .alert import AlertDescription
from .connection import Connection
from .counters import DtlsCounters
from .crypto.certificate import (
    DEFAULT_LIFETIME,
    ECDSA_P256,
    MAX_LIFETIME,
    RSA_2048,
    Certificate,
    Fingerprint,
    matches_fingerprint,
)
from .crypto.cipher_suites import CIPHER_SUITES, CipherSuite
from .crypto.key_exchange import GROUPS, NamedGroup
from .crypto.srtp import SRTP_PROFILES, SrtpKeys, SrtpProfile
from .events import (
    ApplicationDataReceived,
    DtlsClosed,
    DtlsError,
    DtlsEvent,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from .options import DtlsOptions, DtlsRole

__all__ = [
    "CIPHER_SUITES",
    "DEFAULT_LIFETIME",
    "ECDSA_P256",
    "GROUPS",
    "MAX_LIFETIME",
    "RSA_2048",
    "SRTP_PROFILES",
    "AlertDescription",
    "ApplicationDataReceived",
    "Certificate",
    "CipherSuite",
    "DtlsClosed",
    "Connection",
    "DtlsCounters",
    "DtlsError",
    "DtlsEvent",
    "DtlsOptions",
    "DtlsRole",
    "Fingerprint",
    "HandshakeCompleted",
    "FinalFlightRetransmitted",
    "NamedGroup",
    "SrtpKeys",
    "SrtpProfile",
    "matches_fingerprint",
]
