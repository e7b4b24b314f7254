"""RTCIceTransport: candidates, states and identity (W3C webrtc section 5.6)."""

from typing import Any

import attrs
import pytest
import trio

from tests.api.web_platform.peers import channel_between, until
from tests.strategies.media import ENCODED, media_peers
from tests.strategies.peers import Peers, connect, description_of, negotiate, trickle, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceCandidatePair,
    RTCIceParameters,
    RTCIceTransport,
    RTCPeerConnection,
)
from trio_rtc.stats import RTCIceCandidatePairStats, RTCIceCandidateStats, RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")

each_section = pytest.mark.parametrize("data", [False, True], ids=["audio", "data"])
"""Runs a test with a section of audio, and with one of data channels."""


def add_section(pc: RTCPeerConnection, *, data: bool) -> None:
    if data:
        pc.create_data_channel("chat")
    else:
        pc.add_transceiver("audio")


def ice_of(pc: RTCPeerConnection) -> RTCIceTransport:
    transceivers = pc.get_transceivers()
    if transceivers:
        dtls = transceivers[0].sender.transport
        assert dtls is not None
        return dtls.ice_transport
    assert pc.sctp is not None
    return pc.sctp.transport.ice_transport


def selected(ice: RTCIceTransport) -> tuple[str, str]:
    pair = ice.get_selected_candidate_pair()
    assert isinstance(pair, RTCIceCandidatePair)
    return pair.local.candidate, pair.remote.candidate


async def test_candidates_and_parameters_of_connected_transports() -> None:
    async with two_peers(dual_stack=True) as peers:
        gathered: dict[str, list[str]] = {"alice": [], "bob": []}
        for name, pc in (("alice", peers.alice), ("bob", peers.bob)):

            def gather(event: Any, name: str = name) -> None:
                if event.candidate is not None and event.candidate.candidate:
                    gathered[name].append(event.candidate.candidate)

            pc.add_event_listener("ice_candidate", gather)
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await trio.sleep(5)
        one, other = ice_of(peers.alice), ice_of(peers.bob)
        assert (one.role, other.role) == ("controlling", "controlled")
        for mine, theirs, name in ((one, other, "alice"), (other, one, "bob")):
            assert mine.component == "rtp"
            assert mine.state in ("connected", "completed")
            assert mine.gathering_state == "complete"
            local, remote = mine.get_local_candidates(), mine.get_remote_candidates()
            assert all(isinstance(each, RTCIceCandidate) for each in [*local, *remote])
            assert [each.candidate for each in local] == gathered[name] != []
            assert {each.candidate for each in remote} == {
                each.candidate for each in theirs.get_local_candidates()
            }
            assert isinstance(mine.get_local_parameters(), RTCIceParameters)
            assert mine.get_local_parameters() == theirs.get_remote_parameters()
            assert selected(mine) == selected(theirs)[::-1]
            assert selected(mine)[0] in gathered[name]


@each_section
async def test_an_unconnected_transport_has_no_remote_candidates_and_no_pair(data: bool) -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        add_section(alice, data=data)
        offer = await alice.create_offer()
        await alice.set_local_description(offer)
        await bob.set_remote_description(offer)
        await alice.set_remote_description(await bob.create_answer())
        assert ice_of(alice).get_remote_candidates() == []
        assert ice_of(alice).get_selected_candidate_pair() is None


async def test_gathering_begins_after_the_description() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        ice = ice_of(peers.alice)
        assert (ice.state, ice.gathering_state) == ("new", "new")
        states: list[str] = []
        ice.on_gathering_state_change = lambda _: states.append(ice.gathering_state)
        await trio.sleep(1)
        assert states == ["gathering", "complete"]


async def test_close_leaves_the_gathering_state() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        ice = ice_of(peers.alice)
        states: list[str] = []

        def close(_: object) -> None:
            states.append(ice.gathering_state)
            peers.alice.close()

        ice.on_gathering_state_change = close
        await trio.sleep(1)
        assert states == ["gathering"]
        assert ice.gathering_state == "gathering"


async def test_checking_begins_with_the_first_remote_candidate_after_the_answer() -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        states: list[str] = []
        candidates: list[RTCIceCandidate | None] = []
        bob.on_ice_candidate = lambda event: candidates.append(event.candidate)
        alice.add_transceiver("audio")
        await alice.set_local_description()
        offer = description_of(alice)
        ice = ice_of(alice)
        ice.on_state_change = lambda _: states.append(ice.state)
        await trio.sleep(1)
        assert states == []
        await bob.set_remote_description(offer)
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        await trio.sleep(1)
        assert states == []
        await alice.add_ice_candidate(candidates[0])
        await trio.sleep(1)
        assert states[0] == "checking"


@each_section
async def test_it_is_disconnected_when_the_peer_is_gone(data: bool) -> None:
    async with two_peers(settings=ENCODED) as peers:
        add_section(peers.alice, data=data)
        states: list[str] = []
        trickle(peers.alice, peers.bob)
        await negotiate(peers.alice, peers.bob)
        ice = ice_of(peers.alice)
        ice.on_state_change = lambda _: states.append(ice.state)
        await trio.sleep(1)
        assert states == ["checking", "connected", "completed"]
        peers.network.partition("alice", "bob")
        await trio.sleep(15)
        assert states[3:] == ["disconnected"]


