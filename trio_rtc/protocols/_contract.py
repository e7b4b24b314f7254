"""The interface of every protocol core.

A core is a state machine without input or output of its own. Packets and the time are passed in; packets, events and
the next deadline are returned. The caller (a trio task, a test, a fuzzer) calls ``datagrams_to_send``, ``events`` and
``next_timer`` after any other call.

* ``now`` is monotonic time in seconds. A core neither reads a clock nor keeps "the current time".
* Randomness is passed to the constructor as ``random.Random``. The same inputs and seed produce the same bytes.
* ``receive`` never raises because of a peer: a malformed packet is counted and dropped, because any datagram may be
  spoofed. A protocol that ends reports an event with its error.
* A wrong call raises at once, in the caller's stack.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

PacketT = TypeVar("PacketT")
EventT_co = TypeVar("EventT_co", covariant=True)


class Address(NamedTuple):
    """A transport address: a numeric IPv4 or IPv6 address and a port."""

    host: str
    port: int


class Datagram(NamedTuple):
    """A packet at or below ICE, with its path.

    ``local`` is the address of the socket (its base), ``remote`` the peer's address.
    """

    data: bytes
    local: Address
    remote: Address


class Core(Protocol[PacketT, EventT_co]):
    """Interface of a protocol core. ``PacketT`` is ``bytes`` above ICE and ``Datagram`` in ICE."""

    @property
    def closed(self) -> bool:
        """Whether the protocol has ended. A closed core returns only what was queued before."""

    def receive(self, batch: Sequence[PacketT], now: float) -> None:
        """Process packets from the layer below. Never raises because of the peer."""

    def handle_timer(self, now: float) -> None:
        """Act on deadlines that have passed. May be called at any time."""

    def next_timer(self) -> float:
        """Return the absolute time of the next deadline, ``math.inf`` if there is none."""

    def datagrams_to_send(self, now: float) -> list[PacketT]:
        """Remove and return the outgoing packets: a second call returns an empty list."""

    def events(self) -> Sequence[EventT_co]:
        """Remove and return the events: a second call returns an empty sequence."""

    def close(self, now: float) -> None:
        """Close the protocol, with a message to the peer if it has one for that. Idempotent."""

    def lower_closed(self, now: float) -> None:
        """End without sending anything, because the layer below is closed."""


class QueuedCore(Core[PacketT, EventT_co]):
    """A core that queues packets and events as it produces them."""

    def __init__(self) -> None:
        self._outgoing: list[PacketT] = []
        self._events: list[EventT_co] = []

    def datagrams_to_send(self, now: float) -> list[PacketT]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> list[EventT_co]:
        events, self._events = self._events, []
        return events
