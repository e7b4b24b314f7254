"""The server's side of the DTLS 1.2 handshake (RFC 5246 section 7.3, RFC 6347 section 4.2).

The states, each named after the message that it awaits::

    ClientHello ──► ClientCertificate ──► ClientKeyExchange ──► CertificateVerify ──► ClientFinished ──► Completed
     │      ▲
     └──────┘ cookie required and missing: HelloVerifyRequest

ClientHello is answered with ServerHello, Certificate, ServerKeyExchange, CertificateRequest and ServerHelloDone, the
client's Finished with ChangeCipherSpec and Finished. This final flight is retransmitted if the client's Finished is.

A client that also offers DTLS 1.3 is answered with 1.2. The downgrade marks in the server's random (RFC 8446 section
4.1.3) are not set: they are for servers that support 1.3.
"""

import hmac

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import Certificate, PeerCertificate
from trio_rtc.protocols.dtls.crypto.cipher_suites import CipherSuite
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, NamedGroup
from trio_rtc.protocols.dtls.crypto.signature import (
    SIGNATURE_SCHEMES,
    SignatureScheme,
    select_scheme,
    sign,
    verify,
)
from trio_rtc.protocols.dtls.crypto.srtp import SrtpProfile
from trio_rtc.protocols.dtls.extensions import (
    EMPTY_RENEGOTIATION_INFO,
    UNCOMPRESSED_POINTS,
    Extensions,
    ExtensionType,
    encode_use_srtp,
    parse_number_list,
    parse_use_srtp,
)
from trio_rtc.protocols.dtls.flight import FlightMessage
from trio_rtc.protocols.dtls.handshake import Admission, HandshakeParameters, Step
from trio_rtc.protocols.dtls.messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
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
    receive_certificate,
    receive_record,
    verify_finished,
)
from .messages import (
    CertificateRequest,
    CertificateType,
    CertificateVerify,
    HelloVerifyRequest,
    ServerKeyExchange,
    encode_certificates,
    parse_client_key_exchange,
)

RENEGOTIATION_SCSV = (
    0x00FF  # RFC 5746 section 3.3: a cipher suite number that means an empty renegotiation_info
)


@attrs.frozen
class AwaitingClientHello:
    """No ClientHello has arrived, or none with the cookie.

    Attributes:
        cookie: Cookie that the client must repeat; None if none was requested.
    """

    cookie: bytes | None


@attrs.frozen
class AwaitingClientCertificate:
    """ServerHello has negotiated the parameters."""

    negotiated: NegotiatedParameters
    key: EphemeralKey


@attrs.frozen
class AwaitingClientKeyExchange:
    """The client's certificate has one of the signaled fingerprints."""

    negotiated: NegotiatedParameters
    key: EphemeralKey
    peer: PeerCertificate


@attrs.frozen
class AwaitingCertificateVerify:
    """The secrets are shared; the client has not proved possession of the private key of its certificate."""

    exchanged: KeyExchangeResult


@attrs.frozen
class AwaitingClientFinished:
    """The client has proved possession of the private key of its certificate."""

    exchanged: KeyExchangeResult


ServerState = (
    AwaitingClientHello
    | AwaitingClientCertificate
    | AwaitingClientKeyExchange
    | AwaitingCertificateVerify
    | AwaitingClientFinished
    | Completed
)


@attrs.frozen
class HelloSelection:
    """The server's selection from a ClientHello; ``scheme`` is the signature scheme of ServerKeyExchange."""

    suite: CipherSuite
    group: NamedGroup
    scheme: SignatureScheme
    srtp_profile: SrtpProfile | None


def check_client_hello(hello: ClientHello) -> None:
    """Check the parts of a ClientHello from which nothing is selected."""
    extensions = hello.extensions
    # The version negotiation has checked the first hello; the second, with the cookie, may be another one.
    if not hello.offers_version(VERSION_1_2):
        raise HandshakeFailure(AlertDescription.PROTOCOL_VERSION, "the client does not support DTLS 1.2")
    if NULL_COMPRESSION not in hello.compression_methods:
        raise HandshakeFailure(
            AlertDescription.ILLEGAL_PARAMETER, "the client does not offer the null compression method"
        )
    check_extensions(extensions, DtlsRole.CLIENT)
    formats = extensions.get(ExtensionType.EC_POINT_FORMATS)
    if formats is not None and 0 not in formats[1:]:
        raise HandshakeFailure(
            AlertDescription.ILLEGAL_PARAMETER, "the client does not support uncompressed points"
        )


