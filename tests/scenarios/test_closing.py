"""Closing: on both sides at once, at every stage, by cancellation, with a blocked socket."""

import contextlib
from collections.abc import Callable, Sequence

import attrs
import pytest
import trio

from tests.strategies.peers import (
    Peers,
    description_of,
    negotiate,
    open_channel,
    settings_for,
    trickle,
    two_peers,
)
from tests.strategies.wires import PassThroughNetwork, PassThroughSocket
from trio_rtc import (
    Address,
    EventTarget,
    InterfaceAddress,
    InvalidStateError,
    RTCDataChannel,
    RTCDataChannelEvent,
    RTCPeerConnection,
    RTCSctpTransport,
    SctpOptions,
    Settings,
)
from trio_rtc.testing import Link, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

CLOSE_TIMEOUT = Settings().close_timeout


async def test_both_connections_close_at_once() -> None:
    async with open_channel(link=Link(delay=0.2)) as (mine, theirs, peers):
        await mine.send("on its way")
        await theirs.send("on its way")
        with trio.fail_after(CLOSE_TIMEOUT):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peers.alice.aclose)
                nursery.start_soon(peers.bob.aclose)
        for pc in (peers.alice, peers.bob):
            states = {str(pc.connection_state), str(pc.ice_connection_state), str(pc.signaling_state)}
            assert states == {"closed"}
        for channel in (mine, theirs):
            assert channel.ready_state == "closed"
            with pytest.raises(trio.ClosedResourceError):
                await channel.receive()


async def test_both_ends_of_a_channel_close_at_once() -> None:
    async with open_channel(link=Link(delay=0.2)) as (mine, theirs, peers):
        await mine.send("crosses the end")
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mine.aclose)
                nursery.start_soon(theirs.aclose)
        assert mine.ready_state == theirs.ready_state == "closed"
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_channels_closed_by_either_side_release_their_ids() -> None:
    used: set[int | None] = set()
    few = Settings(sctp=SctpOptions(inbound_streams=64, outbound_streams=64))
    async with (
        open_channel(settings=few) as (_, _, peers),
        peers.bob.subscribe("data_channel") as announced,
    ):
        for turn in range(3):
            mine = [peers.alice.create_data_channel(f"{turn}/{n}") for n in range(20)]
            theirs = [(await announced.receive()).channel for _ in mine]
            used |= {channel.id for channel in mine}
            with trio.fail_after(2):
                async with trio.open_nursery() as nursery:
                    for index, ends in enumerate(zip(mine, theirs, strict=True)):
                        nursery.start_soon(ends[index % 2].aclose)
                        if index % 3 == 0:
                            nursery.start_soon(ends[1 - index % 2].aclose)
                for channel in (*mine, *theirs):
                    await channel.aclose()
    # Half of the 64 stream ids are ours and one is in use, so that the 60 channels reused some.
    assert len(used) == 31


STAGES: list[tuple[str, Callable[[Peers, RTCDataChannel], EventTarget], str]] = [
    ("signaling_state_change", lambda peers, _: peers.alice, "the offer is set"),
    ("ice_gathering_state_change", lambda peers, _: peers.alice, "gathering begins"),
    ("ice_candidate", lambda peers, _: peers.alice, "a candidate is gathered"),
    ("ice_connection_state_change", lambda peers, _: peers.alice, "ICE has a new state"),
    ("connection_state_change", lambda peers, _: peers.alice, "the connection has a new state"),
    ("state_change", lambda peers, _: sctp(peers.alice).transport.ice_transport, "the ICE transport"),
    (
        "selected_candidate_pair_change",
        lambda peers, _: sctp(peers.alice).transport.ice_transport,
        "the pair",
    ),
    ("state_change", lambda peers, _: sctp(peers.alice).transport, "the DTLS transport"),
    ("state_change", lambda peers, _: sctp(peers.alice), "the SCTP transport"),
    ("open", lambda _, channel: channel, "the channel opens"),
    ("message", lambda _, channel: channel, "a message comes"),
]


def sctp(pc: RTCPeerConnection) -> RTCSctpTransport:
    assert pc.sctp is not None
    return pc.sctp


