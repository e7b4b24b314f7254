"""Audio as interleaved 16-bit samples in bytes."""

import math
from array import array
from fractions import Fraction
from operator import mul

import av

_LAYOUTS = {1: "mono", 2: "stereo"}
_FULL_SCALE = 32768.0
_SILENCE = 127
_LEVEL_STRIDE = 3  # every third sample gives a sufficient audio level in a third of the time


def layout(channels: int) -> str:
    return _LAYOUTS[channels]


def samples_of(frame: av.AudioFrame) -> bytes:
    """Return the samples of an interleaved 16-bit frame without padding."""
    return bytes(frame.planes[0])[: frame.samples * len(frame.layout.channels) * 2]


def frame_of(samples: bytes, channels: int, sample_rate: int, pts: int | None) -> av.AudioFrame:
    """Return a frame of interleaved 16-bit samples; ``pts`` is in samples."""
    frame = av.AudioFrame("s16", layout(channels), len(samples) // (2 * channels))
    frame.planes[0].update(samples)
    frame.sample_rate = sample_rate
    frame.time_base = Fraction(1, sample_rate)
    frame.pts = pts
    return frame


def as_array(samples: bytes) -> "array[int]":
    """Return samples, which FFmpeg has in native byte order, as integers."""
    values = array("h")
    values.frombytes(samples)
    return values


def audio_level(samples: bytes) -> int:
    """Return the audio level in -dBov: 0 is the maximum, 127 is silence (RFC 6464 section 3)."""
    values = as_array(samples)[::_LEVEL_STRIDE]
    energy = sum(map(mul, values, values))
    if not energy:
        return _SILENCE
    rms = math.sqrt(energy / len(values)) / _FULL_SCALE
    return min(_SILENCE, max(0, round(-20 * math.log10(rms))))


def duplicate_channel(samples: bytes) -> bytes:
    """Return one channel as two of the same level; FFmpeg would attenuate by 3 dB."""
    values = as_array(samples)
    both = array("h", bytes(2 * len(samples)))
    both[::2] = both[1::2] = values
    return both.tobytes()


def apply_gain_ramp(samples: bytes, gain_begin: float, gain_end: float) -> bytes:
    values = as_array(samples)
    step = (gain_end - gain_begin) / max(1, len(values))
    return array("h", [int(value * (gain_begin + step * i)) for i, value in enumerate(values)]).tobytes()


def reverse_samples(samples: bytes, channels: int) -> bytes:
    """Return samples in reverse order, keeping the order of channels."""
    values = as_array(samples)
    values.reverse()
    if channels == 2:
        values[::2], values[1::2] = values[1::2], values[::2]
    return values.tobytes()
