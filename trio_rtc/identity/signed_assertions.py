"""An identity provider of signed assertions: every user has a key, whose public half the other side knows.

An assertion is a JSON Web Signature in compact form (RFC 7515), with Ed25519 (``EdDSA``, RFC 8037) or ECDSA on P-256
(``ES256``, RFC 7518). Its payload has the claims of a JSON Web Token (RFC 7519) and the contents, which bind it to the
certificate of a connection: others who present it lack the private key of that certificate.
"""

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from trio_rtc import _attrs as attrs
from trio_rtc._environment import default_wall_clock
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCErrorDetailTypeIdp
from trio_rtc.errors import ProtocolError, RTCError
from trio_rtc.jsep.identity import Identity, normalized_domain, normalized_protocol

from .interfaces import (
    RTCIdentityAssertionResult,
    RTCIdentityProviderDetails,
    RTCIdentityProviderOptions,
    RTCIdentityValidationResult,
)

SigningKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
VerifyKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

_TYPE = "webrtc-identity+jwt"
"""Explicit type (RFC 8725 section 3.11): a token signed for another purpose is no assertion."""
_MAX_LENGTH = 65536
_MAX_KEYS = 8
_COORDINATE = 32
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@attrs.frozen
class _Claims:
    identity: str
    audience: str | None
    issued: int
    expires: int
    contents: str


@strict_class
class SignedIdentityProvider:
    """An identity provider whose users sign their assertions; an :class:`.RTCIdentityProvider`.

    Both sides register one for the same domain and protocol.

    Args:
        domain: The domain of the users, ``example.org``.
        protocol: The protocol.
        keys: The pinned public keys by identity, one or several (for a change of keys) for each; or an asynchronous
            function that returns them for an identity, an empty sequence for an unknown one. The identity passed to it
            is what a peer claims, and only known to be well-formed. At most 8 keys of an identity are tried.
        identity: The identity of this side, which generates assertions; ``None`` to validate only.
        signing_key: Its private key.
        lifetime: Seconds from the generation of an assertion until its expiry.
        max_lifetime: Maximum lifetime in seconds of a peer's assertion.
        leeway: Permitted difference between the clocks of both sides in seconds.
        wall_clock: Returns the Unix time in seconds; ``None``: the system's, or under ``trio_rtc.testing.run`` the
            virtual clock's.

    Raises:
        ValueError: The domain, the protocol, an identity, a duration or the curve of a key is not valid.
        TypeError: Only one of ``identity`` and ``signing_key`` is given, or a key is of an unsupported kind.
    """

    def __init__(
        self,
        domain: str,
        *,
        protocol: str = "default",
        keys: Mapping[str, VerifyKey | Sequence[VerifyKey]] | Callable[[str], Awaitable[Sequence[VerifyKey]]],
        identity: str | None = None,
        signing_key: SigningKey | None = None,
        lifetime: float = 3600.0,
        max_lifetime: float = 86400.0,
        leeway: float = 60.0,
        wall_clock: Callable[[], float] | None = None,
    ) -> None:
        if (identity is None) is not (signing_key is None):
            raise TypeError("identity and signing_key must be given together")
        if not (lifetime > 0 and max_lifetime > 0 and leeway >= 0):
            raise ValueError("lifetime and max_lifetime must be greater than 0, and leeway at least 0")
        try:
            self._details = RTCIdentityProviderDetails(
                normalized_domain(domain), normalized_protocol(protocol)
            )
            self._identity = None if identity is None else _normalized(identity)
            self._keys = keys if callable(keys) else {_normalized(name): keys[name] for name in keys}
        except ProtocolError as error:
            raise ValueError(str(error)) from None
        if not callable(self._keys):
            for pinned in self._keys.values():
                _checked_keys(pinned)
        self._algorithm = None if signing_key is None else _algorithm(signing_key)
        self._signing_key = signing_key
        self._lifetime, self._max_lifetime, self._leeway = lifetime, max_lifetime, leeway
        self._wall_clock = wall_clock

    # -- RTCIdentityProvider -------------------------------------------------------------------------------------

    async def generate_assertion(
        self, contents: str, origin: str, options: RTCIdentityProviderOptions
    ) -> RTCIdentityAssertionResult:
        """Return a signed assertion of this side's identity, for the peer in the options if they name one.

        Raises:
            RTCError: ``idp-need-login``: there is no key of the user.
        """
        await trio.lowlevel.checkpoint()
        hint = options.username_hint
        if self._identity is None or (hint is not None and _normalized_or_none(hint) != self._identity):
            user = "a user" if hint is None else repr(hint)
            raise RTCError(
                RTCErrorDetailTypeIdp.IDP_NEED_LOGIN,
                f"SignedIdentityProvider() must be created with the identity and the signing key of {user}",
            )
        now = int(self._now())
        claims = {
            "iss": self._details.domain,
            "protocol": self._details.protocol,
            "sub": self._identity,
            "iat": now,
            "exp": now + max(1, round(self._lifetime)),
            "contents": contents,
        }
        if options.peer_identity is not None:
            claims["aud"] = _normalized_or_none(options.peer_identity) or options.peer_identity
        signed = f"{_encoded({'alg': self._algorithm, 'typ': _TYPE})}.{_encoded(claims)}"
        signature = _sign(self._signing_key, signed.encode())
        return RTCIdentityAssertionResult(self._details, f"{signed}.{_base64url(signature)}")

    async def validate_assertion(self, assertion: str, origin: str) -> RTCIdentityValidationResult:
        """Return the identity in an assertion that was signed with one of its keys.

        Raises:
            RTCError: ``idp-token-invalid``: the assertion is malformed, not signed by the identity, or for another
                provider or peer; ``idp-token-expired``.
        """
        await trio.lowlevel.checkpoint()
        if len(assertion) > _MAX_LENGTH:
            raise _invalid(f"an assertion must have at most {_MAX_LENGTH} characters, not {len(assertion)}")
        signed, _, signature = assertion.rpartition(".")
        header, separator, payload = signed.partition(".")
        if not separator or "." in payload:
            raise _invalid("an assertion must be a JSON Web Signature in compact form")
        members = _decoded_object(header)
        if members.get("typ") != _TYPE or "crit" in members:
            raise _invalid(f"the header of an assertion must have the type {_TYPE!r}, and no 'crit'")
        claims = self._read_claims(_decoded_object(payload))
        algorithm, decoded = members.get("alg"), _decoded(signature)
        keys = [key for key in await self._keys_of(claims.identity) if _algorithm(key) == algorithm]
        if not any(_verifies(key, decoded, signed.encode()) for key in keys):
            raise _invalid(f"the assertion must be signed with a known key of {claims.identity!r}")
        self._check_validity(claims)
        return RTCIdentityValidationResult(claims.identity, claims.contents)

    # -- inside --------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return (self._wall_clock or default_wall_clock())()

    async def _keys_of(self, identity: str) -> Sequence[VerifyKey]:
        if not callable(self._keys):
            return _checked_keys(self._keys.get(identity, ()))
        return _checked_keys(await self._keys(identity))

    def _read_claims(self, claims: Mapping[str, Any]) -> _Claims:
        """Return the claims of an assertion for this provider; their types are checked, not their validity."""
        issuer, protocol = claims.get("iss"), claims.get("protocol")
        if (issuer, protocol) != (self._details.domain, self._details.protocol):
            raise _invalid("the assertion must be for the domain and the protocol of this provider")
        subject, contents, audience = claims.get("sub"), claims.get("contents"), claims.get("aud")
        issued, expires = claims.get("iat"), claims.get("exp")
        are_texts = isinstance(subject, str) and isinstance(contents, str)
        if not are_texts or not isinstance(audience, str | None) or type(issued) is not type(expires):
            raise _invalid("the claims of an assertion have wrong types")
        if type(issued) is not int or type(expires) is not int:
            raise _invalid("'iat' and 'exp' of an assertion must be whole seconds")
        identity = _normalized_or_none(str(subject))
        if identity is None:
            raise _invalid("'sub' of an assertion must be an identity, 'user@domain'")
        return _Claims(identity, audience, issued, expires, str(contents))

    def _check_validity(self, claims: _Claims) -> None:
        now = self._now()
        if claims.issued > now + self._leeway or not 0 < claims.expires - claims.issued <= self._max_lifetime:
            raise _invalid("the assertion must be valid now, and no longer than max_lifetime")
        if claims.expires <= now - self._leeway:
            raise RTCError(
                RTCErrorDetailTypeIdp.IDP_TOKEN_EXPIRED,
                f"the assertion of {claims.identity!r} has expired {now - claims.expires:.0f} seconds ago",
            )
        if claims.audience is not None and claims.audience != self._identity:
            raise _invalid(f"the assertion must be for {self._identity!r}, not {claims.audience!r:.100}")


