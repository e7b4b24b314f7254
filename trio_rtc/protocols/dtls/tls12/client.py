"""The client's side of the DTLS 1.2 handshake (RFC 5246 section 7.3, RFC 6347 section 4.2).

The states, each named after the message that it awaits::

    ServerHello ──► ServerCertificate ──► ServerKeyExchange ──► ServerHelloDone ──► ServerFinished ──► Completed
     │      ▲                                                    │           ▲
     └──────┘ HelloVerifyRequest                                 └───────────┘ CertificateRequest

The ClientHello has been sent by the version negotiation; a HelloVerifyRequest is answered with the same hello and the
cookie. ServerHelloDone is answered with Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec and
Finished. Certificate and CertificateVerify are sent only if the server has requested them.
"""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import PeerCertificate
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, NamedGroup
from trio_rtc.protocols.dtls.crypto.signature import SIGNATURE_SCHEMES, select_scheme, sign, verify
from trio_rtc.protocols.dtls.crypto.srtp import SrtpProfile
from trio_rtc.protocols.dtls.extensions import (
    EMPTY_RENEGOTIATION_INFO,
    UNCOMPRESSED_POINTS,
    Extensions,
    ExtensionType,
    encode_numbers,
    encode_use_srtp,
    parse_use_srtp,
    vector,
)
from trio_rtc.protocols.dtls.flight import FlightItem, FlightMessage
from trio_rtc.protocols.dtls.handshake import Admission, HandshakeParameters, Step
from trio_rtc.protocols.dtls.messages import (
    NULL_COMPRESSION,
    ClientHello,
    HandshakeMessage,
    HandshakeType,
    ServerHello,
)
from trio_rtc.protocols.dtls.options import DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.record.codec import VERSION_1_2

from .handshake import (
    PROTECTED_EPOCH,
    Completed,
    KeyExchangeResult,
    NegotiatedParameters,
    Transcript,
    admit,
    build_finished,
    check_extensions,
    expect_empty,
    receive_certificate,
    receive_record,
    verify_finished,
)
from .messages import (
    CertificateRequest,
    CertificateVerify,
    HelloVerifyRequest,
    ServerKeyExchange,
    encode_certificates,
    encode_client_key_exchange,
)


@attrs.frozen
class AwaitingServerHello:
    """The ClientHello was sent."""

    hello: ClientHello


@attrs.frozen
class AwaitingServerCertificate:
    """ServerHello has negotiated the parameters."""

    negotiated: NegotiatedParameters


@attrs.frozen
class AwaitingServerKeyExchange:
    """The server's certificate has one of the signaled fingerprints."""

    negotiated: NegotiatedParameters
    peer: PeerCertificate


@attrs.frozen
class AwaitingServerHelloDone:
    """The server has proved possession of its private key; ``request`` is its CertificateRequest, if it has arrived."""

    negotiated: NegotiatedParameters
    peer: PeerCertificate
    group: NamedGroup
    server_key: bytes
    request: CertificateRequest | None


@attrs.frozen
class AwaitingServerFinished:
    """Our Finished was sent."""

    exchanged: KeyExchangeResult


ClientState = (
    AwaitingServerHello
    | AwaitingServerCertificate
    | AwaitingServerKeyExchange
    | AwaitingServerHelloDone
    | AwaitingServerFinished
    | Completed
)


def build_extensions(options: DtlsOptions) -> Extensions:
    extensions: dict[int, bytes] = {
        ExtensionType.EXTENDED_MASTER_SECRET: b"",
        ExtensionType.RENEGOTIATION_INFO: EMPTY_RENEGOTIATION_INFO,
        ExtensionType.SUPPORTED_GROUPS: vector(2, encode_numbers(options.groups)),
        ExtensionType.EC_POINT_FORMATS: UNCOMPRESSED_POINTS,
        ExtensionType.SIGNATURE_ALGORITHMS: vector(2, encode_numbers(SIGNATURE_SCHEMES)),
    }
    if options.srtp_profiles:
        profiles = [profile.identifier for profile in options.srtp_profiles]
        extensions[ExtensionType.USE_SRTP] = encode_use_srtp(profiles)
    return extensions


