"""Many connections on one UDP port."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.scenarios import messages_pass
from trio_rtc import RTCPeerConnection, Settings, UdpMux, UdpMuxOptions, UnknownCheck
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    GatheringCompleted,
    IceEvent,
    IceOptions,
    IceRole,
    LocalCandidateGathered,
)
from trio_rtc.protocols.stun import AttributeType, Message, MessageClass, StunAttribute, binding_request
from trio_rtc.protocols.turn import TurnOptions
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork, SimulatedSocket
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import IceTransport
from trio_rtc.transports.port_allocator import PortAllocator
from trio_rtc.transports.turn import TurnClient
from trio_rtc.transports.udp_mux import MuxSocket, find_username

pytestmark = pytest.mark.usefixtures("autojump_clock")

PORT = 3478
SERVER = Address("192.0.2.1", PORT)


@attrs.define
class Scene:
    """A multiplexer on a server, and a client's host."""

    network: SimulatedNetwork
    server: SimulatedHost
    client: SimulatedHost
    mux: UdpMux

    async def client_socket(self) -> SimulatedSocket:
        return await self.client.bind_udp(self.client.interface_addresses()[0])

    async def server_socket(self) -> MuxSocket:
        (interface,) = self.mux.interface_addresses()
        return await self.mux.bind_udp(interface)


@asynccontextmanager
async def scene(options: UdpMuxOptions | None = None, *, ipv6: bool = False) -> AsyncIterator[Scene]:
    network = SimulatedNetwork(link=Link(delay=0.01), granularity=0)
    server = network.add_host("server", [SERVER.host, *(["2001:db8::1"] if ipv6 else [])])
    client = network.add_host("client", ["192.0.2.2", *(["2001:db8::2"] if ipv6 else [])])
    async with network, UdpMux(PORT, network=server, options=options) as mux:
        yield Scene(network, server, client, mux)
    assert network.open_sockets == []


def check(username: str = "ours:theirs", number: int = 0) -> bytes:
    attribute = StunAttribute(AttributeType.USERNAME, username.encode())
    return binding_request(number.to_bytes(12, "big"), [attribute]).encode(key=b"password")


# -- whole connections -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
async def test_connections_of_one_port(ipv6: bool) -> None:
    async with scene(ipv6=ipv6) as there:
        async with trio.open_nursery() as nursery:

            async def use(number: int) -> None:
                server_settings = attrs.evolve(settings_for(there.server, number), network=there.mux)
                async with (
                    RTCPeerConnection(settings=server_settings) as server,
                    RTCPeerConnection(settings=settings_for(there.client, 100 + number)) as client,
                ):
                    ours, theirs = await channel_pair(server, client)
                    for _ in range(3):
                        await messages_pass(ours, theirs)
                        await messages_pass(theirs, ours)
                        await trio.sleep(20)
                    assert server.sctp is not None
                    pair = server.sctp.transport.ice_transport.get_selected_candidate_pair()
                    assert pair is not None
                    assert pair.local.port == PORT

            for number in range(8):
                nursery.start_soon(use, number)
        assert there.mux.entries == 0
        assert there.mux.overflowed == 0


@pytest.mark.parametrize("by_server", [True, False])
async def test_an_ice_restart_on_a_shared_port(by_server: bool) -> None:
    async with scene() as there:
        server_settings = attrs.evolve(settings_for(there.server, 1), network=there.mux)
        async with (
            RTCPeerConnection(settings=server_settings) as server,
            RTCPeerConnection(settings=settings_for(there.client, 2)) as client,
        ):
            ours, theirs = await channel_pair(server, client)
            first, second = (server, client) if by_server else (client, server)
            for _ in range(3):
                first.restart_ice()
                await connect(first, second)
                await trio.sleep(10)
                await messages_pass(ours, theirs)
                assert server.connection_state == "connected"
        assert there.mux.entries == 0


