"""Contributing and synchronization sources of media that a receiver has played (W3C webrtc section 5.3.1)."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import attrs

from trio_rtc.protocols.rtp import EncodedFrame

from .rtp_parameters import RTCRtpContributingSource, RTCRtpSynchronizationSource

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

_MAX_AGE = 10_000.0
"""Milliseconds for which a source is returned after its last playout."""
_MAX_SOURCES = 64

SourceT = TypeVar("SourceT", bound=RTCRtpContributingSource)


@attrs.frozen
class ReceivedSources:
    """The sources of the received packets of one stream, whether played or not.

    Attributes:
        synchronizing: The stream's own source (SSRC).
        contributing: Its contributing sources (CSRC), the newest first.
    """

    synchronizing: RTCRtpSynchronizationSource
    contributing: list[RTCRtpContributingSource]


class SourceTracker:
    """Tracks the sources of played frames.

    Media without a consumer is not played; the time of its arrival is used instead.

    Args:
        wall_clock: Returns the Unix time in milliseconds.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._contributing: dict[int, RTCRtpContributingSource] = {}
        self._synchronizing: dict[int, RTCRtpSynchronizationSource] = {}

    def record(self, frame: EncodedFrame) -> None:
        """Record the sources of a frame that is played."""
        now = self._wall_clock()
        level = None if frame.audio_level is None else _linear(frame.audio_level)
        timestamp = frame.timestamp & 0xFFFFFFFF
        if frame.ssrc is not None:
            self._synchronizing.pop(frame.ssrc, None)
            self._synchronizing[frame.ssrc] = RTCRtpSynchronizationSource(now, frame.ssrc, level, timestamp)
        for source in frame.contributing_sources:
            self._contributing.pop(source, None)
            self._contributing[source] = RTCRtpContributingSource(now, source, None, timestamp)
        for sources in (self._contributing, self._synchronizing):
            while len(sources) > _MAX_SOURCES:
                del sources[next(iter(sources))]

    def contributing(self, received: Iterable[ReceivedSources] = ()) -> list[RTCRtpContributingSource]:
        """Return the contributing sources of the last ten seconds, the newest first.

        Args:
            received: The sources of received packets that were not played.
        """
        unplayed = (entry for stream in received for entry in stream.contributing)
        return self._latest([*self._contributing.values(), *unplayed])

    def synchronizing(self, received: Iterable[ReceivedSources] = ()) -> list[RTCRtpSynchronizationSource]:
        """Return the synchronization sources of the last ten seconds, the newest first.

        Args:
            received: The sources of received packets that were not played.
        """
        unplayed = (stream.synchronizing for stream in received)
        return self._latest([*self._synchronizing.values(), *unplayed])

    def _latest(self, entries: Iterable[SourceT]) -> list[SourceT]:
        oldest = self._wall_clock() - _MAX_AGE
        latest: dict[int, SourceT] = {}
        for entry in sorted(entries, key=lambda entry: -entry.timestamp):
            if entry.timestamp >= oldest:
                latest.setdefault(entry.source, entry)
        return list(latest.values())


def received_sources(
    stream: "RtpReceiveStream", time_of_day: Callable[[float], float]
) -> ReceivedSources | None:
    """Return the sources of a stream's received packets; ``None`` before the first packet.

    Args:
        stream: The stream.
        time_of_day: Returns the Unix time in milliseconds for a time of trio's clock.
    """
    packet = stream.last_packet
    if packet is None:
        return None
    level = stream.extensions.read(packet.extensions).audio_level
    return ReceivedSources(
        RTCRtpSynchronizationSource(
            time_of_day(stream.last_received_at),
            stream.ssrc,
            None if level is None else _linear(level),
            packet.timestamp,
        ),
        [
            RTCRtpContributingSource(time_of_day(each.at), source, None, each.timestamp)
            for source, each in reversed(stream.contributors.items())
        ],
    )


def _linear(level: int) -> float:
    """Return W3C's audio level, from 0 for silence to 1, for a level of RFC 6464 in -dBov."""
    return 0.0 if level >= 127 else float(10 ** (-level / 20))
