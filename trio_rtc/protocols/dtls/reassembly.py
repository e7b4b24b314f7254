"""Reassembly of handshake messages from fragments, which may be reordered, duplicated, overlapping or lost."""

from enum import Enum, auto

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .messages import FRAGMENT_HEADER, FRAGMENT_HEADER_LENGTH, HandshakeMessage

# How far ahead of the next message a fragment may be. No flight has more messages than this.
MAX_MESSAGES_AHEAD = 16

# How many gaps a message in reassembly may have before it is dropped: a peer that sends every other byte must not make
# us keep long lists.
MAX_GAPS = 64
# Fragments parsed of one datagram: it holds at most one flight, which has five messages.
MAX_FRAGMENTS = 32


@attrs.frozen
class Fragment:
    """A fragment of a handshake message (RFC 6347 section 4.2.2).

    Attributes:
        length: Length of the complete body.
        offset: Offset of the fragment in the body.
    """

    message_type: int
    length: int
    sequence: int
    offset: int
    data: bytes

    @classmethod
    def parse(cls, reader: Reader) -> "Fragment":
        """Parse one fragment, of which a record may hold several."""
        header = FRAGMENT_HEADER.unpack(reader.read(FRAGMENT_HEADER_LENGTH))
        message_type, high_length, length, sequence, high_offset, offset, high_size, size = header
        length |= high_length << 16
        offset |= high_offset << 16
        data = reader.read(high_size << 16 | size)
        if offset + len(data) > length:
            raise ProtocolError(
                f"fragment ends at {offset + len(data)}, beyond its message of {length} bytes"
            )
        return cls(message_type, length, sequence, offset, data)


def parse_fragments(payload: bytes, limit: int = MAX_FRAGMENTS) -> list[Fragment]:
    """Parse the fragments of a handshake record: at least one, at most ``limit``."""
    reader = Reader(payload)
    fragments: list[Fragment] = []
    while reader.remaining or not fragments:
        if len(fragments) >= limit:
            raise ProtocolError(f"more than {MAX_FRAGMENTS} fragments in a datagram")
        fragments.append(Fragment.parse(reader))
    return fragments


class Outcome(Enum):
    """Result of adding a fragment."""

    STORED = auto()
    REPEATED = auto()  # its message was complete already
    REFUSED = auto()  # it would exceed a bound


@attrs.define
class _PartialMessage:
    """A message in reassembly.

    Attributes:
        body: Buffer of the complete body.
        gaps: Missing ranges, in order.
    """

    message_type: int
    body: bytearray
    gaps: list[tuple[int, int]]

    def fill(self, start: int, data: bytes) -> None:
        end = start + len(data)
        self.body[start:end] = data
        gaps: list[tuple[int, int]] = []
        for gap_start, gap_end in self.gaps:
            if end <= gap_start or gap_end <= start:
                gaps.append((gap_start, gap_end))
                continue
            if gap_start < start:
                gaps.append((gap_start, start))
            if end < gap_end:
                gaps.append((end, gap_end))
        self.gaps = gaps


class Reassembler:
    """Reassembles the peer's handshake messages and returns them in order.

    Fragments of different epochs are kept apart, so that no bytes received in the clear become part of a message that
    must be protected. A fragment that contradicts earlier ones in the type or length of its message replaces them: one
    of the two is spoofed, and this way the peer's next retransmission repairs the damage. For the same reason an
    earlier message takes the room of later ones when none is left: otherwise a few spoofed first fragments of later
    messages could keep out the next one.
    """

    def __init__(self, max_message_size: int, max_total_size: int) -> None:
        self._max_message_size = max_message_size
        self._max_total_size = max_total_size
        self._total_size = 0
        self._partials: dict[tuple[int, int], _PartialMessage] = {}
        self._next_sequence = 0

    def add_fragment(self, epoch: int, fragment: Fragment) -> Outcome:
        if fragment.sequence < self._next_sequence:
            return Outcome.REPEATED
        if fragment.sequence >= self._next_sequence + MAX_MESSAGES_AHEAD:
            return Outcome.REFUSED
        key = (epoch, fragment.sequence)
        partial = self._partials.get(key)
        if partial is not None and (
            partial.message_type != fragment.message_type or len(partial.body) != fragment.length
        ):
            self._drop(key)
            partial = None
        if partial is None:
            size = fragment.length
            if size > self._max_message_size or not self._make_room(size, key):
                return Outcome.REFUSED
            self._total_size += size
            gaps = [(0, size)] if size else []
            partial = _PartialMessage(fragment.message_type, bytearray(size), gaps)
            self._partials[key] = partial
        partial.fill(fragment.offset, fragment.data)
        if len(partial.gaps) > MAX_GAPS:
            self._drop(key)
            return Outcome.REFUSED
        return Outcome.STORED

    def pop_message(self, epoch: int) -> HandshakeMessage | None:
        """Remove and return the next message if it is complete and was received in ``epoch``."""
        sequence = self._next_sequence
        partial = self._partials.get((epoch, sequence))
        if partial is None or partial.gaps:
            return None
        for key in [key for key in self._partials if key[1] == sequence]:
            self._drop(key)
        self._next_sequence = sequence + 1
        return HandshakeMessage(partial.message_type, sequence, bytes(partial.body))

    def clear(self) -> None:
        self._partials.clear()
        self._total_size = 0

    def _make_room(self, size: int, key: tuple[int, int]) -> bool:
        """Drop messages behind the one at ``key``, the last ones first, until ``size`` bytes have room."""
        while self._total_size + size > self._max_total_size:
            last = max(self._partials, key=_place, default=key)
            if _place(last) <= _place(key):
                return False
            self._drop(last)
        return True

    def _drop(self, key: tuple[int, int]) -> None:
        self._total_size -= len(self._partials.pop(key).body)


def _place(key: tuple[int, int]) -> tuple[int, int]:
    """Return the sort key of a message: its number, then its epoch, the newer first."""
    epoch, sequence = key
    return sequence, -epoch
