"""Local certificates, fingerprints, and authentication of the peer's certificate."""

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
from trio_rtc.protocols.dtls.crypto.signature import (
    MAX_RSA_BITS,
    MIN_RSA_BITS,
    PrivateKey,
    PublicKey,
)

DAY = 86400
GENUINE = certificate(DtlsRole.SERVER)
OTHER = Certificate.generate(random.Random(77), WALL_CLOCK)


def issue(key: PrivateKey | ed25519.Ed25519PrivateKey) -> Certificate:
    """Return a self-signed certificate that ``generate`` cannot make."""
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
    # Ed25519 keys are not supported, which is what the tests check.
    return Certificate(
        issued.public_bytes(serialization.Encoding.DER), cast(PrivateKey, key), WALL_CLOCK + DAY
    )


def test_the_same_seed_makes_the_same_certificate() -> None:
    first, second, third = (Certificate.generate(random.Random(seed), WALL_CLOCK) for seed in (1, 1, 2))
    assert first.der == second.der != third.der


@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
def test_the_contents_of_a_certificate(algorithm: str) -> None:
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


def test_an_unknown_algorithm_is_an_error() -> None:
    with pytest.raises(ValueError, match="DSA"):
        Certificate.generate(random.Random(1), WALL_CLOCK, algorithm="DSA")


@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
def test_pem_round_trip(algorithm: str) -> None:
    own = certificate(DtlsRole.CLIENT, algorithm)
    again = Certificate.from_pem(own.to_pem())
    assert again == own
    assert again.private_key.public_key() == own.private_key.public_key()


def test_invalid_pem() -> None:
    first, second = certificate(DtlsRole.CLIENT), certificate(DtlsRole.SERVER)
    key, _, cert = first.to_pem().partition("-----BEGIN CERTIFICATE")
    cert = "-----BEGIN CERTIFICATE" + cert
    other_key = second.to_pem().partition("-----BEGIN CERTIFICATE")[0]
    edwards = issue(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))).to_pem()
    for text in ("", "nonsense", key, cert, other_key + cert, edwards):
        with pytest.raises(ValueError, match=r"."):
            Certificate.from_pem(text)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (ec.generate_private_key(ec.SECP256K1()), "curve of a certificate's key: secp256k1"),
        (rsa.generate_private_key(65537, 1024), "1024 bits, must be from 2048"),
    ],
    ids=["curve", "size"],
)
def test_keys_that_peers_refuse_are_not_imported(key: PrivateKey, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Certificate.from_pem(issue(key).to_pem())


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


def test_unsupported_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    assert refuse(issue(weak)) == AlertDescription.UNSUPPORTED_CERTIFICATE
    edwards = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert refuse(issue(edwards)) == AlertDescription.UNSUPPORTED_CERTIFICATE
    garbage = Certificate(b"not a certificate", weak, 0.0)
    assert refuse(garbage) == AlertDescription.BAD_CERTIFICATE


def test_an_empty_chain_is_refused() -> None:
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


def test_dates_are_ignored() -> None:
    old = Certificate.generate(random.Random(1), WALL_CLOCK - 1000 * DAY)
    client = make_connection(DtlsRole.CLIENT, own=old)
    server = make_connection(DtlsRole.SERVER, fingerprints=[old.fingerprint()])
    check_agreement(Pair(client, server).connect())


def test_an_expired_local_certificate_is_logged(caplog: pytest.LogCaptureFixture) -> None:
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
def test_every_exception_of_the_certificate_parser_fails_the_handshake() -> None:
    # A serial number of -1: cryptography warns, and here warnings are exceptions.
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
def test_a_mutated_certificate_is_refused_or_has_a_supported_key(algorithm: str, data: st.DataObject) -> None:
    mutated = bytearray(certificate(DtlsRole.CLIENT, algorithm).der)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    chain = [bytes(mutated)]
    try:
        peer = authenticate_peer(chain, [Fingerprint.of(chain[0], "sha-256")])
    except HandshakeFailure:
        return
    assert isinstance(peer.public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)


def test_the_first_certificate_of_a_chain_is_authenticated() -> None:
    for others in ([], [OTHER.der], [OTHER.der, b"not a certificate"]):
        peer = authenticate_peer([GENUINE.der, *others], [GENUINE.fingerprint()])
        assert peer.der == GENUINE.der
        assert peer.public_key == GENUINE.private_key.public_key()
    with pytest.raises(HandshakeFailure) as info:
        authenticate_peer([OTHER.der, GENUINE.der], [GENUINE.fingerprint()])
    assert info.value.alert == AlertDescription.BAD_CERTIFICATE


@pytest.mark.parametrize("algorithm", ["sha-224", "sha-256", "sha-384", "sha-512"])
def test_every_byte_of_a_fingerprint_counts(algorithm: str) -> None:
    value = GENUINE.fingerprint(algorithm).value
    digest = bytes.fromhex(value.replace(":", ""))
    for position in range(len(digest)):
        changed = bytes(byte ^ (index == position) for index, byte in enumerate(digest))
        nearly = Fingerprint(algorithm, changed.hex(":").upper())
        assert not matches_fingerprint(GENUINE.der, [nearly])
    for cut in (digest[:-1], digest[1:], digest + b"\0", b""):
        assert not matches_fingerprint(GENUINE.der, [Fingerprint(algorithm, cut.hex(":"))])
    assert matches_fingerprint(GENUINE.der, [Fingerprint(algorithm, digest.hex(":"))])


def test_one_of_several_fingerprints_suffices_in_any_order() -> None:
    right, wrong = GENUINE.fingerprint(), OTHER.fingerprint()
    assert matches_fingerprint(GENUINE.der, [right, wrong])
    assert matches_fingerprint(GENUINE.der, [wrong, right])
    assert not matches_fingerprint(GENUINE.der, [wrong, wrong])


def certificate_of(key: PublicKey) -> bytes:
    """Return a certificate of a public key, signed by another key, so that no private key of its size is needed."""
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
    """Small keys are insecure, and large ones take seconds to verify."""
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
    """RFC 8827 section 6.5 requires 2,048 bits."""
    assert (MIN_RSA_BITS, MAX_RSA_BITS) == (2048, 8192)
