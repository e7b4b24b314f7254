"""NTP timestamps and round-trip times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtcp import (
    compact_from_seconds,
    compact_ntp,
    ntp_from_unix,
    round_trip_time,
    seconds_from_compact,
    unix_from_ntp,
)


def test_ntp_times() -> None:
    assert ntp_from_unix(0) == 2_208_988_800 << 32
    assert ntp_from_unix(1.5) == 2_208_988_801 << 32 | 0x8000_0000
    assert unix_from_ntp(2_208_988_801 << 32 | 0x8000_0000) == 1.5
    assert compact_ntp(0x0102030405060708) == 0x03040506


@given(st.floats(0, 2_000_000_000))
def test_ntp_times_round_trip(seconds: float) -> None:
    assert unix_from_ntp(ntp_from_unix(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_round_trip_time_of_the_example_in_rfc_3550() -> None:
    # RFC 3550 section 6.4.1, figure 2.
    assert compact_ntp(0xB44DB705_20000000) == 0xB7052000
    assert seconds_from_compact(0x00054000) == 5.25
    assert round_trip_time(0xB7108000, 0xB7052000, 0x00054000) == 6.125


def test_round_trip_times_wrap_and_are_never_negative() -> None:
    assert round_trip_time(0x00008000, 0xFFFF0000, 0x00008000) == 1.0
    assert round_trip_time(0x00010000, 0x00010001, 0) == 0.0
    assert round_trip_time(0x00010000, 0, 0x100) is None


def test_durations_are_clamped() -> None:
    assert compact_from_seconds(1.5) == 0x00018000
    assert compact_from_seconds(-1.0) == 0
    assert compact_from_seconds(1e9) == 0xFFFF_FFFF
