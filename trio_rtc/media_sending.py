"""From a track to packets: one task for each sender that has something to send.

Frames that are encoded already go straight on. Others are encoded in worker threads (extra ``media``), every layer of a
simulcast by an encoder of its own, each as the bandwidth that it is given, the parameters of the sender and the
keyframes that the peer asks for want it.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .protocols.rtp import EncodedFrame
from .rtp_parameters import RTCRtpEncodingParameters
from .tracks import MediaStreamTrack

if TYPE_CHECKING:
    from .codecs import AudioEncoder, CodecThread, VideoEncoder
    from .transports.rtp import RtpTransport

logger = logging.getLogger("trio_rtc.media")


@attrs.frozen
class LayerPlan:
    """How one layer of a sender is sent.

    Attributes:
        ssrc: Its source.
        rid: Its name.
        parameters: As the application has set them.
    """

    ssrc: int
    rid: str | None
    parameters: RTCRtpEncodingParameters


@attrs.frozen
class SendingPlan:
    """What a sender is to do.

    Attributes:
        mid: The section.
        kind: ``"audio"`` or ``"video"``.
        track: Where the frames come from.
        codec: The encoding name that was negotiated.
        fmtp: The peer's parameters of the codec.
        layers: What is sent of it.
    """

    mid: str
    kind: str
    track: MediaStreamTrack
    codec: str
    fmtp: Mapping[str, str] = attrs.field(hash=False)
    layers: tuple[LayerPlan, ...] = attrs.field(hash=False)


class _LayerEncoder:
    """An encoder in a thread, with what it is asked for."""

    def __init__(self, encoder: "VideoEncoder | AudioEncoder", thread: "CodecThread") -> None:
        self._encoder: Any = encoder
        self._thread = thread

    async def encode_video(
        self, frame: Any, layer: LayerPlan, bitrate: float | None, *, keyframe: bool
    ) -> list[EncodedFrame]:
        parameters = layer.parameters
        encode = self._encoder.encode
        return await self._thread.call(
            lambda: encode(
                frame,
                force_keyframe=keyframe,
                bitrate=None if bitrate is None else int(bitrate),
                framerate=parameters.max_framerate,
                scale_down_by=parameters.scale_resolution_down_by or 1.0,
            )
        )

    async def encode_audio(self, frame: Any, bitrate: float | None) -> list[EncodedFrame]:
        encode = self._encoder.encode
        return await self._thread.call(
            lambda: encode(frame, bitrate=None if bitrate is None else int(bitrate))
        )

    async def aclose(self) -> None:
        await self._thread.aclose()


class SendingPump:
    """Sends what a track gives, as a plan says; the plan may be replaced at any time.

    Args:
        rtp: Takes the frames.

    Attributes:
        frames_encoded: Frames that left an encoder.
        frames_failed: Frames that could not be encoded, or are not of the codec that was negotiated.
    """

    def __init__(self, rtp: "RtpTransport") -> None:
        self._rtp = rtp
        self._plan: SendingPlan | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._scope: trio.CancelScope | None = None
        self._bitrates: dict[int, float] = {}
        self._keyframes: set[str | None] = set()
        self._encoders: dict[int, _LayerEncoder] = {}
        self.frames_encoded = 0
        self.frames_failed = 0

    def set_plan(self, plan: SendingPlan | None) -> None:
        """Send this from now on; ``None`` for nothing."""
        old, self._plan = self._plan, plan
        same = (
            old is not None
            and plan is not None
            and (old.track, old.codec, old.mid) == (plan.track, plan.codec, plan.mid)
        )
        if same and [layer.ssrc for layer in old.layers] == [layer.ssrc for layer in plan.layers]:  # type: ignore[union-attr]
            return
        if self._scope is not None:
            self._scope.cancel()
        self._changed.unpark_all()

    def set_bitrates(self, bitrates: Mapping[int, float]) -> None:
        """Take what each stream may use, in bits a second, by SSRC."""
        self._bitrates = dict(bitrates)

    def request_keyframe(self, rid: str | None) -> None:
        """Let the next frame of a layer be a keyframe."""
        self._keyframes.add(rid)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            while self._plan is None:
                await self._changed.park()
            with trio.CancelScope() as self._scope:
                await self._send_track(self._plan)
                # The track has ended: wait for another plan.
                await trio.sleep_forever()

    async def _send_track(self, plan: SendingPlan) -> None:
        queue = plan.track._consume()
        try:
            while True:
                try:
                    frame = await queue.take()
                except trio.EndOfChannel:
                    return
                current = self._plan
                if current is not None:
                    await self._send(frame, current)
        finally:
            plan.track._source.leave(queue)
            with trio.CancelScope(shield=True):
                await self._close_encoders()

    async def _send(self, frame: Any, plan: SendingPlan) -> None:
        if isinstance(frame, EncodedFrame):
            await self._send_encoded(frame, plan, frame.rid)
            return
        for layer in plan.layers:
            if layer.parameters.active:
                for encoded in await self._encode(frame, plan, layer):
                    self.frames_encoded += 1
                    await self._send_encoded(encoded, plan, layer.rid)

    async def _send_encoded(self, frame: EncodedFrame, plan: SendingPlan, rid: str | None) -> None:
        try:
            await self._rtp.send_frame(plan.mid, frame, rid)
        except ValueError as error:
            self.frames_failed += 1
            logger.info("a frame was not sent: %s", error)

    async def _encode(self, frame: Any, plan: SendingPlan, layer: LayerPlan) -> list[EncodedFrame]:
        from .codecs import CodecError  # noqa: PLC0415 (an optional extra, which only those need who get here)

        bitrate = self._bitrates.get(layer.ssrc)
        if bitrate == 0:
            # There is not enough for this layer at present.
            return []
        keyframe = layer.rid in self._keyframes
        try:
            encoder = self._encoders.get(layer.ssrc)
            if encoder is None:
                encoder = self._encoders[layer.ssrc] = _open_encoder(plan)
            if plan.kind == "audio":
                return await encoder.encode_audio(frame, bitrate)
            encoded = await encoder.encode_video(frame, layer, bitrate, keyframe=keyframe)
        except CodecError as error:
            self.frames_failed += 1
            logger.info("a frame was not encoded: %s", error)
            return []
        if any(each.keyframe for each in encoded):
            self._keyframes.discard(layer.rid)
        return encoded

    async def _close_encoders(self) -> None:
        encoders, self._encoders = self._encoders, {}
        for encoder in encoders.values():
            await encoder.aclose()


def _open_encoder(plan: SendingPlan) -> _LayerEncoder:
    from .codecs import (  # noqa: PLC0415 (see above)
        AudioEncoderOptions,
        CodecThread,
        create_audio_encoder,
        create_video_encoder,
    )

    encoder: Any
    if plan.kind == "audio":
        is_opus = plan.codec.lower() == "opus"
        options = AudioEncoderOptions.from_format_parameters(plan.fmtp) if is_opus else None
        encoder = create_audio_encoder(plan.codec, options)
    else:
        encoder = create_video_encoder(plan.codec)
    return _LayerEncoder(encoder, CodecThread(encoder))
