"""Who was heard or seen lately in what a receiver has played (W3C webrtc section 5.3.1)."""

from collections.abc import Callable

from .protocols.rtp import EncodedFrame
from .rtp_parameters import RTCRtpContributingSource, RTCRtpSynchronizationSource

_MEMORY = 10_000.0
"""Milliseconds that a source counts after it was played."""
_MAX_SOURCES = 64


class SourceLog:
    """Remembers the sources of frames.

    Args:
        wall_clock: Returns the time of day in milliseconds.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._contributing: dict[int, RTCRtpContributingSource] = {}
        self._synchronizing: dict[int, RTCRtpSynchronizationSource] = {}

    def note(self, frame: EncodedFrame) -> None:
        """Take that a frame was played."""
        now = self._wall_clock()
        level = None if frame.audio_level is None else _linear(frame.audio_level)
        timestamp = frame.timestamp & 0xFFFFFFFF
        if frame.ssrc is not None:
            self._synchronizing.pop(frame.ssrc, None)
            self._synchronizing[frame.ssrc] = RTCRtpSynchronizationSource(now, frame.ssrc, level, timestamp)
        for source in frame.contributing_sources:
            self._contributing.pop(source, None)
            self._contributing[source] = RTCRtpContributingSource(now, source, None, timestamp)
        for log in (self._contributing, self._synchronizing):
            while len(log) > _MAX_SOURCES:
                del log[next(iter(log))]

    def contributing(self) -> list[RTCRtpContributingSource]:
        """Return the contributing sources of the last ten seconds, the newest first."""
        oldest = self._wall_clock() - _MEMORY
        return [entry for entry in reversed(self._contributing.values()) if entry.timestamp >= oldest]

    def synchronizing(self) -> list[RTCRtpSynchronizationSource]:
        """Return the synchronization sources of the last ten seconds, the newest first."""
        oldest = self._wall_clock() - _MEMORY
        return [entry for entry in reversed(self._synchronizing.values()) if entry.timestamp >= oldest]


def _linear(level: int) -> float:
    """Return an audio level of RFC 6464 as W3C has it: 0 for silence, 1 for the loudest."""
    return 0.0 if level >= 127 else float(10 ** (-level / 20))
