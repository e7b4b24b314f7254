"""The inputs: for each parser and core those that cost most."""

from benchmarks.hostile.measure import Case

from . import data

CASES: tuple[Case, ...] = (*data.CASES,)
