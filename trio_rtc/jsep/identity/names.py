"""Domains of identity providers and identities, ``user@domain`` (RFC 8827 sections 7.5 and 8.1).

An internationalized domain must be written with A-labels (``xn--…``): U-labels would have to be mapped before they can
be compared (RFC 5890 section 2.3.2.4), and the versions of IDNA map some of them to different domains.
"""

import re
from collections.abc import Collection, Mapping
from typing import Self

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

MAX_DOMAIN = 253
MAX_PROTOCOL = 256
MAX_IDENTITY = 1024

_DOMAIN = re.compile(
    r"(?P<host>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_WRONG_ESCAPE = re.compile("%(?!40|25)")


def normalized_domain(domain: str) -> str:
    """Return the domain of an identity provider in lower case, with its port if it has one.

    Raises:
        ProtocolError: It is not a domain name in ASCII.
    """
    lowered = domain.lower() if domain.isascii() else ""
    match = _DOMAIN.fullmatch(lowered[: MAX_DOMAIN + 7])
    if match is None or len(match["host"]) > MAX_DOMAIN or int(match["port"] or 1) not in range(1, 65536):
        raise ProtocolError(
            "the domain of an identity provider must be a domain name in ASCII, such as 'example.org', "
            f"not {domain!r:.100}"
        )
    return lowered


def host_of(domain: str) -> str:
    """Return the domain name of a normalized domain, without the port."""
    return domain.partition(":")[0]


def normalized_protocol(protocol: str) -> str:
    """Return the protocol of an identity provider, ``default`` for ``""``.

    Raises:
        ProtocolError: It contains a slash or a backslash (RFC 8827 section 7.5), or is too long.
    """
    if "/" in protocol or "\\" in protocol:
        raise ProtocolError(
            f"the protocol of an identity provider must not contain '/' or '\\', as in {protocol!r:.100}"
        )
    if len(protocol) > MAX_PROTOCOL or not protocol.isprintable():
        raise ProtocolError(
            f"the protocol of an identity provider must have at most {MAX_PROTOCOL} printable characters, "
            f"not {protocol!r:.100}"
        )
    return protocol or "default"


@attrs.frozen
class Identity:
    """An identity, ``user@domain``.

    Attributes:
        user: The part before the ``@``, with ``@`` and ``%`` percent-encoded.
        domain: The domain in lower case.
    """

    user: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``user@domain``.

        Raises:
            ProtocolError: It has another form; in the user, only ``@`` and ``%`` may be percent-encoded, and must be.
        """
        user, separator, domain = text.partition("@")
        is_user = bool(user) and user.isprintable() and " " not in user and not _WRONG_ESCAPE.search(user)
        if len(text) > MAX_IDENTITY or not separator or not is_user or ":" in domain:
            raise ProtocolError(
                f"an identity must be 'user@domain' with '@' and '%' in the user as '%40' and '%25', not {text!r:.100}"
            )
        return cls(user, normalized_domain(domain))


def parsed_identity(text: str) -> Identity | None:
    """Return an identity; ``None``, which matches no peer, if it is malformed."""
    try:
        return Identity.parse(text)
    except ProtocolError:
        return None


def is_authoritative(
    provider_domain: str, identity: Identity, trusted: Mapping[str, Collection[str]]
) -> bool:
    """Return whether a provider may assert an identity (RFC 8827 section 8.1).

    Args:
        provider_domain: The normalized domain of the provider.
        identity: The identity.
        trusted: Domain of a third-party provider → other domains whose identities it may assert.
    """
    if identity.domain == host_of(provider_domain):
        return True
    return identity.domain in trusted.get(provider_domain, ())
