"""The transports of a peer connection: one for each bundle (RFC 9143), and for most connections one.

All have the same ICE credentials, as in browsers. Peers rely on that: pion refuses an offer whose sections differ in
them, and Firefox takes it for a restart of a part of the connection when a section moves from one transport to another.
"""

from collections.abc import Callable, Iterator

import attrs
import trio

from trio_rtc.protocols.ice import IceParameters
from trio_rtc.transports.stack import StackDelegate, TransportStack

from .connection_states import ConnectionStates
from .transport_events import TransportEvents

MAX_TRANSPORTS = 16
"""How many bundles a peer may have. Each costs sockets: the sections of further ones are refused."""


@attrs.define(eq=False)
class BundleTransport:
    """The transport of one bundle, and where its negotiation stands.

    Attributes:
        stack: From ICE to the data channels.
        events: Applies the events of its layers.
        prepared: The credentials of the next ICE generation, if one was prepared.
        generation_abandoned: Whether the ICE generation belongs to an offer that was rolled back: another one has to
            begin.
        role_settled: Whether an answer has settled the roles.
    """

    stack: TransportStack
    events: TransportEvents
    prepared: IceParameters | None = None
    generation_abandoned: bool = False
    role_settled: bool = False

    @property
    def number(self) -> int:
        """The transport's number (``TransportPlan.number``)."""
        return self.events.number


class BundleTransports:
    """The transports that there are, by number.

    The first is there from the beginning; it is where data channels wait, and what an offer of ours is written for.
    Others come when an answer needs them, and any goes when an exchange has left it without a section.

    Args:
        open_stack: Makes a stack for its owner, with these ICE credentials or new ones.
        states: The states of the connection.
    """

    def __init__(
        self,
        open_stack: Callable[[StackDelegate, IceParameters | None], TransportStack],
        states: ConnectionStates,
    ) -> None:
        self._open_stack = open_stack
        self.states = states
        self._nursery: trio.Nursery | None = None
        self._transports: dict[int, BundleTransport] = {}
        self._open(0)

    def __iter__(self) -> Iterator[BundleTransport]:
        """Iterate over those that there are."""
        return iter(list(self._transports.values()))

    async def start(self, nursery: trio.Nursery) -> None:
        """Start in the nursery that all tasks will live in."""
        self._nursery = nursery
        for transport in self:
            await transport.stack.start(nursery)

    async def shutdown(self) -> None:
        """End all layers of all transports, each with its goodbye on the wire."""
        for transport in self:
            await transport.stack.shutdown()

    def wake(self) -> None:
        """Wake the ICE tasks of all transports."""
        for transport in self:
            transport.stack.ice.wake()

    def get(self, number: int) -> BundleTransport | None:
        """Return a transport, ``None`` if there is none of this number."""
        return self._transports.get(number)

    def provide(self, number: int) -> BundleTransport | None:
        """Return a transport, a new one where there is none; ``None`` for a further one if there are too many."""
        found = self._transports.get(number)
        if found is None and (number == 0 or len(self._transports) < MAX_TRANSPORTS):
            found = self._open(number)
            if self._nursery is not None:
                found.stack.start_soon(self._nursery)
        return found

    def drop(self, number: int) -> None:
        """End a transport that no section uses."""
        transport = self._transports.pop(number)
        transport.events.close()
        # Its stack may still report its end, of which nothing follows.
        transport.events.forget()
        if self._nursery is not None:
            self._nursery.start_soon(transport.stack.end)

    def _open(self, number: int) -> BundleTransport:
        events = TransportEvents(number, self.states)
        others = [transport.stack.agent.local_parameters for transport in self]
        stack = self._open_stack(events, others[0] if others else None)
        events.traffic.counter = stack.ice
        self._transports[number] = BundleTransport(stack, events)
        return self._transports[number]
