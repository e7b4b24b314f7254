"""Further offers, glare and changed roles do not interrupt the connection."""

import pytest
import trio

from tests.strategies.peers import Peers, connect, description_of, negotiate, open_channel, trickle, two_peers
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import RTCDataChannel, RTCPeerConnection
from trio_rtc.stats import RTCTransportStats
from trio_rtc.testing import Link, TraceKind

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("turned", [False, True], ids=["same offerer", "other offerer"])
@pytest.mark.parametrize("ice_restart", [False, True])
async def test_a_second_offer_while_data_flows(turned: bool, ice_restart: bool) -> None:
    async with open_channel() as (mine, theirs, peers), trio.open_nursery() as nursery:
        nursery.start_soon(messages_pass, mine, theirs, 500)
        offerer, answerer = (peers.bob, peers.alice) if turned else (peers.alice, peers.bob)
        states: list[str] = []
        offerer.on_connection_state_change = lambda _: states.append(str(offerer.connection_state))
        for _ in range(3):
            if ice_restart:
                offerer.restart_ice()
            before = credentials(offerer)
            await negotiate(offerer, answerer)
            assert (credentials(offerer) != before) == ice_restart
            await trio.sleep(0.5)
            await messages_pass(*await another_channel(offerer, answerer))
        assert states == []
        assert peers.alice.signaling_state == peers.bob.signaling_state == "stable"


def credentials(pc: RTCPeerConnection) -> object:
    assert pc.sctp is not None
    return pc.sctp.transport.ice_transport.get_local_parameters()


async def another_channel(
    offerer: RTCPeerConnection, answerer: RTCPeerConnection
) -> tuple[RTCDataChannel, RTCDataChannel]:
    async with answerer.subscribe("data_channel") as announced:
        mine = offerer.create_data_channel("another")
        theirs = (await announced.receive()).channel
        await mine.opened()
        return mine, theirs


async def glare(peers: Peers) -> None:
    """Offer from both sides at once; Bob is polite and accepts, Alice ignores his offer and its candidates."""
    alice, bob = peers.alice, peers.bob
    bob.on_ice_candidate = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alice.set_local_description)
        nursery.start_soon(bob.set_local_description)
    assert alice.signaling_state == bob.signaling_state == "have-local-offer"
    await bob.set_remote_description(description_of(alice))
    assert bob.signaling_state == "have-remote-offer"
    trickle(alice, bob)
    await bob.set_local_description()
    await alice.set_remote_description(description_of(bob))
    assert alice.signaling_state == bob.signaling_state == "stable"


async def test_glare_before_the_connection() -> None:
    """Bob's channel and his gathered candidates survive the rollback of his offer."""
    async with (
        two_peers() as peers,
        peers.alice.subscribe("data_channel") as at_alice,
        peers.bob.subscribe("data_channel") as at_bob,
    ):
        alices = peers.alice.create_data_channel("alice's")
        bobs = peers.bob.create_data_channel("bob's")
        await glare(peers)
        for one, other in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            assert one.sctp is not None
            for candidate in one.sctp.transport.ice_transport.get_local_candidates():
                await other.add_ice_candidate(candidate)
        with trio.fail_after(2):
            await alices.opened()
            await bobs.opened()
            await messages_pass(alices, (await at_bob.receive()).channel)
            await messages_pass(bobs, (await at_alice.receive()).channel)
        assert alices.id != bobs.id


async def test_glare_with_trickled_candidates() -> None:
    async with two_peers(link=Link(delay=0.1)) as peers:
        channel = peers.alice.create_data_channel("chat")
        peers.bob.create_data_channel("chat")
        for pc in (peers.alice, peers.bob):
            await pc.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        trickle(peers.alice, peers.bob)
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        with trio.fail_after(3):
            await channel.opened()


async def test_glare_while_connected() -> None:
    async with open_channel() as (mine, theirs, peers):
        peers.alice.restart_ice()
        peers.bob.restart_ice()
        await glare(peers)
        with trio.fail_after(2):
            await messages_pass(mine, theirs)
        await trio.sleep(60)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"
        await messages_pass(mine, theirs)


@pytest.mark.parametrize("delay", [0, 1])
async def test_a_rolled_back_restart_leaves_the_gathering_state(delay: float) -> None:
    async with open_channel() as (mine, theirs, peers):
        alice = peers.alice
        await trio.sleep(1)
        before = credentials(alice)
        log: list[str] = []
        candidates: list[object] = []
        alice.on_ice_gathering_state_change = lambda _: log.append(alice.ice_gathering_state)
        alice.on_ice_candidate = None
        alice.restart_ice()
        await alice.set_local_description()
        await trio.sleep(delay)
        alice.on_ice_candidate = lambda event: candidates.append(
            event.candidate and event.candidate.candidate
        )
        await alice.set_local_description({"type": "rollback"})
        await trio.sleep(1)
        assert log in (["gathering", "complete"], [])
        assert alice.ice_gathering_state == "complete"
        assert credentials(alice) == before
        if delay:
            assert candidates == []
        await messages_pass(mine, theirs)
        await negotiate(alice, peers.bob)
        await messages_pass(mine, theirs)


