"""Two peers over real sockets of this host."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.strategies.peers import channel_pair
from tests.strategies.wires import LOOPBACK
from trio_rtc import RTCDataChannel, RTCPeerConnection, Settings
from trio_rtc.transports.network import InterfaceAddress

MESSAGE_SIZE = 64 << 10
MESSAGES = 16


@asynccontextmanager
async def connected_channels(
    host: str, **settings: object
) -> AsyncIterator[tuple[RTCDataChannel, RTCDataChannel]]:
    """Connect two peers over one loopback address; yield both ends of a channel."""

    def is_host(address: InterfaceAddress) -> bool:
        return address.host == host

    chosen = Settings(interface_filter=is_host, **settings)  # type: ignore[arg-type]
    async with RTCPeerConnection(settings=chosen) as alice, RTCPeerConnection(settings=chosen) as bob:
        yield await channel_pair(alice, bob)


async def send_all(channel: RTCDataChannel, messages: list[bytes]) -> None:
    for message in messages:
        await channel.send(message)


async def receive_all(channel: RTCDataChannel, expected: list[bytes]) -> None:
    for message in expected:
        assert await channel.receive() == message


@pytest.mark.parametrize("host", LOOPBACK)
async def test_a_mebibyte_passes_in_both_directions_simultaneously(host: str) -> None:
    chance = random.Random(1)
    there, back = ([chance.randbytes(MESSAGE_SIZE) for _ in range(MESSAGES)] for _ in range(2))
    async with connected_channels(host) as [mine, theirs], trio.open_nursery() as nursery:
        nursery.start_soon(send_all, mine, there)
        nursery.start_soon(send_all, theirs, back)
        nursery.start_soon(receive_all, theirs, there)
        nursery.start_soon(receive_all, mine, back)


async def test_the_peer_is_notified_of_the_end_over_real_sockets() -> None:
    async with connected_channels("127.0.0.1") as [mine, theirs]:
        await mine.send("last words")
        await mine.aclose()
        assert await theirs.receive() == "last words"
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
