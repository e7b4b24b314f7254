"""The one video decoder: any of FFmpeg's, and what it does with what is broken."""

from collections.abc import Sequence
from fractions import Fraction

import av
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .errors import CodecError
from .options import VideoDecoderOptions


class FFmpegVideoDecoder:
    """Decodes pictures; see :class:`.VideoDecoder`.

    After a broken frame, and before the first keyframe, frames that need others are left out: what FFmpeg would make
    of them is grey or torn. ``needs_keyframe`` tells.

    Args:
        codec: Name as in SDP.
        implementations: FFmpeg's decoders with their options; the first that there is is used.
        options: Settings.

    Raises:
        CodecError: This build of FFmpeg has none of them.
    """

    def __init__(
        self, codec: str, implementations: Sequence[tuple[str, dict[str, str]]], options: VideoDecoderOptions
    ) -> None:
        self.codec = codec
        self._implementations = tuple(implementations)
        self._options = options
        self._context: av.VideoCodecContext | None = self._open()
        self._needs_keyframe = True

    @property
    def implementation(self) -> str | None:
        """FFmpeg's name of the decoder (``decoderImplementation`` of W3C's statistics)."""
        return None if self._context is None else self._context.name

    @property
    def needs_keyframe(self) -> bool:
        """Whether nothing can be decoded before a keyframe comes."""
        return self._needs_keyframe

    def decode(self, frame: EncodedFrame) -> list[av.VideoFrame]:
        """Decode one frame; see :meth:`.VideoDecoder.decode`."""
        if self._context is None:
            raise CodecError("the decoder is closed")
        if self._needs_keyframe and not frame.keyframe:
            return []
        packet = av.Packet(frame.payload)
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = Fraction(1, frame.clock_rate)
        try:
            pictures = self._context.decode(packet) if frame.payload else []
        except Exception as error:
            # What PyAV raises for hostile frames is not a closed list.
            raise self._broken(str(error)) from error
        if any(picture.is_corrupt for picture in pictures):
            raise self._broken("the picture is incomplete")
        if self._needs_keyframe and not pictures:
            raise self._broken("no picture in the keyframe")
        self._needs_keyframe = False
        return pictures

    def close(self) -> None:
        """Free the decoder."""
        self._context = None

    def _broken(self, reason: str) -> CodecError:
        # A new context, as an old one may remember parameter sets and pictures of the broken stream.
        self._context = self._open()
        self._needs_keyframe = True
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
        raise CodecError(f"no decoder for {self.codec}" + (f" on {device}" if device else ""))
