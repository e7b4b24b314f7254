"""Queued messages by stream, and their fragmentation into DATA chunks.

Streams are scheduled round-robin by message. The fragments of a message are sent without others in between, because
their TSNs must be consecutive (RFC 9260 section 6.9).

A stream with a pending reset is no longer scheduled once the messages queued before ``begin_reset`` are sent; later
messages wait for ``finish_reset`` and have new SSNs.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from trio_rtc.protocols.sctp.packet.data import (
    BEGIN,
    DATA,
    DATA_HEADER,
    DATA_HEADER_SIZE,
    END,
    PADDING,
    UNORDERED,
)

# A message that must be fragmented may start in the rest of a packet if that has at least this size.
_SMALLEST_FRAGMENT: Final = 256


class PartialReliability:
    """The limits of one message (RFC 3758, RFC 7496), and the TSNs of its fragments.

    ``max_retransmits`` applies to each chunk; ``expires_at`` is absolute. ``first_tsn`` and ``last_tsn`` are those of
    the fragments sent so far; ``last_tsn`` is -1 before the first.
    """

    __slots__ = (
        "abandoned",
        "expires_at",
        "first_tsn",
        "last_tsn",
        "max_retransmits",
        "ordered",
        "ssn",
        "stream_id",
    )

    def __init__(self, stream_id: int, ordered: bool, max_retransmits: float, expires_at: float) -> None:
        self.stream_id = stream_id
        self.ordered = ordered
        self.max_retransmits = max_retransmits
        self.expires_at = expires_at
        self.ssn = 0
        self.first_tsn = 0
        self.last_tsn = -1
        self.abandoned = False

    def record_sent(self, tsn: int, ssn: int) -> None:
        if self.last_tsn < 0:
            self.first_tsn = tsn
            self.ssn = ssn
        self.last_tsn = tsn


_Message = tuple[bytes, int, int, PartialReliability | None, bool]
"""Data, payload protocol identifier, flags (only U), limits of the message, whether the buffered amount counts it."""


class _OutgoingStream:
    __slots__ = ("after_reset", "buffered", "last_tsn", "messages", "next_ssn", "stream_id", "threshold")

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id
        self.messages: deque[_Message] = deque()
        self.after_reset: deque[_Message] | None = None
        self.next_ssn = 0
        self.buffered = 0
        self.threshold = 0
        self.last_tsn = -1


class SendQueue:
    """Queued messages of all outgoing streams.

    Attributes:
        total: Bytes of all messages that are not in a chunk yet.
        active: Streams that have data to send, in round-robin order, without data that waits for a reset.
        low_streams: Streams whose buffered amount has fallen to their threshold, until ``take_low_streams``.
        partial_reliability: Whether limits apply; False for a peer without RFC 3758.
        expired_begun: Limits of partly sent messages whose lifetime has ended: their chunks must be abandoned.
        expired: Messages whose lifetime ended before any part of them was sent.
    """

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._streams: dict[int, _OutgoingStream] = {}
        self.active: deque[_OutgoingStream] = deque()
        self._current: _OutgoingStream | None = None
        self._offset = 0
        self.total = 0
        self.partial_reliability = True
        self.low_streams: list[int] = []
        self.expired_begun: list[PartialReliability] = []
        self.expired = 0

    def push(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        ordered: bool,
        reliability: PartialReliability | None,
        *,
        counted: bool = True,
    ) -> None:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _OutgoingStream(stream_id)
        size = len(data)
        if counted:
            stream.buffered += size
        self.total += size
        message = (data, ppid, 0 if ordered else UNORDERED, reliability, counted)
        if stream.after_reset is not None:
            stream.after_reset.append(message)
            return
        if not stream.messages:
            self.active.append(stream)
        stream.messages.append(message)

    @property
    def has_sendable(self) -> bool:
        return bool(self.active)

    def produce(self, space: int, tsn: int, now: float) -> tuple[bytes, PartialReliability | None] | None:
        """Create the next DATA chunk, of at most ``space`` bytes (a multiple of four), with a TSN.

        Returns:
            The chunk, padded, and the limits of its message; None if there is no data, or none worth a chunk of so
            little space.
        """
        stream = self._current
        if stream is None:
            if not self.active:
                return None
            stream = self.active[0]
        data, ppid, flags, reliability, counted = stream.messages[0]
        if not self.partial_reliability:
            reliability = None
        elif reliability is not None and reliability.expires_at <= now:
            return self._drop_expired_and_produce(space, tsn, now)
        offset = self._offset
        size = len(data) - offset
        room = space - DATA_HEADER_SIZE
        if offset == 0:
            flags |= BEGIN
        if size <= room:
            flags |= END
            payload = data[offset:] if offset else data
        elif size <= self._max_payload or room < _SMALLEST_FRAGMENT:
            return None
        else:
            size = room
            payload = data[offset : offset + room]
        ssn = 0 if flags & UNORDERED else stream.next_ssn
        chunk = DATA_HEADER.pack(
            DATA, flags, size + DATA_HEADER_SIZE, tsn & 0xFFFFFFFF, stream.stream_id, ssn, ppid
        )
        chunk += payload
        if size & 3:
            chunk += PADDING[size & 3]
        if reliability is not None:
            reliability.record_sent(tsn, ssn)
        stream.last_tsn = tsn
        if flags & END:
            self._finish_message(stream, flags)
        else:
            self._current = stream
            self._offset = offset + size
        self._subtract_buffered(stream, size, counted)
        return chunk, reliability

    def discard_unsent(self, reliability: PartialReliability) -> bool:
        """Discard the unsent rest of a message; return whether there was any."""
        stream = self._current
        if stream is None or stream.messages[0][3] is not reliability:
            return False
        data, _, flags, _, counted = stream.messages[0]
        size = len(data) - self._offset
        self._finish_message(stream, flags)
        self._subtract_buffered(stream, size, counted)
        return True

    def buffered(self, stream_id: int) -> int:
        stream = self._streams.get(stream_id)
        return stream.buffered if stream is not None else 0

    def set_threshold(self, stream_id: int, threshold: int) -> None:
        """Set the threshold of ``low_streams`` for a stream, in bytes."""
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _OutgoingStream(stream_id)
        stream.threshold = threshold

    def take_low_streams(self) -> list[int]:
        low = self.low_streams
        self.low_streams = []
        return low

    def limit_streams(self, count: int) -> None:
        """Discard the messages on streams beyond the negotiated ``count``, partly sent ones included."""
        for stream_id in [stream_id for stream_id in self._streams if stream_id >= count]:
            stream = self._streams.pop(stream_id)
            self.total -= sum(len(each[0]) for each in (*stream.messages, *(stream.after_reset or ())))
            if stream is self._current:
                self.total += self._offset
                self._current = None
                self._offset = 0
            if stream in self.active:
                self.active.remove(stream)

    def begin_reset(self, stream_id: int) -> None:
        """Delay messages queued from now on until ``finish_reset`` or ``cancel_reset``."""
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = _OutgoingStream(stream_id)
        if stream.after_reset is None:
            stream.after_reset = deque()

    def is_drained(self, stream_id: int, acknowledged_tsn: int) -> bool:
        """Return whether all messages queued before ``begin_reset`` are sent and acknowledged."""
        stream = self._streams[stream_id]
        return not stream.messages and stream.last_tsn <= acknowledged_tsn

    def finish_reset(self, stream_ids: Iterable[int]) -> None:
        """Reset the SSNs of streams to 0 and release the messages that waited for the reset."""
        for stream_id in stream_ids:
            stream = self._streams[stream_id]
            waiting, stream.after_reset = stream.after_reset, None
            stream.next_ssn = 0
            if waiting:
                stream.messages = waiting
                self.active.append(stream)
            else:
                del self._streams[stream_id]

    def cancel_reset(self, stream_ids: Iterable[int]) -> None:
        """Release the messages that waited for a reset, without resetting the SSNs."""
        for stream_id in stream_ids:
            stream = self._streams[stream_id]
            waiting, stream.after_reset = stream.after_reset, None
            if waiting:
                if not stream.messages:
                    self.active.append(stream)
                stream.messages.extend(waiting)

    def _finish_message(self, stream: _OutgoingStream, flags: int) -> None:
        """Remove the first message and schedule the next stream."""
        if not flags & UNORDERED:
            stream.next_ssn = (stream.next_ssn + 1) & 0xFFFF
        self._remove_head(stream)

    def _remove_head(self, stream: _OutgoingStream) -> None:
        self._current = None
        self._offset = 0
        stream.messages.popleft()
        active = self.active
        if not stream.messages:
            active.popleft()
        elif len(active) > 1:
            active.rotate(-1)

    def _drop_expired_and_produce(
        self, space: int, tsn: int, now: float
    ) -> tuple[bytes, PartialReliability | None] | None:
        """Discard expired messages, of which there may be many, then create a chunk."""
        while self.active:
            stream = self.active[0]
            data, _, _, reliability, counted = stream.messages[0]
            if reliability is None or reliability.expires_at > now:
                return self.produce(space, tsn, now)
            if self._current is stream:
                # Its fragments must be abandoned before another chunk gets a TSN.
                self.expired_begun.append(reliability)
                self.discard_unsent(reliability)
                return None
            self.expired += 1
            self._remove_head(stream)
            self._subtract_buffered(stream, len(data), counted)
        return None

    def _subtract_buffered(self, stream: _OutgoingStream, size: int, counted: bool) -> None:
        self.total -= size
        if not counted:
            return
        before = stream.buffered
        after = stream.buffered = before - size
        if after <= stream.threshold < before:
            self.low_streams.append(stream.stream_id)


def make_reliability(
    stream_id: int, *, ordered: bool, max_retransmits: int | None, expires_at: float | None
) -> PartialReliability | None:
    """Return the limits of a message, None for a reliable one."""
    if max_retransmits is None and expires_at is None:
        return None
    return PartialReliability(
        stream_id,
        ordered,
        math.inf if max_retransmits is None else max_retransmits,
        math.inf if expires_at is None else expires_at,
    )
