"""Requests over a stream of JSON messages, answered by id in any order: CDP, WebDriver BiDi and our peers."""

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import trio

JsonObject = dict[str, Any]


class PeerGoneError(Exception):
    """The process or page on the other end has ended."""


class Rpc:
    """Requests that wait for their answers.

    The reader of the stream passes every message to :meth:`handle` and calls :meth:`close` at the end.

    Args:
        send: Sends a message.
        ids: Iterator of request ids, where the other end outlives this object and may answer earlier requests.
    """

    def __init__(
        self, send: Callable[[JsonObject], Awaitable[None]], ids: Iterator[int] | None = None
    ) -> None:
        self._send = send
        self._ids = itertools.count(1) if ids is None else ids
        self._sending = trio.Lock()
        self._waiting: dict[int, trio.MemorySendChannel[JsonObject]] = {}
        self._closed = False

    async def request(self, message: JsonObject) -> JsonObject:
        """Send a message under a new ``id`` and return the message that answers it.

        Raises:
            PeerGoneError: The stream ended before the answer.
        """
        if self._closed:
            raise PeerGoneError("the stream has ended")
        request_id = next(self._ids)
        answer_sender, answer_receiver = trio.open_memory_channel[JsonObject](1)
        self._waiting[request_id] = answer_sender
        with answer_receiver:
            try:
                async with self._sending:
                    await self._send({"id": request_id, **message})
                return await answer_receiver.receive()
            except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise PeerGoneError(f"no answer to {message}") from error
            finally:
                self._waiting.pop(request_id, None)

    def handle(self, message: JsonObject) -> bool:
        """Resolve the request that a message answers, and return whether it was an answer."""
        if "id" not in message:
            return False
        waiting = self._waiting.pop(message["id"], None)
        if waiting is not None:
            waiting.send_nowait(message)
            waiting.close()
        return True

    def close(self) -> None:
        """Fail all waiting requests."""
        self._closed = True
        for waiting in self._waiting.values():
            waiting.close()
        self._waiting.clear()
