"""Each proof of a handshake is required, of the right certificate, with every byte of it."""

import datetime
import random
from collections.abc import Callable, Sequence

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.strategies.dtls_pair import WALL_CLOCK, certificate
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import (
    ECDSA_P256,
    RSA_2048,
    AlertDescription,
    Certificate,
    DtlsOptions,
    DtlsRole,
    Fingerprint,
)
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import authenticate_peer, matches_fingerprint
from trio_rtc.protocols.dtls.crypto.signature import (
    MAX_RSA_BITS,
    MIN_RSA_BITS,
    PublicKey,
    SignatureScheme,
    sign,
    verify,
)
from trio_rtc.protocols.dtls.flight import FlightMessage
from trio_rtc.protocols.dtls.handshake import Handshake, HandshakeParameters, HandshakeResult
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.negotiation import VersionNegotiation
from trio_rtc.protocols.dtls.tls12.messages import encode_certificates
from trio_rtc.protocols.dtls.tls12.version import Dtls12

Messages = Sequence[HandshakeMessage]
Alteration = Callable[[Messages], Messages]

GENUINE = certificate(DtlsRole.SERVER)
IMPOSTOR = Certificate.generate(random.Random(77), WALL_CLOCK)


def negotiation(role: DtlsRole, own: Certificate | None = None) -> VersionNegotiation:
    parameters = HandshakeParameters(
        DtlsOptions(),
        own or certificate(role),
        [certificate(role.other).fingerprint()],
        random.Random(f"{role}"),
    )
    return VersionNegotiation([Dtls12()], role, parameters)


def shake_hands(
    victim_role: DtlsRole, alter: Alteration, *, own: Certificate | None = None
) -> HandshakeResult | None:
    """Perform a handshake with a peer whose flights are altered; return the victim's result."""
    negotiations = {
        victim_role: negotiation(victim_role),
        victim_role.other: negotiation(victim_role.other, own),
    }
    handshakes: dict[DtlsRole, Handshake] = {**negotiations}
    result: HandshakeResult | None = None
    counts = dict.fromkeys(DtlsRole, 0)
    flights = [(role, negotiations[role].start().flight) for role in DtlsRole]
    while flights:
        sender, items = flights.pop(0)
        messages: Messages = [item.message for item in items if isinstance(item, FlightMessage)]
        if sender is not victim_role:
            messages = alter(messages)
        for message in messages:
            numbered = attrs.evolve(message, sequence=counts[sender])
            counts[sender] += 1
            step = handshakes[sender.other].receive(numbered)
            handshakes[sender.other] = step.handshake or handshakes[sender.other]
            if step.flight:
                flights.append((sender.other, step.flight))
            if sender is not victim_role and step.result is not None:
                result = step.result
    return result


def replace(kind: HandshakeType, change: Callable[[bytes], bytes]) -> Alteration:
    """Change the body of one kind of message."""
    return lambda messages: [
        attrs.evolve(message, body=change(message.body)) if message.message_type == kind else message
        for message in messages
    ]


def repeat(kind: HandshakeType) -> Alteration:
    """Send one kind of message twice."""
    return lambda messages: [
        each for message in messages for each in [message] * (1 + (message.message_type == kind))
    ]


def omit(kind: HandshakeType) -> Alteration:
    """Leave out one kind of message."""
    return lambda messages: [message for message in messages if message.message_type != kind]


def flip(position: int) -> Callable[[bytes], bytes]:
    """Flip the lowest bit of one byte."""

    def change(body: bytes) -> bytes:
        changed = bytearray(body)
        changed[position] ^= 1
        return bytes(changed)

    return change


def alert_of(victim: DtlsRole, alter: Alteration, *, own: Certificate | None = None) -> AlertDescription:
    with pytest.raises(HandshakeFailure) as info:
        shake_hands(victim, alter, own=own)
    return info.value.alert


@pytest.mark.parametrize("victim", DtlsRole)
def test_without_an_alteration_both_sides_complete(victim: DtlsRole) -> None:
    result = shake_hands(victim, lambda messages: messages)
    assert result is not None
    assert result.peer.der == certificate(victim.other).der


# The certificate


