"""Detecting a dead connection, and closing in bounded time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import trio

from .websocket import WebSocket


async def keep_alive(websocket: WebSocket, interval: float, timeout: float) -> None:
    """Ping every ``interval`` seconds until the connection has ended (``WebSocketClosed``).

    Raises:
        trio.TooSlowError: A ping was not answered within ``timeout`` seconds.
    """
    while True:
        await trio.sleep(interval)
        with trio.fail_after(timeout):
            await websocket.ping()


@asynccontextmanager
async def closing(stream: trio.abc.Stream, timeout: float) -> AsyncGenerator[None, None]:
    """Close the stream after the block, forcefully if that takes longer than ``timeout`` seconds."""
    try:
        yield
    finally:
        # TLS's close_notify must fit into the socket's buffer, which a hostile peer can keep full.
        with trio.move_on_after(timeout), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.aclose()
