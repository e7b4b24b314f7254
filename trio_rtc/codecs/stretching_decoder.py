"""An audio decoder that lengthens and shortens audio as the playout buffer orders.

The buffer orders exact changes of length (``EncodedFrame.stretch``), and conceals only half of a lost frame when it can
play the next one early. Audio can be cut only by whole pitch periods, so the change made differs from the ordered one.
The difference, usually less than half a pitch period, remains as *debt*: it is made up for with later frames, and as
exactly as possible in silence. The buffer needs no report of what was done, since nothing accumulates.

A codec conceals whole frames only. What it conceals beyond the ordered duration is kept: the next decoded audio is
joined to it where the two resemble each other most, as NetEq's *merge* does.
"""

import av

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from .interfaces import AudioDecoder
from .samples import frame_of, samples_of
from .time_stretch import REQUIRED_CORRELATION, merge, stretch

_SEARCHED_DEBT = 0.005
"""Seconds of debt for which a pitch period is searched in voiced audio."""
_FORCED_DEBT = 0.0075
"""Seconds of debt beyond which audio is cut even if it does not correlate; half of the longest pitch period."""
_MAX_DEBT = 0.1
_ATTEMPTS = 3
"""The number of frames for which only a good correlation is used; for as many more, a moderate one."""
_MODERATE_CORRELATION = 0.6
_RETRIED = 10
"""Without success, every tenth frame is tried."""


class StretchingDecoder:
    """Decodes audio and changes its length; see :class:`.AudioDecoder`.

    Args:
        decoder: The decoder of the codec, which returns interleaved 16-bit samples; owned by this object.
    """

    def __init__(self, decoder: AudioDecoder) -> None:
        self.codec = decoder.codec
        self._decoder = decoder
        self._rate = 0  # until the first frame is decoded
        self._channels = 1
        self._frame_samples = 0  # the length of the last decoded frame
        self._debt = 0  # samples by which the output is shorter than ordered
        self._attempts = 0
        self._concealed = b""  # continuation of the concealment played last
        self._end = 0  # position after the last sample

    @property
    def implementation(self) -> str | None:
        name: str | None = getattr(self._decoder, "implementation", None)
        return name

    def decode(self, frame: EncodedFrame) -> list[av.AudioFrame]:
        decoded: list[av.AudioFrame] = []
        try:
            decoded = self._decoder.decode(frame)
        finally:
            if decoded and decoded[-1].sample_rate != self._rate:
                self._rate, self._channels = decoded[-1].sample_rate, len(decoded[-1].layout.channels)
                self._debt = 0
            before = self._debt
            self._debt += frame.stretch * self._rate // frame.clock_rate
        if not decoded:
            return decoded
        last = decoded[-1]
        self._frame_samples = sum(each.samples for each in decoded)
        if not self._debt and not self._concealed and not before:
            self._end = (last.pts or 0) + last.samples
            return decoded
        start = (decoded[0].pts or 0) - before
        return [self._frame(self._changed(b"".join(map(samples_of, decoded))), start)]

    def conceal(self, duration: float, following: bytes | None = None) -> list[av.AudioFrame]:
        if not self._frame_samples:
            return self._decoder.conceal(duration, following)
        wanted = round(duration * self._rate)
        size = 2 * self._channels
        missing = wanted - len(self._concealed) // size
        if missing > 0:
            # Codecs conceal frames as long as those before.
            concealed = self._decoder.conceal(max(missing, self._frame_samples) / self._rate, following)
            if not self._concealed and sum(each.samples for each in concealed) == wanted:
                for each in concealed:
                    each.pts = self._end
                    self._end += each.samples
                return concealed
            self._concealed += b"".join(map(samples_of, concealed))
        played, self._concealed = self._concealed[: wanted * size], self._concealed[wanted * size :]
        return [self._frame(played, self._end)] if played else []

    def close(self) -> None:
        self._decoder.close()

    def _changed(self, samples: bytes) -> bytes:
        """Return decoded audio joined to the concealment before it, and changed by the debt if that is possible."""
        size = 2 * self._channels
        if self._concealed:
            joined = merge(self._concealed, samples, self._channels, self._rate, self._debt)
            self._debt -= (len(joined) - len(samples)) // size
            self._concealed, samples = b"", joined
        if not self._debt:
            return samples
        changed = stretch(
            samples, self._channels, self._rate, self._debt, required_correlation=self._required_correlation()
        )
        done = (len(changed) - len(samples)) // size
        if done:
            self._attempts = 0
        self._debt -= done
        limit = round(_MAX_DEBT * self._rate)
        self._debt = min(max(self._debt, -limit), limit)
        return changed

    def _required_correlation(self) -> float:
        debt = abs(self._debt)
        if debt < _SEARCHED_DEBT * self._rate:
            self._attempts = 0
            return 2.0
        self._attempts += 1
        if self._attempts <= _ATTEMPTS:
            return REQUIRED_CORRELATION
        if self._attempts > 2 * _ATTEMPTS and debt >= _FORCED_DEBT * self._rate:
            return -1.0
        if self._attempts <= 2 * _ATTEMPTS or self._attempts % _RETRIED == 0:
            return _MODERATE_CORRELATION
        return 2.0

    def _frame(self, samples: bytes, position: int) -> av.AudioFrame:
        frame = frame_of(samples, self._channels, self._rate, position)
        self._end = position + frame.samples
        return frame
