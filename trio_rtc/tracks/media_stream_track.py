"""Media tracks and streams (W3C mediacapture-main): a track is a ``trio.abc.ReceiveChannel`` of frames.

A track has a source, which its clones share. Every consumer has a bounded queue of its own at the source: the
application that iterates over the track, and every ``RTCRtpSender`` that sends it. Received media is decoded only while
its source has a consumer.

Frames are PyAV's ``av.VideoFrame`` and ``av.AudioFrame``, or :class:`.EncodedFrame`.
"""

from types import MappingProxyType, TracebackType
from typing import Any

import trio

from trio_rtc._environment import new_id, require_trio
from trio_rtc._strict_names.checks import strict_arguments, strict_class
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.errors import ProtocolError
from trio_rtc.event_target import EventHandler, EventTarget, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.jsep.identity import Identity
from trio_rtc.protocols.rtp import EncodedFrame

from .audio_pacing import MAX_QUEUED, AudioTimeline, duration_of, split_frame
from .constraints import MediaTrackCapabilities, MediaTrackConstraints, MediaTrackSettings
from .frame_queue import FrameQueue
from .frame_source import FrameSource, TrackState, check_frame

_CONTENT_HINTS = {
    "audio": ("", "speech", "speech-recognition", "music"),
    "video": ("", "motion", "detail", "text"),
}


