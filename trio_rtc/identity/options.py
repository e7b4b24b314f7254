"""The identity providers that a connection may use."""

from collections.abc import Collection, Mapping

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.errors import ProtocolError
from trio_rtc.jsep.identity import normalized_domain, normalized_protocol

from .interfaces import RTCIdentityProvider


def _registry(
    providers: Mapping[tuple[str, str], RTCIdentityProvider],
) -> Mapping[tuple[str, str], RTCIdentityProvider]:
    registry = {}
    for key, provider in providers.items():
        if not _is_pair_of_texts(key):
            raise TypeError(f"a key of providers must be a domain and a protocol, not {key!r:.100}")
        for method in ("generate_assertion", "validate_assertion"):
            if not callable(getattr(provider, method, None)):
                raise TypeError(f"the provider of {key!r:.100} must have the function {method}")
        registry[_domain(key[0]), _protocol(key[1])] = provider
    return registry


def _is_pair_of_texts(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)


def _trusted(domains: Mapping[str, Collection[str]]) -> Mapping[str, frozenset[str]]:
    for domain, others in domains.items():
        if isinstance(others, str):
            raise TypeError(f"trusted_domains[{domain!r}] must be a collection of domains, not a string")
    return {_domain(domain): frozenset(map(_domain, others)) for domain, others in domains.items()}


def _domain(domain: str) -> str:
    try:
        return normalized_domain(domain)
    except ProtocolError as error:
        raise ValueError(str(error)) from None


def _protocol(protocol: str) -> str:
    try:
        return normalized_protocol(protocol)
    except ProtocolError as error:
        raise ValueError(str(error)) from None


@strict_class
@attrs.frozen
class IdentityOptions:
    """Identity providers of a connection, which the application trusts (RFC 8827).

    Attributes:
        providers: Provider by domain and protocol, ``{("example.org", "default"): provider}``. An assertion of another
            one fails with ``idp-load-failure``.
        trusted_domains: Third-party providers (RFC 8827 section 8.1): domain of a provider → further domains whose
            identities it may assert. Any provider may assert identities of its own domain.
        origin: Origin of the application, passed to providers; ``"null"`` is HTML's opaque origin.
        timeout: Maximum time in seconds for a call of a provider (W3C webrtc-identity section 7: 15).
        max_assertion_length: Maximum length of the value of ``a=identity`` in characters, of both sides.
    """

    providers: Mapping[tuple[str, str], RTCIdentityProvider] = attrs.field(factory=dict, converter=_registry)
    trusted_domains: Mapping[str, Collection[str]] = attrs.field(factory=dict, converter=_trusted)
    origin: str = "null"
    timeout: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    max_assertion_length: int = attrs.field(default=65536, validator=attrs.validators.ge(1))
