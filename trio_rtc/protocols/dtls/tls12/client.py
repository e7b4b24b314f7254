"""The client's side of the DTLS 1.2 handshake.

ClientHello → (HelloVerifyRequest → ClientHello with the cookie →) ServerHello, Certificate,
ServerKeyExchange, CertificateRequest, ServerHelloDone → Certificate, ClientKeyExchange, CertificateVerify,
Finished → Finished. A server that does not ask for a certificate is not given one.
"""

import attrs

from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import PeerCertificate, authenticate
from trio_rtc.protocols.dtls.crypto.cipher_suites import SrtpProfile
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, NamedGroup
from trio_rtc.protocols.dtls.crypto.signature import SIGNATURE_SCHEMES, select_scheme, sign, verify
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
from trio_rtc.protocols.dtls.flight import FlightItem
from trio_rtc.protocols.dtls.handshake import (
    HandshakeParameters,
    HandshakeResult,
    Negotiated,
    Step,
    Transcript,
    epoch_keys,
    expect,
    expect_empty,
    finish,
    verify_finished,
)
from trio_rtc.protocols.dtls.messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    HandshakeMessage,
    HandshakeType,
    HelloVerifyRequest,
    ServerHello,
    ServerKeyExchange,
    encode_certificates,
    encode_client_key_exchange,
    parse_certificates,
)
from trio_rtc.protocols.dtls.options import DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.record.codec import VERSION_1_2

from .key_schedule import SessionSecrets


@attrs.frozen
class AwaitingServerHello:
    """Our hello is out."""

    hello: ClientHello


@attrs.frozen
class AwaitingCertificate:
    """The server has chosen."""

    negotiated: Negotiated


@attrs.frozen
class AwaitingServerKeyExchange:
    """The server's certificate has the right fingerprint."""

    negotiated: Negotiated
    peer: PeerCertificate


@attrs.frozen
class AwaitingServerHelloDone:
    """The server has proven that the certificate is its own.

    Attributes:
        negotiated: What the hellos have settled.
        peer: The server's certificate.
        group: The group of the key exchange.
        server_key: The server's ephemeral key.
        request: The server's wish for our certificate, once it has come.
    """

    negotiated: Negotiated
    peer: PeerCertificate
    group: NamedGroup
    server_key: bytes
    request: CertificateRequest | None


@attrs.frozen
class AwaitingFinished:
    """We have said everything."""

    result: HandshakeResult


@attrs.frozen
class Completed:
    """Both sides are done."""


ClientState = (
    AwaitingServerHello
    | AwaitingCertificate
    | AwaitingServerKeyExchange
    | AwaitingServerHelloDone
    | AwaitingFinished
    | Completed
)


def build_client_hello(parameters: HandshakeParameters) -> ClientHello:
    """Return a first ClientHello."""
    options = parameters.options
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
    return ClientHello(
        version=VERSION_1_2,
        random=parameters.rng.randbytes(RANDOM_LENGTH),
        session_id=b"",
        cookie=b"",
        cipher_suites=tuple(suite.identifier for suite in options.cipher_suites),
        compression_methods=bytes((NULL_COMPRESSION,)),
        extensions=extensions,
    )


def check_server_hello(
    options: DtlsOptions, client_hello: ClientHello, server_hello: ServerHello
) -> Negotiated:
    """Check that the server has chosen from what was offered.

    Raises:
        HandshakeFailure: It has not, or does not know the extended master secret.
    """
    if server_hello.version != VERSION_1_2:
        message = f"the server wants version {server_hello.version:#06x}"
        raise HandshakeFailure(AlertDescription.PROTOCOL_VERSION, message)
    suites = {suite.identifier: suite for suite in options.cipher_suites}
    suite = suites.get(server_hello.cipher_suite)
    if suite is None or server_hello.compression_method != NULL_COMPRESSION:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the server chose what was not offered")
    extensions = server_hello.extensions
    if not extensions.keys() <= client_hello.extensions.keys():
        raise HandshakeFailure(
            AlertDescription.UNSUPPORTED_EXTENSION, "the server answers an extension that was not offered"
        )
    if extensions.get(ExtensionType.EXTENDED_MASTER_SECRET) != b"":
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE, "the server does not know the extended master secret"
        )
    # RFC 5746 section 3.4: anything but an empty value would be an answer to a renegotiation.
    renegotiation = extensions.get(ExtensionType.RENEGOTIATION_INFO, EMPTY_RENEGOTIATION_INFO)
    if renegotiation != EMPTY_RENEGOTIATION_INFO:
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the server believes to renegotiate")
    profile = _chosen_srtp_profile(options, extensions)
    return Negotiated(suite, client_hello.random, server_hello.random, profile)


def _chosen_srtp_profile(options: DtlsOptions, extensions: Extensions) -> SrtpProfile | None:
    body = extensions.get(ExtensionType.USE_SRTP)
    if body is None:
        return None
    identifiers, master_key_identifier = parse_use_srtp(body)
    for profile in options.srtp_profiles:
        if identifiers == (profile.identifier,) and not master_key_identifier:
            return profile
    raise HandshakeFailure(
        AlertDescription.ILLEGAL_PARAMETER, "the server chose an SRTP profile that was not offered"
    )


