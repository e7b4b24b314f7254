"""Data channels after their media section was rejected or closed: a new section and a new association."""

import re

import pytest
import trio

from tests.strategies.peers import channel_pair, connect, negotiate, open_channel, trickle, two_peers
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import Event, RTCPeerConnection, RTCPeerConnectionStats
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")


def rejecting(sdp: str) -> str:
    """Return a description that rejects its one section."""
    without_bundle = re.sub(r"a=group:.*\r\n", "", sdp)
    return re.sub(r"m=application \d+", "m=application 0", without_bundle)


async def end_section(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Close the media section of data channels, as some peers' APIs can; the answerer sees it rejected."""
    await offerer.set_local_description()
    offer = offerer.local_description
    assert offer is not None
    await answerer.set_remote_description({"type": "offer", "sdp": rejecting(offer.sdp)})
    await answerer.set_local_description()
    answer = answerer.local_description
    assert answer is not None
    assert "m=application 0 " in answer.sdp
    await offerer.set_remote_description(answer)


def sections(pc: RTCPeerConnection) -> list[str]:
    assert pc.current_local_description is not None
    return re.findall(r"m=application|a=mid:.*", pc.current_local_description.sdp.replace("\r", ""))


@pytest.mark.parametrize("link", [Link(), Link(delay=0.05, loss=0.1)], ids=["good", "bad"])
@pytest.mark.parametrize("turned", [False, True], ids=["same offerer", "other offerer"])
async def test_channels_after_their_section_was_closed(link: Link, turned: bool) -> None:
    async with two_peers(link=link) as peers:
        alice, bob = peers.alice, peers.bob
        ends = await channel_pair(alice, bob)
        await state_reached(alice, "connected")
        states: list[str] = []
        alice.on_connection_state_change = lambda _: states.append(str(alice.connection_state))
        offerer, answerer = (bob, alice) if turned else (alice, bob)
        assert sections(alice) == ["m=application", "a=mid:0"]
        for _ in range(3):
            await messages_pass(*ends)
            before = alice.sctp
            assert before is not None
            sctp_states = [before.state]
            before.on_state_change = lambda _, log=sctp_states, sctp=before: log.append(sctp.state)
            last_mid = sections(alice)[1]

            await end_section(alice, bob)
            assert alice.sctp is None
            assert bob.sctp is None
            assert [channel.ready_state for channel in ends] == ["closed", "closed"]
            # W3C webrtc sections 4.3.2 to 4.3.4: no section uses a transport.
            assert states == ["new"]
            for pc in (alice, bob):
                found = pc.connection_state, pc.ice_connection_state, pc.ice_gathering_state
                assert found == ("new", "new", "new")
            await trio.sleep(1)
            assert sctp_states == ["connected", "closed"]

            with trio.fail_after(20):
                ends = await channel_pair(offerer, answerer, "again")
            await messages_pass(*ends, 50)
            assert sections(alice)[0] == "m=application"
            assert len(sections(alice)) == 2, "the place of the closed section is taken again"
            assert sections(alice)[1] != last_mid
            # Bob is the DTLS client of all offers and uses even stream ids, and each association starts at 0.
            assert ends[0].id == ends[1].id == (0 if turned else 1)
            assert alice.sctp is not None
            assert alice.sctp is not before
            assert alice.sctp.state == "connected"
            assert alice.sctp.transport is before.transport
            assert states == ["new", "connected"]
            states.clear()
        assert alice.connection_state == bob.connection_state == "connected"
        total = (await alice.get_stats())["peer-connection"]
        assert isinstance(total, RTCPeerConnectionStats)
        assert (total.data_channels_opened, total.data_channels_closed) == (4, 3)


async def test_a_section_that_was_rejected_at_first() -> None:
    async with two_peers() as peers:
        refused = peers.alice.create_data_channel("refused")
        await trio.sleep(1)
        needs: list[Event] = []
        peers.alice.on_negotiation_needed = needs.append
        await end_section(peers.alice, peers.bob)
        await trio.sleep(1)
        assert needs == [], "nobody asks again for a channel that was refused"
        assert refused.ready_state == "closed"
        with pytest.raises(trio.BrokenResourceError):
            await refused.opened()
        assert peers.alice.sctp is None
        for pc in (peers.alice, peers.bob):
            assert sections(pc)[0] == "m=application"
        with trio.fail_after(2):
            mine, theirs = await channel_pair(peers.alice, peers.bob, "again")
            await messages_pass(mine, theirs)
        assert mine.id == 1


async def test_a_channel_created_after_the_end_needs_negotiation() -> None:
    async with open_channel() as (_, _, peers):
        needs: list[str] = []
        peers.alice.on_negotiation_needed = lambda _: needs.append("alice")
        peers.bob.on_negotiation_needed = lambda _: needs.append("bob")
        await end_section(peers.alice, peers.bob)
        await trio.sleep(1)
        assert needs == []
        waiting = [pc.create_data_channel("again") for pc in (peers.alice, peers.bob)]
        by_number = [
            pc.create_data_channel("negotiated", negotiated=True, id=5) for pc in (peers.alice, peers.bob)
        ]
        await trio.sleep(1)
        assert sorted(needs) == ["alice", "bob"]
        assert {channel.ready_state for channel in (*waiting, *by_number)} == {"connecting"}
        assert [channel.id for channel in waiting] == [None, None]
        await negotiate(peers.bob, peers.alice)
        with trio.fail_after(2):
            for channel in (*waiting, *by_number):
                await channel.opened()
        await messages_pass(by_number[0], by_number[1])
        assert [channel.id for channel in waiting] == [1, 0]
        await trio.sleep(1)
        assert len(needs) == 2


async def test_a_rolled_back_offer_of_a_new_section() -> None:
    """The transports stay although no section uses them, and the next offer uses them again."""
    async with open_channel() as (_, _, peers):
        assert peers.alice.sctp is not None
        ice = peers.alice.sctp.transport.ice_transport
        await end_section(peers.alice, peers.bob)
        again = [pc.create_data_channel("again", negotiated=True, id=3) for pc in (peers.alice, peers.bob)]
        assert peers.alice.connection_state == "new"
        await peers.alice.set_local_description()
        assert peers.alice.connection_state == "connected"
        assert peers.alice.ice_connection_state in ("connected", "completed")
        await peers.alice.set_local_description({"type": "rollback", "sdp": ""})
        # W3C webrtc sections 4.3.2 to 4.3.4: no section uses the transport again.
        assert peers.alice.connection_state == "new"
        assert peers.alice.ice_connection_state == "new"
        with trio.fail_after(2):
            await connect(peers.alice, peers.bob)
            for channel in again:
                await channel.opened()
            await messages_pass(again[0], again[1])
        assert peers.alice.sctp is not None
        assert peers.alice.sctp.transport.ice_transport is ice


async def test_an_ice_restart_with_the_new_section() -> None:
    async with open_channel() as (_, _, peers):
        await end_section(peers.alice, peers.bob)
        peers.alice.restart_ice()
        trickle(peers.alice, peers.bob)
        with trio.fail_after(5):
            mine, theirs = await channel_pair(peers.bob, peers.alice)
            await connect(peers.alice, peers.bob)
            await messages_pass(mine, theirs)


async def test_messages_that_were_not_read_when_the_section_was_closed() -> None:
    async with open_channel() as (mine, theirs, peers):
        for number in range(5):
            await mine.send(f"{number}")
        await trio.sleep(1)
        await end_section(peers.alice, peers.bob)
        again, _ = await channel_pair(peers.alice, peers.bob, "again")
        assert [await theirs.receive() for _ in range(5)] == [f"{number}" for number in range(5)]
        with pytest.raises((trio.EndOfChannel, trio.BrokenResourceError)):
            await theirs.receive()
        assert again.ready_state == "open"
