"""Arrival times of datagrams from kernel timestamps."""

import socket
import struct
import sys
import time

import pytest
import trio
import trio.testing

from trio_rtc.transports import arrival_times as arrivals_module
from trio_rtc.transports.arrival_times import (
    SO_TIMESTAMPNS,
    ArrivalTimes,
    enable_arrival_times,
    parse_timestamp,
)

UNIX_NOW = 1000.0


@pytest.fixture
async def arrivals(autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch) -> ArrivalTimes:
    """Return times in a batch that begins at 50 seconds of trio's clock."""
    monkeypatch.setattr(time, "time", lambda: UNIX_NOW)
    await trio.sleep(50)
    times = ArrivalTimes()
    times.begin_batch()
    return times


async def test_datagrams_that_arrived_together_have_the_same_time(arrivals: ArrivalTimes) -> None:
    arrivals.record(1, UNIX_NOW - 0.5)
    arrivals.record(2, UNIX_NOW - 0.25)
    assert arrivals.times == [49.5, 49.75, 49.75]


async def test_arrival_times_at_the_start_of_the_clock(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: UNIX_NOW)
    await trio.sleep(0.5)
    times = ArrivalTimes()
    times.begin_batch()
    times.record(1, UNIX_NOW - 0.25)
    assert times.times == [0.25]


@pytest.mark.parametrize("stamped", [0.0, UNIX_NOW - 1.5, UNIX_NOW - 1, UNIX_NOW + 0.5])
async def test_impossible_timestamps_are_replaced_by_now(arrivals: ArrivalTimes, stamped: float) -> None:
    arrivals.record(1, stamped)
    assert arrivals.times == [50.0]


async def test_arrival_times_do_not_decrease(arrivals: ArrivalTimes) -> None:
    arrivals.record(1, UNIX_NOW - 0.75)
    arrivals.record(1, 0.0)
    arrivals.record(1, UNIX_NOW - 0.5)
    assert arrivals.times == [49.25, 49.5, 49.5]


async def test_arrival_times_do_not_precede_the_last_batch(arrivals: ArrivalTimes) -> None:
    arrivals.record(1, UNIX_NOW - 0.25)
    for _ in range(2):
        arrivals.begin_batch()
        assert arrivals.times == []
    arrivals.record(1, UNIX_NOW - 0.5)
    assert arrivals.times == [49.75]


@pytest.mark.parametrize(("platform", "time_format"), [("freebsd14", "@ll"), ("linux", "@ii")])
def test_without_kernel_timestamps_there_are_no_arrival_times(
    platform: str, time_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On other systems, and with a long of 32 bits, the option has another number."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(arrivals_module, "_TIMESPEC", struct.Struct(time_format))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert enable_arrival_times(sock) is None
        assert not sock.getsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS)


def test_a_timestamp_of_another_size_is_ignored() -> None:
    assert parse_timestamp(b"\0" * 8) == 0.0
