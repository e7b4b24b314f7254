"""The video encoder on FFmpeg, with settings for real-time communication."""

import contextlib
import os
from collections.abc import Sequence
from fractions import Fraction

import av

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .errors import CodecError
from .frame_converter import FrameConverter, scaled_size
from .implementations import (
    MAX_INTRA_PERCENT,
    MAX_INTRA_PERCENT_REOPENED,
    EncoderSetup,
    VideoEncoderImplementation,
)
from .options import VideoEncoderOptions
from .quantizers import quantizer_of
from .rate_control import RateControl
from .thread_priority import preserved_thread_priority
from .video_clock import VIDEO_CLOCK_RATE, FramerateLimiter, VideoClock

_NEVER = 100_000  # frames between keyframes without a request
_MAX_IN_FLIGHT = 64
_I_PICTURE = 1
_AUTOMATIC = 0
_TEMPORAL_DELIMITER = b"\x12\x00"
_MAX_INTERVAL = 6.0
_INTERVAL_WEIGHT = 0.2
_MAX_STEP = VIDEO_CLOCK_RATE  # a pause must not let the encoder save bits for more than a second


@attrs.define
class _OpenEncoder:
    """An open encoder.

    ``interval`` is the average one between frames, relative to the frame rate with which it was opened; ``in_flight``
    has RTP timestamp and rotation of frames in the encoder, by the encoder's timestamp.
    """

    context: av.VideoCodecContext
    implementation: VideoEncoderImplementation
    rate: RateControl
    width: int
    height: int
    clock: int = 0
    interval: float = 1.0
    in_flight: dict[int, tuple[int, int]] = attrs.field(factory=dict)

    def update_interval(self, interval: float) -> None:
        interval = min(max(interval, 1 / _MAX_INTERVAL), _MAX_INTERVAL)
        self.interval += (interval - self.interval) * _INTERVAL_WEIGHT


