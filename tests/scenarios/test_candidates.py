"""Candidates: late, missing, early, with mDNS names; servers that do not answer; IPv6."""

import re
from collections.abc import Sequence

import attrs
import pytest
import trio

from tests.strategies.peers import channel_pair, connect, description_of, negotiate, settings_for, two_peers
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import (
    Address,
    Event,
    InvalidStateError,
    OperationError,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCPeerConnectionIceErrorEvent,
    RTCSessionDescription,
)
from trio_rtc.protocols.mdns import Responder, ResponderOptions
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

MDNS_GROUP = Address("224.0.0.251", 5353)


def local_candidates(pc: RTCPeerConnection) -> list[RTCIceCandidate]:
    assert pc.sctp is not None
    return pc.sctp.transport.ice_transport.get_local_candidates()


async def test_candidates_that_are_signaled_much_later() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(60)
        assert peers.alice.connection_state in {"new", "connecting"}
        for one, other in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            for candidate in local_candidates(one):
                await other.add_ice_candidate(candidate)
            await other.add_ice_candidate(None)
        with trio.fail_after(1):
            await channel.opened()


@pytest.mark.parametrize("knowing", ["alice", "bob"])
async def test_a_side_without_remote_candidates_learns_peer_reflexive_ones(knowing: str) -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(0.1)
        one, other = (peers.alice, peers.bob) if knowing == "alice" else (peers.bob, peers.alice)
        for candidate in local_candidates(other):
            await one.add_ice_candidate(candidate)
        with trio.fail_after(1):
            await channel.opened()
        assert other.sctp is not None
        pair = other.sctp.transport.ice_transport.get_selected_candidate_pair()
        assert pair is not None
        assert (pair.local.type, pair.remote.type) == ("host", "prflx")


async def test_descriptions_contain_all_candidates_without_trickling() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await trio.sleep(1)
        assert peers.alice.ice_gathering_state == "complete"
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await trio.sleep(1)
        assert peers.bob.local_description is not None
        assert "a=end-of-candidates" in peers.bob.local_description.sdp
        await peers.alice.set_remote_description(peers.bob.local_description)
        with trio.fail_after(1):
            await channel.opened()


async def test_a_connection_without_candidates_fails_after_end_of_candidates() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            await pc.add_ice_candidate(None)
        with trio.fail_after(20):
            await state_reached(peers.alice, "failed")
            await state_reached(peers.bob, "failed")


async def test_candidates_before_any_description_are_rejected_without_effect() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        line = "candidate:1 1 udp 2130706431 10.0.0.2 5000 typ host"
        with pytest.raises(InvalidStateError):
            await peers.alice.add_ice_candidate({"candidate": line, "sdpMid": "0"})
        await peers.alice.set_local_description()
        with pytest.raises(InvalidStateError):
            await peers.alice.add_ice_candidate({"candidate": line, "sdpMid": "0"})
        await peers.alice.set_local_description({"type": "rollback"})
        with trio.fail_after(2):
            await connect(peers.alice, peers.bob)
            await channel.opened()


@pytest.mark.parametrize(
    "candidate",
    [
        {"candidate": "candidate:nonsense", "sdpMid": "0"},
        {"candidate": "candidate:1 1 udp 1 10.0.0.2 99999 typ host", "sdpMid": "0"},
        {"candidate": "candidate:1 1 udp 1 10.0.0.2 5000 typ host\r\na=evil", "sdpMid": "0"},
        {"candidate": "candidate:1 1 udp 1 10.0.0.2 5000 typ host", "sdpMid": "no such section"},
        {"candidate": "candidate:1 1 udp 1 10.0.0.2 5000 typ host", "sdpMLineIndex": 9},
        {
            "candidate": "candidate:1 1 udp 1 10.0.0.2 5000 typ host",
            "sdpMid": "0",
            "usernameFragment": "unknown",
        },
    ],
)
async def test_invalid_candidates_are_rejected_and_the_connection_continues(
    candidate: dict[str, object],
) -> None:
    async with two_peers() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        with pytest.raises(OperationError):
            await peers.alice.add_ice_candidate(candidate)
        await messages_pass(mine, theirs)


async def test_unreachable_candidates_cost_little_time() -> None:
    """With hundreds of unreachable candidates before the working one, the table is bounded."""
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        for number in range(300):
            line = (
                f"candidate:{number} 1 udp {2130706431 - number} 10.9.{number >> 8}.{number & 255} 9 typ host"
            )
            await peers.alice.add_ice_candidate({"candidate": line, "sdpMid": "0"})
        for candidate in local_candidates(peers.alice):
            await peers.bob.add_ice_candidate(candidate)
        with trio.fail_after(2):
            await channel.opened()


