"""Telephone events (RFC 4733)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import DTMF_EVENTS, TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import parse_events


@pytest.mark.parametrize(
    ("encoded", "event"),
    [
        # RFC 4733 section 2.5.2.1: digit 9, volume 7, after 50 ms and at its end after 200 ms.
        ("09070190", TelephoneEvent(9, False, 7, 400)),
        ("09870640", TelephoneEvent(9, True, 7, 1600)),
        ("10bfffff", TelephoneEvent(16, True, 63, 65535)),
    ],
)
def test_telephone_event(encoded: str, event: TelephoneEvent) -> None:
    assert TelephoneEvent.parse(bytes.fromhex(encoded)) == event
    assert event.encode() == bytes.fromhex(encoded)


def test_reserved_bit_is_ignored() -> None:
    assert TelephoneEvent.parse(bytes.fromhex("09470190")) == TelephoneEvent(9, False, 7, 400)


def test_digits() -> None:
    assert [DTMF_EVENTS[digit] for digit in "0159*#AD"] == [0, 1, 5, 9, 10, 11, 12, 15]


@given(st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65535))
def test_events_round_trip(event: int, end: bool, volume: int, duration: int) -> None:
    value = TelephoneEvent(event, end, volume, duration)
    assert parse_events(value.encode() * 3) == (value,) * 3


@pytest.mark.parametrize("size", [0, 1, 3, 5, 7])
def test_truncated_events(size: int) -> None:
    with pytest.raises(ProtocolError):
        TelephoneEvent.parse(bytes(size))
    with pytest.raises(ProtocolError):
        parse_events(bytes(size))


@pytest.mark.parametrize(
    "event",
    [
        TelephoneEvent(256),
        TelephoneEvent(-1),
        TelephoneEvent(1, volume=64),
        TelephoneEvent(1, duration=65536),
    ],
)
def test_events_out_of_range(event: TelephoneEvent) -> None:
    with pytest.raises(ValueError, match="must be 0 to 255"):
        event.encode()
