"""Failure of one of two paths during a call: data and video move to the other one without an ICE restart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.metered_calls import FRAME_RATE, metered_call
from tests.strategies.peers import Peers, channel_pair, travelling_alice, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc import RTCDataChannel, RTCPeerConnection
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import Drop, Link, Packet, Pass

pytestmark = pytest.mark.usefixtures("autojump_clock")

SECONDS_TO_SWITCH = 8.0
LINKS = {"near": Link(delay=0.005), "far": Link(delay=0.1), "lossy": Link(delay=0.05, loss=0.02)}
roles = pytest.mark.parametrize("offerer", ["alice", "bob"])


@attrs.define
class DeadFamilies:
    """A filter that drops the packets of some address families.

    Attributes:
        families: The families, 4 and 6.
        sender: The host whose packets are dropped, None for both.
    """

    families: set[int] = attrs.field(factory=set)
    sender: str | None = None

    def __call__(self, packet: Packet) -> Pass | Drop:
        dead = family_of(packet.source) in self.families and self.sender in (None, packet.sender)
        return Drop() if dead else Pass()


def family_of(address: Address) -> int:
    return 6 if ":" in address.host else 4


def host_in_use(pc: RTCPeerConnection) -> str | None:
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    return None if pair is None else str(pair.local.address)


def family_in_use(pc: RTCPeerConnection) -> int:
    return 6 if ":" in str(host_in_use(pc)) else 4


@attrs.define
class ConnectedPeers:
    """Two connected peers with a channel, whose states are recorded."""

    peers: Peers
    channels: tuple[RTCDataChannel, RTCDataChannel]
    dead: DeadFamilies
    states: dict[str, list[str]] = attrs.field(factory=lambda: {"alice": [], "bob": []})
    switches: int = 0

    @property
    def connections(self) -> tuple[RTCPeerConnection, RTCPeerConnection]:
        return self.peers.alice, self.peers.bob

    def record(self) -> None:
        """Record states and selected pairs from now on."""
        self.peers.network.add_filter(self.dead)
        for name, pc in zip(self.states, self.connections, strict=True):
            pc.on_connection_state_change = lambda _, name=name, pc=pc: self.states[name].append(
                pc.connection_state.value
            )
            assert pc.sctp is not None
            pc.sctp.transport.ice_transport.on_selected_candidate_pair_change = self._count

    def _count(self, _: object) -> None:
        self.switches += 1

    async def seconds_until_messages_pass(self) -> float:
        """Return the seconds until messages have arrived in both directions."""
        began = trio.current_time()
        with trio.fail_after(SECONDS_TO_SWITCH):
            await messages_pass(*self.channels)
        return trio.current_time() - began


@asynccontextmanager
async def connected_peers(*, offerer: str, link: Link, seed: int = 0) -> AsyncIterator[ConnectedPeers]:
    """Connect two peers with both address families; the offerer controls."""
    async with two_peers(seed=seed, link=link, dual_stack=True) as peers:
        pcs = (peers.alice, peers.bob) if offerer == "alice" else (peers.bob, peers.alice)
        talk = ConnectedPeers(peers, await channel_pair(*pcs), DeadFamilies())
        await trio.sleep(5 + seed)
        talk.record()
        yield talk


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("seed", range(3))
@roles
async def test_data_moves_to_the_other_address_family(offerer: str, link: str, seed: int) -> None:
    async with connected_peers(offerer=offerer, link=LINKS[link], seed=seed) as talk:
        died = family_in_use(talk.peers.alice)
        talk.dead.families = {died}
        seconds = await talk.seconds_until_messages_pass()
        assert 1 < seconds < SECONDS_TO_SWITCH
        for pc in talk.connections:
            assert family_in_use(pc) == 10 - died
        await trio.sleep(60)
        # The controlled agent may follow the nomination before it has noticed the failure.
        controlling, controlled = (offerer, "bob" if offerer == "alice" else "alice")
        assert talk.states[controlling] == ["disconnected", "connected"]
        assert talk.states[controlled] in ([], ["disconnected", "connected"])
        assert talk.switches == 2


@roles
async def test_data_moves_back_when_the_first_family_has_returned_in_time(offerer: str) -> None:
    async with connected_peers(offerer=offerer, link=LINKS["far"]) as talk:
        died = family_in_use(talk.peers.alice)
        for dead in (died, 10 - died, died):
            talk.dead.families = {dead}
            await talk.seconds_until_messages_pass()
            await trio.sleep(5)
            talk.dead.families = set()
            await trio.sleep(20)
            for pc in talk.connections:
                assert family_in_use(pc) == 10 - dead
                assert pc.connection_state == "connected"
        assert talk.switches == 6


@pytest.mark.parametrize("silent", ["alice", "bob"])
@roles
async def test_data_moves_when_one_direction_is_dead(offerer: str, silent: str) -> None:
    async with connected_peers(offerer=offerer, link=LINKS["far"]) as talk:
        died = family_in_use(talk.peers.alice)
        talk.dead.families, talk.dead.sender = {died}, silent
        await talk.seconds_until_messages_pass()
        await trio.sleep(10)
        for pc in talk.connections:
            assert family_in_use(pc) == 10 - died
        assert talk.switches == 2


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("outage", [1.5, 4.5, 6.0, 9.0, 20.0])
@roles
async def test_an_outage_of_both_families_keeps_the_pair(offerer: str, link: str, outage: float) -> None:
    async with connected_peers(offerer=offerer, link=LINKS[link]) as talk:
        for _ in range(3):
            talk.dead.families = {4, 6}
            await trio.sleep(outage)
            talk.dead.families = set()
            await trio.sleep(15)
            await messages_pass(*talk.channels)
        assert talk.switches == 0
        for states in talk.states.values():
            assert states == ["disconnected", "connected"] * (len(states) // 2)
            assert len(states) <= 6


@pytest.mark.parametrize("offers", [True, False], ids=["alice-offers", "bob-offers"])
async def test_data_moves_to_the_other_interface(offers: bool) -> None:
    """Alice's interface loses its network but keeps its address, so that the host does not notice."""
    async with travelling_alice(Link(delay=0.02)) as peers:
        alice, bob = peers.alice, peers.bob
        channels = await channel_pair(*((alice, bob) if offers else (bob, alice)))
        await trio.sleep(5)
        died = host_in_use(alice)

        def drop(packet: Packet) -> Pass | Drop:
            return Drop() if died in (packet.source.host, packet.destination.host) else Pass()

        peers.network.add_filter(drop)
        with trio.fail_after(SECONDS_TO_SWITCH):
            await messages_pass(*channels)
        assert host_in_use(alice) != died
        assert host_in_use(alice) is not None


async def test_video_resumes_on_the_other_family() -> None:
    link = Link(delay=0.03, rate=2_000_000, queue=40_000)
    async with metered_call(link=link, audio=False, dual_stack=True) as call:
        await trio.sleep(10)
        dead = DeadFamilies({6})
        began = trio.current_time()
        call.peers.network.add_filter(dead)
        await trio.sleep(20)
        assert 1 < call.video.longest_stall(began, began + 20) < SECONDS_TO_SWITCH
        settled = call.video.between(began + 12, began + 20)
        assert len(settled) >= 0.97 * 8 * FRAME_RATE
