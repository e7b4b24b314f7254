"""The send pipeline: from a track to RTP frames, in one task for each sender with a track.

Nothing is encoded before packets can be sent: the first keyframe would be lost, and not every receiver can request
another. The source retains the last video frame. A sender begins with it, and encodes it again when a keyframe is
requested and no other frame follows (:mod:`.video_refresh`).

Encoded frames are sent as they are. Others are encoded in worker threads (extra ``media``), each simulcast layer
separately, according to its target bitrate, the sender's parameters and the peer's keyframe requests
(:mod:`.encoder_pool`, :mod:`.video_adapter`).
"""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.enums import MediaStreamTrackState, RTCDegradationPreference
from trio_rtc.protocols.rtp import EncodedFrame, Encoding
from trio_rtc.protocols.rtp.stats import QualityLimitation, QualityLimitationReason
from trio_rtc.tracks.audio_pacing import MAX_LATENESS, duration_of
from trio_rtc.tracks.failure_log import FailureLog
from trio_rtc.tracks.frame_queue import FrameQueue
from trio_rtc.tracks.frame_source import CapturedFrame, FrameTransform, TrackState, apply_transform, blank

from .encoder_pool import EncodeCounters, EncoderConfig, EncoderHandle, EncoderPool
from .video_adapter import Quality, VideoAdapter, default_max_bitrate, effective_preference
from .video_refresh import VideoRefresh

if TYPE_CHECKING:
    from trio_rtc.transports.rtp import RtpTransport

logger = logging.getLogger("trio_rtc.media")

_KIND_ATTRIBUTES = {"audio": "samples", "video": "width"}
"""Attribute that only frames of a kind have, by kind."""
_FIRST_INTERVAL = 1 / 30
"""Seconds that the first frame of a video counts for in the sum of target sizes."""
_MAX_INTERVAL = 1.0
"""Seconds that any other frame counts for at most: after a pause, a frame is not allowed the bytes of the pause."""
_MAX_CLOCK_ERROR = 0.1
"""Seconds by which the timestamps of two encoders of a track may differ from their capture times."""


@attrs.define
class EncodingStats:
    """Encoding statistics of one layer.

    Attributes:
        limitation: The reason and durations of reduced resolution or frame rate.
        resolution_changes: Number of changes of the resolution because of the bandwidth.
        target_bytes: The target sizes of encoded video frames in bytes, summed up.
    """

    counters: EncodeCounters = attrs.field(factory=EncodeCounters)
    limitation: QualityLimitation = attrs.field(factory=QualityLimitation)
    resolution_changes: int = 0
    target_bytes: float = 0.0
    _scale: float = 1.0
    _encoded_at: float | None = None

    def record(self, quality: Quality, *, limited: bool, now: float) -> None:
        """Record the present resolution and frame rate."""
        self.limitation.set_reason(
            QualityLimitationReason.BANDWIDTH if limited else QualityLimitationReason.NONE, now
        )
        if quality.scale_down_by != self._scale:
            self._scale = quality.scale_down_by
            self.resolution_changes += 1

    def record_target(self, bitrate: float, captured: float) -> None:
        """Record the target size of an encoded frame: the bytes of the bitrate since the frame before."""
        last, self._encoded_at = self._encoded_at, captured
        interval = _FIRST_INTERVAL if last is None else min(max(0.0, captured - last), _MAX_INTERVAL)
        self.target_bytes += bitrate * interval / 8


@attrs.frozen
class SendPlan:
    """The negotiated configuration of a sender.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        codec: The negotiated encoding name.
        fmtp: The peer's format parameters of the codec.
        layers: The RTP streams to send; several for simulcast.
        degradation_preference: Whether resolution or frame rate is reduced when the bandwidth is insufficient.
    """

    mid: str
    kind: str
    track: TrackState
    codec: str
    fmtp: Mapping[str, str] = attrs.field(hash=False)
    layers: tuple[Encoding, ...] = attrs.field(hash=False)
    degradation_preference: RTCDegradationPreference | None = None


