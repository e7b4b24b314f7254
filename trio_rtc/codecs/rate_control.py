"""Changing the bitrate of an open encoder.

FFmpeg's encoders differ in what they support, hence three ways, one of which each encoder uses:

* :class:`DynamicRateControl`: the encoder reads the context's bitrate before each frame (x264, NVENC, Quick Sync). x264
  cannot exceed the ceiling with which it was opened, so that is a multiple of the target.
* :class:`TimestampRateControl`: libvpx never reads the bitrate again, but spends bits by frame timestamps: if these
  advance at half the speed, it spends half as many bits per second. So timestamps are scaled, within bounds.
* :class:`ReopeningRateControl`: all other encoders are closed and reopened. That costs a keyframe, so it is done only
  for large changes and not often, except when a keyframe is due anyway.
"""

import math
from typing import Protocol

import av

from trio_rtc import _attrs as attrs

_SECOND = 90_000


class RateControl(Protocol):
    """A way of changing the bitrate."""

    def bitrate_to_open(self, target: int) -> int:
        """Return the bitrate with which the context is opened."""

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        """Return whether only reopening reaches the target; with ``keyframe``, reopening has no extra cost."""

    def opened(self, target: int, timestamp: int) -> None:
        """Record the target and time with which the context was opened."""

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Set the bitrate before a frame; ``interval`` between frames is relative to the frame rate of the context."""

    def stretch(self, ticks: int, target: int) -> int:
        """Return the interval of encoder timestamps between two frames ``ticks`` apart."""


@attrs.define
class DynamicRateControl:
    """The encoder reads the bitrate before each frame, up to a ceiling: ``headroom`` times that of the opening."""

    headroom: int = 4
    _ceiling: int = 0

    def bitrate_to_open(self, target: int) -> int:
        return target * self.headroom

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        return target > self._ceiling

    def opened(self, target: int, timestamp: int) -> None:
        self._ceiling = self.bitrate_to_open(target)

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Tuned for low latency, these encoders divide the bitrate by the frame rate with which they were opened."""
        context.bit_rate = round(min(target * interval, self._ceiling or math.inf))

    def stretch(self, ticks: int, target: int) -> int:
        return ticks


@attrs.define
class TimestampRateControl:
    """The encoder's timestamps advance more slowly or quickly, so that it spends less or more.

    The factor is within ``range``: since the encoder's buffer is in bits, it reacts more slowly with a slow clock.
    """

    range: float = 4.0
    _opened_with: int = 1

    def bitrate_to_open(self, target: int) -> int:
        return target

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        ratio = target / self._opened_with
        if keyframe:
            return not 0.8 <= ratio <= 1.25
        return not 1 / self.range <= ratio <= self.range

    def opened(self, target: int, timestamp: int) -> None:
        self._opened_with = target

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Do nothing: the encoder does not read the bitrate again."""

    def stretch(self, ticks: int, target: int) -> int:
        """Return the interval in which the encoder spends the target at the bitrate with which it was opened."""
        return max(1, round(ticks * target / self._opened_with))


@attrs.define
class ReopeningRateControl:
    """The encoder is reopened, which costs a keyframe.

    This is done below or above these multiples of its bitrate, at least so many seconds after it was opened.
    """

    decrease: float = 0.85
    increase: float = 1.25
    decrease_interval: float = 1.0
    increase_interval: float = 4.0
    _opened_with: int = 1
    _opened_at: int = 0

    def bitrate_to_open(self, target: int) -> int:
        return target

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        ratio = target / self._opened_with
        if keyframe:
            return not 0.95 <= ratio <= 1.05
        age = (timestamp - self._opened_at) / _SECOND
        if ratio < self.decrease:
            return age >= self.decrease_interval
        return ratio > self.increase and age >= self.increase_interval

    def opened(self, target: int, timestamp: int) -> None:
        self._opened_with = target
        self._opened_at = timestamp

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Do nothing: the encoder does not read the bitrate again."""

    def stretch(self, ticks: int, target: int) -> int:
        return ticks
