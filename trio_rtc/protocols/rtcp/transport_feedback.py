"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

A packet covers a range of transport-wide sequence numbers. It first holds the status of each (not received, or received
with a small or large delta) in chunks of two bytes, then for each received packet the time since the previous one in
ticks of 250 µs. The first delta is relative to a reference time in units of 64 ms.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .feedback import SSRCS, TransportFeedbackFormat
from .framing import HEADER_SIZE, PacketType, add_header

TICKS_PER_SECOND: Final = 4000
TICKS_PER_REFERENCE: Final = 256
REFERENCE_BITS: Final = 24
MAX_GAP: Final = 8191
"""Maximum lost packets in a row within a packet, as many as one chunk holds; a larger gap begins a new packet."""
MIN_SIZE: Final = 32
"""Bytes that suffice for a packet with one arrival after the largest gap."""
_MAX_STATUSES: Final = 0xFFFF
_MIN_DELTA, _MAX_DELTA, _MAX_SMALL_DELTA = -0x8000, 0x7FFF, 0xFF

_FIXED: Final = struct.Struct("!HHI")
_CHUNK: Final = struct.Struct("!H")
_LARGE_DELTA: Final = struct.Struct("!h")
_START: Final = SSRCS.size + _FIXED.size

_LOST, _SMALL, _LARGE = 0, 1, 2
_MAX_RUN: Final = 0x1FFF
_ONE_BIT_STATUSES: Final = 14
_TWO_BIT_STATUSES: Final = 7
_RUN: Final = re.compile(rb"\x00+|\x01+|\x02+")

_ONE_BIT_SHIFTS: Final = tuple(range(13, -1, -1))
_TWO_BIT_SHIFTS: Final = tuple(range(12, -1, -2))


