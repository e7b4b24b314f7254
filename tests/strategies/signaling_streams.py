"""Clients of a signaling server over streams in memory, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import cast

import trio
import trio.testing
from trio_websocket import WebSocketConnection, wrap_client_stream

from trio_rtc.signaling import ClientOptions, Room, SignalingServer
from trio_rtc.signaling.client import Endpoint, enter


def open_stream(
    server: SignalingServer, nursery: trio.Nursery, *, lockstep: bool = False, address: str | None = None
) -> trio.abc.HalfCloseableStream:
    """Return a stream that the server serves as one from an address. In lockstep, a sender waits for the receiver."""
    make = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
    ours, theirs = make()
    nursery.start_soon(partial(server.handle_stream, theirs, address=address))
    return ours


@asynccontextmanager
async def connected(
    server: SignalingServer, address: str | None = None
) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    """Connect, and close the stream with the block."""
    async with trio.open_nursery() as nursery, open_stream(server, nursery, address=address) as ours:
        await trio.testing.wait_all_tasks_blocked()
        yield ours


async def reply_to(server: SignalingServer, *parts: bytes) -> bytes:
    """Send bytes and EOF, and return the server's whole answer."""
    async with trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            for part in parts:
                await stream.send_all(part)
                await trio.testing.wait_all_tasks_blocked()
            await stream.send_eof()
        received = b"".join([bytes(data) async for data in stream])
        await stream.aclose()
        return received


@asynccontextmanager
async def in_room(
    server: SignalingServer, room: str, options: ClientOptions | None = None
) -> AsyncIterator[Room]:
    """Enter a room as ``connect`` does."""
    endpoint = Endpoint.parse("ws://signaling.example/", room)
    async with trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        async with stream, enter(stream, endpoint, options or ClientOptions()) as entered:
            yield entered


@asynccontextmanager
async def raw_websocket(
    server: SignalingServer, room: str, *, lockstep: bool = False
) -> AsyncIterator[WebSocketConnection]:
    """Open a WebSocket for a scripted client."""
    async with trio.open_nursery() as nursery:
        stream = open_stream(server, nursery, lockstep=lockstep)
        async with stream:
            yield await wrap_client_stream(
                nursery, cast(trio.SocketStream, stream), "signaling.example", f"/?room={room}"
            )
            with trio.move_on_after(1):
                await stream.aclose()
        nursery.cancel_scope.cancel()
