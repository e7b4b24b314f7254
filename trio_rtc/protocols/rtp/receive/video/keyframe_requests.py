"""When to ask for a keyframe, and when to ask again."""

import math

from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.timer import Timer

# Seldom enough where the keyframe is long under way, often enough where requests get lost.
_BACKOFF = 1.5


class KeyframeRequests:
    """Asks for a keyframe once when one is needed, and again, ever less often, until it has come.

    Attributes:
        requests: How many requests there were.
    """

    __slots__ = ("_answer_time", "_asked_at", "_interval", "_timer", "_wanted", "requests")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._interval = options.keyframe_interval
        self._timer = Timer(options.keyframe_interval, _BACKOFF, options.max_keyframe_interval)
        self._answer_time = 0.0
        self._asked_at = -math.inf
        self._wanted = False
        self.requests = 0

    @property
    def running(self) -> bool:
        """Whether a keyframe was asked for and has not come."""
        return self._timer.running

    @property
    def deadline(self) -> float:
        """When it is to be asked for again."""
        return self._timer.deadline

    def set_answer_time(self, seconds: float) -> None:
        """Set how long the answer to a request takes at present: it is not repeated before that.

        A keyframe is the largest of frames: one more on a link whose queue is full makes all others later.
        """
        self._answer_time = seconds
        self._timer.duration = max(self._interval, seconds)
        if self._timer.running and not self._timer.expirations:
            self._timer.start(self._asked_at)

    def need(self, now: float) -> None:
        """Request a keyframe, unless one is pending or in flight."""
        if self._timer.running:
            return
        if now < self._asked_at + self._answer_time:
            self._timer.start(self._asked_at)
            return
        self._timer.start(now)
        self._ask(now)

    def handle_timer(self, now: float) -> None:
        """Ask again, if that is due."""
        if self._timer.expire(now):
            self._ask(now)

    def satisfied(self) -> None:
        """Record that a keyframe has come."""
        self._timer.stop()
        self._wanted = False
        self._asked_at = -math.inf

    def withdraw(self) -> None:
        """Record that none is needed: what was missing has come. The one that was asked for may come all the same."""
        self._timer.stop()
        if self._wanted:
            self._wanted = False
            self._asked_at = -math.inf

    def take(self) -> bool:
        """Return whether to send a request now."""
        wanted = self._wanted
        self._wanted = False
        return wanted

    def _ask(self, now: float) -> None:
        self._asked_at = now
        self._wanted = True
        self.requests += 1
