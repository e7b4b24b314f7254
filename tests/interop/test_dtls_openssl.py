"""DTLS against OpenSSL in this process: both roles, every suite, both kinds of certificates, SRTP, alerts."""

import contextlib
import random
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    ECDSA_P256,
    RSA_2048,
    SRTP_PROFILES,
    AlertDescription,
    ApplicationDataReceived,
    Certificate,
    CipherSuite,
    Connection,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
    Fingerprint,
    HandshakeCompleted,
    NamedGroup,
    SrtpProfile,
)

WALL_CLOCK = 1.8e9
MTU = 1200
HEADER_LENGTH = 13

OPENSSL_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
OPENSSL_SRTP = {
    "SRTP_AEAD_AES_256_GCM": b"SRTP_AEAD_AES_256_GCM",
    "SRTP_AEAD_AES_128_GCM": b"SRTP_AEAD_AES_128_GCM",
    "SRTP_AES128_CM_HMAC_SHA1_80": b"SRTP_AES128_CM_SHA1_80",
}


Certificates = dict[str, tuple[Certificate, Certificate]]


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    """Our certificates and OpenSSL's, by kind of key."""
    rng = random.Random(1)
    return {
        algorithm: (
            Certificate.generate(rng, WALL_CLOCK, algorithm=algorithm),
            Certificate.generate(rng, WALL_CLOCK, algorithm=algorithm),
        )
        for algorithm in (ECDSA_P256, RSA_2048)
    }


def split_records(stream: bytes) -> list[bytes]:
    """Split OpenSSL's output into records, since its memory BIO does not preserve datagram boundaries."""
    records = []
    while stream:
        size = HEADER_LENGTH + int.from_bytes(stream[11:13], "big")
        records.append(stream[:size])
        stream = stream[size:]
    return records


class OpenSslPeer:
    """A DTLS peer made of OpenSSL."""

    def __init__(
        self,
        certificate: Certificate,
        *,
        server: bool,
        ciphers: str | None = None,
        srtp: bytes | None = None,
        verify: bool = True,
        cookie: bool = False,
        mtu: int = MTU,
        accept: bool = True,
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET)
        context.use_certificate(x509.load_der_x509_certificate(certificate.der))
        private_key = serialization.load_pem_private_key(certificate.to_pem().encode(), password=None)
        assert isinstance(private_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        context.use_privatekey(private_key)
        if verify:
            flags = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            context.set_verify(flags, lambda *_: accept)
        if ciphers is not None:
            context.set_cipher_list(ciphers.encode())
        if srtp is not None:
            context.set_tlsext_use_srtp(srtp)
        if cookie:
            assert SSL.OP_COOKIE_EXCHANGE is not None
            context.set_options(SSL.OP_COOKIE_EXCHANGE)
            context.set_cookie_generate_callback(lambda _: b"a cookie of OpenSSL")
            context.set_cookie_verify_callback(lambda _, cookie: cookie == b"a cookie of OpenSSL")
        self.connection = SSL.Connection(context, None)
        self.connection.set_ciphertext_mtu(mtu)
        if server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
        self.received: list[bytes] = []
        self.connected = False
        self.error: SSL.Error | None = None

    def advance(self) -> None:
        """Process all received records."""
        try:
            if not self.connected:
                self.connection.do_handshake()
                self.connected = True
            while True:
                self.received.append(self.connection.recv(65536))
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = error

    def take(self) -> list[bytes]:
        try:
            return split_records(self.connection.bio_read(1 << 20))
        except SSL.WantReadError:
            return []

    def receive(self, datagrams: Sequence[bytes]) -> None:
        for datagram in datagrams:
            self.connection.bio_write(datagram)
            self.advance()


def pump(ours: Connection, openssl: OpenSslPeer) -> None:
    openssl.advance()
    while True:
        to_openssl, to_us = ours.datagrams_to_send(0.0), openssl.take()
        assert all(len(datagram) <= MTU for datagram in to_openssl)
        if not to_openssl and not to_us:
            return
        openssl.receive(to_openssl)
        ours.receive(to_us, 0.0)


def connect(
    ours: Certificate,
    theirs: Certificate,
    role: DtlsRole,
    options: DtlsOptions,
    openssl: OpenSslPeer,
    fingerprint: Fingerprint | None = None,
) -> Connection:
    connection = Connection(options, role=role, certificate=ours, rng=random.Random(2), wall_clock=WALL_CLOCK)
    connection.set_remote_fingerprints([fingerprint or theirs.fingerprint()])
    connection.start(0.0)
    pump(connection, openssl)
    return connection


def check_connected(connection: Connection, openssl: OpenSslPeer) -> HandshakeCompleted:
    assert openssl.error is None
    assert openssl.connected
    (completed,) = connection.events()
    assert isinstance(completed, HandshakeCompleted)
    exported = openssl.connection.export_keying_material(b"EXPORTER-test", 40, b"context")
    assert connection.export_keying_material(b"EXPORTER-test", b"context", 40) == exported
    exported = openssl.connection.export_keying_material(b"EXPORTER-test", 40)
    assert connection.export_keying_material(b"EXPORTER-test", None, 40) == exported
    connection.send([b"ping", b"x" * connection.max_application_data], 0.0)
    pump(connection, openssl)
    assert openssl.received == [b"ping", b"x" * connection.max_application_data]
    openssl.connection.send(b"pong")
    pump(connection, openssl)
    assert connection.events() == [ApplicationDataReceived([b"pong"])]
    return completed


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_each_suite(certificates: Certificates, role: DtlsRole, suite: CipherSuite) -> None:
    ours, theirs = certificates[RSA_2048 if suite.authentication == "RSA" else ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT, ciphers=OPENSSL_SUITES[suite.name])
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    assert check_connected(connection, openssl).cipher_suite == suite.name


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("group", NamedGroup)
def test_each_group(certificates: Certificates, role: DtlsRole, group: NamedGroup) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    # OpenSSL rejects a client that does not offer the curve of an ECDSA certificate, hence the second group.
    options = DtlsOptions(groups=tuple(dict.fromkeys((group, NamedGroup.SECP256R1))))
    connection = connect(ours, theirs, role, options, openssl)
    completed = check_connected(connection, openssl)
    assert completed.group == group.label


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda profile: profile.name)
def test_srtp_profile_and_keys(certificates: Certificates, role: DtlsRole, profile: SrtpProfile) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT, srtp=OPENSSL_SRTP[profile.name])
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    assert check_connected(connection, openssl).srtp_profile == profile.name
    assert openssl.connection.get_selected_srtp_profile() == OPENSSL_SRTP[profile.name]
    length = 2 * (profile.key_length + profile.salt_length)
    exported = openssl.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
    keys = connection.srtp_keys()
    assert keys is not None
    assert keys.client_key + keys.server_key + keys.client_salt + keys.server_salt == exported


