"""Media tracks and streams (W3C mediacapture-main): a track is a ``trio.abc.ReceiveChannel`` of frames.

A track stands for a source that other tracks, its clones, may share. Whoever takes frames has a bounded queue of its
own at the source: the application that iterates over the track, and every ``RTCRtpSender`` that sends it. A source
without a consumer makes no effort: received media is decoded only while somebody takes it.

Frames are what PyAV has, ``av.VideoFrame`` and ``av.AudioFrame``, or :class:`.EncodedFrame`.
"""

from types import MappingProxyType, TracebackType
from typing import Any

import trio

from trio_rtc._environment import new_id, require_trio
from trio_rtc._strict_names.checks import strict_arguments, strict_class
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import EventHandler, EventTarget, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.protocols.rtp import EncodedFrame

from .audio_pacing import ADVANCE, AudioTimeline, duration_of, pieces_of
from .constraints import MediaTrackCapabilities, MediaTrackConstraints, MediaTrackSettings
from .frame_queue import FrameQueue
from .frame_source import FrameSource, TrackState, check_frame

_CONTENT_HINTS = {
    "audio": ("", "speech", "speech-recognition", "music"),
    "video": ("", "motion", "detail", "text"),
}


@strict_class
class MediaStreamTrack(EventTarget, trio.abc.ReceiveChannel[Any]):
    """A track of audio or video (W3C mediacapture-main section 4.3), taken with ``async for frame in track``.

    Iterating takes frames from then on; what is not taken in time is lost, oldest first, and counted in
    ``frames_dropped``. Of received video the beginning is kept for up to two seconds, until somebody takes it: not
    every peer sends another keyframe. Made by :func:`open_media_track`, by a peer connection, or by ``clone``.

    Asynchronous handlers of its events run in the nursery of its peer connection, or in the one that
    :func:`open_media_track` was given; synchronous ones and subscriptions need none.
    """

    EVENTS = frozenset({"mute", "unmute", "ended"})

    on_mute = EventHandler[Event]("mute")
    on_unmute = EventHandler[Event]("unmute")
    on_ended = EventHandler[Event]("ended")

    def __init__(
        self,
        source: FrameSource,
        *,
        runner: HandlerRunner,
        id: str | None = None,
        label: str = "",
        muted: bool = False,
        origin: "MediaStreamTrack | None" = None,
    ) -> None:
        super().__init__(runner)
        self._state = TrackState(self, runner, source, muted)
        self._id = id or new_id()
        self._label = label
        self._constraints: MediaTrackConstraints = {}
        self._queue: FrameQueue[Any] | None = None
        source.join(self._state, None if origin is None else origin._state)

    @property
    def kind(self) -> str:
        """``"audio"`` or ``"video"``."""
        return self._state.kind

    @property
    def id(self) -> str:
        """A name that no other track has."""
        return self._id

    @property
    def label(self) -> str:
        """What the source is called, for people."""
        return self._label

    @property
    def enabled(self) -> bool:
        """Whether its frames are shown; if not, there are black or silent ones instead, and no encoded ones."""
        return self._state.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._state.enabled = bool(enabled)

    @property
    def muted(self) -> bool:
        """Whether the source gives no frames at present."""
        return self._state.muted

    @property
    def ready_state(self) -> MediaStreamTrackState:
        """Whether frames may still come."""
        return self._state.ready_state

    @property
    def frames_dropped(self) -> int:
        """Frames that this track's own reader has not taken in time."""
        return 0 if self._queue is None else self._queue.dropped

    @property
    def content_hint(self) -> str:
        """What the application says about the content (W3C mst-content-hint), ``""`` for nothing."""
        return self._state.content_hint

    @content_hint.setter
    def content_hint(self, hint: str) -> None:
        # W3C: a value that does not fit is ignored.
        if hint in _CONTENT_HINTS[self.kind]:
            self._state.content_hint = hint

    def clone(self) -> "MediaStreamTrack":
        """Return another track of the same source, with a life of its own."""
        clone = MediaStreamTrack(
            self._state.source, runner=self._runner, label=self._label, muted=self.muted, origin=self
        )
        clone.enabled = self.enabled
        clone._constraints = self._constraints
        clone.content_hint = self.content_hint
        if self.ready_state is MediaStreamTrackState.ENDED:
            clone.stop()
        return clone

    def get_settings(self) -> MediaTrackSettings:
        """Return what its frames are like at present."""
        return self._state.source.settings

    def get_capabilities(self) -> MediaTrackCapabilities:
        """Return between what its settings can be chosen: the source is the application's or the peer's, so none."""
        return MediaTrackCapabilities()

    def get_constraints(self) -> MediaTrackConstraints:
        """Return what was applied last."""
        return self._constraints

    async def apply_constraints(self, constraints: MediaTrackConstraints | None = None) -> None:
        """Say what the source should be like (W3C mediacapture-main section 11).

        Args:
            constraints: Wishes, by name. This source supports no constraint, and W3C has those that are not supported
                ignored, so that none can fail.
        """
        require_trio("MediaStreamTrack.apply_constraints")
        await trio.lowlevel.checkpoint()
        self._constraints = MappingProxyType(dict(constraints or {}))

    def stop(self) -> None:
        """End the track, without an event; the source ends with its last track. Idempotent."""
        self._state.stop()

    async def receive(self) -> Any:
        """Wait for the next frame.

        Raises:
            trio.EndOfChannel: The source has ended.
            trio.ClosedResourceError: The track was stopped on this side.
        """
        require_trio("MediaStreamTrack.receive")
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._state.stopped:
            raise trio.ClosedResourceError("the track was stopped")
        if self._queue is None:
            if self.ready_state is MediaStreamTrackState.ENDED:
                raise trio.EndOfChannel
            self._queue = self._state.source.consume(self._state, paces=False)
        try:
            return await self._queue.receive()
        except trio.EndOfChannel:
            if self._state.stopped:
                raise trio.ClosedResourceError("the track was stopped") from None
            raise

    async def aclose(self) -> None:
        """Stop the track."""
        require_trio("MediaStreamTrack.aclose")
        self.stop()
        await trio.lowlevel.checkpoint()


