"""A packet on the simulated network, what a filter may answer about it, and the record of what became of it."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

import attrs

from trio_rtc.protocols._contract import Address


class Packet(NamedTuple):
    """A UDP datagram under way.

    Attributes:
        data: The payload of the datagram.
        source: Where it seems to come from; a NAT on the way rewrites it.
        destination: Where it goes to; the NAT at the far end rewrites it.
        sender: Name of the host that sent it, whatever NATs make of ``source``.
        number: Running number over all packets sent on this network, from 0.
    """

    data: bytes
    source: Address
    destination: Address
    sender: str
    number: int


@attrs.frozen
class Pass:
    """A filter's answer: let the packet go its way (through further filters, too)."""


@attrs.frozen
class Drop:
    """A filter's answer: lose the packet."""


@attrs.frozen
class Delay:
    """A filter's answer: hold the packet back, on top of the delay of its link.

    Attributes:
        seconds: For how long.
    """

    seconds: float


@attrs.frozen
class Replace:
    """A filter's answer: let other bytes travel in the packet's place.

    Attributes:
        data: The payload to deliver instead.
    """

    data: bytes


@attrs.frozen
class Copies:
    """A filter's answer: deliver the packet several times.

    Attributes:
        count: How often, 2 for a duplicate.
    """

    count: int


Verdict = Pass | Drop | Delay | Replace | Copies
"""What becomes of a packet."""
PacketFilter = Callable[[Packet], Verdict]
"""Decides about each packet; see ``add_filter``."""


class DropReason(StrEnum):
    """Why a packet did not arrive."""

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
    """What happened to a packet."""

    SENT = "sent"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class TraceEntry(NamedTuple):
    """One thing that happened to one packet.

    Attributes:
        time: When, in the seconds of ``trio.current_time()``.
        kind: What.
        packet: The packet as it was at that point: before a NAT when sent, behind it when delivered.
        reason: Why it was dropped; ``None`` otherwise.
    """

    time: float
    kind: TraceKind
    packet: Packet
    reason: DropReason | None = None


class Trace:
    """The last things that happened on the network, and counters of all that ever did.

    Attributes:
        sent: How many packets hosts have sent.
        delivered: How many packets, duplicates included, have reached a socket.
        dropped: How many packets got lost, by reason.
    """

    def __init__(self, limit: int) -> None:
        self.sent = 0
        self.delivered = 0
        self.dropped: Counter[DropReason] = Counter()
        self._entries: deque[TraceEntry] = deque(maxlen=limit)

    def __iter__(self) -> Iterator[TraceEntry]:
        """Iterate over what is remembered, oldest first."""
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def packets(self, kind: TraceKind, *, sender: str | None = None) -> list[Packet]:
        """Return the remembered packets of one kind, oldest first, of one sending host or of all."""
        return [
            entry.packet
            for entry in self._entries
            if entry.kind is kind and sender in {None, entry.packet.sender}
        ]

    def digest(self) -> str:
        """Return the SHA-256 of all that is remembered, in hexadecimal: each packet's bytes, addresses, time and fate.

        Two runs of the same program with the same seed under ``trio_rtc.testing.run`` have the same digest.
        """
        digest = hashlib.sha256()
        for time, kind, packet, reason in self._entries:
            digest.update(repr((time, kind.value, reason and reason.value, tuple(packet))).encode())
        return digest.hexdigest()

    def record_sent(self, packet: Packet, now: float) -> None:
        """Count and remember that a host has sent a packet."""
        self.sent += 1
        self._entries.append(TraceEntry(now, TraceKind.SENT, packet))

    def record_delivered(self, packet: Packet, now: float) -> None:
        """Count and remember that a packet has reached a socket."""
        self.delivered += 1
        self._entries.append(TraceEntry(now, TraceKind.DELIVERED, packet))

    def record_dropped(self, packet: Packet, reason: DropReason, now: float) -> None:
        """Count and remember that a packet got lost."""
        self.dropped[reason] += 1
        self._entries.append(TraceEntry(now, TraceKind.DROPPED, packet, reason))
