"""Received telephone events (RFC 4733)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.events import ReceivedTelephoneEvent
from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.receive.audio.telephone_events import TelephoneEventReceiver
from trio_rtc.protocols.rtp.send.telephone_events import TelephoneEventSender

RATE = 8000


def receive_events(
    events: TelephoneEventReceiver, *packets: tuple[int, TelephoneEvent], now: float = 0
) -> list[tuple[int, float, bool]]:
    """Receive packets with these timestamps; return the events: code, duration, whether it has ended."""
    for timestamp, event in packets:
        events.received(event.encode(), timestamp, RATE, now)
    return [(heard.code, heard.duration, heard.ended) for heard in events.take_events()]


def event(code: int, milliseconds: float, *, end: bool = False) -> TelephoneEvent:
    return TelephoneEvent(code, end, 10, round(milliseconds * RATE / 1000))


def test_an_event_is_reported_when_it_begins_and_when_it_ends() -> None:
    events = TelephoneEventReceiver()
    assert receive_events(events, (100, event(5, 20))) == [(5, 0.02, False)]
    assert receive_events(events, (100, event(5, 40)), (100, event(5, 60))) == []
    # The end is sent three times.
    assert receive_events(events, *[(100, event(5, 80, end=True))] * 3) == [(5, 0.08, True)]
    assert events.next_timer() == math.inf
    # The same tone again is another event.
    assert receive_events(events, (2000, event(5, 20, end=True))) == [(5, 0.02, False), (5, 0.02, True)]


def test_late_packets_have_no_effect() -> None:
    events = TelephoneEventReceiver()
    assert receive_events(events, (100, event(1, 60)), (100, event(1, 20))) == [(1, 0.06, False)]
    assert receive_events(events, (2000, event(2, 20)), (100, event(1, 80, end=True))) == [
        (1, 0.06, True),
        (2, 0.02, False),
    ]
    assert receive_events(events, (2000, event(2, 40, end=True)), (2000, event(2, 20))) == [(2, 0.04, True)]
    # Another event cannot have begun at the same time.
    assert receive_events(events, (2000, event(3, 20))) == []


def test_an_event_whose_end_is_lost_ends_by_timeout() -> None:
    events = TelephoneEventReceiver()
    receive_events(events, (100, event(11, 20)), now=1)
    receive_events(events, (100, event(11, 40)), now=1.02)
    events.handle_timer(1.5)
    assert events.take_events() == []
    assert events.next_timer() == pytest.approx(1.52)
    events.handle_timer(1.52)
    assert events.take_events() == [ReceivedTelephoneEvent(11, 0.04, 10, True)]
    assert events.next_timer() == math.inf


@pytest.mark.parametrize("seconds", [5, 8.5, 30])
def test_an_event_of_several_segments_is_one_event(seconds: float) -> None:
    events, outgoing = TelephoneEventReceiver(), TelephoneEventSender(9, 1000, RATE)
    for step in range(1, round(seconds * 50) + 1):
        for packet in outgoing.packets(step / 50, end=step == round(seconds * 50)):
            events.received(packet.payload, packet.timestamp, RATE, step / 50)
    begun, over = events.take_events()
    assert (begun.ended, over.ended) == (False, True)
    assert over.duration == pytest.approx(seconds)


def test_several_events_in_a_packet_follow_each_other() -> None:
    events = TelephoneEventReceiver()
    payload = b"".join(each.encode() for each in (event(1, 50, end=True), event(2, 30)))
    events.received(payload, 700, RATE, 0)
    assert receive_events(events, (1100, event(2, 50, end=True))) == [
        (1, 0.05, False),
        (1, 0.05, True),
        (2, 0.03, False),
        (2, 0.05, True),
    ]


def test_tones_have_names() -> None:
    assert [ReceivedTelephoneEvent(code, 0, 0, True).tone for code in (0, 9, 10, 11, 15, 16)] == [
        "0",
        "9",
        "*",
        "#",
        "D",
        None,
    ]


@given(
    packets=st.lists(
        st.tuples(
            st.lists(
                st.builds(TelephoneEvent, st.integers(0, 3), st.booleans(), st.just(1), st.integers(0, 65535))
            ),
            st.integers(0, 300_000),
            st.floats(0, 1),
        )
    )
)
def test_for_any_packets_events_begin_and_end_in_turn(
    packets: list[tuple[list[TelephoneEvent], int, float]],
) -> None:
    events, now = TelephoneEventReceiver(), 0.0
    heard: list[ReceivedTelephoneEvent] = []
    for content, timestamp, pause in packets:
        now += pause
        events.handle_timer(now)
        assert events.next_timer() > now
        payload = b"".join(each.encode() for each in content)
        if payload:
            events.received(payload, timestamp, RATE, now)
        else:
            with pytest.raises(ProtocolError):
                events.received(payload, timestamp, RATE, now)
        heard += events.take_events()
        assert events.take_events() == []
    events.handle_timer(now + 1)
    heard += events.take_events()
    assert [each.ended for each in heard] == [False, True] * (len(heard) // 2)
    for begun, over in zip(heard[::2], heard[1::2], strict=True):
        assert begun.code == over.code
        assert begun.duration <= over.duration
