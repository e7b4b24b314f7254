"""A local and a remote description set at once do not race (W3C webrtc section 4.4.1.2)."""

import pytest
import trio

from tests.strategies.peers import description_of, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_answerers_and_the_offerers_operations_overlap() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        offer = await peers.alice.create_offer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peers.alice.set_local_description, offer)
            nursery.start_soon(peers.bob.set_remote_description, offer)
        answer = await peers.bob.create_answer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peers.bob.set_local_description, answer)
            nursery.start_soon(peers.alice.set_remote_description, answer)
        assert peers.alice.signaling_state == peers.bob.signaling_state == "stable"
        assert peers.alice.get_transceivers()[0].current_direction == "sendonly"


async def test_operations_of_one_connection_run_in_the_order_of_the_calls() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        offer = await peers.alice.create_offer()
        order: list[str] = []

        async def track(name: str) -> None:
            order.append(name)

        remote, local = peers.bob.set_remote_description(offer), peers.bob.set_local_description()
        await remote
        await track("remote")
        await local
        await track("local")
        assert order == ["remote", "local"]
        assert description_of(peers.bob).type == "answer"
