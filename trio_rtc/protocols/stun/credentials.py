"""Long-term credentials (RFC 8489 section 9.2), the client's side.

The client has *no challenge* at first, and sends its request without credentials. The error response 401 is a challenge
with a realm and a nonce, with which the request is repeated; 438 replaces a nonce that has become stale. A second 401
for the same realm is final: the password is wrong.

A server that supports RFC 8489 announces in its nonce, which a man in the middle cannot change without making the
request invalid, that it has offered password algorithms and anonymity of the user. Then the key is made with SHA-256 if
the server permits it, the user name is sent as a hash, and MESSAGE-INTEGRITY-SHA256 replaces MESSAGE-INTEGRITY.
"""

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Sequence
from enum import IntEnum

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .attributes import (
    AttributeType,
    StunAttribute,
    decode_password_algorithms,
    encode_password_algorithm,
)
from .message import IntegrityAlgorithm, Message, long_term_key

UNAUTHENTICATED = 401
STALE_NONCE = 438

_NONCE_COOKIE = b"obMatJos2"  # RFC 8489 section 9.2
_FEATURES_END = len(_NONCE_COOKIE) + 4
# RFC 8489 section 18.1 numbers the 24 bits from the left, its example in appendix B.1 from the right: both occur.
_HAS_PASSWORD_ALGORITHMS = 1 << 23 | 1 << 0
_HAS_USERNAME_ANONYMITY = 1 << 22 | 1 << 1
MAX_REALM_SIZE = 763
"""RFC 8489 sections 14.9 and 14.10: fewer than 128 characters, in UTF-8; the same for the nonce."""


class PasswordAlgorithm(IntEnum):
    """Algorithms that make the key of long-term credentials (RFC 8489 section 18.5)."""

    MD5 = 1
    SHA256 = 2


@attrs.frozen
class SignedAttributes:
    """Attributes of an authenticated request, and the key and hash of its message integrity."""

    attributes: tuple[StunAttribute, ...]
    key: bytes | None = attrs.field(default=None, repr=False)
    algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1


@attrs.frozen
class _Challenge:
    realm: str
    nonce: bytes
    offered: bytes | None
    algorithm: PasswordAlgorithm
    anonymous: bool
    key: bytes = attrs.field(repr=False)


class LongTermCredentials:
    """A user name and a password, and the server's last challenge.

    Args:
        username: User name.
        password: Password. Both are prepared with the OpaqueString profile (RFC 8265 section 4.2).

    Raises:
        ValueError: A control character in the user name or in the password.
    """

    def __init__(self, username: str, password: str) -> None:
        self._username = prepare_opaque_string(username)
        self._password = prepare_opaque_string(password)
        self._challenge: _Challenge | None = None

    def accept_challenge(self, response: Message) -> bool:
        """Process an error response 401 or 438, and return whether the request must be repeated with it.

        It must not after a second 401 for one realm, nor if the challenge is incomplete, contradicts its nonce, or
        permits no password algorithm that is implemented (RFC 8489 section 9.2.5).
        """
        try:
            error, realm, nonce = response.error_code, response.realm, response.nonce
        except ProtocolError:
            return False
        before = self._challenge
        if error is None or nonce is None or not 0 < len(nonce) <= MAX_REALM_SIZE:
            return False
        if error.code == UNAUTHENTICATED and before is not None and realm == before.realm:
            return False
        if realm is None:
            if before is None or error.code != STALE_NONCE:
                return False
            realm = before.realm
        if len(realm.encode()) > MAX_REALM_SIZE:
            return False
        features = _security_features(nonce)
        offered = response.find(AttributeType.PASSWORD_ALGORITHMS)
        if offered is None and features & _HAS_PASSWORD_ALGORITHMS:
            return False
        algorithm = _choose_algorithm(offered)
        if algorithm is None:
            return False
        key = self._make_key(realm, algorithm)
        self._challenge = _Challenge(
            realm, nonce, offered, algorithm, bool(features & _HAS_USERNAME_ANONYMITY), key
        )
        return True

    def sign(self, attributes: Sequence[StunAttribute]) -> SignedAttributes:
        """Return the attributes with those of the credentials; unchanged before the first challenge."""
        challenge = self._challenge
        if challenge is None:
            return SignedAttributes(tuple(attributes))
        added = [
            self._name_user(challenge),
            StunAttribute(AttributeType.REALM, challenge.realm.encode()),
            StunAttribute(AttributeType.NONCE, challenge.nonce),
        ]
        hash_name = IntegrityAlgorithm.SHA1
        if challenge.offered is not None:
            # RFC 8489 section 9.2.5: the server compares the list with its own, so that shortening it has no effect.
            added.append(StunAttribute(AttributeType.PASSWORD_ALGORITHMS, challenge.offered))
            chosen = encode_password_algorithm(challenge.algorithm)
            added.append(StunAttribute(AttributeType.PASSWORD_ALGORITHM, chosen))
            hash_name = IntegrityAlgorithm.SHA256
        return SignedAttributes((*attributes, *added), challenge.key, hash_name)

    def _name_user(self, challenge: _Challenge) -> StunAttribute:
        if not challenge.anonymous:
            return StunAttribute(AttributeType.USERNAME, self._username.encode())
        realm = prepare_opaque_string(challenge.realm, lenient=True)
        return StunAttribute(AttributeType.USERHASH, hash_username(self._username, realm))

    def _make_key(self, realm: str, algorithm: PasswordAlgorithm) -> bytes:
        prepared = prepare_opaque_string(realm, lenient=True)
        if algorithm is PasswordAlgorithm.MD5:
            return long_term_key(self._username, prepared, self._password)
        return hashlib.sha256(f"{self._username}:{prepared}:{self._password}".encode()).digest()


def hash_username(username: str, realm: str) -> bytes:
    """Return the value of USERHASH (RFC 8489 section 14.4)."""
    return hashlib.sha256(f"{username}:{realm}".encode()).digest()


def prepare_opaque_string(text: str, *, lenient: bool = False) -> str:
    """Return a text in the OpaqueString profile (RFC 8265 section 4.2): spaces mapped, normalized to NFC.

    ``lenient`` permits control characters, for the realm, which the peer chooses.

    Raises:
        ValueError: The text contains a control character.
    """
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in text)
    if not lenient and any(unicodedata.category(each) in ("Cc", "Cs") for each in spaced):
        raise ValueError("a user name or password of an ICE server must not contain control characters")
    return unicodedata.normalize("NFC", spaced)


def _security_features(nonce: bytes) -> int:
    """Return the STUN security features in a nonce, 24 bits (RFC 8489 section 9.2)."""
    if not nonce.startswith(_NONCE_COOKIE):
        return 0
    try:
        decoded = base64.b64decode(nonce[len(_NONCE_COOKIE) : _FEATURES_END], validate=True)
    except (ValueError, binascii.Error):
        return 0
    return int.from_bytes(decoded, "big") if len(decoded) == 3 else 0


def _choose_algorithm(offered: bytes | None) -> PasswordAlgorithm | None:
    """Return the first algorithm of a list that is implemented; MD5 without a list, ``None`` without a choice."""
    if offered is None:
        return PasswordAlgorithm.MD5
    try:
        algorithms = decode_password_algorithms(offered)
    except ProtocolError:
        return None
    known = (each for each in algorithms if each in tuple(PasswordAlgorithm))
    first = next(known, None)
    return None if first is None else PasswordAlgorithm(first)
