"""The video decoder on FFmpeg, and its handling of corrupt frames."""

from collections.abc import Sequence
from fractions import Fraction

import av
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .errors import CodecError
from .options import VideoDecoderOptions


class FFmpegVideoDecoder:
    """Decodes video; see :class:`.VideoDecoder`. The first available implementation is used.

    After a corrupt frame, and before the first keyframe, delta frames are ignored, since FFmpeg would return grey or
    torn images. ``needs_keyframe`` is then true.
    """

    def __init__(
        self, codec: str, implementations: Sequence[tuple[str, dict[str, str]]], options: VideoDecoderOptions
    ) -> None:
        self.codec = codec
        self._implementations = tuple(implementations)
        self._options = options
        self._context: av.VideoCodecContext | None = self._open()
        self.needs_keyframe = True

    @property
    def implementation(self) -> str | None:
        """FFmpeg's name of the decoder (``decoderImplementation`` of W3C's statistics)."""
        return None if self._context is None else self._context.name

    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame]:
        if self._context is None:
            raise CodecError("decoder is closed")
        if self.needs_keyframe and not frame.keyframe:
            return []
        packet = av.Packet(frame.payload)
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = Fraction(1, frame.clock_rate)
        try:
            images = self._context.decode(packet) if frame.payload else []
        except Exception as error:
            # PyAV does not document which exceptions hostile frames raise.
            raise self._reset(str(error)) from error
        if any(image.is_corrupt for image in images):
            raise self._reset("frame is incomplete")
        if self.needs_keyframe and not images:
            raise self._reset("keyframe has no image")
        self.needs_keyframe = False
        return images

    def close(self) -> None:
        self._context = None

    def _reset(self, reason: str) -> CodecError:
        # The old context may have stored parameter sets and frames of the corrupt stream.
        self._context = self._open()
        self.needs_keyframe = True
        return CodecError(f"{self.codec}: {reason}")

    def _open(self) -> av.VideoCodecContext:
        device = self._options.hardware_device
        for name, options in self._implementations:
            try:
                acceleration = None if device is None else HWAccel(device, allow_software_fallback=True)
                context = av.CodecContext.create(name, "r", acceleration)
            except (av.codec.codec.UnknownCodecError, av.FFmpegError, ValueError, RuntimeError):
                continue
            assert isinstance(context, av.VideoCodecContext)
            context.flags |= Flags.low_delay
            context.options = {**options, "max_pixels": str(self._options.max_pixels)}
            if self._options.threads is not None:
                context.thread_count = self._options.threads
            return context
        raise CodecError(f"FFmpeg has no decoder for {self.codec}" + (f" on {device}" if device else ""))
