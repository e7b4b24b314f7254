"""Two peers behind NATs of the Linux kernel, with a STUN server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from tests.interop.drivers.beside import run_beside
from tests.netns.namespaces import Internet, NatKind
from tests.netns.private_network import may_make_namespaces
from tests.strategies.peers import negotiate, trickle
from trio_rtc import RTCConfiguration, RTCIceServer, RTCPeerConnection, Settings
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceOptions
from trio_rtc.testing.stun_server import DEFAULT_PORT, answer_binding_request

pytestmark = pytest.mark.skipif(not may_make_namespaces(), reason="only root may make network namespaces")

SECONDS = 20

# A symmetric NAT gives every destination another port. The other side learns that port from the check that
# arrives, and can answer to it, unless its own NAT lets in only what it has sent to: a relay is for those.
PASSABLE: list[tuple[NatKind, NatKind]] = [
    ("port-restricted", "port-restricted"),
    ("port-restricted", "full-cone"),
    ("full-cone", "port-restricted"),
    ("full-cone", "full-cone"),
    ("symmetric", "full-cone"),
    ("full-cone", "symmetric"),
]
IMPASSABLE: list[tuple[NatKind, NatKind]] = [
    ("symmetric", "port-restricted"),
    ("port-restricted", "symmetric"),
    ("symmetric", "symmetric"),
]


@pytest.fixture
def internet() -> Iterator[Internet]:
    internet = Internet()
    yield internet
    internet.close()


async def serve_stun(internet: Internet) -> None:
    """Run a STUN server."""
    here = Address(internet.server_host, DEFAULT_PORT)
    with trio.socket.from_stdlib_socket(internet.public.udp_socket(*here)) as server:
        while True:
            datagram, source = await server.recvfrom(2048)
            for answer, destination in answer_binding_request(datagram, Address(*source), here):
                await server.sendto(answer, destination)


@asynccontextmanager
async def two_homes(
    internet: Internet, kinds: tuple[NatKind, NatKind], ice: IceOptions | None = None
) -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """Open a peer in each of two homes, with trickled candidates."""
    configuration = RTCConfiguration(
        ice_servers=[RTCIceServer(urls=f"stun:{internet.server_host}:{DEFAULT_PORT}")]
    )
    settings = [Settings(network=internet.add_home(kind), ice=ice or IceOptions()) for kind in kinds]
    with trio.fail_after(SECONDS):
        async with (
            run_beside(partial(serve_stun, internet)),
            RTCPeerConnection(configuration, settings=settings[0]) as one,
            RTCPeerConnection(configuration, settings=settings[1]) as other,
        ):
            trickle(one, other)
            yield one, other


def selected_types(pc: RTCPeerConnection) -> set[str]:
    """Return the types of the candidates in use."""
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    assert pair is not None
    return {str(pair.local.type), str(pair.remote.type)}


@pytest.mark.parametrize("kinds", PASSABLE, ids="-to-".join)
async def test_peers_behind_nats_connect(internet: Internet, kinds: tuple[NatKind, NatKind]) -> None:
    async with two_homes(internet, kinds) as (one, other), other.subscribe("data_channel") as announced:
        ours = one.create_data_channel("chat")
        await negotiate(one, other)
        theirs = (await announced.receive()).channel
        await ours.opened()
        for message in ("through the wall", bytes(100_000)):
            await ours.send(message)
            assert await theirs.receive() == message
            await theirs.send(message)
            assert await ours.receive() == message
        # Neither home can reach the private address of the other.
        assert selected_types(one) & {"srflx", "prflx"}


@pytest.mark.parametrize("kinds", IMPASSABLE, ids="-to-".join)
async def test_peers_that_need_a_relay_fail_and_report_it(
    internet: Internet, kinds: tuple[NatKind, NatKind]
) -> None:
    ice = IceOptions(patience=1, failure_timeout=3)
    async with two_homes(internet, kinds, ice) as (one, other):
        one.create_data_channel("chat")
        async with one.subscribe("connection_state_change") as changes:
            await negotiate(one, other)
            while one.connection_state != "failed":
                await changes.receive()
