"""A connection keeps its channels while the application holds none (W3C webrtc section 6.2.1)."""

import gc
import weakref

import pytest
import trio

from tests.strategies.peers import connect, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("peer_closes", [True, False])
async def test_a_channel_without_references_fires_its_close_event(peer_closes: bool) -> None:
    async with two_peers() as peers:
        log: list[str] = []

        def watch() -> "weakref.ref[object]":
            channel = peers.alice.create_data_channel("chat")
            channel.on_open = lambda _: log.append("open")
            channel.on_close = lambda _: log.append("close")
            return weakref.ref(channel)

        reference = watch()
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        gc.collect()
        if peer_closes:
            peers.bob.close()
        await trio.sleep(20)
        gc.collect()
        assert log == (["open", "close"] if peer_closes else ["open"])
        assert peer_closes or reference() is not None
