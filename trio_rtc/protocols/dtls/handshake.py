"""Interface between the connection and the handshake of a version of DTLS.

A handshake is a state machine of complete messages: it receives the peer's messages in order and answers each with a
:class:`Step`. Records, fragments, timers and retransmission are the connection's. A version of DTLS implements
:class:`Version`, of which the connection is given a list; :mod:`.negotiation` selects one of it by the two hellos.

A handshake continues when the connection is connected: it decides about messages that arrive later, too.
"""

import random
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto
from typing import Protocol

from trio_rtc import _attrs as attrs

from .crypto.certificate import Certificate, Fingerprint, PeerCertificate
from .crypto.cipher_suites import CipherSuite
from .crypto.key_exchange import NamedGroup
from .crypto.srtp import Exporter, SrtpProfile
from .extensions import Extensions
from .flight import FlightItem
from .messages import ClientHello, HandshakeMessage
from .options import DtlsOptions
from .record.epochs import EpochKeys


@attrs.frozen
class HandshakeParameters:
    """Parameters of a handshake that do not depend on the version; the peer must have one of the fingerprints."""

    options: DtlsOptions
    certificate: Certificate
    remote_fingerprints: Sequence[Fingerprint]
    rng: random.Random


@attrs.frozen
class HandshakeResult:
    """Result of a complete handshake; ``srtp_profile`` is None if none was negotiated."""

    version: int
    cipher_suite: CipherSuite
    group: NamedGroup
    srtp_profile: SrtpProfile | None
    peer: PeerCertificate
    export: Exporter


@attrs.define
class Step:
    """Actions of the connection after a message, in this order.

    Attributes:
        handshake: The handshake that continues in place of the present one, or None.
        flight_acknowledged: Whether the peer has received our last flight, so that it is not retransmitted any more.
        flight: The next flight; empty while the peer's flight is incomplete.
        awaits_answer: Whether the flight is retransmitted by a timer until it is answered or acknowledged.
        oldest_epoch: The oldest epoch whose records are still accepted, or None for no change.
        result: Result of the handshake, in the step that completes it.
    """

    handshake: "Handshake | None" = None
    keys: Sequence[EpochKeys] = ()
    flight_acknowledged: bool = False
    flight: Sequence[FlightItem] = ()
    awaits_answer: bool = True
    oldest_epoch: int | None = None
    result: HandshakeResult | None = None


class Admission(Enum):
    """Action of the connection on a fragment, by the type of its message."""

    REASSEMBLE = auto()
    IGNORE = auto()
    RETRANSMIT = auto()
    """The peer retransmits its final flight: retransmit ours."""
    DECLINE_RENEGOTIATION = auto()
    """Answer with the warning no_renegotiation."""


class Handshake(Protocol):
    """One side of a handshake."""

    @property
    def next_epoch(self) -> int | None:
        """Epoch in which the next message must arrive to count, or None if no more messages are expected."""

    def admit(self, message_type: int) -> Admission:
        """Return the action on a fragment of a message of this type."""

    def receive(self, message: HandshakeMessage) -> Step:
        """Process the peer's next message.

        Raises:
            ProtocolError: The handshake has failed, with ``decode_error`` or the alert of a ``HandshakeFailure``.
        """

    def receive_record(self, epoch: int, content_type: int, plaintext: bytes) -> Step:
        """Process a record whose content type the connection does not process itself.

        Raises:
            ProtocolError: It is malformed, and is dropped.
        """


@attrs.frozen
class HelloOffer:
    """Contribution of one version to a ClientHello.

    Attributes:
        create_client: Returns the client's handshake behind a ClientHello that was sent: the hello and its message.
    """

    cipher_suites: Sequence[int]
    extensions: Extensions
    create_client: Callable[[ClientHello, HandshakeMessage], Handshake]


class Version(Protocol):
    """A version of DTLS. Its second implementer is in the tests, until there is DTLS 1.3."""

    @property
    def number(self) -> int:
        """The number in the hellos (0xFEFD for 1.2)."""

    @property
    def early_epochs(self) -> Collection[int]:
        """Epochs whose records may arrive before their keys are known."""

    def offer(self, parameters: HandshakeParameters) -> HelloOffer:
        """Return the contribution to a ClientHello."""

    def create_server(self, parameters: HandshakeParameters) -> Handshake:
        """Return a server's handshake, which has not received the ClientHello yet."""