@strict_class
class MediaStreamTrackSource(trio.abc.SendChannel[Any]):
    """The other end of a local track: what is sent here comes out of the track and of its clones.

    Audio is paced. An ``av.AudioFrame`` may be of any length, and several may be sent at once: they are heard one after
    another in real time. Up to 0.3 seconds are queued in advance, and ``send`` waits until the rest of its frame is.
    Audio that is sent when nothing is queued begins at that moment: a pause of the application's is heard as a pause.

    Frames without ``pts`` are stamped by that timeline. Where frames have a ``pts``, it becomes the RTP timestamp, and
    a gap of up to 10 seconds between two of them is heard as silence.

    Audio that is sent before there is a connection is paced likewise, and lost. An ``EncodedFrame`` is not paced.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._closed = False
        self._timeline = AudioTimeline()
        self._audio_lock = trio.Lock()
        # Seconds of each waiting frame that are not queued yet. drop_queued removes them before their tasks run again.
        self._unqueued: dict[trio.CancelScope, float] = {}
        self._dropped = trio.Event()

    async def send(self, frame: Any) -> None:
        """Send a frame, waiting for the encoder; of audio, until no more than 0.3 seconds are still to be heard.

        A video frame counts as captured when this is called, an audio frame when its turn has come: what is sent at one
        time is played together.

        When it is cancelled, the part of an audio frame that was queued is heard, and the rest is dropped.
        ``drop_queued`` makes it return. Audio frames that several tasks send follow one another.

        Args:
            frame: An ``av.VideoFrame`` or ``av.AudioFrame``, by the kind of the track, or an ``EncodedFrame``.

        Raises:
            TypeError: It is none of these.
            ValueError: It is empty or larger than any codec takes, or encoded with a codec that the kind does not have.
            trio.BrokenResourceError: Every track of this source was stopped.
            trio.ClosedResourceError: This end was closed.
        """
        require_trio("MediaStreamTrackSource.send")
        captured = trio.current_time()
        check_frame(self._source.kind, frame)
        await trio.lowlevel.checkpoint()
        self._check()
        if self._source.kind == "audio" and not isinstance(frame, EncodedFrame):
            await self._send_audio(frame)
            return
        await self._source.wait_for_room()
        self._check()
        self._source.push(frame, captured)

    async def _send_audio(self, frame: Any) -> None:
        with trio.CancelScope() as scope:
            self._unqueued[scope] = duration_of(frame)
            try:
                async with self._audio_lock:
                    for piece in pieces_of(frame):
                        await trio.sleep_until(self._timeline.begin(piece, trio.current_time()) - ADVANCE)
                        await self._source.wait_for_room()
                        self._check()
                        if scope.cancel_called:
                            return
                        self._source.push(piece, self._timeline.schedule(piece, trio.current_time()))
                        self._unqueued[scope] -= duration_of(piece)
            finally:
                self._unqueued.pop(scope, None)

    def drop_queued(self) -> float:
        """Drop the audio that is still to be heard, for example because the peer begins to speak. Not W3C's.

        Every ``send`` that waits returns, and the rest of its frame is dropped, too. What has begun, 20 ms at most, and
        what has left are heard. Without effect on video and encoded frames.

        Returns:
            Seconds of audio that were dropped.
        """
        if self._source.kind != "audio":
            return 0.0
        require_trio("MediaStreamTrackSource.drop_queued")
        now = trio.current_time()
        before, unqueued = self._timeline.queued(now), sum(self._unqueued.values())
        for scope in self._unqueued:
            scope.cancel()
        self._unqueued.clear()
        first = self._timeline.drop(now)
        if first is not None:
            self._source.drop_queued(first)
        self._dropped.set()
        self._dropped = trio.Event()
        return before - self._timeline.queued(now) + unqueued

    @property
    def queued(self) -> float:
        """Seconds of audio that are queued and still to be heard, at most about 0.3. Not W3C's."""
        require_trio("MediaStreamTrackSource.queued")
        if not self._closed and not self._source.is_live:
            # Every track was stopped, which has dropped it.
            return 0.0
        return self._timeline.queued(trio.current_time())

    async def drain(self) -> None:
        """Wait until all queued audio has left or was dropped. Not W3C's.

        The peer plays it later, by the network's delay and its jitter buffer.
        """
        require_trio("MediaStreamTrackSource.drain")
        await trio.lowlevel.checkpoint()
        while queued := self.queued:
            with trio.move_on_after(queued):
                await self._dropped.wait()

    @property
    def wanted(self) -> bool:
        """Whether anybody takes frames at present."""
        return self._source.is_wanted

    def close(self) -> None:
        """End the track: whoever takes its frames hears of the end. Idempotent.

        Audio that is queued is still heard, unless ``drop_queued`` comes before. A ``send`` that waits fails.
        """
        if not self._closed:
            self._closed = True
            self._source.end_later()

    async def aclose(self) -> None:
        """The same as ``close``."""
        require_trio("MediaStreamTrackSource.aclose")
        self.close()
        await trio.lowlevel.checkpoint()

    def __enter__(self) -> "MediaStreamTrackSource":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this end of the track was closed")
        if not self._source.is_live:
            raise trio.BrokenResourceError("the track was stopped")


@strict_arguments
def open_media_track(
    kind: str, *, label: str = "", nursery: trio.Nursery | None = None
) -> tuple[MediaStreamTrackSource, MediaStreamTrack]:
    """Make a local track.

    Args:
        kind: ``"audio"`` or ``"video"``.
        label: What the source is called, for people.
        nursery: Where asynchronous handlers of its events run. ``None``: in the block of the first connection that
            sends it; what happens before waits for that, and after the block for another connection.

    Returns:
        The end to send frames to, and the track to add to peer connections.

    Raises:
        TypeError: There is no such kind.
    """
    if kind not in _CONTENT_HINTS:
        raise TypeError(f"a track is of kind 'audio' or 'video', not {kind!r}")
    source, runner = FrameSource(kind), HandlerRunner()
    if nursery is not None:
        runner.open(nursery)
    return MediaStreamTrackSource(source), MediaStreamTrack(source, runner=runner, label=label)