@each_section
@pytest.mark.parametrize("by_peer", [False, True])
async def test_a_restart_keeps_the_transport(data: bool, by_peer: bool) -> None:
    async with two_peers(settings=ENCODED) as peers:
        add_section(peers.alice, data=data)
        await negotiate(peers.alice, peers.bob)
        ice = ice_of(peers.alice)
        before = ice.get_local_parameters()
        restarting, other = (peers.bob, peers.alice) if by_peer else (peers.alice, peers.bob)
        restarting.restart_ice()
        await negotiate(restarting, other)
        assert ice_of(peers.alice) is ice
        assert ice.get_local_parameters() != before


async def test_close_closes_the_transport_at_once_and_silently() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        ice = ice_of(peers.alice)
        fired: list[object] = []
        ice.on_state_change = fired.append
        peers.alice.close()
        assert ice.state == "closed"
        assert ice_of(peers.alice) is ice
        await trio.sleep(1)
        assert fired == []


async def connect_in_one_direction(peers: Peers) -> None:
    """Connect with candidates of Alice only, so that Alice's remote candidate is peer-reflexive."""
    peers.alice.add_transceiver("audio")
    peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
    await negotiate(peers.alice, peers.bob)
    await until(peers.alice, "connection_state_change", lambda: peers.alice.connection_state == "connected")


async def test_peer_reflexive_candidates_are_not_among_the_remote_ones() -> None:
    async with media_peers() as peers:
        await connect_in_one_direction(peers)
        assert ice_of(peers.alice).get_remote_candidates() == []


async def remote_stats(pc: RTCPeerConnection) -> tuple[RTCIceCandidateStats, RTCIceCandidatePairStats]:
    """Return the statistics of the selected pair and its remote candidate."""
    report = await pc.get_stats()
    (transport,) = [each for each in report.values() if isinstance(each, RTCTransportStats)]
    assert transport.selected_candidate_pair_id is not None
    pair = report[transport.selected_candidate_pair_id]
    assert isinstance(pair, RTCIceCandidatePairStats)
    remote = report[pair.remote_candidate_id]
    assert isinstance(remote, RTCIceCandidateStats)
    return remote, pair


async def test_the_address_of_a_peer_reflexive_remote_candidate_is_hidden_until_it_is_signaled() -> None:
    """W3C webrtc section 4.8.1, ``address`` and ``candidate``; webrtc-stats, ``address``."""
    async with media_peers() as peers:
        await connect_in_one_direction(peers)
        ice = ice_of(peers.alice)
        pair = ice.get_selected_candidate_pair()
        assert pair is not None
        assert ice.get_selected_candidate_pair() is pair
        assert (pair.remote.type, pair.remote.protocol, pair.remote.component) == ("prflx", "udp", "rtp")
        assert (pair.remote.candidate, pair.remote.address) == ("", None)
        assert (pair.remote.related_address, pair.remote.related_port) == (None, None)
        assert pair.remote.priority is not None
        assert "10.0.0.2" not in repr(pair)
        assert pair.local.address == "10.0.0.1"
        remote, of_pair = await remote_stats(peers.alice)
        assert (remote.candidate_type, remote.address, remote.related_address) == ("prflx", None, None)
        assert "10.0.0.2" not in str((await peers.alice.get_stats()).to_json())

        (signaled,) = ice_of(peers.bob).get_local_candidates()
        await peers.alice.add_ice_candidate(signaled)
        pair = ice.get_selected_candidate_pair()
        assert pair is not None
        assert (pair.remote.type, pair.remote.address) == ("host", "10.0.0.2")
        assert ice.get_remote_candidates() == [pair.remote]
        remote, again = await remote_stats(peers.alice)
        assert (remote.candidate_type, remote.address) == ("host", "10.0.0.2")
        assert (again.id, again.remote_candidate_id) == (of_pair.id, of_pair.remote_candidate_id)


async def test_an_application_may_see_the_address_of_a_peer_reflexive_remote_candidate() -> None:
    async with two_peers(settings=attrs.evolve(ENCODED, expose_peer_reflexive=True)) as peers:
        await connect_in_one_direction(peers)
        pair = ice_of(peers.alice).get_selected_candidate_pair()
        assert pair is not None
        assert (pair.remote.type, pair.remote.address) == ("prflx", "10.0.0.2")
        remote, _ = await remote_stats(peers.alice)
        assert (remote.candidate_type, remote.address) == ("prflx", "10.0.0.2")


async def test_the_role_in_a_second_negotiation() -> None:
    configuration = RTCConfiguration(bundle_policy="max-bundle")
    async with channel_between(negotiated=False, configuration=configuration) as (mine, theirs, peers):
        await negotiate(peers.bob, peers.alice)
        assert ice_of(peers.alice).role == "controlling"
        await messages_pass(mine, theirs)
