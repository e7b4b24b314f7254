"""NATs on the simulated network: mapping and filtering of the four classic kinds."""

import pytest
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.testing import DropReason, Link, Nat, NatKind, SimulatedHost, SimulatedNetwork, SimulatedSocket

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.leaves_sockets]


async def bind(host: SimulatedHost, port: int = 0) -> SimulatedSocket:
    return await host.bind_udp(host.interface_addresses()[0], port)


async def receive(receiver: SimulatedSocket) -> tuple[Address, bytes] | None:
    """Return the next packet, or ``None`` if none arrives within a second."""
    with trio.move_on_after(1):
        for sender, (data, *_) in await receiver.receive_batch():
            return sender, data
    return None


class Home:
    """A host behind a NAT, and two servers on the internet."""

    def __init__(self, kind: NatKind, *, hairpin: bool = False, mapping_lifetime: float = 120.0) -> None:
        self.network = SimulatedNetwork(link=Link(delay=0.01))
        self.nat: Nat = self.network.add_nat(
            "router", kind=kind, public="203.0.113.1", hairpin=hairpin, mapping_lifetime=mapping_lifetime
        )
        self.alice = self.network.add_host("alice", ["192.168.0.2", "fd00::2"], behind=self.nat)
        self.bob = self.network.add_host("bob", ["192.168.0.3"], behind=self.nat)
        self.server = self.network.add_host("server", ["198.51.100.1", "fd01::1"])
        self.other = self.network.add_host("other", ["198.51.100.2"])


async def public_address(inside: SimulatedSocket, server: SimulatedSocket) -> Address:
    """Return the public address of a socket behind a NAT as the server sees it."""
    await inside.send_batch([b"hello"], server.local_address)
    received = await receive(server)
    assert received is not None
    return received[0]


@pytest.mark.parametrize("kind", NatKind)
async def test_answers_are_translated_inbound(kind: NatKind) -> None:
    home = Home(kind)
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        seen = await public_address(alice, server)
        assert seen.host == "203.0.113.1"
        await server.send_batch([b"welcome"], seen)
        assert await receive(alice) == (server.local_address, b"welcome")


@pytest.mark.parametrize(
    ("kind", "same_host_other_port", "other_host"),
    [
        (NatKind.FULL_CONE, True, True),
        (NatKind.RESTRICTED_CONE, True, False),
        (NatKind.PORT_RESTRICTED, False, False),
        (NatKind.SYMMETRIC, False, False),
    ],
)
async def test_unsolicited_packets_are_filtered(
    kind: NatKind, same_host_other_port: bool, other_host: bool
) -> None:
    home = Home(kind)
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        second, other = await bind(home.server), await bind(home.other)
        seen = await public_address(alice, server)
        await second.send_batch([b"x"], seen)
        assert (await receive(alice) is not None) is same_host_other_port
        await other.send_batch([b"x"], seen)
        assert (await receive(alice) is not None) is other_host
        refused = [same_host_other_port, other_host].count(False)
        assert home.network.trace.dropped[DropReason.NAT_FILTERED] == refused


@pytest.mark.parametrize("kind", NatKind)
async def test_only_a_symmetric_nat_uses_another_port_per_server(kind: NatKind) -> None:
    home = Home(kind)
    async with home.network:
        alice, server, other = await bind(home.alice), await bind(home.server), await bind(home.other)
        seen = {await public_address(alice, server), await public_address(alice, other)}
        assert len(seen) == (2 if kind is NatKind.SYMMETRIC else 1)
        assert await public_address(alice, server) in seen


async def test_hosts_behind_one_nat_have_different_ports_and_reach_each_other_directly() -> None:
    home = Home(NatKind.PORT_RESTRICTED)
    async with home.network:
        alice, bob, server = await bind(home.alice, 5000), await bind(home.bob, 5000), await bind(home.server)
        assert await public_address(alice, server) != await public_address(bob, server)
        await alice.send_batch([b"hi"], bob.local_address)
        assert await receive(bob) == (alice.local_address, b"hi")


@pytest.mark.parametrize("hairpin", [True, False])
async def test_hairpinning_is_optional(hairpin: bool) -> None:
    home = Home(NatKind.FULL_CONE, hairpin=hairpin)
    async with home.network:
        alice, bob, server = await bind(home.alice), await bind(home.bob), await bind(home.server)
        bob_seen, alice_seen = await public_address(bob, server), await public_address(alice, server)
        await alice.send_batch([b"hi"], bob_seen)
        assert await receive(bob) == ((alice_seen, b"hi") if hairpin else None)