def check_server_hello(
    options: DtlsOptions, client_hello: ClientHello, server_hello: ServerHello
) -> NegotiatedParameters:
    """Return the negotiated parameters; ``HandshakeFailure`` if the server has selected something not offered."""
    if server_hello.version != VERSION_1_2:
        message = f"the server selected version {server_hello.version:#06x}, expected {VERSION_1_2:#06x}"
        raise HandshakeFailure(AlertDescription.PROTOCOL_VERSION, message)
    suites = {suite.identifier: suite for suite in options.cipher_suites}
    suite = suites.get(server_hello.cipher_suite)
    if suite is None or server_hello.compression_method != NULL_COMPRESSION:
        raise HandshakeFailure(
            AlertDescription.ILLEGAL_PARAMETER,
            f"the server selected cipher suite {server_hello.cipher_suite:#06x} and compression method "
            f"{server_hello.compression_method}, which were not offered",
        )
    extensions = server_hello.extensions
    if not extensions.keys() <= client_hello.extensions.keys():
        raise HandshakeFailure(
            AlertDescription.UNSUPPORTED_EXTENSION, "the server answered an extension that was not offered"
        )
    check_extensions(extensions, DtlsRole.SERVER)
    profile = _selected_srtp_profile(options, extensions)
    return NegotiatedParameters(suite, client_hello.random, server_hello.random, profile)


def _selected_srtp_profile(options: DtlsOptions, extensions: Extensions) -> SrtpProfile | None:
    body = extensions.get(ExtensionType.USE_SRTP)
    if body is None:
        return None
    identifiers, master_key_identifier = parse_use_srtp(body)
    for profile in options.srtp_profiles:
        if identifiers == (profile.identifier,) and not master_key_identifier:
            return profile
    raise HandshakeFailure(
        AlertDescription.ILLEGAL_PARAMETER, "the server selected an SRTP profile that was not offered"
    )


