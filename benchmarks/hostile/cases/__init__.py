"""The inputs: for each parser and core those that cost most."""

from benchmarks.hostile.cases import connection, connectivity, data, description, media, security, signaling
from benchmarks.hostile.measure import Case

CASES: tuple[Case, ...] = (
    *connectivity.CASES,
    *security.CASES,
    *data.CASES,
    *media.CASES,
    *description.CASES,
    *connection.CASES,
    *signaling.CASES,
)
