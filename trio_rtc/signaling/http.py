"""The HTTP that a signaling server speaks before a connection becomes a WebSocket: enough to serve a page.

A connection carries one request. The head is read and parsed (by h11, which trio-websocket builds on); a
WebSocket handshake is handed on with all its bytes, anything else is answered from a fixed table of pages and
the connection is closed.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import attrs
import h11
import trio

from trio_rtc.errors import ProtocolError

MAX_HEAD_SIZE = 16_384
_RECEIVE_SIZE = 4096


@attrs.frozen
class Page:
    """Something to serve at a path.

    Attributes:
        body: The content.
        content_type: Its media type, with the charset if it is text.
        headers: Further header fields, for example a Content-Security-Policy.
    """

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class RequestHead:
    """A parsed request line with its header fields.

    Attributes:
        method: ``GET`` and the like.
        path: The path of the target, without the query.
        query: The first value of each query parameter.
        headers: Header fields, names in lower case; of a repeated one the last.
        received: All bytes read so far, to be read again by whoever takes the connection over.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    received: bytes

    @property
    def wants_websocket(self) -> bool:
        """Whether this is an opening handshake, RFC 6455 section 4.2.1."""
        return self.method == "GET" and self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def is_same_origin(self) -> bool:
        """Whether the page that asks was served by the host that is asked, or no page asks at all.

        Browsers send ``Origin`` with every WebSocket handshake and let any page connect anywhere; it is on the
        server to refuse strangers (RFC 6455 section 10.2).
        """
        origin = self.headers.get("origin")
        return origin is None or urlsplit(origin).netloc.lower() == self.headers.get("host", "").lower()


class ReplayedStream(trio.abc.Stream):
    """A stream whose first bytes have been read already and are read again."""

    def __init__(self, received: bytes, stream: trio.abc.Stream) -> None:
        self._received = received
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what was read before first, then read on."""
        if not self._received:
            return bytes(await self._stream.receive_some(max_bytes))
        await trio.lowlevel.checkpoint()
        end = len(self._received) if max_bytes is None else max_bytes
        data, self._received = self._received[:end], self._received[end:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send through the stream."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the stream does."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


async def read_request_head(stream: trio.abc.Stream) -> RequestHead:
    """Read a request up to the empty line after its header fields.

    Raises:
        ProtocolError: It is not HTTP/1.1, too large, or ends early.
        trio.BrokenResourceError: The connection broke.
    """
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = await stream.receive_some(_RECEIVE_SIZE)
        if not data:
            raise ProtocolError("the connection ended within the head of a request")
        received += data
        if len(received) > MAX_HEAD_SIZE:
            raise ProtocolError("the head of the request is too large")
    return _parse_head(bytes(received), end + 4)


def _parse_head(received: bytes, size: int) -> RequestHead:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_SIZE)
    parser.receive_data(received[:size])
    try:
        request = parser.next_event()
        if not isinstance(request, h11.Request):
            raise ProtocolError("not a request")
        target = urlsplit(request.target.decode("ascii"))
        query = parse_qs(target.query, keep_blank_values=True, max_num_fields=16)
    except (h11.RemoteProtocolError, ValueError) as error:
        raise ProtocolError(f"not an HTTP request: {error}") from None
    return RequestHead(
        method=request.method.decode("ascii"),
        path=target.path,
        query={name: values[0] for name, values in query.items()},
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in request.headers},
        received=received,
    )


async def answer(stream: trio.abc.Stream, head: RequestHead, pages: Mapping[str, Page]) -> None:
    """Answer a request from the table of pages."""
    if head.method not in ("GET", "HEAD"):
        await send_response(stream, HTTPStatus.METHOD_NOT_ALLOWED, _plain("Only GET and HEAD."))
    elif (page := pages.get(head.path)) is None:
        await send_response(stream, HTTPStatus.NOT_FOUND, _plain("There is nothing here."))
    else:
        await send_response(stream, HTTPStatus.OK, page, with_body=head.method == "GET")


async def refuse(stream: trio.abc.Stream, status: HTTPStatus, reason: str) -> None:
    """Answer with an error and a line that says why."""
    await send_response(stream, status, _plain(reason))


async def send_response(
    stream: trio.abc.Stream, status: HTTPStatus, page: Page, *, with_body: bool = True
) -> None:
    """Send a whole response, after which the connection is of no further use."""
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
