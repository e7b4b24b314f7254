"""A second version of DTLS, for the tests of the interface between connection and handshake.

It has the form of DTLS 1.3 without its security: the keys are in the hellos, epoch 2 protects the rest of the handshake
and epoch 3 application data, the client's final flight and a message after the handshake are acknowledged (ACK). None
of its code is known to the connection.
"""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import CIPHER_SUITES, DtlsRole, NamedGroup
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import PeerCertificate, authenticate_peer
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey
from trio_rtc.protocols.dtls.extensions import ExtensionType
from trio_rtc.protocols.dtls.flight import FlightItem, FlightMessage, FlightRecord
from trio_rtc.protocols.dtls.handshake import (
    Admission,
    HandshakeParameters,
    HandshakeResult,
    HelloOffer,
    Step,
)
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.record.codec import HEADER, HEADER_LENGTH, VERSION_1_2, ContentType
from trio_rtc.protocols.dtls.record.epochs import EpochKeys

NUMBER = 0xFEFC
SUITE = 0x1301
KEY_SHARE = 51
NEW_SESSION_TICKET = 4
HANDSHAKE_EPOCH, DATA_EPOCH = 2, 3
TAG_LENGTH = 16


class OtherProtection:
    """ChaCha20-Poly1305 with the record number as the nonce."""

    overhead = HEADER_LENGTH + TAG_LENGTH

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        return [
            HEADER.pack(content_type, VERSION_1_2, each, len(plaintext) + TAG_LENGTH)
            + self._cipher.encrypt(each.to_bytes(12, "big"), plaintext, bytes((content_type,)))
            for each, plaintext in enumerate(batch, number)
        ]

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        if end - start < TAG_LENGTH:
            raise ProtocolError(f"protected fragment of {end - start} bytes")
        return self._cipher.decrypt(number.to_bytes(12, "big"), datagram[start:end], bytes((content_type,)))