class HiddenAddresses:
    """Replaces a host's addresses by ``.local`` names and answers mDNS queries for them, like browsers."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._responder = Responder(ResponderOptions())
        self._names: dict[str, str] = {}

    def hide(self, candidate: RTCIceCandidate) -> RTCIceCandidate:
        address = candidate.address
        if address is None:
            return candidate
        name = self._names.setdefault(address, f"0e0b2c3d-0000-4000-8000-{len(self._names):012}.local")
        self._responder.publish(name, [address], trio.current_time())
        return attrs.evolve(candidate, candidate=candidate.candidate.replace(address, name))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        interface = self._host.interface_addresses()[0]
        multicast = await self._host.open_multicast(interface, MDNS_GROUP)
        task_status.started()
        try:
            while True:
                with trio.move_on_at(self._responder.next_timer()):
                    for _, packets in await multicast.receive_batch():
                        self._responder.receive(packets, trio.current_time())
                self._responder.handle_timer(trio.current_time())
                await multicast.send_batch(self._responder.datagrams_to_send(trio.current_time()), MDNS_GROUP)
        finally:
            multicast.close()


@pytest.mark.parametrize("loss", [0.0, 0.3])
async def test_addresses_hidden_behind_mdns_names(loss: float) -> None:
    async with two_peers(link=Link(delay=0.005, loss=loss)) as peers, trio.open_nursery() as nursery:
        hidden = HiddenAddresses(peers.hosts[1])
        await nursery.start(hidden.run)
        channel = peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        assert peers.bob.local_description is not None
        answer = peers.bob.local_description
        without = re.sub(r"a=candidate:.*\r\n", "", answer.sdp)
        await peers.alice.set_remote_description({"type": "answer", "sdp": without})
        await trio.sleep(0.1)
        for candidate in local_candidates(peers.bob):
            named = hidden.hide(candidate)
            assert ".local" in named.candidate
            await peers.alice.add_ice_candidate(named)
        with trio.fail_after(10):
            await channel.opened()
        nursery.cancel_scope.cancel()


async def test_an_unresolvable_mdns_name_causes_no_delay() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        line = "candidate:1 1 udp 2130706431 0e0b2c3d-0000-4000-8000-000000000000.local 5000 typ host"
        await peers.alice.add_ice_candidate({"candidate": line, "sdpMid": "0"})
        for candidate in local_candidates(peers.alice):
            await peers.bob.add_ice_candidate(candidate)
        with trio.fail_after(1):
            await channel.opened()


def with_servers(*urls: str) -> RTCConfiguration:
    return RTCConfiguration(ice_servers=[RTCIceServer(urls=list(urls))])


async def test_unresponsive_servers_cause_no_delay_but_an_error_event() -> None:
    urls = ("stun:10.66.66.66", "stun:no-such-name.example", "stun:10.0.0.2:9")
    async with two_peers(configuration=with_servers(*urls)) as peers:
        errors: list[RTCPeerConnectionIceErrorEvent] = []
        peers.alice.on_ice_candidate_error = errors.append
        with trio.fail_after(1):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        assert peers.alice.ice_gathering_state == "gathering"
        await trio.sleep(10)
        assert peers.alice.ice_gathering_state == "complete"
        assert sorted((error.url, error.error_code) for error in errors) == sorted((url, 701) for url in urls)
        assert [candidate.type for candidate in local_candidates(peers.alice)] == ["host"]


async def test_ipv6_only() -> None:
    async with SimulatedNetwork() as network:
        network.add_stun_server("stun.example", ["2001:db8::53", "198.51.100.1"])
        hosts = network.add_host("alice", ["2001:db8::1"]), network.add_host("bob", ["2001:db8::2"])
        async with (
            RTCPeerConnection(with_servers("stun:stun.example"), settings=settings_for(hosts[0], 0)) as alice,
            RTCPeerConnection(with_servers("stun:stun.example"), settings=settings_for(hosts[1], 1)) as bob,
        ):
            with trio.fail_after(1):
                mine, theirs = await channel_pair(alice, bob)
                await messages_pass(mine, theirs)
            assert {candidate.address for candidate in local_candidates(alice)} == {"2001:db8::1"}


async def test_ipv6_is_preferred_and_ipv4_is_the_fallback() -> None:
    for broken in (False, True):
        async with SimulatedNetwork() as network:
            addresses: Sequence[Sequence[str]] = (["10.0.0.1", "2001:db8::1"], ["10.0.0.2", "2001:db8::2"])
            hosts = network.add_host("alice", addresses[0]), network.add_host("bob", addresses[1])
            if broken:
                network.drop_next(lambda packet: ":" in packet.destination.host, count=10**9)
            async with (
                RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice,
                RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob,
            ):
                with trio.fail_after(2):
                    mine, theirs = await channel_pair(alice, bob)
                    await messages_pass(mine, theirs)
                assert alice.sctp is not None
                pair = alice.sctp.transport.ice_transport.get_selected_candidate_pair()
                assert pair is not None
                assert pair.local.address == ("10.0.0.1" if broken else "2001:db8::1")


async def negotiate_with_a_dead_candidate(alice: RTCPeerConnection, bob: RTCPeerConnection) -> list[str]:
    """Negotiate a channel, signal one address without a host to each side, and return the list of Alice's states.

    The list grows: times and states of the connection and of ICE.
    """
    states: list[str] = []

    def record(event: Event) -> None:
        at = round(trio.current_time() - start, 1)
        states.append(f"{at} {event.type} {alice.ice_connection_state} {alice.connection_state}")

    alice.on_ice_connection_state_change = alice.on_connection_state_change = record
    await negotiate(alice, bob)
    start = trio.current_time()
    for pc in (alice, bob):
        await pc.add_ice_candidate(
            RTCIceCandidate("candidate:1 1 udp 99 10.9.9.9 2000 typ host", sdp_m_line_index=0)
        )
    return states


NOT_CONNECTED = [
    "0.0 ice_connection_state_change checking connecting",
    "0.0 connection_state_change checking connecting",
    "15.0 ice_connection_state_change disconnected disconnected",
    "15.0 connection_state_change disconnected disconnected",
]


async def test_a_connection_fails_30_seconds_after_disconnected_without_end_of_candidates() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        states = await negotiate_with_a_dead_candidate(peers.alice, peers.bob)
        await trio.sleep(100)
        assert states == [
            *NOT_CONNECTED,
            "45.0 ice_connection_state_change failed failed",
            "45.0 connection_state_change failed failed",
        ]


async def test_late_candidates_connect_a_disconnected_connection() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        states = await negotiate_with_a_dead_candidate(alice, bob)
        await trio.sleep(40)
        for one, other in ((alice, bob), (bob, alice)):
            for candidate in local_candidates(one):
                await other.add_ice_candidate(candidate)
        with trio.fail_after(1):
            await channel.opened()
        assert states == [
            *NOT_CONNECTED,
            "40.0 ice_connection_state_change checking connecting",
            "40.0 connection_state_change checking connecting",
            "40.0 ice_connection_state_change connected connecting",
            "40.1 connection_state_change connected connected",
        ]


async def test_an_ice_restart_connects_a_disconnected_connection() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        states = await negotiate_with_a_dead_candidate(alice, bob)
        await trio.sleep(40)
        alice.restart_ice()
        await connect(alice, bob)
        with trio.fail_after(1):
            await channel.opened()
        assert [state.split(" ", 1)[1] for state in states[len(NOT_CONNECTED) :]] == [
            "ice_connection_state_change checking connecting",
            "connection_state_change checking connecting",
            "ice_connection_state_change connected connecting",
            "ice_connection_state_change completed connecting",
            "connection_state_change completed connected",
        ]


async def test_a_description_without_trickle_contains_all_candidates() -> None:
    """W3C webrtc section 5.6.4: ``canTrickleIceCandidates`` that is false indicates the end of candidates."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        answer = description_of(bob)
        await alice.set_remote_description(
            RTCSessionDescription("answer", answer.sdp.replace("a=ice-options:trickle ice2\r\n", ""))
        )
        assert alice.can_trickle_ice_candidates is False
        with trio.fail_after(6):
            await state_reached(alice, "failed")


async def test_disjoint_address_families_fail() -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["2001:db8::2"])
        async with (
            RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob,
        ):
            alice.create_data_channel("chat")
            await connect(alice, bob)
            with trio.fail_after(20):
                await state_reached(alice, "failed")
                await state_reached(bob, "failed")


async def test_a_host_without_any_address() -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", []), network.add_host("bob", ["10.0.0.2"])
        async with (
            RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob,
        ):
            alice.create_data_channel("chat")
            await connect(alice, bob)
            with trio.fail_after(20):
                await state_reached(alice, "failed")
                await state_reached(bob, "failed")
            assert alice.ice_gathering_state == "complete"
