"""Time stretching: audio is lengthened or shortened by about a pitch period, as in libwebrtc's NetEq.

The audio is cut at a lag at which it resembles itself, and the two sides are crossfaded (waveform-similarity
overlap-add). The lag is a multiple of the pitch period, so the pitch does not change, and no seam is audible. Audio
that does not correlate with itself is not changed, except for silence and background noise, where each lag is possible.

The lag is searched at about 4 kHz first, and refined at the full rate only near the best ones.
"""

import functools
import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import add, mul
from typing import Final

from .samples import as_array

MIN_LAG: Final = 0.0025
MAX_LAG: Final = 0.015
"""Seconds: pitch periods of 400 Hz to 67 Hz."""
REQUIRED_CORRELATION: Final = 0.9
"""The normalized correlation of voiced audio, as in NetEq."""

_COARSE_RATE: Final = 4_000
_NOISE_LEVEL: Final = 50.0
"""The root mean square of background noise of 16-bit samples: -56 dBov."""
_STRIDE: Final = 3
"""The level is that of every third sample; from 16 kHz on, lags are compared by every third product."""
_REFINED: Final = 3
_EQUAL: Final = 0.02
"""Of lags whose correlations differ by less, the one nearest to the wanted change is used."""
_COMPARED: Final = 0.01
"""Seconds beside the longest lag that are compared."""
_OVERLAP: Final = 0.004
_MAX_OMITTED: Final = 0.006


