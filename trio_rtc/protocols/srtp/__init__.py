"""SRTP and SRTCP (RFC 3711, RFC 7714) with keys from DTLS (RFC 5764), on libsrtp."""

from typing import TYPE_CHECKING

from trio_rtc.protocols._lazy import lazy_names

from .options import SrtpOptions

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

if TYPE_CHECKING:
    from .profiles import MAX_PROTECTED_SIZE, MAX_RTCP_SIZE, MAX_RTP_SIZE, PROFILES, Profile
    from .session import PacketCounters, SrtpCounters, SrtpSession
else:
    # A connection without media does not load libsrtp.
    __getattr__ = lazy_names(
        __name__,
        {
            "profiles": ("MAX_PROTECTED_SIZE", "MAX_RTCP_SIZE", "MAX_RTP_SIZE", "PROFILES", "Profile"),
            "session": ("PacketCounters", "SrtpCounters", "SrtpSession"),
        },
    )
