"""The opening handshake of a WebSocket (RFC 6455 section 4), as each side checks it. Pure: bytes in, bytes out.

Subprotocols and extensions are neither offered nor accepted.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import h11
from wsproto.utilities import generate_accept_token

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .http import MAX_HEAD_SIZE, RequestHead

_VERSION = "13"
_NONCE_SIZE = 16
_MAX_RESPONSE_SIZE = 65_536


class HandshakeError(ProtocolError):
    """The opening handshake failed.

    Attributes:
        status: Status of the response with which the server refuses the request.
        headers: Further header fields of that response.
    """

    def __init__(
        self,
        reason: str,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers


def clean_request(head: RequestHead) -> bytes:
    """Check a client's opening handshake (section 4.2), and return it reduced to the required fields.

    The parsers after this one thus never receive arbitrary bytes of a client.
    """
    if "upgrade" not in _tokens(head.headers.get("connection", "")):
        raise HandshakeError("Connection: Upgrade is missing in the request.")
    if head.headers.get("sec-websocket-version") != _VERSION:
        # Section 4.2.2: the answer lists the supported versions.
        raise HandshakeError(
            "Only version 13 of WebSocket is supported.",
            HTTPStatus.UPGRADE_REQUIRED,
            {"Sec-WebSocket-Version": _VERSION},
        )
    key = head.headers.get("sec-websocket-key", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if len(nonce) != _NONCE_SIZE:
        raise HandshakeError("Sec-WebSocket-Key must be 16 bytes in base64.")
    lines = (
        b"GET / HTTP/1.1",
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + base64.b64encode(nonce),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


@attrs.define
class ResponseCheck:
    """The client's check of a server's handshake response (section 4.1); ``key`` is the request's Sec-WebSocket-Key."""

    key: bytes
    _http: h11.Connection
    _received: int = 0

    @classmethod
    def of_request(cls, request: bytes) -> "ResponseCheck":
        """Return the check of the response to a request that trio-websocket has written."""
        (key,) = re.findall(rb"(?i)^sec-websocket-key: *(\S+)\r$", request, flags=re.MULTILINE)
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        fields = [("Host", "localhost"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
        http.send(h11.Request(method="GET", target="/", headers=fields))
        return cls(key, http)

    def clean_response(self) -> bytes:
        """Return the response reduced to the required fields."""
        lines = (
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + generate_accept_token(self.key),
        )
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def receive(self, data: bytes) -> bytes | None:
        """Receive bytes of the response, none when the server has closed the connection.

        Return the bytes after the response, or ``None`` while it is incomplete.
        """
        if not data:
            raise HandshakeError("server closed the connection during the handshake")
        self._received += len(data)
        if self._received > _MAX_RESPONSE_SIZE:
            raise HandshakeError(f"handshake response has more than {_MAX_RESPONSE_SIZE} bytes")
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                event = self._http.next_event()
        except Exception as error:
            # h11 does not document which exceptions bytes that are not HTTP raise.
            raise HandshakeError(f"not an HTTP response: {error}") from error
        if isinstance(event, h11.InformationalResponse):
            self._check(event)
            return bytes(self._http.trailing_data[0])
        if isinstance(event, h11.Response):
            raise HandshakeError(_describe(event))
        return None

    def _check(self, response: h11.InformationalResponse) -> None:
        fields: dict[bytes, bytes] = {}
        for name, value in response.headers:
            fields[name] = fields[name] + b"," + value if name in fields else value
        if fields.get(b"upgrade", b"").lower() != b"websocket":
            raise HandshakeError("server switched to another protocol than WebSocket")
        if "upgrade" not in _tokens(fields.get(b"connection", b"").decode("latin-1")):
            raise HandshakeError("Connection: Upgrade is missing in the server's response")
        if fields.get(b"sec-websocket-accept") != generate_accept_token(self.key):
            raise HandshakeError("Sec-WebSocket-Accept of the server does not match the key of the request")
        for name in (b"sec-websocket-extensions", b"sec-websocket-protocol"):
            if fields.get(name):
                raise HandshakeError(f"server accepted {name.decode()}, which was not offered")


def _describe(response: h11.Response) -> str:
    text = f"server answered {response.status_code}"
    if response.reason:
        text += f" {_printable(response.reason)}"
    if 300 <= response.status_code < 400:
        # Redirects are not followed, because the caller did not choose the new location.
        location = next((value for name, value in response.headers if name == b"location"), b"")
        text += f", a redirect to {_printable(location)!r}, which is not followed"
    return text


def _printable(text: bytes | memoryview | bytearray) -> str:
    return bytes(text).decode("ascii", "backslashreplace")[:200]


def _tokens(field: str) -> list[str]:
    return [token.strip().lower() for token in field.split(",")]
