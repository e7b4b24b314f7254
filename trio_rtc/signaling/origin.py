"""Whether a page may open a WebSocket here. Pure.

Browsers send ``Origin`` with every WebSocket handshake and let any page connect anywhere; it is on the server to
refuse strangers (RFC 6455 section 10.2). That the origin is the host that was asked for (``Host``) is not enough:
with DNS rebinding, a page of ``http://evil.example`` has its own name resolved to this server's address, and then
both fields say ``evil.example``. So the host must also be known to be ours. An IP address always is, because no name
was resolved.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

import attrs

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class OriginPolicy:
    """Which origins may connect.

    Attributes:
        origins: The origins that may; ``None`` for those of this very host.
        hosts: Names of this host, in lower case.
    """

    origins: frozenset[str] | None
    hosts: frozenset[str]

    def admits(self, origin: str | None, host: str, *, secure: bool) -> bool:
        """Return whether a handshake may go on.

        Args:
            origin: The ``Origin`` field; programs, which are not bound by its rules, send none.
            host: The ``Host`` field.
            secure: Whether the connection has come over our own TLS.
        """
        if origin is None:
            return True
        if self.origins is not None:
            return origin in self.origins or ANY in self.origins
        try:
            return self._is_same(origin, host, secure=secure)
        except ValueError:  # an address in brackets that is none, or a port that is none
            return False

    def _is_same(self, origin: str, host: str, *, secure: bool) -> bool:
        asking = urlsplit(origin)
        if asking.scheme not in _DEFAULT_PORTS or (secure and asking.scheme != "https"):
            return False
        asked = urlsplit(f"{asking.scheme}://{host}")
        default = _DEFAULT_PORTS[asking.scheme]
        if asking.hostname is None or asked.netloc != host or asked.username is not None:
            return False
        if (asking.hostname, asking.port or default) != (asked.hostname, asked.port or default):
            return False
        return self.is_our_name(asking.hostname)

    def is_our_name(self, host: str) -> bool:
        """Return whether a host, in lower case and without a port, is this one."""
        name = host.rstrip(".")
        return (
            ANY in self.hosts
            or name in self.hosts
            or name == "localhost"
            or name.endswith(".localhost")
            or _is_address(name)
        )


def own_names(names: Collection[str]) -> frozenset[str]:
    """Return names as ``OriginPolicy`` compares them."""
    return frozenset(name.lower().rstrip(".") for name in names)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
