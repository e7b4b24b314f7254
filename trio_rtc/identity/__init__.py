"""Identity of peers (W3C webrtc-identity, RFC 8827): the interface of identity providers, and one provider.

A provider asserts who owns the certificate of a connection. The other side validates the assertion with the provider
that it has registered for the same domain and protocol (:class:`IdentityOptions`).
"""

from .interfaces import (
    RTCIdentityAssertion,
    RTCIdentityAssertionResult,
    RTCIdentityProvider,
    RTCIdentityProviderDetails,
    RTCIdentityProviderOptions,
    RTCIdentityValidationResult,
)
from .options import IdentityOptions
from .signed_assertions import SignedIdentityProvider

__all__ = [
    "IdentityOptions",
    "RTCIdentityAssertion",
    "RTCIdentityAssertionResult",
    "RTCIdentityProvider",
    "RTCIdentityProviderDetails",
    "RTCIdentityProviderOptions",
    "RTCIdentityValidationResult",
    "SignedIdentityProvider",
]