@pytest.mark.parametrize("victim", DtlsRole)
def test_the_right_certificate_as_the_second_of_a_chain_proves_nothing(victim: DtlsRole) -> None:
    """The peer signs with the key of the first certificate, so the fingerprint must be that of the first."""
    chain = encode_certificates([IMPOSTOR.der, certificate(victim.other).der])
    alter = replace(HandshakeType.CERTIFICATE, lambda _: chain)
    assert alert_of(victim, alter, own=IMPOSTOR) == AlertDescription.BAD_CERTIFICATE


def test_of_a_chain_the_first_certificate_is_authenticated() -> None:
    for others in ([], [IMPOSTOR.der], [IMPOSTOR.der, b"not a certificate"]):
        peer = authenticate_peer([GENUINE.der, *others], [GENUINE.fingerprint()])
        assert peer.der == GENUINE.der
        assert peer.public_key == GENUINE.private_key.public_key()
    with pytest.raises(HandshakeFailure) as info:
        authenticate_peer([IMPOSTOR.der, GENUINE.der], [GENUINE.fingerprint()])
    assert info.value.alert == AlertDescription.BAD_CERTIFICATE


@pytest.mark.parametrize("algorithm", ["sha-224", "sha-256", "sha-384", "sha-512"])
def test_every_byte_of_a_fingerprint_counts(algorithm: str) -> None:
    value = GENUINE.fingerprint(algorithm).value
    digest = bytes.fromhex(value.replace(":", ""))
    for position in range(len(digest)):
        nearly = Fingerprint(algorithm, flip(position)(digest).hex(":").upper())
        assert not matches_fingerprint(GENUINE.der, [nearly])
    for cut in (digest[:-1], digest[1:], digest + b"\0", b""):
        assert not matches_fingerprint(GENUINE.der, [Fingerprint(algorithm, cut.hex(":"))])
    assert matches_fingerprint(GENUINE.der, [Fingerprint(algorithm, digest.hex(":"))])


def test_any_of_several_fingerprints_is_enough_wherever_it_stands() -> None:
    right, wrong = GENUINE.fingerprint(), IMPOSTOR.fingerprint()
    assert matches_fingerprint(GENUINE.der, [right, wrong])
    assert matches_fingerprint(GENUINE.der, [wrong, right])
    assert not matches_fingerprint(GENUINE.der, [wrong, wrong])


