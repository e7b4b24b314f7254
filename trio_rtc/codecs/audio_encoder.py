"""The audio encoder: resampling, packetization, and DTX."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .errors import CodecError
from .implementations import AudioImplementation
from .options import AudioEncoderOptions
from .samples import audio_level, duplicate_channel, frame_of, layout, samples_of

_GAP = 0.04  # seconds by which a timestamp must exceed the expected one to count as a pause
_CAPTURE_GAP = 0.03  # the same for the capture time, which is not rounded
_TAIL = 0.0025  # seconds of audio that are discarded rather than padded to a packet
_BITRATE_CHANGE = 0.1
_SILENT = 90  # -dBov
_DTX_HANGOVER = 10  # packets of silence before DTX begins
# RFC 7587 section 3.1.1: the audio bandwidth in Hz of each sample rate.
_CUTOFFS = {8_000: 4_000, 12_000: 6_000, 16_000: 8_000, 24_000: 12_000, 48_000: 20_000}
_DTX_INTERVAL = 20  # packets; 400 ms at 20 ms each, as in libopus


class FFmpegAudioEncoder:
    """Encodes audio; see :class:`.AudioEncoder`.

    Timestamps follow the frames' capture time, or the ``pts`` of frames without one. When they jump forward by more
    than 40 ms, pending audio is padded with silence to a whole packet, and the next packet begins a talkspurt
    (``marker``).

    FFmpeg's interface to libopus has no DTX. With ``dtx``, packets of silence (-90 dBov or less) are dropped here after
    the first ten, except for one every 400 ms, the interval of libopus.
    """

    def __init__(self, codec: str, implementation: AudioImplementation, options: AudioEncoderOptions) -> None:
        self.codec = codec
        self._implementation = implementation
        self._options = options
        self._channels = min(options.channels, implementation.max_channels)
        self._rate = implementation.sample_rate
        self._packet_samples = round(options.frame_duration * self._rate)
        self._bitrate = options.bitrate
        self._context: av.AudioCodecContext | None = self._open()
        self._resampler: av.AudioResampler | None = None
        self._input: tuple[str, str, int] | None = None
        self._pending = bytearray()
        self._position = 0  # of the first pending sample
        self._started = False
        self._ended: float | None = None  # end of the last frame by the capture clock
        self._surplus = 0  # samples of padding that no pause has absorbed yet
        self._talkspurt_at: int | None = None  # position of the first sample after a pause
        self._after_silence = True
        self._silent_packets = 0

    @property
    def implementation(self) -> str:
        return self._implementation.name

    def encode(
        self, frame: av.AudioFrame, *, bitrate: int | None = None, captured: float | None = None
    ) -> list[EncodedFrame]:
        if self._context is None:
            raise CodecError("encoder is closed")
        if (
            bitrate is not None
            and self._is_opus
            and abs(bitrate - self._bitrate) > _BITRATE_CHANGE * self._bitrate
        ):
            # FFmpeg does not pass a new bitrate to libopus. A new encoder causes no audible click.
            self._bitrate = min(max(bitrate, 6_000), 510_000)
            self._context = self._open()
        try:
            packets = self._fill(frame, captured)
            return [encoded for start, samples in packets for encoded in self._encode_packet(start, samples)]
        except (av.FFmpegError, ValueError) as error:
            self._pending.clear()
            self._resampler = None
            raise CodecError(f"{self.codec}: {error}") from error

    def flush(self) -> list[EncodedFrame]:
        if self._context is None:
            raise CodecError("encoder is closed")
        end = self._expected_position
        try:
            if self._resampler is not None:
                self._add(self._resampler.resample(None))
                self._resampler = None
            packets = [*self._pop_packets()]
            if len(self._pending) <= self._tail_size:
                self._pending.clear()
            packets += self._pop_padded_packet()
            self._surplus += self._position - end
            return [encoded for start, samples in packets for encoded in self._encode_packet(start, samples)]
        except (av.FFmpegError, ValueError) as error:
            self._pending.clear()
            self._resampler = None
            raise CodecError(f"{self.codec}: {error}") from error

    def close(self) -> None:
        self._context = None

    @property
    def _is_opus(self) -> bool:
        return self.codec == "opus"

    @property
    def _sample_size(self) -> int:
        return 2 * self._channels

    @property
    def _tail_size(self) -> int:
        return round(_TAIL * self._rate) * self._sample_size

    @property
    def _expected_position(self) -> int:
        """The position of the next frame if it follows the last one."""
        return self._position + len(self._pending) // self._sample_size

    def _fill(self, frame: av.AudioFrame, captured: float | None) -> list[tuple[int, bytes]]:
        popped = self._synchronize(frame, captured)
        is_fresh = self._resampler is None
        before = len(self._pending)
        self._add(self._resample(frame, 1 if len(frame.layout.channels) == 1 else self._channels))
        if is_fresh:
            # A resampler holds back a millisecond, which would delay each packet until the next frame.
            whole = round(frame.samples * self._rate / frame.sample_rate) * self._sample_size
            missing = whole - (len(self._pending) - before)
            if 0 < missing <= self._tail_size:
                self._pending[before:before] = bytes(missing)
        return [*popped, *self._pop_packets()]

    def _add(self, frames: Sequence[av.AudioFrame]) -> None:
        for frame in frames:
            samples = samples_of(frame)
            is_mono = len(frame.layout.channels) == 1
            self._pending += duplicate_channel(samples) if is_mono and self._channels == 2 else samples

    def _pop_packets(self) -> Iterator[tuple[int, bytes]]:
        """Remove whole packets and yield them with their start positions."""
        size = self._packet_samples * self._sample_size
        while len(self._pending) >= size:
            yield self._position, bytes(self._pending[:size])
            del self._pending[:size]
            self._position += self._packet_samples

    def _pop_padded_packet(self) -> list[tuple[int, bytes]]:
        if not self._pending:
            return []
        whole = bytes(self._pending).ljust(self._packet_samples * self._sample_size, b"\0")
        start = self._position
        self._pending.clear()
        self._position += self._packet_samples
        return [(start, whole)]

    def _synchronize(self, frame: av.AudioFrame, captured: float | None) -> list[tuple[int, bytes]]:
        """Move the position to the frame's beginning if it does not follow the last frame."""
        expected = self._expected_position
        ended, self._ended = self._ended, None
        if captured is not None:
            self._ended = captured + frame.samples / frame.sample_rate
        if ended is not None and captured is not None and self._started:
            gap = round((captured - ended) * self._rate)
            is_pause = gap > _CAPTURE_GAP * self._rate
            stated = expected + gap - self._surplus
        elif frame.pts is not None and frame.time_base is not None:
            stated = round(frame.pts * frame.time_base * self._rate)
            # The resampler may hold less than a packet, and the timestamps of files are rounded.
            is_pause = not self._started or stated - expected > _GAP * self._rate
        else:
            self._started = True
            return []
        if not is_pause:
            return []
        popped = self._pop_padded_packet()
        # Padding, which also a frame that was late has caused, shortens the pause.
        position = max(stated, self._position) if self._started else stated
        self._started, self._surplus = True, position - stated
        self._position = self._talkspurt_at = position
        return popped

    def _resample(self, frame: av.AudioFrame, channels: int) -> list[av.AudioFrame]:
        described = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or described != self._input:
            self._resampler = av.AudioResampler("s16", layout(channels), self._rate)
            self._input = described
        # The resampler restores the frame's time base; the frame may be shared.
        return self._resampler.resample(frame)

    def _encode_packet(self, start: int, samples: bytes) -> list[EncodedFrame]:
        assert self._context is not None
        level = audio_level(samples)
        if self._options.dtx and not self._must_send(level):
            self._after_silence = True
            return []
        frame = frame_of(samples, self._channels, self._rate, start)
        timestamp = start * self._implementation.clock_rate // self._rate
        encoded = [
            EncodedFrame(
                payload=bytes(packet),
                timestamp=timestamp,
                clock_rate=self._implementation.clock_rate,
                codec=self.codec,
                audio_level=level,
                marker=self._after_silence or start == self._talkspurt_at,
            )
            for packet in self._context.encode(frame)
        ]
        self._after_silence = self._after_silence and not encoded
        return encoded

    def _must_send(self, level: int) -> bool:
        if level < _SILENT:
            self._silent_packets = 0
            return True
        self._silent_packets += 1
        beyond = self._silent_packets - _DTX_HANGOVER
        return beyond <= 0 or beyond % _DTX_INTERVAL == 0

    def _open(self) -> av.AudioCodecContext:
        try:
            context = av.CodecContext.create(self._implementation.name, "w")
            assert isinstance(context, av.AudioCodecContext)
            context.sample_rate = self._rate
            context.format = "s16"
            context.layout = layout(self._channels)
            context.time_base = Fraction(1, self._rate)
            if self._is_opus:
                context.bit_rate = self._bitrate
                context.options = self._opus_settings()
            elif self.codec == "G722":
                context.options = {"frame_size": str(self._packet_samples), **self._options.extra}
            context.open()
        except (av.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as error:
            raise CodecError(f"no encoder for {self.codec}: {error}") from error
        return context

    def _opus_settings(self) -> dict[str, str]:
        options = self._options
        return {
            "application": options.application,
            "frame_duration": str(round(options.frame_duration * 1000)),
            "fec": str(int(options.fec)),
            "packet_loss": str(options.expected_loss if options.fec else 0),
            # libopus's default: no packet exceeds the bitrate by much.
            "vbr": "off" if options.cbr else "constrained",
            "cutoff": str(_CUTOFFS[options.max_playback_rate]),
            **options.extra,
        }
