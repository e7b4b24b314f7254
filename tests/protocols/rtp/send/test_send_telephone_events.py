"""The packets of a telephone event that is sent (RFC 4733 section 2.5)."""

from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import MAX_DURATION
from trio_rtc.protocols.rtp.send.telephone_events import TelephoneEventPacket, TelephoneEventSender


def packet(timestamp: int, duration: int, *, marker: bool = False, end: bool = False) -> TelephoneEventPacket:
    return TelephoneEventPacket(timestamp, marker, TelephoneEvent(5, end, duration=duration).encode())


def test_the_timestamp_stays_and_the_duration_grows() -> None:
    sender = TelephoneEventSender(5, 1000, 8000)
    assert sender.packets(0.0, end=False) == []
    assert sender.packets(0.05, end=False) == [packet(1000, 400, marker=True)]
    assert sender.packets(0.1, end=False) == [packet(1000, 800)]
    assert not sender.ended
    for _ in range(3):
        assert sender.packets(0.12, end=True) == [packet(1000, 960, end=True)]
    assert sender.ended


def test_a_long_event_continues_in_another_segment() -> None:
    begin = 0xFFFF_FFFF
    sender = TelephoneEventSender(5, begin, 8000)
    seconds = (MAX_DURATION + 80) / 8000
    assert sender.packets(seconds, end=False) == [
        packet(begin, MAX_DURATION, marker=True),
        packet(MAX_DURATION - 1, 80),
    ]
    assert sender.packets(seconds, end=True) == [packet(MAX_DURATION - 1, 80, end=True)]
