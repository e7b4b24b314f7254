"""The server's side of the DTLS 1.2 handshake: the mirror image of the client's, see there.

A client that also offers DTLS 1.3 gets 1.2. The marks in the server's random that warn of a downgrade
(RFC 8446 section 4.1.3) are not set: they are for servers that speak 1.3, and this one does not.
"""

import hmac

import attrs

from trio_rtc.protocols.dtls.alert import AlertDescription, HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import Certificate, PeerCertificate, authenticate
from trio_rtc.protocols.dtls.crypto.cipher_suites import CipherSuite, SrtpProfile
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, NamedGroup
from trio_rtc.protocols.dtls.crypto.signature import (
    SIGNATURE_SCHEMES,
    SignatureScheme,
    select_scheme,
    sign,
    verify,
)
from trio_rtc.protocols.dtls.extensions import (
    EMPTY_RENEGOTIATION_INFO,
    UNCOMPRESSED_POINTS,
    Extensions,
    ExtensionType,
    encode_use_srtp,
    parse_number_list,
    parse_use_srtp,
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
    finish,
    verify_finished,
)
from trio_rtc.protocols.dtls.messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
    CertificateRequest,
    CertificateType,
    CertificateVerify,
    ClientHello,
    HandshakeMessage,
    HandshakeType,
    HelloVerifyRequest,
    ServerHello,
    ServerKeyExchange,
    encode_certificates,
    parse_certificates,
    parse_client_key_exchange,
)
from trio_rtc.protocols.dtls.options import DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.record.codec import VERSION_1_2

from .key_schedule import SessionSecrets

RENEGOTIATION_SCSV = 0x00FF  # RFC 5746 section 3.3: a cipher suite that says what the empty extension says


@attrs.frozen
class AwaitingClientHello:
    """Nothing has come yet, or a client that still owes the cookie.

    Attributes:
        cookie: What we have asked the client to repeat; None if we have not.
    """

    cookie: bytes | None


@attrs.frozen
class AwaitingCertificate:
    """We have chosen."""

    negotiated: Negotiated
    key: EphemeralKey


@attrs.frozen
class AwaitingClientKeyExchange:
    """The client's certificate has the right fingerprint."""

    negotiated: Negotiated
    key: EphemeralKey
    peer: PeerCertificate


@attrs.frozen
class AwaitingCertificateVerify:
    """The secrets are shared, but the client has yet to prove that the certificate is its own."""

    result: HandshakeResult


@attrs.frozen
class AwaitingFinished:
    """The client has proven it."""

    result: HandshakeResult


@attrs.frozen
class Completed:
    """Both sides are done."""


ServerState = (
    AwaitingClientHello
    | AwaitingCertificate
    | AwaitingClientKeyExchange
    | AwaitingCertificateVerify
    | AwaitingFinished
    | Completed
)


@attrs.frozen
class Choice:
    """What the server chooses from a ClientHello.

    Attributes:
        suite: The cipher suite.
        group: The group.
        scheme: How we sign.
        srtp_profile: The SRTP profile, or None.
    """

    suite: CipherSuite
    group: NamedGroup
    scheme: SignatureScheme
    srtp_profile: SrtpProfile | None


def check_client_hello(hello: ClientHello) -> None:
    """Check what does not depend on a choice.

    Raises:
        HandshakeFailure: The client does not speak DTLS 1.2 with extended master secret.
    """
    extensions = hello.extensions
    versions = extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    # Versions count down: 0xFEFF is 1.0, 0xFEFD is 1.2.
    speaks_1_2 = hello.version >> 8 == VERSION_1_2 >> 8 and hello.version <= VERSION_1_2
    if not speaks_1_2 or (versions is not None and VERSION_1_2 not in parse_number_list(versions, 1)):
        raise HandshakeFailure(AlertDescription.PROTOCOL_VERSION, "the client does not speak DTLS 1.2")
    if NULL_COMPRESSION not in hello.compression_methods:
        raise HandshakeFailure(AlertDescription.ILLEGAL_PARAMETER, "the client insists on compression")
    if extensions.get(ExtensionType.EXTENDED_MASTER_SECRET) != b"":
        raise HandshakeFailure(
            AlertDescription.HANDSHAKE_FAILURE, "the client does not know the extended master secret"
        )
    renegotiation = extensions.get(ExtensionType.RENEGOTIATION_INFO, EMPTY_RENEGOTIATION_INFO)
    if renegotiation != EMPTY_RENEGOTIATION_INFO:
        raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the client believes to renegotiate")
    formats = extensions.get(ExtensionType.EC_POINT_FORMATS)
    if formats is not None and 0 not in formats[1:]:
        raise HandshakeFailure(
            AlertDescription.ILLEGAL_PARAMETER, "the client does not know uncompressed points"
        )


