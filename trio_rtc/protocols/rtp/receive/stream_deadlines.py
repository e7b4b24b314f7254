"""When each stream that is received wants to be looked at again.

A session may receive a hundred streams. To ask all of them with every packet of one costs more than the packet. So only
those are asked anew that something was done to, or whose time has come; of the others it is known.
"""

import math

from .stream import RtpReceiveStream


class StreamDeadlines:
    """Knows when each stream wants to be looked at.

    It holds what it was given until ``forget``; the table of streams bounds it.

    Args:
        timeout: After how many seconds of silence a stream is to be looked at in any case.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._touched: dict[int, RtpReceiveStream] = {}
        self._streams: dict[int, RtpReceiveStream] = {}
        self._due: dict[int, float] = {}
        self._next = math.inf
        self._is_early = False

    def touch(self, stream: RtpReceiveStream) -> None:
        """Hear that something was done to a stream, so that it may have something to say."""
        self._touched[stream.ssrc] = stream

    def forget(self, ssrc: int) -> None:
        """Hear that a stream has ended."""
        self._touched.pop(ssrc, None)
        self._streams.pop(ssrc, None)
        # Whether it was the first of them is found out later, for all that end together.
        self._is_early |= self._due.pop(ssrc, None) is not None

    def take(self, now: float) -> list[RtpReceiveStream]:
        """Return the streams that may have something to say. They are asked for their time anew afterwards."""
        if self._next <= now:
            for ssrc, due in self._due.items():
                if due <= now:
                    self._touched[ssrc] = self._streams[ssrc]
        return list(self._touched.values())

    def next_timer(self) -> float:
        """Return when the first of them wants to be looked at."""
        if self._touched or self._is_early:
            timeout, streams, deadlines = self._timeout, self._streams, self._due
            for ssrc, stream in self._touched.items():
                streams[ssrc] = stream
                deadlines[ssrc] = min(stream.next_timer(), stream.last_heard + timeout)
            self._touched.clear()
            self._next = min(deadlines.values(), default=math.inf)
            self._is_early = False
        return self._next
