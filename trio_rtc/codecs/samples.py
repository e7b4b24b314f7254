"""Sound as interleaved 16 bit samples in plain bytes."""

import math
from array import array
from fractions import Fraction
from operator import mul

import av

_LAYOUTS = {1: "mono", 2: "stereo"}
_FULL_SCALE = 32768.0
_SILENCE = 127
_LEVEL_STRIDE = 3  # one sample of three tells loudness well enough, at a third of the time


def layout(channels: int) -> str:
    """Return FFmpeg's name of a layout with one or two channels."""
    return _LAYOUTS[channels]


def samples_of(frame: av.AudioFrame) -> bytes:
    """Return the samples of an interleaved 16 bit frame, without padding."""
    return bytes(frame.planes[0])[: frame.samples * len(frame.layout.channels) * 2]


def frame_of(samples: bytes, channels: int, sample_rate: int, pts: int | None) -> av.AudioFrame:
    """Return a frame with these interleaved 16 bit samples; ``pts`` counts samples."""
    frame = av.AudioFrame("s16", layout(channels), len(samples) // (2 * channels))
    frame.planes[0].update(samples)
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = pts
    return frame


def as_array(samples: bytes) -> "array[int]":
    """Return samples, which FFmpeg has in the machine's byte order, as numbers."""
    values = array("h")
    values.frombytes(samples)
    return values


def audio_level(samples: bytes) -> int:
    """Return loudness in -dBov: 0 the loudest there can be, 127 silence (RFC 6465 section 3.1)."""
    values = as_array(samples)[::_LEVEL_STRIDE]
    energy = sum(map(mul, values, values))
    if not energy:
        return _SILENCE
    rms = math.sqrt(energy / len(values)) / _FULL_SCALE
    return min(_SILENCE, max(0, round(-20 * math.log10(rms))))


def doubled(samples: bytes) -> bytes:
    """Return one channel as two, as loud as it was; FFmpeg would take 3 dB off."""
    values = as_array(samples)
    both = array("h", bytes(2 * len(samples)))
    both[::2] = both[1::2] = values
    return both.tobytes()


def faded(samples: bytes, gain_begin: float, gain_end: float) -> bytes:
    """Return samples with a gain that goes evenly from one value to another."""
    values = as_array(samples)
    step = (gain_end - gain_begin) / max(1, len(values))
    return array("h", [int(value * (gain_begin + step * i)) for i, value in enumerate(values)]).tobytes()


def backwards(samples: bytes, channels: int) -> bytes:
    """Return samples last first, each channel in its place."""
    values = as_array(samples)
    values.reverse()
    if channels == 2:
        values[::2], values[1::2] = values[1::2], values[::2]
    return values.tobytes()
