"""A core without a protocol, and the transport that drives it: to test what all transports share."""

import math
from collections.abc import Sequence

import attrs
import trio

from trio_rtc.transports.base import Inbox, Transport

from .wires import Wire

GOODBYE = b"goodbye"


@attrs.frozen
class Answered:
    """A packet was answered."""

    packet: bytes


class EchoCore:
    """Answers every packet, sends a packet when a timer is due, and remembers what it was told.

    Attributes:
        received: Packets, with the time of their arrival.
        expired: When a timer was due and was handled.
        timer_calls: When ``handle_timer`` was called, due or not.
        deadlines: The timers that are set.
        lower_is_closed: Whether it was told so.
        closes_after: With how many packets received the core ends.
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

    def say(self, packet: bytes) -> None:
        """Have something to send: what a verb of a real core does."""
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
            self._outgoing.append(GOODBYE)
        self.closed = True

    def lower_closed(self, now: float) -> None:
        self.lower_is_closed = self.closed = True


class EchoTransport(Transport[list[bytes], bytes, Answered]):
    """Drives an echo core over a wire.

    Attributes:
        core: The core.
        inbox: What the layer below puts into.
        wire: The layer below, for sending.
        upper: The inbox of a layer above.
        events: What was handled.
    """

    def __init__(self, wire: Wire | None = None, *, capacity: int = 32) -> None:
        self.core = EchoCore()
        self.inbox = Inbox[list[bytes]](capacity)
        self.wire = wire or Wire()
        self.upper = Inbox[list[bytes]]()
        self.events: list[Answered] = []
        super().__init__(self.core, self.inbox)

    def arrive(self, *packets: bytes) -> None:
        """Let a batch arrive from below."""
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
