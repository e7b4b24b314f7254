"""Identity assertions in descriptions (RFC 8827 sections 5 and 7), pure: attribute, contents, rules of names."""

from .assertion import (
    CarriedAssertion,
    FingerprintPair,
    contents_of,
    described_fingerprints,
    fingerprints_in,
    identity_value,
)
from .names import (
    Identity,
    host_of,
    is_authoritative,
    normalized_domain,
    normalized_protocol,
    parsed_identity,
)

__all__ = [
    "CarriedAssertion",
    "FingerprintPair",
    "Identity",
    "contents_of",
    "described_fingerprints",
    "fingerprints_in",
    "host_of",
    "identity_value",
    "is_authoritative",
    "normalized_domain",
    "normalized_protocol",
    "parsed_identity",
]
