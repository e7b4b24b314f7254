"""The shell of allocations: relayed sockets on the simulated network."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio
import trio.testing

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceServer
from trio_rtc.protocols.turn import TurnOptions
from trio_rtc.testing import (
    Link,
    SimulatedHost,
    SimulatedNetwork,
    SimulatedSocket,
    TurnServer,
    TurnServerOptions,
)
from trio_rtc.transports.turn import AllocationError, RelayedSocket, TurnClient, refuse_server_address

pytestmark = pytest.mark.usefixtures("autojump_clock")

URL = IceServer.parse("turn:turn.example", "alice", "secret")
SERVER = Address("198.51.100.1", 3478)


@attrs.define
class Scene:
    """A client's host, a server, and a peer with a socket."""

    network: SimulatedNetwork
    client: SimulatedHost
    server: TurnServer
    peer: SimulatedSocket

    async def allocate(self, server: IceServer = URL, options: TurnOptions | None = None) -> RelayedSocket:
        (interface,) = self.client.interface_addresses()
        client = TurnClient(options or TurnOptions(), network=self.client, rng=random.Random(1))
        return await client.allocate(server, SERVER, interface, partial(self.client.bind_udp, interface))


@asynccontextmanager
async def scene(options: TurnServerOptions | None = None) -> AsyncIterator[Scene]:
    async with SimulatedNetwork(link=Link(delay=0.01), granularity=0) as network:
        server = network.add_turn_server("turn.example", [SERVER.host], {"alice": "secret"}, options=options)
        peer_host = network.add_host("peer", ["203.0.113.5"])
        peer = await peer_host.bind_udp(peer_host.interface_addresses()[0])
        yield Scene(network, network.add_host("client", ["192.0.2.1"]), server, peer)
        peer.close()
        assert network.open_sockets == []


async def end(relayed: RelayedSocket) -> None:
    relayed.close()
    with pytest.raises(trio.ClosedResourceError):
        await relayed.receive_batch()


async def test_packets_pass_both_ways_and_the_allocation_is_released() -> None:
    async with scene() as there:
        relayed = await there.allocate()
        assert list(there.server.allocations) == [relayed.local_address]
        assert relayed.mapped_address == relayed.link_address
        async with trio.open_nursery() as nursery:
            results: list[object] = []

            async def receive() -> None:
                for _ in range(2):
                    results.extend(await relayed.receive_batch())

            nursery.start_soon(receive)
            assert relayed.send_nowait([b"\x00\x01"], there.peer.local_address)
            assert await there.peer.receive_batch() == [(relayed.local_address, [b"\x00\x01"])]
            there.peer.send_nowait([b"answer"], relayed.local_address)
            await trio.sleep(1)
            assert relayed.send_nowait([b"\x16data"], there.peer.local_address)
            await trio.sleep(1)
            assert relayed.send_nowait([b"\x16fast"], there.peer.local_address)
            there.peer.send_nowait([b"1", b"2"], relayed.local_address)
        assert results == [(there.peer.local_address, [b"answer"]), (there.peer.local_address, [b"1", b"2"])]
        await relayed.drain()
        await end(relayed)
        await trio.sleep(1)
        assert there.server.allocations == ()


async def test_closing_while_a_task_receives_waits_for_the_release_in_that_task() -> None:
    async with scene() as there:
        relayed = await there.allocate()
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await relayed.receive_batch()

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            relayed.close()
            relayed.close()
        assert there.server.allocations == ()


async def test_a_cancelled_receiver_releases_the_allocation() -> None:
    async with scene() as there:
        relayed = await there.allocate()
        with trio.move_on_after(1):
            await relayed.receive_batch()
        assert there.server.allocations == ()
        relayed.send_nowait([b"late"], there.peer.local_address)
        assert relayed.unsendable == 1
        assert there.network.open_sockets == [there.peer]


async def test_a_release_without_a_response_takes_its_timeout() -> None:
    async with scene() as there:
        relayed = await there.allocate(options=TurnOptions(release_timeout=0.5))
        there.network.partition("turn.example")
        before = trio.current_time()
        with trio.move_on_after(1):
            await relayed.receive_batch()
        assert trio.current_time() - before == pytest.approx(1.5)


@pytest.mark.parametrize("after", [0.0, 0.005, 0.015, 0.025, 0.035])
async def test_a_cancelled_allocation_leaves_nothing(after: float) -> None:
    async with scene() as there:
        with trio.move_on_after(after):
            relayed = await there.allocate()
            with trio.CancelScope(shield=True):
                await end(relayed)
        await trio.sleep(1)
        assert there.server.allocations == ()


async def test_confirmation() -> None:
    async with scene() as there, trio.open_nursery() as nursery:
        relayed = await there.allocate()

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await relayed.receive_batch()

        nursery.start_soon(receive)
        assert await relayed.confirm()
        there.network.partition("turn.example")
        assert not await relayed.confirm()
        there.network.heal()
        await trio.sleep(10)
        assert await relayed.confirm()
        there.server.forget_allocations()
        assert not await relayed.confirm()


async def test_an_error_response_is_raised_with_its_code() -> None:
    async with scene(TurnServerOptions(max_allocations=0)) as there:
        with pytest.raises(AllocationError, match="486 Allocation Quota Reached") as caught:
            await there.allocate()
        assert caught.value.local_address.host == "192.0.2.1"


@pytest.mark.parametrize("username", [None, "alice"])
async def test_missing_credentials_are_an_error_of_the_server(username: str | None) -> None:
    async with scene() as there:
        with pytest.raises(AllocationError, match="401"):
            await there.allocate(IceServer.parse("turn:turn.example", username))


async def test_credentials_with_control_characters_are_an_os_error() -> None:
    async with scene() as there:
        with pytest.raises(OSError, match="control characters"):
            await there.allocate(IceServer.parse("turn:turn.example", "alice", "a\x00"))


async def test_dtls_to_the_server_is_not_supported() -> None:
    async with scene() as there:
        with pytest.raises(OSError, match="DTLS"):
            await there.allocate(IceServer.parse("turns:turn.example?transport=udp", "alice", "secret"))


async def test_a_server_that_does_not_respond_is_an_os_error() -> None:
    async with scene() as there:
        there.network.partition("turn.example")
        with pytest.raises(OSError, match=r"198\.51\.100\.1:3478: no response"):
            await there.allocate()


async def test_a_mismatch_is_tried_again_from_another_port() -> None:
    """The server still has an allocation of the port, of an earlier process on this host."""
    async with scene() as there:
        (interface,) = there.client.interface_addresses()
        client = TurnClient(TurnOptions(), network=there.client, rng=random.Random(1))
        ports = iter([40000, 40000, 40001])

        async def bind() -> SimulatedSocket:
            return await there.client.bind_udp(interface, next(ports))

        first = await client.allocate(URL, SERVER, interface, bind)
        first._link.close()
        second = await client.allocate(URL, SERVER, interface, bind)
        assert second.link_address.port == 40001
        await end(second)


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        (Address("198.51.100.2", 3478), False),
        (Address("2001:db8::1", 3478), True),
        (Address("0.0.0.0", 3478), True),
        (Address("224.0.0.1", 3478), True),
        (Address("10.0.0.1", 22), True),
    ],
)
def test_redirections_that_are_not_followed(address: Address, refused: bool) -> None:
    assert (refuse_server_address(address, like=SERVER) is not None) is refused
