"""Negotiation of a page step by step, W3C's perfect negotiation in it, and its changes during a storm."""

from typing import Any

import attrs

from tests.interop.drivers.rpc import JsonObject
from tests.interop.link import Link


@attrs.frozen
class RemoteNegotiation:
    """Commands for the negotiation of a peer in a page."""

    _link: Link

    async def create_description(self, kind: str) -> JsonObject:
        """Create an offer or an answer, without setting it."""
        description: JsonObject = await self._link.execute("createDescription", {"type": kind})
        return description

    async def set_local_description(self, description: JsonObject | None = None) -> JsonObject | None:
        """Set a local description, by default the one that fits the state, and return ``localDescription``."""
        local: JsonObject | None = await self._link.execute(
            "setLocalDescription", {"description": description}
        )
        return local

    async def set_remote_description(self, description: JsonObject) -> None:
        """Set a remote description."""
        await self._link.execute("setRemoteDescription", {"description": description})

    async def states(self) -> JsonObject:
        """Return ``signalingState``, ``connectionState``, ``iceConnectionState`` and ``iceGatheringState``."""
        states: JsonObject = await self._link.execute("states", {})
        return states

    async def descriptions(self) -> JsonObject:
        """Return ``localDescription`` and ``remoteDescription`` as ``local`` and ``remote``."""
        descriptions: JsonObject = await self._link.execute("descriptions", {})
        return descriptions

    async def start(self, *, polite: bool) -> None:
        """Begin perfect negotiation; its messages are those of ``RemotePeer.next_signal``."""
        await self._link.execute("negotiate", {"polite": polite})

    async def receive(self, message: JsonObject) -> None:
        """Handle a message of the other side."""
        await self._link.execute("receiveSignal", {"message": message})

    async def add(self, kind: str, **options: Any) -> None:
        """Add a track, an audio track with ``frequency`` or a video track with ``start`` and its size."""
        await self._link.execute("addLabelled", {"kind": kind, **options})

    async def change(self, verb: str, number: int, **options: Any) -> None:
        """Change a transceiver of those that are not stopped: stop, direction, remove or replace."""
        await self._link.execute("change", {"verb": verb, "number": number, **options})

    async def sections(self) -> list[JsonObject]:
        """Return the transceivers that are not stopped with ``mid``, ``kind``, ``currentDirection`` and ``sent``."""
        sections: list[JsonObject] = await self._link.execute("sections", {})
        return sections