def _invalid(message: str) -> RTCError:
    return RTCError(RTCErrorDetailTypeIdp.IDP_TOKEN_INVALID, message)


def _normalized(identity: str) -> str:
    """Return an identity with its domain in lower case."""
    parsed = Identity.parse(identity)
    return f"{parsed.user}@{parsed.domain}"


def _normalized_or_none(identity: str) -> str | None:
    try:
        return _normalized(identity)
    except ProtocolError:
        return None


def _checked_keys(keys: object) -> Sequence[VerifyKey]:
    """Return the first public keys of an identity; raise ``TypeError`` or ``ValueError`` for an unsupported one."""
    found: list[VerifyKey] = []
    for key in keys[:_MAX_KEYS] if isinstance(keys, Sequence) else (keys,):
        if not isinstance(key, VerifyKey):
            raise TypeError(f"a key must be a public key, Ed25519 or ECDSA on P-256, not {key!r:.100}")
        _algorithm(key)
        found.append(key)
    return found


def _algorithm(key: SigningKey | VerifyKey) -> str:
    """Return the algorithm of a key (RFC 7518 section 3.1): that of the header must be the same."""
    if isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        return "EdDSA"
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"the curve of an ECDSA key must be P-256, not {key.curve.name}")
    return "ES256"


def _sign(key: SigningKey | None, signed: bytes) -> bytes:
    assert key is not None
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    parts = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return b"".join(part.to_bytes(_COORDINATE, "big") for part in parts)


def _verifies(key: VerifyKey, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
        elif len(signature) != 2 * _COORDINATE:
            return False
        else:
            r, s = signature[:_COORDINATE], signature[_COORDINATE:]
            encoded = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
            key.verify(encoded, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _encoded(members: Mapping[str, object]) -> str:
    return _base64url(json.dumps(members, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    is_known = _BASE64URL.fullmatch(text) is not None and len(text) % 4 != 1
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if is_known else b""
    # Also in the last bits, so that one assertion has one form only.
    if not is_known or _base64url(decoded) != text:
        raise _invalid("the parts of an assertion must be in base64url without padding")
    return decoded


def _decoded_object(text: str) -> dict[str, Any]:
    decoded = _decoded(text)
    try:
        value = json.loads(decoded.decode())
    # The parser of another project: any exception means invalid input, and deep nesting is a RecursionError.
    except Exception:
        value = None
    if not isinstance(value, dict):
        raise _invalid("the header and the payload of an assertion must be JSON objects")
    return value