class FFmpegVideoEncoder:
    """Encodes video; see :class:`.VideoEncoder`. The implementations are tried in order.

    The encoder is opened with the first frame. It is reopened, beginning with a keyframe, when the size changes, after
    an error, and where :mod:`.rate_control` requires it for a bitrate.
    """

    def __init__(
        self, codec: str, implementations: Sequence[VideoEncoderImplementation], options: VideoEncoderOptions
    ) -> None:
        self.codec = codec
        self._implementations = tuple(implementations)
        self._options = options
        self._bitrate = options.bitrate
        self._clock = VideoClock(round(VIDEO_CLOCK_RATE / options.framerate))
        self._limiter = FramerateLimiter()
        self._converter = FrameConverter()
        self._open: _OpenEncoder | None = None
        self._keyframe_requested = False
        self._last_timestamp: int | None = None
        self._closed = False

    @property
    def implementation(self) -> str | None:
        """FFmpeg's name of the open encoder (``encoderImplementation`` of W3C's statistics)."""
        return None if self._open is None else self._open.implementation.name

    def encode(
        self,
        frame: av.VideoFrame,
        *,
        force_keyframe: bool = False,
        bitrate: int | None = None,
        framerate: float | None = None,
        scale_down_by: float = 1.0,
        captured: float | None = None,
        repeated_after: float = 0.0,
    ) -> list[EncodedFrame]:
        if self._closed:
            raise CodecError("encoder is closed")
        if scale_down_by < 1.0:
            raise ValueError(f"scale_down_by must be 1 or more, not {scale_down_by}")
        if bitrate is not None:
            self._bitrate = max(1_000, bitrate)
        self._keyframe_requested |= force_keyframe
        timestamp = self._clock.timestamp(frame, captured, repeated_after)
        if not self._limiter.admit(timestamp, framerate):
            return []
        try:
            return self._encode(frame, timestamp, scaled_size(frame.width, frame.height, scale_down_by))
        except (av.FFmpegError, ValueError) as error:
            self._release()
            raise CodecError(f"{self.codec}: {error}") from error

    def close(self) -> None:
        self._release()
        self._closed = True

    def _release(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with contextlib.suppress(av.FFmpegError, ValueError):
                opened.context.encode(None)  # SVT-AV1 logs a warning when closed without a flush

    def _encode(self, frame: av.VideoFrame, timestamp: int, size: tuple[int, int]) -> list[EncodedFrame]:
        opened = self._ready(timestamp, size)
        image = self._converter.convert(
            frame, opened.width, opened.height, opened.implementation.pixel_format
        )
        if self._last_timestamp is not None:
            step = min(timestamp - self._last_timestamp, _MAX_STEP)
            opened.clock += opened.rate.stretch(step, self._bitrate)
            opened.update_interval(step * self._options.framerate / VIDEO_CLOCK_RATE)
        opened.rate.apply(opened.context, self._bitrate, opened.interval)
        self._last_timestamp = timestamp
        image.pts = opened.clock
        image.time_base = Fraction(1, VIDEO_CLOCK_RATE)
        image.pict_type = _I_PICTURE if self._keyframe_requested else _AUTOMATIC
        opened.in_flight[opened.clock] = (timestamp, -frame.rotation % 360)
        if len(opened.in_flight) > _MAX_IN_FLIGHT:
            del opened.in_flight[next(iter(opened.in_flight))]
        frames = [self._encoded(opened, packet, timestamp) for packet in opened.context.encode(image)]
        # If the encoder drops the frame to keep its rate, the keyframe request remains.
        self._keyframe_requested &= not any(encoded.keyframe for encoded in frames)
        return frames

    def _encoded(
        self, opened: _OpenEncoder, packet: "av.Packet[av.VideoStream]", timestamp: int
    ) -> EncodedFrame:
        timestamp, rotation = opened.in_flight.pop(packet.pts or 0, (timestamp, 0))
        payload = bytes(packet)
        if self.codec == "AV1":
            # Temporal delimiters are used neither in RTP (AV1 RTP section 5) nor in files.
            payload = payload.removeprefix(_TEMPORAL_DELIMITER)
        return EncodedFrame(
            payload=payload,
            timestamp=timestamp,
            clock_rate=VIDEO_CLOCK_RATE,
            codec=self.codec,
            keyframe=packet.is_keyframe,
            width=opened.width,
            height=opened.height,
            rotation=rotation,
            quantizer=quantizer_of(self.codec, packet),
        )

    def _ready(self, timestamp: int, size: tuple[int, int]) -> _OpenEncoder:
        """Return an encoder for this size and bitrate; open one if needed."""
        opened = self._open
        if (
            opened is not None
            and (opened.width, opened.height) == size
            and not opened.rate.must_reopen(self._bitrate, timestamp, keyframe=self._keyframe_requested)
        ):
            return opened
        only_bitrate_changed = (
            opened is not None and (opened.width, opened.height) == size and not self._keyframe_requested
        )
        self._release()  # before the next one allocates as much memory
        self._open = self._open_first(
            size, MAX_INTRA_PERCENT_REOPENED if only_bitrate_changed else MAX_INTRA_PERCENT
        )
        self._open.rate.opened(self._bitrate, timestamp)
        self._keyframe_requested = True
        return self._open

    def _open_first(self, size: tuple[int, int], max_intra_percent: int) -> _OpenEncoder:
        reason: Exception | None = None
        for implementation in self._implementations:
            rate = implementation.rate_control()
            try:
                context = self._open_context(implementation, rate, size, max_intra_percent)
            except (av.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as error:
                reason = error
                continue
            return _OpenEncoder(context, implementation, rate, *size)
        raise CodecError(
            f"cannot open an encoder for {self.codec} with {size[0]}x{size[1]} pixels: {reason}"
        ) from reason

    def _open_context(
        self,
        implementation: VideoEncoderImplementation,
        rate: RateControl,
        size: tuple[int, int],
        max_intra_percent: int,
    ) -> av.VideoCodecContext:
        options = self._options
        threads = options.threads or _threads(size[0] * size[1], implementation.max_threads)
        ceiling = rate.bitrate_to_open(self._bitrate)
        setup = EncoderSetup(*size, self._bitrate, ceiling, threads, options, max_intra_percent)
        context = av.CodecContext.create(implementation.name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = size
        context.pix_fmt = implementation.pixel_format
        context.time_base = Fraction(1, VIDEO_CLOCK_RATE)
        context.framerate = Fraction(options.framerate).limit_denominator(1001)
        context.bit_rate = setup.ceiling
        context.gop_size = _NEVER
        context.max_b_frames = 0
        context.thread_count = threads
        context.options = {**implementation.settings(setup), **options.extra}
        with preserved_thread_priority():
            context.open()
        return context


def _threads(pixels: int, maximum: int) -> int:
    suitable = 1 if pixels <= 640 * 360 else 2 if pixels <= 1280 * 720 else 4
    return min(suitable, maximum, os.cpu_count() or 1)
