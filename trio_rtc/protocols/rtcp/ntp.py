"""NTP timestamps as RTCP uses them: 64 bits, and the compact middle 32 bits (RFC 3550 section 4)."""

from typing import Final

from trio_rtc.protocols.serial import serial_add, serial_difference

NTP_UNIX_OFFSET: Final = 2_208_988_800
"""Seconds from NTP's epoch, the beginning of 1900, to Unix's."""
_FRACTION: Final = 1 << 32
_COMPACT_UNITS: Final = 1 << 16


def ntp_from_unix(seconds: float) -> int:
    """Return the 64-bit NTP timestamp of a time in seconds since 1970."""
    whole = int(seconds // 1)
    # The fraction is computed separately to keep its precision.
    return (
        (whole + NTP_UNIX_OFFSET) * _FRACTION + int((seconds - whole) * _FRACTION)
    ) & 0xFFFF_FFFF_FFFF_FFFF


def unix_from_ntp(timestamp: int) -> float:
    """Return the time in seconds since 1970 of a 64-bit NTP timestamp of the era that ends in 2036."""
    return (timestamp >> 32) - NTP_UNIX_OFFSET + (timestamp & 0xFFFF_FFFF) / _FRACTION


def compact_ntp(timestamp: int) -> int:
    """Return the middle 32 bits of a 64-bit NTP timestamp: units of 1/65536 second, wrapping after 18 hours."""
    return timestamp >> 16 & 0xFFFF_FFFF


def compact_from_seconds(seconds: float) -> int:
    """Return a duration in units of 1/65536 second, as in DLSR and DLRR, clamped to 32 bits."""
    return min(max(round(seconds * _COMPACT_UNITS), 0), 0xFFFF_FFFF)


def seconds_from_compact(duration: int) -> float:
    """Return a duration in units of 1/65536 second as seconds."""
    return duration / _COMPACT_UNITS


def round_trip_time(now: int, last_report: int, delay: int) -> float | None:
    """Return the round-trip time in seconds from a report block or DLRR (RFC 3550 section 6.4.1).

    Args:
        now: The arrival time, the middle 32 bits of the local NTP time.
        last_report: The LSR or LRR field; 0 if the peer has not received a report.
        delay: The DLSR or DLRR field.

    Returns:
        The seconds, 0 if limited clock precision makes them negative; ``None`` if ``last_report`` is 0.
    """
    if not last_report:
        return None
    return max(serial_difference(now, serial_add(last_report, delay, 32), 32), 0) / _COMPACT_UNITS
