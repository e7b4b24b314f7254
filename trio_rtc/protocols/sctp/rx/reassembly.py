"""Turns chunks of user data into messages, in whatever order the chunks come.

The fragments of a message carry consecutive TSNs (RFC 9260 section 6.9), so what belongs together is found by
its neighbours: a *run* is a stretch of fragments without a hole, indexed by its first and its last TSN. A new
fragment is appended to the run on its left and joined with the run on its right; a run that has both a
beginning and an end is a message. That costs the same for a fragment in order and for one out of order.

Ordered messages then wait for their SSN; what is complete and in turn waits in an inbox per stream until
the application takes it. All of this is charged against the receive buffer, with an overhead per chunk so
that many tiny messages cannot take far more memory than the window says.
"""

from collections import deque
from typing import Final

from trio_rtc.protocols.sctp.packet.data import BEGIN, END, UNFRAGMENTED, UNORDERED, DataHeader
from trio_rtc.protocols.serial import serial_difference

# What a chunk or message costs beside its payload: a tuple, a bytes header, slots in the containers.
OVERHEAD: Final = 100


class MessageViolation(Exception):
    """The peer sent fragments that no correct sender sends."""


class _Run:
    """Fragments of one message with consecutive TSNs."""

    __slots__ = ("begins", "ends", "first", "last", "parts", "ppid", "size", "ssn", "stream_id", "unordered")

    def __init__(self, tsn: int, header: DataHeader, payload: bytes) -> None:
        _, flags, _, _, stream_id, ssn, ppid = header
        self.first = self.last = tsn
        self.begins = bool(flags & BEGIN)
        self.ends = bool(flags & END)
        self.unordered = flags & UNORDERED
        self.stream_id = stream_id
        self.ssn = ssn
        self.ppid = ppid
        self.parts = [payload]
        self.size = len(payload)


