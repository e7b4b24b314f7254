"""The Opus decoder on libopus, which recovers lost packets by in-band FEC.

With in-band FEC (RFC 6716 section 2.1.7, RFC 7587 section 3.3) a packet has a redundant copy of the previous one at a
lower rate. If that one is lost and the next has arrived, the copy is decoded. It covers one frame duration; earlier
parts of a longer loss are concealed. So is everything if the following packet is missing or has no copy, as in CELT
mode, which libopus detects.

Concealed audio fades to silence, except after a DTX packet: then the decoder generates the comfort noise that the
sender expects (RFC 7587 section 3.1.3).
"""

import math

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.payload import has_in_band_fec

from .audio_decoder import is_opus_dtx, opus_frame_duration
from .concealment_fade import ConcealmentFade
from .errors import CodecError
from .libopus import MAX_SAMPLES, SAMPLE_RATE, STEP, Libopus, OpusState
from .options import MAX_CONCEALED, AudioDecoderOptions
from .samples import frame_of


class LibopusDecoder:
    """Decodes Opus to interleaved 16-bit samples; see :class:`.AudioDecoder`."""

    codec = "opus"
    implementation = "libopus"

    def __init__(self, library: Libopus, options: AudioDecoderOptions) -> None:
        self._channels = options.channels
        self._state: OpusState | None = OpusState(library, options.channels)
        self._end = 0  # position after the last sample
        self._has_decoded = False
        self._is_dtx = False
        self._fade = ConcealmentFade(SAMPLE_RATE, options.channels)

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        self._end = frame.timestamp  # the RTP clock rate is always 48,000 (RFC 7587 section 4.1)
        decoded = self._opened().decode(frame.payload)
        self._has_decoded = True
        self._is_dtx = is_opus_dtx(frame.payload)
        return [self._frame(self._fade.resume(decoded))]

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return concealed audio, rounded up to a multiple of 2.5 ms.

        At most one second is returned per call, and nothing before the first decoded packet.
        """
        state = self._opened()
        if not self._has_decoded or not duration > 0:
            return []
        steps = math.ceil(min(duration, MAX_CONCEALED) * SAMPLE_RATE / STEP - 1e-6)
        samples = STEP * steps
        frames = []
        while samples > 0:
            # Only the last part of the loss directly precedes the following packet.
            part = min(samples, MAX_SAMPLES)
            samples -= part
            frames.append(self._frame(self._conceal(state, part, None if samples else following)))
        return frames

    def close(self) -> None:
        self._state = None

    def _opened(self) -> OpusState:
        if self._state is None:
            raise CodecError("decoder is closed")
        return self._state

    def _conceal(self, state: OpusState, samples: int, following: bytes | None) -> bytes:
        """Return concealed audio, whose end is recovered from the following packet if possible."""
        try:
            concealed = state.conceal(samples) if following is None else state.recover(following, samples)
        except CodecError:
            # The malformed packet is counted when it is decoded.
            concealed, following = state.conceal(samples), None
        recovered = b""
        if following is not None and has_in_band_fec(self.codec, following):
            size = round(opus_frame_duration(following[0]) * SAMPLE_RATE) * 2 * self._channels
            concealed, recovered = concealed[:-size], concealed[-size:]
        if not self._is_dtx:
            concealed = self._fade.conceal(concealed)
        return concealed + (self._fade.resume(recovered) if recovered else b"")

    def _frame(self, samples: bytes) -> av.AudioFrame:
        frame = frame_of(samples, self._channels, SAMPLE_RATE, self._end)
        self._end += frame.samples
        return frame