def choose(options: DtlsOptions, certificate: Certificate, hello: ClientHello) -> Choice:
    """Choose from what the client offers, in our order of preference.

    Raises:
        HandshakeFailure: There is nothing in common.
    """
    extensions = hello.extensions
    suites = (
        suite
        for suite in options.cipher_suites
        if suite.identifier in hello.cipher_suites and suite.authentication is certificate.authentication
    )
    suite = next(suites, None)
    groups_extension = extensions.get(ExtensionType.SUPPORTED_GROUPS)
    # RFC 8422 section 4: a client that does not tell can do any group; P-256 is the one that all can.
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
            "the client and we have no cipher suite, group and signature scheme in common",
        )
    return Choice(suite, group, scheme, _choose_srtp_profile(options, extensions))


def _choose_srtp_profile(options: DtlsOptions, extensions: Extensions) -> SrtpProfile | None:
    body = extensions.get(ExtensionType.USE_SRTP)
    if body is None:
        return None
    offered, _ = parse_use_srtp(body)
    return next((profile for profile in options.srtp_profiles if profile.identifier in offered), None)


def build_server_hello(hello: ClientHello, choice: Choice, server_random: bytes) -> ServerHello:
    """Return the answer to a ClientHello."""
    extensions: dict[int, bytes] = {ExtensionType.EXTENDED_MASTER_SECRET: b""}
    if ExtensionType.RENEGOTIATION_INFO in hello.extensions or RENEGOTIATION_SCSV in hello.cipher_suites:
        extensions[ExtensionType.RENEGOTIATION_INFO] = EMPTY_RENEGOTIATION_INFO
    if ExtensionType.EC_POINT_FORMATS in hello.extensions:
        extensions[ExtensionType.EC_POINT_FORMATS] = UNCOMPRESSED_POINTS
    if choice.srtp_profile is not None:
        extensions[ExtensionType.USE_SRTP] = encode_use_srtp((choice.srtp_profile.identifier,))
    return ServerHello(server_random, choice.suite.identifier, extensions)


