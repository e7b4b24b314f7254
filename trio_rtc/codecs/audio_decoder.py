"""The audio decoder on FFmpeg, and what is heard in place of what was lost.

Opus conceals by itself: a packet that consists of nothing but its first byte, which tells mode and duration, is a
frame without content, and libopus goes on with what it heard last (RFC 6716 section 3.1 and 4.4). FFmpeg lets such a
packet through, although it knows no call for concealment. What it has no way for is the brief copy of a packet in the
packet that follows it (in-band FEC). Therefore :mod:`.opus_decoder` is used for Opus wherever libopus can be found, and
this one only elsewhere.

G.711 and G.722 have nothing of the kind. There, the last sound is repeated, every other time backwards so that no jump
is heard where the pieces meet, and faded out over 100 ms.
"""

from fractions import Fraction

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .concealment_fade import ConcealmentFade
from .errors import CodecError
from .implementations import AudioImplementation
from .options import MAX_CONCEALED, AudioDecoderOptions
from .samples import backwards, faded, frame_of, layout, samples_of

_FADE_OUT = 0.1  # seconds
_REPEATED = 0.02  # seconds
_OPUS_SILK_DURATIONS = (0.01, 0.02, 0.04, 0.06)
_OPUS_CELT_DURATIONS = (0.0025, 0.005, 0.01, 0.02)
_OPUS_DTX_SIZE = 2  # bytes: libopus sends no more in a packet of DTX


def opus_frame_duration(toc: int) -> float:
    """Return seconds of each frame in an Opus packet that begins with this byte (RFC 6716 section 3.1)."""
    configuration = toc >> 3
    if configuration < 12:
        return _OPUS_SILK_DURATIONS[configuration & 3]
    if configuration < 16:
        return _OPUS_SILK_DURATIONS[configuration & 1]
    return _OPUS_CELT_DURATIONS[configuration & 3]


def is_opus_dtx(payload: bytes) -> bool:
    """Return whether an Opus packet begins a pause in which the receiver generates comfort noise."""
    return len(payload) <= _OPUS_DTX_SIZE


class FFmpegAudioDecoder:
    """Decodes sound to interleaved 16 bit samples; see :class:`.AudioDecoder`.

    Args:
        codec: Name as in SDP.
        implementation: How FFmpeg calls it.
        options: Settings.

    Raises:
        CodecError: This build of FFmpeg does not have it.
    """

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
        self._last_sound = b""
        self._concealed = 0.0  # seconds since something was decoded

    @property
    def implementation(self) -> str:
        """FFmpeg's name of the decoder."""
        return self._implementation.name

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        """Decode one packet; see :meth:`.AudioDecoder.decode`."""
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
                self._last_sound = samples_of(decoded[-1])[-repeated:]
        return decoded

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return sound in place of what was lost; see :meth:`.AudioDecoder.conceal`. What follows is of no use here.

        Opus gives multiples of its last frame's duration, so a little more than asked for. No more than one second
        is given at a time, and nothing before anything was decoded.
        """
        duration = min(duration, MAX_CONCEALED)
        if self.codec == "opus":
            return self._conceal_opus(duration)
        return self._conceal_by_repetition(duration)

    def close(self) -> None:
        """Free the decoder."""
        self._context = None

    def _conceal_opus(self, duration: float) -> list[av.AudioFrame]:
        if self._last_toc is None:
            return []
        empty = bytes([self._last_toc & 0xFC])  # code 0: one frame, here of no bytes
        step = opus_frame_duration(self._last_toc)
        frames: list[av.AudioFrame] = []
        while duration > 1e-6:
            frames += self._decode(empty)
            duration -= step
        if self._is_dtx:
            return frames
        return [self._replaced(frame, self._fade.conceal(samples_of(frame))) for frame in frames]

    def _replaced(self, frame: av.AudioFrame, samples: bytes) -> av.AudioFrame:
        """Return a frame with other samples in its place."""
        return frame_of(samples, self._channels, self._rate, frame.pts)

    def _conceal_by_repetition(self, duration: float) -> list[av.AudioFrame]:
        if not self._last_sound:
            return []
        frames = []
        step = len(self._last_sound) / (2 * self._channels * self._rate)
        while duration > 1e-6:
            self._last_sound = backwards(self._last_sound, self._channels)
            gain = max(0.0, 1 - self._concealed / _FADE_OUT)
            self._concealed += step
            sound = faded(self._last_sound, gain, max(0.0, 1 - self._concealed / _FADE_OUT))
            if duration < step:
                sound = sound[: round(duration * self._rate) * 2 * self._channels]
            if sound:
                frames.append(frame_of(sound, self._channels, self._rate, self._end))
                self._end += frames[-1].samples
            duration -= step
        return frames

    def _decode(self, payload: bytes) -> list[av.AudioFrame]:
        if self._context is None:
            raise CodecError("the decoder is closed")
        if not payload:
            raise CodecError(f"{self.codec}: an empty packet")
        try:
            decoded = self._context.decode(av.Packet(payload))
        except Exception as error:
            # What PyAV raises for hostile packets is not a closed list.
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
