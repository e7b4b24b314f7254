"""Negotiation of the version: the first ClientHello and the answer to it.

A client offers all of its versions in one ClientHello: its own ``version`` is at most 1.2, newer ones are listed in the
extension ``supported_versions`` (RFC 8446 section 4.2.1). The server's answer selects one. Then the handshake of that
version replaces the negotiation, in the step that answers the first message of the peer.
"""

from collections.abc import Sequence

from trio_rtc.errors import ProtocolError

from .alert import AlertDescription, HandshakeFailure
from .extensions import ExtensionType, encode_numbers, vector
from .flight import FlightMessage
from .handshake import Admission, Handshake, HandshakeParameters, HelloOffer, Step, Version
from .messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
    ClientHello,
    HandshakeMessage,
    HandshakeType,
    ServerHello,
)
from .options import DtlsRole
from .record.codec import VERSION_1_2


def build_client_hello(parameters: HandshakeParameters, offers: dict[int, HelloOffer]) -> ClientHello:
    """Return a ClientHello that offers versions, by number, the preferred one first.

    Where two versions have the same extension, the body is that of the preferred version.
    """
    cipher_suites: list[int] = []
    extensions: dict[int, bytes] = {}
    for offer in offers.values():
        cipher_suites += offer.cipher_suites
        extensions = {**offer.extensions, **extensions}
    if any(number != VERSION_1_2 for number in offers):
        extensions[ExtensionType.SUPPORTED_VERSIONS] = vector(1, encode_numbers(offers))
    return ClientHello(
        version=VERSION_1_2,
        random=parameters.rng.randbytes(RANDOM_LENGTH),
        session_id=b"",
        cookie=b"",
        cipher_suites=tuple(cipher_suites),
        compression_methods=bytes((NULL_COMPRESSION,)),
        extensions=extensions,
    )


class VersionNegotiation:
    """The handshake of a connection until the version is known.

    Args:
        versions: Supported versions, the preferred one first.

    Attributes:
        next_epoch: Epoch in which the next message must arrive to count: 0.
    """

    def __init__(self, versions: Sequence[Version], role: DtlsRole, parameters: HandshakeParameters) -> None:
        self.next_epoch = 0
        self._versions = versions
        self._role = role
        self._parameters = parameters
        self._offers: dict[int, HelloOffer] = {}
        self._hello: ClientHello | None = None
        self._hello_message: HandshakeMessage | None = None

    def start(self) -> Step:
        """Return the first flight: a client's ClientHello, nothing for a server."""
        if self._role is DtlsRole.SERVER:
            return Step()
        self._offers = {version.number: version.offer(self._parameters) for version in self._versions}
        self._hello = build_client_hello(self._parameters, self._offers)
        self._hello_message = HandshakeMessage(HandshakeType.CLIENT_HELLO, 0, self._hello.encode())
        return Step(flight=(FlightMessage(0, self._hello_message),))

    def admit(self, message_type: int) -> Admission:
        # RFC 5246 section 7.4.1.1: HelloRequest is ignored while negotiating.
        return Admission.IGNORE if message_type == HandshakeType.HELLO_REQUEST else Admission.REASSEMBLE

    def receive(self, message: HandshakeMessage) -> Step:
        """Select the version by the peer's first message, which its handshake then processes."""
        client = self._role is DtlsRole.CLIENT
        handshake = self._create_client(message) if client else self._create_server(message)
        step = handshake.receive(message)
        step.handshake = handshake
        return step

    def receive_record(self, epoch: int, content_type: int, plaintext: bytes) -> Step:
        """Refuse a record that no version can send before the first answer."""
        raise ProtocolError(f"content type {content_type} before the version is negotiated")

    def _create_server(self, message: HandshakeMessage) -> Handshake:
        if len(self._versions) == 1:
            # Its handshake checks the version, too.
            return self._versions[0].create_server(self._parameters)
        message.expect_type(HandshakeType.CLIENT_HELLO)
        hello = ClientHello.parse(message.body)
        for version in self._versions:
            if hello.offers_version(version.number):
                return version.create_server(self._parameters)
        raise HandshakeFailure(
            AlertDescription.PROTOCOL_VERSION, "the client offers none of the supported DTLS versions"
        )

    def _create_client(self, message: HandshakeMessage) -> Handshake:
        assert self._hello is not None
        assert self._hello_message is not None
        if len(self._offers) == 1:
            [number] = self._offers
        elif message.message_type == HandshakeType.HELLO_VERIFY_REQUEST:
            # RFC 9147 section 5.1: only servers of older versions send it.
            number = VERSION_1_2
        else:
            message.expect_type(HandshakeType.SERVER_HELLO)
            number = ServerHello.parse(message.body).selected_version()
        if number not in self._offers:
            raise HandshakeFailure(
                AlertDescription.PROTOCOL_VERSION,
                f"the server selected DTLS version {number:#06x}, which was not offered",
            )
        return self._offers[number].create_client(self._hello, self._hello_message)
