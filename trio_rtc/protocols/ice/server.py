"""ICE servers: a ``stun:`` or ``turn:`` URL (RFC 7064, RFC 7065) and its credentials."""

import ipaddress
import re
from urllib.parse import unquote_to_bytes

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceServerTransportProtocol
from trio_rtc.errors import SyntaxError

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?@/\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>[A-Za-z]+))?"
)
_DEFAULT_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
"""Forbidden domain code points (WHATWG URL section 3.2), which cover what RFC 3986 excludes in ASCII."""


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
        if not _is_host(match["host"]):
            raise SyntaxError(
                f"host in {url!r} must be a domain, an IPv4 address or a bracketed IPv6 address"
            )
        default_transport = "tcp" if scheme.endswith("s") else "udp"
        transport = (transport or default_transport).lower()
        return cls(url, scheme, match["host"].strip("[]"), port, transport, username, credential)


def _is_host(host: str) -> bool:
    """Return whether a host is valid (WHATWG URL section 3.5, which W3C webrtc refers to); IDNA is not checked."""
    if host.startswith("["):
        return _is_ipv6(host[1:-1])
    try:
        decoded = unquote_to_bytes(host).decode()
    except UnicodeDecodeError:
        return False
    if _NOT_IN_HOSTS.search(decoded) or "\ufffd" in decoded:
        return False
    labels = decoded.removesuffix(".").split(".")
    return not _is_number(labels[-1]) or _is_ipv4(labels)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_number(label: str) -> bool:
    """Return whether a last label makes its host an IPv4 address: a decimal, octal or hexadecimal number."""
    return re.fullmatch("[0-9]+|0[xX][0-9a-fA-F]*", label) is not None


def _is_ipv4(labels: list[str]) -> bool:
    """Return whether one to four numbers are an address; the last one fills the bytes that the others leave."""
    if len(labels) > 4 or not all(map(_is_number, labels)):
        return False
    try:
        numbers = [_number(label) for label in labels]
    except ValueError:
        return False
    return all(number < 256 for number in numbers[:-1]) and numbers[-1] < 256 ** (5 - len(numbers))


def _number(label: str) -> int:
    if label[:2].lower() == "0x":
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)
