"""The URLs of ICE servers (RFC 7064, RFC 7065)."""

import re

import attrs

from trio_rtc.errors import SyntaxError

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?@/\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>[A-Za-z]+))?"
)
_DEFAULT_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


@attrs.frozen
class IceServerUrl:
    """A parsed ``stun:`` or ``turn:`` URL (RFC 7064, RFC 7065).

    Attributes:
        url: The URL as it was given.
        scheme: ``stun``, ``stuns``, ``turn`` or ``turns``.
        host: Host name or numeric address, without brackets.
        port: The port, by default 3478, or 5349 for the secure schemes.
        transport: ``udp`` or ``tcp``.
    """

    url: str
    scheme: str
    host: str
    port: int
    transport: str

    @classmethod
    def parse(cls, url: str) -> "IceServerUrl":
        """Parse a URL.

        Raises:
            SyntaxError: It is not a ``stun:`` or ``turn:`` URL.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise SyntaxError(f"not a stun: or turn: URL: {url!r}")
        scheme, transport = match["scheme"], match["transport"]
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if scheme.startswith("stun") and transport is not None:
            raise SyntaxError(f"a {scheme}: URL has no transport: {url!r}")
        if transport is not None and transport.lower() not in ("udp", "tcp"):
            raise SyntaxError(f"unknown transport in {url!r}")
        if not 0 < port < 65536:
            raise SyntaxError(f"impossible port in {url!r}")
        default_transport = "tcp" if scheme.endswith("s") else "udp"
        return cls(url, scheme, match["host"].strip("[]"), port, (transport or default_transport).lower())
