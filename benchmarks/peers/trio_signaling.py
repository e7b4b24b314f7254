"""Signaling between the two processes of trio_rtc, and negotiation of connections."""

import json
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

import trio_rtc

JsonObject = dict[str, Any]
CONTROL = -1
"""The number of messages that belong to no connection."""


class Signaling:
    """JSON lines to and from the other process, each for one connection by number."""

    def __init__(self, reader: trio.abc.ReceiveStream) -> None:
        self._reader = reader
        self._inboxes: dict[
            int, tuple[trio.MemorySendChannel[JsonObject], trio.MemoryReceiveChannel[JsonObject]]
        ] = {}

    def _inbox(
        self, connection: int
    ) -> tuple[trio.MemorySendChannel[JsonObject], trio.MemoryReceiveChannel[JsonObject]]:
        if connection not in self._inboxes:
            self._inboxes[connection] = trio.open_memory_channel[JsonObject](math.inf)
        return self._inboxes[connection]

    async def receive(self, connection: int) -> JsonObject:
        """Wait for the next message for a connection."""
        return await self._inbox(connection)[1].receive()

    async def run(self) -> None:
        """Dispatch received messages until the other process ends."""
        buffer = b""
        async for chunk in self._reader:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                message = json.loads(line)
                self._inbox(message.pop("connection"))[0].send_nowait(message)

    def send(self, connection: int, **message: Any) -> None:
        """Send a message for a connection."""
        sys.stdout.write(json.dumps({"connection": connection, **message}) + "\n")
        sys.stdout.flush()


@attrs.define
class End:
    """Negotiation by either end."""

    signaling: Signaling

    @asynccontextmanager
    async def negotiation(
        self, pc: trio_rtc.RTCPeerConnection, number: int = 0, *, offers: bool
    ) -> AsyncIterator[None]:
        """Send an offer or wait for one, and exchange candidates during the block."""
        async with pc.subscribe("ice_candidate") as candidates, trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_candidates, candidates, number)
            if offers:
                await self._tell_description(pc, number)
            nursery.start_soon(self._apply, pc, number)
            yield
            nursery.cancel_scope.cancel()

    async def _tell_candidates(self, candidates: Any, number: int) -> None:
        async for event in candidates:
            candidate = event.candidate
            self.signaling.send(number, candidate=candidate and candidate.to_json())

    async def _tell_description(self, pc: trio_rtc.RTCPeerConnection, number: int) -> None:
        await pc.set_local_description()
        assert pc.local_description is not None
        self.signaling.send(number, description=pc.local_description.to_json())

    async def _apply(self, pc: trio_rtc.RTCPeerConnection, number: int) -> None:
        while True:
            match await self.signaling.receive(number):
                case {"description": description}:
                    await pc.set_remote_description(trio_rtc.RTCSessionDescription.from_json(description))
                    if description["type"] == "offer":
                        await self._tell_description(pc, number)
                case {"candidate": candidate}:
                    parsed = candidate and trio_rtc.RTCIceCandidate.from_json(candidate)
                    await pc.add_ice_candidate(parsed)
                case other:
                    raise ValueError(f"cannot make sense of {other}")
