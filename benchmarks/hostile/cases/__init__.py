"""The inputs: for each parser and core those that cost most."""

from benchmarks.hostile.measure import Case

from . import connectivity, data, description

CASES: tuple[Case, ...] = (*connectivity.CASES, *data.CASES, *description.CASES)
