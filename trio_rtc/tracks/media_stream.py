"""MediaStream: tracks that belong together (W3C mediacapture-main section 4.2)."""

from collections.abc import Iterable

import attrs

from trio_rtc._environment import new_id
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import EventHandler, EventTarget, HandlerRunner

from .media_stream_track import MediaStreamTrack


@strict_class
@attrs.frozen
class MediaStreamTrackEvent:
    """The peer has added a track to a stream, or removed it (W3C mediacapture-main section 4.2)."""

    type: str
    target: object
    track: MediaStreamTrack


@strict_class
class MediaStream(EventTarget):
    """A set of tracks that belong together (W3C mediacapture-main section 4.2).

    Args:
        tracks: Its tracks, or another stream to share those of.
        id: Its name; made up if left out.
    """

    EVENTS = frozenset({"add_track", "remove_track"})

    on_add_track = EventHandler[MediaStreamTrackEvent]("add_track")
    on_remove_track = EventHandler[MediaStreamTrackEvent]("remove_track")

    def __init__(
        self,
        tracks: "Iterable[MediaStreamTrack] | MediaStream" = (),
        *,
        id: str | None = None,
        runner: HandlerRunner | None = None,
    ) -> None:
        super().__init__(runner or HandlerRunner())
        self._id = id or new_id()
        # A set that keeps its order.
        self._tracks = dict.fromkeys(tracks.get_tracks() if isinstance(tracks, MediaStream) else tracks)

    @property
    def id(self) -> str:
        """Its name."""
        return self._id

    @property
    def active(self) -> bool:
        """Whether it has a track that has not ended."""
        return any(track.ready_state is MediaStreamTrackState.LIVE for track in self._tracks)

    def get_tracks(self) -> list[MediaStreamTrack]:
        """Return all tracks."""
        return list(self._tracks)

    def get_audio_tracks(self) -> list[MediaStreamTrack]:
        """Return the tracks of kind ``"audio"``."""
        return [track for track in self._tracks if track.kind == "audio"]

    def get_video_tracks(self) -> list[MediaStreamTrack]:
        """Return the tracks of kind ``"video"``."""
        return [track for track in self._tracks if track.kind == "video"]

    def get_track_by_id(self, track_id: str) -> MediaStreamTrack | None:
        """Return the track of that name, or ``None``."""
        return next((track for track in self._tracks if track.id == track_id), None)

    def add_track(self, track: MediaStreamTrack) -> None:
        """Add a track; without effect if it is there."""
        self._tracks.setdefault(track)

    def remove_track(self, track: MediaStreamTrack) -> None:
        """Remove a track; without effect if it is not there."""
        self._tracks.pop(track, None)

    def clone(self) -> "MediaStream":
        """Return a stream of clones of the tracks."""
        return MediaStream([track.clone() for track in self._tracks], runner=self._runner)

    def _add_remote(self, track: MediaStreamTrack) -> None:
        if track not in self._tracks:
            self.add_track(track)
            self._fire(MediaStreamTrackEvent("add_track", self, track))

    def _remove_remote(self, track: MediaStreamTrack) -> None:
        if track in self._tracks:
            self.remove_track(track)
            self._fire(MediaStreamTrackEvent("remove_track", self, track))


@strict_class
@attrs.frozen
class MediaStreamEvent:
    """Legacy: the peer has begun or ceased to send a stream."""

    type: str
    target: object
    stream: MediaStream
