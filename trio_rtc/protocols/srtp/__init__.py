"""SRTP and SRTCP (RFC 3711, RFC 7714) with keys from DTLS (RFC 5764), on libsrtp."""

from .options import SrtpOptions
from .profiles import MAX_PROTECTED_SIZE, MAX_RTCP_SIZE, MAX_RTP_SIZE, PROFILES, Profile
from .session import PacketCounters, SrtpCounters, SrtpSession

__all__ = [
    "MAX_PROTECTED_SIZE",
    "MAX_RTCP_SIZE",
    "MAX_RTP_SIZE",
    "PROFILES",
    "PacketCounters",
    "Profile",
    "SrtpCounters",
    "SrtpOptions",
    "SrtpSession",
]
