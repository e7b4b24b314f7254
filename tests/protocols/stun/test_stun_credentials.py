"""Long-term credentials (RFC 8489 section 9.2)."""

import hashlib

import pytest

from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    IntegrityAlgorithm,
    LongTermCredentials,
    Message,
    MessageClass,
    SignedAttributes,
    StunAttribute,
    binding_request,
    error_response,
    long_term_key,
)
from trio_rtc.protocols.stun.credentials import hash_username, prepare_opaque_string

MATRIX = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
SHA256_THEN_MD5 = bytes.fromhex("0002000000010000")
PLAIN, WITH_ALGORITHMS, WITH_BOTH = (b"obMatJos2" + each + b"nonce" for each in (b"AAAA", b"gAAA", b"wAAA"))
FROM_THE_RIGHT = b"obMatJos2AAADnonce"


def challenge(
    code: int = 401,
    realm: str | None = "example.org",
    nonce: bytes | None = b"nonce",
    algorithms: bytes | None = None,
) -> Message:
    response = error_response(binding_request(bytes(12)), ErrorCode(code, ""))
    values = {
        AttributeType.REALM: None if realm is None else realm.encode(),
        AttributeType.NONCE: nonce,
        AttributeType.PASSWORD_ALGORITHMS: algorithms,
    }
    added = [StunAttribute(each, value) for each, value in values.items() if value is not None]
    return Message(response.method, response.message_class, bytes(12), (*response.attributes, *added))


def sign(credentials: LongTermCredentials) -> tuple[dict[int, bytes], SignedAttributes]:
    signed = credentials.sign([])
    return {each.type: each.value for each in signed.attributes}, signed


def test_nothing_is_added_before_a_challenge() -> None:
    assert LongTermCredentials("user", "pass").sign([]) == SignedAttributes(())


def test_a_challenge_without_algorithms_is_answered_with_md5() -> None:
    credentials = LongTermCredentials("user", "pass")
    assert credentials.accept_challenge(challenge(realm="realm"))
    attributes, signed = sign(credentials)
    assert attributes == {
        AttributeType.USERNAME: b"user",
        AttributeType.REALM: b"realm",
        AttributeType.NONCE: b"nonce",
    }
    assert signed.key == long_term_key("user", "realm", "pass")
    assert signed.algorithm is IntegrityAlgorithm.SHA1


@pytest.mark.parametrize("nonce", [WITH_BOTH, FROM_THE_RIGHT])
def test_a_challenge_with_algorithms_and_anonymity(nonce: bytes) -> None:
    credentials = LongTermCredentials("user", "pass")
    assert credentials.accept_challenge(challenge(nonce=nonce, algorithms=SHA256_THEN_MD5))
    attributes, signed = sign(credentials)
    assert attributes == {
        AttributeType.USERHASH: hash_username("user", "example.org"),
        AttributeType.REALM: b"example.org",
        AttributeType.NONCE: nonce,
        AttributeType.PASSWORD_ALGORITHMS: SHA256_THEN_MD5,
        AttributeType.PASSWORD_ALGORITHM: bytes.fromhex("00020000"),
    }
    assert signed.key == hashlib.sha256(b"user:example.org:pass").digest()
    assert signed.algorithm is IntegrityAlgorithm.SHA256


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("00010000", 1),
        ("0001000000020000", 1),
        ("00990003abcdef0000020000", 2),
        ("009900000001000400000000", 1),
    ],
)
def test_the_first_algorithm_that_is_implemented_is_chosen(offered: str, chosen: int) -> None:
    credentials = LongTermCredentials("user", "pass")
    assert credentials.accept_challenge(challenge(nonce=WITH_ALGORITHMS, algorithms=bytes.fromhex(offered)))
    attributes, _ = sign(credentials)
    assert attributes[AttributeType.PASSWORD_ALGORITHM] == chosen.to_bytes(2, "big") + bytes(2)
    assert attributes[AttributeType.USERNAME] == b"user"


