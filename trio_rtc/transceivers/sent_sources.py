"""The media sources of a connection's senders, for statistics (W3C webrtc-stats, media-source).

A source exists while its track is the track of at least one sender. A track that is sent again is a new source, whose
counters begin at zero.
"""

import math

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.tracks.frame_source import FrameSource
from trio_rtc.tracks.media_stream_track import MediaStreamTrack, source_of


@attrs.define(eq=False)
class SentSource:
    """A track that is attached to senders, with the counters of its frames when it was attached.

    Attributes:
        track: The track.
        media: The source of its frames.
        number: Number of the source in the connection.
        since: When it was attached, by trio's clock in seconds; ``-inf`` outside of trio.
        senders: Number of its senders.
        frames_before: Frames before.
        seconds_before: Duration of audio before, in seconds.
        energy_before: Audio energy before.
    """

    track: MediaStreamTrack
    media: FrameSource
    number: int
    since: float
    senders: int
    frames_before: int
    seconds_before: float
    energy_before: float

    @property
    def frames(self) -> int:
        """Frames since it was attached."""
        return self.media.frames - self.frames_before

    @property
    def seconds(self) -> float:
        """Duration of audio since it was attached, in seconds."""
        return self.media.stats.seconds - self.seconds_before

    @property
    def energy(self) -> float:
        """Audio energy since it was attached."""
        return self.media.stats.audio_level.energy - self.energy_before


@attrs.define(eq=False)
class SentSources:
    """The sources of one connection."""

    _sources: dict[MediaStreamTrack, SentSource] = attrs.field(factory=dict)
    _next_number: int = 0

    @property
    def all(self) -> list[SentSource]:
        return list(self._sources.values())

    def find(self, track: MediaStreamTrack | None) -> SentSource | None:
        """Return the source of a sender's track."""
        return None if track is None else self._sources.get(track)

    def replace(self, before: MediaStreamTrack | None, track: MediaStreamTrack | None) -> None:
        """Replace the track of one sender; ``None`` stands for no track."""
        if track is not None:
            self._add_sender(track)
        if before is not None:
            self._remove_sender(before)

    def _add_sender(self, track: MediaStreamTrack) -> None:
        source = self._sources.get(track)
        if source is not None:
            source.senders += 1
            return
        media = source_of(track)
        since = trio.current_time() if trio.lowlevel.in_trio_run() else -math.inf
        energy = media.stats.audio_level.energy
        self._sources[track] = SentSource(
            track, media, self._next_number, since, 1, media.frames, media.stats.seconds, energy
        )
        self._next_number += 1

    def _remove_sender(self, track: MediaStreamTrack) -> None:
        source = self._sources[track]
        source.senders -= 1
        if not source.senders:
            del self._sources[track]
