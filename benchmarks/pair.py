"""Runs the two processes of one measurement, with pipes for their signaling."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.workload import Workload

ROOT = Path(__file__).parents[1]
TIMEOUT_SECONDS = 60


class MeasurementError(Exception):
    """A process of a measurement failed; its output has the reason."""


def measure(library: str, workload: Workload) -> dict[str, Any]:
    """Run a measurement.

    Args:
        library: "trio_rtc", "aiortc" or "wrtc".
        workload: What to measure.

    Raises:
        MeasurementError: A process failed, a byte differed, or it took too long.
    """
    to_answerer, from_offerer = os.pipe()
    to_offerer, from_answerer = os.pipe()
    result_reader, result_writer = os.pipe()
    processes = [
        _start(library, "answerer", workload, to_answerer, from_answerer, result_writer),
        _start(library, "offerer", workload, to_offerer, from_offerer, result_writer),
    ]
    # A process that has lost the other one ends, so each pipe may have its ends in these two only.
    for fd in (to_answerer, from_offerer, to_offerer, from_answerer, result_writer):
        os.close(fd)
    try:
        with os.fdopen(result_reader) as results:
            if not select.select([results], [], [], TIMEOUT_SECONDS)[0]:
                raise MeasurementError(f"{library}, {workload}: not done after {TIMEOUT_SECONDS} s")
            line = results.readline()
            if not line:
                raise MeasurementError(f"{library}, {workload}: a process failed")
            result: dict[str, Any] = json.loads(line)
            return result
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(
    library: str, role: str, workload: Workload, reader: int, writer: int, result_writer: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            f"benchmarks.peers.{library}_peer",
            role,
            workload.to_json(),
            str(result_writer),
        ],
        stdin=reader,
        stdout=writer,
        pass_fds=(result_writer,),
        cwd=ROOT,
    )
