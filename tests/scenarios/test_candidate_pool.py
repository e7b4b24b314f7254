"""The candidate pool (RFC 9429 section 3.5.5): candidates gathered before a description needs them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import Peers, connect, description_of, negotiate, settings_for
from tests.strategies.scenarios import messages_pass
from trio_rtc import Event, RTCConfiguration, RTCIceServer, RTCPeerConnection
from trio_rtc.testing import Link, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

SERVERS = {"stun.example": "198.51.100.1", "other.example": "198.51.100.2"}
RESPONSE_TIME = 0.3
MAX_TRANSPORTS = 16


def pooling(size: int, server: str = "stun.example", **members: str) -> RTCConfiguration:
    return RTCConfiguration(
        ice_servers=[RTCIceServer(f"stun:{server}")],
        ice_candidate_pool_size=size,
        **members,  # type: ignore[arg-type]
    )


@asynccontextmanager
async def pooling_peers(size: int = 1, **members: str) -> AsyncIterator[Peers]:
    """Open two peers behind NATs with a candidate pool; STUN servers respond after ``RESPONSE_TIME``."""
    async with SimulatedNetwork(link=Link(delay=0.01)) as network:
        for name, address in SERVERS.items():
            network.add_stun_server(name, [address])
        hosts = []
        for number, name in enumerate(("alice", "bob")):
            nat = network.add_nat(f"nat of {name}", kind="full_cone", public=f"203.0.113.{number + 1}")
            hosts.append(network.add_host(name, [f"192.168.{number}.2"], behind=nat))
            for server in SERVERS:
                network.set_link(name, server, Link(delay=RESPONSE_TIME))
        configuration = pooling(size, **members)
        async with (
            RTCPeerConnection(configuration, settings=settings_for(hosts[0], 0)) as alice,
            RTCPeerConnection(configuration, settings=settings_for(hosts[1], 1)) as bob,
        ):
            yield Peers(network, (hosts[0], hosts[1]), alice, bob)
        assert [host.open_sockets for host in hosts] == [(), ()]


def record_gathering(pc: RTCPeerConnection) -> list[str]:
    """Return a list that grows by the types of candidates and the gathering states."""
    log: list[str] = []
    pc.on_ice_candidate = lambda event: log.append(str(event.candidate.type if event.candidate else None))

    def record_state(_: Event) -> None:
        log.append(pc.ice_gathering_state)

    pc.on_ice_gathering_state_change = record_state
    return log


@pytest.mark.parametrize("size", [0, 1])
async def test_the_first_offer_reports_the_candidates_of_the_pool_at_once(size: int) -> None:
    async with pooling_peers(size) as peers:
        log = record_gathering(peers.alice)
        await trio.sleep(1)
        assert len(peers.hosts[0].open_sockets) == size
        assert log == []
        assert peers.alice.ice_gathering_state == "new"
        peers.alice.create_data_channel("chat")
        offer = await peers.alice.create_offer()
        assert "a=candidate" not in offer.sdp
        await peers.alice.set_local_description(offer)
        assert "a=candidate" not in description_of(peers.alice).sdp
        began = trio.current_time()
        await peers.alice.gathering_complete()
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["gathering", "host", "srflx", "None", "complete", "None"]
        assert (trio.current_time() - began < 0.01) == bool(size)
        assert description_of(peers.alice).sdp.count("a=candidate") == 2


async def test_the_answerer_uses_its_pool() -> None:
    async with pooling_peers() as peers:
        await trio.sleep(1)
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        log = record_gathering(peers.bob)
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.create_answer()
        await trio.sleep(1)
        assert log == []
        await peers.bob.set_local_description()
        began = trio.current_time()
        await peers.bob.gathering_complete()
        assert trio.current_time() - began < 0.01


async def test_a_pool_that_is_still_gathering_goes_on() -> None:
    async with pooling_peers() as peers:
        peers.alice.create_data_channel("chat")
        await trio.sleep(RESPONSE_TIME / 2)
        log = record_gathering(peers.alice)
        await peers.alice.set_local_description()
        began = trio.current_time()
        await trio.sleep(0.01)
        assert log == ["gathering", "host"]
        await peers.alice.gathering_complete()
        assert trio.current_time() - began < RESPONSE_TIME


async def test_peers_with_pools_connect_in_less_time() -> None:
    async def connection_time(size: int) -> float:
        async with pooling_peers(size) as peers:
            await trio.sleep(1)
            began = trio.current_time()
            async with peers.bob.subscribe("data_channel") as announced:
                mine = peers.alice.create_data_channel("chat")
                await connect(peers.alice, peers.bob)
                theirs = (await announced.receive()).channel
            await mine.opened()
            took = trio.current_time() - began
            await messages_pass(mine, theirs)
            return took

    assert await connection_time(0) - await connection_time(1) > RESPONSE_TIME / 2


@pytest.mark.parametrize("policy", ["balanced", "max-compat"])
async def test_each_transport_of_the_offer_is_from_the_pool(policy: str) -> None:
    async with pooling_peers(3, bundle_policy=policy) as peers:
        alice = peers.alice
        await trio.sleep(1)
        pooled = peers.hosts[0].open_sockets
        assert len(pooled) == 3
        alice.add_transceiver("audio")
        alice.add_transceiver("video")
        alice.create_data_channel("chat")
        await alice.set_local_description()
        began = trio.current_time()
        await alice.gathering_complete()
        assert trio.current_time() - began < 0.01
        assert set(peers.hosts[0].open_sockets) == set(pooled)
        assert description_of(alice).sdp.count("typ srflx") == 3


async def test_the_transports_that_the_first_negotiation_does_not_need_are_closed() -> None:
    async with pooling_peers(4) as peers:
        peers.alice.create_data_channel("chat")
        await trio.sleep(1)
        assert [len(host.open_sockets) for host in peers.hosts] == [4, 4]
        await connect(peers.alice, peers.bob)
        await trio.sleep(5)
        assert [len(host.open_sockets) for host in peers.hosts] == [1, 1]
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_the_pool_is_bounded() -> None:
    async with pooling_peers(255) as peers:
        await trio.sleep(1)
        assert len(peers.hosts[0].open_sockets) == MAX_TRANSPORTS


async def test_a_pool_that_is_not_used_ends_with_the_connection() -> None:
    async with pooling_peers(3) as peers:
        await trio.sleep(0.1)
        assert len(peers.hosts[0].open_sockets) == 3


async def test_a_changed_size_opens_and_closes_transports() -> None:
    async with pooling_peers(2) as peers:
        for size in (5, 1, 3):
            peers.alice.set_configuration(pooling(size))
            await trio.sleep(5)
            assert len(peers.hosts[0].open_sockets) == size


async def test_changed_servers_replace_the_candidates_of_the_pool() -> None:
    async with pooling_peers(2, bundle_policy="max-bundle") as peers:
        alice = peers.alice
        peers.network.set_link("alice", "stun.example", Link(loss=1))
        alice.set_configuration(pooling(2, "other.example", bundle_policy="max-bundle"))
        errors: list[str] = []
        urls: set[str | None] = set()
        alice.on_ice_candidate = lambda event: urls.add(event.url)
        alice.on_ice_candidate_error = lambda event: errors.append(event.url)
        await trio.sleep(1)
        alice.create_data_channel("chat")
        await alice.set_local_description()
        began = trio.current_time()
        await alice.gathering_complete()
        assert trio.current_time() - began < 0.01
        assert urls == {None, "stun:other.example"}
        await trio.sleep(60)
        assert errors == []


async def test_a_changed_policy_applies_to_the_pool() -> None:
    async with pooling_peers() as peers:
        alice = peers.alice
        await trio.sleep(1)
        alice.set_configuration(pooling(1, ice_transport_policy="relay"))
        alice.create_data_channel("chat")
        log = record_gathering(alice)
        await alice.set_local_description()
        await trio.sleep(1)
        assert "host" not in log
        assert "srflx" not in log


async def test_a_rolled_back_offer_and_the_pool() -> None:
    async with pooling_peers(2) as peers:
        alice = peers.alice
        channel = alice.create_data_channel("chat")
        await trio.sleep(1)
        for _ in range(3):
            await alice.set_local_description()
            await trio.sleep(0.01)
            await alice.set_local_description({"type": "rollback", "sdp": ""})
        await connect(alice, peers.bob)
        with trio.fail_after(2):
            await channel.opened()
        await trio.sleep(5)
        assert [len(host.open_sockets) for host in peers.hosts] == [1, 1]


async def test_there_is_no_pool_after_the_first_negotiation() -> None:
    async with pooling_peers(1) as peers:
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await trio.sleep(5)
        configuration = peers.alice.get_configuration()
        servers = [RTCIceServer("stun:other.example")]
        peers.alice.set_configuration(attrs.evolve(configuration, ice_servers=servers))
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(1)
        assert len(peers.hosts[0].open_sockets) == 1
