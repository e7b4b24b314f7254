"""Connections with the candidates of both sides or of one (RFC 8838, RFC 8445 section 7.3.1.3)."""

import pytest
import trio

from tests.strategies.peers import connect, description_of, negotiate, two_peers
from trio_rtc import RTCIceCandidate, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def states_of(pc: RTCPeerConnection) -> list[str]:
    states: list[str] = [str(pc.ice_connection_state)]
    pc.on_ice_connection_state_change = lambda _: states.append(str(pc.ice_connection_state))
    return states


def candidates_of(pc: RTCPeerConnection) -> list[RTCIceCandidate]:
    """Return the list that an application fills with a peer's candidates."""
    candidates: list[RTCIceCandidate] = []

    def keep(event: object) -> None:
        candidate = getattr(event, "candidate", None)
        if candidate is not None:
            candidates.append(candidate)

    pc.on_ice_candidate = keep
    return candidates


def selected_types(pc: RTCPeerConnection) -> tuple[str | None, str | None]:
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    assert pair is not None
    return pair.local.type, pair.remote.type


async def test_both_sides_trickle() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        logs = [states_of(pc) for pc in (peers.alice, peers.bob)]
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        for states in logs:
            assert states[:3] == ["new", "checking", "connected"]


@pytest.mark.parametrize("known", ["offerer's", "answerer's"])
async def test_the_candidates_of_one_side_are_enough(known: str) -> None:
    """The side that they are not signaled to learns of peer-reflexive ones."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        logs = [states_of(pc) for pc in (alice, bob)]
        source, target = (alice, bob) if known == "offerer's" else (bob, alice)
        candidates = candidates_of(source)
        await negotiate(alice, bob)
        await source.gathering_complete()
        for candidate in candidates:
            await target.add_ice_candidate(candidate)
        await trio.sleep(2)
        assert selected_types(source) == ("host", "prflx")
        for states in logs:
            assert states[:3] == ["new", "checking", "connected"]


async def test_candidates_are_added_when_gathering_ends() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        candidates: list[RTCIceCandidate] = []

        async def add(event: object) -> None:
            candidate = getattr(event, "candidate", None)
            if candidate is not None:
                candidates.append(candidate)
            else:
                for each in candidates:
                    await alice.add_ice_candidate(each)

        bob.on_ice_candidate = add
        await negotiate(alice, bob)
        await trio.sleep(2)
        assert selected_types(bob) == ("host", "prflx")


async def test_all_candidates_are_added_after_the_descriptions() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        of_alice, of_bob = candidates_of(alice), candidates_of(bob)
        offer = await alice.create_offer()
        await alice.set_local_description(offer)
        await bob.set_remote_description(offer)
        answer = await bob.create_answer()
        await alice.gathering_complete()
        await bob.set_local_description(answer)
        for candidate in of_alice:
            await bob.add_ice_candidate(candidate)
        await bob.gathering_complete()
        await alice.set_remote_description(answer)
        for candidate in of_bob:
            await alice.add_ice_candidate(candidate)
        await trio.sleep(2)
        local, remote = selected_types(alice)
        assert local == "host"
        assert remote in ("host", "prflx")


@pytest.mark.parametrize("answering", [False, True])
async def test_no_candidate_before_set_local_description_returns(answering: bool) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        pc = peers.alice
        if answering:
            pc = peers.bob
            await pc.set_remote_description(description_of(peers.alice))
            early = candidates_of(pc)
            await pc.set_local_description(await pc.create_answer())
            assert early == []
        late = candidates_of(pc)
        await pc.gathering_complete()
        assert late
