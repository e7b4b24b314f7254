"""Virtual time that stands still while a thread works.

trio's autojump clock considers a task that waits for a thread idle, and jumps to the next deadline, although the thread
takes no virtual time at all. This instrument allows the jump only while no thread runs. Until then the event loop
sleeps, and the thread's result wakes it.
"""

import math

import trio
import trio.testing

from trio_rtc._environment import thread_limiters


class ThreadsHoldTime(trio.abc.Instrument):
    """Stops an autojump clock while threads run; installed with ``trio.lowlevel.add_instrument``."""

    def __init__(self, clock: trio.testing.MockClock) -> None:
        self._clock = clock
        self._threshold = clock.autojump_threshold
        self._held = False
        self._token = trio.lowlevel.current_trio_token()

    def before_io_wait(self, timeout: float) -> None:
        """Set the clock's threshold according to whether threads run."""
        busy = any(limiter.borrowed_tokens for limiter in thread_limiters())
        if busy == self._held:
            return
        self._held = busy
        self._clock.autojump_threshold = math.inf if busy else self._threshold
        # Too late for the wait that begins now: end that one at once.
        self._token.run_sync_soon(_nothing, idempotent=True)


def _nothing() -> None:
    pass
