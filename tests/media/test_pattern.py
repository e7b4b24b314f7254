"""A test pattern with a counter, readable even after damage."""

import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc import media


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