class CloseAtEvent:
    """Closes a connection in the n-th event of one kind; no event may follow."""

    def __init__(self, pc: RTCPeerConnection, number: int) -> None:
        self._pc = pc
        self._number = number
        self.seen = 0

    def __call__(self, _: object) -> None:
        assert self.seen <= self._number, "an event after close()"
        if self.seen == self._number:
            self._pc.close()
        self.seen += 1


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("stage", STAGES, ids=[stage[2] for stage in STAGES])
async def test_closing_in_a_handler_at_every_stage(
    stage: tuple[str, Callable[[Peers, RTCDataChannel], EventTarget], str], number: int
) -> None:
    event, target, _ = stage
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        bob.on_data_channel = answer_hello
        closer = CloseAtEvent(alice, number)
        late = event in {"state_change", "selected_candidate_pair_change"}
        if not late:
            target(peers, channel).add_event_listener(event, closer)
        with contextlib.suppress(trio.ClosedResourceError, InvalidStateError):
            offer = await alice.create_offer()
            await alice.set_local_description(offer)
            trickle(alice, bob)
            await bob.set_remote_description(offer)
            await bob.set_local_description()
            await alice.set_remote_description(description_of(bob))
            if late:
                target(peers, channel).add_event_listener(event, closer)
        await trio.sleep(2)
        closed = alice.connection_state == "closed"
        assert closed == (closer.seen > number)
        assert channel.ready_state == ("closed" if closed else "open")
        assert bob.connection_state != "closed"
        with trio.fail_after(CLOSE_TIMEOUT):
            await alice.aclose()
        assert peers.hosts[0].open_sockets == ()


async def answer_hello(event: RTCDataChannelEvent) -> None:
    for _ in range(3):
        await event.channel.send("hello")


async def test_a_cancelled_connection_still_sends_abort_and_close_notify() -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        async with RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob:
            with trio.CancelScope() as scope:
                async with RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice:
                    mine = alice.create_data_channel("chat", negotiated=True, id=7)
                    theirs = bob.create_data_channel("chat", negotiated=True, id=7)
                    trickle(alice, bob)
                    await negotiate(alice, bob)
                    await mine.opened()
                    await theirs.opened()
                    scope.cancel()
                    await mine.send("never sent, for the sending was cancelled")
            assert scope.cancelled_caught
            assert hosts[0].open_sockets == ()
            with trio.fail_after(0.1), pytest.raises(trio.EndOfChannel):
                await theirs.receive()
            assert bob.sctp is not None
            assert bob.sctp.state == "closed"
            assert bob.sctp.transport.state == "closed"


@attrs.define
class StuckSocket(PassThroughSocket):
    """A socket whose send buffer never empties once it is blocked."""

    host: "HostWithStuckSockets"

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        return not self.host.stuck and self.inner.send_nowait(batch, remote)

    async def drain(self) -> None:
        await trio.sleep_forever()


@attrs.define
class HostWithStuckSockets(PassThroughNetwork):
    """A host whose sockets never send again once it is blocked."""

    stuck: bool = False

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> StuckSocket:
        return StuckSocket(await self.inner.bind_udp(interface, port), self)


@pytest.mark.parametrize("stuck_for", [0.0, 10.0])
@pytest.mark.parametrize("close_timeout", [0.0, 0.3])
async def test_closing_with_a_blocked_socket_is_bounded_by_the_close_timeout(
    close_timeout: float, stuck_for: float
) -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        stuck = HostWithStuckSockets(hosts[0])
        settings = attrs.evolve(settings_for(hosts[0], 0), network=stuck, close_timeout=close_timeout)
        async with RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob:
            async with RTCPeerConnection(settings=settings) as alice:
                mine = alice.create_data_channel("chat", negotiated=True, id=7)
                theirs = bob.create_data_channel("chat", negotiated=True, id=7)
                trickle(alice, bob)
                await negotiate(alice, bob)
                await mine.opened()
                await theirs.opened()
                stuck.stuck = True
                for _ in range(10):
                    await theirs.send(b"to be acknowledged at once" * 200)
                await trio.sleep(stuck_for)
                closed_at = trio.current_time()
            assert trio.current_time() - closed_at == pytest.approx(close_timeout, abs=0.01)
            assert hosts[0].open_sockets == ()