async def test_two_multiplexers_connect_with_each_other() -> None:
    async with scene() as there, UdpMux(PORT, network=there.client) as other:
        async with (
            RTCPeerConnection(
                settings=attrs.evolve(settings_for(there.server, 1), network=there.mux)
            ) as server,
            RTCPeerConnection(settings=attrs.evolve(settings_for(there.client, 2), network=other)) as client,
        ):
            ours, theirs = await channel_pair(server, client)
            await messages_pass(ours, theirs)
        assert there.mux.entries == other.entries == 0


class IceSide:
    """An ICE transport without layers above it."""

    def __init__(self, network: UdpMux | SimulatedHost, role: IceRole, seed: int) -> None:
        self.agent = Agent(IceOptions(), rng=random.Random(seed), role=role)
        self.peer: IceSide | None = None
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), Inbox[list[bytes]](), self._handle)
        self.allocator = PortAllocator(
            self.ice, network, Settings(), TurnClient(TurnOptions(), network=network, rng=random.Random(seed))
        )

    def _handle(self, event: IceEvent) -> None:
        assert self.peer is not None
        now = trio.current_time()
        if isinstance(event, LocalCandidateGathered):
            self.peer.agent.add_remote_candidate(Candidate.parse(event.candidate.to_sdp()), now)
        elif isinstance(event, GatheringCompleted):
            self.peer.agent.remote_candidates_complete(now)
        self.peer.ice.wake()


async def test_a_thousand_connections_come_and_go_without_a_trace() -> None:
    """Ten at a time, without DTLS: no socket, table entry or task remains, and each is connected."""
    async with scene() as there:
        connected = 0

        async def use(number: int) -> None:
            nonlocal connected
            sides = [
                IceSide(there.mux, IceRole.CONTROLLED, 2 * number),
                IceSide(there.client, IceRole.CONTROLLING, 2 * number + 1),
            ]
            async with trio.open_nursery() as nursery:
                for side, peer in (sides, sides[::-1]):
                    side.peer = peer
                    side.agent.set_remote_parameters(peer.agent.local_parameters, trio.current_time())
                    nursery.start_soon(side.ice.run)
                    nursery.start_soon(side.allocator.run, nursery, ())
                await trio.sleep(1)
                connected += all(side.agent.selected_pair is not None for side in sides)
                for side in sides:
                    side.allocator.close_sockets()
                nursery.cancel_scope.cancel()

        for batch in range(100):
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(use, 10 * batch + number)
        assert connected == 1000
        assert there.mux.entries == 0
        assert len(there.network.open_sockets) == 1


# -- distribution ------------------------------------------------------------------------------------------------


async def test_checks_are_distributed_by_username_fragment() -> None:
    async with scene() as there:
        first, second = await there.server_socket(), await there.server_socket()
        first.set_username_fragment("first")
        second.set_username_fragment("second")
        client = await there.client_socket()
        packets = [check("second:x"), check("first:x"), check("third:x"), check("first"), b"\x16data", b""]
        client.send_nowait(packets, SERVER)
        await trio.sleep(1)
        assert await first.receive_batch() == [(client.local_address, [packets[1], packets[3]])]
        assert await second.receive_batch() == [(client.local_address, [packets[0]])]
        assert there.mux.unknown == 1
        for opened in (first, second, client):
            opened.close()


