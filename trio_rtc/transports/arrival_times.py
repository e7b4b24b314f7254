"""When datagrams came, by what the kernel notes of each (``SO_TIMESTAMPNS``), on trio's clock."""

import contextlib
import socket
import struct
import sys
import time

import trio

# <asm-generic/socket.h>: with a time of two longs, on machines where a long has 64 bits.
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
# Seconds. A clock that was set meanwhile is not believed.
_LONGEST_WAIT = 1.0


def enable_arrival_times(sock: socket.socket) -> "ArrivalTimes | None":
    """Have the kernel note when a socket's datagrams come; ``None`` where it does not."""
    if sys.platform.startswith("linux") and _TIMESPEC.size == 16:
        # A closed socket refuses it, too.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            return ArrivalTimes()
    return None


def parse_timestamp(timestamp: bytes) -> float:
    """Return the Unix time at which the kernel says that a datagram came, 0 if it cannot be read."""
    if len(timestamp) != _TIMESPEC.size:
        return 0.0
    seconds, nanoseconds = _TIMESPEC.unpack(timestamp)
    return float(seconds + nanoseconds * 1e-9)


class ArrivalTimes:
    """When the datagrams of a socket came: none later than now, and none later than the one after it.

    Attributes:
        times: Of each datagram of the present batch, in seconds of trio's clock.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._latest = 0.0
        self._now = 0.0
        self._offset = 0.0

    def begin_batch(self) -> None:
        """Forget those of the last batch."""
        if self.times:
            self._latest = self.times[-1]
            self.times.clear()
        self._now = trio.current_time()
        self._offset = self._now - time.time()

    def record(self, count: int, stamped: float) -> None:
        """Note so many datagrams that came together, at a Unix time; 0 where the kernel has not noted any."""
        now, times, arrived = self._now, self.times, stamped + self._offset
        arrived = max(arrived, self._latest) if now - _LONGEST_WAIT < arrived < now else now
        if times and arrived < times[-1]:
            # Those before had come when the kernel did not note arrivals yet.
            times[:] = [min(at, arrived) for at in times]
        times += [arrived] * count
