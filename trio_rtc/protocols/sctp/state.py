"""The states of an association (RFC 9260 section 4), each with the data that is valid only in it."""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.timer import Timer

from .cookie import Capabilities
from .events import AssociationError
from .heartbeat import PathMonitor
from .rx.receiver import Receiver
from .stream_reset import StreamReset
from .tx.transmitter import Transmitter


@attrs.define
class ControlBlock:
    """The transmission control block (TCB): the negotiated parameters and the parts of data transfer.

    Attributes:
        peer_tag: Verification tag of packets to the peer.
        inbound_header: Common header of packets to us, with zero checksum.
        outbound_header: Common header of our packets, with zero checksum.
        capabilities: Extensions that both sides support.
        inbound_streams: Number of streams that the peer may use.
        outbound_streams: Number of streams that we may use.
        path: Monitors the path with HEARTBEATs.
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
        """The association's error counter (RFC 9260 section 8.1), compared with ``max_retransmissions``."""
        return max(self.transmitter.errors, self.path.errors, self.resets.errors)


@attrs.define
class Listening:
    """RFC 9260's CLOSED before the handshake: an INIT is answered, nothing is sent."""


@attrs.define
class CookieWait:
    """COOKIE-WAIT: INIT is sent, INIT ACK is awaited.

    ``transmitter`` is set after a stale cookie: it has the data that was sent with the COOKIE ECHO.
    """

    t1_init: Timer
    transmitter: Transmitter | None = None


@attrs.define
class CookieEchoed:
    """COOKIE-ECHOED: COOKIE ECHO is sent, COOKIE ACK is awaited.

    ``cookie_due``: COOKIE ECHO must be sent (again); only its packet may have data. ``report``: an ERROR chunk to
    bundle with it once, or empty. ``shutdown_requested``: ``shutdown`` has been called meanwhile.
    """

    block: ControlBlock
    t1_cookie: Timer
    cookie: bytes
    report: bytes = b""
    cookie_due: bool = True
    shutdown_requested: bool = False


@attrs.define
class Established:
    """ESTABLISHED."""

    block: ControlBlock


@attrs.define
class ShutdownPending:
    """SHUTDOWN-PENDING: ``shutdown`` was called; queued messages are still sent."""

    block: ControlBlock


@attrs.define
class ShutdownSent:
    """SHUTDOWN-SENT: all our data is acknowledged; the peer may still send."""

    block: ControlBlock
    t2_shutdown: Timer


@attrs.define
class ShutdownReceived:
    """SHUTDOWN-RECEIVED: queued messages are still sent."""

    block: ControlBlock


@attrs.define
class ShutdownAckSent:
    """SHUTDOWN-ACK-SENT: SHUTDOWN COMPLETE is awaited."""

    block: ControlBlock
    t2_shutdown: Timer


@attrs.define
class Closed:
    """The association has ended; ``error`` is None after an orderly shutdown or our own ``close``."""

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
