"""The contract that every protocol core keeps.

A core is a state machine without input or output of its own. Packets and time are handed in; packets,
events and the next deadline are taken out. Whoever drives it (a trio task, a test, a fuzzer) calls, after
anything that touched the core, ``datagrams_to_send``, ``events`` and ``next_timer``.

* ``now`` is monotonic time in seconds. A core never reads a clock and never keeps "the current time".
* Chance comes in through the constructor as ``random.Random``. Same inputs, same seed, same bytes out.
* ``receive`` never raises for what a peer did: a malformed packet is counted and dropped, because any
  datagram may be spoofed. What truly ends a protocol is its event ``Closed(error)``.
* Misuse by our own caller raises at once, in the caller's stack.
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
    """A packet at or below ICE, where packets know where they come from and go to.

    ``local`` is the address of the socket (its base), ``remote`` the peer's address.
    """

    data: bytes
    local: Address
    remote: Address


class Core(Protocol[PacketT, EventT_co]):
    """What every protocol core offers. ``PacketT`` is ``bytes`` above ICE and ``Datagram`` in ICE."""

    @property
    def closed(self) -> bool:
        """Whether the protocol has ended. Nothing comes out of a closed core but what was already queued."""

    def receive(self, batch: Sequence[PacketT], now: float) -> None:
        """Take packets from the layer below. Never raises for what the peer did."""

    def handle_timer(self, now: float) -> None:
        """Let the core act on what is due. Legal at any time, acts only on deadlines that have passed."""

    def next_timer(self) -> float:
        """Return the absolute time of the next deadline, ``math.inf`` when there is none."""

    def datagrams_to_send(self, now: float) -> list[PacketT]:
        """Take what is to be sent: a second call returns an empty list."""

    def events(self) -> Sequence[EventT_co]:
        """Take what has happened: a second call returns an empty sequence."""

    def close(self, now: float) -> None:
        """Say goodbye if that is possible, then end. Idempotent."""

    def lower_closed(self, now: float) -> None:
        """Hear that the layer below is gone: end without sending anything."""
