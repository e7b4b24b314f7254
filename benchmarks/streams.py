"""Many streams of one process: the schedule of their frames, and the CPU time of a frame.

The number of streams that a machine can send depends on its other load. The CPU time of a frame hardly does, so that is
measured, with a moderate number of streams; the number of streams per CPU follows from it.
"""

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import attrs
import av

from benchmarks.video_call import CLOCK_RATE, CpuMeter
from benchmarks.workload import Workload
from trio_rtc.media import draw_pattern

PHASES = 10
LEAST_MADE = 0.5
"""Of the frames that were due: with fewer, the machine was so busy that they came in bunches."""
LEAST_SENT = 0.9
"""Of those, as RTP packets: what is not sent costs nothing."""


@attrs.define
class Cameras:
    """The cameras of all streams of a process. Drawing their frames is not charged to it."""

    workload: Workload
    cpu: CpuMeter = attrs.Factory(CpuMeter)
    _made: int = 0
    _made_before: int = 0
    _packets_before: int = 0

    def frames_due(self, number: int) -> Iterator[tuple[int, float]]:
        """Yield, for one stream, the number of each frame and the seconds until it is due."""
        interval = 1 / self.workload.framerate
        # Each stream has its own phase, as those of real cameras have.
        began = time.monotonic() + interval * (number % PHASES) / PHASES
        index = 0
        while True:
            yield index, max(0.0, began + index * interval - time.monotonic())
            self._made += 1
            # Late frames are skipped.
            index = max(index + 1, int((time.monotonic() - began) / interval))

    def timestamp(self, index: int) -> int:
        """Return when a frame was captured, in units of the RTP clock."""
        return index * CLOCK_RATE // self.workload.framerate

    def draw(self, index: int) -> av.VideoFrame:
        """Return a frame."""
        with self.cpu.excluding():
            frame = draw_pattern(index, self.workload.width, self.workload.height)
        frame.pts, frame.time_base = self.timestamp(index), Fraction(1, CLOCK_RATE)
        return frame

    def start(self, packets: int) -> None:
        """Start the measurement at a number of RTP packets sent."""
        self._made_before, self._packets_before = self._made, packets
        self.cpu.start()

    def result(self, packets: int) -> dict[str, Any]:
        """Return the result at a total number of RTP packets sent.

        Raises:
            ValueError: Too few frames were made or sent.
        """
        workload = self.workload
        made, sent = self._made - self._made_before, packets - self._packets_before
        due = workload.repetitions * workload.framerate * workload.seconds
        if made < LEAST_MADE * due or sent < LEAST_SENT * made:
            raise ValueError(f"{due:.0f} frames were due, {made} made, {sent} packets sent")
        return {
            "streams_per_cpu": made / workload.framerate / self.cpu.seconds(),
            "packets_per_frame": sent / made,
            "percent_made": 100 * made / due,
        }