async def test_other_packets_belong_to_the_connection_that_has_accepted_their_source() -> None:
    async with scene() as there:
        first, second = await there.server_socket(), await there.server_socket()
        client = await there.client_socket()
        source = client.local_address
        first.accept_source(source, trio.current_time())
        # A check with a forged source does not take over the packets of the first connection.
        second.accept_source(source, trio.current_time())
        keepalive = Message(1, MessageClass.INDICATION, bytes(12)).encode()
        client.send_nowait([b"\x16one", keepalive], SERVER)
        assert await first.receive_batch() == [(source, [b"\x16one", keepalive])]
        await trio.sleep(29)
        second.accept_source(source, trio.current_time())
        client.send_nowait([b"\x16two"], SERVER)
        assert await first.receive_batch() == [(source, [b"\x16two"])]
        await trio.sleep(2)
        # Its checks have stopped: another connection behind the same address may follow.
        second.accept_source(source, trio.current_time())
        client.send_nowait([b"\x16three"], SERVER)
        assert await second.receive_batch() == [(source, [b"\x16three"])]
        first.close()
        client.send_nowait([b"\x16four"], SERVER)
        assert await second.receive_batch() == [(source, [b"\x16four"])]
        second.close()
        client.close()
        assert there.mux.entries == 0


async def test_responses_belong_to_the_connection_that_has_sent_the_request() -> None:
    async with scene() as there:
        first, second = await there.server_socket(), await there.server_socket()
        client = await there.client_socket()
        for number, opened in enumerate((first, second)):
            opened.send_nowait([check(number=number)], client.local_address)
        for number, opened in enumerate((first, second)):
            response = Message(1, MessageClass.SUCCESS_RESPONSE, number.to_bytes(12, "big")).encode()
            client.send_nowait([response, response], SERVER)
            # The second copy belongs to no request.
            assert await opened.receive_batch() == [(client.local_address, [response])]
            opened.close()
        client.close()


async def test_all_tables_are_bounded() -> None:
    options = UdpMuxOptions(max_queued_packets=2, max_transactions=1, max_sources=1)
    async with scene(options) as there:
        opened = await there.server_socket()
        client, other = await there.client_socket(), await there.client_socket()
        opened.send_nowait([check(number=1), check(number=2)], client.local_address)
        for number in (1, 2):
            client.send_nowait(
                [Message(1, MessageClass.ERROR_RESPONSE, number.to_bytes(12, "big")).encode()], SERVER
            )
        await trio.sleep(1)
        ((_, packets),) = await opened.receive_batch()
        assert [packet[19] for packet in packets] == [2]
        opened.accept_source(client.local_address, 0)
        opened.accept_source(other.local_address, 1)
        client.send_nowait([b"\x16lost"], SERVER)
        other.send_nowait([b"\x161", b"\x162", b"\x163"], SERVER)
        await trio.sleep(1)
        # Three packets do not fit; packets that arrive together are dropped together.
        assert there.mux.overflowed == 3
        other.send_nowait([b"\x164", b"\x165"], SERVER)
        await trio.sleep(1)
        assert await opened.receive_batch() == [(other.local_address, [b"\x164", b"\x165"])]
        opened.close()
        client.close()
        other.close()


async def test_username_fragments_of_two_generations_are_kept() -> None:
    async with scene() as there:
        opened, client = await there.server_socket(), await there.client_socket()
        # The second restart is rolled back, and a third one follows.
        for username_fragment in ("first", "first", "second", "third", "second", "fourth"):
            opened.set_username_fragment(username_fragment)
        for name in ("first", "second", "third", "fourth"):
            client.send_nowait([check(f"{name}:x")], SERVER)
        await trio.sleep(1)
        ((_, packets),) = await opened.receive_batch()
        assert [find_username(packet) for packet in packets] == ["second:x", "fourth:x"]
        opened.close()
        opened.set_username_fragment("fifth")
        assert there.mux.entries == 0
        client.close()


# -- sockets -----------------------------------------------------------------------------------------------------


async def test_a_closed_socket_ends_its_reader_and_sends_nothing() -> None:
    async with scene() as there, trio.open_nursery() as nursery:
        opened = await there.server_socket()

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await opened.receive_batch()

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        opened.close()
        opened.close()
        assert opened.send_nowait([b"1", b"2"], SERVER)
        assert opened.unsendable == 2
        await opened.drain()
        opened.enable_arrival_times()
        assert opened.arrival_times == ()


