"""The transports of a peer connection: one for each bundle (RFC 9143); most connections have one.

All have the same ICE credentials, as in browsers. Peers rely on that: pion rejects an offer whose media sections have
different credentials, and Firefox handles a section that moves to another transport as an ICE restart.
"""

from collections.abc import Callable, Iterator, Sequence

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceTransportPolicy
from trio_rtc.protocols.ice import IceParameters, IceServer
from trio_rtc.transports.stack import StackDelegate, TransportStack

from .connection_states import ConnectionStates
from .ice_credentials import IceCredentials
from .transport_events import TransportEvents

MAX_TRANSPORTS = 16
"""Maximum number of bundles, since each needs sockets. The media sections of further ones are rejected."""


@attrs.define(eq=False)
class BundleTransport:
    """The transport of one bundle, and the state of its negotiation.

    Attributes:
        stack: The layers from ICE to the data channels.
        prepared: The credentials of the next ICE generation; ``None`` if none was prepared.
        generation_abandoned: Whether the ICE generation belongs to an offer that was rolled back, so that another one
            must begin.
        role_settled: Whether an answer has determined the roles.
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
    """The transports of a peer connection, by number.

    The first one exists from the beginning: it has the data channels that are not open yet, and is the default of local
    offers. Others are created when they are needed. A transport is removed when a negotiation has left it without a
    media section.

    The candidate pool (RFC 9429 section 3.5.5) has the candidates of transports that no description needs yet. It ends
    with the first negotiation.

    Args:
        open_stack: Creates a stack for a delegate, with the given ICE credentials or new ones.
        credentials: The ICE credentials that the application supplies.
    """

    def __init__(
        self,
        open_stack: Callable[[StackDelegate, IceParameters | None], TransportStack],
        states: ConnectionStates,
        credentials: IceCredentials,
    ) -> None:
        self._open_stack = open_stack
        self.credentials = credentials
        self.states = states
        self._nursery: trio.Nursery | None = None
        self._transports: dict[int, BundleTransport] = {}
        self._pool: list[BundleTransport] = []
        self._open(0)

    def __iter__(self) -> Iterator[BundleTransport]:
        """Iterate over the present transports."""
        return iter(list(self._transports.values()))

    async def start(self, nursery: trio.Nursery) -> None:
        """Start all transports in the nursery of their tasks."""
        self._nursery = nursery
        for transport in self:
            await transport.stack.start(nursery)

    async def shutdown(self) -> None:
        """Shut down all layers of all transports, which notify the peer (SCTP ABORT, DTLS close_notify)."""
        for transport in (*self, *self._pool):
            await transport.stack.shutdown()

    def wake(self) -> None:
        """Wake the ICE tasks of all transports."""
        for transport in self:
            transport.stack.ice.wake()

    def get(self, number: int) -> BundleTransport | None:
        """Return the transport with a number, or ``None``."""
        return self._transports.get(number)

    def get_or_open(self, number: int) -> BundleTransport | None:
        """Return the transport with a number, or a new one; ``None`` if there are too many."""
        found = self._transports.get(number)
        if found is None and (number == 0 or len(self._transports) < MAX_TRANSPORTS):
            pooled = bool(self._pool)
            found = self._open(number)
            if self._nursery is not None and not pooled:
                found.stack.start_soon(self._nursery)
        return found

    def fill_pool(self, size: int, servers: Sequence[IceServer], policy: RTCIceTransportPolicy) -> None:
        """Gather the candidates of ``size`` transports early, including the first one, at most ``MAX_TRANSPORTS``.

        Surplus transports are ended. No effect outside the block of the connection.
        """
        if self._nursery is None:
            return
        size = min(size, MAX_TRANSPORTS)
        while len(self._pool) > max(0, size - len(self._transports)):
            self._nursery.start_soon(self._pool.pop().stack.end)
        while len(self._pool) + len(self._transports) < size:
            self._pool.append(self._create(0))
            self._pool[-1].stack.start_soon(self._nursery)
        if size:
            for transport in (*self, *self._pool):
                transport.stack.fill_pool(servers, policy)

    def empty_pool(self) -> None:
        """End the transports of the pool."""
        for transport in self._pool:
            assert self._nursery is not None
            self._nursery.start_soon(transport.stack.end)
        self._pool.clear()

    def remove(self, number: int) -> None:
        """End a transport without media sections."""
        transport = self._transports.pop(number)
        # The stack may still report its end, which is then ignored.
        transport.events.end_w3c_objects()
        if self._nursery is not None:
            self._nursery.start_soon(transport.stack.end)

    def _open(self, number: int) -> BundleTransport:
        """Open a transport, one of the pool if possible."""
        if self._pool:
            transport = self._pool.pop(0)
            transport.events.number = number
        else:
            transport = self._create(number)
        self._transports[number] = transport
        return transport

    def _create(self, number: int) -> BundleTransport:
        events = TransportEvents(number, self.states)
        others = [transport.stack.agent.local_parameters for transport in self]
        stack = self._open_stack(events, others[0] if others else self.credentials.next_generation())
        events.traffic.counter = stack.ice
        return BundleTransport(stack, events)
