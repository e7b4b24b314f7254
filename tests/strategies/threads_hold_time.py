"""Virtual time that stands still while a codec or a file is busy in a thread.

trio's autojump clock takes a task that waits for a thread for idle, and jumps to the next deadline, although the thread
takes no virtual time at all. This instrument keeps the event loop awake for as long as one runs.
"""

import time

import trio

from trio_rtc.codecs import codec_limiter
from trio_rtc.media import media_limiter

_POLL = 0.0003  # real seconds


class ThreadsHoldTime(trio.abc.Instrument):
    """Install it with ``trio.lowlevel.add_instrument``."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._limiters = (
            codec_limiter(),
            media_limiter(),
            trio.to_thread.current_default_thread_limiter(),
        )

    def before_io_wait(self, timeout: float) -> None:
        if timeout >= 0 and any(limiter.borrowed_tokens for limiter in self._limiters):
            time.sleep(_POLL)
            self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass
