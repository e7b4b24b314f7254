"""Time stretching: lengths, and no audible seam."""

import math
import random
import time
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.codecs.samples import as_array
from trio_rtc.codecs.time_stretch import MAX_LAG, MIN_LAG, is_noise, merge, stretch

AMPLITUDE = 10_000
rates = st.sampled_from([8_000, 16_000, 48_000])
channels = st.sampled_from([1, 2])


def interleaved(values, channel_count):
    return array("h", [round(value) for value in values for _ in range(channel_count)]).tobytes()


def sine(frequency, count, rate, *, channel_count=1, begin=0.0):
    step = 2 * math.pi * frequency / rate
    return interleaved([AMPLITUDE * math.sin(step * (begin + at)) for at in range(count)], channel_count)


def vowel(pitch, count, rate, *, channel_count=1, begin=0.0):
    step = 2 * math.pi * pitch / rate
    return interleaved(
        [sum(5_000 / k * math.sin(k * step * (begin + at) + k) for k in range(1, 9)) for at in range(count)],
        channel_count,
    )


def noise(count, level=8_000, seed=1):
    rng = random.Random(seed)
    return array("h", [rng.randrange(-level, level + 1) for _ in range(count)]).tobytes()


def purity(samples, frequency, rate):
    """Return the energy around a frequency to that elsewhere, in dB."""
    values = np.frombuffer(samples, dtype=np.int16).astype(float)
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values)))) ** 2
    width = 3 * rate / len(values)
    near = abs(np.fft.rfftfreq(len(values), 1 / rate) - frequency) < width
    return 10 * math.log10(spectrum[near].sum() / spectrum[~near].sum())


def largest_step(samples):
    return max(abs(np.diff(np.frombuffer(samples, dtype=np.int16).astype(int))))


def change_of(samples, changed, channel_count):
    return (len(changed) - len(samples)) // (2 * channel_count)


@given(
    st.binary(max_size=4_000).map(lambda data: data[: len(data) // 4 * 4]),
    channels,
    rates,
    st.integers(-2_000, 2_000),
    st.sampled_from([-1.0, 0.9, 2.0]),
)
def test_any_audio_changes_towards_the_wanted_length(samples, channel_count, rate, change, required):
    changed = stretch(samples, channel_count, rate, change, required_correlation=required)
    assert len(changed) % (2 * channel_count) == 0
    done = change_of(samples, changed, channel_count)
    assert done * change >= 0
    # The change that remains is smaller than before.
    assert done == 0 or abs(change - done) < abs(change)
    assert abs(done) <= MAX_LAG * rate
    if not done:
        assert changed == samples


@given(
    st.binary(max_size=2_000).map(lambda data: data[: len(data) // 4 * 4]),
    st.binary(max_size=4_000).map(lambda data: data[: len(data) // 4 * 4]),
    channels,
    rates,
    st.integers(-1_000, 1_000),
)
def test_merged_audio_has_all_decoded_audio_but_6_ms(concealed, decoded, channel_count, rate, change):
    merged = merge(concealed, decoded, channel_count, rate, change)
    assert len(merged) % (2 * channel_count) == 0
    difference = change_of(decoded, merged, channel_count)
    assert -0.006 * rate <= difference <= len(concealed) // (2 * channel_count)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("change", [0.01, -0.01, 0.006, -0.006])
@pytest.mark.parametrize("frequency", [110, 220, 440, 1_000, 3_000])
def test_sine_stays_a_sine(frequency, change, channel_count, rate):
    count = rate // 50
    samples = sine(frequency, count, rate, channel_count=channel_count)
    changed = stretch(samples, channel_count, rate, round(change * rate))
    periods = change_of(samples, changed, channel_count) * frequency / rate
    assert abs(periods) >= MIN_LAG * frequency
    assert periods == pytest.approx(round(periods), abs=0.5 * frequency / rate + 0.02)
    # The frame continues the audio before it, and is continued by that behind it.
    before = sine(frequency, count, rate, channel_count=channel_count, begin=-count)
    behind = sine(frequency, count, rate, channel_count=channel_count, begin=count)
    whole = as_array(before + changed + behind)[::channel_count].tobytes()
    unchanged = as_array(before + samples + behind)[::channel_count].tobytes()
    assert largest_step(whole) <= 1.1 * largest_step(unchanged)
    assert purity(whole, frequency, rate) > 20


@pytest.mark.parametrize("pitch", [80, 120, 200, 300])
@pytest.mark.parametrize("change", [480, -480])
def test_voice_changes_by_whole_pitch_periods(pitch, change):
    samples = vowel(pitch, 960, 48_000)
    periods = change_of(samples, stretch(samples, 1, 48_000, change), 1) * pitch / 48_000
    assert abs(periods) >= 0.99
    assert periods == pytest.approx(round(periods), abs=0.02)


@pytest.mark.parametrize("change", [-720, -480, -1, 1, 77, 480, 720])
def test_silence_and_background_noise_change_exactly(change):
    for samples in (bytes(2 * 960), noise(960, level=40)):
        changed = stretch(samples, 1, 48_000, change, required_correlation=2.0)
        assert change_of(samples, changed, 1) == change
        assert is_noise(as_array(changed))
    assert not any(stretch(bytes(2 * 960), 1, 48_000, change))


@pytest.mark.parametrize("change", [480, -480])
def test_audio_that_does_not_correlate_changes_only_if_it_must(change):
    samples = noise(960)
    assert stretch(samples, 1, 48_000, change) == samples
    changed = stretch(samples, 1, 48_000, change, required_correlation=-1.0)
    done = change_of(samples, changed, 1)
    assert done * change > 0
    assert abs(change - done) < 480


def test_short_audio_is_not_changed():
    samples = vowel(200, 120, 48_000)
    assert stretch(samples, 1, 48_000, 480, required_correlation=-1.0) == samples
    assert stretch(b"", 1, 48_000, 480) == b""


@pytest.mark.parametrize("frequency", [150, 220, 440, 1_000])
@pytest.mark.parametrize("phase", range(0, 480, 37))
def test_merged_sine_has_no_seam(frequency, phase):
    rate = 48_000
    before = sine(frequency, 960, rate, begin=-960)
    concealed = sine(frequency, 480, rate)
    decoded = sine(frequency, 960, rate, begin=480 + phase)
    merged = before + merge(concealed, decoded, 1, rate, 0)
    assert largest_step(merged) <= 1.1 * largest_step(before)
    assert purity(merged, frequency, rate) > 20


def test_merged_noise_has_the_wanted_length():
    quiet = noise(960, level=20)
    for change in (-100, 0, 77):
        assert change_of(quiet, merge(quiet[:960], quiet, 1, 48_000, change), 1) == change
    assert change_of(quiet, merge(quiet[:960], quiet, 1, 48_000, -5_000), 1) == -288
    assert change_of(quiet, merge(quiet[:960], quiet, 1, 48_000, 5_000), 1) == 480 - 192


def test_a_stretch_takes_much_less_than_the_frame():
    samples = vowel(120, 960, 48_000, channel_count=2)
    times = []
    for _ in range(20):
        began = time.process_time()
        stretch(samples, 2, 48_000, 480)
        merge(samples[: len(samples) // 2], samples, 2, 48_000, 0)
        times.append(time.process_time() - began)
    assert min(times) < 0.01
