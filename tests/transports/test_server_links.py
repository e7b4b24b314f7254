"""Connections to TURN servers."""

import pytest
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.testing import SimulatedNetwork
from trio_rtc.transports.server_links import UdpLink

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
