"""Measuring one case: CPU time of single calls, in units of a fixed loop that runs beside them.

The bounds are times on the machine of ``REFERENCE_LOOP``. A slower or busier machine takes longer for the loop, too,
and the bounds grow by that factor; they never shrink.

The growth from half of the largest size to the largest is checked, too: of the time, or, below a tenth of the bound,
of the number of executed lines of Python. Times that short consist of constant costs and noise, and repeating them does
not help: caches and the processor's clock change more between two runs than a few microseconds. The number of lines is
the same in each run. It does not show what one line makes C code do, such as searching in a list, deleting from its
front, or joining bytes. In a case that costs less than a tenth of its bound at the largest size that can be sent, such
work is harmless, whichever way it grows.
"""

import gc
import sys
import time
from collections.abc import Callable, Sequence
from enum import Enum
from types import FrameType
from typing import Any

import attrs

REFERENCE_LOOP = 0.011
"""Seconds of CPU that ``_fixed_loop`` takes on the reference, one core of an AMD EPYC server."""
MAX_GROWTH = 2.9
"""Limit of the growth of the time when the size doubles; 2 is linear, the rest allows for noise and caches."""
MAX_LINE_GROWTH = 2.3
"""Limit of the growth of the executed lines, without noise; the rest allows for sizes that are not quite doubled."""
_SHORT = 0.1
"""The part of the bound below which lines are counted."""
_REPEATS = 7
_ATTEMPTS = 3
"""Measurements that must all break a bound: another process can slow one down more than the loop beside it."""
_PATIENCE = 0.5
"""Seconds after which a size is not measured again, once it has been measured three times."""


class Source(Enum):
    """Sender of an input, and the limit of CPU seconds for one datagram or description."""

    STRANGER = 0.0002
    PEER = 0.002
    DESCRIPTION = 0.2


@attrs.frozen
class Cost:
    """CPU seconds and executed lines. A case returns the difference of two, to measure only a part of its call."""

    seconds: float
    lines: int

    @classmethod
    def until_now(cls) -> "Cost":
        """Return the costs since any moment before."""
        return cls(time.process_time(), _lines.count)

    def __sub__(self, before: "Cost") -> "Cost":
        return Cost(self.seconds - before.seconds, self.lines - before.lines)


@attrs.frozen
class Case:
    """An input that costs as much as possible.

    Attributes:
        name: The parser or core, and the input.
        source: Who can send it.
        sizes: Growing, each twice the one before it; the last is the largest that can be sent.
        prepare: Returns, for a size, the call that is measured; it is called again for each measurement. The call may
            measure a part of itself and return its ``Cost``.
        unit: Of the sizes.
        datagrams: Datagrams of the largest size: of a stream, segments of TCP or frames of a WebSocket. Each may cost
            what the bound allows.
    """

    name: str
    source: Source
    sizes: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]
    unit: str = "items"
    datagrams: int = 1

    @property
    def bound(self) -> float:
        """Seconds that the largest size may cost on the reference."""
        return self.source.value * self.datagrams


@attrs.frozen
class Result:
    """Measured costs of one case.

    Attributes:
        case: The case.
        seconds: CPU time for each size, the least of several runs.
        factor: How much slower than the reference this machine was meanwhile, at least 1.
        lines: Executed lines of half of the largest size and of the largest; ``None`` if the time is long enough.
    """

    case: Case
    seconds: tuple[float, ...]
    factor: float
    lines: tuple[int, int] | None = None

    @property
    def worst(self) -> float:
        """The time of the most expensive size."""
        return max(self.seconds)

    @property
    def share(self) -> float:
        """The worst time as a part of the bound on this machine."""
        return self.worst / (self.case.bound * self.factor)

    @property
    def growth(self) -> float | None:
        """The cost of the largest size over that of half of it, in lines if counted; ``None`` with a single size."""
        if self.lines is not None:
            return self.lines[1] / self.lines[0]
        return self.seconds[-1] / self.seconds[-2] if len(self.seconds) > 1 else None

    @property
    def is_linear(self) -> bool:
        """Whether the cost grows no faster than the size, as far as that was measured."""
        if self.lines is None and self.share < _SHORT:
            return True
        return self.growth is None or self.growth <= (MAX_GROWTH if self.lines is None else MAX_LINE_GROWTH)

    @property
    def is_within_bounds(self) -> bool:
        """Whether the case costs no more than it may."""
        return self.share <= 1 and self.is_linear


def measure(case: Case) -> Result:
    """Measure all sizes of a case; up to three times if it breaks a bound, and return the best."""
    results: list[Result] = []
    while not results or (len(results) < _ATTEMPTS and not results[-1].is_within_bounds):
        results.append(_measure_once(case))
    return min(results, key=lambda result: (not result.is_within_bounds, result.share))


def _measure_once(case: Case) -> Result:
    factors = [machine_factor()]
    seconds = []
    for size in case.sizes:
        seconds.append(_measure_size(case, size))
        factors.append(machine_factor())
    result = Result(case, tuple(seconds), max(factors))
    if result.share >= _SHORT or len(case.sizes) < 2:
        return result
    half, largest = (_count_lines(case.prepare(size)) for size in case.sizes[-2:])
    return attrs.evolve(result, lines=(half, largest))


def machine_factor() -> float:
    """Return how much slower than the reference machine this one is just now, at least 1."""
    return max(1.0, _cpu_time(_fixed_loop) / REFERENCE_LOOP)


def _measure_size(case: Case, size: int) -> float:
    # Input without keys changes nothing, so that it can be sent repeatedly.
    repeat = 20 if case.source is Source.STRANGER else 1
    started = time.perf_counter()
    times: list[float] = []
    while len(times) < _REPEATS and (len(times) < 3 or time.perf_counter() - started < _PATIENCE):
        times.append(_cpu_time(case.prepare(size), repeat))
    return min(times)


def _cpu_time(call: Callable[[], object], repeat: int = 1) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        for _ in range(repeat):
            result = call()
            if isinstance(result, Cost):
                return result.seconds
        return (time.process_time() - start) / repeat
    finally:
        gc.enable()


@attrs.define
class _LineCounter:
    """Counts the executed lines of all Python code while it is installed."""

    count: int = 0

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.count += 1
        return self.trace


_lines = _LineCounter()


def _count_lines(call: Callable[[], object]) -> int:
    before, trace = Cost.until_now(), sys.gettrace()
    sys.settrace(_lines.trace)
    try:
        result = call()
    finally:
        sys.settrace(trace)
    cost = result if isinstance(result, Cost) else Cost.until_now() - before
    return max(1, cost.lines)


def _fixed_loop() -> int:
    # More memory than the nearest caches have: what other processes do to those is part of what it measures.
    table: dict[int, bytes] = {}
    for number in range(80_000):
        table[number & 0x3FFF] = number.to_bytes(4, "big") * 16
    return len(table)
