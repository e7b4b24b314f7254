"""From a track to packets: one task for each sender that has something to send.

Nothing is encoded before packets can leave: the first keyframe would be lost, and not every receiver can ask for
another. The source retains the last video frame. A sender begins with it, and encodes it again when a keyframe is
requested and no other frame follows (:mod:`.video_refresh`).

Frames that are encoded already go straight on. Others are encoded in worker threads (extra ``media``), every layer of a
simulcast for itself, as the bandwidth that it is given, the parameters of the sender and the keyframes that the peer
asks for want it (:mod:`.media_encoding`, :mod:`.quality`).
"""

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import trio

from trio_rtc.codecs.failure_log import FailureLog
from trio_rtc.enums import RTCDegradationPreference
from trio_rtc.protocols.rtp import EncodedFrame, Encoding
from trio_rtc.protocols.rtp.stats import QualityLimitation, QualityLimitationReason
from trio_rtc.tracks.audio_pacing import LATENESS, duration_of
from trio_rtc.tracks.frame_queue import FrameQueue
from trio_rtc.tracks.frame_source import CapturedFrame, FrameTransform, TrackState, apply_transform, blank

from .encoder_pool import EncodeCounters, EncoderConfig, EncoderHandle, EncoderPool
from .video_adapter import Quality, VideoAdapter, default_max_bitrate, preference
from .video_refresh import VideoRefresh

if TYPE_CHECKING:
    from trio_rtc.transports.rtp import RtpTransport

logger = logging.getLogger("trio_rtc.media")

_TRAITS = {"audio": "samples", "video": "width"}
"""What a frame of each kind has, and one of the other kind has not."""


@attrs.define
class EncodingStats:
    """What encoding one layer has cost and suffered.

    Attributes:
        counters: What was encoded.
        limitation: What makes the pictures fewer or smaller.
        resolution_changes: How often their size was changed for that.
    """

    counters: EncodeCounters = attrs.field(factory=EncodeCounters)
    limitation: QualityLimitation = attrs.field(factory=QualityLimitation)
    resolution_changes: int = 0
    _scale: float = 1.0

    def note(self, quality: Quality, *, limited: bool, now: float) -> None:
        """Take how the pictures are made at present."""
        self.limitation.set_reason(
            QualityLimitationReason.BANDWIDTH if limited else QualityLimitationReason.NONE, now
        )
        if quality.scale_down_by != self._scale:
            self._scale = quality.scale_down_by
            self.resolution_changes += 1


@attrs.frozen
class SendPlan:
    """What a sender is to do.

    Attributes:
        mid: The section.
        kind: ``"audio"`` or ``"video"``.
        track: Where the frames come from.
        codec: The encoding name that was negotiated.
        fmtp: The peer's parameters of the codec.
        layers: What is sent of it.
        degradation_preference: What is to suffer when the bandwidth does not suffice.
    """

    mid: str
    kind: str
    track: TrackState
    codec: str
    fmtp: Mapping[str, str] = attrs.field(hash=False)
    layers: tuple[Encoding, ...] = attrs.field(hash=False)
    degradation_preference: RTCDegradationPreference | None = None


@attrs.define
class _Clock:
    """Lets the timestamps of a stream go on when its frames come from another track.

    Every track begins where it likes. A receiver that sees time go back, or leap by a day, plays nothing.
    """

    _track: TrackState | None = None
    _offset: int = 0
    _last: int = 0
    _last_at: float = 0.0

    def stamp(self, frame: EncodedFrame, track: TrackState, now: float) -> EncodedFrame:
        """Return the frame with a timestamp that follows on those before."""
        if track is not self._track:
            if self._track is not None:
                passed = max(1, round((now - self._last_at) * frame.clock_rate))
                self._offset = self._last + passed - frame.timestamp
            self._track = track
        if self._offset:
            frame = attrs.evolve(frame, timestamp=frame.timestamp + self._offset)
        self._last, self._last_at = frame.timestamp, now
        return frame