async def test_only_the_addresses_and_the_port_of_the_multiplexer_can_be_bound() -> None:
    async with scene() as there:
        (interface,) = there.mux.interface_addresses()
        assert there.mux.local_addresses == [SERVER]
        (await there.mux.bind_udp(interface, PORT)).close()
        with pytest.raises(OSError, match="port 5"):
            await there.mux.bind_udp(interface, 5)
        with pytest.raises(OSError, match=r"10\.0\.0\.1"):
            await there.mux.bind_udp(attrs.evolve(interface, host="10.0.0.1"))
        there.network.add_name("name.example", "192.0.2.9")
        assert await there.mux.resolve("name.example", 1) == [Address("192.0.2.9", 1)]
        (await there.mux.open_multicast(interface, Address("224.0.0.251", 5353))).close()
        with pytest.raises(OSError, match="unreachable"):
            await there.mux.connect_tcp(interface, Address("192.0.2.2", 1))


async def test_a_port_in_use_is_an_error() -> None:
    async with scene() as there:
        with pytest.raises(OSError, match="in use"):
            async with UdpMux(PORT, network=there.server):
                pass


async def test_an_interface_filter() -> None:
    network = SimulatedNetwork()
    host = network.add_host("server", ["192.0.2.1", "192.0.2.3"])
    async with network, UdpMux(network=host, interface_filter=lambda each: each.host == "192.0.2.3") as mux:
        assert [address.host for address in mux.local_addresses] == ["192.0.2.3"]


# -- unknown username fragments ----------------------------------------------------------------------------------


async def test_the_application_makes_a_connection_for_an_unknown_check() -> None:
    async with scene() as there, there.mux.unknown_checks() as checks:
        client = await there.client_socket()
        first, second = check("new:theirs", 1), check("new:theirs", 2)
        client.send_nowait([first, second], SERVER)
        assert await checks.receive() == UnknownCheck("new", "theirs", client.local_address, SERVER)
        opened = await there.server_socket()
        opened.set_username_fragment("new")
        assert await opened.receive_batch() == [(client.local_address, [first, second])]
        with pytest.raises(trio.WouldBlock):
            checks.receive_nowait()
        with pytest.raises(RuntimeError, match="one block at a time"):
            async with there.mux.unknown_checks():
                pass
        opened.close()
        client.close()


async def test_unknown_checks_are_bounded_and_forgotten() -> None:
    async with scene(UdpMuxOptions(max_unknown_checks=2)) as there, there.mux.unknown_checks() as checks:
        client = await there.client_socket()
        client.send_nowait([check(f"{name}:x") for name in "abc"], SERVER)
        client.send_nowait([check("a:x", number) for number in range(6)], SERVER)
        await trio.sleep(1)
        assert [checks.receive_nowait().username_fragment for _ in range(2)] == ["a", "b"]
        assert there.mux.unknown == 1
        opened = await there.server_socket()
        opened.set_username_fragment("a")
        ((_, packets),) = await opened.receive_batch()
        assert len(packets) == 4
        await trio.sleep(5)
        client.send_nowait([check("b:x"), check("c:x")], SERVER)
        await trio.sleep(1)
        assert [checks.receive_nowait().username_fragment for _ in range(2)] == ["b", "c"]
        opened.close()
        client.close()


@pytest.mark.parametrize(
    ("packet", "username"),
    [
        (check("ours:theirs"), "ours:theirs"),
        (binding_request(bytes(12)).encode(), None),
        (check("u" * 513), "u" * 513),
        (check("u" * 514), None),
        (check()[:30], None),
        (b"\x00\x01\x00\x04\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x01\xff", "\ufffd"),
        (b"\x00\x01\x00\x04\x21\x12\xa4\x42" + bytes(12) + b"\x70\x00\x00\x00" * 400, None),
    ],
)
def test_usernames_of_messages(packet: bytes, username: str | None) -> None:
    assert find_username(packet) == username