class ClientHandshake:
    """The machine of the client's side."""

    def __init__(self, parameters: HandshakeParameters) -> None:
        self._parameters = parameters
        self._transcript = Transcript()
        self._state: ClientState = AwaitingServerHello(build_client_hello(parameters))

    @property
    def awaited_epoch(self) -> int:
        """The epoch in which the next message must come to count."""
        return 1 if isinstance(self._state, AwaitingFinished) else 0

    def start(self) -> Step:
        """Send the first hello."""
        assert isinstance(self._state, AwaitingServerHello)
        return self._say_hello(self._state.hello)

    def _say_hello(self, hello: ClientHello) -> Step:
        message = self._transcript.send(HandshakeType.CLIENT_HELLO, hello.encode())
        return Step(flight=(FlightItem(0, message),))

    def receive(self, message: HandshakeMessage) -> Step:
        """Take the server's next message.

        Raises:
            ProtocolError: The handshake has failed. A ``HandshakeFailure`` tells the alert to send.
        """
        match self._state:
            case AwaitingServerHello() as state:
                if message.message_type == HandshakeType.HELLO_VERIFY_REQUEST:
                    return self._receive_cookie(state, message)
                self._receive_server_hello(state, message)
            case AwaitingCertificate() as state:
                self._receive_certificate(state, message)
            case AwaitingServerKeyExchange() as state:
                self._receive_server_key_exchange(state, message)
            case AwaitingServerHelloDone() as state:
                if message.message_type == HandshakeType.CERTIFICATE_REQUEST and state.request is None:
                    self._transcript.receive(message)
                    request = CertificateRequest.parse(message.body)
                    self._state = attrs.evolve(state, request=request)
                else:
                    return self._receive_server_hello_done(state, message)
            case AwaitingFinished(result):
                verify_finished(message, DtlsRole.SERVER, result.secrets, self._transcript)
                self._state = Completed()
                return Step(result=result)
            case Completed():
                raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, "the handshake is over")
        return Step()

    def _receive_cookie(self, state: AwaitingServerHello, message: HandshakeMessage) -> Step:
        if state.hello.cookie:
            raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, "the server wants a second cookie")
        request = HelloVerifyRequest.parse(message.body)
        hello = attrs.evolve(state.hello, cookie=request.cookie)
        self._transcript.restart()
        self._state = AwaitingServerHello(hello)
        return self._say_hello(hello)

    def _receive_server_hello(self, state: AwaitingServerHello, message: HandshakeMessage) -> None:
        expect(message, HandshakeType.SERVER_HELLO)
        self._transcript.receive(message)
        server_hello = ServerHello.parse(message.body)
        self._state = AwaitingCertificate(
            check_server_hello(self._parameters.options, state.hello, server_hello)
        )

    def _receive_certificate(self, state: AwaitingCertificate, message: HandshakeMessage) -> None:
        expect(message, HandshakeType.CERTIFICATE)
        self._transcript.receive(message)
        peer = authenticate(parse_certificates(message.body), self._parameters.remote_fingerprints)
        if peer.authentication is not state.negotiated.suite.authentication:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, "the server's key does not fit the cipher suite"
            )
        self._state = AwaitingServerKeyExchange(state.negotiated, peer)

    def _receive_server_key_exchange(
        self, state: AwaitingServerKeyExchange, message: HandshakeMessage
    ) -> None:
        expect(message, HandshakeType.SERVER_KEY_EXCHANGE)
        self._transcript.receive(message)
        exchange = ServerKeyExchange.parse(message.body)
        if exchange.group not in self._parameters.options.groups:
            raise HandshakeFailure(
                AlertDescription.ILLEGAL_PARAMETER, "the server chose a group that was not offered"
            )
        negotiated = state.negotiated
        signed = negotiated.client_random + negotiated.server_random + exchange.parameters
        verify(state.peer.public_key, exchange.scheme, exchange.signature, signed)
        group = NamedGroup(exchange.group)
        self._state = AwaitingServerHelloDone(
            negotiated, state.peer, group, exchange.public_bytes, request=None
        )

    def _receive_server_hello_done(self, state: AwaitingServerHelloDone, message: HandshakeMessage) -> Step:
        expect(message, HandshakeType.SERVER_HELLO_DONE)
        expect_empty(message)
        transcript, negotiated = self._transcript, state.negotiated
        transcript.receive(message)
        messages: list[HandshakeMessage] = []
        if state.request is not None:
            chain = encode_certificates((self._parameters.certificate.der,))
            messages.append(transcript.send(HandshakeType.CERTIFICATE, chain))
        key = EphemeralKey.generate(state.group, self._parameters.rng)
        premaster_secret = key.exchange(state.server_key)
        exchange = encode_client_key_exchange(key.public_bytes)
        messages.append(transcript.send(HandshakeType.CLIENT_KEY_EXCHANGE, exchange))
        secrets = SessionSecrets.derive(
            negotiated.suite,
            negotiated.client_random,
            negotiated.server_random,
            premaster_secret,
            transcript.to_bytes(),
        )
        if state.request is not None:
            messages.append(self._prove_certificate(state.request))
        result = HandshakeResult(secrets, state.group, negotiated.srtp_profile, state.peer)
        self._state = AwaitingFinished(result)
        items = [FlightItem(0, message) for message in messages]
        items.extend(finish(DtlsRole.CLIENT, secrets, transcript))
        return Step(flight=items, keys=epoch_keys(DtlsRole.CLIENT, secrets))

    def _prove_certificate(self, request: CertificateRequest) -> HandshakeMessage:
        key = self._parameters.certificate.private_key
        scheme = select_scheme(key, request.schemes)
        if scheme is None:
            raise HandshakeFailure(
                AlertDescription.HANDSHAKE_FAILURE, "the server cannot verify our kind of certificate"
            )
        proof = CertificateVerify(scheme, sign(key, scheme, self._transcript.to_bytes()))
        return self._transcript.send(HandshakeType.CERTIFICATE_VERIFY, proof.encode())
