"""Handshakes over a network without losses: negotiation, authentication, wrong calls, closing."""

import hashlib
import random

import attrs
import pytest

from tests.strategies.dtls_pair import LATENCY, Pair, certificate, check_agreement, make_connection, make_pair
from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    GROUPS,
    RSA_2048,
    SRTP_PROFILES,
    AlertDescription,
    CipherSuite,
    DtlsOptions,
    DtlsRole,
    Fingerprint,
    HandshakeCompleted,
    NamedGroup,
    SrtpProfile,
)


def rsa_pair(client_options: DtlsOptions | None = None) -> Pair:
    own = {role: certificate(role, RSA_2048) for role in DtlsRole}
    client, server = (
        make_connection(role, client_options, own=own[role], fingerprints=[own[role.other].fingerprint()])
        for role in (DtlsRole.CLIENT, DtlsRole.SERVER)
    )
    return Pair(client, server)


def completion(pair: Pair, role: DtlsRole) -> HandshakeCompleted:
    (event,) = [event for event in pair.log[role] if isinstance(event, HandshakeCompleted)]
    return event


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("group", GROUPS)
def test_each_suite_with_each_group(suite: CipherSuite, group: NamedGroup) -> None:
    options = DtlsOptions(cipher_suites=(suite,), groups=(group,))
    pair = rsa_pair(options) if suite.authentication == "RSA" else make_pair(options)
    pair.connect()
    check_agreement(pair)
    for role in DtlsRole:
        completed = completion(pair, role)
        assert completed.cipher_suite == suite.name
        assert completed.group == group.label
        assert completed.version == "FEFD"
        assert pair.of(role).state is RTCDtlsTransportState.CONNECTED


@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda profile: profile.name)
def test_srtp_profile_and_keys(profile: SrtpProfile) -> None:
    pair = make_pair(server_options=DtlsOptions(srtp_profiles=(profile,))).connect()
    client, server = pair.client.srtp_keys(), pair.server.srtp_keys()
    assert client == server
    assert client is not None
    assert completion(pair, DtlsRole.SERVER).srtp_profile == profile.name
    parts = (client.client_key, client.server_key, client.client_salt, client.server_salt)
    assert [len(part) for part in parts] == [profile.key_length] * 2 + [profile.salt_length] * 2
    assert len(set(parts)) == 4


@pytest.mark.parametrize("silent", DtlsRole)
def test_no_srtp_unless_both_sides_support_it(silent: DtlsRole) -> None:
    options = {silent: DtlsOptions(srtp_profiles=())}
    pair = make_pair(options.get(DtlsRole.CLIENT), options.get(DtlsRole.SERVER)).connect()
    assert pair.client.srtp_keys() is None
    assert pair.server.srtp_keys() is None


def test_a_handshake_takes_two_round_trips() -> None:
    pair = make_pair()
    pair.start()
    pair.run(lambda: pair.completed)
    assert pair.now == pytest.approx(4 * LATENCY)
    assert len(pair.sent) == 4
    assert pair.client.counters.flights_retransmitted == 0


def test_a_cookie_takes_one_more_round_trip() -> None:
    pair = make_pair(server_options=DtlsOptions(require_cookie=True))
    pair.start()
    pair.run(lambda: pair.completed)
    assert pair.now == pytest.approx(6 * LATENCY)
    check_agreement(pair)


def test_each_side_reports_the_certificate_of_the_other() -> None:
    pair = make_pair().connect()
    for role in DtlsRole:
        assert completion(pair, role).remote_certificate == certificate(role.other).der


def test_same_seed_same_bytes() -> None:
    first, second = make_pair().connect(), make_pair().connect()
    check_agreement(first)
    check_agreement(second)
    assert first.sent == second.sent
    other = Pair(make_connection(DtlsRole.CLIENT, seed=1), make_connection(DtlsRole.SERVER)).connect()
    assert [datagram for _, _, datagram in other.sent] != [datagram for _, _, datagram in first.sent]


# Fingerprints


@pytest.mark.parametrize("algorithm", ["sha-256", "SHA-384", "sha-512"])
def test_fingerprint_by_each_trusted_hash(algorithm: str) -> None:
    client, server = (
        make_connection(role, fingerprints=[certificate(role.other).fingerprint(algorithm)])
        for role in (DtlsRole.CLIENT, DtlsRole.SERVER)
    )
    check_agreement(Pair(client, server).connect())