@attrs.frozen
class TransportFeedback:
    """A packet of transport-wide feedback.

    Attributes:
        media_ssrc: A source of reported packets; the sequence numbers span all sources.
        base_sequence_number: The first reported number, 16 bits.
        status_count: The count of reported numbers, at most 65535. Numbers that are not in ``arrivals`` were lost.
        reference_time: The time that the arrivals are relative to, in units of 64 ms, 24 bits.
        feedback_count: The number of this feedback packet, 8 bits.
        arrivals: Received packets in order of their numbers: offset from ``base_sequence_number``, and arrival time in
            ticks of 250 µs since the reference time.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence_number: int
    status_count: int
    reference_time: int
    feedback_count: int
    arrivals: tuple[tuple[int, int], ...]

    @classmethod
    def build(
        cls,
        sender_ssrc: int,
        media_ssrc: int,
        arrivals: Iterable[tuple[int, float]],
        feedback_count: int,
        max_size: int,
        *,
        begin: int | None = None,
    ) -> list["TransportFeedback"]:
        """Build the packets that report arrivals, each of at most ``max_size`` bytes.

        Args:
            sender_ssrc: The SSRC of the feedback's sender.
            media_ssrc: A source of reported packets.
            arrivals: Unwrapped sequence numbers and times in seconds, in any order; the first of equal numbers counts.
            feedback_count: The number of the first packet; the next report continues after the last.
            max_size: Maximum bytes of a packet, at least ``MIN_SIZE``.
            begin: The unwrapped number from which on missing packets are reported as lost. The default is the lowest
                number in ``arrivals``, which also applies if ``begin`` is more than ``MAX_GAP`` before it.
        """
        if max_size < MIN_SIZE:
            raise ValueError(
                f"max_size must be at least {MIN_SIZE} for transport-wide feedback, not {max_size}"
            )
        by_number: dict[int, int] = {}
        for number, time in arrivals:
            by_number.setdefault(number, round(time * TICKS_PER_SECOND))
        packets: list[TransportFeedback] = []
        ordered = sorted(by_number.items())
        if begin is None:
            begin = ordered[0][0] if ordered else 0
        for part in _split_by_contents(ordered, begin):
            for fitting in _split_by_size(*part, max_size):
                count = feedback_count + len(packets)
                packets.append(cls._of(sender_ssrc, media_ssrc, count, *fitting))
        return packets

    @classmethod
    def _of(
        cls,
        sender_ssrc: int,
        media_ssrc: int,
        feedback_count: int,
        begin: int,
        received: Sequence[tuple[int, int]],
    ) -> "TransportFeedback":
        reference = received[0][1] // TICKS_PER_REFERENCE
        return cls(
            sender_ssrc,
            media_ssrc,
            begin & 0xFFFF,
            received[-1][0] - begin + 1,
            reference & (1 << REFERENCE_BITS) - 1,
            feedback_count & 0xFF,
            tuple([(number - begin, tick - reference * TICKS_PER_REFERENCE) for number, tick in received]),
        )

    def arrival_times(self, base_sequence_number: int, reference_time: int) -> list[tuple[int, float]]:
        """Return unwrapped sequence numbers and times in seconds on the reporter's clock.

        Args:
            base_sequence_number: The packet's, unwrapped.
            reference_time: The packet's, unwrapped (from ``REFERENCE_BITS`` bits).
        """
        start = reference_time * TICKS_PER_REFERENCE
        return [
            (base_sequence_number + offset, (start + tick) / TICKS_PER_SECOND)
            for offset, tick in self.arrivals
        ]

    @classmethod
    def parse(cls, body: bytes) -> "TransportFeedback":
        """Parse the body of a packet."""
        if len(body) < _START:
            raise ProtocolError(f"transport-wide feedback has {len(body)} bytes, fewer than {_START}")
        sender_ssrc, media_ssrc = SSRCS.unpack_from(body)
        base, status_count, fields = _FIXED.unpack_from(body, SSRCS.size)
        if not status_count:
            raise ProtocolError("transport-wide feedback has a status count of 0")
        received, offset = _parse_chunks(body, status_count)
        arrivals = _parse_deltas(body, offset, received)
        return cls(sender_ssrc, media_ssrc, base, status_count, fields >> 8, fields & 0xFF, arrivals)

    def encode(self) -> bytes:
        """Return the encoded packet."""
        statuses, deltas = _encode_deltas(self.status_count, self.arrivals)
        body = (
            SSRCS.pack(self.sender_ssrc, self.media_ssrc)
            + _FIXED.pack(
                self.base_sequence_number, self.status_count, self.reference_time << 8 | self.feedback_count
            )
            + _encode_chunks(statuses)
            + deltas
        )
        return add_header(
            PacketType.TRANSPORT_FEEDBACK,
            TransportFeedbackFormat.TRANSPORT_WIDE,
            body + bytes(-len(body) % 4),
        )


def _parse_chunks(body: bytes, status_count: int) -> tuple[list[tuple[int, int]], int]:
    """Return the offset and status of each received packet, and where the deltas begin.

    The list is never longer than the body, because every received packet requires a delta.
    """
    received: list[tuple[int, int]] = []
    position, offset, end = 0, _START, len(body)
    while position < status_count:
        if offset + 2 > end:
            raise ProtocolError("status chunks of transport-wide feedback exceed the packet")
        (chunk,) = _CHUNK.unpack_from(body, offset)
        offset += 2
        left = status_count - position
        if chunk < 0x8000:
            status, run = chunk >> 13, min(chunk & _MAX_RUN, left)
            if status:
                if len(received) + run > end:
                    raise ProtocolError("deltas of transport-wide feedback exceed the packet")
                received += [(number, status) for number in range(position, position + run)]
            # A run of length 0 covers no packet; the loop still ends, since every chunk consumes two bytes.
            position += run
            continue
        shifts, mask = (_TWO_BIT_SHIFTS, 3) if chunk & 0x4000 else (_ONE_BIT_SHIFTS, 1)
        for number, shift in enumerate(shifts[:left], position):
            if status := chunk >> shift & mask:
                received.append((number, status))
        position += len(shifts)
    return received, offset


def _parse_deltas(body: bytes, offset: int, received: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    end = len(body)
    arrivals = []
    tick = 0
    for number, status in received:
        if status == _SMALL and offset < end:
            tick += body[offset]
            offset += 1
        elif status == _LARGE and offset + 2 <= end:
            tick += _LARGE_DELTA.unpack_from(body, offset)[0]
            offset += 2
        elif status > _LARGE:
            raise ProtocolError(f"transport-wide feedback has the reserved status {status}")
        else:
            raise ProtocolError("deltas of transport-wide feedback exceed the packet")
        arrivals.append((number, tick))
    return tuple(arrivals)


def _encode_deltas(status_count: int, arrivals: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
    """Return the status of every packet, one byte each, and the deltas."""
    statuses = bytearray(status_count)
    deltas = bytearray()
    before = 0
    for offset, tick in arrivals:
        delta = tick - before
        before = tick
        if 0 <= delta <= _MAX_SMALL_DELTA:
            statuses[offset] = _SMALL
            deltas.append(delta)
        else:
            statuses[offset] = _LARGE
            deltas += _LARGE_DELTA.pack(delta)
    return bytes(statuses), bytes(deltas)


def _encode_chunks(statuses: bytes) -> bytes:
    """Encode statuses greedily: a long run, else 14 one-bit statuses, else 7 two-bit statuses."""
    chunks = bytearray()
    position, end = 0, len(statuses)
    while position < end:
        match = _RUN.match(statuses, position, position + _MAX_RUN)
        run = match.end() - position if match else 1
        next_ones = statuses[position : position + _ONE_BIT_STATUSES]
        one_bit = _LARGE not in next_ones
        vector_size = _ONE_BIT_STATUSES if one_bit else _TWO_BIT_STATUSES
        if run >= min(vector_size, end - position):
            chunk = statuses[position] << 13 | run
            position += run
        else:
            next_ones = next_ones[:vector_size]
            width, chunk = (1, 0b10) if one_bit else (2, 0b11)
            for status in next_ones:
                chunk = chunk << width | status
            chunk <<= width * (vector_size - len(next_ones))
            position += vector_size
        chunks += _CHUNK.pack(chunk)
    return bytes(chunks)


def _split_by_contents(
    arrivals: list[tuple[int, int]], begin: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield the begin and arrivals of parts whose deltas, gaps and count one packet can represent."""
    part: list[tuple[int, int]] = []
    start, expected, before = 0, begin, 0
    for number, tick in arrivals:
        if part and (
            not _MIN_DELTA <= tick - before <= _MAX_DELTA
            or number - expected > MAX_GAP
            or number - start >= _MAX_STATUSES
        ):
            yield start, part
            part = []
        if not part:
            start = expected if 0 <= number - expected <= MAX_GAP else number
        part.append((number, tick))
        expected, before = number + 1, tick
    if part:
        yield start, part


def _split_by_size(
    begin: int, arrivals: list[tuple[int, int]], max_size: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield the begin and arrivals of packets of at most ``max_size`` bytes."""
    while arrivals:
        length = _fitting(begin, arrivals, max_size)
        yield begin, arrivals[:length]
        begin = arrivals[length - 1][0] + 1
        arrivals = arrivals[length:]


def _fitting(begin: int, arrivals: list[tuple[int, int]], max_size: int) -> int:
    """Return how many of the arrivals fit, at least one, halving until they do."""
    length = len(arrivals)
    while length > 1:
        begin_tick = arrivals[0][1] // TICKS_PER_REFERENCE * TICKS_PER_REFERENCE
        relative = [(number - begin, tick - begin_tick) for number, tick in arrivals[:length]]
        statuses, deltas = _encode_deltas(relative[-1][0] + 1, relative)
        size = HEADER_SIZE + _START + len(_encode_chunks(statuses)) + len(deltas)
        if size + -size % 4 <= max_size:
            break
        length //= 2
    return length
