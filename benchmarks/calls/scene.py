"""The video that every sender sends: a raw file, for Chromium's fake camera as for all others.

It shows a camera that moves over a textured surface, with noise, which is hard to encode. The movement is a closed
path, so that the file can be repeated. The same size always results in the same bytes.
"""

import math
import random
from fractions import Fraction
from mmap import ACCESS_READ, mmap
from pathlib import Path

import attrs
import av

FRAMERATE = 30
SECONDS = 4
CLOCK_RATE = 90_000
_MARGIN = 64
_OCTAVES = ((8, 96), (24, 64), (96, 40))
"""Of the surface: how many random values lie beside each other, and the range of what they add."""

_NOISE = 7
_NOISES = 16
_FRAME_HEADER = b"FRAME\n"


@attrs.frozen
class Scene:
    """Reads the file.

    Attributes:
        width: Pixels.
        height: Pixels.
    """

    width: int
    height: int
    _frames: mmap
    _offset: int

    @classmethod
    def open(cls, path: Path) -> "Scene":
        """Open a file of :func:`write_scene`."""
        with path.open("rb") as file:
            header = file.readline()
            _, width, height, *_ = header.split()
            frames = mmap(file.fileno(), 0, access=ACCESS_READ)
        return cls(int(width[1:]), int(height[1:]), frames, len(header))

    def planes(self, number: int) -> bytes:
        """Return the pixels of a frame in I420."""
        size = self.width * self.height * 3 // 2
        stride = size + len(_FRAME_HEADER)
        begin = self._offset + number % (FRAMERATE * SECONDS) * stride + len(_FRAME_HEADER)
        return self._frames[begin : begin + size]

    def frame(self, number: int) -> av.VideoFrame:
        """Return a frame with its time."""
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        pixels, begin = self.planes(number), 0
        for plane in frame.planes:
            rows = [
                pixels[start : start + plane.width].ljust(plane.line_size, b"\0")
                for start in range(begin, begin + plane.width * plane.height, plane.width)
            ]
            plane.update(b"".join(rows))
            begin += plane.width * plane.height
        frame.pts, frame.time_base = number * CLOCK_RATE // FRAMERATE, Fraction(1, CLOCK_RATE)
        return frame


def write_scene(path: Path, width: int, height: int) -> None:
    """Write the file in YUV4MPEG2."""
    rng = random.Random(7)
    luma = _Surface.make(rng, width, height)
    chroma = [_Surface.make(rng, width // 2, height // 2) for _ in range(2)]
    noises = [rng.randbytes(width * height).translate(_noise_table()) for _ in range(_NOISES)]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FRAMERATE}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMERATE * SECONDS):
            x, y = _position(number)
            file.write(_FRAME_HEADER + _add(luma.part(x, y), noises[number % _NOISES]))
            file.writelines(surface.part(x // 2, y // 2) for surface in chroma)


def _position(number: int) -> tuple[int, int]:
    angle = 2 * math.pi * number / (FRAMERATE * SECONDS)
    return round(_MARGIN * (1 + math.sin(angle))), round(_MARGIN * (1 + math.sin(2 * angle)))


@attrs.frozen
class _Surface:
    """A texture larger than a plane by the margin on each side."""

    width: int
    height: int
    _rows: list[bytes]

    @classmethod
    def make(cls, rng: random.Random, width: int, height: int) -> "_Surface":
        full_width, full_height = width + 2 * _MARGIN, height + 2 * _MARGIN
        pixels = bytes([16]) * (full_width * full_height)
        for count, amplitude in _OCTAVES:
            layer = _random_layer(rng, count, full_width, full_height)
            pixels = _add(pixels, layer.translate(bytes(value * amplitude // 256 for value in range(256))))
        rows = [pixels[begin : begin + full_width] for begin in range(0, len(pixels), full_width)]
        return cls(width, height, rows)

    def part(self, x: int, y: int) -> bytes:
        """Return the pixels of a plane whose upper left corner is here."""
        return b"".join(row[x : x + self.width] for row in self._rows[y : y + self.height])


def _random_layer(rng: random.Random, count: int, width: int, height: int) -> bytes:
    """Return random values with smooth transitions, ``count`` of them in the width."""
    small = av.VideoFrame(count, max(2, count * height // width), "gray")
    plane = small.planes[0]
    plane.update(rng.randbytes(plane.buffer_size))
    large = small.reformat(width=width, height=height, interpolation="BICUBIC").planes[0]
    pixels, stride = bytes(large), large.line_size
    return b"".join(pixels[begin : begin + width] for begin in range(0, height * stride, stride))


def _noise_table() -> bytes:
    return bytes(value * _NOISE // 256 for value in range(256))


def _add(one: bytes, other: bytes) -> bytes:
    """Add pixel by pixel; no sum is over 255, so nothing is carried."""
    total = int.from_bytes(one, "big") + int.from_bytes(other, "big")
    return total.to_bytes(len(one), "big")
