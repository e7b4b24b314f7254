"""Contributing and synchronization sources of received media (W3C webrtc section 5.3.1)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import trio

from trio_rtc._pipeline.receive_pipeline import ReceivePipeline

from .rtp_parameters import RTCRtpContributingSource, RTCRtpSynchronizationSource

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

_MAX_AGE = 10_000.0
"""Milliseconds for which a source is returned after its last playout."""

SourceT = TypeVar("SourceT", bound=RTCRtpContributingSource)


class MediaSources:
    """The sources of media that a receiver has played.

    Media without a consumer is not played; the time of its arrival is used instead.

    Args:
        streams: The streams of media that is not played.
        wall_clock: Returns the Unix time in seconds.
    """

    def __init__(
        self,
        pipeline: ReceivePipeline,
        streams: Sequence["RtpReceiveStream"],
        wall_clock: Callable[[], float],
    ) -> None:
        self._pipeline = pipeline
        self._streams = streams
        self._unix_now = wall_clock() * 1000
        self._unix_offset = self._unix_now - trio.current_time() * 1000

    def contributing(self) -> list[RTCRtpContributingSource]:
        """Return the contributing sources (CSRC) of the last ten seconds, the newest first."""
        played = (
            RTCRtpContributingSource(self._unix_time(each.at), csrc, None, each.timestamp)
            for csrc, each in self._pipeline.contributing.items()
        )
        unplayed = (
            RTCRtpContributingSource(self._unix_time(each.at), csrc, None, each.timestamp)
            for stream in self._streams
            for csrc, each in reversed(stream.contributors.items())
        )
        return self._latest([*played, *unplayed])

    def synchronizing(self) -> list[RTCRtpSynchronizationSource]:
        """Return the synchronization sources (SSRC) of the last ten seconds, the newest first."""
        played = (
            RTCRtpSynchronizationSource(
                self._unix_time(each.at), ssrc, _linear(each.audio_level), each.timestamp
            )
            for ssrc, each in self._pipeline.played.items()
        )
        return self._latest([*played, *self._unplayed()])

    def _unplayed(self) -> Iterator[RTCRtpSynchronizationSource]:
        for stream in self._streams:
            packet = stream.last_packet
            if packet is not None:
                level = stream.extensions.read(packet.extensions).audio_level
                yield RTCRtpSynchronizationSource(
                    self._unix_time(stream.last_received_at), stream.ssrc, _linear(level), packet.timestamp
                )

    def _latest(self, entries: Iterable[SourceT]) -> list[SourceT]:
        latest: dict[int, SourceT] = {}
        for entry in sorted(entries, key=lambda entry: -entry.timestamp):
            if entry.timestamp >= self._unix_now - _MAX_AGE:
                latest.setdefault(entry.source, entry)
        return list(latest.values())

    def _unix_time(self, at: float) -> float:
        """Return the Unix time in milliseconds for a time of trio's clock."""
        return self._unix_offset + at * 1000


def _linear(level: int | None) -> float | None:
    """Return W3C's audio level, from 0 for silence to 1, for a level of RFC 6464 in -dBov."""
    if level is None:
        return None
    return 0.0 if level >= 127 else float(10 ** (-level / 20))