async def test_the_dtls_role_of_an_answer_that_is_never_applied_is_forgotten() -> None:
    """The answerer would have been the DTLS client, but becomes the offerer and so the server."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channels = [pc.create_data_channel("chat", negotiated=True, id=1) for pc in (alice, bob)]
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        assert "a=setup:active" in (await bob.create_answer()).sdp
        for pc, rolled_back in ((alice, alice.set_local_description), (bob, bob.set_remote_description)):
            await rolled_back({"type": "rollback"})
            assert pc.signaling_state == "stable"
        await connect(bob, alice)
        with trio.fail_after(2):
            for channel in channels:
                await channel.opened()
        await messages_pass(channels[0], channels[1])
        for pc, role in ((alice, "client"), (bob, "server")):
            (transport,) = [
                each for each in (await pc.get_stats()).values() if isinstance(each, RTCTransportStats)
            ]
            assert transport.dtls_role == role


async def test_an_ice_role_conflict() -> None:
    """The first offer determines the agents' roles; a different offerer later does not change them."""
    async with open_channel() as (mine, theirs, peers):
        for _ in range(2):
            peers.bob.restart_ice()
            await negotiate(peers.bob, peers.alice)
            await trio.sleep(1)
            roles = {str(pc.sctp.transport.ice_transport.role) for pc in (peers.alice, peers.bob) if pc.sctp}
            assert roles == {"controlling", "controlled"}
        await messages_pass(mine, theirs)


async def test_ice_restarts_faster_than_checks() -> None:
    async with open_channel(link=Link(delay=0.2)) as (mine, theirs, peers):
        for turn in range(10):
            peers.alice.restart_ice()
            await negotiate(*((peers.alice, peers.bob) if turn % 2 else (peers.bob, peers.alice)))
            await trio.sleep(0.05)
        with trio.fail_after(5):
            await messages_pass(mine, theirs)
        await trio.sleep(60)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"
        assert len(peers.hosts[0].open_sockets) == 1


async def test_a_rolled_back_offer_leaves_nothing_behind() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.alice.set_local_description({"type": "rollback", "sdp": ""})
        assert peers.alice.signaling_state == "stable"
        assert peers.alice.local_description is None
        with trio.fail_after(2):
            await connect(peers.alice, peers.bob)
            await channel.opened()


async def test_a_rejected_data_channel_section() -> None:
    """An answerer without data channels: the channel fails instead of waiting."""
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        assert peers.alice.local_description is not None
        await peers.bob.set_remote_description(peers.alice.local_description)
        await peers.bob.set_local_description()
        assert peers.bob.local_description is not None
        refused = peers.bob.local_description.sdp.replace("m=application 9", "m=application 0")
        refused = "".join(
            line for line in refused.splitlines(keepends=True) if not line.startswith("a=group")
        )
        await peers.alice.set_remote_description({"type": "answer", "sdp": refused})
        with trio.fail_after(1), pytest.raises(trio.BrokenResourceError):
            await channel.opened()


async def test_a_second_offer_sends_no_packet_by_itself() -> None:
    async with open_channel() as (_, _, peers):
        await trio.sleep(1)
        sent = peers.network.trace.sent
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(0.1)
        assert peers.network.trace.sent == sent
        assert peers.network.trace.packets(TraceKind.DROPPED) == []
        await state_reached(peers.alice, "connected")


async def test_a_peer_that_vanishes_while_there_is_no_media_section() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        transceiver = alice.add_transceiver("audio")
        await connect(alice, bob)
        await trio.sleep(2)
        transceiver.stop()
        await negotiate(alice, bob)
        await trio.sleep(1)
        peers.network.partition("alice")
        with trio.fail_after(35):
            await alice.peer_closed()
        assert alice.connection_state == "new"


async def test_the_states_are_new_while_there_is_no_media_section() -> None:
    """The transport remains, and is used by the next section (W3C webrtc sections 4.3.2 to 4.3.4)."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        transceiver = alice.add_transceiver("audio")
        await connect(alice, bob)
        await trio.sleep(2)
        for pc in (alice, bob):
            assert (pc.connection_state, pc.ice_gathering_state) == ("connected", "complete")
        transceiver.stop()
        await negotiate(alice, bob)
        await trio.sleep(1)
        for pc in (alice, bob):
            states = pc.connection_state, pc.ice_connection_state, pc.ice_gathering_state
            assert states == ("new", "new", "new")
        alice.add_transceiver("video")
        await negotiate(alice, bob)
        await trio.sleep(1)
        for pc in (alice, bob):
            assert (pc.connection_state, pc.ice_gathering_state) == ("connected", "complete")
