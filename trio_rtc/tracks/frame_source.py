"""The source of a track's frames, with the bounded queues of its consumers.

The consumers are applications that iterate over tracks, and senders. Each has a queue of its own.
"""

import inspect
import math
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import EventTarget, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.jsep.capabilities import DEFAULT_CAPABILITIES
from trio_rtc.protocols.rtp import EncodedFrame, payload
from trio_rtc.protocols.rtp.packet.packet import check_csrcs
from trio_rtc.protocols.rtp.stats import AudioLevelMeter, FrameRate

from .audio_levels import frame_level
from .constraints import MediaTrackSettings, settings_of
from .frame_queue import FrameQueue, at_keyframe

CompanionT = TypeVar("CompanionT")

FrameTransform = Callable[[EncodedFrame], Awaitable[EncodedFrame | None]]
"""A transform of encoded frames; returns the frame to use instead, ``None`` to drop the frame."""

_MAX_SIDE = 16_384
"""Maximum width and height that VP8 and H.264 can signal, in pixels."""
_CAPACITY = {"audio": 50, "video": 8}
"""Maximum number of frames queued for an application: a second of audio, a quarter of a second of video."""
_ENCODED_CAPACITY = 64
"""The same for encoded frames: those that a retransmitted packet makes available at once must fit."""
_SENDING_CAPACITY = {"audio": 32, "video": 2}
"""Maximum number of frames queued for a sender, for which the producer waits; audio is queued until it is due."""
_fields_of = attrgetter(*(field.name for field in attrs.fields(EncodedFrame)))
_right_types: set[tuple[type, ...]] = set()
_MAX_RIGHT_TYPES = 64
"""Maximum number of combinations of fields' types that are known to be right: another one takes longer to check."""
_RETAINED = 16
"""Maximum number of encoded layers whose last frame is retained: more than any simulcast has."""


class CapturedFrame(NamedTuple):
    """A frame queued for a sender.

    Attributes:
        number: Increases by two with each frame of the source.
        captured: The time of capture or repetition, by trio's clock in seconds.
        repeated_after: Seconds from capture to repetition; 0 for a new frame.
        is_timed: Whether the producer has given the time of capture; otherwise it is that of arrival.
    """

    number: int
    captured: float
    frame: Any
    repeated_after: float = 0.0
    is_timed: bool = True


class SourceStats:
    """Statistics of the frames of one source (W3C webrtc-stats, media-source).

    Args:
        kind: ``"audio"`` or ``"video"``.

    Attributes:
        width: Width of the last video frame whose size is known, in pixels.
        height: Its height, in pixels.
        seconds: Total duration of audio.
        audio_level: Level of audio frames: that of the sender if it has sent one, else that of the samples.
        measures_levels: Whether the level of decoded audio is measured.
    """

    def __init__(self, kind: str) -> None:
        self._is_video = kind == "video"
        self.rate = FrameRate()
        self.width: int | None = None
        self.height: int | None = None
        self.seconds = 0.0
        self.audio_level = AudioLevelMeter()
        self.measures_levels = True

    def record(self, frame: Any, now: float) -> None:
        if not self._is_video:
            seconds = _duration(frame)
            self.seconds += seconds
            if isinstance(frame, EncodedFrame):
                self.audio_level.record(frame.audio_level, seconds)
            elif self.measures_levels:
                self.audio_level.record_measured(frame_level(frame), seconds)
            return
        self.rate.record(now)
        width, height = getattr(frame, "width", None), getattr(frame, "height", None)
        if width and height:
            self.width, self.height = width, height