def certificate_of(key: PublicKey) -> bytes:
    """Return a certificate of a public key, signed by somebody else: no key of the size has to be generated."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime.fromtimestamp(WALL_CLOCK, datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
    issued = builder.sign(ec.derive_private_key(99, ec.SECP256R1()), hashes.SHA256())
    return issued.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("bits", "accepted"),
    [(MIN_RSA_BITS - 8, False), (MIN_RSA_BITS, True), (MAX_RSA_BITS, True), (MAX_RSA_BITS + 8, False)],
)
def test_rsa_keys_are_bounded_in_size(bits: int, accepted: bool) -> None:
    """Too small ones can be broken; too large ones cost seconds to verify."""
    key = rsa.RSAPublicNumbers(65537, (1 << bits) - 1).public_key()
    assert key.key_size == bits
    der = certificate_of(key)
    if accepted:
        assert authenticate_peer([der], [Fingerprint.of(der, "sha-256")]).der == der
        return
    with pytest.raises(HandshakeFailure) as info:
        authenticate_peer([der], [Fingerprint.of(der, "sha-256")])
    assert info.value.alert == AlertDescription.UNSUPPORTED_CERTIFICATE


def test_the_bounds_of_rsa_keys() -> None:
    """RFC 8827 section 6.5 asks for 2,048 bits."""
    assert (MIN_RSA_BITS, MAX_RSA_BITS) == (2048, 8192)


# The private key


@pytest.mark.parametrize("victim", DtlsRole)
def test_a_certificate_without_its_key(victim: DtlsRole) -> None:
    """The peer shows a certificate that is not its own, and signs with another key."""
    chain = encode_certificates([certificate(victim.other).der])
    alter = replace(HandshakeType.CERTIFICATE, lambda _: chain)
    assert alert_of(victim, alter, own=IMPOSTOR) == AlertDescription.DECRYPT_ERROR


def test_a_client_must_prove_its_key() -> None:
    assert (
        alert_of(DtlsRole.SERVER, omit(HandshakeType.CERTIFICATE_VERIFY))
        == AlertDescription.UNEXPECTED_MESSAGE
    )


@pytest.mark.parametrize(
    ("victim", "kind"),
    [
        (DtlsRole.CLIENT, HandshakeType.SERVER_KEY_EXCHANGE),
        (DtlsRole.SERVER, HandshakeType.CERTIFICATE_VERIFY),
    ],
)
def test_the_last_byte_of_a_signature_counts(victim: DtlsRole, kind: HandshakeType) -> None:
    assert alert_of(victim, replace(kind, flip(-1))) == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("scheme", SignatureScheme)
def test_a_signature_is_of_its_data_and_of_the_key(scheme: SignatureScheme) -> None:
    algorithm = RSA_2048 if scheme.name.startswith("RSA") else ECDSA_P256
    own, other = (certificate(role, algorithm).private_key for role in DtlsRole)
    signature = sign(own, scheme, b"data")
    verify(own.public_key(), scheme, signature, b"data")
    for key, wrong, data in (
        (own, flip(-1)(signature), b"data"),
        (own, signature, b"date"),
        (own, b"", b"data"),
        (other, signature, b"data"),
    ):
        with pytest.raises(HandshakeFailure) as info:
            verify(key.public_key(), scheme, wrong, data)
        assert info.value.alert == AlertDescription.DECRYPT_ERROR


# The transcript


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("position", [0, 5, 11])
def test_a_finished_of_wrong_content_under_the_right_keys(victim: DtlsRole, position: int) -> None:
    alter = replace(HandshakeType.FINISHED, flip(position))
    assert alert_of(victim, alter) == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"\0", lambda _: b""])
def test_a_finished_of_wrong_length(victim: DtlsRole, change: Callable[[bytes], bytes]) -> None:
    assert alert_of(victim, replace(HandshakeType.FINISHED, change)) == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("victim", DtlsRole)
def test_another_message_in_the_place_of_finished(victim: DtlsRole) -> None:
    def alter(messages: Messages) -> Messages:
        return [
            attrs.evolve(message, message_type=HandshakeType.CERTIFICATE_VERIFY)
            if message.message_type == HandshakeType.FINISHED
            else message
            for message in messages
        ]

    assert alert_of(victim, alter) == AlertDescription.UNEXPECTED_MESSAGE


# Order


@pytest.mark.parametrize(
    ("victim", "kind"),
    [
        (DtlsRole.CLIENT, HandshakeType.SERVER_HELLO),
        (DtlsRole.CLIENT, HandshakeType.CERTIFICATE),
        (DtlsRole.CLIENT, HandshakeType.SERVER_KEY_EXCHANGE),
        (DtlsRole.CLIENT, HandshakeType.CERTIFICATE_REQUEST),
        (DtlsRole.CLIENT, HandshakeType.SERVER_HELLO_DONE),
        (DtlsRole.CLIENT, HandshakeType.FINISHED),
        (DtlsRole.SERVER, HandshakeType.CLIENT_HELLO),
        (DtlsRole.SERVER, HandshakeType.CERTIFICATE),
        (DtlsRole.SERVER, HandshakeType.CLIENT_KEY_EXCHANGE),
        (DtlsRole.SERVER, HandshakeType.CERTIFICATE_VERIFY),
        (DtlsRole.SERVER, HandshakeType.FINISHED),
    ],
)
def test_no_message_is_accepted_twice(victim: DtlsRole, kind: HandshakeType) -> None:
    assert alert_of(victim, repeat(kind)) == AlertDescription.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    ("victim", "kind"),
    [
        (DtlsRole.CLIENT, HandshakeType.SERVER_HELLO),
        (DtlsRole.CLIENT, HandshakeType.CERTIFICATE),
        (DtlsRole.CLIENT, HandshakeType.SERVER_KEY_EXCHANGE),
        (DtlsRole.SERVER, HandshakeType.CERTIFICATE),
        (DtlsRole.SERVER, HandshakeType.CLIENT_KEY_EXCHANGE),
    ],
)
def test_no_message_may_be_missing(victim: DtlsRole, kind: HandshakeType) -> None:
    assert alert_of(victim, omit(kind)) == AlertDescription.UNEXPECTED_MESSAGE


def test_a_hello_done_with_contents() -> None:
    with pytest.raises(ProtocolError, match="has a body"):
        shake_hands(DtlsRole.CLIENT, replace(HandshakeType.SERVER_HELLO_DONE, lambda _: b"x"))