@attrs.define(eq=False)
class _KeyframeWait:
    """A task that waits for a keyframe of a layer.

    Attributes:
        rid: The RID of the layer.
        ended: Set when there is the keyframe, or when there will be none.
        found: Whether there is one.
    """

    rid: str | None
    ended: trio.Event = attrs.field(factory=trio.Event)
    found: bool = False

    def end(self, *, found: bool) -> None:
        self.found = found
        self.ended.set()


@attrs.define
class _TimestampMapper:
    """Keeps the RTP timestamps of a stream continuous when its track is replaced, or another encoder encodes it.

    Each has its own first timestamp, and receivers play nothing after a timestamp jumps backwards or far ahead.
    """

    _track: TrackState | None = None
    _clock: object = None
    _offset: int = 0
    _last: int = 0
    _last_at: float = 0.0

    def map_frame(
        self, frame: EncodedFrame, track: TrackState, clock: object, captured: float
    ) -> EncodedFrame:
        """Return the frame with a timestamp that continues the stream; ``captured`` is in seconds.

        ``clock`` is the identity of its encoder's timestamps; ``None`` if the application has encoded it.
        """
        if track is not self._track or clock is not self._clock:
            if self._track is not None:
                self._continue(frame, captured, is_other_track=track is not self._track)
            self._track, self._clock = track, clock
        if self._offset:
            frame = attrs.evolve(frame, timestamp=frame.timestamp + self._offset)
        self._last, self._last_at = frame.timestamp, captured
        return frame

    def _continue(self, frame: EncodedFrame, captured: float, *, is_other_track: bool) -> None:
        following = self._last + max(1, round((captured - self._last_at) * frame.clock_rate))
        present = frame.timestamp + self._offset
        error = abs(present - following)
        if is_other_track or present <= self._last or error > _MAX_CLOCK_ERROR * frame.clock_rate:
            self._offset = following - frame.timestamp