class FrameSource:
    """The source of the frames of a track and of its clones.

    Args:
        kind: ``"audio"`` or ``"video"``.
        demand_changed: Called when the first consumer is added and when the last one is removed.

    Attributes:
        frames: Number of frames so far.
    """

    def __init__(self, kind: str, demand_changed: Callable[[], None] = lambda: None) -> None:
        self.kind = kind
        self.frames = 0
        self._last_frame: Any = None
        self.stats = SourceStats(kind)
        self._companions: dict[type, Any] = {}
        self._dropped_before = 0
        self._dropped = 0, 0.0
        self._number = 0
        self._retains = False
        # The last video frame; if encoded, the last frame of each RID that is a keyframe.
        self._retained: dict[str | None, CapturedFrame] = {}
        # The tracks that were disabled when it was captured, in order.
        self._disabled: dict[TrackState, None] = {}
        self._demand_changed = demand_changed
        self._queues: dict[FrameQueue[Any], TrackState] = {}
        # Ordered sets, so that events and waits have the same order in every run.
        self._paced: dict[FrameQueue[Any], None] = {}
        self._tracks: dict[TrackState, None] = {}

    def companion(self, kind: type[CompanionT]) -> CompanionT:
        """Return this source's single object of a class, such as the encoder pool of its senders."""
        if kind not in self._companions:
            self._companions[kind] = kind()
        found: CompanionT = self._companions[kind]
        return found

    @property
    def has_consumers(self) -> bool:
        return bool(self._queues)

    @property
    def settings(self) -> MediaTrackSettings:
        is_video = self.kind == "video" and self.frames > 0
        rate = self.stats.rate.in_last_second(trio.current_time()) if is_video else None
        return settings_of(self._last_frame, rate)

    @property
    def is_live(self) -> bool:
        """Whether at least one of its tracks has not ended."""
        return bool(self._tracks)

    @property
    def dropped(self) -> int:
        """Number of frames dropped because a consumer was too slow."""
        return self._dropped_before + sum(queue.dropped for queue in self._queues)

    def push(self, frame: Any, captured: float | None = None) -> bool:
        """Add a frame to the queues of all consumers; return whether none of them had to drop a frame.

        ``captured`` is the capture time by trio's clock in seconds; ``None`` for now.
        """
        self.frames += 1
        self._number += 2
        self._last_frame = frame
        now = trio.current_time()
        self.stats.record(frame, now)
        is_timed = captured is not None
        captured = now if captured is None else captured
        if self._retains:
            self._retain(frame, captured)
        fits = True
        for queue, track in tuple(self._queues.items()):
            # A sender applies "enabled" to audio when it is due, which is up to 0.3 s later.
            is_decided_later = queue in self._paced and self.kind == "audio"
            is_enabled = track.enabled or (is_decided_later and not isinstance(frame, EncodedFrame))
            output = frame if is_enabled else blank(frame)
            if output is not None:
                fits &= queue.put(
                    CapturedFrame(self._number, captured, output, is_timed=is_timed)
                    if queue in self._paced
                    else output
                )
        return fits

    def drop_queued(self, begin: float) -> None:
        """Drop unsent frames captured at a time or later, including those that a sender has already received."""
        self._dropped = self._number, begin
        for queue in self._paced:
            queue.put_all([item for item in queue.clear() if not self.is_dropped(item)])

    def is_dropped(self, item: CapturedFrame) -> bool:
        """Return whether ``drop_queued`` has dropped a frame."""
        number, begin = self._dropped
        return item.number <= number and item.captured >= begin

    def begin_retaining(self) -> None:
        """Retain the last video frame from now on, for a sender."""
        if self.kind == "video" and self._tracks:
            self._retains = True

    def repeat(self, queue: FrameQueue[Any], track: "TrackState") -> list[CapturedFrame]:
        """Return the retained frames for one consumer, as if they were captured now.

        A frame that is not encoded is also queued for all other senders, since they may share the encoder.
        """
        if track.stopped:
            return []
        now = trio.current_time()
        repeated = []
        for retained in self._retained.values():
            self._number += 2
            elapsed = max(0.0, now - retained.captured)
            again = CapturedFrame(self._number, now, _advanced(retained.frame, elapsed), elapsed)
            others = {} if isinstance(again.frame, EncodedFrame) else self._paced
            for other in tuple(others):
                if other is not queue and (output := self._output(again, self._queues[other])) is not None:
                    other.put(output)
            if (output := self._output(again, track)) is not None:
                repeated.append(output)
        return repeated

    def _output(self, retained: CapturedFrame, track: "TrackState") -> CapturedFrame | None:
        """Return a retained frame, or a black one if the track is disabled or was at its capture."""
        if track.enabled and track not in self._disabled:
            return retained
        black = blank(retained.frame)
        return None if black is None else retained._replace(frame=black)

    def _retain(self, frame: Any, captured: float) -> None:
        self._disabled = {track: None for track in self._tracks if not track.enabled}
        item = CapturedFrame(self._number, captured, frame)
        if not isinstance(frame, EncodedFrame):
            self._retained = {None: item}
            return
        self._retained.pop(frame.rid, None)
        # Delta frames refer to earlier frames.
        if frame.keyframe:
            self._retained[frame.rid] = item
            if len(self._retained) > _RETAINED:
                del self._retained[next(iter(self._retained))]

    def release_retained(self) -> None:
        """Release the retained frame if every track has ended."""
        if not self._tracks:
            self._retains = False
            self._retained.clear()

    async def wait_for_room(self) -> None:
        """Wait until all senders have room for a frame."""
        for queue in tuple(self._paced):
            await queue.wait_for_room()

    @property
    def needs_keyframe(self) -> bool:
        """Whether a consumer has dropped encoded video and waits for the next keyframe."""
        return any(queue.needs_keyframe for queue in self._queues)

    def consume(self, track: "TrackState", *, paces: bool) -> FrameQueue[Any]:
        """Add a consumer of a track and return its queue of frames.

        If it ``paces``, the producer waits for it, and it gets each frame as a :class:`CapturedFrame`.
        """
        queue: FrameQueue[Any]
        if paces:
            queue = FrameQueue(_SENDING_CAPACITY[self.kind], at_keyframe)
        else:
            queue = FrameQueue(_CAPACITY[self.kind], at_keyframe, encoded_capacity=_ENCODED_CAPACITY)
        had_consumers = self.has_consumers
        self._queues[queue] = track
        if paces:
            self._paced[queue] = None
        if not had_consumers:
            self._demand_changed()
        return queue

    def leave(self, queue: FrameQueue[Any]) -> None:
        queue.close()
        self._paced.pop(queue, None)
        if queue in self._queues:
            self._dropped_before += queue.dropped
        if self._queues.pop(queue, None) is not None and not self._queues:
            self._demand_changed()

    def add_track(self, track: "TrackState", origin: "TrackState | None" = None) -> None:
        """Add a track, which may be a clone of another one."""
        self._tracks[track] = None
        if origin is not None and origin in self._disabled:
            self._disabled[track] = None

    def remove_track(self, track: "TrackState", *, drop: bool = False) -> None:
        """Remove an ended track; its consumers get the frames that are queued, unless these are dropped."""
        self._tracks.pop(track, None)
        for queue in [queue for queue, owner in self._queues.items() if owner is track]:
            if drop:
                queue.clear()
            queue.end()
            self._paced.pop(queue, None)
            self._dropped_before += queue.dropped
            del self._queues[queue]
        if not self._tracks:
            self._demand_changed()

    def end(self) -> None:
        for track in tuple(self._tracks):
            track.end_by_source()

    def end_later(self) -> None:
        """End every track of this source on a later turn of the scheduler (W3C mediacapture-main section 4.3.1)."""
        for track in tuple(self._tracks):
            track.runner.queue_task(track.end_by_source)

    def isolate(self, peer_identity: str) -> None:
        """Isolate all tracks, with an event for each that was not isolated."""
        for track in tuple(self._tracks):
            track.isolate(peer_identity)

    def mute(self, muted: bool) -> None:
        for track in tuple(self._tracks):
            track.set_muted(muted)


