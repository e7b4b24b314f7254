"""Our peer: a peer connection of trio_rtc with the methods that every peer of the harness has."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from tests.interop.drivers.rpc import JsonObject
from trio_rtc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCDataChannelEvent,
    RTCPeerConnection,
    RTCPeerConnectionIceEvent,
    RTCTransportStats,
    Settings,
)


class OwnPeer:
    """A peer connection as a :class:`tests.interop.negotiation.Negotiator`.

    Attributes:
        pc: The peer connection.
    """

    def __init__(
        self,
        pc: RTCPeerConnection,
        candidates: trio.MemoryReceiveChannel[RTCPeerConnectionIceEvent],
        announced: trio.MemoryReceiveChannel[RTCDataChannelEvent],
    ) -> None:
        self.pc = pc
        self._candidates = candidates
        self._announced = announced

    async def create_offer(self, *, trickle: bool) -> JsonObject:
        """Set and return an offer, with all candidates in it unless ``trickle``."""
        return await self._set_local_description(trickle=trickle)

    async def create_answer(self, offer: JsonObject, *, trickle: bool) -> JsonObject:
        """Set an offer, set and return an answer, with all candidates in it unless ``trickle``."""
        await self.pc.set_remote_description(offer)
        return await self._set_local_description(trickle=trickle)

    async def _set_local_description(self, *, trickle: bool) -> JsonObject:
        await self.pc.set_local_description()
        if not trickle:
            await self.pc.gathering_complete()
        assert self.pc.local_description is not None
        return dict(self.pc.local_description.to_json())

    async def set_answer(self, answer: JsonObject) -> None:
        """Set an answer."""
        await self.pc.set_remote_description(answer)

    async def add_ice_candidate(self, candidate: JsonObject | None) -> None:
        """Add a candidate of the other side, or ``None`` at the end of candidates."""
        await self.pc.add_ice_candidate(candidate)

    async def next_candidate(self) -> JsonObject | None:
        """Wait for a local candidate, or ``None`` at the end of candidates."""
        candidate = (await self._candidates.receive()).candidate
        return None if candidate is None else candidate.to_json()

    async def accept_channel(self) -> RTCDataChannel:
        """Wait for a channel that the other side has created."""
        return (await self._announced.receive()).channel

    async def connection_state(self, *states: str) -> None:
        """Wait until the connection is in one of these states."""
        async with self.pc.subscribe("connection_state_change") as changes:
            while self.pc.connection_state not in states:
                await changes.receive()

    async def transport_stats(self) -> RTCTransportStats:
        """Return the statistics of the transport."""
        (stats,) = [s for s in (await self.pc.get_stats()).values() if isinstance(s, RTCTransportStats)]
        return stats


@asynccontextmanager
async def open_own_peer(
    settings: Settings | None = None, configuration: RTCConfiguration | None = None
) -> AsyncIterator[OwnPeer]:
    """Open a peer connection of trio_rtc until the end of the block."""
    # The simulated date is in the past, so that real peers would consider the certificate expired.
    settings = attrs.evolve(settings or Settings(), wall_clock=time.time)
    async with (
        RTCPeerConnection(configuration, settings=settings) as pc,
        pc.subscribe("ice_candidate") as candidates,
        pc.subscribe("data_channel") as announced,
    ):
        yield OwnPeer(pc, candidates, announced)
