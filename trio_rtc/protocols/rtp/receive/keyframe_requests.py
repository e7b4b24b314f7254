"""When to ask for a keyframe, and when to ask again."""

from trio_rtc.protocols.timer import Timer

from .options import FrameAssemblerOptions

# Seldom enough where the keyframe is long under way, often enough where requests get lost.
_BACKOFF = 1.5


class KeyframeRequests:
    """Asks for a keyframe once when one is needed, and again, ever less often, until it has come.

    Attributes:
        requests: How many requests there were.
    """

    __slots__ = ("_interval", "_timer", "_wanted", "requests")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._interval = options.keyframe_interval
        self._timer = Timer(options.keyframe_interval, _BACKOFF, options.max_keyframe_interval)
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
        """Set how long the answer to a request takes at present: the next request is not repeated before that.

        A keyframe is the largest of frames: one more on a link whose queue is full makes all others later.
        """
        self._timer.duration = max(self._interval, seconds)

    def need(self, now: float) -> None:
        """Ask for a keyframe, if none is being waited for."""
        if not self._timer.running:
            self._timer.start(now)
            self._ask()

    def handle_timer(self, now: float) -> None:
        """Ask again, if that is due."""
        if self._timer.expire(now):
            self._ask()

    def satisfied(self) -> None:
        """Hear that a keyframe has come."""
        self._timer.stop()
        self._wanted = False

    def take(self) -> bool:
        """Return whether to send a request now."""
        wanted = self._wanted
        self._wanted = False
        return wanted

    def _ask(self) -> None:
        self._wanted = True
        self.requests += 1