class ClientHandshake:
    """The client's handshake.

    Args:
        parameters: Parameters that do not depend on the version.
        hello: The ClientHello that was sent.
        message: The message of that hello.

    Attributes:
        next_epoch: Epoch in which the next message must arrive to count, or None if no more messages are expected.
    """

    def __init__(
        self, parameters: HandshakeParameters, hello: ClientHello, message: HandshakeMessage
    ) -> None:
        self._parameters = parameters
        self._transcript = Transcript(message.sequence + 1)
        self._transcript.record(message)
        self._state: ClientState = AwaitingServerHello(hello)
        self.next_epoch: int | None = 0

    def admit(self, message_type: int) -> Admission:
        # The server's Finished comes last, so there is no flight of ours that a repeated one asks for.
        return admit(message_type, self.next_epoch)

    receive_record = staticmethod(receive_record)

    def receive(self, message: HandshakeMessage) -> Step:
        match self._state:
            case AwaitingServerHello() as state:
                if message.message_type == HandshakeType.HELLO_VERIFY_REQUEST:
                    return self._receive_hello_verify_request(state, message)
                self._receive_server_hello(state, message)
            case AwaitingServerCertificate() as state:
                self._receive_certificate(state, message)
            case AwaitingServerKeyExchange() as state:
                self._receive_server_key_exchange(state, message)
            case AwaitingServerHelloDone() as state:
                if message.message_type == HandshakeType.CERTIFICATE_REQUEST and state.request is None:
                    self._transcript.record(message)
                    request = CertificateRequest.parse(message.body)
                    self._state = attrs.evolve(state, request=request)
                else:
                    return self._receive_server_hello_done(state, message)
            case AwaitingServerFinished(exchanged):
                verify_finished(message, DtlsRole.SERVER, exchanged.secrets, self._transcript)
                self._transcript.clear()
                self._state, self.next_epoch = Completed(), None
                return Step(oldest_epoch=PROTECTED_EPOCH, result=exchanged.complete())
            case Completed():
                raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, "the handshake is complete")
        return Step()

    def _receive_hello_verify_request(self, state: AwaitingServerHello, message: HandshakeMessage) -> Step:
        if state.hello.cookie:
            raise HandshakeFailure(
                AlertDescription.UNEXPECTED_MESSAGE, "the server sent a second HelloVerifyRequest"
            )
        request = HelloVerifyRequest.parse(message.body)
        hello = attrs.evolve(state.hello, cookie=request.cookie)
        self._transcript.clear()
        self._state = AwaitingServerHello(hello)
        answer = self._transcript.send(HandshakeType.CLIENT_HELLO, hello.encode())
        return Step(flight=(FlightMessage(0, answer),))

    def _receive_server_hello(self, state: AwaitingServerHello, message: HandshakeMessage) -> None:
        message.expect_type(HandshakeType.SERVER_HELLO)
        self._transcript.record(message)
        server_hello = ServerHello.parse(message.body)
        self._state = AwaitingServerCertificate(
            check_server_hello(self._parameters.options, state.hello, server_hello)
        )

    def _receive_certificate(self, state: AwaitingServerCertificate, message: HandshakeMessage) -> None:
        peer = receive_certificate(message, self._parameters, self._transcript)
        if peer.authentication is not state.negotiated.suite.authentication:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER,
                f"the server's key is {peer.authentication}, the cipher suite {state.negotiated.suite.name}",
            )
        self._state = AwaitingServerKeyExchange(state.negotiated, peer)

    def _receive_server_key_exchange(
        self, state: AwaitingServerKeyExchange, message: HandshakeMessage
    ) -> None:
        message.expect_type(HandshakeType.SERVER_KEY_EXCHANGE)
        self._transcript.record(message)
        exchange = ServerKeyExchange.parse(message.body)
        if exchange.group not in self._parameters.options.groups:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER,
                f"the server selected group {exchange.group}, which was not offered",
            )
        negotiated = state.negotiated
        signed = negotiated.client_random + negotiated.server_random + exchange.parameters
        verify(state.peer.public_key, exchange.scheme, exchange.signature, signed)
        group = NamedGroup(exchange.group)
        self._state = AwaitingServerHelloDone(
            negotiated, state.peer, group, exchange.public_bytes, request=None
        )

    def _receive_server_hello_done(self, state: AwaitingServerHelloDone, message: HandshakeMessage) -> Step:
        message.expect_type(HandshakeType.SERVER_HELLO_DONE)
        expect_empty(message)
        transcript = self._transcript
        transcript.record(message)
        messages: list[HandshakeMessage] = []
        if state.request is not None:
            chain = encode_certificates((self._parameters.certificate.der,))
            messages.append(transcript.send(HandshakeType.CERTIFICATE, chain))
        key = EphemeralKey.generate(state.group, self._parameters.rng)
        exchange = encode_client_key_exchange(key.public_bytes)
        messages.append(transcript.send(HandshakeType.CLIENT_KEY_EXCHANGE, exchange))
        exchanged = KeyExchangeResult.derive(state.negotiated, key, state.server_key, state.peer, transcript)
        if state.request is not None:
            messages.append(self._send_certificate_verify(state.request))
        self._state, self.next_epoch = AwaitingServerFinished(exchanged), PROTECTED_EPOCH
        items: list[FlightItem] = [FlightMessage(0, each) for each in messages]
        items.extend(build_finished(DtlsRole.CLIENT, exchanged.secrets, transcript))
        return Step(keys=(exchanged.keys(DtlsRole.CLIENT),), flight=items)

    def _send_certificate_verify(self, request: CertificateRequest) -> HandshakeMessage:
        key = self._parameters.certificate.private_key
        scheme = select_scheme(key, request.schemes)
        if scheme is None:
            raise HandshakeFailure(
                AlertDescription.HANDSHAKE_FAILURE,
                "the server verifies no signature scheme of the local certificate's key",
            )
        proof = CertificateVerify(scheme, sign(key, scheme, self._transcript.to_bytes()))
        return self._transcript.send(HandshakeType.CERTIFICATE_VERIFY, proof.encode())
