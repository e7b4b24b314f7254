"""The source of a track's frames, with the bounded queues of its consumers.

Every consumer has a queue of its own at the source: the application that iterates over a track, and every sender.
"""

import inspect
import math
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import attrs
import trio

from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import EventTarget, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.jsep.capabilities import DEFAULT_CAPABILITIES
from trio_rtc.protocols.rtp import EncodedFrame

from .constraints import MediaTrackSettings, settings_of
from .frame_queue import FrameQueue, at_keyframe
from .source_stats import SourceStats

CompanionT = TypeVar("CompanionT")

FrameTransform = Callable[[EncodedFrame], Awaitable[EncodedFrame | None]]
"""What an encoded frame may go through on its way: returns what is to go on, ``None`` to drop the frame."""

_MAX_SIDE = 16_384
"""Pixels: what VP8 and H.264 can tell at most."""
_CAPACITY = {"audio": 50, "video": 8}
"""Frames that wait for who iterates over a track: a second of audio, a quarter of a second of video."""
_ENCODED_CAPACITY = 64
"""Encoded frames likewise: what comes at once when a packet before them was sent again is to fit."""
_SENDING_CAPACITY = {"audio": 32, "video": 2}
"""Frames that wait for who encodes and sends them, whose maker can wait: audio waits until it is to be heard."""
_RETAINED = 16
"""Encoded layers of which the last frame is retained: more than any simulcast has."""


class CapturedFrame(NamedTuple):
    """A frame on its way to who sends it.

    Attributes:
        number: Increases from frame to frame of the source in steps of two.
        captured: When it was captured, by trio's clock; of a repetition, when it was repeated.
        frame: The frame.
        repeated_after: Seconds from its capture to this repetition, 0 for a new frame.
    """

    number: int
    captured: float
    frame: Any
    repeated_after: float = 0.0