class SendPipeline:
    """Encodes and sends the frames of a track according to a plan, which may be replaced at any time.

    Attributes:
        frames_failed: Number of frames that could not be encoded, or do not have the negotiated codec.
        layers: Encoding statistics by SSRC.
        transform: The application's transform of encoded frames.
    """

    def __init__(self, rtp: "RtpTransport") -> None:
        self._rtp = rtp
        self._plan: SendPlan | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._scope: trio.CancelScope | None = None
        self._run_scope = trio.CancelScope()
        self._is_open = False
        self._until_open = trio.CancelScope()
        self._refresh = VideoRefresh()
        self._until_refresh = trio.CancelScope()
        self._bitrates: dict[int, float] = {}
        self._handles: dict[int, EncoderHandle] = {}
        self._adapters: dict[int, VideoAdapter] = {}
        self._timestamps: dict[str | None, _TimestampMapper] = {}
        # An ordered set.
        self._keyframe_waits: dict[_KeyframeWait, None] = {}
        self.transform: FrameTransform | None = None
        self.layers: dict[int, EncodingStats] = {}
        self.frames_encoded = 0
        self.frames_failed = 0
        self._failures = FailureLog(logger)

    @property
    def rtp(self) -> "RtpTransport":
        return self._rtp

    def set_plan(self, plan: SendPlan | None) -> None:
        """Replace the plan; ``None`` stops sending."""
        old, self._plan = self._plan, plan
        is_same = (
            old is not None
            and plan is not None
            and (old.track, old.codec, old.mid) == (plan.track, plan.codec, plan.mid)
        )
        if is_same and [layer.ssrc for layer in old.layers] == [layer.ssrc for layer in plan.layers]:  # type: ignore[union-attr]
            inactive = {layer.ssrc for layer in old.layers if not layer.active}  # type: ignore[union-attr]
            self._request_keyframes([layer.ssrc for layer in plan.layers if layer.ssrc in inactive])  # type: ignore[union-attr]
            self._end_keyframe_waits([layer.rid for layer in plan.layers if not layer.active])  # type: ignore[union-attr]
            return
        self._end_keyframe_waits()
        if self._scope is not None:
            self._scope.cancel()
        self._changed.unpark_all()

    def open(self) -> None:
        """Begin encoding and sending, because packets can be sent."""
        self._is_open = True
        self._until_open.cancel()

    def set_bitrates(self, bitrates: Mapping[int, float]) -> None:
        """Set the target bitrates, in bits per second by SSRC."""
        paused = {ssrc for ssrc, bitrate in self._bitrates.items() if bitrate == 0}
        self._bitrates = dict(bitrates)
        self._request_keyframes([ssrc for ssrc, bitrate in bitrates.items() if bitrate and ssrc in paused])

    def request_keyframe(self, rid: str | None) -> None:
        """Request a keyframe of a layer (``None`` for all); the last frame is repeated if no other follows."""
        self._request_keyframes([] if self._plan is None else _ssrcs(self._plan, rid))

    def has_active_layer(self, rid: str | None) -> bool:
        """Return whether a layer is sent at present."""
        return self._plan is not None and any(
            layer.active and layer.rid == rid for layer in self._plan.layers
        )

    async def wait_for_keyframe(self, rid: str | None) -> bool:
        """Wait until the next keyframe of a layer is about to be transformed; return whether there was one.

        There is none if the layer, the track or sending ends before.
        """
        wait = _KeyframeWait(rid)
        self._keyframe_waits[wait] = None
        try:
            await wait.ended.wait()
        finally:
            self._keyframe_waits.pop(wait, None)
        return wait.found

    def _end_keyframe_waits(self, rids: Sequence[str | None] | None = None, *, found: bool = False) -> None:
        """End the waits for keyframes of some layers; of all for ``None``."""
        for wait in tuple(self._keyframe_waits):
            if rids is None or wait.rid in rids:
                wait.end(found=found)

    def _request_keyframes(self, ssrcs: list[int]) -> None:
        if self._plan is None or self._plan.kind != "video":
            return
        for ssrc in ssrcs:
            if (handle := self._handles.get(ssrc)) is not None:
                handle.request_keyframe()
        self._refresh.request(ssrcs, trio.current_time())
        self._until_refresh.deadline = self._refresh.due_at

    async def run(self) -> None:
        """Send until cancelled or closed."""
        with self._run_scope:
            while True:
                while self._plan is None:
                    await self._changed.park()
                with trio.CancelScope() as self._scope:
                    await self._send_track(self._plan)
                    # The track has ended: wait for another plan.
                    await trio.sleep_forever()

    def close(self) -> None:
        """Stop sending for good."""
        self._end_keyframe_waits()
        self._run_scope.cancel()

    async def _send_track(self, plan: SendPlan) -> None:
        queue = plan.track.source.consume(plan.track, paces=True)
        try:
            await self._wait_until_open(queue)
            if plan.kind == "audio":
                await self._send_audio(queue, plan.track)
                return
            await self._send_video(queue, plan)
        finally:
            plan.track.source.leave(queue)
            with trio.CancelScope(shield=True):
                await self._close_encoders()

    async def _wait_until_open(self, queue: FrameQueue[CapturedFrame]) -> None:
        """Drop frames until packets can be sent."""
        with trio.CancelScope() as self._until_open:
            while not self._is_open:
                try:
                    item = await queue.receive()
                except trio.EndOfChannel:
                    # The retained frame, such as a still image, is sent when packets can be.
                    await trio.sleep_forever()
                plan = self._plan
                if plan is None:
                    continue
                if plan.kind == "audio":
                    # Audio that is due later may still be sent.
                    await trio.sleep_until(item.captured)
                elif isinstance(item.frame, EncodedFrame):
                    self._rtp.session.refuse_frame(plan.mid, item.frame.rid)

    async def _send_video(self, queue: FrameQueue[CapturedFrame], plan: SendPlan) -> None:
        """Send the frames of a video track, beginning with the retained one."""
        track = plan.track
        self._refresh = VideoRefresh()
        self._request_keyframes([layer.ssrc for layer in plan.layers])
        for layer in plan.layers:
            # Encoded frames of another track need a keyframe first: they refer to frames that were not sent.
            self._rtp.session.begin_source(plan.mid, layer.rid)
        # Queued frames are the retained one, or older.
        queue.clear()
        frames = track.source.repeat(queue, track)
        if any(isinstance(item.frame, EncodedFrame) for item in frames):
            # The application has been sent a keyframe request, and has some time to produce one.
            frames = []
        while True:
            for item in frames:
                await self._send_if_planned(item, track)
            self._refresh.record_sent(trio.current_time())
            frames = await self._next_video(queue, track)

    async def _next_video(self, queue: FrameQueue[CapturedFrame], track: TrackState) -> list[CapturedFrame]:
        """Return the next video frame, or the last again if a keyframe was requested and none follows."""
        if queue.queued:
            return [await queue.receive()]
        with trio.CancelScope(deadline=self._refresh.due_at) as self._until_refresh:
            try:
                return [await queue.receive()]
            except trio.EndOfChannel:
                # The last frame may be a still image, of which the peer may request a keyframe.
                await trio.sleep_forever()
        self._refresh.begin(trio.current_time())
        frames = track.source.repeat(queue, track)
        if not frames and track.ready_state is MediaStreamTrackState.ENDED:
            self._end_keyframe_waits()
        return frames

    async def _send_audio(self, queue: FrameQueue[CapturedFrame], track: TrackState) -> None:
        """Send the frames of an audio track, and flush the encoder before each pause."""
        flush_at, last = math.inf, None
        flushed, is_live = -math.inf, False
        while True:
            item: CapturedFrame | None = None
            try:
                with trio.move_on_at(flush_at):
                    item = await queue.receive()
            except trio.EndOfChannel:
                if last is not None:
                    await self._flush(last)
                return
            if item is None:
                assert last is not None
                await self._flush(last)
                flushed = last.captured + duration_of(last.frame)
                flush_at, last = math.inf, None
            elif isinstance(item.frame, EncodedFrame):
                await self._send_if_planned(item, track)
            else:
                # Audio queued in advance is followed at once or by a pause; a live source may be late.
                now = trio.current_time()
                is_live = is_live or item.captured < flushed + MAX_LATENESS
                lateness = MAX_LATENESS if is_live or now >= item.captured else 0.0
                flush_at, last = max(item.captured, now) + duration_of(item.frame) + lateness, item
                await self._send_if_planned(item, track)

    async def _flush(self, last: CapturedFrame) -> None:
        """Send the samples that remain in the encoder, because a pause begins."""
        plan = self._plan
        if plan is None:
            return
        ended = last.captured + duration_of(last.frame)
        end = CapturedFrame(last.number + 1, last.captured, None)
        for layer in plan.layers:
            if layer.ssrc in self._handles:
                for encoded in await self._encode(end, plan, layer, self._bitrates.get(layer.ssrc)):
                    await self._send_encoded(encoded, plan, layer.rid, ended, self._handles[layer.ssrc].clock)

    async def _send_if_planned(self, item: CapturedFrame, track: TrackState) -> None:
        """Send a frame when it is due, if the plan still has its track."""
        if track.kind == "audio" and not isinstance(item.frame, EncodedFrame):
            await trio.sleep_until(item.captured)
            if track.stopped or track.source.is_dropped(item):
                return
            if not track.enabled and (silence := blank(item.frame)) is not None:
                item = item._replace(frame=silence)
        plan = self._plan
        if plan is not None and plan.track is track:
            await self._send(item, plan)

    async def _send(self, item: CapturedFrame, plan: SendPlan) -> None:
        captured, frame = item.captured, item.frame
        if isinstance(frame, EncodedFrame):
            if not _ssrcs(plan, frame.rid):
                self.frames_failed += 1
                self._failures.record(
                    "a frame was not sent: its rid is %r, but the sender has no encoding with this rid",
                    frame.rid,
                )
                return
            is_sent = await self._send_encoded(frame, plan, frame.rid, captured)
            if not is_sent and frame.keyframe:
                # A transform may drop other frames on purpose, for example of a temporal layer.
                self._lose_frame(plan, frame.rid)
            return
        if not hasattr(frame, _KIND_ATTRIBUTES[plan.kind]):
            self.frames_failed += 1
            self._failures.record(
                "a frame of a track of %s was not sent: it is a %s", plan.kind, type(frame).__name__
            )
            return
        for layer in plan.layers:
            bitrate = self._bitrates.get(layer.ssrc)
            if not layer.active or bitrate == 0:
                # Inactive, or paused by bandwidth allocation: other users of the encoder must not be limited by it.
                await self._release_encoder(layer.ssrc)
                self._refresh.cancel(layer.ssrc)
                continue
            target = _useful_bitrate(bitrate, frame, plan, layer)
            frames = await self._encode(item, plan, layer, target)
            if frames and target is not None and plan.kind == "video":
                self.layers[layer.ssrc].record_target(target, captured)
            self._record_quantizers(plan, layer, frames)
            for encoded in frames:
                self.frames_encoded += 1
                clock = self._handles[layer.ssrc].clock
                # An audio frame may fill several packets.
                at = captured + (encoded.timestamp - frames[0].timestamp) / encoded.clock_rate
                if not await self._send_encoded(encoded, plan, layer.rid, at, clock):
                    self._lose_frame(plan, layer.rid)

    async def _send_encoded(
        self, frame: EncodedFrame, plan: SendPlan, rid: str | None, captured: float, clock: object = None
    ) -> bool:
        """Send a frame; return whether it was neither dropped by the transform nor rejected."""
        if self._keyframe_waits and frame.keyframe:
            self._end_keyframe_waits([rid], found=True)
        transform = self.transform
        if transform is not None:
            transformed = await apply_transform(transform, frame, "RTCRtpSender.transform")
            if transformed is None:
                return False
            frame = transformed
        frame = self._timestamps.setdefault(rid, _TimestampMapper()).map_frame(
            frame, plan.track, clock, captured
        )
        if frame.keyframe:
            # Before it is sent: if it is dropped on its way, another keyframe may be requested at once.
            self._refresh.cancel(*_ssrcs(plan, rid))
        try:
            await self._rtp.send_frame(plan.mid, frame, rid, captured)
        except (ValueError, OverflowError) as error:
            self.frames_failed += 1
            self._failures.record("a frame was not sent: %s", error)
            return False
        if self._rtp.session.waits_for_keyframe(plan.mid, rid):
            self._request_keyframes(_ssrcs(plan, rid))
        return True

    def _lose_frame(self, plan: SendPlan, rid: str | None) -> None:
        """Report a dropped frame, after which RTP accepts only a keyframe."""
        self._rtp.call(self._rtp.session.lose_frame, plan.mid, rid)

    async def _encode(
        self, item: CapturedFrame, plan: SendPlan, layer: Encoding, bitrate: float | None
    ) -> list[EncodedFrame]:
        from trio_rtc.codecs import CodecError  # noqa: PLC0415 (an optional extra, imported on use)

        handle = self._handles.get(layer.ssrc)
        if handle is None:
            stats = self.layers.setdefault(layer.ssrc, EncodingStats())
            handle = self._handles[layer.ssrc] = EncoderHandle(
                plan.track.source.companion(EncoderPool), stats.counters
            )
        try:
            config = self._config(item.frame, plan, layer, bitrate)
            # The arrival of received audio varies, its pts does not.
            is_timed = item.is_timed or getattr(item.frame, "pts", None) is None
            captured = item.captured if is_timed else None
            return await handle.encode(
                config, item.number, item.frame, bitrate, captured, repeated_after=item.repeated_after
            )
        except CodecError as error:
            self.frames_failed += 1
            self._failures.record("a frame was not encoded: %s", error)
            return []

    def _record_quantizers(self, plan: SendPlan, layer: Encoding, frames: list[EncodedFrame]) -> None:
        adapter = self._adapters.get(layer.ssrc)
        if adapter is None or plan.kind != "video":
            return
        # Frames omitted for a lower frame rate were not dropped by the encoder's rate control.
        reduces_framerate = layer.max_framerate is not None or adapter.limits_framerate
        if frames or not reduces_framerate:
            adapter.record(plan.codec.upper(), [frame.quantizer for frame in frames], trio.current_time())

    def _config(self, frame: Any, plan: SendPlan, layer: Encoding, bitrate: float | None) -> EncoderConfig:
        """Return the present encoder configuration of a layer."""
        fmtp = _encoder_parameters(plan)
        enabled = plan.track.enabled
        if plan.kind == "audio":
            return EncoderConfig(plan.kind, plan.codec, fmtp, enabled=enabled)
        scale = layer.scale_down_by
        quality = Quality()
        if bitrate is not None:
            preference = effective_preference(plan.degradation_preference, plan.track.content_hint)
            pixels = int(frame.width * frame.height / scale**2)
            adapter = self._adapters.setdefault(layer.ssrc, VideoAdapter())
            now = trio.current_time()
            quality = adapter.adapt(bitrate, pixels, preference, now)
            stats = self.layers.setdefault(layer.ssrc, EncodingStats())
            stats.record(quality, limited=adapter.is_limited, now=now)
        rates = [rate for rate in (layer.max_framerate, quality.max_framerate) if rate is not None]
        return EncoderConfig(
            plan.kind, plan.codec, fmtp, scale * quality.scale_down_by, min(rates, default=None), enabled
        )

    async def _release_encoder(self, ssrc: int) -> None:
        handle = self._handles.get(ssrc)
        if handle is not None:
            await handle.aclose()

    async def _close_encoders(self) -> None:
        handles, self._handles = self._handles, {}
        for handle in handles.values():
            await handle.aclose()


