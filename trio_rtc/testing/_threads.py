"""Virtual time that stops while a thread runs.

trio's autojump clock treats a task that waits for a thread as idle, and jumps to the next deadline, although the thread
takes no virtual time. This instrument allows the jump only while no thread runs. Until then the event loop sleeps, and
is woken by the thread's result.
"""

import math

import trio
import trio.testing

from trio_rtc._environment import thread_limiters


class AutojumpGuard(trio.abc.Instrument):
    """Stops an autojump clock while threads run; install it with ``trio.lowlevel.add_instrument``."""

    def __init__(self, clock: trio.testing.MockClock) -> None:
        self._clock = clock
        self._threshold = clock.autojump_threshold
        self._held = False
        self._token = trio.lowlevel.current_trio_token()

    def before_io_wait(self, timeout: float) -> None:
        busy = any(limiter.borrowed_tokens for limiter in thread_limiters())
        if busy == self._held:
            return
        self._held = busy
        self._clock.autojump_threshold = math.inf if busy else self._threshold
        # The wait that begins now still uses the old threshold, so end it at once.
        self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass
