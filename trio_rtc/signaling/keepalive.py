"""Finds out that the other side of a WebSocket is gone although its connection is not."""

import trio
from trio_websocket import WebSocketConnection


async def keep_alive(websocket: WebSocketConnection, interval: float, timeout: float) -> None:
    """Ping every ``interval`` seconds.

    Raises:
        trio.TooSlowError: A ping was not answered within ``timeout`` seconds.
        trio_websocket.ConnectionClosed: The connection has ended.
    """
    while True:
        await trio.sleep(interval)
        with trio.fail_after(timeout):
            await websocket.ping()
