"""Connections to TURN servers."""

from collections.abc import Sequence

import pytest
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.turn import encode_channel_data
from trio_rtc.testing import SimulatedNetwork
from trio_rtc.transports.server_links import StreamLink, UdpLink

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_udp_link_drops_packets_of_other_addresses() -> None:
    async with SimulatedNetwork() as network:
        hosts = [network.add_host(name, [f"192.0.2.{number}"]) for number, name in enumerate("abc", 1)]
        ours, server, other = [await host.bind_udp(host.interface_addresses()[0]) for host in hosts]
        link = UdpLink(ours, server.local_address)
        assert not link.reliable
        assert link.local_address == ours.local_address
        assert link.send_nowait([b"request"])
        assert await server.receive_batch() == [(ours.local_address, [b"request"])]
        other.send_nowait([b"forged"], ours.local_address)
        await trio.sleep(1)
        server.send_nowait([b"1", b"2"], ours.local_address)
        assert await link.receive() == [b"1", b"2"]
        assert link.unexpected == 1
        assert link.arrival_times == ()
        await link.drain()
        link.close()
        with pytest.raises(trio.ClosedResourceError):
            await link.receive()
        link.send_nowait([b"late"])
        assert link.unsendable == 1
        for opened in (server, other):
            opened.close()
        assert server.local_address == Address("192.0.2.2", server.local_address.port)


class ScriptedStream:
    """A stream with prepared results of ``receive_some``."""

    local_address = Address("192.0.2.1", 40000)
    room = 1000
    unsendable = 3

    def __init__(self, *results: bytes | OSError) -> None:
        self.results = list(results)
        self.sent: list[bytes] = []
        self.closed = False

    async def receive_some(self) -> bytes:
        await trio.lowlevel.checkpoint()
        result = self.results.pop(0)
        if isinstance(result, OSError):
            raise result
        return result

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        self.sent += batch
        return False

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self.closed = True


async def test_a_stream_link_returns_whole_messages() -> None:
    message = encode_channel_data(0x4000, b"hello", padded=True)
    stream = ScriptedStream(message[:3], message[3:] + message + message[:1], message[1:])
    link = StreamLink(stream)
    assert link.reliable
    assert (link.local_address, link.unsendable, link.arrival_times) == (stream.local_address, 3, ())
    link.enable_arrival_times()
    assert await link.receive() == [message, message]
    assert await link.receive() == [message]
    assert not link.send_nowait([b"request"])
    await link.drain()
    assert stream.sent == [b"request"]
    link.close()
    assert stream.closed


@pytest.mark.parametrize("ended", [b"", ConnectionResetError(), b"HTTP/1.1"])
async def test_a_stream_that_ends_or_is_not_turn_closes_the_link(ended: bytes | OSError) -> None:
    stream = ScriptedStream(ended)
    with pytest.raises(trio.ClosedResourceError):
        await StreamLink(stream).receive()
    assert stream.closed
