"""ICE servers: a ``stun:`` or ``turn:`` URL (RFC 7064, RFC 7065) and its credentials."""

import re

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceServerTransportProtocol
from trio_rtc.errors import SyntaxError

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?@/\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>[A-Za-z]+))?"
)
_DEFAULT_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


@attrs.frozen
class IceServer:
    """A STUN or TURN server.

    Attributes:
        scheme: ``stun``, ``stuns``, ``turn`` or ``turns``.
        host: Host name or numeric address, without brackets.
        port: Port; by default 3478, for the secure schemes 5349.
        transport: ``udp`` or ``tcp``.
        username: TURN user name.
        credential: TURN password.
    """

    url: str
    scheme: str
    host: str
    port: int
    transport: str
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)

    @property
    def is_turn(self) -> bool:
        """Whether this is a TURN server."""
        return self.scheme.startswith("turn")

    @property
    def relay_protocol(self) -> RTCIceServerTransportProtocol | None:
        """The protocol between the client and a TURN server; ``None`` for a STUN server."""
        if not self.is_turn:
            return None
        is_tls = self.scheme == "turns" and self.transport == "tcp"
        return RTCIceServerTransportProtocol("tls" if is_tls else self.transport)

    @classmethod
    def parse(cls, url: str, username: str | None = None, credential: str | None = None) -> "IceServer":
        """Parse a ``stun:``, ``stuns:``, ``turn:`` or ``turns:`` URL; the user name and password are for TURN.

        Raises:
            SyntaxError: The URL is malformed.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise SyntaxError(f"not a stun: or turn: URL: {url!r}")
        scheme, transport = match["scheme"], match["transport"]
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if scheme.startswith("stun") and transport is not None:
            raise SyntaxError(f"a {scheme}: URL must not have ?transport=: {url!r}")
        if transport is not None and transport.lower() not in ("udp", "tcp"):
            raise SyntaxError(f"transport in {url!r} must be udp or tcp")
        if not 0 < port < 65536:
            raise SyntaxError(f"port in {url!r} must be from 1 to 65535")
        default_transport = "tcp" if scheme.endswith("s") else "udp"
        transport = (transport or default_transport).lower()
        return cls(url, scheme, match["host"].strip("[]"), port, transport, username, credential)
