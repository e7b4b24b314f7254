"""Packets on the simulated network, verdicts of filters, and the trace."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address


class Packet(NamedTuple):
    """A UDP datagram in flight.

    Attributes:
        data: The payload of the datagram.
        source: The source address, rewritten by NATs.
        destination: The destination address, rewritten by NATs.
        sender: Name of the host that sent it, regardless of NATs.
        number: Sequence number over all packets sent on this network, from 0.
    """

    data: bytes
    source: Address
    destination: Address
    sender: str
    number: int

    def with_data(self, data: bytes) -> "Packet":
        """Return the packet with another payload."""
        return Packet(data, self.source, self.destination, self.sender, self.number)

    def with_source(self, source: Address) -> "Packet":
        """Return the packet with another source address."""
        return Packet(self.data, source, self.destination, self.sender, self.number)

    def with_destination(self, destination: Address) -> "Packet":
        """Return the packet with another destination address."""
        return Packet(self.data, self.source, destination, self.sender, self.number)


@attrs.frozen
class Pass:
    """A filter's verdict: the packet continues to further filters and to its destination."""


@attrs.frozen
class Drop:
    """A filter's verdict: the packet is lost."""


@attrs.frozen
class Delay:
    """A filter's verdict: the packet is delayed by these seconds in addition to its link's delay."""

    seconds: float


@attrs.frozen
class Replace:
    """A filter's verdict: the packet's payload is replaced."""

    data: bytes


@attrs.frozen
class Copies:
    """A filter's verdict: the packet is delivered several times, twice for a duplicate."""

    count: int


Verdict = Pass | Drop | Delay | Replace | Copies
"""A filter's decision about a packet."""
PacketFilter = Callable[[Packet], Verdict]
"""A function that decides about each packet; see ``add_filter``."""


class DropReason(StrEnum):
    """The reason why a packet did not arrive."""

    LOSS = "loss"
    FILTERED = "filtered"
    PARTITIONED = "partitioned"
    QUEUE_FULL = "queue full"
    OVERSIZED = "oversized"
    NO_ROUTE = "no route"
    PORT_UNREACHABLE = "port unreachable"
    RECEIVE_BUFFER_FULL = "receive buffer full"
    INTERFACE_DOWN = "interface down"
    NAT_FILTERED = "NAT filtered"
    NAT_TABLE_FULL = "NAT table full"


class TraceKind(StrEnum):
    """The kind of a trace entry."""

    SENT = "sent"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class TraceEntry(NamedTuple):
    """An event of a packet.

    Attributes:
        time: The time in seconds of ``trio.current_time()``.
        kind: The kind of event.
        packet: The packet at that point: before NATs when sent, after them when delivered.
        reason: The reason if it was dropped; ``None`` otherwise.
    """

    time: float
    kind: TraceKind
    packet: Packet
    reason: DropReason | None = None


class Trace:
    """The last events on the network, and counters of all events.

    Attributes:
        sent: Count of packets sent by hosts.
        delivered: Count of packets, duplicates included, that reached a socket.
        dropped: Count of lost packets by reason.
    """

    def __init__(self, limit: int) -> None:
        self.sent = 0
        self.delivered = 0
        self.dropped: Counter[DropReason] = Counter()
        self._entries: deque[TraceEntry] = deque(maxlen=limit)

    def __iter__(self) -> Iterator[TraceEntry]:
        """Iterate over the recorded entries, oldest first."""
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def packets(self, kind: TraceKind, *, sender: str | None = None) -> list[Packet]:
        """Return the recorded packets of one kind, oldest first: all, or those that the host ``sender`` has sent."""
        return [
            entry.packet
            for entry in self._entries
            if entry.kind is kind and sender in {None, entry.packet.sender}
        ]

    def digest(self) -> str:
        """Return the SHA-256 of all recorded entries in hexadecimal.

        It covers payload, addresses, time and result of each packet. Two runs of the same program with the same seed
        under ``trio_rtc.testing.run`` have the same digest.
        """
        digest = hashlib.sha256()
        for time, kind, packet, reason in self._entries:
            digest.update(repr((time, kind.value, reason and reason.value, tuple(packet))).encode())
        return digest.hexdigest()

    def record_sent(self, packet: Packet, now: float) -> None:
        """Record that a host sent a packet."""
        self.sent += 1
        self._entries.append(TraceEntry(now, TraceKind.SENT, packet))

    def record_delivered(self, packet: Packet, now: float) -> None:
        """Record that a packet reached a socket."""
        self.delivered += 1
        self._entries.append(TraceEntry(now, TraceKind.DELIVERED, packet))

    def record_dropped(self, packet: Packet, reason: DropReason, now: float) -> None:
        """Record that a packet was lost."""
        self.dropped[reason] += 1
        self._entries.append(TraceEntry(now, TraceKind.DROPPED, packet, reason))
