"""A moving test pattern with a counter that is readable after compression."""

import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import av
import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import require_trio

_CLOCK_RATE = 90_000
_COLUMNS = 8
_ROWS = 4
_CELL_ROWS_IN_FRAME = 12  # the counter covers the upper third
_BLACK, _WHITE = 16, 235
_THRESHOLD = (_BLACK + _WHITE) // 2
_CHECK = 0xA5
COUNTER_MODULUS = 1 << 24


def draw_pattern(counter: int, width: int = 640, height: int = 360) -> av.VideoFrame:
    """Return a yuv420p frame: the counter as black and white blocks above stripes that move with the counter.

    Args:
        counter: The value that :func:`read_counter` will return, modulo 2**24.
        width: Pixels, even, 32 or more.
        height: Pixels, even, 24 or more.

    Returns:
        The frame, without ``pts``.

    Raises:
        ValueError: ``width`` or ``height`` is out of range or odd.
    """
    if width < 32 or height < 24 or width % 2 or height % 2:
        raise ValueError(f"width and height must be even, and at least 32 and 24, not {width} and {height}")
    frame = av.VideoFrame(width, height, "yuv420p")
    luma, blue, red = frame.planes
    rows = _counter_rows(counter % COUNTER_MODULUS, width, height)
    rows += _stripes(width, height - len(rows), counter * 4, len(rows), 160)
    _fill(luma, rows)
    _fill(blue, _stripes(width // 2, height // 2, counter, 0, 90))
    _fill(red, _stripes(width // 2, height // 2, -counter, height, 90))
    return frame


def read_counter(frame: av.VideoFrame) -> int | None:
    """Return the counter in a frame of :func:`draw_pattern`, scaled or not; ``None`` if it is not readable."""
    if frame.format.name not in ("yuv420p", "yuvj420p", "nv12", "gray"):
        frame = frame.reformat(format="yuv420p")
    value = 0
    for cell in range(_COLUMNS * _ROWS):
        value = value << 1 | _is_white(frame, *divmod(cell, _COLUMNS))
    counter, check = value >> 8, value & 0xFF
    return counter if check == _checksum(counter) else None


@attrs.define(eq=False)
class PatternSource(trio.abc.ReceiveChannel[av.VideoFrame]):
    """An endless channel of :func:`draw_pattern` frames, counted from 0, timed by trio's clock.

    A late receiver misses frames, so that the counter jumps.

    Attributes:
        width: Pixels, even, 32 or more.
        height: Pixels, even, 24 or more.
        framerate: Frames per second.
        realtime: Whether ``receive`` waits until the next frame is due.
    """

    width: int = 640
    height: int = 360
    framerate: float = 30.0
    realtime: bool = attrs.field(default=True, kw_only=True)
    _next: int = attrs.field(default=0, init=False)
    _started: float = attrs.field(default=math.nan, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    async def receive(self) -> av.VideoFrame:
        """Return the next frame when it is due.

        Raises:
            trio.ClosedResourceError: The source is closed.
        """
        require_trio("PatternSource.receive")
        if self.realtime:
            await self._until_due()
        else:
            await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        frame = draw_pattern(self._next, self.width, self.height)
        frame.pts = round(self._next * _CLOCK_RATE / self.framerate)
        frame.time_base = Fraction(1, _CLOCK_RATE)
        self._next += 1
        return frame

    async def _until_due(self) -> None:
        now = trio.current_time()
        if math.isnan(self._started):
            self._started = now
        self._next = max(self._next, math.floor((now - self._started) * self.framerate))
        await trio.sleep_until(self._started + self._next / self.framerate)

    async def aclose(self) -> None:
        """Close the source."""
        self._closed = True
        await trio.lowlevel.checkpoint()


test_pattern = PatternSource
"""Alias used in examples and tests."""


def _counter_rows(counter: int, width: int, height: int) -> list[bytes]:
    value = counter << 8 | _checksum(counter)
    rows: list[bytes] = []
    for row in range(_ROWS):
        bits = [value >> (_COLUMNS * _ROWS - 1 - row * _COLUMNS - column) & 1 for column in range(_COLUMNS)]
        edges = [column * width // _COLUMNS for column in range(_COLUMNS + 1)]
        line = b"".join(
            bytes([_WHITE if bit else _BLACK]) * (right - left)
            for bit, (left, right) in zip(bits, pairwise(edges), strict=True)
        )
        top, bottom = (edge * height // _CELL_ROWS_IN_FRAME for edge in (row, row + 1))
        rows += [line] * (bottom - top)
    return rows


def _checksum(counter: int) -> int:
    return (counter ^ counter >> 8 ^ counter >> 16 ^ _CHECK) & 0xFF


def _is_white(frame: av.VideoFrame, row: int, column: int) -> bool:
    """Return whether a cell is white, measured at its center, since its edges are blurred."""
    left, right = (int((column + part) * frame.width / _COLUMNS) for part in (0.3, 0.7))
    top, bottom = (int((row + part) * frame.height / _CELL_ROWS_IN_FRAME) for part in (0.3, 0.7))
    plane = frame.planes[0]
    pixels = memoryview(plane)
    total = count = 0
    for y in range(top, max(bottom, top + 1)):
        line = pixels[y * plane.line_size + left : y * plane.line_size + max(right, left + 1)]
        total += sum(line)
        count += len(line)
    return total > _THRESHOLD * count


@lru_cache(maxsize=16)
def _wave(length: int, amplitude: int) -> bytes:
    """Return brightness that oscillates with a period of 128 pixels, over whole periods."""
    period = [128 + round(amplitude / 2 * math.sin(2 * math.pi * x / 128)) for x in range(128)]
    return bytes(period) * (length // 128 + 2)


def _stripes(width: int, height: int, shift: int, slope: int, amplitude: int) -> list[bytes]:
    wave = _wave(width, amplitude)
    offsets = ((y + shift + slope) % 128 for y in range(height))
    return [wave[offset : offset + width] for offset in offsets]


def _fill(plane: "av.video.plane.VideoPlane", rows: list[bytes]) -> None:
    line_size = plane.line_size
    padding = b"\x80" * (line_size - len(rows[0]))
    plane.update(padding.join([*rows, b""]).ljust(plane.buffer_size, b"\x80")[: plane.buffer_size])
