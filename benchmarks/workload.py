"""The workloads and payloads of measurements, equal for all libraries.

A measurement has two processes. The *offerer* creates the connections, sends, and measures round trips; the *answerer*
echoes, or receives, compares every byte with the expected one, and measures throughput.
"""

import gc
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import attrs

PAYLOADS = 61
"""Messages repeat after this many, a prime, so that a lost or swapped one cannot look right."""

SETTLING_SECONDS = 1.0
"""How long connections idle before their memory is measured."""


@attrs.frozen
class Workload:
    """One measurement.

    Attributes:
        kind: "throughput", "round_trip", "set_up", "memory", "call", "forwarding" or "streams".
        message_size: Bytes of a message; for "streams" of an encoded frame, 0 for raw frames.
        seconds: For "throughput", "call", "forwarding" and "streams": how long is sent.
        repetitions: For the others: how many round trips, connections one after the other, or connections at once;
            for "streams" how many.
        width: For "call", and for "forwarding" and "streams" of raw frames: pixels.
        height: Likewise.
        framerate: Frames a second.
        bitrate: Target of the encoder, in bits a second.
        warm_up: Seconds of a call before the measurement, for bandwidth estimation.
    """

    kind: str
    message_size: int = 0
    seconds: float = 0.0
    repetitions: int = 0
    width: int = 0
    height: int = 0
    framerate: int = 0
    bitrate: int = 0
    warm_up: float = 0.0

    def to_json(self) -> str:
        """Return it as a command line argument."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Workload":
        """Reverse :meth:`to_json`."""
        return cls(**json.loads(text))


def make_payloads(size: int) -> list[bytes]:
    """Return the messages that are sent in turn: incompressible, and the same in both processes."""
    rng = random.Random(size)
    return [rng.randbytes(size) for _ in range(PAYLOADS)]


@attrs.define
class Sink:
    """The receiving end of a throughput measurement: counts, compares and measures the time.

    The clock runs from the first message to the last, so that neither set-up nor the sender's start count.
    """

    size: int
    count: int = 0
    _started: float = 0.0
    _payloads: list[bytes] = attrs.field(init=False)

    @_payloads.default
    def _make_payloads(self) -> list[bytes]:
        return make_payloads(self.size)

    def receive(self, message: bytes) -> None:
        """Compare and count a message.

        Raises:
            ValueError: It is not the expected message.
        """
        if message != self._payloads[self.count % PAYLOADS]:
            raise ValueError(f"message {self.count} is not what was sent")
        if self.count == 0:
            self._started = time.perf_counter()
        self.count += 1

    def result(self, sent: int) -> dict[str, Any]:
        """Return the result after the report of the sender.

        Raises:
            ValueError: Messages are missing.
        """
        if sent != self.count:
            raise ValueError(f"{self.count} messages of {sent} came")
        elapsed = time.perf_counter() - self._started
        return {
            "messages_per_second": (self.count - 1) / elapsed,
            "megabits_per_second": (self.count - 1) * self.size * 8 / elapsed / 1e6,
        }


def percentiles(seconds: list[float]) -> dict[str, Any]:
    """Return the median and the 99th percentile of durations, in microseconds."""
    ordered = sorted(seconds)
    return {
        "p50_us": ordered[len(ordered) // 2] * 1e6,
        "p99_us": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e6,
    }


def private_memory() -> int:
    """Return how many bytes of memory only this process has (Linux), after a garbage collection."""
    gc.collect()
    fields = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(fields[name].split()[0]) * 1024 for name in ("Private_Clean", "Private_Dirty"))


def report_result(fd: int, result: dict[str, Any]) -> None:
    """Write the result of the measurement as a line of JSON."""
    os.write(fd, json.dumps(result).encode() + b"\n")
