"""Signaling between the processes of the asyncio libraries, and negotiation of connections."""

import asyncio
import json
import sys
from typing import Any

import attrs

from tests.interop.peers.program import Engine, JsonObject

LINE_LIMIT = 16 * 1024 * 1024
CONTROL = -1
"""The number of messages that belong to no connection."""


@attrs.define
class Signaling:
    """JSON lines to and from the other process, each for one connection by number."""

    _lines: asyncio.StreamReader
    _inboxes: dict[int, asyncio.Queue[JsonObject]] = attrs.Factory(dict)

    @classmethod
    async def open(cls) -> "Signaling":
        """Use standard input and output."""
        lines = asyncio.StreamReader(limit=LINE_LIMIT)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        return cls(lines)

    def inbox(self, connection: int) -> asyncio.Queue[JsonObject]:
        """Return the queue of messages for a connection."""
        return self._inboxes.setdefault(connection, asyncio.Queue())

    async def run(self) -> None:
        """Dispatch received messages until the other process ends."""
        while line := await self._lines.readline():
            message = json.loads(line)
            self.inbox(message.pop("connection")).put_nowait(message)

    def send(self, connection: int, **message: Any) -> None:
        """Send a message for a connection."""
        sys.stdout.write(json.dumps({"connection": connection, **message}) + "\n")
        sys.stdout.flush()


class Negotiation:
    """A peer connection and its signaling."""

    def __init__(self, engine: Engine, signaling: Signaling, number: int = 0) -> None:
        self._engine = engine
        self._signaling = signaling
        self._number = number
        self._applying: asyncio.Task[None] | None = None
        self.pc = engine.peer_connection()
        if engine.trickles:
            self.pc.on("icecandidate", self._handle_candidate)

    def _handle_candidate(self, event: Any) -> None:
        candidate = event.candidate
        self._signaling.send(self._number, candidate=candidate and candidate.to_json())

    async def offer(self) -> None:
        """Send an offer, and process the answer in the background."""
        await self._set_local_description(await self.pc.createOffer())
        self._applying = asyncio.create_task(self._apply())

    def answer(self) -> None:
        """Answer the offer that will come, in the background."""
        self._applying = asyncio.create_task(self._apply())

    async def _set_local_description(self, description: Any) -> None:
        await self.pc.setLocalDescription(description)
        local = self.pc.localDescription
        self._signaling.send(self._number, description={"type": str(local.type), "sdp": local.sdp})

    async def _apply(self) -> None:
        inbox = self._signaling.inbox(self._number)
        while True:
            match await inbox.get():
                case {"description": description}:
                    await self.pc.setRemoteDescription(self._engine.description(description))
                    if description["type"] == "offer":
                        await self._set_local_description(await self.pc.createAnswer())
                case {"candidate": candidate}:
                    await self.pc.addIceCandidate(self._engine.candidate(candidate))
                case other:
                    raise ValueError(f"cannot make sense of {other}")

    async def close(self) -> None:
        """Close the connection."""
        if self._applying is not None:
            self._applying.cancel()
        await self._engine.close(self.pc)