class FrameSource:
    """The source of the frames of a track and of its clones.

    Args:
        kind: ``"audio"`` or ``"video"``.
        demand_changed: Called when the first consumer comes and when the last one leaves.

    Attributes:
        frames: The number of frames so far.
        stats: Statistics of the frames.
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
        # The last video frame, of encoded ones that of each RID if it is a keyframe.
        self._retained: dict[str | None, CapturedFrame] = {}
        # The tracks that were disabled when it came. They keep their order.
        self._hidden: dict[TrackState, None] = {}
        self._demand_changed = demand_changed
        self._queues: dict[FrameQueue[Any], TrackState] = {}
        # Sets that keep their order, so that events and waits happen in the same order in every run.
        self._paced: dict[FrameQueue[Any], None] = {}
        self._tracks: dict[TrackState, None] = {}

    def companion(self, kind: type[CompanionT]) -> CompanionT:
        """Return the one object of a class that belongs to this source, such as the encoders that its senders share."""
        if kind not in self._companions:
            self._companions[kind] = kind()
        found: CompanionT = self._companions[kind]
        return found

    @property
    def is_wanted(self) -> bool:
        """Whether there are consumers."""
        return bool(self._queues)

    @property
    def settings(self) -> MediaTrackSettings:
        """The settings of the last frame."""
        is_video = self.kind == "video" and self.frames > 0
        rate = self.stats.rate.in_last_second(trio.current_time()) if is_video else None
        return settings_of(self._last_frame, rate)

    @property
    def is_live(self) -> bool:
        """Whether one of its tracks has not ended."""
        return bool(self._tracks)

    @property
    def dropped(self) -> int:
        """Frames that a consumer has not taken in time."""
        return self._dropped_before + sum(queue.dropped for queue in self._queues)

    def push(self, frame: Any, captured: float | None = None) -> bool:
        """Put a frame into the queues of all consumers; return whether none had to drop one for it.

        Args:
            frame: The frame.
            captured: The capture time by trio's clock; ``None`` for now.
        """
        self.frames += 1
        self._number += 2
        self._last_frame = frame
        now = trio.current_time()
        self.stats.record(frame, now)
        captured = now if captured is None else captured
        if self._retains:
            self._retain(frame, captured)
        fits = True
        for queue, track in tuple(self._queues.items()):
            # A sender applies "enabled" to audio when it is due, which is up to 0.3 s later.
            is_decided_later = queue in self._paced and self.kind == "audio"
            is_shown = track.enabled or (is_decided_later and not isinstance(frame, EncodedFrame))
            shown = frame if is_shown else blank(frame)
            if shown is not None:
                fits &= queue.put(
                    CapturedFrame(self._number, captured, shown) if queue in self._paced else shown
                )
        return fits

    def drop_queued(self, begin: float) -> None:
        """Drop frames that wait to be sent and were captured at a time or later, also those that a sender has taken."""
        self._dropped = self._number, begin
        for queue in self._paced:
            queue.put_all([taken for taken in queue.clear() if not self.is_dropped(taken)])

    def is_dropped(self, taken: CapturedFrame) -> bool:
        """Return whether ``drop_queued`` has dropped a frame."""
        number, begin = self._dropped
        return taken.number <= number and taken.captured >= begin

    def begin_retaining(self) -> None:
        """Retain the last video frame from now on, for a sender."""
        if self.kind == "video" and self._tracks:
            self._retains = True

    def repeat(self, queue: FrameQueue[Any], track: "TrackState") -> list[CapturedFrame]:
        """Return the retained frames for one consumer, as if they were captured now.

        A frame that is not encoded goes to all other senders, too: one that shares the encoder would miss it.

        Args:
            queue: The queue of the consumer.
            track: Its track.
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
                if other is not queue and (shown := self._shown(again, self._queues[other])) is not None:
                    other.put(shown)
            if (shown := self._shown(again, track)) is not None:
                repeated.append(shown)
        return repeated

    def _shown(self, retained: CapturedFrame, track: "TrackState") -> CapturedFrame | None:
        """Return a retained frame, black if the track is or was disabled."""
        if track.enabled and track not in self._hidden:
            return retained
        black = blank(retained.frame)
        return None if black is None else retained._replace(frame=black)

    def _retain(self, frame: Any, captured: float) -> None:
        self._hidden = {track: None for track in self._tracks if not track.enabled}
        taken = CapturedFrame(self._number, captured, frame)
        if not isinstance(frame, EncodedFrame):
            self._retained = {None: taken}
            return
        self._retained.pop(frame.rid, None)
        # Other frames refer to earlier ones.
        if frame.keyframe:
            self._retained[frame.rid] = taken
            if len(self._retained) > _RETAINED:
                del self._retained[next(iter(self._retained))]

    def release_retained(self) -> None:
        """Release the retained frame if every track was stopped."""
        if not self._tracks:
            self._retains = False
            self._retained.clear()

    async def wait_for_room(self) -> None:
        """Wait for the consumers that pace the producer."""
        for queue in tuple(self._paced):
            await queue.wait_for_room()

    @property
    def needs_keyframe(self) -> bool:
        """Whether a consumer has dropped encoded video and waits for the next keyframe."""
        return any(queue.waits_for_beginning for queue in self._queues)

    def consume(self, track: "TrackState", *, paces: bool) -> FrameQueue[Any]:
        """Return a new consumer's queue of frames, as a track shows them.

        Args:
            track: The track.
            paces: Whether the producer waits when frames are not taken in time. Such a consumer gets each as a
                :class:`CapturedFrame`.
        """
        queue: FrameQueue[Any]
        if paces:
            queue = FrameQueue(_SENDING_CAPACITY[self.kind], at_keyframe)
        else:
            queue = FrameQueue(_CAPACITY[self.kind], at_keyframe, encoded_capacity=_ENCODED_CAPACITY)
        was_wanted = self.is_wanted
        self._queues[queue] = track
        if paces:
            self._paced[queue] = None
        if not was_wanted:
            self._demand_changed()
        return queue

    def leave(self, queue: FrameQueue[Any]) -> None:
        """Remove a consumer."""
        queue.close()
        self._paced.pop(queue, None)
        if queue in self._queues:
            self._dropped_before += queue.dropped
        if self._queues.pop(queue, None) is not None and not self._queues:
            self._demand_changed()

    def join(self, track: "TrackState", origin: "TrackState | None" = None) -> None:
        """Add a track, which may be a clone of another."""
        self._tracks[track] = None
        if origin is not None and origin in self._hidden:
            self._hidden[track] = None

    def part(self, track: "TrackState", *, drop: bool = False) -> None:
        """Remove an ended track; its consumers get the queued frames, unless these are dropped, and no more."""
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
        """End every track of this source: no frames follow."""
        for track in tuple(self._tracks):
            track.end_by_source()

    def end_later(self) -> None:
        """End every track of this source on a later turn of the scheduler (W3C mediacapture-main section 4.3.1)."""
        for track in tuple(self._tracks):
            track.runner.queue_task(track.end_by_source)

    def mute(self, muted: bool) -> None:
        """Mute or unmute every track."""
        for track in tuple(self._tracks):
            track.set_muted(muted)


