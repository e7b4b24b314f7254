"""The inputs: for each parser and core those that cost most."""

from benchmarks.hostile.measure import Case

from . import connectivity, data, description, media

CASES: tuple[Case, ...] = (*connectivity.CASES, *data.CASES, *media.CASES, *description.CASES)
