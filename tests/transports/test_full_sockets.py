"""Whole peers on sockets that take nothing more: senders wait, and the connection can still be closed."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.wires import Gate, PassThroughNetwork, PassThroughSocket
from trio_rtc import RTCDataChannel, RTCPeerConnection
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import SimulatedNetwork
from trio_rtc.transports.network import InterfaceAddress

pytestmark = pytest.mark.usefixtures("autojump_clock")

FREE_INTERFACE = "wlan0"
"""It is never jammed."""


@attrs.define
class JammedSocket(PassThroughSocket):
    """Keeps what it is given while the gate of its host is shut."""

    _gate: Gate
    _kept: list[tuple[Sequence[bytes], Address]] = attrs.Factory(list)
    _closed: trio.Event = attrs.Factory(trio.Event)

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        self._kept.append((batch, remote))
        if self._gate.is_open:
            self._pass_on()
        return not self._kept

    async def drain(self) -> None:
        while self._kept:
            async with trio.open_nursery() as nursery:
                for wait in (self._gate.wait, self._closed.wait):
                    nursery.start_soon(self._wait_for_one, wait, nursery.cancel_scope)
            if self._closed.is_set():
                raise trio.ClosedResourceError
            self._pass_on()

    async def _wait_for_one(self, wait: Callable[[], Awaitable[None]], done: trio.CancelScope) -> None:
        await wait()
        done.cancel()

    def close(self) -> None:
        self._closed.set()
        self.inner.close()

    def _pass_on(self) -> None:
        for batch, remote in self._kept:
            self.inner.send_nowait(batch, remote)
        self._kept.clear()


@attrs.define
class JammedHost(PassThroughNetwork):
    """A host whose sockets can be jammed.

    Attributes:
        gate: Shut: nothing leaves.
    """

    gate: Gate = attrs.Factory(Gate)

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> JammedSocket:
        gate = self.gate if interface.name != FREE_INTERFACE else Gate()
        return JammedSocket(await self.inner.bind_udp(interface, port), gate)


@asynccontextmanager
async def channel_over_a_jammed_host() -> AsyncIterator[tuple[Gate, RTCDataChannel, RTCDataChannel]]:
    """Connect two peers: yields the gate of the first one's host, and both ends of a channel."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        jammed = JammedHost(hosts[0])
        settings = settings_for(hosts[0], 1, None), settings_for(hosts[1], 2, None)
        async with (
            RTCPeerConnection(settings=attrs.evolve(settings[0], network=jammed)) as alice,
            RTCPeerConnection(settings=settings[1]) as bob,
        ):
            mine, theirs = await channel_pair(alice, bob)
            yield jammed.gate, mine, theirs
        assert [host.open_sockets for host in hosts] == [(), ()]


async def test_a_connection_with_full_sockets_closes_within_its_time_out() -> None:
    ended: list[str] = []
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with contextlib.suppress(trio.ClosedResourceError):
                while True:
                    await mine.send(bytes(10_000))
            ended.append("sender")

        async with channel_over_a_jammed_host() as [gate, mine, theirs]:
            gate.shut()
            for _ in range(2):
                nursery.start_soon(send)
            await theirs.send("wakes the other tasks of the jammed peer")
            await trio.sleep(0.3)
            closing_since = trio.current_time()
    # The close timeout of a second for each of the two peers, and the patience of the senders.
    assert trio.current_time() - closing_since < 3.5
    assert ended == ["sender", "sender"]


async def test_when_the_socket_is_free_again_all_arrives() -> None:
    async with channel_over_a_jammed_host() as [gate, mine, theirs], trio.open_nursery() as nursery:
        gate.shut()

        async def send(number: int) -> None:
            await mine.send(bytes([number]) * 50_000)

        for number in range(8):
            nursery.start_soon(send, number)
        await trio.sleep(0.2)
        gate.open()
        received = [await theirs.receive() for _ in range(8)]
        assert sorted(received) == [bytes([number]) * 50_000 for number in range(8)]


async def test_a_full_socket_whose_address_goes_away_takes_nobody_with_it() -> None:
    """Whoever waits for it goes on, and what it had kept is lost on the way to the new path."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        jammed = JammedHost(hosts[0])
        settings = settings_for(hosts[0], 1), settings_for(hosts[1], 2)
        async with (
            RTCPeerConnection(settings=attrs.evolve(settings[0], network=jammed)) as alice,
            RTCPeerConnection(settings=settings[1]) as bob,
        ):
            mine, theirs = await channel_pair(alice, bob)
            jammed.gate.shut()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mine.send, bytes(100_000))
                await theirs.send("wakes the other tasks of the jammed peer")
                await trio.sleep(0.3)
                hosts[0].remove_address("10.0.0.1")
                hosts[0].add_address("wlan0", "10.1.0.1")
                alice.restart_ice()
                await connect(alice, bob)
            with trio.fail_after(20):
                assert await theirs.receive() == bytes(100_000)
