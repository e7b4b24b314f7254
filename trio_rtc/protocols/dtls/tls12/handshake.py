"""Shared by client and server of DTLS 1.2.

The transcript, the checks of both hellos, Certificate, the result of the key exchange, ChangeCipherSpec and Finished.
"""

import hmac

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import PeerCertificate, authenticate_peer
from trio_rtc.protocols.dtls.crypto.cipher_suites import CipherSuite
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, NamedGroup
from trio_rtc.protocols.dtls.crypto.srtp import SrtpProfile
from trio_rtc.protocols.dtls.extensions import EMPTY_RENEGOTIATION_INFO, Extensions, ExtensionType
from trio_rtc.protocols.dtls.flight import FlightMessage, FlightRecord
from trio_rtc.protocols.dtls.handshake import Admission, HandshakeParameters, HandshakeResult, Step
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.options import DtlsRole
from trio_rtc.protocols.dtls.record.codec import VERSION_1_2, ContentType
from trio_rtc.protocols.dtls.record.epochs import EpochKeys

from .key_schedule import SessionSecrets
from .messages import parse_certificates

PROTECTED_EPOCH = 1  # DTLS 1.2 without renegotiation has two epochs: 0, in the clear, and 1
_CHANGE_CIPHER_SPEC = b"\x01"


@attrs.frozen
class NegotiatedParameters:
    """Parameters negotiated by the two hellos, with their random values of 32 bytes."""

    suite: CipherSuite
    client_random: bytes
    server_random: bytes
    srtp_profile: SrtpProfile | None


@attrs.frozen
class KeyExchangeResult:
    """State shared by both sides after the key exchange."""

    negotiated: NegotiatedParameters
    group: NamedGroup
    peer: PeerCertificate
    secrets: SessionSecrets

    @classmethod
    def derive(
        cls,
        negotiated: NegotiatedParameters,
        key: EphemeralKey,
        peer_key: bytes,
        peer: PeerCertificate,
        transcript: "Transcript",
    ) -> "KeyExchangeResult":
        """Derive the secrets from both ephemeral keys and the transcript up to ClientKeyExchange."""
        secrets = SessionSecrets.derive(
            negotiated.suite,
            negotiated.client_random,
            negotiated.server_random,
            key.exchange(peer_key),
            transcript.to_bytes(),
        )
        return cls(negotiated, key.group, peer, secrets)

    def keys(self, role: DtlsRole) -> EpochKeys:
        protections = self.secrets.protections()
        return EpochKeys(PROTECTED_EPOCH, protections[role.other], protections[role])

    def complete(self) -> HandshakeResult:
        negotiated = self.negotiated
        return HandshakeResult(
            VERSION_1_2,
            negotiated.suite,
            self.group,
            negotiated.srtp_profile,
            self.peer,
            self.secrets.export,
        )


@attrs.frozen
class Completed:
    """State of a handshake in which both Finished messages have been verified."""


class Transcript:
    """The handshake messages so far, as they are hashed and signed, and the numbering of ours.

    The hello that a HelloVerifyRequest has answered and that request are not part of it (RFC 6347 section 4.2.1).
    """

    def __init__(self, next_sequence: int = 0) -> None:
        self._data = bytearray()
        self._next_sequence = next_sequence

    def send(self, message_type: HandshakeType, body: bytes) -> HandshakeMessage:
        """Return the next message of ours, numbered and recorded."""
        message = HandshakeMessage(message_type, self._next_sequence, body)
        self._next_sequence += 1
        self._data += message.encode()
        return message

    def record(self, message: HandshakeMessage) -> None:
        """Record a message that was numbered elsewhere, as all of the peer's are."""
        self._data += message.encode()

    def clear(self) -> None:
        """Drop the messages so far; the numbering continues."""
        self._data.clear()

    def to_bytes(self) -> bytes:
        return bytes(self._data)


def admit(message_type: int, next_epoch: int | None) -> Admission:
    """Return the action on a fragment of a message of this type, apart from a repeated Finished of the client."""
    if next_epoch is None:
        declined = message_type in (HandshakeType.HELLO_REQUEST, HandshakeType.CLIENT_HELLO)
        return Admission.DECLINE_RENEGOTIATION if declined else Admission.IGNORE
    # RFC 5246 section 7.4.1.1: HelloRequest is ignored while negotiating. It must not use up a message number either:
    # otherwise a forged one would silently keep out the genuine message of that number.
    return Admission.IGNORE if message_type == HandshakeType.HELLO_REQUEST else Admission.REASSEMBLE


def check_extensions(extensions: Extensions, sender: DtlsRole) -> None:
    """Raise ``HandshakeFailure`` if a hello lacks the extended master secret or renegotiates."""
    if extensions.get(ExtensionType.EXTENDED_MASTER_SECRET) != b"":
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE, f"the {sender} does not support the extended master secret"
        )
    # RFC 5746 section 3.4: the value must be empty in an initial handshake.
    renegotiation = extensions.get(ExtensionType.RENEGOTIATION_INFO, EMPTY_RENEGOTIATION_INFO)
    if renegotiation != EMPTY_RENEGOTIATION_INFO:
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE,
            f"the {sender} sent a non-empty renegotiation_info in the initial handshake",
        )


def receive_certificate(
    message: HandshakeMessage, parameters: HandshakeParameters, transcript: Transcript
) -> PeerCertificate:
    """Return the peer's certificate if it has a signaled fingerprint, otherwise raise ``HandshakeFailure``."""
    message.expect_type(HandshakeType.CERTIFICATE)
    transcript.record(message)
    return authenticate_peer(parse_certificates(message.body), parameters.remote_fingerprints)


def expect_empty(message: HandshakeMessage) -> None:
    """Raise ``ProtocolError`` if a message that must be empty has a body."""
    if message.body:
        raise ProtocolError(f"handshake message of type {message.message_type} has a body, must be empty")


def verify_finished(
    message: HandshakeMessage, sender: DtlsRole, secrets: SessionSecrets, transcript: Transcript
) -> None:
    """Raise ``HandshakeFailure`` unless this is a Finished message of the same transcript as ours."""
    message.expect_type(HandshakeType.FINISHED)
    if not hmac.compare_digest(message.body, secrets.verify_data(sender, transcript.to_bytes())):
        raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "the peer's Finished does not verify")


def build_finished(
    role: DtlsRole, secrets: SessionSecrets, transcript: Transcript
) -> tuple[FlightRecord, FlightMessage]:
    """Return the end of a flight: ChangeCipherSpec, and Finished under the new keys."""
    verify_data = secrets.verify_data(role, transcript.to_bytes())
    finished = transcript.send(HandshakeType.FINISHED, verify_data)
    return (
        FlightRecord(0, ContentType.CHANGE_CIPHER_SPEC, _CHANGE_CIPHER_SPEC),
        FlightMessage(PROTECTED_EPOCH, finished),
    )


def receive_record(epoch: int, content_type: int, plaintext: bytes) -> Step:
    """Check a ChangeCipherSpec, which changes nothing: the epoch of each record says the same, in any order."""
    if content_type != ContentType.CHANGE_CIPHER_SPEC:
        raise ProtocolError(f"content type {content_type} in DTLS 1.2")
    if plaintext != _CHANGE_CIPHER_SPEC:
        raise ProtocolError(f"ChangeCipherSpec of {len(plaintext)} bytes, must be one byte of value 1")
    return Step()
