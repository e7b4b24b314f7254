"""The inputs: for each parser and core those that cost most."""

from benchmarks.hostile.measure import Case

from . import connection, connectivity, data, description, media, security

CASES: tuple[Case, ...] = (
    *connectivity.CASES,
    *security.CASES,
    *data.CASES,
    *media.CASES,
    *description.CASES,
    *connection.CASES,
)
