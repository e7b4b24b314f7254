"""Authentication in the handshake: certificate, signature and Finished are required, in order and unaltered."""

import random
from collections.abc import Callable, Sequence

import attrs
import pytest

from tests.strategies.dtls_pair import WALL_CLOCK, certificate
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import AlertDescription, Certificate, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.flight import FlightMessage
from trio_rtc.protocols.dtls.handshake import Handshake, HandshakeParameters, HandshakeResult
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.negotiation import VersionNegotiation
from trio_rtc.protocols.dtls.tls12.messages import encode_certificates
from trio_rtc.protocols.dtls.tls12.version import Dtls12

Messages = Sequence[HandshakeMessage]
Alteration = Callable[[Messages], Messages]

OTHER = Certificate.generate(random.Random(77), WALL_CLOCK)


def negotiation(role: DtlsRole, own: Certificate | None = None) -> VersionNegotiation:
    parameters = HandshakeParameters(
        DtlsOptions(),
        own or certificate(role),
        [certificate(role.other).fingerprint()],
        random.Random(f"{role}"),
    )
    return VersionNegotiation([Dtls12()], role, parameters)


def perform_handshake(
    victim_role: DtlsRole, alter: Alteration, *, own: Certificate | None = None
) -> HandshakeResult | None:
    """Perform a handshake in which the flights of the victim's peer are altered; return the victim's result."""
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
    """Change the body of messages of one type."""
    return lambda messages: [
        attrs.evolve(message, body=change(message.body)) if message.message_type == kind else message
        for message in messages
    ]


def repeat(kind: HandshakeType) -> Alteration:
    """Send messages of one type twice."""
    return lambda messages: [
        each for message in messages for each in [message] * (1 + (message.message_type == kind))
    ]


def omit(kind: HandshakeType) -> Alteration:
    """Omit messages of one type."""
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
        perform_handshake(victim, alter, own=own)
    return info.value.alert


@pytest.mark.parametrize("victim", DtlsRole)
def test_without_an_alteration_the_handshake_completes(victim: DtlsRole) -> None:
    result = perform_handshake(victim, lambda messages: messages)
    assert result is not None
    assert result.peer.der == certificate(victim.other).der


# The certificate


@pytest.mark.parametrize("victim", DtlsRole)
def test_the_fingerprint_must_be_that_of_the_first_certificate(victim: DtlsRole) -> None:
    """The peer signs with the key of the first certificate of its chain."""
    chain = encode_certificates([OTHER.der, certificate(victim.other).der])
    alter = replace(HandshakeType.CERTIFICATE, lambda _: chain)
    assert alert_of(victim, alter, own=OTHER) == AlertDescription.BAD_CERTIFICATE


# The private key


@pytest.mark.parametrize("victim", DtlsRole)
def test_a_certificate_without_its_private_key(victim: DtlsRole) -> None:
    """The peer sends the certificate of another, and signs with its own key."""
    chain = encode_certificates([certificate(victim.other).der])
    alter = replace(HandshakeType.CERTIFICATE, lambda _: chain)
    assert alert_of(victim, alter, own=OTHER) == AlertDescription.DECRYPT_ERROR


def test_a_client_must_send_certificate_verify() -> None:
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


# The transcript


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("position", [0, 5, 11])
def test_a_finished_with_wrong_contents(victim: DtlsRole, position: int) -> None:
    alter = replace(HandshakeType.FINISHED, flip(position))
    assert alert_of(victim, alter) == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: body + b"\0", lambda _: b""])
def test_a_finished_of_wrong_length(victim: DtlsRole, change: Callable[[bytes], bytes]) -> None:
    assert alert_of(victim, replace(HandshakeType.FINISHED, change)) == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("victim", DtlsRole)
def test_another_message_in_place_of_finished(victim: DtlsRole) -> None:
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
def test_every_message_is_required(victim: DtlsRole, kind: HandshakeType) -> None:
    assert alert_of(victim, omit(kind)) == AlertDescription.UNEXPECTED_MESSAGE


def test_a_server_hello_done_with_a_body() -> None:
    with pytest.raises(ProtocolError, match="has a body"):
        perform_handshake(DtlsRole.CLIENT, replace(HandshakeType.SERVER_HELLO_DONE, lambda _: b"x"))
