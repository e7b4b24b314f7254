"""The size and frame rate of video that a bitrate is good for.

When there is little, fewer or smaller pictures look better than many large ones that are all blocks. The ladder of
steps goes down as soon as the bitrate is clearly too low for the present one, and up again only when it has been
enough for the next one for a while, so that the picture does not change its size all the time.

How many bits a picture needs depends on what it shows. So where the encoder tells its quantizer, that decides, as in
libwebrtc's quality scaler: a mean above the codec's upper threshold leads a step down, one below the lower threshold a
step up, and the bitrate alone only leads down.
"""

import enum
from collections.abc import Sequence

import attrs

from trio_rtc.enums import RTCDegradationPreference

_BITS_PER_PIXEL = 1.0
"""Bits a second that a pixel needs at 30 pictures a second, to look decent in a realtime encoding."""
_TOO_LITTLE = 0.7
_ENOUGH = 1.2
_PATIENCE = 2.0
"""Seconds that the bitrate has to be enough for a better step."""
_FULL_RATE = 30.0
_WINDOW = 2.0
"""Seconds over which quantizers are averaged before a step."""
_LEAST_FRAMES = 20
"""Frames that an average needs."""
_MANY_DROPPED = 0.6
"""Part of the frames that the encoder drops to keep its rate, beyond which they are too large."""
_WITH_QUANTIZERS = 0.4
"""How much of the bits a pixel needs where quantizers tell whether more are needed."""
_THRESHOLDS = {"VP8": (29, 95), "VP9": (149, 205), "H264": (24, 37), "AV1": (145, 205)}
"""By codec: below the first quantizer there is more to give, above the second it looks bad; libwebrtc's values."""


@attrs.frozen
class Quality:
    """A step of the ladder.

    Attributes:
        scale_down_by: By what width and height are divided.
        max_framerate: Pictures a second at most; ``None`` for all that come.
    """

    scale_down_by: float = 1.0
    max_framerate: float | None = None

    def needs(self, pixels: float) -> float:
        """Return the bits a second that it needs, for a source of so many pixels."""
        rate = _FULL_RATE if self.max_framerate is None else self.max_framerate
        # Half as many pictures need more than half of the bits: there is more movement between them.
        return float(_BITS_PER_PIXEL * pixels / self.scale_down_by**2 * (rate / _FULL_RATE) ** 0.75)


_MAX_BITRATES = ((320 * 240, 600_000.0), (640 * 480, 1_700_000.0), (960 * 540, 2_000_000.0))
_MAX_BITRATE = 2_500_000.0
"""Bits a second for pictures up to so many pixels, and for larger ones."""
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
    """Return the bits a second beyond which more hardly show at this size: libwebrtc's limits."""
    return next((most for size, most in _MAX_BITRATES if pixels <= size), _MAX_BITRATE)


def preference(chosen: RTCDegradationPreference | None, content_hint: str) -> RTCDegradationPreference:
    """Return what is to suffer: as it was chosen, else as the content suggests (W3C mst-content-hint section 5)."""
    return chosen or _BY_CONTENT_HINT.get(content_hint, RTCDegradationPreference.BALANCED)


class Verdict(enum.Enum):
    """What the quantizers of a while say of the size of the pictures."""

    UNKNOWN = enum.auto()
    FINE = enum.auto()
    GOOD = enum.auto()
    COARSE = enum.auto()


@attrs.define
class QuantizerWindow:
    """The quantizers of an encoder since the last step, averaged over a window of time."""

    _began: float | None = None
    _sum: int = 0
    _frames: int = 0
    _dropped: int = 0
    _codec: str = ""
    _are_told: bool = False
    _verdict: Verdict = Verdict.UNKNOWN

    def restart(self, now: float) -> None:
        """Forget what was recorded of pictures of another size."""
        self._began, self._verdict = now, Verdict.GOOD if self._are_told else Verdict.UNKNOWN
        self._sum = self._frames = self._dropped = 0

    def record(self, codec: str, quantizers: Sequence[int | None], now: float) -> None:
        """Record the quantizers of a picture, none if the encoder has dropped it."""
        if codec != self._codec or self._began is None:
            self._codec, self._are_told = codec, codec in _THRESHOLDS and None not in quantizers
            self.restart(now)
        if not quantizers:
            self._dropped += 1
        for quantizer in quantizers:
            if quantizer is not None:
                self._frames += 1
                self._sum += quantizer

    def take_verdict(self, now: float) -> Verdict:
        """Return the verdict of the last window that was complete, and begin a new one when it is time."""
        pictures = self._frames + self._dropped
        if not self._are_told or self._began is None:
            return Verdict.UNKNOWN
        if now - self._began < _WINDOW or pictures < _LEAST_FRAMES:
            return self._verdict
        low, high = _THRESHOLDS[self._codec]
        mean = self._sum / self._frames if self._frames else high + 1
        is_coarse = mean > high or self._dropped > _MANY_DROPPED * pictures
        self.restart(now)
        self._verdict = Verdict.COARSE if is_coarse else Verdict.FINE if mean < low else Verdict.GOOD
        return self._verdict


@attrs.define
class VideoAdapter:
    """Follows the bitrate of one layer, and the quantizer of its encoder."""

    _step: int = 0
    _quality: Quality = Quality()
    _enough_since: float | None = None
    _quantizers: QuantizerWindow = attrs.Factory(QuantizerWindow)

    @property
    def limits_framerate(self) -> bool:
        """Whether the present step has fewer frames than the source."""
        return self._quality.max_framerate is not None

    @property
    def is_limited(self) -> bool:
        """Whether the bitrate does not suffice for all that the source gives."""
        return self._step > 0

    def adapt(self, bitrate: float, pixels: int, wanted: RTCDegradationPreference, now: float) -> Quality:
        """Return the step for now.

        Args:
            bitrate: Bits a second.
            pixels: Of a picture, as it would be sent at best.
            wanted: What is to suffer.
            now: The time.
        """
        ladder = _LADDERS[wanted]
        self._step = min(self._step, len(ladder) - 1)
        before = self._step
        verdict = self._quantizers.take_verdict(now)
        pixels_counted = pixels if verdict is Verdict.UNKNOWN else pixels * _WITH_QUANTIZERS
        while self._step + 1 < len(ladder) and bitrate < _TOO_LITTLE * ladder[self._step].needs(
            pixels_counted
        ):
            self._step += 1
        if self._step == before and verdict is Verdict.COARSE:
            self._step = min(self._step + 1, len(ladder) - 1)
        elif self._step == before and before:
            may_rise = self._may_rise(bitrate, ladder[before - 1].needs(pixels_counted), now)
            self._step -= may_rise and verdict in (Verdict.UNKNOWN, Verdict.FINE)
        if self._step != before:
            self._enough_since = None
            self._quantizers.restart(now)
        self._quality = ladder[self._step]
        return self._quality

    def record(self, codec: str, quantizers: Sequence[int | None], now: float) -> None:
        """Record the quantizers of the frames that the encoder has made of a picture: none if it has dropped it."""
        self._quantizers.record(codec, quantizers, now)

    def _may_rise(self, bitrate: float, needed: float, now: float) -> bool:
        """Return whether the bitrate has been enough for the next better step for a while."""
        if bitrate <= _ENOUGH * needed:
            self._enough_since = None
            return False
        self._enough_since = now if self._enough_since is None else self._enough_since
        return now - self._enough_since >= _PATIENCE
