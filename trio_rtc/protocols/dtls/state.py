"""The states of a connection, each with the data that exists only in it."""

import math

import attrs

from .alert import Alert
from .crypto.certificate import Fingerprint
from .events import DtlsError
from .flight import Flight
from .handshake import Handshake, HandshakeResult
from .reassembly import Reassembler
from .record.protection import EpochReader, EpochWriter


@attrs.define
class New:
    """Not started.

    Attributes:
        remote_fingerprints: What the peer's certificate will be checked against.
        early_datagrams: What has come already: the peer may be faster than we.
    """

    remote_fingerprints: tuple[Fingerprint, ...] = ()
    early_datagrams: list[bytes] = attrs.field(factory=list)


@attrs.frozen
class DoubtedAlert:
    """A fatal alert that came in the clear.

    Attributes:
        alert: What it said.
        believed_at: When it is believed, if the handshake has not gone on until then.
    """

    alert: Alert
    believed_at: float


@attrs.define
class Connecting:
    """The handshake is under way.

    Attributes:
        handshake: The machine of our role.
        reassembler: The peer's messages.
        flight: What we have sent last; None for a server that has not been spoken to.
        gives_up_at: When the handshake is abandoned.
        doubted_alert: An alert that may be spoofed.
        early_data: Application data that came before the peer's Finished.
        round_trip_time: Seconds from a flight to its answer, the longest so far, or as measured before the handshake;
            None while it is not known.
    """

    handshake: Handshake
    reassembler: Reassembler
    flight: Flight | None = None
    gives_up_at: float = math.inf
    doubted_alert: DoubtedAlert | None = None
    early_data: list[bytes] = attrs.field(factory=list)
    round_trip_time: float | None = None

    def record_answer(self, now: float) -> None:
        """Update the round trip time with the first message that answers our flight.

        A flight that was sent several times counts from its first copy: too long a time does no harm.
        """
        if self.flight is not None and not self.flight.answered:
            self.flight.answered = True
            self.round_trip_time = max(self.round_trip_time or 0.0, now - self.flight.first_sent_at)

    def next_timer(self) -> float:
        """Return the earliest deadline."""
        deadline = self.gives_up_at
        if self.flight is not None:
            deadline = min(deadline, self.flight.timer.deadline)
        if self.doubted_alert is not None:
            deadline = min(deadline, self.doubted_alert.believed_at)
        return deadline


@attrs.frozen
class Connected:
    """Data flows.

    Attributes:
        result: What the handshake has brought.
        reader: Opens what comes in.
        writer: Protects what goes out.
        last_flight: Our last flight, if the handshake ended with ours and not with the peer's.
    """

    result: HandshakeResult
    reader: EpochReader
    writer: EpochWriter
    last_flight: Flight | None


@attrs.frozen
class Ended:
    """It is over.

    Attributes:
        error: Why, if something went wrong.
    """

    error: DtlsError | None


State = New | Connecting | Connected | Ended