class Reassembly:
    """Holds fragments, complete messages that wait for their turn, and messages ready to be taken.

    Attributes:
        charged: Bytes that everything held here counts against the receive buffer, overhead included.
        ready: Streams on which messages have become available since ``take_ready``.
        stale: Chunks that were dropped because their SSN had already been delivered or skipped.
    """

    def __init__(self, max_message_size: int) -> None:
        self._max_message_size = max_message_size
        self._runs_by_first: dict[int, _Run] = {}
        self._runs_by_last: dict[int, _Run] = {}
        self._next_ssn: dict[int, int] = {}
        self._waiting: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._inboxes: dict[int, deque[tuple[int, bytes]]] = {}
        self.charged = 0
        self.ready: set[int] = set()
        self.stale = 0

    def add(self, tsn: int, header: DataHeader, payload: bytes) -> None:
        """Take the chunk with an unwrapped TSN that has not been here before, and its header as unpacked.

        Raises:
            MessageViolation: It contradicts its neighbours, or the message grows too large.
        """
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
            run = self._runs_by_first[tsn] = _Run(tsn, header, payload)
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
        if run.begins and run.ends:
            self._complete(run)

    def take(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of a stream: its payload protocol identifier and its data."""
        inbox = self._inboxes.get(stream_id)
        if inbox is None:
            return None
        message = inbox.popleft()
        if not inbox:
            del self._inboxes[stream_id]
        self.charged -= len(message[1]) + OVERHEAD
        return message

    def next_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of what ``take`` would return, None if there is nothing."""
        inbox = self._inboxes.get(stream_id)
        return None if inbox is None else inbox[0][0]

    def peek(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of a stream's next message, None if there is no message."""
        inbox = self._inboxes.get(stream_id)
        return inbox[0][0] if inbox is not None else None

    def take_ready(self) -> tuple[int, ...]:
        """Return the streams with new messages, sorted, and forget them."""
        ready = tuple(sorted(self.ready))
        self.ready.clear()
        return ready

    def skip(self, new_cumulative_tsn: int, skipped: tuple[tuple[int, int], ...]) -> None:
        """Give up what a FORWARD-TSN skips (RFC 3758 section 3.6).

        Fragments up to that TSN can never become a message; ordered streams go on behind their skipped SSN.
        """
        for run in [run for first, run in self._runs_by_first.items() if first <= new_cumulative_tsn]:
            self._forget(run)
            self.charged -= run.size + OVERHEAD * len(run.parts)
        for stream_id, ssn in skipped:
            expected = self._next_ssn.get(stream_id, 0)
            count = serial_difference(ssn, expected, 16) + 1
            if count > 0:
                self._deliver_waiting(stream_id, expected, count)
                self._next_ssn[stream_id] = (ssn + 1) & 0xFFFF
                self._advance(stream_id)

    def reset(self, stream_ids: tuple[int, ...]) -> None:
        """Start the SSNs of streams again from zero (RFC 6525 section 5.2.2); none means all streams."""
        streams = set(stream_ids) if stream_ids else set(self._next_ssn)
        for stream_id in streams:
            self._next_ssn.pop(stream_id, None)
        # Everything before the reset has been delivered; what still waits was sent against the rules.
        for key in [key for key in self._waiting if key[0] in streams]:
            _, data = self._waiting.pop(key)
            self.charged -= len(data) + OVERHEAD

    def _join_right(self, run: _Run) -> None:
        right = self._runs_by_first.get(run.last + 1)
        if right is None or right.begins or run.ends:
            return
        _check_neighbours(run, right.unordered, right.stream_id, right.ssn)
        del self._runs_by_first[right.first]
        run.parts += right.parts
        run.last = right.last
        run.size += right.size
        run.ends = right.ends

    def _forget(self, run: _Run) -> None:
        del self._runs_by_first[run.first]
        del self._runs_by_last[run.last]

    def _complete(self, run: _Run) -> None:
        self._forget(run)
        self.charged -= OVERHEAD * (len(run.parts) - 1)
        data = b"".join(run.parts)
        if run.unordered:
            self._deliver(run.stream_id, run.ppid, data)
        else:
            self._order(run.stream_id, run.ssn, run.ppid, data)

    def _order(self, stream_id: int, ssn: int, ppid: int, data: bytes) -> None:
        """Deliver an ordered message, or keep it until its predecessors are there."""
        expected = self._next_ssn.get(stream_id, 0)
        if ssn == expected:
            self._next_ssn[stream_id] = (ssn + 1) & 0xFFFF
            self._deliver(stream_id, ppid, data)
            if self._waiting:
                self._advance(stream_id)
        elif serial_difference(ssn, expected, 16) < 0 or (stream_id, ssn) in self._waiting:
            self.stale += 1
            self.charged -= len(data) + OVERHEAD
        else:
            self._waiting[stream_id, ssn] = (ppid, data)

    def _advance(self, stream_id: int) -> None:
        """Deliver the waiting messages whose turn has come."""
        expected = self._next_ssn[stream_id]
        while (message := self._waiting.pop((stream_id, expected), None)) is not None:
            self._deliver(stream_id, *message)
            expected = (expected + 1) & 0xFFFF
        self._next_ssn[stream_id] = expected

    def _deliver_waiting(self, stream_id: int, first_ssn: int, count: int) -> None:
        """Deliver what waits among ``count`` SSNs, in order, over the holes."""
        offsets = sorted(
            offset
            for stream, ssn in self._waiting
            if stream == stream_id and (offset := (ssn - first_ssn) & 0xFFFF) < count
        )
        for offset in offsets:
            self._deliver(stream_id, *self._waiting.pop((stream_id, (first_ssn + offset) & 0xFFFF)))

    def _deliver(self, stream_id: int, ppid: int, data: bytes) -> None:
        inbox = self._inboxes.get(stream_id)
        if inbox is None:
            self._inboxes[stream_id] = deque(((ppid, data),))
        else:
            inbox.append((ppid, data))
        self.ready.add(stream_id)


def _check_neighbours(run: _Run, unordered: int, stream_id: int, ssn: int) -> None:
    if run.stream_id != stream_id or run.unordered != unordered or (run.ssn != ssn and not unordered):
        raise MessageViolation(
            f"fragments of different messages at consecutive TSNs {run.first} to {run.last}"
        )
