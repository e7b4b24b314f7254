"""Arrival times of datagrams from kernel timestamps (``SO_TIMESTAMPNS``), on trio's clock."""

import contextlib
import socket
import struct
import sys
import time

import trio

# <asm-generic/socket.h>: a timespec of two longs, on machines where a long has 64 bits.
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
# Seconds. A longer time in the socket's buffer means that the clock was set, so that the timestamp is ignored.
_LONGEST_WAIT = 1.0


def enable_arrival_times(sock: socket.socket) -> "ArrivalTimes | None":
    """Enable kernel timestamps of received datagrams; return ``None`` where they are not supported."""
    if sys.platform.startswith("linux") and _TIMESPEC.size == 16:
        # A closed socket raises OSError, too.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            return ArrivalTimes()
    return None


def parse_timestamp(timestamp: bytes) -> float:
    """Return the Unix time of a kernel timestamp, 0 if it has an unexpected size."""
    if len(timestamp) != _TIMESPEC.size:
        return 0.0
    seconds, nanoseconds = _TIMESPEC.unpack(timestamp)
    return float(seconds + nanoseconds * 1e-9)


class ArrivalTimes:
    """Arrival times of the datagrams of a socket: never in the future, and never decreasing.

    Attributes:
        times: Arrival time of each datagram of the current batch, in seconds of trio's clock.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._latest = 0.0
        self._now = 0.0
        self._offset = 0.0

    def begin_batch(self) -> None:
        if self.times:
            self._latest = self.times[-1]
            self.times.clear()
        self._now = trio.current_time()
        self._offset = self._now - time.time()

    def record(self, count: int, stamped: float) -> None:
        """Record ``count`` datagrams that arrived together at a Unix time; 0 without a kernel timestamp."""
        now, times, arrived = self._now, self.times, stamped + self._offset
        arrived = max(arrived, self._latest) if now - _LONGEST_WAIT < arrived < now else now
        if times and arrived < times[-1]:
            # Earlier ones arrived before kernel timestamps were enabled.
            times[:] = [min(at, arrived) for at in times]
        times += [arrived] * count