def _ssrcs(plan: SendPlan, rid: str | None) -> list[int]:
    """Return the SSRCs of a layer; of all layers for ``None``."""
    return [layer.ssrc for layer in plan.layers if rid in (None, layer.rid)]


def _useful_bitrate(bitrate: float | None, frame: Any, plan: SendPlan, layer: Encoding) -> float | None:
    """Return the bitrate limited to the useful maximum for the layer's size, if the application has set no limit."""
    if bitrate is None or plan.kind != "video" or layer.max_bitrate is not None:
        return bitrate
    scale = layer.scale_down_by
    return min(bitrate, default_max_bitrate(frame.width * frame.height / scale**2))


def _encoder_parameters(plan: SendPlan) -> tuple[tuple[str, str], ...]:
    """Return the peer's format parameters that affect encoding."""
    name = plan.codec.lower()
    if name == "opus":
        return tuple(sorted(plan.fmtp.items()))
    if name == "h264":
        # RFC 6184 section 8.1: without the parameter, each packet has a single NAL unit, which must fit into it.
        return (("packetization-mode", plan.fmtp.get("packetization-mode", "0")),)
    if plan.kind == "audio":
        return tuple((name, plan.fmtp[name]) for name in ("maxptime", "ptime") if name in plan.fmtp)
    return ()
