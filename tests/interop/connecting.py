"""Connections to a foreign peer, by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_peer import OwnPeer, open_own_peer
from tests.interop.remote_peer import RemoteChannel, RemotePeer
from trio_rtc import RTCDataChannel, Settings

CONNECTION_SECONDS = 25
"""Maximum seconds of a test once its peer runs; on an idle machine tests take one or two."""


@attrs.frozen
class Connection:
    """Our peer and a foreign peer with one open channel.

    Attributes:
        own: Our peer.
        remote: The foreign peer.
        ours: Our end of the channel.
        theirs: The peer's end of the channel.
        nursery: Nursery of signaling until the end of the connection.
    """

    own: OwnPeer
    remote: RemotePeer
    ours: RTCDataChannel
    theirs: RemoteChannel
    nursery: trio.Nursery

    async def assert_alive(self, message: str = "alive") -> None:
        """Exchange a message in each direction."""
        await self.ours.send(message)
        assert await self.theirs.receive() == message
        await self.theirs.send(message)
        assert await self.ours.receive() == message


@asynccontextmanager
async def negotiating(
    peers: Peers, name: str, *, settings: Settings | None = None, seconds: float = CONNECTION_SECONDS
) -> AsyncIterator[tuple[OwnPeer, RemotePeer, trio.Nursery]]:
    """Open our peer, a foreign peer and a nursery for signaling, with a time limit.

    An exception of the block is not grouped, so that a failed assertion reads as one.
    """
    block_error: Exception | None = None
    async with peers.open(name) as remote:
        with trio.fail_after(seconds):
            async with open_own_peer(settings) as own, trio.open_nursery() as nursery:
                try:
                    yield own, remote, nursery
                except Exception as error:
                    block_error = error
                nursery.cancel_scope.cancel()
    if block_error is not None:
        raise block_error


@asynccontextmanager
async def connected(
    peers: Peers, name: str, *, we_offer: bool, trickle: bool = True, settings: Settings | None = None
) -> AsyncIterator[Connection]:
    """Connect to a peer of ``Peers.open``; the offerer also creates the channel."""
    async with negotiating(peers, name, settings=settings) as (own, remote, nursery):
        if we_offer:
            ours = own.pc.create_data_channel("chat", protocol="words")
            await connect(own, remote, trickle=trickle, nursery=nursery)
            theirs = await remote.accept_channel()
            await ours.opened()
        else:
            theirs = await remote.create_data_channel("chat", protocol="words")
            await connect(remote, own, trickle=trickle, nursery=nursery)
            ours = await own.accept_channel()
        await theirs.opened.wait()
        yield Connection(own, remote, ours, theirs, nursery)
