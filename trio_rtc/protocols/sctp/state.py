"""The states of an association (RFC 9260 section 4), each with the data that is valid in it and nowhere else."""

import attrs

from trio_rtc.protocols.timer import Timer

from .cookie import Capabilities
from .events import AssociationError
from .heartbeat import PathMonitor
from .rx.receiver import Receiver
from .stream_reset import StreamReset
from .tx.transmitter import Transmitter


@attrs.define
class ControlBlock:
    """The transmission control block: what both sides agreed on, and the machinery of the data transfer.

    Attributes:
        peer_tag: Verification tag of packets to the peer.
        inbound_header: The header, with zero checksum, that packets to us have.
        outbound_header: The header, with zero checksum, of our packets.
        capabilities: What both sides can.
        inbound_streams: How many streams the peer may use.
        outbound_streams: How many streams we may use.
        receiver: The receiving side.
        transmitter: The sending side.
        path: Watches that the peer is alive.
        resets: Stream resets, both ways.
    """

    peer_tag: int
    inbound_header: bytes
    outbound_header: bytes
    capabilities: Capabilities
    inbound_streams: int
    outbound_streams: int
    receiver: Receiver
    transmitter: Transmitter
    path: PathMonitor
    resets: StreamReset

    @property
    def errors(self) -> int:
        """What counts against the association's limit of retransmissions (RFC 9260 section 8.1)."""
        return max(self.transmitter.errors, self.path.errors, self.resets.errors)

    def next_timer(self) -> float:
        """Return the earliest deadline."""
        return min(
            self.receiver.ack_deadline, self.transmitter.t3_deadline, self.path.deadline, self.resets.deadline
        )


@attrs.define
class Listening:
    """RFC 9260's CLOSED before anything has happened: an INIT is answered, nothing is sent."""


@attrs.define
class CookieWait:
    """INIT is sent, INIT ACK is awaited.

    ``transmitter`` is there when a stale cookie has led here: it has the data that was sent with the cookie.
    """

    t1_init: Timer
    transmitter: Transmitter | None = None


@attrs.define
class CookieEchoed:
    """COOKIE ECHO is sent, COOKIE ACK is awaited.

    ``cookie_due`` says that the cookie is to be sent (again), which is also when data may ride along;
    ``report`` is an ERROR chunk to be bundled with it once, or empty;
    ``shutdown_wanted`` that ``shutdown`` has been called meanwhile.
    """

    block: ControlBlock
    t1_cookie: Timer
    cookie: bytes
    report: bytes = b""
    cookie_due: bool = True
    shutdown_wanted: bool = False


@attrs.define
class Established:
    """Messages flow."""

    block: ControlBlock


@attrs.define
class ShutdownPending:
    """We want to end, and what is queued is being sent."""

    block: ControlBlock


@attrs.define
class ShutdownSent:
    """SHUTDOWN is sent, everything of ours is acknowledged; the peer may still be sending."""

    block: ControlBlock
    t2_shutdown: Timer


@attrs.define
class ShutdownReceived:
    """The peer wants to end, and what is queued is being sent."""

    block: ControlBlock


@attrs.define
class ShutdownAckSent:
    """SHUTDOWN ACK is sent, SHUTDOWN COMPLETE is awaited."""

    block: ControlBlock
    t2_shutdown: Timer


@attrs.define
class Closed:
    """The end."""

    error: AssociationError | None


State = (
    Listening
    | CookieWait
    | CookieEchoed
    | Established
    | ShutdownPending
    | ShutdownSent
    | ShutdownReceived
    | ShutdownAckSent
    | Closed
)