class ServerHandshake:
    """The machine of the server's side."""

    def __init__(self, parameters: HandshakeParameters) -> None:
        self._parameters = parameters
        self._transcript = Transcript()
        self._state: ServerState = AwaitingClientHello(None)

    @property
    def awaited_epoch(self) -> int:
        """The epoch in which the next message must come to count."""
        return 1 if isinstance(self._state, AwaitingFinished) else 0

    def start(self) -> Step:
        """Wait: the first word is the client's."""
        return Step()

    def receive(self, message: HandshakeMessage) -> Step:
        """Take the client's next message.

        Raises:
            ProtocolError: The handshake has failed. A ``HandshakeFailure`` tells the alert to send.
        """
        match self._state:
            case AwaitingClientHello() as state:
                return self._receive_client_hello(state, message)
            case AwaitingCertificate() as state:
                expect(message, HandshakeType.CERTIFICATE)
                self._transcript.receive(message)
                peer = authenticate(parse_certificates(message.body), self._parameters.remote_fingerprints)
                self._state = AwaitingClientKeyExchange(state.negotiated, state.key, peer)
            case AwaitingClientKeyExchange() as state:
                self._receive_client_key_exchange(state, message)
            case AwaitingCertificateVerify(result):
                return self._receive_certificate_verify(result, message)
            case AwaitingFinished(result):
                return self._receive_finished(result, message)
            case Completed():
                raise HandshakeFailure(AlertDescription.UNEXPECTED_MESSAGE, "the handshake is over")
        return Step()

    def _receive_client_hello(self, state: AwaitingClientHello, message: HandshakeMessage) -> Step:
        expect(message, HandshakeType.CLIENT_HELLO)
        hello = ClientHello.parse(message.body)
        check_client_hello(hello)
        if state.cookie is None and self._parameters.options.require_cookie:
            return self._ask_for_cookie()
        if state.cookie is not None and not hmac.compare_digest(state.cookie, hello.cookie):
            raise HandshakeFailure(AlertDescription.HANDSHAKE_FAILURE, "the client's cookie is wrong")
        self._transcript.receive(message)
        return self._answer(hello)

    def _ask_for_cookie(self) -> Step:
        # What lies below knows the peer already, so the cookie needs no more than to be hard to guess.
        cookie = self._parameters.rng.randbytes(32)
        self._state = AwaitingClientHello(cookie)
        body = HelloVerifyRequest(cookie).encode()
        request = self._transcript.send(HandshakeType.HELLO_VERIFY_REQUEST, body)
        self._transcript.restart()
        # RFC 6347 section 4.2.4: not sent again by a timer, since the client sends its hello again.
        return Step(flight=(FlightItem(0, request),), awaits_answer=False)

    def _answer(self, hello: ClientHello) -> Step:
        options, certificate = self._parameters.options, self._parameters.certificate
        choice = choose(options, certificate, hello)
        rng, transcript = self._parameters.rng, self._transcript
        server_random = rng.randbytes(RANDOM_LENGTH)
        key = EphemeralKey.generate(choice.group, rng)
        parameters = ServerKeyExchange.encode_parameters(choice.group, key.public_bytes)
        signature = sign(certificate.private_key, choice.scheme, hello.random + server_random + parameters)
        exchange = ServerKeyExchange(choice.group, key.public_bytes, choice.scheme, signature)
        certificate_types = bytes((CertificateType.ECDSA_SIGN, CertificateType.RSA_SIGN))
        request = CertificateRequest(certificate_types, SIGNATURE_SCHEMES)
        contents = (
            (HandshakeType.SERVER_HELLO, build_server_hello(hello, choice, server_random).encode()),
            (HandshakeType.CERTIFICATE, encode_certificates((certificate.der,))),
            (HandshakeType.SERVER_KEY_EXCHANGE, exchange.encode()),
            (HandshakeType.CERTIFICATE_REQUEST, request.encode()),
            (HandshakeType.SERVER_HELLO_DONE, b""),
        )
        negotiated = Negotiated(choice.suite, hello.random, server_random, choice.srtp_profile)
        self._state = AwaitingCertificate(negotiated, key)
        return Step(flight=[FlightItem(0, transcript.send(kind, body)) for kind, body in contents])

    def _receive_client_key_exchange(
        self, state: AwaitingClientKeyExchange, message: HandshakeMessage
    ) -> None:
        expect(message, HandshakeType.CLIENT_KEY_EXCHANGE)
        self._transcript.receive(message)
        premaster_secret = state.key.exchange(parse_client_key_exchange(message.body))
        negotiated = state.negotiated
        secrets = SessionSecrets.derive(
            negotiated.suite,
            negotiated.client_random,
            negotiated.server_random,
            premaster_secret,
            self._transcript.to_bytes(),
        )
        result = HandshakeResult(secrets, state.key.group, negotiated.srtp_profile, state.peer)
        self._state = AwaitingCertificateVerify(result)

    def _receive_certificate_verify(self, result: HandshakeResult, message: HandshakeMessage) -> Step:
        expect(message, HandshakeType.CERTIFICATE_VERIFY)
        proof = CertificateVerify.parse(message.body)
        verify(result.peer.public_key, proof.scheme, proof.signature, self._transcript.to_bytes())
        self._transcript.receive(message)
        self._state = AwaitingFinished(result)
        return Step(keys=epoch_keys(DtlsRole.SERVER, result.secrets))

    def _receive_finished(self, result: HandshakeResult, message: HandshakeMessage) -> Step:
        verify_finished(message, DtlsRole.CLIENT, result.secrets, self._transcript)
        self._transcript.receive(message)
        self._state = Completed()
        items = finish(DtlsRole.SERVER, result.secrets, self._transcript)
        return Step(flight=items, awaits_answer=False, result=result)
