"""Changes of a host's network: an ICE restart uses the new addresses without interrupting the channel."""

import pytest
import trio

from tests.strategies.peers import channel_pair, connect, negotiate, travelling_alice, trickle
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def hosts_of_candidates(pc: RTCPeerConnection) -> list[str]:
    assert pc.sctp is not None
    return sorted(
        str(candidate.address) for candidate in pc.sctp.transport.ice_transport.get_local_candidates()
    )


def host_in_use(pc: RTCPeerConnection) -> str | None:
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    return None if pair is None else pair.local.address


@pytest.mark.parametrize("restarting", ["alice", "bob"])
async def test_failover_to_the_other_interface(restarting: str) -> None:
    async with travelling_alice() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        assert hosts_of_candidates(peers.alice) == ["10.0.0.1", "100.64.0.1"]
        died = host_in_use(peers.alice)
        interface = "wlan0" if died == "10.0.0.1" else "wwan0"
        peers.hosts[0].set_interface(interface, up=False)
        await mine.send("said meanwhile")
        with trio.fail_after(5):
            await state_reached(peers.alice, "disconnected")
            await state_reached(peers.bob, "disconnected")
        offerer, answerer = (peers.alice, peers.bob) if restarting == "alice" else (peers.bob, peers.alice)
        offerer.restart_ice()
        with trio.fail_after(3):
            await connect(offerer, answerer)
            assert await theirs.receive() == "said meanwhile"
            await messages_pass(mine, theirs)
        assert host_in_use(peers.alice) != died
        assert len(hosts_of_candidates(peers.alice)) == 1
        assert [opened.local_address.host for opened in peers.hosts[0].open_sockets] == hosts_of_candidates(
            peers.alice
        )


async def test_the_host_moves_to_another_network() -> None:
    async with travelling_alice() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        for number in range(5):
            for host in hosts_of_candidates(peers.alice):
                peers.hosts[0].remove_address(str(host))
            peers.hosts[0].add_address("wlan0", f"10.1.{number}.1")
            await mine.send(f"{number}")
            peers.alice.restart_ice()
            with trio.fail_after(3):
                await connect(peers.alice, peers.bob)
                assert await theirs.receive() == f"{number}"
                await theirs.send("received")
                assert await mine.receive() == "received"
            assert hosts_of_candidates(peers.alice) == [f"10.1.{number}.1"]
            assert len(peers.hosts[0].open_sockets) == 1


async def test_a_later_interface_is_signaled_and_used() -> None:
    async with travelling_alice() as peers:
        peers.hosts[0].set_interface("wwan0", up=False)
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        assert hosts_of_candidates(peers.alice) == ["10.0.0.1"]
        peers.hosts[0].set_interface("wwan0", up=True)
        peers.alice.restart_ice()
        ends: list[str] = []
        trickle(peers.alice, peers.bob)
        peers.alice.add_event_listener(
            "ice_candidate",
            lambda event: ends.append(event.candidate.candidate if event.candidate else "None"),
        )
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(1)
        assert [line.split()[4] for line in ends[:-2]] == ["10.0.0.1", "100.64.0.1"]
        assert ends[-2:] == ["", "None"]
        peers.hosts[0].set_interface("wlan0", up=False)
        peers.alice.restart_ice()
        with trio.fail_after(3):
            await connect(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        assert host_in_use(peers.alice) == "100.64.0.1"


async def test_a_restart_without_changes_loses_no_message() -> None:
    async with travelling_alice() as peers, trio.open_nursery() as nursery:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        sockets = peers.hosts[0].open_sockets
        nursery.start_soon(messages_pass, mine, theirs, 300)
        for _ in range(3):
            peers.alice.restart_ice()
            await connect(peers.alice, peers.bob)
            await trio.sleep(0.3)
        assert peers.hosts[0].open_sockets == sockets


async def test_an_interface_that_flaps_needs_no_restart() -> None:
    async with travelling_alice() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        for _ in range(5):
            for interface in ("wlan0", "wwan0"):
                peers.hosts[0].set_interface(interface, up=False)
            await trio.sleep(3)
            for interface in ("wlan0", "wwan0"):
                peers.hosts[0].set_interface(interface, up=True)
            with trio.fail_after(5):
                await messages_pass(mine, theirs)
        await trio.sleep(2)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_a_host_without_addresses_for_some_time() -> None:
    """A restart without any address has no effect; the next one succeeds."""
    async with travelling_alice() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        for interface in ("wlan0", "wwan0"):
            peers.hosts[0].set_interface(interface, up=False)
        peers.alice.restart_ice()
        await connect(peers.alice, peers.bob)
        await trio.sleep(5)
        assert peers.hosts[0].open_sockets == ()
        peers.hosts[0].set_interface("wwan0", up=True)
        peers.alice.restart_ice()
        with trio.fail_after(4):
            await connect(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
