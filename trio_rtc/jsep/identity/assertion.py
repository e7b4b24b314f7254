"""The attribute ``a=identity`` and the contents of an assertion (RFC 8827 sections 5 and 7.4)."""

import base64
import json
from collections.abc import Iterable
from typing import Any, Self

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sdp import Fingerprint, Section, SessionDescription, attribute_values
from trio_rtc.protocols.sdp.description import parsed_values

from .names import normalized_domain, normalized_protocol

MAX_FINGERPRINTS = 256
"""Maximum number of fingerprints in the contents of an assertion."""

FingerprintPair = tuple[str, str]
"""Hash function in lower case, and digest in upper-case hex pairs with colons."""


@attrs.frozen
class CarriedAssertion:
    """The value of ``a=identity``: an assertion and its provider.

    Attributes:
        domain: The normalized domain of the provider.
        protocol: The protocol of the provider.
        assertion: The assertion, a string that only the provider interprets.
    """

    domain: str
    protocol: str
    assertion: str

    @classmethod
    def parse(cls, value: str, max_length: int) -> Self:
        """Parse the attribute's value; extensions after the assertion are ignored.

        Args:
            value: The value.
            max_length: Maximum length of the encoded assertion in characters.

        Raises:
            ProtocolError: The value is longer, or is not the base64 form of an assertion.
        """
        encoded = value.split(" ", 1)[0]
        if not 0 < len(encoded) <= max_length:
            raise ProtocolError(
                f"a=identity must have an assertion of 1 to {max_length} characters, not {len(encoded)}"
            )
        try:
            decoded = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise ProtocolError("a=identity must be UTF-8 in base64 with padding") from None
        members = _json_object(decoded, "a=identity")
        provider, assertion = members.get("idp"), members.get("assertion")
        if not isinstance(provider, dict) or not isinstance(assertion, str):
            raise ProtocolError("a=identity must have 'idp', an object, and 'assertion', a string")
        domain, protocol = provider.get("domain"), provider.get("protocol", "default")
        if not isinstance(domain, str) or not isinstance(protocol, str):
            raise ProtocolError("'domain' and 'protocol' in the 'idp' of a=identity must be strings")
        return cls(normalized_domain(domain), normalized_protocol(protocol), assertion)

    def to_value(self) -> str:
        """Return the attribute's value."""
        provider = {"domain": self.domain, "protocol": self.protocol}
        text = json.dumps({"idp": provider, "assertion": self.assertion}, separators=(",", ":"))
        return base64.b64encode(text.encode()).decode()


def contents_of(fingerprints: Iterable[FingerprintPair]) -> str:
    """Return the contents of an assertion, which binds the fingerprints to the identity."""
    members = [{"algorithm": algorithm, "digest": digest} for algorithm, digest in fingerprints]
    return json.dumps({"fingerprint": members}, separators=(",", ":"))


def fingerprints_in(contents: str) -> frozenset[FingerprintPair]:
    """Return the fingerprints in the contents of an assertion; unknown members are ignored.

    Raises:
        ProtocolError: The contents have another form, or no fingerprint.
    """
    members = _json_object(contents, "the contents of an assertion").get("fingerprint")
    if not isinstance(members, list) or not 0 < len(members) <= MAX_FINGERPRINTS:
        raise ProtocolError(
            f"the contents of an assertion must have a list 'fingerprint' of 1 to {MAX_FINGERPRINTS} objects"
        )
    return frozenset(map(_fingerprint, members))


def _fingerprint(member: object) -> FingerprintPair:
    if isinstance(member, dict):
        algorithm, digest = member.get("algorithm"), member.get("digest")
        if isinstance(algorithm, str) and isinstance(digest, str):
            return algorithm.lower(), digest.upper()
    raise ProtocolError("a fingerprint in an assertion must have the strings 'algorithm' and 'digest'")


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    # The parser of another project: any exception means invalid input, and deep nesting is a RecursionError.
    except Exception:
        value = None
    if not isinstance(value, dict):
        raise ProtocolError(f"{where} must be a JSON object")
    return value


def identity_value(description: SessionDescription) -> str | None:
    """Return the value of ``a=identity`` of a description, ``None`` without one.

    Raises:
        ProtocolError: There are several. (RFC 8827 section 5: a session-level attribute.)
    """
    values = list(attribute_values(description, "identity"))
    if len(values) > 1:
        raise ProtocolError(f"a description must have one a=identity, not {len(values)}")
    return values[0] if values else None


def described_fingerprints(description: SessionDescription) -> frozenset[FingerprintPair]:
    """Return the fingerprints of a description, of the session and of all media sections."""
    sections: tuple[Section, ...] = (description, *description.media)
    return frozenset(
        (each.algorithm, each.value)
        for section in sections
        for each in parsed_values(section, "fingerprint", Fingerprint)
    )
