"""Signed assertions: generation, validation, keys, expiry, and everything that makes an assertion invalid."""

import base64
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.identity import ALICE, BOB, DOMAIN
from trio_rtc import RTCError, RTCIdentityProviderOptions
from trio_rtc.identity import SignedIdentityProvider
from trio_rtc.identity.signed_assertions import SigningKey

pytestmark = pytest.mark.usefixtures("autojump_clock")

ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
P256 = ec.derive_private_key(12345, ec.SECP256R1())
KEYS: dict[str, SigningKey] = {"Ed25519": ED25519, "P-256": P256}
NOW = 1_780_000_000.0
CONTENTS = '{"fingerprint":[]}'


def signer(key: SigningKey = ED25519, **options: Any) -> SignedIdentityProvider:
    return SignedIdentityProvider(
        DOMAIN, **{"keys": {}, "identity": ALICE, "signing_key": key, "wall_clock": lambda: NOW, **options}
    )


def verifier(key: SigningKey = ED25519, now: float = NOW, **options: Any) -> SignedIdentityProvider:
    keys = {ALICE: key.public_key()}
    return SignedIdentityProvider(DOMAIN, **{"keys": keys, "wall_clock": lambda: now, **options})


async def signed(provider: SignedIdentityProvider | None = None, **options: str) -> str:
    chosen = signer() if provider is None else provider
    result = await chosen.generate_assertion(CONTENTS, "null", RTCIdentityProviderOptions(**options))
    return result.assertion


async def detail(provider: SignedIdentityProvider, assertion: str) -> str:
    with pytest.raises(RTCError) as caught:
        await provider.validate_assertion(assertion, "null")
    return caught.value.error_detail


def encoded(members: object) -> str:
    text = members if isinstance(members, bytes) else json.dumps(members).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members


async def forged(key: Ed25519PrivateKey = ED25519, /, *, header: object = None, **changes: object) -> str:
    """Return an assertion with changed claims, signed again; ``...`` removes a claim."""
    first, second, _ = (await signed()).split(".")
    claims = {name: value for name, value in (decoded(second) | changes).items() if value is not ...}
    text = f"{first if header is None else encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(key.sign(text.encode()))}"


# -- right assertions ----


@pytest.mark.parametrize("kind", KEYS)
async def test_signed_assertion_is_validated(kind: str) -> None:
    key = KEYS[kind]
    assertion = await signed(signer(key))
    result = await verifier(key).validate_assertion(assertion, "null")
    assert (result.identity, result.contents) == (ALICE, CONTENTS)
    assert await signed(signer(key)) == assertion


async def test_assertion_is_a_json_web_signature() -> None:
    result = await signer(lifetime=60).generate_assertion(
        CONTENTS, "null", RTCIdentityProviderOptions(peer_identity="bob@EXAMPLE.org")
    )
    assert (result.idp.domain, result.idp.protocol) == (DOMAIN, "default")
    header, payload, _ = result.assertion.split(".")
    assert decoded(header) == {"alg": "EdDSA", "typ": "webrtc-identity+jwt"}
    assert decoded(payload) == {
        "iss": DOMAIN,
        "protocol": "default",
        "sub": ALICE,
        "aud": BOB,
        "iat": int(NOW),
        "exp": int(NOW) + 60,
        "contents": CONTENTS,
    }


@pytest.mark.parametrize("late", [-60, 0, 3600, 3659])
async def test_valid_from_the_beginning_to_the_expiry_with_leeway(late: float) -> None:
    await verifier(now=NOW + late).validate_assertion(await signed(), "null")


async def test_keys_are_changed_one_after_the_other() -> None:
    keys = {ALICE: [OTHER.public_key(), P256.public_key(), ED25519.public_key()]}
    for key in (ED25519, P256, OTHER):
        await verifier(keys=keys).validate_assertion(await signed(signer(key)), "null")


