"""Two SCTP associations joined by a network with loss, reordering and duplication, in virtual time."""

import math
import random
from collections import Counter
from collections.abc import Callable

import attrs

from trio_rtc.protocols.sctp import Association, AssociationClosed, MessagesAvailable, SctpEvent, SctpOptions

START = 500.0

INIT, INIT_ACK, SACK, HEARTBEAT, ABORT, SHUTDOWN, SHUTDOWN_ACK = 1, 2, 3, 4, 6, 7, 8
ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE, RE_CONFIG, FORWARD_TSN, DATA = 9, 10, 11, 14, 130, 192, 0

Filter = Callable[[int, bytes], bool]
"""Returns whether a packet is lost, by its sender (0 or 1) and its bytes."""


def chunk_kinds(packet: bytes) -> list[int]:
    """Return the types of the chunks in a packet."""
    kinds, offset = [], 12
    while offset + 4 <= len(packet):
        kinds.append(packet[offset])
        length = int.from_bytes(packet[offset + 2 : offset + 4], "big")
        offset += max(4, (length + 3) & ~3)
    return kinds


def lose_nothing(sender: int, packet: bytes) -> bool:
    return False


@attrs.define
class Endpoint:
    """An association with its events and messages.

    Attributes:
        association: The association.
        events: All events of the association.
        messages: Messages received: stream, payload protocol identifier, data.
        reading: Whether messages are received as soon as they are available.
        sent: Number of packets sent.
    """

    association: Association
    events: list[SctpEvent] = attrs.field(factory=list)
    messages: list[tuple[int, int, bytes]] = attrs.field(factory=list)
    reading: bool = True
    sent: int = 0

    def collect_events(self) -> None:
        for event in self.association.events():
            self.events.append(event)
            if isinstance(event, MessagesAvailable) and self.reading:
                for stream_id in event.stream_ids:
                    self.pull(stream_id)

    def pull(self, stream_id: int, at_most: float = math.inf) -> int:
        """Receive messages of a stream, and return their number."""
        count = 0
        while count < at_most and (message := self.association.receive_message(stream_id)) is not None:
            self.messages.append((stream_id, *message))
            count += 1
        return count

    def on_stream(self, stream_id: int) -> list[bytes]:
        """Return the data of all messages received on a stream."""
        return [data for stream, _, data in self.messages if stream == stream_id]

    def has(self, kind: type[SctpEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.events)

    def closed_event(self) -> AssociationClosed:
        (closed,) = [event for event in self.events if isinstance(event, AssociationClosed)]
        return closed


class SctpPair:
    """Two endpoints, ``left`` and ``right``, and the packets between them.

    Each packet takes ``delay`` seconds and up to ``jitter`` more, which reorders.
    """

    def __init__(
        self,
        left: SctpOptions | None = None,
        right: SctpOptions | None = None,
        *,
        seed: int = 0,
        delay: float = 0.01,
        jitter: float = 0.0,
        lost: Filter = lose_nothing,
    ) -> None:
        options = (left or SctpOptions(), right or left or SctpOptions())
        self.chance = random.Random(seed)
        self.ends = tuple(
            Endpoint(Association(option, rng=random.Random(seed + index)))
            for index, option in enumerate(options, start=1)
        )
        self.left, self.right = self.ends
        self.now = START
        self.delay, self.jitter, self.lost = delay, jitter, lost
        self.in_flight: list[tuple[float, int, int, bytes]] = []
        self.wire: list[tuple[int, bytes]] = []
        self.batch = True
        self._count = 0

    def connect(self, *, both: bool = True, timeout: float = 100.0) -> "SctpPair":
        """Run until both sides are connected, or the left one if not ``both``."""
        self.left.association.connect(self.now)
        if both:
            self.right.association.connect(self.now)
        assert self.run(lambda: self.is_connected, timeout)
        return self

    @property
    def is_connected(self) -> bool:
        return all(end.association.state == "connected" for end in self.ends)

    @property
    def is_closed(self) -> bool:
        return all(end.association.closed for end in self.ends)

    def flush(self) -> int:
        """Send the packets of both sides, and return their number."""
        count = 0
        for index, end in enumerate(self.ends):
            packets = end.association.datagrams_to_send(self.now)
            end.collect_events()
            # Received messages may have opened the window.
            packets += end.association.datagrams_to_send(self.now)
            end.sent += len(packets)
            count += len(packets)
            for packet in packets:
                self.wire.append((index, packet))
                if not self.lost(index, packet):
                    self.transmit(1 - index, packet)
        return count

    def transmit(self, to: int, packet: bytes) -> None:
        """Send a packet over the network."""
        self._count += 1
        arrival = self.now + self.delay + self.chance.random() * self.jitter
        self.in_flight.append((arrival, self._count, to, packet))
        self.in_flight.sort()

    def deliver_due(self) -> None:
        """Deliver the packets that have arrived by now, in batches if ``batch``."""
        due = [item for item in self.in_flight if item[0] <= self.now]
        self.in_flight = self.in_flight[len(due) :]
        for index, end in enumerate(self.ends):
            packets = [packet for _, _, to, packet in due if to == index]
            batches = [packets] if self.batch else [[packet] for packet in packets]
            for batch in batches:
                if batch:
                    end.association.receive(batch, self.now)

    def next_time(self) -> float:
        """Return the time of the next event."""
        times = [end.association.next_timer() for end in self.ends]
        if self.in_flight:
            times.append(self.in_flight[0][0])
        return min(times)

    def step(self, latest: float = math.inf) -> bool:
        """Run the next event if it is not after ``latest``, and return whether there was one."""
        self.flush()
        time = self.next_time()
        if time > latest or time == math.inf:
            self.now = latest if latest != math.inf else self.now
            return False
        self.now = max(self.now, time)
        self.deliver_due()
        for end in self.ends:
            if end.association.next_timer() <= self.now:
                end.association.handle_timer(self.now)
                assert end.association.next_timer() > self.now, "the timer spins"
        self.flush()
        return True

    def run(self, until: Callable[[], bool], timeout: float = 60.0) -> bool:
        """Run until a condition holds, and return whether it did in ``timeout`` seconds."""
        latest = self.now + timeout
        self.flush()
        while not until():
            if not self.step(latest):
                return until()
        return True

    def run_for(self, seconds: float) -> None:
        """Advance time."""
        self.run(lambda: False, seconds)

    def kinds_sent(self, sender: int) -> Counter[int]:
        """Return the number of chunks that a side has sent, by type."""
        return Counter(kind for index, packet in self.wire if index == sender for kind in chunk_kinds(packet))


class LoseNth:
    """Loses packets of one side with a chunk of some type, by their indexes among these."""

    def __init__(self, sender: int, kind: int, *numbers: int) -> None:
        self._sender, self._kind, self._numbers = sender, kind, numbers
        self._seen = 0

    def __call__(self, sender: int, packet: bytes) -> bool:
        if sender != self._sender or self._kind not in chunk_kinds(packet):
            return False
        self._seen += 1
        return self._seen - 1 in self._numbers


def lose_share(share: float, seed: int = 0) -> Filter:
    chance = random.Random(seed)
    return lambda sender, packet: chance.random() < share
