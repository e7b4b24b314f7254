"""Received telephone events (RFC 4733 section 2.5).

All packets of an event have the timestamp of its beginning and its duration so far. An event that lasts longer than the
duration field continues in another segment, which begins where the one before ends (section 2.5.1.3).
"""

import math
from typing import Final

from trio_rtc.protocols.rtp.events import ReceivedTelephoneEvent
from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import MAX_DURATION, parse_events

_SILENCE: Final = 0.5
"""Seconds without a packet after which an event has ended: all packets with its end bit were lost."""


class TelephoneEventReceiver:
    """Tracks the events of one stream, one at a time.

    Each packet has the duration so far, so that any packet may be lost. An event ends with a packet that has the end
    bit, when another event begins, or when no packet has arrived for half a second.
    """

    __slots__ = ("_before", "_clock_rate", "_duration", "_event", "_events", "_received_at", "_timestamp")

    def __init__(self) -> None:
        self._event: TelephoneEvent | None = None
        # The beginning of the present segment, or of the last one; earlier packets are late.
        self._timestamp = -1
        self._before = 0
        self._duration = 0
        self._clock_rate = 1
        self._received_at = 0.0
        self._events: list[ReceivedTelephoneEvent] = []

    def received(self, payload: bytes, timestamp: int, clock_rate: int, now: float) -> None:
        """Receive a packet; its timestamp is unwrapped.

        Raises:
            ProtocolError: The payload is malformed.
        """
        self._clock_rate = clock_rate
        for event in parse_events(payload):
            self._handle(event, timestamp, now)
            timestamp += event.duration

    def _handle(self, event: TelephoneEvent, timestamp: int, now: float) -> None:
        current = self._event
        continues = current is not None and event.event == current.event
        if continues and timestamp == self._timestamp + MAX_DURATION:
            # The event has lasted longer than the 16 bits of the duration field (section 2.5.1.3).
            self._before += MAX_DURATION
            self._timestamp, self._duration = timestamp, 0
        elif timestamp > self._timestamp:
            self._end()
            self._timestamp, self._before, self._duration = timestamp, 0, 0
            self._event = event
            self._report(event, ended=False, duration=event.duration)
        elif not continues or timestamp < self._timestamp:
            return
        self._received_at = now
        self._duration = max(self._duration, event.duration)
        if event.end:
            self._end()

    def take_events(self) -> list[ReceivedTelephoneEvent]:
        """Return the beginnings and ends of events since the last call."""
        events, self._events = self._events, []
        return events

    def handle_timer(self, now: float) -> None:
        """End an event of which no packet has arrived for half a second."""
        if now >= self.next_timer():
            self._end()

    def next_timer(self) -> float:
        """Return when the present event ends without another packet, ``math.inf`` without an event."""
        return math.inf if self._event is None else self._received_at + _SILENCE

    def _end(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            self._report(event, ended=True, duration=self._before + self._duration)

    def _report(self, event: TelephoneEvent, *, ended: bool, duration: int) -> None:
        seconds = duration / self._clock_rate
        self._events.append(ReceivedTelephoneEvent(event.event, seconds, event.volume, ended))