@attrs.define(eq=False)
class TrackState:
    """A track as its source and the send pipeline see it; ``MediaStreamTrack`` reads it.

    Attributes:
        target: The ``MediaStreamTrack``, as the target of events.
        runner: Runs its event handlers.
        source: The source of its frames.
        muted: W3C's ``[[Muted]]``.
        enabled: Whether its frames are shown.
        ready_state: W3C's ``[[ReadyState]]``.
        stopped: Whether ``stop`` has ended it.
        content_hint: W3C's ``contentHint``.
    """

    target: EventTarget
    runner: HandlerRunner
    source: FrameSource
    muted: bool
    enabled: bool = True
    ready_state: MediaStreamTrackState = MediaStreamTrackState.LIVE
    stopped: bool = False
    content_hint: str = ""

    @property
    def kind(self) -> str:
        """``"audio"`` or ``"video"``."""
        return self.source.kind

    def stop(self) -> None:
        """End the track without an event. Idempotent."""
        if self.ready_state is MediaStreamTrackState.LIVE:
            self.ready_state = MediaStreamTrackState.ENDED
            self.stopped = True
            self.source.part(self, drop=self.kind == "audio")
            self.source.release_retained()

    def end_by_source(self) -> None:
        """End the track with an event, because the source has ended."""
        if self.ready_state is MediaStreamTrackState.LIVE:
            self.ready_state = MediaStreamTrackState.ENDED
            self.source.part(self)
            self.target._fire(Event("ended", self.target))
            self.target._end_events()

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute the track, with an event."""
        if muted is not self.muted and self.ready_state is MediaStreamTrackState.LIVE:
            self.muted = muted
            self.target._fire(Event("mute" if muted else "unmute", self.target))


def _advanced(frame: Any, elapsed: float) -> Any:
    """Return an encoded frame with the timestamp of some seconds later; others are stamped when they are encoded."""
    if not isinstance(frame, EncodedFrame):
        return frame
    capture_time = None if frame.capture_time is None else frame.capture_time + elapsed
    timestamp = frame.timestamp + round(elapsed * frame.clock_rate)
    return attrs.evolve(frame, timestamp=timestamp, capture_time=capture_time)


def blank(frame: Any) -> Any:
    """Return what a disabled track shows instead of a frame: black, or silence; ``None`` for an encoded one."""
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
    """Check what an application sends into a track.

    Raises:
        TypeError: It is not a frame of this kind.
        ValueError: It is empty or larger than any codec takes, or encoded with a codec that the kind does not have.
    """
    if isinstance(frame, EncodedFrame):
        _check_encoded(frame.payload, frame.timestamp, frame.capture_time)
        _check_codec(kind, frame.codec, frame.clock_rate)
        return
    # Whoever has such a frame has imported PyAV, an optional extra.
    pyav = sys.modules.get("av")
    expected = "VideoFrame" if kind == "video" else "AudioFrame"
    if pyav is None or not isinstance(frame, getattr(pyav, expected)):
        raise TypeError(
            f"a track of {kind} takes av.{expected} or EncodedFrame, not {type(frame).__module__}."
            f"{type(frame).__qualname__}; av.{expected}.from_ndarray(...) makes one of a NumPy array"
        )
    if kind == "audio":
        if not frame.samples or not frame.sample_rate:
            raise ValueError(
                f"the audio frame has {frame.samples} samples at {frame.sample_rate} Hz; none may be 0"
            )
    elif not (0 < frame.width <= _MAX_SIDE and 0 < frame.height <= _MAX_SIDE):
        raise ValueError(
            f"the video frame has {frame.width} x {frame.height} pixels; each must be between 1 and {_MAX_SIDE}"
        )


def _check_encoded(payload: object, timestamp: object, capture_time: float | None) -> None:
    if not isinstance(payload, bytes):
        raise TypeError(f"EncodedFrame.payload must be bytes, not {type(payload).__name__}")
    if not isinstance(timestamp, int):
        raise TypeError(f"EncodedFrame.timestamp must be an int, in units of clock_rate, not {timestamp!r}")
    if capture_time is not None and not math.isfinite(capture_time):
        raise ValueError(
            f"EncodedFrame.capture_time must be a number of seconds since 1900, not {capture_time}"
        )


def _check_codec(kind: str, codec: object, clock_rate: object) -> None:
    clock_rates = _clock_rates(kind)
    right = {name.lower(): name for name in clock_rates}
    if not isinstance(codec, str) or codec.lower() not in right:
        bare = str(codec).rpartition("/")[2].lower()
        meant = f"; did you mean {right[bare]!r}?" if bare in right else ""
        raise ValueError(
            f"EncodedFrame.codec must be one of {', '.join(map(repr, clock_rates))} on a track of {kind}, "
            f"not {codec!r}{meant}"
        )
    if not isinstance(clock_rate, int) or clock_rate <= 0:
        name = right[codec.lower()]
        raise ValueError(
            f"EncodedFrame.clock_rate must be {clock_rates[name]} for {name}, not {clock_rate!r}"
        )


@cache
def _clock_rates(kind: str) -> dict[str, int]:
    """Return the codecs of a kind with their clock rates."""
    return {codec.name: codec.clock_rate for codec in DEFAULT_CAPABILITIES.of(kind).codecs if codec.is_media}


async def apply_transform(
    transform: FrameTransform, frame: EncodedFrame, attribute: str
) -> EncodedFrame | None:
    """Return what a transform of the application makes of a frame; ``None`` to drop it.

    Raises:
        TypeError: The transform is not asynchronous, or returned something else.
    """
    awaitable = transform(frame)
    if not inspect.isawaitable(awaitable):
        raise TypeError(f"{attribute} must be an async function; {transform!r} is not")
    transformed = await awaitable
    if transformed is None or isinstance(transformed, EncodedFrame):
        return transformed
    raise TypeError(f"{attribute} must return an EncodedFrame or None, not {type(transformed).__name__}")


def check_transform(transform: object, attribute: str) -> None:
    """Raise ``TypeError`` if this cannot be a transform."""
    if transform is not None and not callable(transform):
        raise TypeError(f"{attribute} must be an async function or None, not {transform!r}")
