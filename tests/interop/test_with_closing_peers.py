"""Detection of a peer's closing, with data channels and with audio only.

Without trickling, so that no candidate is in flight to a closed connection.
"""

import pytest
import trio

from tests.interop.connecting import connected, negotiating
from tests.interop.negotiation import connect
from tests.interop.opening import PEERS, Peers
from tests.interop.own_peer import OwnPeer

SOON = 3.0
"""Maximum seconds; ICE alone would take 30."""


async def until_connected(own: OwnPeer) -> None:
    async with own.pc.subscribe("connection_state_change") as changes:
        while own.pc.connection_state != "connected":
            await changes.receive()


@pytest.mark.parametrize("name", PEERS)
async def test_a_peer_with_a_channel_closes(peers: Peers, name: str) -> None:
    async with connected(peers, name, we_offer=True, trickle=False) as connection:
        await connection.remote.close()
        with trio.fail_after(SOON):
            await connection.own.pc.peer_closed()


@pytest.mark.parametrize("name", PEERS)
async def test_a_peer_with_only_audio_closes(peers: Peers, name: str) -> None:
    async with negotiating(peers, name) as (own, remote, nursery):
        await remote.add_transceivers("audio")
        own.pc.add_transceiver("audio")
        await connect(own, remote, trickle=False, nursery=nursery)
        await until_connected(own)
        await remote.connection_state("connected")
        await remote.close()
        with trio.fail_after(SOON):
            await own.pc.peer_closed()


async def test_a_page_is_closed(peers: Peers) -> None:
    """Chromium then sends nothing, so that only ICE detects it."""
    async with connected(peers, "firefox", we_offer=True, trickle=False) as connection:
        await connection.remote.vanish()
        with trio.fail_after(SOON):
            await connection.own.pc.peer_closed()