def select_from_hello(options: DtlsOptions, certificate: Certificate, hello: ClientHello) -> HelloSelection:
    """Select from the client's offer in our order of preference; ``HandshakeFailure`` if nothing is in common."""
    extensions = hello.extensions
    suites = (
        suite
        for suite in options.cipher_suites
        if suite.identifier in hello.cipher_suites and suite.authentication is certificate.authentication
    )
    suite = next(suites, None)
    groups_extension = extensions.get(ExtensionType.SUPPORTED_GROUPS)
    # RFC 8422 section 4: a client without the extension supports any group; P-256 is the one that all have.
    offered_groups = (
        (NamedGroup.SECP256R1,) if groups_extension is None else parse_number_list(groups_extension)
    )
    group = next((group for group in options.groups if group in offered_groups), None)
    schemes_extension = extensions.get(ExtensionType.SIGNATURE_ALGORITHMS)
    offered_schemes = () if schemes_extension is None else parse_number_list(schemes_extension)
    scheme = select_scheme(certificate.private_key, offered_schemes)
    if suite is None or group is None or scheme is None:
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE,
            "no cipher suite, group and signature scheme in common with the client",
        )
    return HelloSelection(suite, group, scheme, _select_srtp_profile(options, extensions))


def _select_srtp_profile(options: DtlsOptions, extensions: Extensions) -> SrtpProfile | None:
    body = extensions.get(ExtensionType.USE_SRTP)
    if body is None:
        return None
    offered, _ = parse_use_srtp(body)
    return next((profile for profile in options.srtp_profiles if profile.identifier in offered), None)


def build_server_hello(hello: ClientHello, selection: HelloSelection, server_random: bytes) -> ServerHello:
    extensions: dict[int, bytes] = {ExtensionType.EXTENDED_MASTER_SECRET: b""}
    if ExtensionType.RENEGOTIATION_INFO in hello.extensions or RENEGOTIATION_SCSV in hello.cipher_suites:
        extensions[ExtensionType.RENEGOTIATION_INFO] = EMPTY_RENEGOTIATION_INFO
    if ExtensionType.EC_POINT_FORMATS in hello.extensions:
        extensions[ExtensionType.EC_POINT_FORMATS] = UNCOMPRESSED_POINTS
    if selection.srtp_profile is not None:
        extensions[ExtensionType.USE_SRTP] = encode_use_srtp((selection.srtp_profile.identifier,))
    return ServerHello(server_random, selection.suite.identifier, extensions)


