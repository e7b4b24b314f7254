"""Reassembles messages from DATA chunks that arrive in any order.

The fragments of a message have consecutive TSNs (RFC 9260 section 6.9). A *run* is a sequence of fragments without a
hole, indexed by its first and its last TSN. A new fragment is appended to the run on its left and joined with the run
on its right; a run that has both a beginning and an end is a message. Fragments in order and out of order cost the
same: two runs are joined by nesting one list in the other, so that fragments in reverse order are not copied each time.

The cost of a chunk does not depend on the amount of data held, because the peer controls that amount. But one chunk may
release many messages or fragments. So their number is bounded as well as their bytes.

Ordered messages wait for their SSN; deliverable messages are kept in an inbox per stream until the application receives
them. All of it is charged against the receive buffer, with an overhead per chunk, so that many tiny messages cannot use
much more memory than the advertised window.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Final, TypeAlias

from trio_rtc.protocols.sctp.packet.data import BEGIN, END, UNFRAGMENTED, UNORDERED, DataHeader
from trio_rtc.protocols.serial import serial_difference

# Memory of a chunk or message besides its payload: a tuple, a bytes header, slots in the containers.
OVERHEAD: Final = 100
# Memory of a run besides its chunks.
RUN_OVERHEAD: Final = 300
# Messages that wait for their SSN, and runs, which count twice. Two holes in every four packets of our largest
# congestion window cause fewer.
MAX_HELD: Final = 4096
# Fragments of a message: these, and one more for each _SMALL_FRAGMENT bytes. No path over UDP requires smaller ones.
_MAX_SMALL_FRAGMENTS: Final = 2048
_SMALL_FRAGMENT: Final = 128

_Message: TypeAlias = tuple[int, bytes]
_Parts: TypeAlias = "list[bytes | _Parts]"


class MessageViolation(Exception):
    """The peer has sent fragments that violate the protocol."""


class _FragmentRun:
    """Fragments of one message with consecutive TSNs."""

    __slots__ = (
        "begins",
        "ends",
        "first",
        "joined",
        "last",
        "parts",
        "ppid",
        "size",
        "ssn",
        "stream_id",
        "unordered",
    )

    def __init__(self, tsn: int, header: DataHeader, payload: bytes) -> None:
        _, flags, _, _, stream_id, ssn, ppid = header
        self.first = self.last = tsn
        self.begins = bool(flags & BEGIN)
        self.ends = bool(flags & END)
        self.unordered = flags & UNORDERED
        self.stream_id = stream_id
        self.ssn = ssn
        self.ppid = ppid
        self.parts: _Parts = [payload]
        self.joined = False
        self.size = len(payload)

    @property
    def charge(self) -> int:
        """Bytes charged against the receive buffer."""
        return self.size + OVERHEAD * (self.last - self.first + 1) + RUN_OVERHEAD

    def to_bytes(self) -> bytes:
        return b"".join(_flatten(self.parts) if self.joined else self.parts)  # type: ignore[arg-type]


def _flatten(parts: _Parts) -> Iterator[bytes]:
    """Yield the fragments in nested lists, without recursion: the peer controls the depth."""
    levels = [iter(parts)]
    while levels:
        for part in levels[-1]:
            if isinstance(part, list):
                levels.append(iter(part))
                break
            yield part
        else:
            levels.pop()


class Reassembly:
    """Fragments, complete messages that wait for their SSN, and messages available to the application.

    Attributes:
        charged: Bytes charged against the receive buffer, overhead included.
        ready: Streams with new messages since ``take_ready_streams``.
        stale: Messages dropped because their SSN had already been delivered or skipped.
    """

    def __init__(self, max_message_size: int) -> None:
        self._max_message_size = max_message_size
        self._runs_by_first: dict[int, _FragmentRun] = {}
        self._runs_by_last: dict[int, _FragmentRun] = {}
        # First TSNs of runs, as a heap; some of the runs have been joined or completed since.
        self._begun: list[int] = []
        self._next_ssn: dict[int, int] = {}
        self._waiting: dict[int, dict[int, _Message]] = {}
        self._waiting_count = 0
        self._inboxes: dict[int, deque[_Message]] = {}
        self.charged = 0
        self.ready: set[int] = set()
        self.stale = 0

    @property
    def is_crowded(self) -> bool:
        """Whether so much is incomplete or out of order that only chunks that ``can_proceed_with`` are accepted."""
        return self._waiting_count + 2 * len(self._runs_by_first) >= MAX_HELD

    def can_proceed_with(self, tsn: int, header: DataHeader) -> bool:
        """Return whether a chunk continues a message that is held, or can be delivered at once."""
        _, flags, _, _, stream_id, ssn, _ = header
        if flags & UNFRAGMENTED == UNFRAGMENTED:
            return bool(flags & UNORDERED) or ssn == self._next_ssn.get(stream_id, 0)
        return tsn - 1 in self._runs_by_last or tsn + 1 in self._runs_by_first

    def add(self, tsn: int, header: DataHeader, payload: bytes) -> None:
        """Add a chunk with a new TSN; ``MessageViolation`` if it contradicts its neighbours or is too large."""
        _, flags, _, _, stream_id, ssn, ppid = header
        self.charged += len(payload) + OVERHEAD
        if flags & UNFRAGMENTED == UNFRAGMENTED:
            if flags & UNORDERED:
                self._deliver(stream_id, ppid, payload)
            else:
                self._order(stream_id, ssn, ppid, payload)
            return
        run = self._runs_by_last.pop(tsn - 1, None)
        if run is None or run.ends or flags & BEGIN:
            if run is not None:
                self._runs_by_last[run.last] = run
            run = self._begin_run(tsn, header, payload)
        else:
            _check_neighbours(run, flags & UNORDERED, stream_id, ssn)
            run.parts.append(payload)
            run.last = tsn
            run.size += len(payload)
            run.ends = bool(flags & END)
        if len(self._runs_by_first) > 1:
            self._join_right(run)
        self._runs_by_last[run.last] = run
        if run.size > self._max_message_size:
            raise MessageViolation(f"message of over {self._max_message_size} bytes")
        if run.last - run.first >= _MAX_SMALL_FRAGMENTS + run.size // _SMALL_FRAGMENT:
            raise MessageViolation(f"message of {run.size} bytes in over {_MAX_SMALL_FRAGMENTS} fragments")
        if run.begins and run.ends:
            self._complete(run)

    def pop_message(self, stream_id: int) -> tuple[int, bytes] | None:
        inbox = self._inboxes.get(stream_id)
        if inbox is None:
            return None
        message = inbox.popleft()
        if not inbox:
            del self._inboxes[stream_id]
        self.charged -= len(message[1]) + OVERHEAD
        return message

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        inbox = self._inboxes.get(stream_id)
        return inbox[0][0] if inbox is not None else None

    def take_ready_streams(self) -> tuple[int, ...]:
        """Return the streams with new messages, sorted, and clear them."""
        ready = self.ready
        streams = tuple(ready if len(ready) == 1 else sorted(ready))
        ready.clear()
        return streams

    def skip_to(self, new_cumulative_tsn: int, skipped: tuple[tuple[int, int], ...]) -> None:
        """Discard the fragments that a FORWARD-TSN skips (RFC 3758 section 3.6).

        Fragments up to that TSN can never become a message; ordered streams continue after their skipped SSN.
        """
        begun, runs = self._begun, self._runs_by_first
        while begun and begun[0] <= new_cumulative_tsn:
            run = runs.pop(heapq.heappop(begun), None)
            if run is not None:
                del self._runs_by_last[run.last]
                self.charged -= run.charge
        for stream_id, ssn in skipped:
            expected = self._next_ssn.get(stream_id, 0)
            count = serial_difference(ssn, expected, 16) + 1
            if count > 0:
                self._deliver_waiting(stream_id, expected, count)
                self._next_ssn[stream_id] = (ssn + 1) & 0xFFFF
                self._advance(stream_id)

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Reset the SSNs of streams to zero (RFC 6525 section 5.2.2); no identifiers means all streams."""
        if not stream_ids:
            # There may be tens of thousands of streams that have only an SSN.
            self._next_ssn.clear()
        for stream_id in stream_ids or tuple(self._waiting):
            self._next_ssn.pop(stream_id, None)
            # Everything before the reset has been delivered; a message that still waits violates the protocol.
            waiting = self._waiting.pop(stream_id, {})
            self._waiting_count -= len(waiting)
            for _, data in waiting.values():
                self.charged -= len(data) + OVERHEAD

    def _begin_run(self, tsn: int, header: DataHeader, payload: bytes) -> _FragmentRun:
        run = self._runs_by_first[tsn] = _FragmentRun(tsn, header, payload)
        self.charged += RUN_OVERHEAD
        if len(self._begun) > 2 * len(self._runs_by_first) + 64:
            self._begun = sorted(self._runs_by_first)
        else:
            heapq.heappush(self._begun, tsn)
        return run

    def _join_right(self, run: _FragmentRun) -> None:
        right = self._runs_by_first.get(run.last + 1)
        if right is None or right.begins or run.ends:
            return
        _check_neighbours(run, right.unordered, right.stream_id, right.ssn)
        del self._runs_by_first[right.first]
        self.charged -= RUN_OVERHEAD
        run.parts.append(right.parts)
        run.joined = True
        run.last = right.last
        run.size += right.size
        run.ends = right.ends

    def _forget(self, run: _FragmentRun) -> None:
        del self._runs_by_first[run.first]
        del self._runs_by_last[run.last]

    def _complete(self, run: _FragmentRun) -> None:
        self._forget(run)
        data = run.to_bytes()
        self.charged -= run.charge - len(data) - OVERHEAD
        if run.unordered:
            self._deliver(run.stream_id, run.ppid, data)
        else:
            self._order(run.stream_id, run.ssn, run.ppid, data)

    def _order(self, stream_id: int, ssn: int, ppid: int, data: bytes) -> None:
        """Deliver an ordered message, or keep it until its predecessors are delivered."""
        expected = self._next_ssn.get(stream_id, 0)
        if ssn == expected:
            self._next_ssn[stream_id] = (ssn + 1) & 0xFFFF
            self._deliver(stream_id, ppid, data)
            if self._waiting:
                self._advance(stream_id)
        elif serial_difference(ssn, expected, 16) < 0 or ssn in self._waiting.get(stream_id, ()):
            self.stale += 1
            self.charged -= len(data) + OVERHEAD
        else:
            self._waiting.setdefault(stream_id, {})[ssn] = (ppid, data)
            self._waiting_count += 1

    def _advance(self, stream_id: int) -> None:
        """Deliver the waiting messages that are next in order."""
        waiting = self._waiting.get(stream_id)
        if waiting is None:
            return
        expected = self._next_ssn[stream_id]
        before = len(waiting)
        while (message := waiting.pop(expected, None)) is not None:
            self._deliver(stream_id, *message)
            expected = (expected + 1) & 0xFFFF
        self._next_ssn[stream_id] = expected
        self._waiting_count -= before - len(waiting)
        if not waiting:
            del self._waiting[stream_id]

    def _deliver_waiting(self, stream_id: int, first_ssn: int, count: int) -> None:
        """Deliver the waiting messages among ``count`` SSNs in order, skipping the missing ones."""
        waiting = self._waiting.get(stream_id)
        if waiting is None:
            return
        # Iterate over the SSNs or the messages, whichever are fewer.
        offsets = (
            range(count) if count < len(waiting) else sorted((ssn - first_ssn) & 0xFFFF for ssn in waiting)
        )
        for offset in offsets:
            if offset >= count:
                break
            message = waiting.pop((first_ssn + offset) & 0xFFFF, None)
            if message is not None:
                self._waiting_count -= 1
                self._deliver(stream_id, *message)
        if not waiting:
            del self._waiting[stream_id]

    def _deliver(self, stream_id: int, ppid: int, data: bytes) -> None:
        inbox = self._inboxes.get(stream_id)
        if inbox is None:
            self._inboxes[stream_id] = deque(((ppid, data),))
        else:
            inbox.append((ppid, data))
        self.ready.add(stream_id)


def _check_neighbours(run: _FragmentRun, unordered: int, stream_id: int, ssn: int) -> None:
    if run.stream_id != stream_id or run.unordered != unordered or (run.ssn != ssn and not unordered):
        raise MessageViolation(
            f"fragments of different messages at consecutive TSNs {run.first} to {run.last}"
        )
