"""Handshake messages out of fragments that come in any order, twice, overlapping, or never."""

from enum import Enum, auto

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .messages import HandshakeMessage

FRAGMENT_HEADER_LENGTH = 12

# How far ahead of the message that is awaited a fragment may be. No flight has more messages than this.
MAX_MESSAGES_AHEAD = 16

# Into how many pieces a message in reassembly may fall apart before it is begun anew: a peer that sends every
# other byte must not make us keep long lists.
MAX_GAPS = 64
# Fragments of a datagram: it has at most a whole flight, of five messages.
MAX_FRAGMENTS = 32


@attrs.frozen
class Fragment:
    """A fragment of a handshake message (RFC 6347 section 4.2.2).

    Attributes:
        message_type: The kind of message.
        length: Length of the whole body.
        sequence: Number of the message.
        offset: Where in the body the fragment belongs.
        data: The bytes.
    """

    message_type: int
    length: int
    sequence: int
    offset: int
    data: bytes

    @classmethod
    def parse(cls, reader: Reader) -> "Fragment":
        """Parse one fragment; a record may hold several.

        Raises:
            ProtocolError: It is truncated or reaches beyond the end of its message.
        """
        message_type = reader.read_integer(1)
        length = reader.read_integer(3)
        sequence = reader.read_integer(2)
        offset = reader.read_integer(3)
        data = reader.read_vector(3)
        if offset + len(data) > length:
            raise ProtocolError("a fragment beyond the end of its message")
        return cls(message_type, length, sequence, offset, data)


def parse_fragments(payload: bytes, limit: int = MAX_FRAGMENTS) -> list[Fragment]:
    """Parse the fragments in a handshake record.

    Raises:
        ProtocolError: There is none, one is malformed, or there are more than ``limit``.
    """
    reader = Reader(payload)
    fragments: list[Fragment] = []
    while reader.remaining or not fragments:
        if len(fragments) >= limit:
            raise ProtocolError("too many fragments in a datagram")
        fragments.append(Fragment.parse(reader))
    return fragments


class Outcome(Enum):
    """Result of adding a fragment."""

    STORED = auto()
    REPEATED = auto()  # of a message that was taken already
    REFUSED = auto()  # it would exceed a limit


@attrs.define
class _PartialMessage:
    """A message in reassembly.

    Attributes:
        message_type: The kind of message.
        body: Room for the whole body.
        gaps: The ranges that are missing, in order.
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
    """Puts the peer's handshake messages together and hands them out in order.

    Fragments of different epochs are kept apart, so that nothing that came in the clear can become part of a
    message that must come protected. A fragment that contradicts the earlier ones about the type or length of
    its message replaces them: one of the two is spoofed, and this way the peer's next retransmission heals
    what a spoofed fragment has spoiled. For the same reason an earlier message takes the room of later ones when
    there is none left: else a few spoofed beginnings of messages to come could keep out the one that is awaited.
    """

    def __init__(self, max_message_size: int, max_total_size: int) -> None:
        self._max_message_size = max_message_size
        self._max_total_size = max_total_size
        self._total_size = 0
        self._partials: dict[tuple[int, int], _PartialMessage] = {}
        self._next_sequence = 0

    def add(self, epoch: int, fragment: Fragment) -> Outcome:
        """Take a fragment that came in a record of ``epoch``."""
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

    def take(self, epoch: int) -> HandshakeMessage | None:
        """Return the next message if it is complete and came in ``epoch``."""
        sequence = self._next_sequence
        partial = self._partials.get((epoch, sequence))
        if partial is None or partial.gaps:
            return None
        for key in [key for key in self._partials if key[1] == sequence]:
            self._drop(key)
        self._next_sequence = sequence + 1
        return HandshakeMessage(partial.message_type, sequence, bytes(partial.body))

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
    """Return what orders messages: their number, and of two with the same the protected one first."""
    epoch, sequence = key
    return sequence, -epoch