def test_one_match_among_several_fingerprints_suffices() -> None:
    right = certificate(DtlsRole.SERVER).fingerprint()
    wrong = certificate(DtlsRole.CLIENT).fingerprint("sha-512")
    lower = Fingerprint("SHA-256", right.value.lower())
    client = make_connection(DtlsRole.CLIENT, fingerprints=[Fingerprint("md5", "00"), wrong, lower])
    check_agreement(Pair(client, make_connection(DtlsRole.SERVER)).connect())


def assert_fingerprint_failure(pair: Pair, role: DtlsRole) -> None:
    closed = pair.closed(role)
    assert closed is not None
    assert closed.error is not None
    assert closed.error.detail is RTCErrorDetailType.FINGERPRINT_FAILURE
    assert closed.error.sent_alert == AlertDescription.BAD_CERTIFICATE
    assert pair.of(role).state is RTCDtlsTransportState.FAILED


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize(
    "fingerprint",
    [
        certificate(DtlsRole.CLIENT, RSA_2048).fingerprint(),
        Fingerprint("sha-256", ""),
        Fingerprint("sha-256", "é"),
        Fingerprint("sha-1", "00:" * 19 + "00"),
    ],
    ids=["another certificate", "empty", "not ASCII", "sha-1"],
)
def test_a_wrong_fingerprint_fails_both_sides(role: DtlsRole, fingerprint: Fingerprint) -> None:
    connections = {role: make_connection(role, fingerprints=[fingerprint])}
    connections[role.other] = make_connection(role.other)
    pair = Pair(connections[DtlsRole.CLIENT], connections[DtlsRole.SERVER])
    pair.start()
    pair.run()
    assert_fingerprint_failure(pair, role)
    closed = pair.closed(role.other)
    assert closed is not None
    assert closed.error is not None
    assert closed.error.detail is RTCErrorDetailType.DTLS_FAILURE
    assert closed.error.received_alert == AlertDescription.BAD_CERTIFICATE
    assert all(len(log) == 1 for log in pair.log.values())


def test_a_matching_sha_1_fingerprint_is_not_trusted() -> None:
    digest = hashlib.sha1(certificate(DtlsRole.CLIENT).der).hexdigest()
    digest = ":".join(digest[index : index + 2] for index in range(0, 40, 2))
    server = make_connection(DtlsRole.SERVER, fingerprints=[Fingerprint("sha-1", digest)])
    pair = Pair(make_connection(DtlsRole.CLIENT), server)
    pair.start()
    pair.run()
    assert_fingerprint_failure(pair, DtlsRole.SERVER)


@pytest.mark.parametrize("impostor", DtlsRole)
def test_the_certificate_of_another_with_a_wrong_key(impostor: DtlsRole) -> None:
    genuine = certificate(impostor)
    other_key = certificate(impostor.other).private_key
    stolen = attrs.evolve(genuine, private_key=other_key)
    connections = {impostor: make_connection(impostor, own=stolen)}
    connections[impostor.other] = make_connection(impostor.other)
    pair = Pair(connections[DtlsRole.CLIENT], connections[DtlsRole.SERVER])
    pair.start()
    pair.run()
    closed = pair.closed(impostor.other)
    assert closed is not None
    assert closed.error is not None
    assert closed.error.sent_alert == AlertDescription.DECRYPT_ERROR
    assert not pair.data(impostor.other)
    assert pair.closed(impostor) is not None


def test_no_common_cipher_suite() -> None:
    ecdsa = make_connection(DtlsRole.SERVER)
    client = make_connection(DtlsRole.CLIENT, DtlsOptions(cipher_suites=CIPHER_SUITES[1:2]))
    pair = Pair(client, ecdsa)
    pair.start()
    pair.run()
    server_closed, client_closed = pair.closed(DtlsRole.SERVER), pair.closed(DtlsRole.CLIENT)
    assert server_closed is not None
    assert server_closed.error is not None
    assert server_closed.error.sent_alert == AlertDescription.HANDSHAKE_FAILURE
    why = "no cipher suite, group and signature scheme in common with the client"
    assert server_closed.error.message == why
    assert client_closed is not None
    assert client_closed.error is not None
    assert client_closed.error.received_alert == AlertDescription.HANDSHAKE_FAILURE


def test_all_randomness_is_from_the_given_source() -> None:
    assert isinstance(random.SystemRandom(), random.Random)
    pair = Pair(make_connection(DtlsRole.CLIENT, seed=5), make_connection(DtlsRole.SERVER, seed=5))
    state = random.getstate()
    pair.connect()
    assert random.getstate() == state