class ServerHandshake:
    """The server's handshake, which begins with the ClientHello.

    Attributes:
        next_epoch: Epoch in which the next message must arrive to count, or None if no more messages are expected.
    """

    def __init__(self, parameters: HandshakeParameters) -> None:
        self._parameters = parameters
        self._transcript = Transcript()
        self._state: ServerState = AwaitingClientHello(None)
        self.next_epoch: int | None = 0

    def admit(self, message_type: int) -> Admission:
        if self.next_epoch is None and message_type == HandshakeType.FINISHED:
            return Admission.RETRANSMIT
        return admit(message_type, self.next_epoch)

    receive_record = staticmethod(receive_record)

    def receive(self, message: HandshakeMessage) -> Step:
        match self._state:
            case AwaitingClientHello() as state:
                return self._receive_client_hello(state, message)
            case AwaitingClientCertificate() as state:
                peer = receive_certificate(message, self._parameters, self._transcript)
                self._state = AwaitingClientKeyExchange(state.negotiated, state.key, peer)
            case AwaitingClientKeyExchange() as state:
                self._receive_client_key_exchange(state, message)
            case AwaitingCertificateVerify(exchanged):
                return self._receive_certificate_verify(exchanged, message)
            case AwaitingClientFinished(exchanged):
                return self._receive_finished(exchanged, message)
            case Completed():
                raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, "the handshake is complete")
        return Step()

    def _receive_client_hello(self, state: AwaitingClientHello, message: HandshakeMessage) -> Step:
        message.expect_type(HandshakeType.CLIENT_HELLO)
        hello = ClientHello.parse(message.body)
        check_client_hello(hello)
        if state.cookie is None and self._parameters.options.require_cookie:
            return self._request_cookie()
        if state.cookie is not None and not hmac.compare_digest(state.cookie, hello.cookie):
            raise HandshakeFailure(
                AlertDescription.HANDSHAKE_FAILURE, "the client's cookie is not the requested one"
            )
        self._transcript.record(message)
        return self._answer(hello)

    def _request_cookie(self) -> Step:
        # ICE has checked the peer's address, so the cookie is random and need not be derived from it.
        cookie = self._parameters.rng.randbytes(32)
        self._state = AwaitingClientHello(cookie)
        body = HelloVerifyRequest(cookie).encode()
        request = self._transcript.send(HandshakeType.HELLO_VERIFY_REQUEST, body)
        self._transcript.clear()
        # RFC 6347 section 4.2.4: no retransmission timer, since the client retransmits its hello.
        return Step(flight=(FlightMessage(0, request),), awaits_answer=False)

    def _answer(self, hello: ClientHello) -> Step:
        options, certificate = self._parameters.options, self._parameters.certificate
        selection = select_from_hello(options, certificate, hello)
        rng, transcript = self._parameters.rng, self._transcript
        server_random = rng.randbytes(RANDOM_LENGTH)
        key = EphemeralKey.generate(selection.group, rng)
        parameters = ServerKeyExchange.encode_parameters(selection.group, key.public_bytes)
        signature = sign(certificate.private_key, selection.scheme, hello.random + server_random + parameters)
        exchange = ServerKeyExchange(selection.group, key.public_bytes, selection.scheme, signature)
        certificate_types = bytes((CertificateType.ECDSA_SIGN, CertificateType.RSA_SIGN))
        request = CertificateRequest(certificate_types, SIGNATURE_SCHEMES)
        contents = (
            (HandshakeType.SERVER_HELLO, build_server_hello(hello, selection, server_random).encode()),
            (HandshakeType.CERTIFICATE, encode_certificates((certificate.der,))),
            (HandshakeType.SERVER_KEY_EXCHANGE, exchange.encode()),
            (HandshakeType.CERTIFICATE_REQUEST, request.encode()),
            (HandshakeType.SERVER_HELLO_DONE, b""),
        )
        negotiated = NegotiatedParameters(
            selection.suite, hello.random, server_random, selection.srtp_profile
        )
        self._state = AwaitingClientCertificate(negotiated, key)
        return Step(flight=[FlightMessage(0, transcript.send(kind, body)) for kind, body in contents])

    def _receive_client_key_exchange(
        self, state: AwaitingClientKeyExchange, message: HandshakeMessage
    ) -> None:
        message.expect_type(HandshakeType.CLIENT_KEY_EXCHANGE)
        self._transcript.record(message)
        client_key = parse_client_key_exchange(message.body)
        exchanged = KeyExchangeResult.derive(
            state.negotiated, state.key, client_key, state.peer, self._transcript
        )
        self._state = AwaitingCertificateVerify(exchanged)

    def _receive_certificate_verify(self, exchanged: KeyExchangeResult, message: HandshakeMessage) -> Step:
        message.expect_type(HandshakeType.CERTIFICATE_VERIFY)
        proof = CertificateVerify.parse(message.body)
        verify(exchanged.peer.public_key, proof.scheme, proof.signature, self._transcript.to_bytes())
        self._transcript.record(message)
        self._state, self.next_epoch = AwaitingClientFinished(exchanged), PROTECTED_EPOCH
        return Step(keys=(exchanged.keys(DtlsRole.SERVER),))

    def _receive_finished(self, exchanged: KeyExchangeResult, message: HandshakeMessage) -> Step:
        verify_finished(message, DtlsRole.CLIENT, exchanged.secrets, self._transcript)
        self._transcript.record(message)
        flight = build_finished(DtlsRole.SERVER, exchanged.secrets, self._transcript)
        self._transcript.clear()
        self._state, self.next_epoch = Completed(), None
        return Step(
            flight=flight, awaits_answer=False, oldest_epoch=PROTECTED_EPOCH, result=exchanged.complete()
        )
