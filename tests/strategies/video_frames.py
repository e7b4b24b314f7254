"""Video frames that are hard to compress, and the difference between two frames."""

import math
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

from trio_rtc.media import draw_pattern


def timed_pattern(counter: int, width: int = 320, height: int = 180, framerate: int = 30) -> av.VideoFrame:
    frame = draw_pattern(counter, width, height)
    frame.pts = counter * 90_000 // framerate
    frame.time_base = Fraction(1, 90_000)
    return frame


def moving_noise(count: int, width: int = 320, height: int = 180, seed: int = 1) -> Iterator[av.VideoFrame]:
    """Yield frames of drifting clouds, which keep rate control busy."""
    rng = random.Random(seed)
    small = av.VideoFrame(width // 8, height // 2, "yuv420p")
    for plane in small.planes:
        plane.update(rng.randbytes(plane.buffer_size))
    clouds = small.reformat(width, height * 4, "yuv420p", interpolation="BICUBIC")
    sources = [(bytes(plane), plane.line_size) for plane in clouds.planes]
    for index in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for number, (plane, (source, line_size)) in enumerate(zip(frame.planes, sources, strict=True)):
            row = index * 4 % (height * 2) // (2 if number else 1)
            column = index * 2 % 30
            begin = row * line_size + column
            plane.update(source[begin : begin + plane.buffer_size].ljust(plane.buffer_size, b"\x80"))
        frame.pts = index * 3000
        frame.time_base = Fraction(1, 90_000)
        yield frame


def noisy(
    frames: Iterable[av.VideoFrame], range_of_noise: int = 14, seed: int = 1
) -> Iterator[av.VideoFrame]:
    """Add the noise of a camera's sensor, different in every frame, to the luma."""
    rng = random.Random(seed)
    for frame in frames:
        plane = frame.planes[0]
        noise = rng.randbytes(plane.buffer_size)
        scaled = bytes(value * range_of_noise >> 8 for value in range(256))
        pairs = zip(bytes(plane), noise.translate(scaled), strict=True)
        plane.update(bytes(min(value + each, 255) for value, each in pairs))
        yield frame


def luma(frame: av.VideoFrame) -> bytes:
    plane = frame.planes[0]
    pixels = memoryview(plane)
    return b"".join(pixels[y * plane.line_size :][: frame.width] for y in range(frame.height))


def psnr(left: av.VideoFrame, right: av.VideoFrame) -> float:
    """Return the peak signal-to-noise ratio of the luma, in decibels."""
    one, other = luma(left), luma(right)
    assert len(one) == len(other)
    error = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