class OtherHandshake:
    """Either side of the handshake.

    Attributes:
        next_epoch: Epoch in which the next message must arrive to count.
    """

    def __init__(self, role: DtlsRole, parameters: HandshakeParameters, key: EphemeralKey) -> None:
        self.next_epoch: int | None = 0
        self._role = role
        self._parameters = parameters
        self._key = key
        self._transcript = hashlib.sha256()
        self._next_sequence = 0
        self._secret = b""
        self._peer: PeerCertificate | None = None
        self._awaited_ack: bytes | None = b"finished" if role is DtlsRole.CLIENT else b"ticket"

    def record(self, message: HandshakeMessage) -> None:
        """Add a message to the transcript."""
        self._transcript.update(message.encode())

    def continue_from(self, hello: HandshakeMessage) -> None:
        """Continue behind a ClientHello that was sent."""
        self.record(hello)
        self._next_sequence = hello.sequence + 1

    def admit(self, message_type: int) -> Admission:
        return Admission.REASSEMBLE

    def receive(self, message: HandshakeMessage) -> Step:
        match message.message_type:
            case HandshakeType.CLIENT_HELLO if self._role is DtlsRole.SERVER:
                return self._receive_client_hello(message)
            case HandshakeType.SERVER_HELLO if self._role is DtlsRole.CLIENT:
                return self._receive_server_hello(message)
            case HandshakeType.CERTIFICATE:
                self.record(message)
                self._peer = authenticate_peer([message.body], self._parameters.remote_fingerprints)
                return Step()
            case HandshakeType.FINISHED:
                return self._receive_finished(message)
            case 4 if self._role is DtlsRole.CLIENT:
                return Step(
                    flight=[FlightRecord(DATA_EPOCH, ContentType.ACK, b"ticket")], awaits_answer=False
                )
        raise HandshakeFailure(
            AlertDescription.UNEXPECTED_MESSAGE, f"handshake message of type {message.message_type}"
        )

    def receive_record(self, epoch: int, content_type: int, plaintext: bytes) -> Step:
        if content_type != ContentType.ACK or not epoch:
            raise ProtocolError(f"content type {content_type} in epoch {epoch}")
        acknowledged, self._awaited_ack = plaintext == self._awaited_ack, None
        return Step(flight_acknowledged=acknowledged)

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        return hashlib.shake_256(self._secret + label + (context or b"")).digest(length)

    def _send(self, epoch: int, message_type: int, body: bytes) -> FlightMessage:
        message = HandshakeMessage(message_type, self._next_sequence, body)
        self._next_sequence += 1
        self.record(message)
        return FlightMessage(epoch, message)

    def _protection(self, epoch: int, sender: DtlsRole) -> OtherProtection:
        return OtherProtection(self.export(f"{epoch} {sender}".encode(), None, 32))

    def _verify_data(self, sender: DtlsRole) -> bytes:
        return hashlib.sha256(self._secret + sender.encode() + self._transcript.digest()).digest()

    def _proofs(self) -> list[FlightItem]:
        certificate = self._send(HANDSHAKE_EPOCH, HandshakeType.CERTIFICATE, self._parameters.certificate.der)
        verify_data = self._verify_data(self._role)
        return [certificate, self._send(HANDSHAKE_EPOCH, HandshakeType.FINISHED, verify_data)]

    def _begin_epoch(self, epoch: int) -> EpochKeys:
        return EpochKeys(
            epoch, self._protection(epoch, self._role.other), self._protection(epoch, self._role)
        )

    def _receive_client_hello(self, message: HandshakeMessage) -> Step:
        self.record(message)
        hello = ClientHello.parse(message.body)
        self._secret = self._key.exchange(hello.extensions[KEY_SHARE])
        extensions = {
            int(ExtensionType.SUPPORTED_VERSIONS): NUMBER.to_bytes(2, "big"),
            KEY_SHARE: self._key.public_bytes,
        }
        answer = ServerHello(self._parameters.rng.randbytes(32), SUITE, extensions)
        flight = [self._send(0, HandshakeType.SERVER_HELLO, answer.encode()), *self._proofs()]
        self.next_epoch = HANDSHAKE_EPOCH
        write = self._protection(DATA_EPOCH, DtlsRole.SERVER)
        keys = [self._begin_epoch(HANDSHAKE_EPOCH), EpochKeys(DATA_EPOCH, write=write)]
        return Step(keys=keys, flight=flight)

    def _receive_server_hello(self, message: HandshakeMessage) -> Step:
        self.record(message)
        self._secret = self._key.exchange(ServerHello.parse(message.body).extensions[KEY_SHARE])
        self.next_epoch = HANDSHAKE_EPOCH
        return Step(keys=[self._begin_epoch(HANDSHAKE_EPOCH)])

    def _receive_finished(self, message: HandshakeMessage) -> Step:
        if message.body != self._verify_data(self._role.other):
            raise HandshakeFailure(AlertDescription.DECRYPT_ERROR, "Finished does not verify")
        self.record(message)
        assert self._peer is not None
        self.next_epoch = DATA_EPOCH
        result = HandshakeResult(NUMBER, CIPHER_SUITES[0], NamedGroup.X25519, None, self._peer, self.export)
        if self._role is DtlsRole.CLIENT:
            keys = self._begin_epoch(DATA_EPOCH)
            flight = self._proofs()
        else:
            keys = EpochKeys(DATA_EPOCH, read=self._protection(DATA_EPOCH, DtlsRole.CLIENT))
            ticket = self._send(DATA_EPOCH, NEW_SESSION_TICKET, b"ticket")
            flight = [FlightRecord(DATA_EPOCH, ContentType.ACK, b"finished"), ticket]
        return Step(keys=[keys], flight=flight, oldest_epoch=HANDSHAKE_EPOCH, result=result)


class OtherVersion:
    """The version."""

    number = NUMBER
    early_epochs = (HANDSHAKE_EPOCH, DATA_EPOCH)

    def offer(self, parameters: HandshakeParameters) -> HelloOffer:
        key = EphemeralKey.generate(NamedGroup.X25519, parameters.rng)

        def create_client(hello: ClientHello, message: HandshakeMessage) -> OtherHandshake:
            handshake = OtherHandshake(DtlsRole.CLIENT, parameters, key)
            handshake.continue_from(message)
            return handshake

        return HelloOffer([SUITE], {KEY_SHARE: key.public_bytes}, create_client)

    def create_server(self, parameters: HandshakeParameters) -> OtherHandshake:
        key = EphemeralKey.generate(NamedGroup.X25519, parameters.rng)
        return OtherHandshake(DtlsRole.SERVER, parameters, key)
