"""The test pattern and the tone are readable, even after damage."""

import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc import media
from trio_rtc.codecs.samples import frame_of, samples_of


@given(
    counter=st.integers(0, 2**26),
    width=st.integers(16, 200).map(lambda half: 2 * half),
    height=st.integers(12, 150).map(lambda half: 2 * half),
)
def test_counter_round_trips(counter, width, height):
    frame = media.draw_pattern(counter, width, height)
    assert (frame.width, frame.height) == (width, height)
    assert media.read_counter(frame) == counter % 2**24


@pytest.mark.parametrize("size", [(160, 90), (1280, 720), (500, 300)])
def test_counter_is_readable_after_scaling_and_conversion(size):
    frame = media.draw_pattern(123_456, 640, 360).reformat(*size, format="rgb24")
    assert media.read_counter(frame) == 123_456


def test_counter_is_readable_with_noise():
    rng = random.Random(3)
    frame = media.draw_pattern(54_321, 320, 180)
    plane = frame.planes[0]
    noisy = bytes(min(255, max(0, value + rng.randrange(-60, 61))) for value in bytes(plane))
    plane.update(noisy)
    assert media.read_counter(frame) == 54_321


def test_other_images_have_no_counter():
    frame = media.draw_pattern(1, 320, 180)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    assert media.read_counter(frame) is None


@pytest.mark.parametrize("size", [(31, 24), (32, 22), (33, 24), (32, 25)])
def test_invalid_sizes_raise(size):
    with pytest.raises(ValueError, match="even"):
        media.draw_pattern(0, *size)


async def test_frames_are_received_when_due(autojump_clock):
    source = media.test_pattern(64, 48, 25)
    begun = trio.current_time()
    for counter in range(10):
        frame = await source.receive()
        assert trio.current_time() - begun == pytest.approx(counter / 25)
        assert media.read_counter(frame) == counter
        assert float(frame.pts * frame.time_base) == pytest.approx(counter / 25)


async def test_late_receiver_misses_frames(autojump_clock):
    source = media.test_pattern(64, 48, 25)
    assert media.read_counter(await source.receive()) == 0
    await trio.sleep(1.01)
    frame = await source.receive()
    assert media.read_counter(frame) == 25
    assert frame.time == pytest.approx(1.0)


async def test_without_realtime_frames_are_received_at_once(autojump_clock):
    source = media.test_pattern(64, 48, realtime=False)
    audio = media.tone(realtime=False)
    begun = trio.current_time()
    assert [media.read_counter(await source.receive()) for _ in range(50)] == list(range(50))
    assert [(await audio.receive()).pts for _ in range(3)] == [0, 960, 1920]
    assert trio.current_time() == begun


async def test_audio_is_received_when_due(autojump_clock):
    source = media.tone(1000, sample_rate=16_000, channels=2)
    begun = trio.current_time()
    frames = [await source.receive() for _ in range(50)]
    assert trio.current_time() - begun == pytest.approx(0.98)
    assert [frame.pts for frame in frames] == [320 * index for index in range(50)]
    assert frames[0].layout.name == "stereo"


@pytest.mark.parametrize("frequency", [100, 440, 1234.5, 3000])
@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
def test_dominant_frequency_of_a_tone(frequency, sample_rate):
    source = media.tone(frequency, sample_rate=sample_rate)
    assert media.dominant_frequency(source.next_frame() for _ in range(50)) == pytest.approx(frequency, abs=1)


def test_dominant_frequency_of_two_tones():
    loud, soft = media.tone(700, amplitude=0.4), media.tone(2000, amplitude=0.1)

    def mixed():
        pairs = zip(*(samples_of(each.next_frame()) for each in (loud, soft)), strict=True)
        return frame_of(bytes((a + b) & 0xFF for a, b in pairs), 1, 48_000, None)

    assert media.dominant_frequency(mixed() for _ in range(20)) == pytest.approx(700, abs=5)


def test_dominant_frequency_requires_enough_audio_of_one_rate():
    with pytest.raises(ValueError, match="at least 256 samples"):
        media.dominant_frequency([])
    with pytest.raises(ValueError, match="one sample rate"):
        media.dominant_frequency([media.tone().next_frame(), media.tone(sample_rate=8_000).next_frame()])


@pytest.mark.parametrize("source", [media.test_pattern(64, 48), media.tone()])
async def test_closed_source_raises(source):
    await source.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await source.receive()
