"""The harness itself, with foreign peers on both ends: its failure is not one of trio_rtc."""

import pytest
import trio

from tests.interop.negotiation import connect
from tests.interop.opening import Peers

PAIRS = [
    ("aiortc", "wrtc"),
    ("wrtc", "aiortc"),
    ("aiortc", "chromium"),
    ("wrtc", "firefox"),
    ("chromium", "wrtc"),
]


@pytest.mark.parametrize("trickle", [True, False], ids=["trickle", "vanilla"])
@pytest.mark.parametrize(("offering", "answering"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
async def test_two_foreign_peers_exchange_messages(
    peers: Peers, offering: str, answering: str, trickle: bool
) -> None:
    async with (
        peers.open(offering) as offerer,
        peers.open(answering) as answerer,
        trio.open_nursery() as nursery,
    ):
        ours = await offerer.create_data_channel("chat", protocol="words", ordered=False)
        await connect(offerer, answerer, trickle=trickle, nursery=nursery)
        theirs = await answerer.accept_channel()
        await ours.opened.wait()
        await theirs.opened.wait()
        assert theirs.members["label"] == "chat"
        assert theirs.members["protocol"] == "words"
        assert theirs.members["ordered"] is False
        for message in ("hello", b"\0\1\2", "grüß Gott", bytes(range(256)) * 800):
            await ours.send(message)
            assert await theirs.receive() == message
            await theirs.send(message)
            assert await ours.receive() == message
        await offerer.connection_state("connected")
        await theirs.close()
        await ours.closed.wait()
        nursery.cancel_scope.cancel()
