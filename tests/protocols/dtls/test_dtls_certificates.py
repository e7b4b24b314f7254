"""Our own certificates, and the check of the peer's."""

import datetime
import hashlib
import random
import re
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.dtls_pair import WALL_CLOCK, Pair, certificate, check_agreement, make_connection
from trio_rtc.protocols.dtls import (
    RSA_2048,
    AlertDescription,
    Certificate,
    DtlsOptions,
    DtlsRole,
    Fingerprint,
)
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.crypto.certificate import authenticate_peer, matches_fingerprint
from trio_rtc.protocols.dtls.crypto.signature import PrivateKey

DAY = 86400


def issue(key: PrivateKey | ed25519.Ed25519PrivateKey) -> Certificate:
    """A self-signed certificate that ``generate`` would not make."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime.fromtimestamp(WALL_CLOCK, datetime.UTC)
    issued = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    # That of Ed25519 is none of the keys a certificate of ours may have, which is what the tests are about.
    return Certificate(
        issued.public_bytes(serialization.Encoding.DER), cast(PrivateKey, key), WALL_CLOCK + DAY
    )


def test_the_same_seed_makes_the_same_certificate() -> None:
    first, second, third = (Certificate.generate(random.Random(seed), WALL_CLOCK) for seed in (1, 1, 2))
    assert first.der == second.der != third.der


@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
def test_what_is_in_it(algorithm: str) -> None:
    own = certificate(DtlsRole.CLIENT, algorithm)
    parsed = x509.load_der_x509_certificate(own.der)
    assert parsed.not_valid_before_utc.timestamp() == WALL_CLOCK - DAY
    assert parsed.not_valid_after_utc.timestamp() == own.expires == WALL_CLOCK + 30 * DAY
    assert parsed.subject == parsed.issuer
    assert re.fullmatch("CN=[0-9a-f]{16}", parsed.subject.rfc4514_string())
    parsed.verify_directly_issued_by(parsed)
    assert "private" not in repr(own)


def test_keys_and_serial_numbers() -> None:
    """W3C webrtc section 4.10.2 names the keys; RFC 5280 section 4.1.2.2 bounds serial numbers to 20 octets."""
    rsa_key = certificate(DtlsRole.CLIENT, RSA_2048).private_key
    assert isinstance(rsa_key, rsa.RSAPrivateKey)
    numbers = rsa_key.public_key().public_numbers()
    assert (numbers.e, numbers.n.bit_length()) == (65537, 2048)
    for seed in range(8):
        own = Certificate.generate(random.Random(seed), WALL_CLOCK)
        assert x509.load_der_x509_certificate(own.der).serial_number.bit_length() == 63


def test_the_lifetime_is_bounded() -> None:
    rng = random.Random(1)
    assert Certificate.generate(rng, WALL_CLOCK, lifetime=0).expires == WALL_CLOCK
    assert Certificate.generate(rng, WALL_CLOCK, lifetime=1e12).expires == WALL_CLOCK + 365 * DAY
    with pytest.raises(ValueError, match="expire"):
        Certificate.generate(rng, WALL_CLOCK, lifetime=-1)


def test_an_unknown_algorithm() -> None:
    with pytest.raises(ValueError, match="DSA"):
        Certificate.generate(random.Random(1), WALL_CLOCK, algorithm="DSA")


@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
def test_pem_and_back(algorithm: str) -> None:
    own = certificate(DtlsRole.CLIENT, algorithm)
    again = Certificate.from_pem(own.to_pem())
    assert again == own
    assert again.private_key.public_key() == own.private_key.public_key()


def test_pem_that_is_none() -> None:
    first, second = certificate(DtlsRole.CLIENT), certificate(DtlsRole.SERVER)
    key, _, cert = first.to_pem().partition("-----BEGIN CERTIFICATE")
    cert = "-----BEGIN CERTIFICATE" + cert
    other_key = second.to_pem().partition("-----BEGIN CERTIFICATE")[0]
    edwards = issue(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))).to_pem()
    for text in ("", "nonsense", key, cert, other_key + cert, edwards):
        with pytest.raises(ValueError, match=r"."):
            Certificate.from_pem(text)


def test_fingerprints() -> None:
    own = certificate(DtlsRole.CLIENT)
    digest = hashlib.sha384(own.der).hexdigest().upper()
    value = ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))
    assert (
        own.fingerprint("sha-384") == Fingerprint("sha-384", value) == Fingerprint("SHA-384", value.lower())
    )
    assert own.fingerprint() == own.fingerprint("sha-256")
    for algorithm in ("sha-1", "md5", ""):
        with pytest.raises(ValueError, match="hash"):
            own.fingerprint(algorithm)
    assert matches_fingerprint(own.der, [Fingerprint("sha-1", ""), own.fingerprint("sha-512")])
    sha_224 = hashlib.sha224(own.der).digest().hex(":")
    assert matches_fingerprint(own.der, [Fingerprint("sha-224", sha_224)])
    assert not matches_fingerprint(own.der, [])
    assert not matches_fingerprint(own.der + b"\0", [own.fingerprint()])


def refuse(own: Certificate) -> AlertDescription:
    with pytest.raises(HandshakeFailure) as info:
        authenticate_peer([own.der], [own.fingerprint()])
    return info.value.alert


def test_keys_that_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    assert refuse(issue(weak)) == AlertDescription.UNSUPPORTED_CERTIFICATE
    edwards = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert refuse(issue(edwards)) == AlertDescription.UNSUPPORTED_CERTIFICATE
    garbage = Certificate(b"not a certificate", weak, 0.0)
    assert refuse(garbage) == AlertDescription.BAD_CERTIFICATE


def test_no_certificate_at_all() -> None:
    with pytest.raises(HandshakeFailure) as info:
        authenticate_peer([], [certificate(DtlsRole.CLIENT).fingerprint()])
    assert info.value.alert == AlertDescription.HANDSHAKE_FAILURE


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_certificates_on_other_curves(role: DtlsRole, curve: ec.EllipticCurve) -> None:
    own = issue(ec.derive_private_key(12345, curve))
    connections = {
        role: make_connection(role, own=own),
        role.other: make_connection(role.other, fingerprints=[own.fingerprint("sha-512")]),
    }
    check_agreement(Pair(connections[DtlsRole.CLIENT], connections[DtlsRole.SERVER]).connect())


def test_dates_are_not_looked_at() -> None:
    old = Certificate.generate(random.Random(1), WALL_CLOCK - 1000 * DAY)
    client = make_connection(DtlsRole.CLIENT, own=old)
    server = make_connection(DtlsRole.SERVER, fingerprints=[old.fingerprint()])
    check_agreement(Pair(client, server).connect())


def test_our_own_expired_certificate_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    old = Certificate.generate(random.Random(1), WALL_CLOCK - 1000 * DAY)
    make_connection(DtlsRole.CLIENT, DtlsOptions(), own=old).start(0.0)
    assert "expired" in caplog.text
    caplog.clear()
    make_connection(DtlsRole.CLIENT).start(0.0)
    assert not caplog.text
    expires_now = Certificate.generate(random.Random(1), WALL_CLOCK, lifetime=0)
    make_connection(DtlsRole.CLIENT, own=expires_now).start(-1.0)
    assert not caplog.text
    make_connection(DtlsRole.CLIENT, own=expires_now).start(0.0)
    assert "expired" in caplog.text


@pytest.mark.filterwarnings("error")
def test_whatever_a_parser_raises_for_a_certificate_fails_the_handshake_and_nothing_else() -> None:
    # A serial number of -1: cryptography warns, and a warning is an exception where the program makes it one.
    serial = b"\x02\x01\x01"
    version = b"\xa0\x03\x02\x01\x02"
    issued = issue(ec.derive_private_key(7, ec.SECP256R1())).der
    assert version + serial in issued
    negative = issued.replace(version + serial, version + b"\x02\x01\xff")
    with pytest.raises(HandshakeFailure) as caught:
        authenticate_peer([negative], [Fingerprint.of(negative, "sha-256")])
    assert caught.value.alert is AlertDescription.BAD_CERTIFICATE


@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
@given(data=st.data())
def test_a_mutated_certificate_is_refused_or_has_a_key(algorithm: str, data: st.DataObject) -> None:
    mutated = bytearray(certificate(DtlsRole.CLIENT, algorithm).der)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    chain = [bytes(mutated)]
    try:
        peer = authenticate_peer(chain, [Fingerprint.of(chain[0], "sha-256")])
    except HandshakeFailure:
        return
    assert isinstance(peer.public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
