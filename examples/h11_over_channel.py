"""HTTP over a data channel: a channel as a stream of bytes, under h11.

Two peers in one program. One serves HTTP/1.1 on a channel, the other sends requests. Neither h11 nor the code around
it depends on TCP.
"""

import h11
import trio

import trio_rtc


async def next_event(connection: h11.Connection, stream: trio.abc.Stream) -> object:
    """Return the next event, reading from the stream as long as h11 needs more."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(bytes(await stream.receive_some()))
    return event


async def send(connection: h11.Connection, stream: trio.abc.Stream, *events: h11.Event) -> None:
    """Send a whole request or response."""
    await stream.send_all(b"".join(connection.send(event) or b"" for event in events))


async def serve(stream: trio.abc.Stream) -> None:
    """Answer requests until the client has no more."""
    connection = h11.Connection(h11.SERVER)
    while isinstance(request := await next_event(connection, stream), h11.Request):
        while isinstance(await next_event(connection, stream), h11.Data):
            pass
        body = b"You asked for %s, over a data channel.\n" % request.target
        head = h11.Response(status_code=200, headers=[("Content-Length", str(len(body)))])
        await send(connection, stream, head, h11.Data(data=body), h11.EndOfMessage())
        connection.start_next_cycle()


async def get(connection: h11.Connection, stream: trio.abc.Stream, target: str) -> tuple[int, str]:
    """Send a request, and return the status and the body."""
    request = h11.Request(method="GET", target=target, headers=[("Host", "peer")])
    await send(connection, stream, request, h11.EndOfMessage())
    response = await next_event(connection, stream)
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := await next_event(connection, stream), h11.Data):
        body += event.data
    connection.start_next_cycle()
    return response.status_code, body.decode()


async def described(pc: trio_rtc.RTCPeerConnection) -> trio_rtc.RTCSessionDescription:
    """Set the offer or answer of the current state, and return it with all candidates."""
    await pc.set_local_description()
    await pc.gathering_complete()
    assert pc.local_description is not None
    return pc.local_description


async def main() -> None:
    """Connect, serve and ask."""
    async with (
        trio_rtc.RTCPeerConnection() as alice,
        trio_rtc.RTCPeerConnection() as bob,
        trio.open_nursery() as nursery,
    ):
        ends = [pc.create_data_channel("http", negotiated=True, id=0) for pc in (alice, bob)]
        await bob.set_remote_description(await described(alice))
        await alice.set_remote_description(await described(bob))
        for end in ends:
            await end.opened()
        nursery.start_soon(serve, ends[0].as_stream())
        async with ends[1].as_stream() as stream:
            connection = h11.Connection(h11.CLIENT)
            for target in ("/weather", "/news?today"):
                status, body = await get(connection, stream, target)
                print(status, body, end="", flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
