"""A web server that answers WebRTC offers: signaling is one HTTP request.

Run it and open the address that it prints, in as many tabs as you like. The page posts its offer to `/offer`, the
response is the answer, and then the page and this program exchange messages directly.
"""

import argparse
import contextlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h11
import trio

import trio_rtc

PAGE = Path(__file__).with_name("http_offer.html")
CALLS = trio.CapacityLimiter(100)
MAX_BODY = 1_000_000


async def serve_call(
    offer: Mapping[str, Any], *, task_status: trio.TaskStatus[Mapping[str, Any]] = trio.TASK_STATUS_IGNORED
) -> None:
    """Return the answer to an offer by ``task_status``, then serve the connection until the peer leaves."""
    async with CALLS, trio_rtc.RTCPeerConnection() as pc, pc.subscribe("data_channel") as channels:
        await pc.set_remote_description(offer)
        await pc.set_local_description()
        await pc.gathering_complete()
        assert pc.local_description is not None
        task_status.started(pc.local_description.to_json())
        with contextlib.suppress(trio.TooSlowError, trio.BrokenResourceError):
            with trio.fail_after(30):
                channel = (await channels.receive()).channel
            async for message in channel:
                await channel.send(message.upper())


async def answer_offer(calls: trio.Nursery, body: bytes) -> tuple[int, bytes]:
    """Return the status and the body of the response to an offer."""
    try:
        answer = await calls.start(serve_call, json.loads(body))
    except (ValueError, TypeError, RecursionError, trio_rtc.DOMException) as error:
        return 400, str(error).encode()
    return 200, json.dumps(answer).encode()


async def handle_request(calls: trio.Nursery, stream: trio.abc.Stream) -> None:
    """Serve one request of a client."""
    connection = h11.Connection(h11.SERVER)
    try:
        with trio.fail_after(60):
            request, body = await read_request(connection, stream)
            if request.target == b"/offer" and request.method == b"POST":
                kind, (status, content) = "application/json", await answer_offer(calls, body)
            elif request.target == b"/":
                kind, status, content = "text/html; charset=utf-8", 200, PAGE.read_bytes()
            else:
                kind, status, content = "text/plain", 404, b"not found"
            headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("Connection", "close")]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=content)):
                await stream.send_all(connection.send(event) or b"")
    except (h11.RemoteProtocolError, trio.BrokenResourceError, trio.TooSlowError):
        pass
    finally:
        await stream.aclose()


async def read_request(connection: h11.Connection, stream: trio.abc.Stream) -> tuple[h11.Request, bytes]:
    """Read a request and its body."""
    request, body = None, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        if isinstance(event, h11.ConnectionClosed) or len(body) > MAX_BODY:
            raise h11.RemoteProtocolError("no request, or too large")
    assert request is not None
    return request, body


async def main() -> None:
    """Serve the page and answer offers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    async with trio.open_nursery() as calls:
        handler = partial(handle_request, calls)
        serve = partial(trio.serve_tcp, handler, arguments.port, host=arguments.host)
        listeners = await calls.start(serve)
        port = listeners[0].socket.getsockname()[1]
        print(f"open http://{arguments.host}:{port}/", flush=True)


if __name__ == "__main__":
    trio.run(main)
