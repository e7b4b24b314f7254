"""Audio as interleaved 16-bit samples."""

import math
from array import array
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.codecs.samples import (
    apply_gain_ramp,
    as_array,
    audio_level,
    duplicate_channel,
    frame_of,
    layout,
    reverse_samples,
    samples_of,
)

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=50).map(lambda values: array("h", values).tobytes())


def samples(*values):
    return array("h", values).tobytes()


@pytest.mark.parametrize("channels", [1, 2])
@given(data=SAMPLES.filter(lambda data: len(data) >= 4))
def test_frames_keep_their_samples(channels, data):
    data = data[: len(data) // (2 * channels) * 2 * channels]
    frame = frame_of(data, channels, 8_000, 160)
    assert samples_of(frame) == data
    assert (frame.layout.name, frame.samples) == (layout(channels), len(data) // (2 * channels))
    assert (frame.sample_rate, frame.time_base, frame.pts) == (8_000, Fraction(1, 8_000), 160)


@pytest.mark.parametrize(
    ("amplitude", "level"),
    [(32768, 0), (16384, 6), (3277, 20), (328, 40), (33, 60), (1, 90), (0, 127)],
)
def test_audio_level_in_decibels_below_overload(amplitude, level):
    """RFC 6464 section 3."""
    values = [min(amplitude, 32767) if index % 2 else -amplitude for index in range(960)]
    assert audio_level(samples(*values)) == level


def test_audio_level_of_a_sine():
    values = [round(32767 * math.sin(math.tau * index / 109)) for index in range(109 * 9)]
    assert audio_level(samples(*values)) == 3
    assert audio_level(b"") == 127


def test_one_channel_becomes_two_of_the_same_level():
    assert duplicate_channel(samples(1, -2, 3)) == samples(1, 1, -2, -2, 3, 3)
    assert duplicate_channel(b"") == b""


def test_gain_changes_linearly():
    assert list(as_array(apply_gain_ramp(samples(*[1000] * 4), 1.0, 0.0))) == [1000, 750, 500, 250]
    assert list(as_array(apply_gain_ramp(samples(-32768, 32767), 0.5, 0.5))) == [-16384, 16383]
    assert apply_gain_ramp(b"", 1.0, 0.0) == b""


@given(SAMPLES)
def test_gain_of_one_changes_nothing(data):
    assert apply_gain_ramp(data, 1.0, 1.0) == data


def test_samples_in_reverse_order():
    assert reverse_samples(samples(1, 2, 3), 1) == samples(3, 2, 1)
    assert reverse_samples(samples(1, 10, 2, 20, 3, 30), 2) == samples(3, 30, 2, 20, 1, 10)


@pytest.mark.parametrize("channels", [1, 2])
@given(data=SAMPLES)
def test_reversing_twice_changes_nothing(channels, data):
    data = data[: len(data) // 4 * 4]
    assert reverse_samples(reverse_samples(data, channels), channels) == data
