"""A sine tone, and measurement of the dominant frequency of audio."""

import cmath
import math
from array import array
from collections.abc import Iterable

import av
import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import require_trio
from trio_rtc.codecs.samples import as_array, frame_of, samples_of

_FRAME_DURATION = 0.02
_POINTS = 4096


@attrs.define(eq=False)
class ToneSource(trio.abc.ReceiveChannel[av.AudioFrame]):
    """An endless channel of 20 ms frames of a sine tone, timed by trio's clock.

    Attributes:
        frequency: Hertz.
        sample_rate: Samples per second.
        channels: 1 or 2 with the same content.
        amplitude: Fraction of full scale, 0 to 1.
        realtime: Whether ``receive`` waits until the next frame is due.
    """

    frequency: float = 440.0
    sample_rate: int = attrs.field(default=48_000, kw_only=True)
    channels: int = attrs.field(default=1, kw_only=True)
    amplitude: float = attrs.field(default=0.3, kw_only=True)
    realtime: bool = attrs.field(default=True, kw_only=True)
    _position: int = attrs.field(default=0, init=False)
    _started: float = attrs.field(default=math.nan, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def receive(self) -> av.AudioFrame:
        """Return the next 20 ms when they are due.

        Raises:
            trio.ClosedResourceError: The source is closed.
        """
        require_trio("ToneSource.receive")
        if math.isnan(self._started):
            self._started = trio.current_time()
        if self.realtime:
            await trio.sleep_until(self._started + self._position / self.sample_rate)
        else:
            await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        return self.next_frame()

    def next_frame(self) -> av.AudioFrame:
        """Return the next 20 ms without waiting."""
        count = round(_FRAME_DURATION * self.sample_rate)
        step = 2 * math.pi * self.frequency / self.sample_rate
        scale = self.amplitude * 32767
        sine, begin = math.sin, self._position
        samples = array("h", [int(scale * sine(step * i)) for i in range(begin, begin + count)])
        if self.channels == 2:
            samples = array("h", [value for value in samples for _ in (0, 1)])
        self._position += count
        return frame_of(samples.tobytes(), self.channels, self.sample_rate, begin)

    async def aclose(self) -> None:
        """Close the source."""
        self._closed = True
        await trio.lowlevel.checkpoint()


tone = ToneSource
"""Alias used in examples and tests."""


def dominant_frequency(frames: Iterable[av.AudioFrame]) -> float:
    """Return the dominant frequency of audio in hertz, with an error of about 1 Hz.

    At most 4096 samples from the middle are used.

    Raises:
        ValueError: There are fewer than 256 samples, or frames of different sample rates.
    """
    samples, rate = _mono(frames)
    points = min(_POINTS, 1 << len(samples).bit_length() >> 1)
    if points < 256:
        raise ValueError(f"frames must have at least 256 samples, not {len(samples)}")
    begin = (len(samples) - points) // 2
    window = [0.5 - 0.5 * math.cos(2 * math.pi * i / points) for i in range(points)]
    spectrum = _fourier(
        [complex(a * b) for a, b in zip(samples[begin : begin + points], window, strict=True)]
    )
    power = [abs(value) for value in spectrum[: points // 2]]
    peak = max(range(1, points // 2 - 1), key=power.__getitem__)
    # Interpolate with a parabola through the logarithms of the peak and its neighbors.
    left, middle, right = (math.log(power[peak + i] + 1e-9) for i in (-1, 0, 1))
    curvature = left - 2 * middle + right
    offset = 0.5 * (left - right) / curvature if curvature else 0.0
    return (peak + offset) * rate / points


def _mono(frames: Iterable[av.AudioFrame]) -> "tuple[array[int], int]":
    samples: array[int] = array("h")
    resampler: av.AudioResampler | None = None
    rate = 0
    for frame in frames:
        if rate not in (0, frame.sample_rate):
            raise ValueError(f"frames must have one sample rate, not both {rate} and {frame.sample_rate}")
        rate = frame.sample_rate
        resampler = resampler or av.AudioResampler("s16", "mono", rate)
        for converted in resampler.resample(frame):
            samples.extend(as_array(samples_of(converted)))
    return samples, rate


def _fourier(values: list[complex]) -> list[complex]:
    """Return the discrete Fourier transform; the length must be a power of two."""
    count = len(values)
    if count == 1:
        return values
    even, odd = _fourier(values[::2]), _fourier(values[1::2])
    turned = [cmath.exp(-2j * math.pi * k / count) * value for k, value in enumerate(odd)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [
        a - b for a, b in zip(even, turned, strict=True)
    ]