@pytest.mark.parametrize(
    "response",
    [
        challenge(nonce=None),
        challenge(nonce=b""),
        challenge(nonce=b"n" * 764),
        challenge(realm=None),
        challenge(realm="r" * 764),
        challenge(code=438, realm=None),
        challenge(nonce=WITH_ALGORITHMS),
        challenge(nonce=FROM_THE_RIGHT),
        challenge(algorithms=bytes.fromhex("00990000")),
        challenge(algorithms=bytes.fromhex("0001")),
        challenge(algorithms=bytes.fromhex("0001000400")),
        Message(1, MessageClass.ERROR_RESPONSE, bytes(12), (StunAttribute(AttributeType.REALM, b"\xff"),)),
    ],
)
def test_an_unusable_challenge_is_not_answered(response: Message) -> None:
    """RFC 8489 section 9.2.5; a nonce that announces algorithms which are missing shows a bid-down attack."""
    credentials = LongTermCredentials("user", "pass")
    assert not credentials.accept_challenge(response)
    assert credentials.sign([]) == SignedAttributes(())


@pytest.mark.parametrize("nonce", [b"obMatJos2", b"obMatJos2????nonce", b"obMatJos2\xff\xff\xff\xff", PLAIN])
def test_a_nonce_without_features_is_a_plain_nonce(nonce: bytes) -> None:
    assert LongTermCredentials("user", "pass").accept_challenge(challenge(nonce=nonce))


def test_a_second_401_for_the_same_realm_is_final() -> None:
    credentials = LongTermCredentials("user", "pass")
    assert credentials.accept_challenge(challenge())
    assert not credentials.accept_challenge(challenge(nonce=b"other"))
    assert credentials.accept_challenge(challenge(realm="other.example"))


def test_a_stale_nonce_is_replaced_and_the_realm_kept() -> None:
    credentials = LongTermCredentials("user", "pass")
    credentials.accept_challenge(challenge(realm="realm"))
    assert credentials.accept_challenge(challenge(438, realm=None, nonce=b"fresh"))
    attributes, _ = sign(credentials)
    assert (attributes[AttributeType.REALM], attributes[AttributeType.NONCE]) == (b"realm", b"fresh")


def test_the_sample_request_with_sha256_and_userhash() -> None:
    """RFC 8489 appendix B.1 with erratum 6268, whose request has PASSWORD-ALGORITHM."""
    transaction_id = bytes.fromhex("78ad3433c6ad72c029da412e")
    user_hash = hash_username(MATRIX, "example.org")
    assert user_hash.hex() == "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    attributes = (
        StunAttribute(AttributeType.USERHASH, user_hash),
        StunAttribute(AttributeType.NONCE, b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"),
        StunAttribute(AttributeType.REALM, b"example.org"),
        StunAttribute(AttributeType.PASSWORD_ALGORITHM, bytes.fromhex("00020000")),
    )
    key = hashlib.sha256(f"{MATRIX}:example.org:TheMatrIX".encode()).digest()
    data = binding_request(transaction_id, attributes).encode(
        key=key, algorithm=IntegrityAlgorithm.SHA256, fingerprint=False
    )
    assert len(data) == 164
    assert data[-32:].hex() == "b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65"


@pytest.mark.parametrize(
    ("text", "prepared"),
    [("a\u3000b", "a b"), ("e\u0301", "\u00e9"), (MATRIX, MATRIX), ("Pass Word", "Pass Word")],
)
def test_opaque_strings(text: str, prepared: str) -> None:
    """RFC 8265 section 4.2.2: spaces are mapped, the result is NFC, and case is kept."""
    assert prepare_opaque_string(text) == prepared


@pytest.mark.parametrize("text", ["a\x00", "a\n", "\x7f", "\ud800"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        LongTermCredentials("user", text)