@strict_class
class MediaStreamTrack(EventTarget, trio.abc.ReceiveChannel[Any]):
    """A track of audio or video (W3C mediacapture-main section 4.3), read with ``async for frame in track``.

    Iteration begins with the first frame after its start. Frames that are not read in time are dropped, the oldest
    first, and counted in ``frames_dropped``. The beginning of received video is retained for up to two seconds, until
    the track has a consumer, because not every peer sends another keyframe. Tracks are created by
    :func:`open_media_track`, by a peer connection, or by ``clone``.

    Asynchronous handlers of its events run in the nursery of its peer connection, or in the one that was passed to
    :func:`open_media_track`; synchronous handlers and subscriptions need none.
    """

    EVENTS = frozenset({"mute", "unmute", "ended", "isolation_change"})

    on_mute = EventHandler[Event]("mute")
    on_unmute = EventHandler[Event]("unmute")
    on_ended = EventHandler[Event]("ended")
    on_isolation_change = EventHandler[Event]("isolation_change")

    def __init__(
        self,
        source: FrameSource,
        *,
        runner: HandlerRunner,
        id: str | None = None,
        label: str = "",
        muted: bool = False,
        peer_identity: str | None = None,
        origin: "MediaStreamTrack | None" = None,
    ) -> None:
        super().__init__(runner)
        self._state = TrackState(self, runner, source, muted, peer_identity=peer_identity)
        self._id = id or new_id()
        self._label = label
        self._constraints: MediaTrackConstraints = {}
        self._queue: FrameQueue[Any] | None = None
        source.add_track(self._state, None if origin is None else origin._state)

    @property
    def kind(self) -> str:
        """``"audio"`` or ``"video"``."""
        return self._state.kind

    @property
    def id(self) -> str:
        """The unique id of the track."""
        return self._id

    @property
    def label(self) -> str:
        """A name of the source for users."""
        return self._label

    @property
    def enabled(self) -> bool:
        """Whether the track is enabled; otherwise its frames are black or silent, and encoded frames are omitted."""
        return self._state.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._state.enabled = bool(enabled)

    @property
    def muted(self) -> bool:
        """Whether the source provides no frames at present."""
        return self._state.muted

    @property
    def ready_state(self) -> MediaStreamTrackState:
        """State of the track: ``live`` or ``ended``."""
        return self._state.ready_state

    @property
    def isolated(self) -> bool:
        """Whether the track is sent to one peer only (W3C webrtc-identity section 9.1).

        A connection sends an isolated track only when it has validated the identity of this peer; until then it sends
        nothing. Isolated are tracks created with ``peer_identity``, received tracks of a connection with a
        ``peer_identity`` in its configuration, and their clones. The application can read them.
        """
        return self._state.peer_identity is not None

    @property
    def frames_dropped(self) -> int:
        """Number of frames dropped because this track was not read in time."""
        return 0 if self._queue is None else self._queue.dropped

    @property
    def content_hint(self) -> str:
        """The application's hint about the content (W3C mst-content-hint); ``""`` for none."""
        return self._state.content_hint

    @content_hint.setter
    def content_hint(self, hint: str) -> None:
        # W3C mst-content-hint section 4: a value of the other kind, or an unknown one, is ignored.
        if hint in _CONTENT_HINTS[self.kind]:
            self._state.content_hint = hint

    def clone(self) -> "MediaStreamTrack":
        """Return another track of the same source, which ends independently."""
        clone = MediaStreamTrack(
            self._state.source,
            runner=self._runner,
            label=self._label,
            muted=self.muted,
            peer_identity=self._state.peer_identity,
            origin=self,
        )
        clone.enabled = self.enabled
        clone._constraints = self._constraints
        clone.content_hint = self.content_hint
        if self.ready_state is MediaStreamTrackState.ENDED:
            clone.stop()
        return clone

    def get_settings(self) -> MediaTrackSettings:
        """Return the present properties of its frames."""
        return self._state.source.settings

    def get_capabilities(self) -> MediaTrackCapabilities:
        """Return the ranges of its settings: none, since the source is the application or the peer."""
        return MediaTrackCapabilities()

    def get_constraints(self) -> MediaTrackConstraints:
        """Return the constraints that were applied last."""
        return self._constraints

    async def apply_constraints(self, constraints: MediaTrackConstraints | None = None) -> None:
        """Record the constraints of the source (W3C mediacapture-main section 11).

        Args:
            constraints: Constraints by name. None is supported by this source, and W3C requires that unsupported
                constraints are ignored, so none can fail.
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
    """The application's end of a local track: frames sent here are the frames of the track and its clones.

    Audio is paced. An ``av.AudioFrame`` may have any length, and several may be sent at once: they are played one after
    another in real time. Up to 0.3 seconds are queued in advance, and ``send`` waits until the rest of its frame is
    queued. Audio that is sent when nothing is queued is played at once, so a pause of the application is preserved.

    RTP timestamps are those of that timeline. A gap of 40 ms to 10 seconds between the ``pts`` of two audio frames is
    played as silence. A live source whose ``pts`` are continuous, and that was halted for up to half a second, may send
    the missed frames at once. The ``pts`` of a video frame becomes its RTP timestamp.

    Audio that is sent before the connection is established is paced too, and dropped. An ``EncodedFrame`` is not paced.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._closed = False
        self._timeline = AudioTimeline()
        self._audio_lock = trio.Lock()
        # Unqueued seconds of each waiting frame. drop_queued() removes them before their tasks run again.
        self._unqueued: dict[trio.CancelScope, float] = {}
        self._dropped = trio.Event()

    async def send(self, frame: Any) -> None:
        """Send a frame. Wait for the encoder, and with audio until no more than 0.3 seconds are queued.

        The capture time of a video frame is the time of this call; that of an audio frame is its time on the timeline.
        Audio and video that are sent at the same time are played together.

        After cancellation, the part of an audio frame that was queued is played, and the rest is dropped.
        ``drop_queued`` ends the wait. Audio frames that several tasks send are played one after another.

        Args:
            frame: An ``av.VideoFrame`` or ``av.AudioFrame``, by the kind of the track, or an ``EncodedFrame``.

        Raises:
            TypeError: The frame has another type.
            ValueError: The frame is empty or too large for every codec, or has a codec of another kind.
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
                    for piece in split_frame(frame):
                        await trio.sleep_until(self._timeline.begin(piece, trio.current_time()) - MAX_QUEUED)
                        await self._source.wait_for_room()
                        self._check()
                        if scope.cancel_called:
                            return
                        self._source.push(piece, self._timeline.schedule(piece, trio.current_time()))
                        self._unqueued[scope] -= duration_of(piece)
            finally:
                self._unqueued.pop(scope, None)

    def drop_queued(self) -> float:
        """Drop the audio that has not been played, for example because the peer begins to speak. Not W3C's.

        Every waiting ``send`` returns, and the rest of its frame is dropped too. The current piece, 20 ms at most, and
        packets that were sent are still played. Video and encoded frames are not affected.

        Returns:
            Seconds of audio dropped.
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
        """Seconds of audio that are queued and have not been played, at most about 0.3. Not W3C's."""
        require_trio("MediaStreamTrackSource.queued")
        if not self._closed and not self._source.is_live:
            # Every track was stopped, which has dropped the queued audio.
            return 0.0
        return self._timeline.queued(trio.current_time())

    async def drain(self) -> None:
        """Wait until all queued audio was sent or dropped. Not W3C's.

        The peer plays it later, delayed by the network and its jitter buffer.
        """
        require_trio("MediaStreamTrackSource.drain")
        await trio.lowlevel.checkpoint()
        while queued := self.queued:
            with trio.move_on_after(queued):
                await self._dropped.wait()

    @property
    def wanted(self) -> bool:
        """Whether the source has a consumer at present."""
        return self._source.has_consumers

    def close(self) -> None:
        """End the track, and notify its consumers. Idempotent.

        Queued audio is still played, unless ``drop_queued`` is called before. A waiting ``send`` fails.
        """
        if not self._closed:
            self._closed = True
            self._source.end_later()

    async def aclose(self) -> None:
        """Close; see ``close``."""
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
    kind: str,
    *,
    label: str = "",
    nursery: trio.Nursery | None = None,
    peer_identity: str | None = None,
) -> tuple[MediaStreamTrackSource, MediaStreamTrack]:
    """Create a local track.

    Args:
        kind: ``"audio"`` or ``"video"``.
        label: A name of the source for users.
        nursery: The nursery in which asynchronous handlers of its events run. ``None`` for the block of the first
            connection that sends it; handlers of events outside such a block wait for the next one.
        peer_identity: The only peer to which the track is sent, ``user@domain`` (W3C webrtc-identity section 9): it is
            isolated.

    Returns:
        The end to send frames to, and the track to add to peer connections.

    Raises:
        TypeError: ``kind`` is neither ``"audio"`` nor ``"video"``.
        ValueError: ``peer_identity`` is no identity.
    """
    if kind not in _CONTENT_HINTS:
        raise TypeError(f"kind must be 'audio' or 'video', not {kind!r}")
    if peer_identity is not None:
        _check_identity(peer_identity)
    source, runner = FrameSource(kind), HandlerRunner()
    if nursery is not None:
        runner.open(nursery)
    track = MediaStreamTrack(source, runner=runner, label=label, peer_identity=peer_identity)
    return MediaStreamTrackSource(source), track


def source_of(track: MediaStreamTrack) -> FrameSource:
    """Return the source of a track's frames."""
    return track._state.source


def _check_identity(identity: str) -> None:
    try:
        Identity.parse(identity)
    except ProtocolError as error:
        raise ValueError(str(error)) from None
