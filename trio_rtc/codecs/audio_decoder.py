"""The audio decoder on FFmpeg, with packet loss concealment.

Opus conceals by itself: a packet of only its first byte (TOC), which gives mode and duration, is a frame without
content, for which libopus extrapolates the previous audio (RFC 6716 sections 3.1 and 4.4). FFmpeg passes such a packet
on, although it has no API for concealment. It has no access to in-band FEC, the redundant copy in the next packet.
Therefore :mod:`.opus_decoder` decodes Opus wherever libopus is found, and this module elsewhere.

G.711 and G.722 have no concealment. Their last audio is repeated, every other time backwards so that the pieces join
without a jump, and faded out over 100 ms.
"""

from fractions import Fraction

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .concealment_fade import ConcealmentFade
from .errors import CodecError
from .implementations import AudioImplementation
from .options import MAX_CONCEALED, AudioDecoderOptions
from .samples import apply_gain_ramp, frame_of, layout, reverse_samples, samples_of

_FADE_OUT = 0.1  # seconds
_REPEATED = 0.02  # seconds
_OPUS_SILK_DURATIONS = (0.01, 0.02, 0.04, 0.06)
_OPUS_CELT_DURATIONS = (0.0025, 0.005, 0.01, 0.02)
_OPUS_DTX_SIZE = 2  # maximum bytes of libopus's DTX packets


def opus_frame_duration(toc: int) -> float:
    """Return the duration in seconds of each frame in an Opus packet with this TOC byte (RFC 6716 section 3.1)."""
    configuration = toc >> 3
    if configuration < 12:
        return _OPUS_SILK_DURATIONS[configuration & 3]
    if configuration < 16:
        return _OPUS_SILK_DURATIONS[configuration & 1]
    return _OPUS_CELT_DURATIONS[configuration & 3]


def is_opus_dtx(payload: bytes) -> bool:
    """Return whether an Opus packet begins a DTX pause, in which the receiver generates comfort noise."""
    return len(payload) <= _OPUS_DTX_SIZE


class FFmpegAudioDecoder:
    """Decodes audio to interleaved 16-bit samples; see :class:`.AudioDecoder`."""

    def __init__(self, codec: str, implementation: AudioImplementation, options: AudioDecoderOptions) -> None:
        self.codec = codec
        self._implementation = implementation
        self._rate = implementation.sample_rate
        self._channels = min(options.channels, implementation.max_channels)
        self._context: av.AudioCodecContext | None = self._open()
        self._end = 0  # position after the last sample
        self._last_toc: int | None = None
        self._is_dtx = False
        self._fade = ConcealmentFade(self._rate, self._channels)
        self._last_audio = b""
        self._concealed = 0.0  # seconds since the last decoded packet

    @property
    def implementation(self) -> str:
        return self._implementation.name

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        self._end = frame.timestamp * self._rate // self._implementation.clock_rate
        decoded = self._decode(frame.payload)
        if decoded:
            self._concealed = 0.0
            if self.codec == "opus":
                self._last_toc = frame.payload[0]
                self._is_dtx = is_opus_dtx(frame.payload)
                decoded[0] = self._replaced(decoded[0], self._fade.resume(samples_of(decoded[0])))
            else:
                repeated = round(_REPEATED * self._rate) * 2 * self._channels
                self._last_audio = samples_of(decoded[-1])[-repeated:]
        return decoded

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return concealed audio; ``following`` is not used.

        For Opus, the duration is rounded up to a multiple of the last frame's. At most one second is returned per call,
        and nothing before the first decoded packet.
        """
        duration = min(duration, MAX_CONCEALED)
        if self.codec == "opus":
            return self._conceal_opus(duration)
        return self._conceal_by_repetition(duration)

    def close(self) -> None:
        self._context = None

    def _conceal_opus(self, duration: float) -> list[av.AudioFrame]:
        if self._last_toc is None:
            return []
        empty = bytes([self._last_toc & 0xFC])  # code 0: one frame, here without content
        step = opus_frame_duration(self._last_toc)
        frames: list[av.AudioFrame] = []
        while duration > 1e-6:
            frames += self._decode(empty)
            duration -= step
        if self._is_dtx:
            return frames
        return [self._replaced(frame, self._fade.conceal(samples_of(frame))) for frame in frames]

    def _replaced(self, frame: av.AudioFrame, samples: bytes) -> av.AudioFrame:
        return frame_of(samples, self._channels, self._rate, frame.pts)

    def _conceal_by_repetition(self, duration: float) -> list[av.AudioFrame]:
        if not self._last_audio:
            return []
        frames = []
        step = len(self._last_audio) / (2 * self._channels * self._rate)
        while duration > 1e-6:
            self._last_audio = reverse_samples(self._last_audio, self._channels)
            gain = max(0.0, 1 - self._concealed / _FADE_OUT)
            self._concealed += step
            audio = apply_gain_ramp(self._last_audio, gain, max(0.0, 1 - self._concealed / _FADE_OUT))
            if duration < step:
                audio = audio[: round(duration * self._rate) * 2 * self._channels]
            if audio:
                frames.append(frame_of(audio, self._channels, self._rate, self._end))
                self._end += frames[-1].samples
            duration -= step
        return frames

    def _decode(self, payload: bytes) -> list[av.AudioFrame]:
        if self._context is None:
            raise CodecError("decoder is closed")
        if not payload:
            raise CodecError(f"{self.codec}: packet is empty")
        try:
            decoded = self._context.decode(av.Packet(payload))
        except Exception as error:
            # PyAV does not document which exceptions hostile packets raise.
            raise CodecError(f"{self.codec}: {error}") from error
        for frame in decoded:
            frame.time_base = Fraction(1, self._rate)
            frame.pts = self._end
            self._end += frame.samples
        return decoded

    def _open(self) -> av.AudioCodecContext:
        try:
            context = av.CodecContext.create(self._implementation.name, "r")
            assert isinstance(context, av.AudioCodecContext)
            context.sample_rate = self._rate
            context.layout = layout(self._channels)
            context.format = "s16"
            context.open()
        except (av.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as error:
            raise CodecError(f"no decoder for {self.codec}: {error}") from error
        return context
