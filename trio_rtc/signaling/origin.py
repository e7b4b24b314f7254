"""The decision whether a page may open a WebSocket. Pure.

Browsers send ``Origin`` with every WebSocket handshake and let any page connect to any server; the server must reject
foreign pages (RFC 6455 section 10.2). It is not sufficient that the origin equals the requested host (``Host``): with
DNS rebinding, a page of ``http://evil.example`` resolves its own name to this server's address, and both fields are
``evil.example``. So the host must also be a known name of this server. An IP address always is, because no name was
resolved.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from trio_rtc import _attrs as attrs

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class OriginPolicy:
    """The origins that may connect, ``None`` for those of this host, and the names of this host in lower case."""

    origins: frozenset[str] | None
    hosts: frozenset[str]

    def allows(self, origin: str | None, host: str, *, secure: bool) -> bool:
        """Return whether a handshake with these ``Origin`` and ``Host`` fields is allowed.

        Programs send no ``Origin`` and are allowed. ``secure``: whether the connection uses the server's own TLS.
        """
        if origin is None:
            return True
        if self.origins is not None:
            return origin in self.origins or ANY in self.origins
        try:
            return self._is_same(origin, host, secure=secure)
        except ValueError:  # an invalid address in brackets, or an invalid port
            return False

    def _is_same(self, origin: str, host: str, *, secure: bool) -> bool:
        page = urlsplit(origin)
        if page.scheme not in _DEFAULT_PORTS or (secure and page.scheme != "https"):
            return False
        server = urlsplit(f"{page.scheme}://{host}")
        default = _DEFAULT_PORTS[page.scheme]
        if page.hostname is None or server.netloc != host or server.username is not None:
            return False
        if (page.hostname, page.port or default) != (server.hostname, server.port or default):
            return False
        return self.is_own_name(page.hostname)

    def is_own_name(self, host: str) -> bool:
        """Return whether a host, in lower case and without a port, is this one."""
        name = host.rstrip(".")
        return (
            ANY in self.hosts
            or name in self.hosts
            or name == "localhost"
            or name.endswith(".localhost")
            or _is_address(name)
        )


def normalize_names(names: Collection[str]) -> frozenset[str]:
    """Return names in the form that ``OriginPolicy`` compares."""
    return frozenset(name.lower().rstrip(".") for name in names)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