class SendPipeline:
    """Sends what a track gives, as a plan says; the plan may be replaced at any time.

    Args:
        rtp: Takes the frames.

    Attributes:
        frames_encoded: Frames that left an encoder.
        frames_failed: Frames that could not be encoded, or are not of the codec that was negotiated.
        layers: What was encoded of each stream, by SSRC.
        transform: What each encoded frame goes through before it is sent.
    """

    def __init__(self, rtp: "RtpTransport") -> None:
        self._rtp = rtp
        self._plan: SendPlan | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._scope: trio.CancelScope | None = None
        self._life = trio.CancelScope()
        self._is_open = False
        self._until_open = trio.CancelScope()
        self._refresh = VideoRefresh()
        self._until_refresh = trio.CancelScope()
        self._bitrates: dict[int, float] = {}
        self._users: dict[int, EncoderHandle] = {}
        self._scalers: dict[int, VideoAdapter] = {}
        self._clocks: dict[str | None, _Clock] = {}
        self.transform: FrameTransform | None = None
        self.layers: dict[int, EncodingStats] = {}
        self.frames_encoded = 0
        self.frames_failed = 0
        self._failures = FailureLog(logger)

    @property
    def rtp(self) -> "RtpTransport":
        """The RTP transport of the frames."""
        return self._rtp

    def set_plan(self, plan: SendPlan | None) -> None:
        """Send this from now on; ``None`` for nothing."""
        old, self._plan = self._plan, plan
        same = (
            old is not None
            and plan is not None
            and (old.track, old.codec, old.mid) == (plan.track, plan.codec, plan.mid)
        )
        if same and [layer.ssrc for layer in old.layers] == [layer.ssrc for layer in plan.layers]:  # type: ignore[union-attr]
            off = {layer.ssrc for layer in old.layers if not layer.active}  # type: ignore[union-attr]
            self._request_keyframes([layer.ssrc for layer in plan.layers if layer.ssrc in off])  # type: ignore[union-attr]
            return
        if self._scope is not None:
            self._scope.cancel()
        self._changed.unpark_all()

    def open(self) -> None:
        """Begin to encode and send: packets can leave."""
        self._is_open = True
        self._until_open.cancel()

    def set_bitrates(self, bitrates: Mapping[int, float]) -> None:
        """Take what each stream may use, in bits a second, by SSRC."""
        paused = {ssrc for ssrc, bitrate in self._bitrates.items() if bitrate == 0}
        self._bitrates = dict(bitrates)
        self._request_keyframes([ssrc for ssrc, bitrate in bitrates.items() if bitrate and ssrc in paused])

    def request_keyframe(self, rid: str | None) -> None:
        """Request a keyframe as next frame of a layer; the last frame is repeated if no other follows."""
        self._request_keyframes([] if self._plan is None else _ssrcs(self._plan, rid))

    def _request_keyframes(self, ssrcs: list[int]) -> None:
        if self._plan is None or self._plan.kind != "video":
            return
        for ssrc in ssrcs:
            if (user := self._users.get(ssrc)) is not None:
                user.request_keyframe()
        self._refresh.request(ssrcs, trio.current_time())
        self._until_refresh.deadline = self._refresh.due_at

    async def run(self) -> None:
        """Send until cancelled or closed."""
        with self._life:
            while True:
                while self._plan is None:
                    await self._changed.park()
                with trio.CancelScope() as self._scope:
                    await self._send_track(self._plan)
                    # The track has ended: wait for another plan.
                    await trio.sleep_forever()

    def close(self) -> None:
        """Send no more, since the sender is gone."""
        self._life.cancel()

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
        """Drop frames until packets can leave."""
        with trio.CancelScope() as self._until_open:
            while not self._is_open:
                try:
                    taken = await queue.receive()
                except trio.EndOfChannel:
                    # A still image may be all there is.
                    await trio.sleep_forever()
                plan = self._plan
                if plan is None:
                    continue
                if plan.kind == "audio":
                    # What is to be heard later may be in time.
                    await trio.sleep_until(taken.captured)
                elif isinstance(taken.frame, EncodedFrame):
                    self._rtp.session.refuse_frame(plan.mid, taken.frame.rid)

    async def _send_video(self, queue: FrameQueue[CapturedFrame], plan: SendPlan) -> None:
        """Send the frames of a video track, beginning with the last that there was."""
        track = plan.track
        self._refresh = VideoRefresh()
        self._request_keyframes([layer.ssrc for layer in plan.layers])
        for layer in plan.layers:
            # Encoded frames of a track that is in the middle of its own prediction must not follow on another one's.
            self._rtp.session.begin_source(plan.mid, layer.rid)
        # Whatever is queued is the retained frame, or was captured before it.
        queue.clear()
        frames = track.source.repeat(queue, track)
        if any(isinstance(taken.frame, EncodedFrame) for taken in frames):
            # The application was asked for a keyframe, and has some time to make one.
            frames = []
        while True:
            for taken in frames:
                await self._send_if_planned(taken, track)
            self._refresh.frame_sent(trio.current_time())
            frames = await self._next_video(queue, track)

    async def _next_video(self, queue: FrameQueue[CapturedFrame], track: TrackState) -> list[CapturedFrame]:
        """Return the next video frame, or the last again if a keyframe was requested and none follows."""
        if queue.queued:
            return [await queue.receive()]
        with trio.CancelScope(deadline=self._refresh.due_at) as self._until_refresh:
            try:
                return [await queue.receive()]
            except trio.EndOfChannel:
                # The last frame may be a still image, which the peer can request again.
                await trio.sleep_forever()
        self._refresh.begin(trio.current_time())
        return track.source.repeat(queue, track)

    async def _send_audio(self, queue: FrameQueue[CapturedFrame], track: TrackState) -> None:
        """Send the frames of an audio track, and before each pause what has not filled a packet."""
        flush_at, last = math.inf, None
        while True:
            taken: CapturedFrame | None = None
            try:
                with trio.move_on_at(flush_at):
                    taken = await queue.receive()
            except trio.EndOfChannel:
                if last is not None:
                    await self._flush(last)
                return
            if taken is None:
                assert last is not None
                await self._flush(last)
                flush_at, last = math.inf, None
            elif isinstance(taken.frame, EncodedFrame):
                await self._send_if_planned(taken, track)
            else:
                # Audio that was queued in advance is followed at once, if at all; a live source may be late.
                lateness = 0.0 if trio.current_time() < taken.captured else LATENESS
                flush_at, last = taken.captured + duration_of(taken.frame) + lateness, taken
                await self._send_if_planned(taken, track)

    async def _flush(self, last: CapturedFrame) -> None:
        """Send what the last frame has left in the encoder, since a pause begins."""
        plan = self._plan
        if plan is None:
            return
        end = CapturedFrame(last.number + 1, last.captured, None)
        for layer in plan.layers:
            if layer.ssrc in self._users:
                for encoded in await self._encode(end, plan, layer, self._bitrates.get(layer.ssrc)):
                    await self._send_encoded(encoded, plan, layer.rid, last.captured)

    async def _send_if_planned(self, taken: CapturedFrame, track: TrackState) -> None:
        """Send a frame of a track when its time has come, as long as the plan is to send that track."""
        if track.kind == "audio" and not isinstance(taken.frame, EncodedFrame):
            await trio.sleep_until(taken.captured)
            if track.stopped or track.source.is_dropped(taken):
                return
            if not track.enabled and (silence := blank(taken.frame)) is not None:
                taken = taken._replace(frame=silence)
        plan = self._plan
        if plan is not None and plan.track is track:
            await self._send(taken, plan)

    async def _send(self, taken: CapturedFrame, plan: SendPlan) -> None:
        captured, frame = taken.captured, taken.frame
        if isinstance(frame, EncodedFrame):
            if not _ssrcs(plan, frame.rid):
                self.frames_failed += 1
                self._failures.record(
                    "a frame was not sent: its rid is %r, and the sender has no such encoding", frame.rid
                )
                return
            is_sent = await self._send_encoded(frame, plan, frame.rid, captured)
            if not is_sent and frame.keyframe:
                # Other frames may be dropped on purpose, of a temporal layer for example.
                self._lose_frame(plan, frame.rid)
            return
        if not hasattr(frame, _TRAITS[plan.kind]):
            self.frames_failed += 1
            self._failures.record(
                "a frame of a track of %s was not sent: it is a %s", plan.kind, type(frame).__name__
            )
            return
        for layer in plan.layers:
            bitrate = self._bitrates.get(layer.ssrc)
            if not layer.active or bitrate == 0:
                # It is switched off, or there is not enough for it: others must not wait for it in what they share.
                await self._release_encoder(layer.ssrc)
                self._refresh.cancel(layer.ssrc)
                continue
            frames = await self._encode(taken, plan, layer, _worthwhile(bitrate, frame, plan, layer))
            self._record_quantizers(plan, layer, frames)
            for encoded in frames:
                self.frames_encoded += 1
                if not await self._send_encoded(encoded, plan, layer.rid, captured):
                    self._lose_frame(plan, layer.rid)

    async def _send_encoded(
        self, frame: EncodedFrame, plan: SendPlan, rid: str | None, captured: float
    ) -> bool:
        """Send a frame, and return whether it was neither dropped by the transform nor refused."""
        transform = self.transform
        if transform is not None:
            transformed = await apply_transform(transform, frame, "RTCRtpSender.transform")
            if transformed is None:
                return False
            frame = transformed
        frame = self._clocks.setdefault(rid, _Clock()).stamp(frame, plan.track, trio.current_time())
        if frame.keyframe:
            # Before it is sent, since it may be requested again when it is dropped on its way.
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
        """Let the next video frame be a keyframe, since one was dropped that it would refer to."""
        self._rtp.call(self._rtp.session.lose_frame, plan.mid, rid)

    async def _encode(
        self, taken: CapturedFrame, plan: SendPlan, layer: Encoding, bitrate: float | None
    ) -> list[EncodedFrame]:
        from trio_rtc.codecs import CodecError  # noqa: PLC0415 (an optional extra, which only those need who get here)

        user = self._users.get(layer.ssrc)
        if user is None:
            meters = self.layers.setdefault(layer.ssrc, EncodingStats())
            user = self._users[layer.ssrc] = EncoderHandle(
                plan.track.source.companion(EncoderPool), meters.counters
            )
        try:
            key = self._key(taken.frame, plan, layer, bitrate)
            return await user.encode(
                key, taken.number, taken.frame, bitrate, taken.captured, repeated_after=taken.repeated_after
            )
        except CodecError as error:
            self.frames_failed += 1
            self._failures.record("a frame was not encoded: %s", error)
            return []

    def _record_quantizers(self, plan: SendPlan, layer: Encoding, frames: list[EncodedFrame]) -> None:
        """Tell the scaler of a video layer how its encoder fares."""
        scaler = self._scalers.get(layer.ssrc)
        if scaler is None or plan.kind != "video":
            return
        # Frames that are left out for a lower rate were not dropped by the encoder.
        is_thinned = layer.max_framerate is not None or scaler.limits_framerate
        if frames or not is_thinned:
            scaler.record(plan.codec.upper(), [frame.quantizer for frame in frames], trio.current_time())

    def _key(self, frame: Any, plan: SendPlan, layer: Encoding, bitrate: float | None) -> EncoderConfig:
        """Return how a frame is to be encoded for a layer at present."""
        fmtp = _encoder_parameters(plan)
        shown = plan.track.enabled
        if plan.kind == "audio":
            return EncoderConfig(plan.kind, plan.codec, fmtp, shown=shown)
        scale = layer.scale_down_by
        quality = Quality()
        if bitrate is not None:
            wanted = preference(plan.degradation_preference, plan.track.content_hint)
            pixels = int(frame.width * frame.height / scale**2)
            scaler = self._scalers.setdefault(layer.ssrc, VideoAdapter())
            now = trio.current_time()
            quality = scaler.adapt(bitrate, pixels, wanted, now)
            meters = self.layers.setdefault(layer.ssrc, EncodingStats())
            meters.note(quality, limited=scaler.is_limited, now=now)
        rates = [rate for rate in (layer.max_framerate, quality.max_framerate) if rate is not None]
        return EncoderConfig(
            plan.kind, plan.codec, fmtp, scale * quality.scale_down_by, min(rates, default=None), shown
        )

    async def _release_encoder(self, ssrc: int) -> None:
        user = self._users.get(ssrc)
        if user is not None:
            await user.aclose()

    async def _close_encoders(self) -> None:
        users, self._users = self._users, {}
        for user in users.values():
            await user.aclose()


def _ssrcs(plan: SendPlan, rid: str | None) -> list[int]:
    """Return the sources of a layer, of all for ``None``."""
    return [layer.ssrc for layer in plan.layers if rid in (None, layer.rid)]


def _worthwhile(bitrate: float | None, frame: Any, plan: SendPlan, layer: Encoding) -> float | None:
    """Return how much of a bitrate is worth spending on a layer, unless the application has set a limit itself."""
    if bitrate is None or plan.kind != "video" or layer.max_bitrate is not None:
        return bitrate
    scale = layer.scale_down_by
    return min(bitrate, default_max_bitrate(frame.width * frame.height / scale**2))


def _encoder_parameters(plan: SendPlan) -> tuple[tuple[str, str], ...]:
    """Return those of the peer's parameters that change what is encoded."""
    name = plan.codec.lower()
    if name == "opus":
        return tuple(sorted(plan.fmtp.items()))
    if name == "h264":
        # RFC 6184 section 8.1: without the parameter, packets have single NAL units, which must be small.
        return (("packetization-mode", plan.fmtp.get("packetization-mode", "0")),)
    if plan.kind == "audio":
        return tuple((name, plan.fmtp[name]) for name in ("maxptime", "ptime") if name in plan.fmtp)
    return ()
