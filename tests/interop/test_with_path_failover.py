"""Failure of the address family in use: data moves to the other one, also when the peer selects it."""

from collections.abc import Sequence

import attrs
import pytest
import trio

from tests.interop.connecting import negotiating
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.strategies.wires import PassThroughNetwork, PassThroughSocket
from trio_rtc import RTCPeerConnection, Settings
from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import DatagramSocket, InterfaceAddress
from trio_rtc.transports.udp import SystemNetwork

TEST_SECONDS = 60
SECONDS_TO_VALID = 4.0
SECONDS_TO_SWITCH = 15.0
LIBWEBRTC = ("chromium", "wrtc")


@attrs.define
class DyingNetwork(PassThroughNetwork):
    """The network of this host, whose address families can fail.

    Attributes:
        dead: Address families, 4 and 6, whose packets are dropped.
    """

    dead: set[int] = attrs.field(factory=set)

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> DatagramSocket:
        """See :class:`Network`."""
        return _DyingSocket(await self.inner.bind_udp(interface, port), self, 6 if interface.is_ipv6 else 4)


@attrs.define
class _DyingSocket(PassThroughSocket):
    _network: DyingNetwork
    _family: int

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        while True:
            batch = await self.inner.receive_batch()
            if self._family not in self._network.dead:
                return batch

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        return self._family in self._network.dead or self.inner.send_nowait(batch, remote)


def family_in_use(pc: RTCPeerConnection) -> int | None:
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    return None if pair is None else 6 if ":" in str(pair.local.address) else 4


@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "they-offer"])
@pytest.mark.parametrize("name", ["chromium", "wrtc", "pion", "aiortc"])
async def test_data_moves_to_the_other_address_family(peers: Peers, name: str, we_offer: bool) -> None:
    """The offerer controls. Firefox gathers only the default route's family and has no other path."""
    network = DyingNetwork(SystemNetwork())
    settings = Settings(network=network)
    async with negotiating(peers, name, settings=settings, seconds=TEST_SECONDS) as (own, remote, nursery):
        if we_offer:
            ours = own.pc.create_data_channel("chat")
            await connect(own, remote, trickle=True, nursery=nursery)
            theirs = await remote.accept_channel()
        else:
            theirs = await remote.create_data_channel("chat")
            await connect(remote, own, trickle=True, nursery=nursery)
            ours = await own.accept_channel()
        # Until the second pair is valid.
        await trio.sleep(SECONDS_TO_VALID)
        died = family_in_use(own.pc)
        assert died is not None
        network.dead.add(died)
        began = trio.current_time()
        with trio.fail_after(SECONDS_TO_SWITCH):
            await ours.send("moved")
            assert await theirs.receive() == "moved"
            assert family_in_use(own.pc) == 10 - died
            # Pion and aiortc nominate once, and pion ignores later nominations of worse pairs: they keep their pair.
            if name in LIBWEBRTC:
                await theirs.send("moved")
                assert await ours.receive() == "moved"
        print(f"IPv{died} died, data moved after {trio.current_time() - began:.1f} s")
        assert own.pc.connection_state == "connected"