def stretch(
    samples: bytes,
    channels: int,
    sample_rate: int,
    change: int,
    *,
    required_correlation: float = REQUIRED_CORRELATION,
) -> bytes:
    """Return audio lengthened (``change`` above 0) or shortened.

    Args:
        samples: Interleaved 16-bit samples.
        channels: 1 or 2.
        sample_rate: Samples per second.
        change: The wanted change in samples per channel. The change made is less than twice as much, and nearest to it
            of the lags with the best correlation.
        required_correlation: The audio is returned unchanged without a lag of this normalized correlation; -1 uses the
            best lag in any case, and more than 1 changes only silence and background noise.
    """
    values = as_array(samples)
    count = len(values) // channels
    longest = min(round(MAX_LAG * sample_rate), count * 3 // 4, 2 * abs(change) - 1)
    lags = range(round(MIN_LAG * sample_rate), longest + 1)
    mono = _mixed(values, channels)
    if is_noise(mono):
        lag: int | None = min(abs(change), longest)
    elif required_correlation > 1 or not lags:
        return samples
    else:
        # The seam is at the beginning or at the end.
        searched = longest + round(_COMPARED * sample_rate)
        near = mono[:searched] if change < 0 else mono[-searched:]
        lag = _best_lag(near, sample_rate, lags, abs(change), required_correlation)
    if not lag or lag < 0:
        return samples
    overlap = min(lag, count - lag)
    # The audio before the seam, with what is faded out at its end, and that behind it, with what is faded in.
    end, begin = (overlap, lag) if change < 0 else (count, count - overlap - lag)
    return _joined(values[: end * channels], values[begin * channels :], overlap, channels)


def merge(concealed: bytes, decoded: bytes, channels: int, sample_rate: int, change: int) -> bytes:
    """Return decoded audio joined to the concealment before it, where the two resemble each other most.

    Args:
        concealed: The continuation of the concealment, which is played at most until it resembles the decoded audio.
        decoded: The decoded audio. Up to 6 ms of its beginning are omitted.
        channels: 1 or 2.
        sample_rate: Samples per second.
        change: The wanted difference of the length from that of the decoded audio, in samples per channel.
    """
    before, after = as_array(concealed), as_array(decoded)
    count_before, count_after = len(before) // channels, len(after) // channels
    overlap = min(round(_OVERLAP * sample_rate), count_before, count_after)
    shifts = range(-min(round(_MAX_OMITTED * sample_rate), count_after - overlap), count_before - overlap + 1)
    fade_out, fade_in = _mixed(before, channels), _mixed(after, channels)
    shift = min(max(change, shifts[0]), shifts[-1])
    if not (is_noise(fade_out) or is_noise(fade_in)):
        factor = max(1, sample_rate // _COARSE_RATE)
        coarse = _Correlation(_decimated(fade_out, factor), _decimated(fade_in, factor))
        fine = _Correlation(fade_out, fade_in, stride=2 if factor > 1 else 1)
        rough = {
            each: coarse.at(max(0, each), max(0, -each), overlap // factor)
            for each in range(-(-shifts[0] // factor), (count_before - overlap) // factor + 1)
        }
        best = _refined(
            rough,
            factor,
            shifts,
            wanted=change,
            required=-1.0,
            correlation=lambda shift: fine.at(max(0, shift), max(0, -shift), overlap),
        )
        shift = shift if best is None else best
    end = (max(0, shift) + overlap) * channels
    return _joined(before[:end], after[max(0, -shift) * channels :], overlap, channels)


def is_noise(mono: Sequence[int]) -> bool:
    """Return whether audio is silence or background noise."""
    thinned = mono[::_STRIDE]
    return _dot(thinned, thinned) <= len(thinned) * _NOISE_LEVEL**2


class _Correlation:
    """Normalized correlations of sections of two signals.

    Args:
        first: One signal.
        second: The other one, which may be the same.
        stride: Only each product of this number is used.
    """

    def __init__(self, first: Sequence[int], second: Sequence[int], stride: int = 1) -> None:
        self._first, self._second, self._stride = first, second, stride
        self._energy = [0, *accumulate(map(mul, first, first))]
        self._other_energy = self._energy if second is first else [0, *accumulate(map(mul, second, second))]

    def at(self, begin: int, other_begin: int, width: int) -> float:
        end, other_end = begin + width, other_begin + width
        if end > len(self._first) or other_end > len(self._second):
            return -1.0
        energy = (self._energy[end] - self._energy[begin]) * (
            self._other_energy[other_end] - self._other_energy[other_begin]
        )
        if not energy:
            return 0.0
        stride = self._stride
        product = _dot(self._first[begin:end:stride], self._second[other_begin:other_end:stride])
        return stride * product / math.sqrt(energy)


def _best_lag(mono: Sequence[int], sample_rate: int, lags: range, wanted: int, required: float) -> int | None:
    """Return the lag at which audio resembles itself, ``None`` without one of the required correlation."""
    factor = max(1, sample_rate // _COARSE_RATE)
    thinned = _decimated(mono, factor)
    coarse = _Correlation(thinned, thinned)
    fine = _Correlation(mono, mono, _STRIDE if factor > _STRIDE else 1)
    rough = {
        lag: coarse.at(0, lag, len(thinned) - lag) for lag in range(lags[0] // factor, lags[-1] // factor + 1)
    }
    return _refined(
        rough,
        factor,
        lags,
        wanted=wanted,
        required=required,
        correlation=lambda lag: fine.at(0, lag, len(mono) - lag),
    )


def _refined(
    rough: dict[int, float],
    factor: int,
    lags: range,
    *,
    wanted: int,
    required: float,
    correlation: Callable[[int], float],
) -> int | None:
    """Return the best lag near the maxima of the correlations at a lower rate."""
    peaks = [
        lag
        for lag, value in rough.items()
        if value >= rough.get(lag - 1, -1.0) and value >= rough.get(lag + 1, -1.0)
    ]
    span = max(1, len(lags))
    peaks.sort(key=lambda lag: 0.1 * abs(lag * factor - wanted) / span - rough[lag])
    found: dict[int, float] = {}
    step = max(1, factor // 4)
    for peak in peaks[:_REFINED]:
        best = _maximum(correlation, range(peak * factor - factor, peak * factor + factor + 1, step), lags)
        if best is not None and step > 1:
            best = _maximum(correlation, range(best[1] - step + 1, best[1] + step), lags)
        if best is not None:
            found[best[1]] = best[0]
    least = max(max(found.values(), default=-1.0) - _EQUAL, required)
    return min(
        (lag for lag, value in found.items() if value >= least),
        key=lambda lag: abs(lag - wanted),
        default=None,
    )


def _maximum(
    correlation: Callable[[int], float], candidates: Iterable[int], lags: range
) -> tuple[float, int] | None:
    return max(((correlation(lag), lag) for lag in candidates if lag in lags), default=None)


def _dot(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(map(mul, first, second))


def _mixed(values: "array[int]", channels: int) -> Sequence[int]:
    return values if channels == 1 else list(map(add, values[::2], values[1::2]))


def _decimated(mono: Sequence[int], factor: int) -> list[int]:
    return [sum(mono[index : index + factor]) for index in range(0, len(mono) - factor + 1, factor)]


def _joined(before: "array[int]", behind: "array[int]", overlap: int, channels: int) -> bytes:
    """Return two pieces of audio, the end of the first crossfaded with the beginning of the second."""
    width = overlap * channels
    seam = len(before) - width
    faded = [
        int(old + (new - old) * weight)
        for old, new, weight in zip(before[seam:], behind[:width], _ramp(overlap, channels), strict=True)
    ]
    return (before[:seam] + array("h", faded) + behind[width:]).tobytes()


@functools.lru_cache(maxsize=64)
def _ramp(count: int, channels: int) -> list[float]:
    return [(index + 0.5) / count for index in range(count) for _ in range(channels)]
