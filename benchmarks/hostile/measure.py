"""Measuring one case: CPU time of single calls, in units of a fixed loop that runs beside them.

The bounds are times on the machine of ``REFERENCE_LOOP``. A slower or busier machine takes longer for the loop, too,
and the bounds grow by that factor; they never shrink.
"""

import gc
import time
from collections.abc import Callable, Sequence
from enum import Enum

import attrs

REFERENCE_LOOP = 0.011
"""Seconds of CPU that ``_fixed_loop`` takes on the reference, one core of an AMD EPYC server."""
MAX_GROWTH = 2.9
"""Limit of the growth of the time when the size doubles; 2 is linear, the rest allows for noise and caches."""
_SHORT = 0.1
"""Growth counts from this part of the bound on: below it constant costs and noise decide."""
_REPEATS = 7
_PATIENCE = 0.5
"""Seconds after which a size is not measured again, once it has been measured three times."""


class Source(Enum):
    """Sender of an input, and the limit of CPU seconds for one input."""

    STRANGER = 0.0002
    PEER = 0.002
    DESCRIPTION = 0.2


@attrs.frozen
class Elapsed:
    """Return value of a case that measures only a part of its call.

    Attributes:
        seconds: CPU time of the part that counts.
    """

    seconds: float


@attrs.frozen
class Case:
    """An input that costs as much as possible.

    Attributes:
        name: The parser or core, and the input.
        source: Who can send it.
        sizes: Growing, each twice the one before it; the last is the largest that can be sent.
        prepare: Returns, for a size, the call that is measured; it is called again for each measurement. The call may
            measure itself and return ``Elapsed``.
        unit: Of the sizes.
    """

    name: str
    source: Source
    sizes: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]
    unit: str = "items"


@attrs.frozen
class Result:
    """Measured costs of one case.

    Attributes:
        case: The case.
        seconds: CPU time for each size, the least of several runs.
        factor: How much slower than the reference this machine was meanwhile, at least 1.
    """

    case: Case
    seconds: tuple[float, ...]
    factor: float

    @property
    def worst(self) -> float:
        """The time of the most expensive size."""
        return max(self.seconds)

    @property
    def share(self) -> float:
        """The worst time as a part of the bound on this machine."""
        return self.worst / (self.case.source.value * self.factor)

    @property
    def growth(self) -> float | None:
        """The time of the largest size over that of half of it, ``None`` with a single size."""
        return self.seconds[-1] / self.seconds[-2] if len(self.seconds) > 1 else None

    @property
    def is_linear(self) -> bool:
        """Whether the time grows no faster than the size, as far as it is long enough to tell."""
        return self.growth is None or self.growth <= MAX_GROWTH or self.share < _SHORT

    @property
    def is_within_bounds(self) -> bool:
        """Whether the case costs no more than it may."""
        return self.share <= 1 and self.is_linear


def measure(case: Case) -> Result:
    """Measure all sizes of a case."""
    factors = [machine_factor()]
    seconds = []
    for size in case.sizes:
        seconds.append(_measure_size(case, size))
        factors.append(machine_factor())
    return Result(case, tuple(seconds), max(factors))


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
    result: object = None
    try:
        start = time.process_time()
        for _ in range(repeat):
            result = call()
        if isinstance(result, Elapsed):
            return result.seconds
        return (time.process_time() - start) / repeat
    finally:
        gc.enable()


def _fixed_loop() -> int:
    # More memory than the nearest caches have: what other processes do to those is part of what it measures.
    table: dict[int, bytes] = {}
    for number in range(80_000):
        table[number & 0x3FFF] = number.to_bytes(4, "big") * 16
    return len(table)
