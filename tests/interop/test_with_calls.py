"""The benchmark of calls, with a short call over a lossy network."""

import pytest

from benchmarks.calls.__main__ import chosen_rows, make_parser, run

pytestmark = pytest.mark.timed


async def test_a_call_over_a_lossy_network_is_measured() -> None:
    choice = ["--only", "trio_rtc/chromium/loss2", "--seconds", "5"]
    arguments = make_parser().parse_args(choice)
    rows = chosen_rows(arguments.only)
    results, failures = await run(arguments, rows)
    assert not failures
    (figures,) = results[rows[0]]
    assert figures.frames_per_second > 20
    assert figures.height is not None
    assert figures.jitter_buffer is not None
    assert figures.concealed is not None
    assert 0 < (figures.qp or 0) < 128
    assert figures.kilobits > 200
    assert 0 < figures.first_frame < 2000
