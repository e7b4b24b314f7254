"""Adaptation of resolution and frame rate of video to the bitrate and the encoder's quantizers.

At a low bitrate, a lower resolution or frame rate looks better than blocking artifacts. Adaptation steps down as soon
as the bitrate is clearly too low for the present step, and up again only when it has been sufficient for the next one
for a while, so that the resolution does not change all the time.

The required bitrate depends on the content. Where the encoder reports its quantizers, they decide, as in libwebrtc's
quality scaler: a mean above the codec's high threshold is a step down, a mean below the low threshold a step up. The
bitrate then only leads to steps down.
"""

import enum
from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCDegradationPreference

_BITS_PER_PIXEL = 1.0
"""Bits per second that a pixel needs at 30 frames per second for acceptable quality."""
_STEP_DOWN_BELOW = 0.7
_STEP_UP_ABOVE = 1.2
"""Ratios of the bitrate to the required one."""
_STEP_UP_DELAY = 2.0
"""Seconds for which the bitrate must be sufficient for the next better step."""
_FULL_RATE = 30.0
_WINDOW = 2.0
"""Seconds over which quantizers are averaged before a step."""
_MIN_FRAMES = 20
"""Minimum number of frames for an average."""
_MAX_DROPPED = 0.6
"""Fraction of frames dropped by the encoder's rate control above which the resolution is too high."""
_WITH_QUANTIZERS = 0.4
"""Factor of the required bitrate where quantizers show whether more is needed."""
_THRESHOLDS = {"VP8": (29, 95), "VP9": (149, 205), "H264": (24, 37), "AV1": (145, 205)}
"""Low and high quantizer thresholds by codec, as in libwebrtc."""


@attrs.frozen
class Quality:
    """An adaptation step.

    Attributes:
        scale_down_by: Divisor of width and height.
        max_framerate: Maximum video frames per second; ``None`` for no limit.
    """

    scale_down_by: float = 1.0
    max_framerate: float | None = None

    def required_bitrate(self, pixels: float) -> float:
        """Return the required bits per second for a source with this number of pixels."""
        rate = _FULL_RATE if self.max_framerate is None else self.max_framerate
        # Half the frame rate needs more than half the bitrate: there is more motion between frames.
        return float(_BITS_PER_PIXEL * pixels / self.scale_down_by**2 * (rate / _FULL_RATE) ** 0.75)


_MAX_BITRATES = ((320 * 240, 600_000.0), (640 * 480, 1_700_000.0), (960 * 540, 2_000_000.0))
_MAX_BITRATE = 2_500_000.0
"""Bits per second by maximum number of pixels, and for larger frames."""
_LADDERS = {
    RTCDegradationPreference.MAINTAIN_FRAMERATE: tuple(Quality(scale) for scale in (1, 1.5, 2, 3, 4, 6)),
    RTCDegradationPreference.MAINTAIN_RESOLUTION: tuple(
        Quality(1.0, rate) for rate in (None, 20.0, 15.0, 10.0, 7.0, 5.0)
    ),
    RTCDegradationPreference.BALANCED: (
        Quality(),
        Quality(1.5),
        Quality(1.5, 20.0),
        Quality(2.0, 20.0),
        Quality(2.0, 15.0),
        Quality(3.0, 15.0),
        Quality(4.0, 15.0),
        Quality(4.0, 10.0),
    ),
    RTCDegradationPreference.MAINTAIN_FRAMERATE_AND_RESOLUTION: (Quality(),),
}
_BY_CONTENT_HINT = {
    "motion": RTCDegradationPreference.MAINTAIN_FRAMERATE,
    "detail": RTCDegradationPreference.MAINTAIN_RESOLUTION,
    "text": RTCDegradationPreference.MAINTAIN_RESOLUTION,
}


def default_max_bitrate(pixels: float) -> float:
    """Return the bits per second above which quality hardly improves at this size, as in libwebrtc."""
    return next((bitrate for size, bitrate in _MAX_BITRATES if pixels <= size), _MAX_BITRATE)


def effective_preference(
    chosen: RTCDegradationPreference | None, content_hint: str
) -> RTCDegradationPreference:
    """Return the chosen degradation preference, else that of the content hint (W3C mst-content-hint section 5)."""
    return chosen or _BY_CONTENT_HINT.get(content_hint, RTCDegradationPreference.BALANCED)


