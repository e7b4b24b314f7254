"""Flights: the handshake messages that one side sends in a row (RFC 6347 section 4.2.4).

A flight is kept as messages, not as datagrams, because each retransmission needs new record numbers.
"""

from collections.abc import Callable, Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.timer import Timer

from .messages import FRAGMENT_HEADER_LENGTH, HandshakeMessage
from .record.codec import ContentType

# A fragment smaller than this is not worth its headers if the next datagram is empty anyway.
MIN_FRAGMENT = 32


@attrs.frozen
class FlightMessage:
    """A handshake message of a flight, and the epoch in which it is sent."""

    epoch: int
    message: HandshakeMessage


@attrs.frozen
class FlightRecord:
    """A record of a flight that is not part of a handshake message: ChangeCipherSpec of 1.2, ACK of 1.3."""

    epoch: int
    content_type: int
    plaintext: bytes


FlightItem = FlightMessage | FlightRecord


@attrs.define
class Flight:
    """A flight that has been sent.

    Attributes:
        timer: Retransmission timer. It runs while an answer is awaited, and is stopped for a flight that is
            retransmitted only if the peer retransmits its own (the final one, and HelloVerifyRequest).
        pause: Seconds after ``sent_at`` in which retransmissions by the peer are ignored.
        first_sent_at: Time at which it was first sent.
        answered: Whether a message of the peer's next flight has arrived.
    """

    items: Sequence[FlightItem]
    timer: Timer
    sent_at: float
    pause: float
    first_sent_at: float = attrs.field(init=False)
    answered: bool = False

    def __attrs_post_init__(self) -> None:
        self.first_sent_at = self.sent_at

    def should_retransmit_for_peer(self, now: float) -> bool:
        """Return whether to retransmit the flight, because the peer has retransmitted its own.

        The pause keeps a duplicated datagram from counting as a loss. It doubles each time: otherwise two sides that
        lose the same part of their flights would trigger each other once per round trip. The timer, if it runs, is
        restarted, so that it does not add a second copy right behind this one.
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
    """Fragment messages and pack the records into as few datagrams of at most ``mtu`` bytes as possible."""
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
        if isinstance(item, FlightMessage):
            sizes = _Sizes(FRAGMENT_HEADER_LENGTH, len(item.message.body))
            yield item.epoch, ContentType.HANDSHAKE, sizes, item.message.encode_fragment
        else:
            plaintext = item.plaintext
            yield item.epoch, item.content_type, _Sizes(0, len(plaintext)), lambda *_, whole=plaintext: whole
