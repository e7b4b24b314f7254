"""The interface of identity providers and its values (W3C webrtc-identity sections 4 to 8)."""

from typing import Protocol

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen
class RTCIdentityAssertion:
    """The validated identity of the peer (W3C webrtc-identity section 8).

    Attributes:
        idp: Domain of the identity provider that validated it.
        name: The identity, ``user@domain``.
    """

    idp: str
    name: str


@strict_class
@attrs.frozen
class RTCIdentityProviderDetails:
    """The provider that validates an assertion (W3C webrtc-identity section 5).

    Attributes:
        domain: Its domain name.
        protocol: The protocol, by which a domain may have several providers.
    """

    domain: str
    protocol: str = "default"


@strict_class
@attrs.frozen
class RTCIdentityProviderOptions:
    """Options of ``set_identity_provider``, for the provider (W3C webrtc-identity section 8).

    Attributes:
        protocol: The protocol of the provider.
        username_hint: The user for whom an assertion is requested; ``None``: the provider decides.
        peer_identity: The identity of the peer, if it is known.
    """

    protocol: str = "default"
    username_hint: str | None = None
    peer_identity: str | None = None


@strict_class
@attrs.frozen
class RTCIdentityAssertionResult:
    """The result of ``generate_assertion`` (W3C webrtc-identity section 5).

    Attributes:
        idp: The provider that validates the assertion.
        assertion: The assertion, which only providers interpret.
    """

    idp: RTCIdentityProviderDetails
    assertion: str = attrs.field(repr=False)


@strict_class
@attrs.frozen
class RTCIdentityValidationResult:
    """The result of ``validate_assertion`` (W3C webrtc-identity section 5).

    Attributes:
        identity: The validated identity, ``user@domain``.
        contents: The contents for which the assertion was generated.
    """

    identity: str
    contents: str


class RTCIdentityProvider(Protocol):
    """An identity provider (W3C webrtc-identity section 5): generates and validates assertions.

    This package has one implementer, :class:`.SignedIdentityProvider`; applications provide others. Both functions may
    wait for servers. They are cancelled after ``IdentityOptions.timeout``, when the operation that needs them is
    cancelled, and when the connection is closed; their shielded cleanup is waited for, and should be short. To report a
    reason, they raise ``RTCError`` with a member of ``RTCErrorDetailTypeIdp``; another exception is reported as
    ``idp-execution-failure``.
    """

    async def generate_assertion(
        self, contents: str, origin: str, options: RTCIdentityProviderOptions
    ) -> RTCIdentityAssertionResult:
        """Return an assertion of the identity of the user.

        Args:
            contents: The string that the assertion must contain and authenticate, unchanged.
            origin: Origin of the application (``IdentityOptions.origin``).
            options: Options of ``set_identity_provider``.
        """
        ...

    async def validate_assertion(self, assertion: str, origin: str) -> RTCIdentityValidationResult:
        """Return the identity and the contents of a peer's assertion, if the assertion is authentic.

        Args:
            assertion: The assertion, from a description of the peer; not trusted.
            origin: Origin of the application.
        """
        ...
