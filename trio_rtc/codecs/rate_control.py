"""How an encoder that runs is told another bitrate.

What FFmpeg lets through differs from encoder to encoder, hence three ways, one of which each encoder uses:

* :class:`LiveRate`: the encoder reads the context's bitrate before each picture (x264, NVENC, Quick Sync). x264 is
  bound to the ceiling it was opened with, so that is opened at a multiple of the target.
* :class:`ClockRate`: libvpx never reads it again, but spends its bits by the clock of the pictures' timestamps: if that
  clock runs at half the speed, half as many bits are spent in a second. So the bitrate is changed by stretching time as
  the encoder sees it, within bounds.
* :class:`ReopeningRate`: whatever else. The encoder is closed and opened again, which costs a keyframe, so it is done
  for large changes only and not often; except when a keyframe is due anyway.
"""

import math
from typing import Protocol

import attrs
import av

_SECOND = 90_000


class RateControl(Protocol):
    """One way of changing the bitrate."""

    def bitrate_to_open(self, target: int) -> int:
        """Return the bitrate that the context is opened with."""

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        """Return whether the target is out of reach; ``keyframe`` tells that reopening costs nothing extra."""

    def opened(self, target: int, timestamp: int) -> None:
        """Remember what the context was opened for."""

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Set the bitrate before a picture is given.

        Args:
            context: The encoder.
            target: Bits a second.
            interval: How far apart pictures are at present, relative to the frame rate of the context.
        """

    def stretch(self, ticks: int, target: int) -> int:
        """Return how far apart in time the encoder is to believe two pictures."""


@attrs.define
class LiveRate:
    """The encoder reads the bitrate before each picture, up to a ceiling.

    Attributes:
        headroom: By how much the rate may grow without reopening.
    """

    headroom: int = 4
    _ceiling: int = 0

    def bitrate_to_open(self, target: int) -> int:
        """Return a multiple of the target."""
        return target * self.headroom

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        """Return whether the target is over the ceiling."""
        return target > self._ceiling

    def opened(self, target: int, timestamp: int) -> None:
        """Remember the ceiling."""
        self._ceiling = self.bitrate_to_open(target)

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Set it.

        Tuned for low latency, these encoders take pictures for evenly spaced, and divide the bitrate by the frame rate
        that they were opened with.
        """
        context.bit_rate = round(min(target * interval, self._ceiling or math.inf))

    def stretch(self, ticks: int, target: int) -> int:
        """Return time as it is."""
        return ticks


@attrs.define
class ClockRate:
    """The encoder's clock runs slower or faster, so that it spends less or more.

    Attributes:
        range: By how much the rate may grow or fall without reopening. The encoder's buffer is in bits, so with a
            slow clock it reacts more slowly.
    """

    range: float = 4.0
    _opened_with: int = 1

    def bitrate_to_open(self, target: int) -> int:
        """Return the target."""
        return target

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        """Return whether the clock would have to run too slow or too fast."""
        ratio = target / self._opened_with
        if keyframe:
            return not 0.8 <= ratio <= 1.25
        return not 1 / self.range <= ratio <= self.range

    def opened(self, target: int, timestamp: int) -> None:
        """Let the clock run at normal speed."""
        self._opened_with = target

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Nothing: the encoder would not look."""

    def stretch(self, ticks: int, target: int) -> int:
        """Return the time in which the encoder, at the rate it was opened with, spends what is wanted."""
        return max(1, round(ticks * target / self._opened_with))


@attrs.define
class ReopeningRate:
    """The encoder is opened anew, with a keyframe.

    Attributes:
        decrease: Below this part of its rate it is reopened.
        increase: Over this multiple of its rate it is reopened.
        decrease_interval: At least so many seconds after it was opened for a lower rate.
        increase_interval: At least so many seconds after it was opened for a higher rate.
    """

    decrease: float = 0.85
    increase: float = 1.25
    decrease_interval: float = 1.0
    increase_interval: float = 4.0
    _opened_with: int = 1
    _opened_at: int = 0

    def bitrate_to_open(self, target: int) -> int:
        """Return the target."""
        return target

    def must_reopen(self, target: int, timestamp: int, *, keyframe: bool) -> bool:
        """Return whether the change is worth a keyframe."""
        ratio = target / self._opened_with
        if keyframe:
            return not 0.95 <= ratio <= 1.05
        age = (timestamp - self._opened_at) / _SECOND
        if ratio < self.decrease:
            return age >= self.decrease_interval
        return ratio > self.increase and age >= self.increase_interval

    def opened(self, target: int, timestamp: int) -> None:
        """Remember for what and when."""
        self._opened_with = target
        self._opened_at = timestamp

    def apply(self, context: av.VideoCodecContext, target: int, interval: float) -> None:
        """Nothing: the encoder would not look."""

    def stretch(self, ticks: int, target: int) -> int:
        """Return time as it is."""
        return ticks
