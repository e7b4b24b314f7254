"""The key schedule against published vectors."""

import hashlib
import random
from typing import cast

import pytest
from cryptography.hazmat.primitives import hashes

from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    GROUPS,
    SRTP_PROFILES,
    AlertDescription,
    DtlsRole,
    NamedGroup,
    SrtpKeys,
    SrtpProfile,
)
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.crypto.cipher_suites import ECDHE_ECDSA_AES_128_GCM, CipherSuite
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, generate_curve_key
from trio_rtc.protocols.dtls.tls12 import key_schedule
from trio_rtc.protocols.dtls.tls12.key_schedule import SessionSecrets, hash_of, prf

# The vector for the PRF of TLS 1.2 with SHA-256 that was posted to the TLS working group's list.
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
def test_the_hash_is_that_of_the_data(algorithm: hashes.HashAlgorithm, name: str) -> None:
    """Two peers of our own would agree on any."""
    assert hash_of(algorithm, b"abc") == hashlib.new(name, b"abc").digest()


def test_the_master_secret_and_the_verify_data_follow_from_the_transcript() -> None:
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
def test_keying_material_for_another_protocol(context: bytes | None, seed: bytes) -> None:
    """RFC 5705 section 4: behind the randoms comes the context with its length in two bytes, if there is one."""
    derived = secrets()
    randoms = derived.client_random + derived.server_random
    expected = prf(hashes.SHA256(), derived.master_secret, b"label", randoms + seed, 40)
    assert derived.export(b"label", context, 40) == expected


def test_each_side_has_its_own_verify_data() -> None:
    client, server = (secrets().verify_data(role, b"transcript") for role in DtlsRole)
    assert client != server
    assert len(client) == len(server) == 12


@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda profile: profile.name)
def test_srtp_keys_are_cut_in_the_order_of_the_rfc(profile: SrtpProfile) -> None:
    keys = SrtpKeys.derive(profile, secrets().export)
    whole = secrets().export(b"EXTRACTOR-dtls_srtp", None, 2 * (profile.key_length + profile.salt_length))
    assert keys.client_key + keys.server_key + keys.client_salt + keys.server_salt == whole


@pytest.mark.parametrize("suite", CIPHER_SUITES, ids=lambda suite: suite.name)
def test_the_key_block_is_split_in_the_order_of_the_rfc(
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


def test_secrets_do_not_show_in_a_representation() -> None:
    assert secrets().master_secret.hex() not in repr(secrets())
    assert "_key" not in repr(SrtpKeys.derive(SRTP_PROFILES[0], secrets().export))


@pytest.mark.parametrize("group", GROUPS)
def test_both_sides_get_the_same_secret(group: NamedGroup) -> None:
    rng = random.Random(1)
    first, second = EphemeralKey.generate(group, rng), EphemeralKey.generate(group, rng)
    assert first.exchange(second.public_bytes) == second.exchange(first.public_bytes)


class Extreme(random.Random):
    """Draws the least number of a range, or the greatest."""

    def __init__(self, greatest: bool) -> None:
        super().__init__(0)
        self._greatest = greatest

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        assert stop is not None
        return stop - 1 if self._greatest else start


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.SECP384R1])
def test_a_private_key_is_a_number_below_the_order(group: NamedGroup) -> None:
    """SEC 1 section 3.2.1. The points of the least and of the greatest one differ in their signs only."""
    least, greatest = (EphemeralKey.generate(group, Extreme(which)).public_bytes for which in (False, True))
    size = len(least) // 2
    assert least[1 : 1 + size] == greatest[1 : 1 + size]
    assert least != greatest
    assert generate_curve_key(group, Extreme(False)).private_numbers().private_value == 1


POINT = EphemeralKey.generate(NamedGroup.SECP256R1, random.Random(1)).public_bytes


@pytest.mark.parametrize(
    ("group", "public_bytes"),
    [
        (NamedGroup.X25519, b""),
        (NamedGroup.X25519, bytes(31)),
        (NamedGroup.X25519, bytes(32)),  # of small order: the secret would be zero
        (NamedGroup.X25519, b"\1" + bytes(31)),
        (NamedGroup.SECP256R1, b""),
        (NamedGroup.SECP256R1, b"\0"),  # the point at infinity
        (NamedGroup.SECP256R1, bytes((2 + POINT[-1] % 2,)) + POINT[1:33]),  # compressed
        (NamedGroup.SECP256R1, POINT[:-1] + bytes((POINT[-1] ^ 1,))),  # not on the curve
        (NamedGroup.SECP384R1, POINT),
    ],
)
def test_keys_that_are_no_point_of_the_group(group: NamedGroup, public_bytes: bytes) -> None:
    with pytest.raises(HandshakeFailure) as info:
        EphemeralKey.generate(group, random.Random(2)).exchange(public_bytes)
    assert info.value.alert == AlertDescription.ILLEGAL_PARAMETER
