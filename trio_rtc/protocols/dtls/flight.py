"""Flights: the handshake messages that one side sends in a row (RFC 6347 section 4.2.4).

A flight is kept as messages, not as datagrams, because a retransmission needs new record numbers.
"""

from collections.abc import Callable, Iterator, Sequence

import attrs

from trio_rtc.protocols.timer import Timer

from .messages import HandshakeMessage
from .reassembly import FRAGMENT_HEADER_LENGTH
from .record.codec import ContentType

# A fragment smaller than this is not worth its headers if the next datagram is empty anyway.
MIN_FRAGMENT = 32


@attrs.frozen
class FlightItem:
    """One message of a flight.

    Attributes:
        epoch: The epoch that it is sent in.
        message: A handshake message; None for ChangeCipherSpec, which is none.
    """

    epoch: int
    message: HandshakeMessage | None


@attrs.define
class Flight:
    """A flight on its way.

    Attributes:
        items: What it is made of.
        timer: Runs while an answer is awaited; stopped for a flight that only a repetition of the peer's
            flight brings out again (the last one, and a HelloVerifyRequest).
        sent_at: When it was last sent.
        pause: Seconds after ``sent_at`` for which repetitions by the peer are not answered.
        first_sent_at: When it was sent for the first time.
        answered: Whether a message that answers it has come.
    """

    items: Sequence[FlightItem]
    timer: Timer
    sent_at: float
    pause: float
    first_sent_at: float = attrs.field(init=False)
    answered: bool = False

    def __attrs_post_init__(self) -> None:
        self.first_sent_at = self.sent_at

    def should_answer_repetition(self, now: float) -> bool:
        """Return whether to send the flight again because the peer has sent its own one again.

        The pause keeps a duplicated datagram from passing for a loss. It doubles each time: otherwise two
        sides that lose the same part of their flights would drive each other at the pace of the round trip.
        The timer, if it runs, begins anew, so that it does not add a second copy right behind this one.
        """
        if now - self.sent_at < self.pause:
            return False
        self.pause *= 2
        if self.timer.running:
            self.timer.start(now, 2 * self.pause)
        return True


def pack_flight(
    items: Sequence[FlightItem],
    mtu: int,
    overhead: Callable[[int], int],
    seal: Callable[[int, int, bytes], bytes],
) -> list[bytes]:
    """Fragment messages and pack the records into as few datagrams as possible.

    Args:
        items: The flight.
        mtu: Largest datagram, in bytes.
        overhead: Returns what a record of an epoch adds.
        seal: Makes a record of epoch, content type and plaintext.
    """
    datagrams: list[bytes] = []
    records: list[bytes] = []
    room = mtu
    for epoch, content_type, sizes, encode in _pieces(items):
        offset = 0
        while True:
            usable = room - overhead(epoch) - sizes.header
            remaining = sizes.body - offset
            length = min(usable, remaining)
            if length < min(remaining, MIN_FRAGMENT) and records:
                datagrams.append(b"".join(records))
                records, room = [], mtu
                continue
            record = seal(epoch, content_type, encode(offset, length))
            records.append(record)
            room -= len(record)
            offset += length
            if offset == sizes.body:
                break
    if records:
        datagrams.append(b"".join(records))
    return datagrams


@attrs.frozen
class _Sizes:
    header: int
    body: int


def _pieces(
    items: Sequence[FlightItem],
) -> Iterator[tuple[int, int, _Sizes, Callable[[int, int], bytes]]]:
    for item in items:
        if item.message is None:
            yield item.epoch, ContentType.CHANGE_CIPHER_SPEC, _Sizes(0, 1), lambda offset, length: b"\x01"
        else:
            sizes = _Sizes(FRAGMENT_HEADER_LENGTH, len(item.message.body))
            yield item.epoch, ContentType.HANDSHAKE, sizes, item.message.encode_fragment