async def test_keys_from_a_function() -> None:
    asked = []

    async def find(identity: str) -> Sequence[Any]:
        asked.append(identity)
        await trio.sleep(1)
        return [ED25519.public_key()] if identity == ALICE else ()

    provider = verifier(keys=find)
    await provider.validate_assertion(await signed(), "null")
    assert await detail(provider, await forged(sub="mallory@example.org")) == "idp-token-invalid"
    assert await detail(provider, await forged(sub="mallory")) == "idp-token-invalid"
    assert asked == [ALICE, "mallory@example.org"]


async def test_assertion_for_a_peer() -> None:
    for_bob = await signed(peer_identity=BOB)
    bob = verifier(identity=BOB, signing_key=OTHER)
    await bob.validate_assertion(for_bob, "null")
    await bob.validate_assertion(await signed(), "null")
    assert await detail(verifier(), for_bob) == "idp-token-invalid"
    assert await detail(verifier(identity=ALICE, signing_key=OTHER), for_bob) == "idp-token-invalid"


async def test_username_hint_must_be_the_identity() -> None:
    await signed(username_hint="alice@EXAMPLE.org")
    for provider, hint in ((signer(), BOB), (signer(), "alice"), (verifier(), ALICE)):
        with pytest.raises(RTCError) as caught:
            await signed(provider, username_hint=hint)
        assert caught.value.error_detail == "idp-need-login"
    with pytest.raises(RTCError, match="the signing key of a user"):
        await signed(verifier())


async def test_default_clock() -> None:
    provider = SignedIdentityProvider(
        DOMAIN, keys={ALICE: ED25519.public_key()}, identity=ALICE, signing_key=ED25519
    )
    await provider.validate_assertion(await signed(provider), "null")


# -- wrong assertions ----


async def test_expired() -> None:
    assertion = await signed()
    assert await detail(verifier(now=NOW + 3661), assertion) == "idp-token-expired"
    assert await detail(verifier(now=NOW + 3601, leeway=0), assertion) == "idp-token-expired"
    # Without a valid signature, the reason is the signature.
    assert await detail(verifier(OTHER, now=NOW + 3661), assertion) == "idp-token-invalid"


async def test_from_the_future() -> None:
    assert await detail(verifier(now=NOW - 61), await signed()) == "idp-token-invalid"


async def test_lifetime_is_bounded_by_the_verifier() -> None:
    assertion = await signed(signer(lifetime=7200))
    assert await detail(verifier(max_lifetime=3600), assertion) == "idp-token-invalid"


@pytest.mark.parametrize("kind", KEYS)
async def test_other_keys(kind: str) -> None:
    assertion = await signed(signer(KEYS[kind]))
    wrong: list[dict[str, Any]] = [
        {},
        {ALICE: OTHER.public_key()},
        {BOB: KEYS[kind].public_key()},
        {ALICE: []},
    ]
    for keys in wrong:
        assert await detail(verifier(keys=keys), assertion) == "idp-token-invalid"


