"""Virtual time that stands still while a codec or a file is busy in a thread.

trio's autojump clock takes a task that waits for a thread for idle, and jumps to the next deadline, although the thread
takes no virtual time at all. This instrument lets it jump only while no thread runs. Until then the event loop sleeps,
and what wakes it is the thread's result.
"""

import math

import trio
import trio.testing

from trio_rtc.codecs import codec_limiter
from trio_rtc.media import media_limiter


class ThreadsHoldTime(trio.abc.Instrument):
    """Install it with ``trio.lowlevel.add_instrument``, under an autojump clock."""

    def __init__(self) -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        self._clock = clock
        self._threshold = clock.autojump_threshold
        self._token = trio.lowlevel.current_trio_token()
        self._limiters = (
            codec_limiter(),
            media_limiter(),
            trio.to_thread.current_default_thread_limiter(),
        )

    def before_io_wait(self, timeout: float) -> None:
        busy = any(limiter.borrowed_tokens for limiter in self._limiters)
        threshold = math.inf if busy else self._threshold
        if threshold != self._clock.autojump_threshold:
            self._clock.autojump_threshold = threshold
            # It is too late for the wait that begins now: end that one at once.
            self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass
