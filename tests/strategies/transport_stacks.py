"""Transport stacks that record their events."""

import random
from collections.abc import Callable

import attrs
import trio

from tests.strategies.dtls_pair import certificate
from tests.strategies.peers import WALL_CLOCK
from trio_rtc.protocols.datachannel import DataChannelEvent
from trio_rtc.protocols.dtls import DtlsClosed, DtlsEvent, DtlsRole, Fingerprint, HandshakeCompleted
from trio_rtc.protocols.ice import GatheringCompleted, IceEvent, LocalCandidateGathered, StateChanged
from trio_rtc.protocols.rtp import RtpEvent
from trio_rtc.protocols.sctp import SctpEvent
from trio_rtc.testing import SimulatedHost
from trio_rtc.transports.network import Network
from trio_rtc.transports.port_allocator import RelayAllocator
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.stack import TransportStack


class RecordingDelegate:
    """Records the events of all layers in order, with their times.

    Attributes:
        log: Names of the events.
        times: Time of the first event of each name.
        events: All events.
        on_ice_event: Called with each ICE event.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.times: dict[str, float] = {}
        self.events: list[IceEvent | DtlsEvent | SctpEvent | DataChannelEvent | RtpEvent] = []
        self.on_ice_event: Callable[[IceEvent], object] = lambda event: None

    def _record(self, name: str) -> None:
        self.log.append(name)
        self.times.setdefault(name, trio.current_time())

    def handle_ice_event(self, event: IceEvent) -> None:
        self.events.append(event)
        if isinstance(event, StateChanged):
            self._record(f"ice {event.state}")
        self.on_ice_event(event)

    def handshake_started(self) -> None:
        self._record("handshake started")

    def handle_dtls_event(self, event: DtlsEvent) -> None:
        self.events.append(event)
        if isinstance(event, HandshakeCompleted | DtlsClosed):
            self._record(f"dtls {type(event).__name__}")

    def handle_sctp_event(self, event: SctpEvent) -> None:
        self.events.append(event)
        self._record(f"sctp {type(event).__name__}")

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        self.events.append(event)
        self._record(f"channel {type(event).__name__}")

    def position(self, name: str) -> int:
        return self.log.index(name)

    def has(self, *names: str) -> bool:
        return set(names) <= set(self.log)


@attrs.define
class Side:
    """A stack with its delegate and host."""

    stack: TransportStack
    delegate: RecordingDelegate
    host: SimulatedHost
    role: DtlsRole
    wall_clock: float = WALL_CLOCK

    def fingerprint(self) -> Fingerprint:
        return certificate(self.role).fingerprint()

    def start_dtls(self, *, fingerprint: Fingerprint | None = None) -> None:
        self.stack.start_dtls(self.role, [fingerprint or certificate(self.role.other).fingerprint()])

    def start_upper_layers(self) -> None:
        self.start_dtls()
        self.stack.start_sctp(5000)


def make_side(
    host: SimulatedHost,
    role: DtlsRole,
    network: Network | None = None,
    relay_allocator: RelayAllocator | None = None,
) -> Side:
    delegate = RecordingDelegate()
    stack = TransportStack(
        Settings(network=network or host),
        rng=random.Random(role.value),
        wall_clock=lambda: side.wall_clock,
        certificate=certificate(role),
        delegate=delegate,
        relay_allocator=relay_allocator,
    )
    side = Side(stack, delegate, host, role)
    return side


def exchange_candidates(one: Side, other: Side) -> None:
    """Signal credentials, and candidates as they are gathered."""
    now = trio.current_time()
    for side, peer in ((one, other), (other, one)):
        peer.stack.agent.set_remote_parameters(side.stack.agent.local_parameters, now)
        peer.stack.ice.wake()

        def tell(event: IceEvent, peer: Side = peer) -> None:
            if isinstance(event, LocalCandidateGathered):
                peer.stack.agent.add_remote_candidate(event.candidate, trio.current_time())
                peer.stack.ice.wake()
            elif isinstance(event, GatheringCompleted):
                peer.stack.agent.remote_candidates_complete(trio.current_time())
                peer.stack.ice.wake()

        side.delegate.on_ice_event = tell