@attrs.define(eq=False)
class TrackState:
    """The state of a track for its source, the send pipeline and ``MediaStreamTrack``.

    Attributes:
        target: The ``MediaStreamTrack``, as the target of events.
        muted: W3C's ``[[Muted]]``.
        enabled: W3C's ``enabled``: otherwise video is black and audio silent.
        ready_state: W3C's ``[[ReadyState]]``.
        stopped: Whether ``stop`` has ended it.
        content_hint: W3C's ``contentHint``.
        peer_identity: The only peer to which an isolated track is sent; ``None`` for a track that is not isolated.
    """

    target: EventTarget
    runner: HandlerRunner
    source: FrameSource
    muted: bool
    enabled: bool = True
    ready_state: MediaStreamTrackState = MediaStreamTrackState.LIVE
    stopped: bool = False
    content_hint: str = ""
    peer_identity: str | None = None

    @property
    def kind(self) -> str:
        """``"audio"`` or ``"video"``."""
        return self.source.kind

    def stop(self) -> None:
        """End the track without an event. Idempotent."""
        if self.ready_state is MediaStreamTrackState.LIVE:
            self.ready_state = MediaStreamTrackState.ENDED
            self.stopped = True
            self.source.remove_track(self, drop=self.kind == "audio")
            self.source.release_retained()

    def end_by_source(self) -> None:
        """End the track with an event, because the source has ended."""
        if self.ready_state is MediaStreamTrackState.LIVE:
            self.ready_state = MediaStreamTrackState.ENDED
            self.source.remove_track(self)
            self._fire("ended")
            self.target._end_events()

    def isolate(self, peer_identity: str) -> None:
        """Isolate the track, with an event, unless it is isolated already."""
        if self.peer_identity is None:
            self.peer_identity = peer_identity
            self._fire("isolation_change")

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute the track, with an event."""
        if muted is not self.muted and self.ready_state is MediaStreamTrackState.LIVE:
            self.muted = muted
            self._fire("mute" if muted else "unmute")

    def _fire(self, event: str) -> None:
        self.target._fire(Event(event, self.target))


def _advanced(frame: Any, elapsed: float) -> Any:
    """Return an encoded frame with its timestamp advanced by seconds; other frames get theirs when encoded."""
    if not isinstance(frame, EncodedFrame):
        return frame
    capture_time = None if frame.capture_time is None else frame.capture_time + elapsed
    timestamp = frame.timestamp + round(elapsed * frame.clock_rate)
    return attrs.evolve(frame, timestamp=timestamp, capture_time=capture_time)


def blank(frame: Any) -> Any:
    """Return the frame of a disabled track: black or silence; ``None`` instead of an encoded frame."""
    planes = getattr(frame, "planes", None)
    if planes is None:
        return None
    blanked = type(frame)(
        **(
            {"format": frame.format.name, "width": frame.width, "height": frame.height}
            if hasattr(frame, "width")
            else {"format": frame.format.name, "layout": frame.layout.name, "samples": frame.samples}
        )
    )
    is_yuv = hasattr(frame, "width") and frame.format.name.startswith(("yuv", "nv"))
    for index, plane in enumerate(blanked.planes):
        # Black in YUV: no luma, neutral chroma.
        plane.update((b"\x80" if is_yuv and index else b"\x00") * plane.buffer_size)
    blanked.pts = frame.pts
    if frame.time_base is not None:
        blanked.time_base = frame.time_base
    if hasattr(frame, "sample_rate"):
        blanked.sample_rate = frame.sample_rate
    return blanked


def check_frame(kind: str, frame: Any) -> None:
    """Check a frame that an application sends into a track.

    Raises:
        TypeError: The object is not a frame of this kind, or a field of it is of another type.
        ValueError: The frame is empty or too large for every codec, has a codec of another kind, or a field of it is
            out of range.
    """
    if isinstance(frame, EncodedFrame):
        _check_codec(kind, frame.codec, frame.clock_rate)
        _check_field_types(frame)
        _check_field_ranges(frame)
        return
    # If the application has such a frame, PyAV, an optional extra, is imported.
    pyav = sys.modules.get("av")
    expected = "VideoFrame" if kind == "video" else "AudioFrame"
    if pyav is None or not isinstance(frame, getattr(pyav, expected)):
        raise TypeError(
            f"a track of {kind} takes av.{expected} or EncodedFrame, not {type(frame).__module__}."
            f"{type(frame).__qualname__}; av.{expected}.from_ndarray(...) converts a NumPy array"
        )
    if kind == "audio":
        if not frame.samples or not frame.sample_rate:
            raise ValueError(
                f"the audio frame has {frame.samples} samples at {frame.sample_rate} Hz; both must be more than 0"
            )
    elif not (0 < frame.width <= _MAX_SIDE and 0 < frame.height <= _MAX_SIDE):
        raise ValueError(
            f"the video frame has {frame.width} x {frame.height} pixels; each must be between 1 and {_MAX_SIDE}"
        )


def _check_field_types(frame: EncodedFrame) -> None:
    types = tuple(map(type, _fields_of(frame)))
    if types in _right_types and not frame.contributing_sources:
        return
    check_fields(frame, EncodedFrame)
    if len(_right_types) < _MAX_RIGHT_TYPES:
        _right_types.add(types)


def _check_field_ranges(frame: EncodedFrame) -> None:
    if frame.capture_time is not None and not math.isfinite(frame.capture_time):
        raise ValueError(
            f"EncodedFrame.capture_time must be a number of seconds since 1900, not {frame.capture_time}"
        )
    if frame.audio_level is not None and not 0 <= frame.audio_level <= 127:
        raise ValueError(f"EncodedFrame.audio_level must be an int from 0 to 127, not {frame.audio_level}")
    check_csrcs(frame.contributing_sources, "EncodedFrame.contributing_sources")


def _check_codec(kind: str, codec: object, clock_rate: object) -> None:
    clock_rates = _clock_rates(kind)
    if type(codec) is str and codec in clock_rates and type(clock_rate) is int and clock_rate > 0:
        return
    names = {name.lower(): name for name in clock_rates}
    if not isinstance(codec, str) or codec.lower() not in names:
        bare = str(codec).rpartition("/")[2].lower()
        meant = f"; did you mean {names[bare]!r}?" if bare in names else ""
        raise ValueError(
            f"EncodedFrame.codec must be one of {', '.join(map(repr, clock_rates))} on a track of {kind}, "
            f"not {codec!r}{meant}"
        )
    if not isinstance(clock_rate, int) or clock_rate <= 0:
        name = names[codec.lower()]
        raise ValueError(
            f"EncodedFrame.clock_rate must be {clock_rates[name]} for {name}, not {clock_rate!r}"
        )


@cache
def _clock_rates(kind: str) -> dict[str, int]:
    return {codec.name: codec.clock_rate for codec in DEFAULT_CAPABILITIES.of(kind).codecs if codec.is_media}


async def apply_transform(
    transform: FrameTransform, frame: EncodedFrame, attribute: str
) -> EncodedFrame | None:
    """Apply the application's transform to a frame; return ``None`` to drop it.

    Raises:
        TypeError: The transform is not asynchronous, or has returned another type.
    """
    awaitable = transform(frame)
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"{attribute} must be an async function; {transform!r} is not")
    transformed = await awaitable
    if transformed is None:
        return None
    if not isinstance(transformed, EncodedFrame):
        raise TypeError(f"{attribute} must return an EncodedFrame or None, not {type(transformed).__name__}")
    _check_field_types(transformed)
    return transformed


def check_transform(transform: object, attribute: str) -> None:
    """Raise ``TypeError`` if an object cannot be a transform."""
    if transform is not None and not callable(transform):
        raise TypeError(f"{attribute} must be an async function or None, not {transform!r}")


def _duration(frame: Any) -> float:
    if isinstance(frame, EncodedFrame):
        return (payload.payload_duration(frame.codec, frame.payload) or 0) / frame.clock_rate
    samples, rate = getattr(frame, "samples", 0), getattr(frame, "sample_rate", 0)
    return samples / rate if rate else 0.0
