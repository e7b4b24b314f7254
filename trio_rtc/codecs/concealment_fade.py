"""Fades concealed audio to silence, independent of the decoder's concealment.

libopus conceals at the level of the background noise that it has measured. It mistakes a long vowel for background
noise, so that after the sender has stopped, the concealment would drone until playout ends.
"""

from trio_rtc import _attrs as attrs

from .samples import apply_gain_ramp

_HOLD = 0.06
"""Seconds of concealment at full level: one lost packet of usual length, or three of 20 ms."""
_FADE_OUT = 0.1
"""Seconds from full level to silence."""
_FADE_IN = 0.005
"""Seconds until decoded audio is at full level again; without this ramp there would be a click."""


@attrs.define
class ConcealmentFade:
    """Fades interleaved 16-bit samples out during continuous concealment, and in after it."""

    sample_rate: int
    channels: int
    _concealed: float = 0.0  # seconds since audio was decoded

    def conceal(self, samples: bytes) -> bytes:
        faded_in_parts = b""
        for end in (_HOLD, _HOLD + _FADE_OUT):
            count = round((end - self._concealed) * self.sample_rate)
            part, samples = self._split(samples, count)
            begin = self._gain
            self._concealed += self._duration(part)
            faded_in_parts += part if end == _HOLD else apply_gain_ramp(part, begin, self._gain)
        self._concealed += self._duration(samples)
        return faded_in_parts + bytes(len(samples))

    def resume(self, samples: bytes) -> bytes:
        """Return decoded samples; the first ones are faded in if the preceding concealment was faded out."""
        begin, self._concealed = self._gain, 0.0
        if begin == 1.0:
            return samples
        head, rest = self._split(samples, round(_FADE_IN * self.sample_rate))
        return apply_gain_ramp(head, begin, 1.0) + rest

    @property
    def _gain(self) -> float:
        return min(1.0, max(0.0, 1 - (self._concealed - _HOLD) / _FADE_OUT))

    def _split(self, samples: bytes, count: int) -> tuple[bytes, bytes]:
        size = max(0, count) * 2 * self.channels
        return samples[:size], samples[size:]

    def _duration(self, samples: bytes) -> float:
        return len(samples) / (2 * self.channels * self.sample_rate)
