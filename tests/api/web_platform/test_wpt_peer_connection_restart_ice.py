"""``restart_ice``: when negotiation is needed, and which offers have new credentials (W3C webrtc section 4.4.2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.media import ENCODED, media_peers
from tests.strategies.peers import Peers, connect, description_of, negotiate, two_peers
from trio_rtc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


@attrs.define
class Restarting:
    """Two negotiated peers with audio, and how often Alice needed negotiation since then."""

    peers: Peers
    needed: list[str] = attrs.field(factory=list)
    before: tuple[str, str] = ("", "")

    def fragments(self) -> tuple[str, str]:
        return fragment_of(self.peers.alice), fragment_of(self.peers.bob)

    async def needs_negotiation(self) -> bool:
        """Return whether the event was fired since the last call."""
        await trio.testing.wait_all_tasks_blocked()
        found = bool(self.needed)
        self.needed.clear()
        return found


def fragment_of(pc: RTCPeerConnection) -> str:
    return description_of(pc).sdp.split("a=ice-ufrag:")[1].split("\r\n")[0]


@asynccontextmanager
async def negotiated() -> AsyncIterator[Restarting]:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        state = Restarting(peers)
        await trio.testing.wait_all_tasks_blocked()
        peers.alice.on_negotiation_needed = lambda event: state.needed.append(event.type)
        state.before = state.fragments()
        yield state


async def negotiate_ending_at_answerer(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    await offerer.set_local_description()
    await answerer.set_remote_description(description_of(offerer))
    answer = await answerer.create_answer()
    await offerer.set_remote_description(answer)
    await answerer.set_local_description(answer)


async def test_no_effect_after_close() -> None:
    async with negotiated() as state:
        state.peers.alice.close()
        state.peers.alice.restart_ice()
        assert not await state.needs_negotiation()


async def test_no_effect_before_and_on_the_first_negotiation() -> None:
    async with media_peers() as peers:
        state = Restarting(peers)
        alice = peers.alice
        alice.on_negotiation_needed = lambda event: state.needed.append(event.type)
        alice.restart_ice()
        assert not await state.needs_negotiation()
        alice.add_transceiver("audio")
        assert await state.needs_negotiation()
        alice.restart_ice()
        await negotiate(alice, peers.bob)
        assert not await state.needs_negotiation()


async def test_new_credentials_in_the_next_negotiation_only() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        await negotiate(alice, bob)
        assert state.fragments() == state.before
        alice.restart_ice()
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        restarted = state.fragments()
        assert not {*restarted} & {*state.before}
        assert not await state.needs_negotiation()
        await negotiate(alice, bob)
        assert state.fragments() == restarted


async def test_dtls_transports_stay() -> None:
    configuration = RTCConfiguration(bundle_policy="max-bundle")
    async with two_peers(configuration=configuration, settings=ENCODED) as peers:
        alice = peers.alice
        transceivers = [alice.add_transceiver(kind) for kind in ("video", "audio")]
        await connect(alice, peers.bob)
        await trio.sleep(1)
        before = [each.sender.transport for each in transceivers]
        assert before[0] is not None
        assert before[0].state == "connected"
        alice.on_ice_candidate = peers.bob.on_ice_candidate = None
        await negotiate(alice, peers.bob)
        assert [each.sender.transport for each in transceivers] == before
        alice.restart_ice()
        await negotiate(alice, peers.bob)
        assert [each.sender.transport for each in transceivers] == before


async def test_in_have_local_offer_it_follows_the_negotiation() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        await alice.set_local_description()
        alice.restart_ice()
        assert not await state.needs_negotiation()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        assert state.fragments() == state.before
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        assert not {*state.fragments()} & {*state.before}
        assert not await state.needs_negotiation()


async def test_in_the_first_have_local_offer() -> None:
    async with media_peers() as peers:
        state = Restarting(peers)
        alice, bob = peers.alice, peers.bob
        alice.add_transceiver("audio")
        await alice.set_local_description()
        alice.on_negotiation_needed = lambda event: state.needed.append(event.type)
        alice.restart_ice()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        before = state.fragments()
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        assert not {*state.fragments()} & {*before}
        assert not await state.needs_negotiation()


async def test_in_have_remote_offer_it_follows_the_negotiation() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        alice.restart_ice()
        answer = await alice.create_answer()
        await bob.set_remote_description(answer)
        await alice.set_local_description(answer)
        assert state.fragments() == state.before
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        assert not {*state.fragments()} & {*state.before}
        assert not await state.needs_negotiation()


async def test_in_the_first_have_remote_offer_it_has_no_effect() -> None:
    async with media_peers() as peers:
        state = Restarting(peers)
        alice, bob = peers.alice, peers.bob
        alice.on_negotiation_needed = lambda event: state.needed.append(event.type)
        bob.add_transceiver("audio")
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        alice.restart_ice()
        answer = await alice.create_answer()
        await bob.set_remote_description(answer)
        await alice.set_local_description(answer)
        assert not await state.needs_negotiation()


async def test_it_outlives_an_offer_of_the_peer() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        alice.restart_ice()
        assert await state.needs_negotiation()
        await negotiate_ending_at_answerer(bob, alice)
        assert state.fragments() == state.before
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        assert not {*state.fragments()} & {*state.before}
        assert not await state.needs_negotiation()


async def test_a_restart_by_the_peer_fulfils_it() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        alice.restart_ice()
        bob.restart_ice()
        assert await state.needs_negotiation()
        await negotiate_ending_at_answerer(bob, alice)
        restarted = state.fragments()
        assert not {*restarted} & {*state.before}
        assert not await state.needs_negotiation()
        await negotiate(alice, bob)
        assert state.fragments() == restarted


async def test_an_offer_without_ice_restart_restarts_nevertheless() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        alice.restart_ice()
        await alice.set_local_description(await alice.create_offer(ice_restart=False))
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        assert not {*state.fragments()} & {*state.before}


async def test_it_outlives_a_rollback() -> None:
    async with negotiated() as state:
        alice, bob = state.peers.alice, state.peers.bob
        alice.restart_ice()
        assert await state.needs_negotiation()
        await alice.set_local_description()
        await alice.set_local_description(RTCSessionDescription("rollback"))
        assert await state.needs_negotiation()
        await negotiate(alice, bob)
        assert not {*state.fragments()} & {*state.before}
        assert not await state.needs_negotiation()
