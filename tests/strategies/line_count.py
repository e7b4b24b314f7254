"""The work of a call, counted in lines instead of timed, so that tests of its growth are deterministic."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def count_lines(call: Callable[[], object], *, within: str = "trio_rtc") -> int:
    """Return the number of lines that a call runs in modules whose path has ``within``, counting iterations."""
    count = 0

    def trace_line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
        return trace_line

    def trace_call(frame: FrameType, event: str, argument: Any) -> Any:
        return trace_line if within in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace_call)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
