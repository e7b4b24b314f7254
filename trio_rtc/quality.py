"""What size and rate of pictures a bitrate is good for.

When there is little, fewer or smaller pictures look better than many large ones that are all blocks. The ladder of
steps goes down as soon as the bitrate is clearly too low for the present one, and up again only when it has been
enough for the next one for a while, so that the picture does not change its size all the time.
"""

import attrs

from .enums import RTCDegradationPreference

_BITS_PER_PIXEL = 1.0
"""Bits a second that a pixel needs at 30 pictures a second, to look decent in a realtime encoding."""
_TOO_LITTLE = 0.7
_ENOUGH = 1.2
_PATIENCE = 2.0
"""Seconds that the bitrate has to be enough for a better step."""
_FULL_RATE = 30.0


@attrs.frozen
class Quality:
    """A step of the ladder.

    Attributes:
        scale_down_by: By what width and height are divided.
        max_framerate: Pictures a second at most; ``None`` for all that come.
    """

    scale_down_by: float = 1.0
    max_framerate: float | None = None

    def needs(self, pixels: int) -> float:
        """Return the bits a second that it needs, for a source of so many pixels."""
        rate = _FULL_RATE if self.max_framerate is None else self.max_framerate
        # Half as many pictures need more than half of the bits: there is more movement between them.
        return float(_BITS_PER_PIXEL * pixels / self.scale_down_by**2 * (rate / _FULL_RATE) ** 0.75)


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


def preference(chosen: RTCDegradationPreference | None, content_hint: str) -> RTCDegradationPreference:
    """Return what is to suffer: as it was chosen, else as the content suggests (W3C mst-content-hint section 5)."""
    return chosen or _BY_CONTENT_HINT.get(content_hint, RTCDegradationPreference.BALANCED)


@attrs.define
class QualityScaler:
    """Follows the bitrate of one layer."""

    _step: int = 0
    _enough_since: float | None = None

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
        while self._step + 1 < len(ladder) and bitrate < _TOO_LITTLE * ladder[self._step].needs(pixels):
            self._step += 1
            self._enough_since = None
        if self._step and bitrate > _ENOUGH * ladder[self._step - 1].needs(pixels):
            self._enough_since = now if self._enough_since is None else self._enough_since
            if now - self._enough_since >= _PATIENCE:
                self._step -= 1
                self._enough_since = None
        else:
            self._enough_since = None
        return ladder[self._step]
