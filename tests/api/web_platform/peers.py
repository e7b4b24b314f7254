"""Two peers with a channel of each kind, and waits for states, for the tests of this folder."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.strategies.peers import Peers, connect, two_peers
from trio_rtc import EventTarget, RTCConfiguration, RTCDataChannel, Settings

each_kind = pytest.mark.parametrize("negotiated", [False, True], ids=["in-band", "negotiated"])
"""Runs a test with a channel that DCEP opens, and with one that both applications create."""


@asynccontextmanager
async def channel_between(
    *, negotiated: bool, configuration: RTCConfiguration | None = None, settings: Settings | None = None
) -> AsyncIterator[tuple[RTCDataChannel, RTCDataChannel, Peers]]:
    """Connect two peers with one open channel: Alice's end, Bob's, and the peers."""
    async with two_peers(configuration=configuration, settings=settings) as peers:
        mine, theirs = await open_between(peers, negotiated=negotiated)
        yield mine, theirs, peers


async def open_between(peers: Peers, *, negotiated: bool) -> tuple[RTCDataChannel, RTCDataChannel]:
    """Connect two peers, and return both ends of a channel, open."""
    options: dict[str, Any] = {"negotiated": True, "id": 0} if negotiated else {}
    mine = peers.alice.create_data_channel("chat", **options)
    if negotiated:
        theirs = peers.bob.create_data_channel("chat", **options)
        await connect(peers.alice, peers.bob)
    else:
        async with peers.bob.subscribe("data_channel") as announced:
            await connect(peers.alice, peers.bob)
            theirs = (await announced.receive()).channel
    await mine.opened()
    await theirs.opened()
    return mine, theirs


async def until(target: EventTarget, event: str, reached: Callable[[], bool]) -> None:
    """Wait for an event after which a condition is true, unless it is true already."""
    async with target.subscribe(event) as events:
        while not reached():
            await events.receive()
