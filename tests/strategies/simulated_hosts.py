"""Two hosts on a simulated network, and packets between them."""

from collections.abc import Sequence

import trio

from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork, SimulatedSocket


async def bind(host: SimulatedHost, port: int = 0, *, index: int = 0) -> SimulatedSocket:
    return await host.bind_udp(host.interface_addresses()[index], port)


async def drain(receiver: SimulatedSocket, seconds: float = 5.0) -> list[bytes]:
    """Return the datagrams that arrive until none does for ``seconds``."""
    received: list[bytes] = []
    while True:
        with trio.move_on_after(seconds) as scope:
            for _, run in await receiver.receive_batch():
                received += run
        if scope.cancelled_caught:
            return received


class Pair:
    """Two hosts with one socket each."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self.network = network
        self.alice = network.add_host("alice", ["10.0.0.1", "fd00::1"])
        self.bob = network.add_host("bob", ["10.0.0.2", "fd00::2"])

    async def open(self, *, index: int = 0) -> tuple[SimulatedSocket, SimulatedSocket]:
        return await bind(self.alice, index=index), await bind(self.bob, index=index)


async def exchange(
    link: Link, packets: Sequence[bytes], *, seed: int = 0
) -> tuple[list[bytes], SimulatedNetwork]:
    """Send packets from alice to bob at once; return those that arrived in order, and the network."""
    network = SimulatedNetwork(seed=seed, link=link)
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        await sender.send_batch(packets, receiver.local_address)
        return await drain(receiver), network
