"""What the client's and the server's handshake have in common.

A handshake is a machine of whole messages: it is given the peer's messages in order and answers each with a
``Step``. It knows nothing of records, fragments, timers or retransmission; those are the connection's. A
handshake of another version of DTLS is another such machine behind the same connection.
"""

import hmac
import random
from collections.abc import Sequence
from typing import Protocol

import attrs

from trio_rtc.errors import ProtocolError

from .alert import AlertDescription, HandshakeFailure
from .crypto.certificate import Certificate, Fingerprint, PeerCertificate
from .crypto.cipher_suites import CipherSuite, SrtpProfile
from .crypto.key_exchange import NamedGroup
from .flight import FlightItem
from .messages import HandshakeMessage, HandshakeType
from .options import DtlsOptions, DtlsRole
from .record.protection import Protection
from .tls12.key_schedule import SessionSecrets

PROTECTED_EPOCH = 1  # DTLS 1.2 without renegotiation has the epochs 0, in the clear, and 1


@attrs.frozen
class HandshakeParameters:
    """What a handshake is made from.

    Attributes:
        options: The options of the connection.
        certificate: Our certificate.
        remote_fingerprints: What the peer's certificate is checked against.
        rng: Source of randoms and keys.
    """

    options: DtlsOptions
    certificate: Certificate
    remote_fingerprints: Sequence[Fingerprint]
    rng: random.Random


@attrs.frozen
class Negotiated:
    """What the two hellos have settled.

    Attributes:
        suite: The cipher suite.
        client_random: The client's 32 random bytes.
        server_random: The server's 32 random bytes.
        srtp_profile: The SRTP profile, or None.
    """

    suite: CipherSuite
    client_random: bytes
    server_random: bytes
    srtp_profile: SrtpProfile | None


@attrs.frozen
class EpochKeys:
    """Keys for a new epoch.

    Attributes:
        epoch: Its number.
        read: Opens what the peer sends in it.
        write: Protects what we send in it.
    """

    epoch: int
    read: Protection
    write: Protection


@attrs.frozen
class HandshakeResult:
    """What a completed handshake has brought.

    Attributes:
        secrets: The secrets.
        group: The group of the key exchange.
        srtp_profile: The SRTP profile, or None.
        peer: The peer's certificate.
    """

    secrets: SessionSecrets
    group: NamedGroup
    srtp_profile: SrtpProfile | None
    peer: PeerCertificate


@attrs.frozen
class Step:
    """What a handshake wants done after a message.

    Attributes:
        flight: The next flight; empty while more of the peer's flight is awaited.
        awaits_answer: Whether the flight is sent again when no answer comes.
        keys: Keys to install, before the flight is sent.
        result: Set by the last step.
    """

    flight: Sequence[FlightItem] = ()
    awaits_answer: bool = True
    keys: EpochKeys | None = None
    result: HandshakeResult | None = None


class Handshake(Protocol):
    """A handshake, of either side."""

    @property
    def awaited_epoch(self) -> int:
        """The epoch in which the next message must come to count."""

    def start(self) -> Step:
        """Say the first word, if it is ours."""

    def receive(self, message: HandshakeMessage) -> Step:
        """Take the peer's next message.

        Raises:
            ProtocolError: The handshake has failed. A ``HandshakeFailure`` tells the alert to send.
        """


class Transcript:
    """All messages of the handshake so far, as they are hashed and signed, and the numbers of ours."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._next_sequence = 0

    def send(self, message_type: HandshakeType, body: bytes) -> HandshakeMessage:
        """Number a message of ours and record it."""
        message = HandshakeMessage(message_type, self._next_sequence, body)
        self._next_sequence += 1
        self._data += message.encode()
        return message

    def receive(self, message: HandshakeMessage) -> None:
        """Record a message of the peer."""
        self._data += message.encode()

    def restart(self) -> None:
        """Forget the messages: a hello and the cookie that answered it are not hashed (RFC 6347 4.2.1)."""
        self._data.clear()

    def to_bytes(self) -> bytes:
        """Return everything that has been recorded."""
        return bytes(self._data)


def expect(message: HandshakeMessage, message_type: HandshakeType) -> None:
    """Raise ``HandshakeFailure`` unless this is the message that must come now."""
    if message.message_type != message_type:
        raise HandshakeFailure(
            AlertDescription.UNEXPECTED_MESSAGE,
            f"handshake message {message.message_type} came instead of {message_type.name}",
        )


def expect_empty(message: HandshakeMessage) -> None:
    """Raise ``ProtocolError`` if a message that has no body has one."""
    if message.body:
        raise ProtocolError(f"handshake message {message.message_type} has a body")


def verify_finished(
    message: HandshakeMessage, sender: DtlsRole, secrets: SessionSecrets, transcript: Transcript
) -> None:
    """Raise ``HandshakeFailure`` unless the peer has seen the same handshake as we."""
    expect(message, HandshakeType.FINISHED)
    if not hmac.compare_digest(message.body, secrets.verify_data(sender, transcript.to_bytes())):
        raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the peer's Finished is wrong")


def finish(role: DtlsRole, secrets: SessionSecrets, transcript: Transcript) -> tuple[FlightItem, FlightItem]:
    """Return the end of a flight: ChangeCipherSpec, then our Finished under the new keys."""
    verify_data = secrets.verify_data(role, transcript.to_bytes())
    finished = transcript.send(HandshakeType.FINISHED, verify_data)
    return FlightItem(0, None), FlightItem(PROTECTED_EPOCH, finished)


def epoch_keys(role: DtlsRole, secrets: SessionSecrets) -> EpochKeys:
    """Return the keys of both directions as ``role`` uses them."""
    return EpochKeys(PROTECTED_EPOCH, secrets.protection(role.other), secrets.protection(role))
