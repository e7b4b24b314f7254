"""TCP connections of this host, on loopback."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import InterfaceAddress
from trio_rtc.transports.tcp import MAX_QUEUED_BYTES, SystemStreamSocket, connect_tcp
from trio_rtc.transports.udp import SystemNetwork

LOOPBACK = InterfaceAddress("lo", "127.0.0.1")


@asynccontextmanager
async def connected(host: str = "127.0.0.1") -> AsyncIterator[tuple[SystemStreamSocket, trio.SocketStream]]:
    """Connect to a listener of this process."""
    (listener,) = await trio.open_tcp_listeners(0, host=host)
    port = listener.socket.getsockname()[1]
    ours = await SystemNetwork().connect_tcp(InterfaceAddress("lo", host), Address(host, port))
    theirs = await listener.accept()
    await listener.aclose()
    with trio.fail_after(20):
        yield ours, theirs
    ours.close()
    await theirs.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_messages_are_sent_and_bytes_received(host: str) -> None:
    async with connected(host) as (ours, theirs):
        assert ours.local_address == Address(host, theirs.socket.getpeername()[1])
        assert ours.send_nowait([b"one", b"", b"two"])
        assert await theirs.receive_some(100) == b"onetwo"
        await theirs.send_all(b"answer")
        assert await ours.receive_some() == b"answer"
        await theirs.aclose()
        assert await ours.receive_some() == b""


async def test_a_full_queue_drops_whole_messages() -> None:
    async with connected() as (ours, theirs):
        message = bytes(range(256)) * 200
        sent, accepted = 0, True
        while ours.unsendable == 0:
            accepted = ours.send_nowait([message])
            sent += 1
        assert not accepted
        assert 0 <= ours.room < len(message)
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.drain)
            while len(received) < (sent - 1) * len(message):
                received += await theirs.receive_some(1 << 20)
        assert received == message * (sent - 1)
        assert ours.room == MAX_QUEUED_BYTES


async def test_closing_ends_a_waiting_reader_and_writer() -> None:
    async with connected() as (ours, _):

        async def ends(wait: object) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await wait()  # type: ignore[operator]

        while ours.send_nowait([bytes(100_000)]):
            pass
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends, ours.receive_some)
            nursery.start_soon(ends, ours.drain)
            await trio.testing.wait_all_tasks_blocked()
            ours.close()
            ours.close()
        before = ours.unsendable
        assert ours.send_nowait([b"late"])
        assert ours.unsendable == before + 1


async def test_a_reset_connection_drops_what_is_sent_and_fails_to_receive() -> None:
    async with connected() as (ours, theirs):
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        await theirs.aclose()
        with pytest.raises(ConnectionResetError):
            await ours.receive_some()
        ours.send_nowait([b"1"])
        assert ours.send_nowait([b"2"])
        assert ours.unsendable >= 1


async def test_a_refused_connection_raises() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await connect_tcp(LOOPBACK, Address("127.0.0.1", port))


async def test_an_address_of_another_host_is_not_available() -> None:
    with pytest.raises(OSError, match="assign"):
        await connect_tcp(InterfaceAddress("lo", "192.0.2.1"), Address("127.0.0.1", 9))
