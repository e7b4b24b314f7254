"""The key schedule of TLS 1.2, against published vectors and the RFCs' formulas."""

import hashlib
from typing import cast

import pytest
from cryptography.hazmat.primitives import hashes

from trio_rtc.protocols.dtls import CIPHER_SUITES, SRTP_PROFILES, DtlsRole, SrtpKeys
from trio_rtc.protocols.dtls.crypto.cipher_suites import ECDHE_ECDSA_AES_128_GCM, CipherSuite
from trio_rtc.protocols.dtls.tls12 import key_schedule
from trio_rtc.protocols.dtls.tls12.key_schedule import SessionSecrets, hash_of, prf

# Test vector of the TLS 1.2 PRF with SHA-256, from the mailing list of the TLS working group.
PRF_SECRET = bytes.fromhex("9bbe436ba940f017b17652849a71db35")


PRF_SEED = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
PRF_OUTPUT = bytes.fromhex(
    "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
    "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
    "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
    "87347b66"
)


def test_the_pseudorandom_function() -> None:
    assert prf(hashes.SHA256(), PRF_SECRET, b"test label", PRF_SEED, 100) == PRF_OUTPUT
    assert prf(hashes.SHA256(), PRF_SECRET, b"test label", PRF_SEED, 33) == PRF_OUTPUT[:33]
    assert prf(hashes.SHA256(), PRF_SECRET, b"test label", PRF_SEED, 0) == b""


@pytest.mark.parametrize(("algorithm", "name"), [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384")])
def test_hash_of(algorithm: hashes.HashAlgorithm, name: str) -> None:
    """Two peers of ours would agree on any function."""
    assert hash_of(algorithm, b"abc") == hashlib.new(name, b"abc").digest()


def test_master_secret_and_verify_data_are_derived_from_the_transcript() -> None:
    """RFC 7627 section 4, RFC 5246 section 7.4.9."""
    derived = secrets()
    transcript = hashlib.sha256(b"transcript").digest()
    expected = prf(hashes.SHA256(), b"premaster", b"extended master secret", transcript, 48)
    assert derived.master_secret == expected
    for role, label in ((DtlsRole.CLIENT, b"client finished"), (DtlsRole.SERVER, b"server finished")):
        assert derived.verify_data(role, b"transcript") == prf(
            hashes.SHA256(), expected, label, transcript, 12
        )


def secrets() -> SessionSecrets:
    return SessionSecrets.derive(ECDHE_ECDSA_AES_128_GCM, bytes(32), b"\1" * 32, b"premaster", b"transcript")


@pytest.mark.parametrize(
    ("context", "seed"),
    [(None, b""), (b"", b"\0\0"), (b"context", b"\0\7context"), (bytes(300), b"\1\x2c" + bytes(300))],
)
def test_exported_keying_material(context: bytes | None, seed: bytes) -> None:
    """RFC 5705 section 4: the seed is both randoms and, if there is a context, its length in two bytes and itself."""
    derived = secrets()
    randoms = derived.client_random + derived.server_random
    expected = prf(hashes.SHA256(), derived.master_secret, b"label", randoms + seed, 40)
    assert derived.export(b"label", context, 40) == expected


def test_each_side_has_its_own_verify_data() -> None:
    client, server = (secrets().verify_data(role, b"transcript") for role in DtlsRole)
    assert client != server
    assert len(client) == len(server) == 12


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_the_key_block_is_split_in_the_order_of_rfc_5246(
    suite: CipherSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5246 section 6.3: both write keys, the client's first, then both IVs; there is no MAC key."""
    monkeypatch.setattr(key_schedule, "AeadProtection", lambda aead, key, iv: (aead, key, iv))
    derived = SessionSecrets.derive(suite, bytes(32), b"\1" * 32, b"premaster", b"transcript")
    key_length, iv_length = suite.aead.key_length, suite.aead.fixed_iv_length
    block = prf(
        suite.hash_algorithm,
        derived.master_secret,
        b"key expansion",
        derived.server_random + derived.client_random,
        2 * (key_length + iv_length),
    )
    client_key, block = block[:key_length], block[key_length:]
    server_key, block = block[:key_length], block[key_length:]
    client_iv, server_iv = block[:iv_length], block[iv_length:]
    expected = {
        DtlsRole.CLIENT: (suite.aead, client_key, client_iv),
        DtlsRole.SERVER: (suite.aead, server_key, server_iv),
    }
    assert cast(object, derived.protections()) == expected


def test_repr_does_not_show_secrets() -> None:
    assert secrets().master_secret.hex() not in repr(secrets())
    assert "_key" not in repr(SrtpKeys.derive(SRTP_PROFILES[0], secrets().export))
