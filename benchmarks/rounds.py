"""The measurements, and the alternating rounds in which they are made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from benchmarks.pair import MeasurementError, measure
from benchmarks.workload import Workload

LIBRARIES = ("trio_rtc", "aiortc", "wrtc")


@attrs.frozen
class Measurement:
    """A row group of the table.

    Attributes:
        workload: The workload of the two processes.
        quick: A shorter version of it.
        figures: The figures shown: key, title with the unit, whether more is better.
        libraries: Libraries that support it.
    """

    workload: Workload
    quick: Workload
    figures: Sequence[tuple[str, str, bool]]
    libraries: Sequence[str] = LIBRARIES


SMALL_CALL = Workload(
    "call", width=640, height=360, framerate=30, bitrate=1_000_000, seconds=6.0, warm_up=4.0
)
LARGE_CALL = attrs.evolve(SMALL_CALL, width=1280, height=720, bitrate=1_500_000)  # aiortc's largest
FORWARDED_CALL = attrs.evolve(SMALL_CALL, kind="forwarding")
ENCODED_STREAMS = Workload(
    "streams", message_size=1000, framerate=30, seconds=4.0, warm_up=3.0, repetitions=8
)
VIDEO_STREAMS = Workload(
    "streams", width=320, height=180, framerate=15, bitrate=200_000, seconds=4.0, warm_up=3.0, repetitions=4
)


def _for_a_look(workload: Workload, **changes: Any) -> Workload:
    """Return a workload with media in short."""
    return attrs.evolve(workload, seconds=1.0, warm_up=1.0, **changes)


MEASUREMENTS: Mapping[str, Measurement] = {
    "goodput": Measurement(
        workload=Workload("throughput", message_size=64 * 1024, seconds=3.0),
        quick=Workload("throughput", message_size=64 * 1024, seconds=0.5),
        figures=[("megabits_per_second", "goodput, 64 KiB messages (Mbit/s)", True)],
    ),
    "messages": Measurement(
        workload=Workload("throughput", message_size=100, seconds=3.0),
        quick=Workload("throughput", message_size=100, seconds=0.5),
        figures=[("messages_per_second", "100-byte messages (1/s)", True)],
    ),
    "round_trip": Measurement(
        workload=Workload("round_trip", message_size=100, repetitions=3000),
        quick=Workload("round_trip", message_size=100, repetitions=300),
        figures=[("p50_us", "round trip p50 (µs)", False), ("p99_us", "round trip p99 (µs)", False)],
    ),
    "set_up": Measurement(
        workload=Workload("set_up", repetitions=20),
        quick=Workload("set_up", repetitions=5),
        figures=[("p50_us", "construction to open channel (µs)", False)],
    ),
    "memory": Measurement(
        workload=Workload("memory", repetitions=50),
        quick=Workload("memory", repetitions=10),
        figures=[("kibibytes", "memory per idle connection (KiB)", False)],
    ),
    "latency": Measurement(
        workload=SMALL_CALL,
        quick=_for_a_look(SMALL_CALL),
        figures=[
            ("p50_ms", "glass to glass p50, VP8 360p30 (ms)", False),
            ("p95_ms", "glass to glass p95, VP8 360p30 (ms)", False),
        ],
    ),
    "call_cpu": Measurement(
        workload=LARGE_CALL,
        quick=_for_a_look(LARGE_CALL),
        figures=[
            ("sending_cpu", "CPU of sending VP8 720p30 (ms/s)", False),
            ("receiving_cpu", "CPU of receiving VP8 720p30 (ms/s)", False),
            ("percent_shown", "pictures of that call that came (%)", True),
        ],
    ),
    "forwarding": Measurement(
        workload=FORWARDED_CALL,
        quick=_for_a_look(FORWARDED_CALL),
        figures=[("packets_per_cpu_second", "RTP packets forwarded, others: encoded again (1/CPU s)", True)],
    ),
    "streams": Measurement(
        workload=ENCODED_STREAMS,
        quick=_for_a_look(ENCODED_STREAMS, repetitions=5),
        figures=[("streams_per_cpu", "encoded streams that a CPU sends, 30 frames/s of 1 kB", True)],
        # The tracks of wrtc accept only raw frames.
        libraries=["trio_rtc", "aiortc"],
    ),
    "video_streams": Measurement(
        workload=VIDEO_STREAMS,
        quick=_for_a_look(VIDEO_STREAMS, repetitions=2),
        figures=[("streams_per_cpu", "streams that a CPU encodes and sends, VP8 180p15", True)],
    ),
}


@attrs.define
class Results:
    """The results.

    Attributes:
        figures: Measurement → library → figure → its values, one a round.
        failures: Failed measurements, with the reason.
    """

    figures: dict[str, dict[str, dict[str, list[float]]]] = attrs.Factory(dict)
    failures: list[str] = attrs.Factory(list)

    def add(self, measurement: str, library: str, figures: Mapping[str, float]) -> None:
        """Add a round's figures."""
        values = self.figures.setdefault(measurement, {}).setdefault(library, {})
        for name, value in figures.items():
            values.setdefault(name, []).append(value)


def run_rounds(
    *,
    libraries: Sequence[str],
    measurements: Sequence[str],
    rounds: int,
    quick: bool,
    progress: Callable[[str], None],
) -> Results:
    """Measure each library in turn, again in every round, so that a slow spell of the machine hits all alike."""
    results = Results()
    for number in range(1, rounds + 1):
        for name in measurements:
            workload = MEASUREMENTS[name].quick if quick else MEASUREMENTS[name].workload
            for library in libraries:
                if library not in MEASUREMENTS[name].libraries:
                    continue
                progress(f"round {number} of {rounds}: {name}, {library}")
                try:
                    results.add(name, library, measure(library, workload))
                except MeasurementError as error:
                    results.failures.append(str(error))
                    progress(f"FAILED: {error}")
    return results