class QuantizerLevel(enum.Enum):
    """The mean quantizer of a window, compared with the codec's thresholds."""

    UNKNOWN = enum.auto()
    LOW = enum.auto()
    NORMAL = enum.auto()
    HIGH = enum.auto()


@attrs.define
class QuantizerWindow:
    """Quantizers of an encoder since the last step, averaged over a window of time."""

    _began: float | None = None
    _sum: int = 0
    _frames: int = 0
    _dropped: int = 0
    _codec: str = ""
    _has_quantizers: bool = False
    _level: QuantizerLevel = QuantizerLevel.UNKNOWN

    def restart(self, now: float) -> None:
        """Clear the window, whose frames had another size."""
        self._began, self._level = (
            now,
            QuantizerLevel.NORMAL if self._has_quantizers else QuantizerLevel.UNKNOWN,
        )
        self._sum = self._frames = self._dropped = 0

    def record(self, codec: str, quantizers: Sequence[int | None], now: float) -> None:
        """Record the quantizers of a frame; empty if the encoder has dropped it."""
        if codec != self._codec or self._began is None:
            self._codec, self._has_quantizers = codec, codec in _THRESHOLDS and None not in quantizers
            self.restart(now)
        if not quantizers:
            self._dropped += 1
        for quantizer in quantizers:
            if quantizer is not None:
                self._frames += 1
                self._sum += quantizer

    def update_level(self, now: float) -> QuantizerLevel:
        """Return the level of the last complete window; begin a new window if the present one is complete."""
        frames = self._frames + self._dropped
        if not self._has_quantizers or self._began is None:
            return QuantizerLevel.UNKNOWN
        if now - self._began < _WINDOW or frames < _MIN_FRAMES:
            return self._level
        low, high = _THRESHOLDS[self._codec]
        mean = self._sum / self._frames if self._frames else high + 1
        is_high = mean > high or self._dropped > _MAX_DROPPED * frames
        self.restart(now)
        self._level = (
            QuantizerLevel.HIGH if is_high else QuantizerLevel.LOW if mean < low else QuantizerLevel.NORMAL
        )
        return self._level


@attrs.define
class VideoAdapter:
    """Adapts resolution and frame rate of one layer to its bitrate and the quantizers of its encoder."""

    _step: int = 0
    _quality: Quality = Quality()
    _sufficient_since: float | None = None
    _quantizers: QuantizerWindow = attrs.Factory(QuantizerWindow)

    @property
    def limits_framerate(self) -> bool:
        return self._quality.max_framerate is not None

    @property
    def is_limited(self) -> bool:
        return self._step > 0

    def adapt(self, bitrate: float, pixels: int, preference: RTCDegradationPreference, now: float) -> Quality:
        """Update and return the present step.

        Args:
            bitrate: The target bitrate, in bits per second.
            pixels: The number of pixels of a frame before adaptation.
            preference: Whether resolution or frame rate is reduced.
            now: The time, in seconds.
        """
        ladder = _LADDERS[preference]
        self._step = min(self._step, len(ladder) - 1)
        before = self._step
        level = self._quantizers.update_level(now)
        pixels_counted = pixels if level is QuantizerLevel.UNKNOWN else pixels * _WITH_QUANTIZERS
        while self._step + 1 < len(ladder) and bitrate < _STEP_DOWN_BELOW * ladder[
            self._step
        ].required_bitrate(pixels_counted):
            self._step += 1
        if self._step == before and level is QuantizerLevel.HIGH:
            self._step = min(self._step + 1, len(ladder) - 1)
        elif self._step == before and before:
            may_step_up = self._may_step_up(bitrate, ladder[before - 1].required_bitrate(pixels_counted), now)
            self._step -= may_step_up and level in (QuantizerLevel.UNKNOWN, QuantizerLevel.LOW)
        if self._step != before:
            self._sufficient_since = None
            self._quantizers.restart(now)
        self._quality = ladder[self._step]
        return self._quality

    def record(self, codec: str, quantizers: Sequence[int | None], now: float) -> None:
        """Record the quantizers of the encoded frames of a video frame; empty if the encoder has dropped it."""
        self._quantizers.record(codec, quantizers, now)

    def _may_step_up(self, bitrate: float, required: float, now: float) -> bool:
        """Return whether the bitrate has been sufficient for the next better step for a while."""
        if bitrate <= _STEP_UP_ABOVE * required:
            self._sufficient_since = None
            return False
        self._sufficient_since = now if self._sufficient_since is None else self._sufficient_since
        return now - self._sufficient_since >= _STEP_UP_DELAY