async def test_mapping_expires_unless_refreshed() -> None:
    home = Home(NatKind.FULL_CONE, mapping_lifetime=30)
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        seen = await public_address(alice, server)
        for _ in range(3):
            await trio.sleep(20)
            assert await public_address(alice, server) == seen
        await trio.sleep(31)
        await server.send_batch([b"late"], seen)
        assert await receive(alice) is None
        assert await public_address(alice, server) != seen


async def test_forget_mappings() -> None:
    home = Home(NatKind.FULL_CONE)
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        seen = await public_address(alice, server)
        home.nat.forget_mappings()
        await server.send_batch([b"x"], seen)
        assert await receive(alice) is None
        assert await public_address(alice, server) != seen


async def test_full_table_drops_packets_until_mappings_expire() -> None:
    home = Home(NatKind.SYMMETRIC)
    home.nat.max_mappings = 2
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        for port in (1, 2, 3):
            await alice.send_batch([b"x"], Address("198.51.100.2", port))
        assert home.network.trace.dropped[DropReason.NAT_TABLE_FULL] == 1
        await trio.sleep(121)
        await public_address(alice, server)


async def test_hole_punching_through_two_nats() -> None:
    home = Home(NatKind.PORT_RESTRICTED)
    far = home.network.add_nat("far", kind="port_restricted", public="203.0.113.2")
    carol_host = home.network.add_host("carol", ["192.168.0.2"], behind=far)
    async with home.network:
        alice, carol, server = await bind(home.alice), await bind(carol_host), await bind(home.server)
        alice_seen, carol_seen = await public_address(alice, server), await public_address(carol, server)
        await carol.send_batch([b"too early"], alice_seen)
        assert await receive(alice) is None
        await alice.send_batch([b"punch"], carol_seen)
        assert await receive(carol) == (alice_seen, b"punch")
        await carol.send_batch([b"through"], alice_seen)
        assert await receive(alice) == (carol_seen, b"through")


async def test_crossing_packets_open_both_nats() -> None:
    home = Home(NatKind.PORT_RESTRICTED)
    far = home.network.add_nat("far", kind="port_restricted", public="203.0.113.2")
    carol_host = home.network.add_host("carol", ["192.168.0.2"], behind=far)
    async with home.network:
        alice, carol, server = await bind(home.alice), await bind(carol_host), await bind(home.server)
        alice_seen, carol_seen = await public_address(alice, server), await public_address(carol, server)
        await alice.send_batch([b"a"], carol_seen)
        await carol.send_batch([b"c"], alice_seen)
        assert await receive(alice) == (carol_seen, b"c")
        assert await receive(carol) == (alice_seen, b"a")


async def test_nat_behind_a_nat() -> None:
    network = SimulatedNetwork()
    provider = network.add_nat("provider", kind="symmetric", public="203.0.113.9")
    router = network.add_nat("router", kind="full_cone", public="100.64.0.7", behind=provider)
    alice_host = network.add_host("alice", ["192.168.0.2"], behind=router)
    server_host = network.add_host("server", ["198.51.100.1"])
    async with network:
        alice, server = await bind(alice_host), await bind(server_host)
        seen = await public_address(alice, server)
        assert seen.host == "203.0.113.9"
        await server.send_batch([b"in"], seen)
        assert await receive(alice) == (server.local_address, b"in")


async def test_ipv6_is_not_translated() -> None:
    home = Home(NatKind.SYMMETRIC)
    async with home.network:
        alice = await home.alice.bind_udp(home.alice.interface_addresses()[1])
        server = await home.server.bind_udp(home.server.interface_addresses()[1])
        await server.send_batch([b"in"], alice.local_address)
        assert await receive(alice) == (server.local_address, b"in")
        await alice.send_batch([b"out"], server.local_address)
        assert await receive(server) == (alice.local_address, b"out")


async def test_links_and_partitions_apply_to_hosts_behind_nats() -> None:
    home = Home(NatKind.FULL_CONE)
    home.network.set_link("server", "alice", Link(delay=0.5))
    async with home.network:
        alice, server = await bind(home.alice), await bind(home.server)
        seen = await public_address(alice, server)
        start = trio.current_time()
        await server.send_batch([b"slow"], seen)
        assert await receive(alice) is not None
        assert trio.current_time() - start == pytest.approx(0.5)
        home.network.partition("alice", "server")
        await server.send_batch([b"x"], seen)
        assert await receive(alice) is None


async def test_unknown_kind_raises() -> None:
    with pytest.raises(ValueError, match="conical"):
        SimulatedNetwork().add_nat("router", kind="conical", public="203.0.113.1")
