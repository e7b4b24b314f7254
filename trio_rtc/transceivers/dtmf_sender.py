"""RTCDTMFSender: DTMF tones as telephone events (W3C webrtc section 7, RFC 4733)."""

from typing import Final

import trio

from trio_rtc._error_filters import mark_connection_ended
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.errors import InvalidCharacterError, InvalidStateError
from trio_rtc.event_target import EventHandler, EventTarget
from trio_rtc.events import RTCDTMFToneChangeEvent
from trio_rtc.protocols.rtp.payload import DTMF_EVENTS

from .transceiver import Transceiver

_PAUSE: Final = ","
_PAUSE_DURATION: Final = 2.0
_MIN_DURATION: Final = 40
_MIN_GAP: Final = 30
_MAX_DURATION: Final = 6000
_UPDATE_INTERVAL: Final = 0.02
"""Seconds between two packets of one tone, as of audio (RFC 4733 section 2.5.1.2 advises 50 ms or less)."""
_END_PACKETS: Final = 3
"""Number of end packets (RFC 4733 section 2.5.1.4)."""


@strict_class
class RTCDTMFSender(EventTarget):
    """Sends DTMF tones (W3C webrtc section 7.2). Every ``RTCRtpSender`` of audio has one."""

    EVENTS = frozenset({"tone_change"})

    on_tone_change = EventHandler[RTCDTMFToneChangeEvent]("tone_change")

    def __init__(self, transceiver: Transceiver) -> None:
        super().__init__(transceiver.context.runner)
        self._transceiver = transceiver
        self._tone_buffer = ""
        self._duration: float = 100
        self._gap: float = 70
        self._playing = False

    @property
    def can_insert_dtmf(self) -> bool:
        """Whether ``insert_dtmf`` is allowed: connected, sending, and the peer accepts telephone events."""
        return self._transceiver.can_send_telephone_events

    @property
    def tone_buffer(self) -> str:
        """The tones that remain to be played."""
        return self._tone_buffer

    def insert_dtmf(self, tones: str, duration: float = 100, inter_tone_gap: float = 70) -> None:
        """Replace the tones that remain to be played.

        Args:
            tones: ``0`` to ``9``, ``A`` to ``D``, ``*``, ``#``, and ``,`` for a pause of two seconds. ``""`` stops
                after the present tone.
            duration: Milliseconds of each tone, clamped to the range from 40 to 6000.
            inter_tone_gap: Milliseconds between tones, clamped to the range from 30 to 6000.

        Raises:
            InvalidStateError: ``can_insert_dtmf`` is ``False``.
            InvalidCharacterError: ``tones`` contains another character.
        """
        if not self.can_insert_dtmf:
            error = InvalidStateError(
                "can_insert_dtmf is False: the connection must be connected, the transceiver must send, and the peer "
                "must accept telephone events"
            )
            raise mark_connection_ended(error) if self._runner.ending else error
        tones = tones.upper()
        unknown = set(tones) - DTMF_EVENTS.keys() - {_PAUSE}
        if unknown:
            raise InvalidCharacterError(
                f"tones may contain 0 to 9, A to D, *, # and a comma, not {''.join(sorted(unknown))!r}"
            )
        self._tone_buffer = tones
        self._duration = min(max(duration, _MIN_DURATION), _MAX_DURATION)
        self._gap = min(max(inter_tone_gap, _MIN_GAP), _MAX_DURATION)
        if tones and not self._playing:
            self._playing = True
            self._runner.start(self._play)

    async def _play(self) -> None:
        """W3C's playout task, repeated until the tone buffer is empty."""
        try:
            await trio.lowlevel.checkpoint()
            while self._transceiver.is_sending and not self._transceiver.stopping:
                tone, self._tone_buffer = self._tone_buffer[:1], self._tone_buffer[1:]
                if not tone:
                    # Tones that a handler inserts now are played by another task.
                    self._playing = False
                self._fire(RTCDTMFToneChangeEvent("tone_change", self, tone))
                if not tone:
                    return
                if tone == _PAUSE:
                    await trio.sleep(_PAUSE_DURATION)
                else:
                    await self._play_tone(DTMF_EVENTS[tone], self._duration / 1000, self._gap / 1000)
            self._playing = False
        except trio.Cancelled:
            self._playing = False
            raise

    async def _play_tone(self, code: int, duration: float, gap: float) -> None:
        """Play a tone and the gap after it, timed from its beginning so that delays do not add up."""
        send, begin = self._transceiver.send_telephone_event, trio.current_time()
        try:
            send(code, 0, end=False)
            elapsed = _UPDATE_INTERVAL
            while elapsed < duration - 1e-6:
                await trio.sleep_until(begin + elapsed)
                send(code, elapsed, end=False)
                elapsed += _UPDATE_INTERVAL
            await trio.sleep_until(begin + duration)
        finally:
            send(code, duration, end=True)
        # The end packets are sent before the next tone begins.
        spacing = min(_UPDATE_INTERVAL, gap / _END_PACKETS)
        for repetition in range(1, _END_PACKETS):
            await trio.sleep_until(begin + duration + repetition * spacing)
            send(code, duration, end=True)
        await trio.sleep_until(begin + duration + gap)
