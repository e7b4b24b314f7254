"""``gathering_complete`` returns when the local description has all candidates."""

import pytest
import trio
import trio.testing

from tests.strategies.peers import description_of, negotiate, settings_for, trickle, two_peers
from trio_rtc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from trio_rtc.testing import SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

SILENT_SERVER = RTCConfiguration(ice_servers=[RTCIceServer(urls=["stun:10.66.66.66"])])
"""It delays the end of gathering by seconds, since nothing answers."""


async def test_descriptions_with_all_candidates_connect_without_trickle() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        await alice.set_local_description()
        await alice.gathering_complete()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await bob.gathering_complete()
        await alice.set_remote_description(description_of(bob))
        with trio.fail_after(1):
            await channel.opened()
        for peer in (alice, bob):
            assert description_of(peer).sdp.count("a=candidate:") == 1
            assert description_of(peer).sdp.count("a=end-of-candidates") == 1


async def test_gathering_waits_for_servers_that_do_not_answer() -> None:
    async with two_peers(configuration=SILENT_SERVER) as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        before = trio.current_time()
        await peers.alice.gathering_complete()
        assert 1 < trio.current_time() - before < 10
        assert peers.alice.ice_gathering_state == "complete"


async def test_it_waits_for_the_first_description() -> None:
    async with two_peers() as peers:
        with trio.move_on_after(60) as waiting:
            await peers.alice.gathering_complete()
        assert waiting.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peers.alice.gathering_complete)
            await trio.testing.wait_all_tasks_blocked()
            peers.alice.create_data_channel("chat")
            await peers.alice.set_local_description()


@pytest.mark.parametrize("configuration", [None, SILENT_SERVER], ids=["host", "silent server"])
async def test_it_waits_again_after_a_restart(configuration: RTCConfiguration | None) -> None:
    async with two_peers(configuration=configuration) as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        trickle(alice, bob)
        await negotiate(alice, bob)
        await channel.opened()
        await alice.gathering_complete()
        alice.on_ice_candidate = None
        before = description_of(alice).sdp
        alice.restart_ice()
        await alice.set_local_description()
        assert "a=candidate:" not in description_of(alice).sdp
        await alice.gathering_complete()
        after = description_of(alice).sdp
        assert after.count("a=candidate:") == before.count("a=candidate:") == 1
        assert "a=end-of-candidates" in after
        assert alice.ice_gathering_state == "complete"


async def test_closing_ends_the_wait_with_an_error() -> None:
    async with two_peers(configuration=SILENT_SERVER) as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        await alice.set_local_description()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_later, alice)
            with pytest.raises(trio.ClosedResourceError):
                await alice.gathering_complete()
        with pytest.raises(trio.ClosedResourceError):
            await alice.gathering_complete()
        bob.close()
        with pytest.raises(trio.ClosedResourceError):
            await bob.gathering_complete()


async def close_later(pc: RTCPeerConnection) -> None:
    await trio.sleep(1)
    pc.close()


async def test_gathering_that_was_complete_stays_complete_after_closing() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.alice.gathering_complete()
        await peers.alice.aclose()
        await peers.alice.gathering_complete()


async def test_a_wait_in_a_handler_does_not_fail_a_block_that_ends() -> None:
    async with SimulatedNetwork() as network:
        host = network.add_host("alice", ["10.0.0.1"])
        async with RTCPeerConnection(SILENT_SERVER, settings=settings_for(host, 0)) as pc:

            async def wait(event: object) -> None:
                await pc.gathering_complete()

            pc.on_negotiation_needed = wait
            pc.create_data_channel("chat")
            await trio.sleep(1)


async def test_it_is_a_checkpoint_and_can_be_cancelled() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.alice.gathering_complete()
        with trio.testing.assert_checkpoints():
            await peers.alice.gathering_complete()
        with trio.CancelScope() as scope:
            scope.cancel()
            await peers.alice.gathering_complete()
        assert scope.cancelled_caught


async def test_it_needs_the_block() -> None:
    with pytest.raises(RuntimeError, match="gathering_complete"):
        await RTCPeerConnection().gathering_complete()
