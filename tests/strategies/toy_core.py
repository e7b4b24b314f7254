"""A core without a protocol and its transport, to test the common base of all transports."""

import math
from collections.abc import Sequence

import attrs
import trio

from trio_rtc.transports.base import Inbox, Transport

from .wires import Wire

CLOSING_PACKET = b"goodbye"


@attrs.frozen
class Answered:
    """A packet was answered."""

    packet: bytes


class EchoCore:
    """Answers every packet, sends a packet when a timer is due, and records its calls.

    Attributes:
        received: Packets with their arrival times.
        expired: Times at which a due timer was handled.
        timer_calls: Times of all calls to ``handle_timer``.
        deadlines: Deadlines of the timers.
        lower_is_closed: Whether ``lower_closed`` was called.
        closes_after: Number of received packets after which the core closes.
    """

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes]] = []
        self.expired: list[float] = []
        self.timer_calls: list[float] = []
        self.deadlines: list[float] = []
        self.lower_is_closed = False
        self.closes_after = math.inf
        self.closed = False
        self._outgoing: list[bytes] = []
        self._events: list[Answered] = []

    def queue_packet(self, packet: bytes) -> None:
        """Queue a packet, as the methods of real cores do."""
        self._outgoing.append(packet)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        for packet in batch:
            self.received.append((now, packet))
            self._outgoing.append(b"re: " + packet)
            self._events.append(Answered(packet))
        if len(self.received) >= self.closes_after:
            self.closed = True

    def handle_timer(self, now: float) -> None:
        self.timer_calls.append(now)
        for deadline in [deadline for deadline in self.deadlines if deadline <= now]:
            self.deadlines.remove(deadline)
            self.expired.append(now)
            self._outgoing.append(b"timer")

    def next_timer(self) -> float:
        return min(self.deadlines, default=math.inf)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> Sequence[Answered]:
        events, self._events = self._events, []
        return events

    def close(self, now: float) -> None:
        if not self.closed:
            self._outgoing.append(CLOSING_PACKET)
        self.closed = True

    def lower_closed(self, now: float) -> None:
        self.lower_is_closed = self.closed = True


class EchoTransport(Transport[list[bytes], bytes, Answered]):
    """Drives an echo core over a wire.

    Attributes:
        core: The core.
        inbox: Inbox that the layer below fills.
        wire: The layer below, for sending.
        upper: The inbox of a layer above.
        events: Events that were handled.
    """

    def __init__(self, wire: Wire | None = None, *, capacity: int = 32) -> None:
        self.core = EchoCore()
        self.inbox = Inbox[list[bytes]](capacity)
        self.wire = wire or Wire()
        self.upper = Inbox[list[bytes]]()
        self.events: list[Answered] = []
        super().__init__(self.core, self.inbox)

    def arrive(self, *packets: bytes) -> None:
        """Put a batch into the inbox."""
        self.inbox.push(list(packets), len(packets), trio.current_time())

    def _receive(self, item: list[bytes], now: float) -> None:
        self.core.receive(item, now)

    def _handle(self, event: Answered, now: float) -> None:
        if event.packet == b"bug":
            raise ZeroDivisionError("a bug in a handler")
        self.events.append(event)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self.wire.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self.wire.drain()

    def _close_upper_inboxes(self) -> None:
        self.upper.close()
