"""Opus decoded by libopus itself, which finds what was lost in the packet that came after it.

With in-band FEC (RFC 6716 section 2.1.7, RFC 7587 section 3.3) a packet carries the one before it once more, at a lower
rate. When that one is lost and the next is here already, the copy is decoded in its place. It covers as much as
one frame of the packet it is in; of a longer loss, what was before that is made up. So is everything when nothing
follows, or when what follows has no copy, as in CELT mode: libopus sees that by itself.

Concealed audio fades to silence, except after a DTX packet: there the decoder generates the comfort noise that the
sender relies on (RFC 7587 section 3.1.3).
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
    """Decodes Opus to interleaved 16 bit samples; see :class:`.AudioDecoder`.

    Args:
        library: What decodes.
        options: Settings.

    Raises:
        CodecError: libopus refuses.
    """

    codec = "opus"
    implementation = "libopus"

    def __init__(self, library: Libopus, options: AudioDecoderOptions) -> None:
        self._channels = options.channels
        self._state: OpusState | None = library.open(options.channels)
        self._end = 0  # position after the last sample
        self._has_decoded = False
        self._is_dtx = False
        self._fade = ConcealmentFade(SAMPLE_RATE, options.channels)

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        """Decode one packet; see :meth:`.AudioDecoder.decode`."""
        self._end = frame.timestamp  # of RTP: always as with 48,000 samples a second (RFC 7587 section 4.1)
        decoded = self._opened().decode(frame.payload)
        self._has_decoded = True
        self._is_dtx = is_opus_dtx(frame.payload)
        return [self._frame(self._fade.resume(decoded))]

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        """Return sound in place of what was lost; see :meth:`.AudioDecoder.conceal`.

        It comes in multiples of 2.5 ms, so a little more than asked for. No more than one second is given at a time,
        and nothing before anything was decoded.
        """
        state = self._opened()
        if not self._has_decoded or not duration > 0:
            return []
        steps = math.ceil(min(duration, MAX_CONCEALED) * SAMPLE_RATE / STEP - 1e-6)
        samples = STEP * steps
        frames = []
        while samples > 0:
            # What may be in the packet that follows is what was directly before it.
            part = min(samples, MAX_SAMPLES)
            samples -= part
            frames.append(self._frame(self._conceal(state, part, None if samples else following)))
        return frames

    def close(self) -> None:
        """Free the decoder."""
        self._state = None

    def _opened(self) -> OpusState:
        if self._state is None:
            raise CodecError("the decoder is closed")
        return self._state

    def _conceal(self, state: OpusState, samples: int, following: bytes | None) -> bytes:
        """Return concealed audio, of which the end may be recovered from the packet that follows."""
        try:
            concealed = state.conceal(samples) if following is None else state.recover(following, samples)
        except CodecError:
            # That packet is counted as broken when it is decoded.
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