@pytest.mark.parametrize("role", DtlsRole)
def test_no_srtp_in_common(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    assert check_connected(connection, openssl).srtp_profile is None
    assert connection.srtp_keys() is None


@pytest.mark.parametrize("role", DtlsRole)
def test_mixed_certificates(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256][0], certificates[RSA_2048][1]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    suite = check_connected(connection, openssl).cipher_suite
    assert ("_RSA_" in suite) is (role is DtlsRole.CLIENT)


@pytest.mark.parametrize("role", DtlsRole)
def test_small_mtu_on_both_sides(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[RSA_2048]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT, mtu=256)
    connection = connect(ours, theirs, role, DtlsOptions(mtu=200), openssl)
    check_connected(connection, openssl)


def test_openssl_requires_a_cookie(certificates: Certificates) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=True, cookie=True)
    check_connected(connect(ours, theirs, DtlsRole.CLIENT, DtlsOptions(), openssl), openssl)


def test_we_require_a_cookie(certificates: Certificates) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=False)
    options = DtlsOptions(require_cookie=True)
    check_connected(connect(ours, theirs, DtlsRole.SERVER, options, openssl), openssl)


def test_openssl_requests_no_certificate(certificates: Certificates) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=True, verify=False)
    check_connected(connect(ours, theirs, DtlsRole.CLIENT, DtlsOptions(), openssl), openssl)
    assert openssl.connection.get_peer_certificate() is None


@pytest.mark.parametrize("role", DtlsRole)
def test_openssl_has_a_different_certificate_than_signaled(
    certificates: Certificates, role: DtlsRole
) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl, fingerprint=ours.fingerprint())
    (closed,) = connection.events()
    assert isinstance(closed, DtlsClosed)
    assert closed.error is not None
    assert closed.error.detail is RTCErrorDetailType.FINGERPRINT_FAILURE
    assert closed.error.sent_alert == AlertDescription.BAD_CERTIFICATE
    assert connection.state is RTCDtlsTransportState.FAILED
    assert "bad certificate" in str(openssl.error)
    assert not openssl.connected or role is DtlsRole.CLIENT


@pytest.mark.parametrize("role", DtlsRole)
def test_openssl_rejects_our_certificate(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT, accept=False)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    assert openssl.error is not None
    assert connection.state is RTCDtlsTransportState.CONNECTING
    # The alert was in plaintext, so it is accepted only after some time without other records.
    while not connection.closed:
        now = connection.next_timer()
        connection.handle_timer(now)
        connection.datagrams_to_send(now)
    (closed,) = connection.events()
    assert isinstance(closed, DtlsClosed)
    assert closed.error is not None
    assert closed.error.received_alert in (
        AlertDescription.BAD_CERTIFICATE,
        AlertDescription.UNKNOWN_CA,
        AlertDescription.CERTIFICATE_UNKNOWN,
    )


@pytest.mark.parametrize("role", DtlsRole)
def test_nothing_in_common(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT, ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    assert not openssl.connected
    if role is DtlsRole.SERVER:
        (closed,) = connection.events()
        assert isinstance(closed, DtlsClosed)
        assert closed.error is not None
        assert closed.error.sent_alert == AlertDescription.HANDSHAKE_FAILURE
        assert openssl.error is not None


@pytest.mark.parametrize("role", DtlsRole)
def test_openssl_closes(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    check_connected(connection, openssl)
    openssl.connection.shutdown()
    pump(connection, openssl)
    assert connection.events() == [DtlsClosed(None)]
    assert connection.state is RTCDtlsTransportState.CLOSED
    assert openssl.connection.get_shutdown() == SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN


@pytest.mark.parametrize("role", DtlsRole)
def test_we_close(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    check_connected(connection, openssl)
    connection.close(0.0)
    pump(connection, openssl)
    assert isinstance(openssl.error, SSL.ZeroReturnError)


@pytest.mark.parametrize("role", DtlsRole)
def test_openssl_requests_renegotiation(certificates: Certificates, role: DtlsRole) -> None:
    ours, theirs = certificates[ECDSA_P256]
    openssl = OpenSslPeer(theirs, server=role is DtlsRole.CLIENT)
    connection = connect(ours, theirs, role, DtlsOptions(), openssl)
    check_connected(connection, openssl)
    openssl.connection.renegotiate()
    with contextlib.suppress(SSL.WantReadError):
        openssl.connection.do_handshake()
    to_us = openssl.take()
    assert to_us
    connection.receive(to_us, 0.0)
    (alert,) = connection.datagrams_to_send(0.0)
    assert alert[0] == 21
    assert connection.state is RTCDtlsTransportState.CONNECTED
    assert connection.events() == []
