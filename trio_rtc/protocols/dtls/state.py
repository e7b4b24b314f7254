"""The states of a connection, each with the data that exists only in it."""

import math

from trio_rtc import _attrs as attrs

from .alert import Alert
from .crypto.certificate import Fingerprint
from .events import DtlsError
from .flight import Flight
from .handshake import Handshake, HandshakeResult
from .reassembly import Reassembler
from .record.protection import EpochReader, EpochWriter


@attrs.define
class New:
    """The handshake has not been started.

    Attributes:
        remote_fingerprints: Fingerprints of which the peer's certificate must have one.
        early_datagrams: Datagrams that have arrived already, since the peer may start first.
    """

    remote_fingerprints: tuple[Fingerprint, ...] = ()
    early_datagrams: list[bytes] = attrs.field(factory=list)


@attrs.frozen
class PendingAlert:
    """A fatal alert that arrived in the clear.

    Attributes:
        deadline: Time at which it takes effect, unless the handshake makes progress before.
    """

    alert: Alert
    deadline: float


@attrs.define
class Connecting:
    """The handshake is in progress.

    Attributes:
        reassembler: The peer's messages.
        flight: Our latest flight; None for a server that has received no ClientHello.
        deadline: Time at which the handshake fails.
        pending_alert: An alert that may be forged.
        early_data: Application data received before the peer's Finished.
        round_trip_time: Seconds from a flight to its answer, the longest so far, or as measured before the handshake;
            None if unknown.
    """

    handshake: Handshake
    reassembler: Reassembler
    flight: Flight | None = None
    deadline: float = math.inf
    pending_alert: PendingAlert | None = None
    early_data: list[bytes] = attrs.field(factory=list)
    round_trip_time: float | None = None

    def record_progress(self, now: float) -> None:
        """Update the state with a message of the peer.

        The first message that answers our flight is a sample of the round trip time. A flight that was sent several
        times counts from its first copy: an estimate that is too long does no harm.
        """
        self.pending_alert = None
        if self.flight is not None and not self.flight.answered:
            self.flight.answered = True
            self.round_trip_time = max(self.round_trip_time or 0.0, now - self.flight.first_sent_at)

    def set_flight(self, flight: Flight | None, deadline: float) -> None:
        """Replace the latest flight. The deadline is that of the first one."""
        self.flight = flight
        self.deadline = min(self.deadline, deadline)

    def next_timer(self) -> float:
        deadline = self.deadline
        if self.flight is not None:
            deadline = min(deadline, self.flight.timer.deadline)
        if self.pending_alert is not None:
            deadline = min(deadline, self.pending_alert.deadline)
        return deadline


@attrs.define
class Connected:
    """Application data can be sent and received.

    Attributes:
        handshake: The handshake, for messages that arrive after it is complete.
        reassembler: The peer's messages.
        reader: Opens incoming records.
        writer: Protects outgoing records.
        flight: Our latest flight, while it may have to be retransmitted.
        deadline: Time at which the connection fails, infinite while no flight is retransmitted by its timer.
    """

    handshake: Handshake
    reassembler: Reassembler
    result: HandshakeResult
    reader: EpochReader
    writer: EpochWriter
    flight: Flight | None = None
    deadline: float = math.inf

    def set_flight(self, flight: Flight | None, deadline: float) -> None:
        """Replace the latest flight, and its deadline."""
        self.flight = flight
        self.deadline = deadline if flight is not None and flight.timer.running else math.inf

    def next_timer(self) -> float:
        if self.flight is None or self.deadline == math.inf:
            return math.inf
        return min(self.deadline, self.flight.timer.deadline)


@attrs.frozen
class Ended:
    """The connection was closed or has failed.

    Attributes:
        error: The failure, or None.
    """

    error: DtlsError | None


State = New | Connecting | Connected | Ended
