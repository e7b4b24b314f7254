"""Both ends of a measured call: numbered video frames, their times, and the CPU time of drawing and reading them.

The processes share a clock: ``time.monotonic`` counts from the start of the machine for all of them (Linux). Drawing
the frames and reading their numbers is part of the measurement and not charged to the libraries.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av

from benchmarks.workload import Workload
from trio_rtc.media import draw_pattern, read_counter

CLOCK_RATE = 90_000
TAIL_SECONDS = 0.3
"""Frames sent in the last seconds may be in flight when the call ends, and are ignored."""

LEAST_SHOWN = 0.5
"""Part of the frames that must arrive: with fewer, the latency would not be comparable."""


@attrs.define
class CpuMeter:
    """CPU time of this process, all its threads included, from a start on."""

    _started: tuple[float, float] | None = None
    _excluded: float = 0.0

    def start(self) -> None:
        """Begin, unless that was done."""
        if self._started is None:
            self._started = time.monotonic(), time.process_time()
            self._excluded = 0.0

    @contextmanager
    def excluding(self) -> Iterator[None]:
        """Do not count what this thread does in the block."""
        begin = time.thread_time()
        yield
        self._excluded += time.thread_time() - begin

    def seconds(self) -> float:
        """Return the CPU seconds since the start.

        Raises:
            ValueError: It was not started.
        """
        if self._started is None:
            raise ValueError("the call has not come as far as its measured part")
        return time.process_time() - self._started[1] - self._excluded

    def usage(self) -> float:
        """Return CPU seconds per second since the start.

        Raises:
            ValueError: It was not started.
        """
        seconds = self.seconds()
        assert self._started is not None
        return seconds / (time.monotonic() - self._started[0])


def bits_on_loopback() -> int:
    """Return how much has gone over this host's loopback, with all headers; the private network has only the call."""
    (line,) = [
        line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:")
    ]
    return 8 * int(line.partition(":")[2].split()[0])


@attrs.define
class Camera:
    """The sending end: video frames, each when it is due; late ones are skipped."""

    _workload: Workload
    _cpu: CpuMeter = attrs.Factory(CpuMeter)
    _sent: list[tuple[int, float]] = attrs.Factory(list)
    _began: float = 0.0
    _number: int = 0
    _bits: int | None = None

    def seconds_to_next(self) -> float | None:
        """Return the time to wait for the next frame, and start measuring after the warm-up.

        Returns:
            Seconds; ``None`` when the call is over.
        """
        now = time.monotonic()
        if not self._began:
            self._began = now
        passed = now - self._began
        self._number = max(self._number + 1, int(passed * self._workload.framerate))
        if passed >= self._workload.warm_up:
            self._cpu.start()
            self._bits = bits_on_loopback() if self._bits is None else self._bits
        if passed >= self._workload.warm_up + self._workload.seconds:
            return None
        return max(0.0, self._number / self._workload.framerate - passed)

    def draw(self) -> av.VideoFrame:
        """Return the frame that is due, and record the time."""
        with self._cpu.excluding():
            frame = draw_pattern(self._number, self._workload.width, self._workload.height)
        frame.pts = round(self._number * CLOCK_RATE / self._workload.framerate)
        frame.time_base = Fraction(1, CLOCK_RATE)
        self._sent.append((self._number, time.monotonic()))
        return frame

    def report(self) -> dict[str, Any]:
        """Return the report for the other end."""
        bits = bits_on_loopback() - (self._bits or 0)
        return {
            "sent": self._sent,
            "sending_cpu": self._cpu.usage(),
            "megabits_per_second": bits / self._workload.seconds / 1e6,
        }


@attrs.define
class Screen:
    """The receiving end."""

    _workload: Workload
    _cpu: CpuMeter = attrs.Factory(CpuMeter)
    _shown: dict[int, float] = attrs.Factory(dict)

    def show(self, frame: av.VideoFrame) -> None:
        """Record the time of a received frame, and read its number."""
        now = time.monotonic()
        with self._cpu.excluding():
            number = read_counter(frame)
        if number is not None:
            self._shown.setdefault(number, now)
            if number >= self._first_measured:
                self._cpu.start()

    @property
    def _first_measured(self) -> float:
        return self._workload.warm_up * self._workload.framerate

    def result(self, report: dict[str, Any]) -> dict[str, Any]:
        """Return the result, after the report of the sender.

        Raises:
            ValueError: Too few frames were received.
        """
        end = report["sent"][-1][1] - TAIL_SECONDS
        sent = {number: at for number, at in report["sent"] if number >= self._first_measured and at < end}
        latencies = sorted(self._shown[number] - at for number, at in sent.items() if number in self._shown)
        if len(latencies) < LEAST_SHOWN * len(sent) or not latencies:
            raise ValueError(f"{len(latencies)} frames of {len(sent)} came")
        return {
            "p50_ms": 1000 * latencies[len(latencies) // 2],
            "p95_ms": 1000 * latencies[len(latencies) * 95 // 100],
            "percent_shown": 100 * len(latencies) / len(sent),
            "megabits_per_second": report["megabits_per_second"],
            "sending_cpu": 1000 * report["sending_cpu"],
            "receiving_cpu": 1000 * self._cpu.usage(),
        }