async def test_at_most_eight_keys_are_tried() -> None:
    keys = {ALICE: [*8 * [OTHER.public_key()], ED25519.public_key()]}
    assert await detail(verifier(keys=keys), await signed()) == "idp-token-invalid"


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("part", [0, 1, 2])
async def test_changed_part(kind: str, part: int) -> None:
    parts = (await signed(signer(KEYS[kind]))).split(".")
    for index in (0, len(parts[part]) // 2):
        changed = list(parts)
        text = parts[part]
        changed[part] = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        assert await detail(verifier(KEYS[kind]), ".".join(changed)) == "idp-token-invalid"


async def test_unused_bits_of_the_signature() -> None:
    assertion = await signed()
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(assertion[-1])
    assert last % 16 == 0
    changed = assertion[:-1] + chr(ord(assertion[-1]) + 1)
    assert await detail(verifier(), changed) == "idp-token-invalid"


async def test_key_of_one_algorithm_does_not_verify_another() -> None:
    for algorithm in ("ES256", "none", "HS256", None):
        header = {"alg": algorithm, "typ": "webrtc-identity+jwt"}
        assert await detail(verifier(), await forged(header=header)) == "idp-token-invalid"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "EdDSA"},
        {"alg": "EdDSA", "typ": "JWT"},
        {"alg": "EdDSA", "typ": "webrtc-identity+jwt", "crit": ["x"]},
        [],
    ],
)
async def test_wrong_header(header: object) -> None:
    assert await detail(verifier(), await forged(header=header)) == "idp-token-invalid"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other.example"},
        {"iss": ...},
        {"protocol": "other"},
        {"sub": 1},
        {"sub": "alice"},
        {"sub": BOB},
        {"contents": {}},
        {"contents": ...},
        {"aud": 1},
        {"aud": BOB},
        {"iat": "now"},
        {"iat": True, "exp": True},
        {"iat": 1.0, "exp": 2.0},
        {"exp": float("inf")},
        {"exp": ...},
        {"iat": ..., "exp": ...},
        {"exp": int(NOW)},
        {"exp": 10**400},
    ],
)
async def test_wrong_claims(claims: dict[str, object]) -> None:
    assert await detail(verifier(), await forged(**claims)) == "idp-token-invalid"


@pytest.mark.parametrize(
    "assertion",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "!.!.!",
        "YQ.YQ.YQ",
        "A.A.A",
        f"{encoded(b'[' * 40_000)}.e30.AA",
        f"{encoded(b'1' * 10_000)}.e30.AA",
        f"{encoded(bytes([255]))}.e30.AA",
        "a" * 65537,
        "é.é.é",
    ],
)
async def test_malformed_assertion(assertion: str) -> None:
    assert await detail(verifier(), assertion) == "idp-token-invalid"


@given(st.text(st.sampled_from("ab.AZ09-_=+/ \n{}")), st.integers(0, 400), st.integers(0, 20))
def test_damaged_assertions_are_invalid(inserted: str, index: int, removed: int) -> None:
    async def validate() -> None:
        assertion = await signed()
        damaged = assertion[:index] + inserted + assertion[index + removed :]
        if damaged != assertion:
            assert await detail(verifier(), damaged) == "idp-token-invalid"

    trio.run(validate)


# -- arguments ----


@pytest.mark.parametrize(
    ("create", "error", "message"),
    [
        (partial(signer, identity=None), TypeError, "must be given together"),
        (partial(signer, signing_key=None), TypeError, "must be given together"),
        (partial(signer, identity="alice"), ValueError, "must be 'user@domain'"),
        (partial(signer, lifetime=0), ValueError, "lifetime"),
        (partial(signer, leeway=-1), ValueError, "leeway"),
        (partial(signer, protocol="a/b"), ValueError, "protocol"),
        (partial(signer, ec.derive_private_key(1, ec.SECP384R1())), ValueError, "must be P-256"),
        (partial(verifier, keys={"alice": ED25519.public_key()}), ValueError, "must be 'user@domain'"),
        (partial(verifier, keys={ALICE: ED25519}), TypeError, "must be a public key"),
        (partial(verifier, keys={ALICE: "key"}), TypeError, "must be a public key"),
        (
            partial(verifier, keys={ALICE: ec.derive_private_key(1, ec.SECP384R1()).public_key()}),
            ValueError,
            "P-256",
        ),
    ],
)
def test_wrong_arguments(create: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        create()


def test_rsa_keys_are_not_supported() -> None:
    with pytest.raises(TypeError, match="must be"):
        verifier(keys={ALICE: rsa.generate_private_key(65537, 2048).public_key()})


async def test_both_methods_are_checkpoints() -> None:
    assertion = await signed()
    provider = verifier(identity=ALICE, signing_key=ED25519)
    with trio.testing.assert_checkpoints():
        await provider.generate_assertion(CONTENTS, "null", RTCIdentityProviderOptions())
    with trio.testing.assert_checkpoints():
        await provider.validate_assertion(assertion, "null")
