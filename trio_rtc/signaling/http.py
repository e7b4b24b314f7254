"""HTTP before a connection becomes a WebSocket, sufficient to serve pages.

A connection has one request. Its head is parsed by h11. A WebSocket handshake is checked and answered in
``opening_handshake``; any other request is answered from a fixed table of pages, and the connection is closed.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import h11
import trio

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

MAX_HEAD_SIZE = 16_384
MAX_HEAD_LINES = 128
"""Of a request, since each costs h11 more than a kilobyte in one line does. Browsers and proxies send about 30."""
_RECEIVE_SIZE = 4096


@attrs.frozen
class Page:
    """A page to serve at a path.

    Attributes:
        body: The content.
        content_type: The media type, with the charset if it is text.
        headers: Further header fields, for example a Content-Security-Policy.
    """

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class RequestHead:
    """A parsed request line with its header fields.

    Attributes:
        path: The path of the target without the query.
        query: The first value of each query parameter.
        headers: Header fields with names in lower case; repeated values are joined by commas (RFC 9110 section 5.2).
        rest: Bytes received after the head.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    rest: bytes

    @property
    def wants_websocket(self) -> bool:
        """Whether this is an opening handshake (RFC 6455 section 4.2.1)."""
        return self.method == "GET" and self.headers.get("upgrade", "").lower() == "websocket"


async def read_request_head(stream: trio.abc.Stream) -> RequestHead:
    """Read a request up to the empty line after its header fields; ``ProtocolError`` if malformed or too large."""
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = await stream.receive_some(_RECEIVE_SIZE)
        if not data:
            raise ProtocolError("connection ended within the head of a request")
        received += data
        if not chr(received[0]).isprintable() and received[0] not in b"\r\n":
            # No method begins like this, but TLS does, whose client would otherwise wait until its timeout.
            raise ProtocolError("request is not HTTP, possibly TLS")
        if len(received) > MAX_HEAD_SIZE:
            raise ProtocolError(f"head of the request has more than {MAX_HEAD_SIZE} bytes")
    if received.count(b"\n", 0, end) >= MAX_HEAD_LINES:
        raise ProtocolError(f"head of the request has more than {MAX_HEAD_LINES} lines")
    return _parse_head(bytes(received), end + 4)


def _parse_head(received: bytes, size: int) -> RequestHead:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_SIZE)
    parser.receive_data(received[:size])
    try:
        request = parser.next_event()
        if not isinstance(request, h11.Request):
            raise ProtocolError("request has no valid request line")
        target = urlsplit(request.target.decode("ascii"))
        query = parse_qs(target.query, keep_blank_values=True, max_num_fields=16)
        headers: dict[str, str] = {}
        for name, value in request.headers:
            key, text = name.decode("ascii"), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
    except Exception as error:
        # The parsers do not document which exceptions hostile bytes raise.
        raise ProtocolError(f"not an HTTP request: {error}") from error
    return RequestHead(
        method=request.method.decode("ascii"),
        path=target.path,
        query={name: values[0] for name, values in query.items()},
        headers=headers,
        rest=received[size:],
    )


async def send_page(stream: trio.abc.Stream, head: RequestHead, pages: Mapping[str, Page]) -> None:
    if head.method not in ("GET", "HEAD"):
        await send_response(stream, HTTPStatus.METHOD_NOT_ALLOWED, _plain("Only GET and HEAD."))
    elif (page := pages.get(head.path)) is None:
        await send_response(stream, HTTPStatus.NOT_FOUND, _plain("No such page."))
    else:
        await send_response(stream, HTTPStatus.OK, page, with_body=head.method == "GET")


async def send_error(
    stream: trio.abc.Stream, status: HTTPStatus, reason: str, headers: Mapping[str, str]
) -> None:
    await send_response(stream, status, attrs.evolve(_plain(reason), headers=headers))


async def send_response(
    stream: trio.abc.Stream, status: HTTPStatus, page: Page, *, with_body: bool = True
) -> None:
    """Send a whole response; the connection must not be used afterwards."""
    fields = {
        "Content-Type": page.content_type,
        "Content-Length": str(len(page.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Connection": "close",
        **page.headers,
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
    await stream.send_all("\r\n".join(lines).encode("latin-1") + (page.body if with_body else b""))


def _plain(text: str) -> Page:
    return Page(text.encode() + b"\n", "text/plain; charset=utf-8")
