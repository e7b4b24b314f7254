"""The ICE transport: demultiplexing, and the socket on which data is sent."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.wires import ScriptedSocket
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    IceClosed,
    IceEvent,
    IceOptions,
    IceParameters,
    IceRole,
    SelectedPairChanged,
)
from trio_rtc.protocols.stun import (
    AttributeType,
    Message,
    MessageClass,
    StunAttribute,
    binding_request,
    success_response,
)
from trio_rtc.testing import SimulatedNetwork
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import IceTransport, ReceivedRtp

pytestmark = pytest.mark.usefixtures("autojump_clock")

LOCAL = Address("10.0.0.1", 5001)
OTHER_LOCAL = Address("10.0.0.9", 5009)
PEER = Address("10.0.0.2", 5002)
STRANGER = Address("198.51.100.1", 6)
PEER_PARAMETERS = IceParameters("peer", "peerpasswordpeerpassword")


class EventLog(list[IceEvent]):
    """Records the events of a transport; ``react`` is called with each.

    Attributes:
        react: Replaced by a test that acts on an event.
    """

    react: Callable[[IceEvent], object] = staticmethod(lambda event: None)

    def record(self, event: IceEvent) -> None:
        self.append(event)
        self.react(event)


@attrs.define
class Running:
    """A transport with an agent, its sockets and its events."""

    ice: IceTransport
    socket: ScriptedSocket
    upper: Inbox[list[bytes]]
    events: EventLog

    def arrive(self, *packets: bytes, remote: Address = PEER, local: Address = LOCAL) -> None:
        self.ice.receive_packets(local, remote, list(packets), trio.current_time())

    def received(self) -> list[bytes]:
        """Return the items of the inbox above."""
        packets: list[bytes] = []
        while (batch := self.upper.receive_nowait()) is not None:
            packets += batch
        return packets

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()

    async def connect(self) -> None:
        """Answer the agent's first check."""
        now = trio.current_time()
        self.ice.agent.set_remote_parameters(PEER_PARAMETERS, now)
        host, port = PEER
        candidate = Candidate.parse(f"candidate:1 1 udp 2130706431 {host} {port} typ host")
        self.ice.agent.add_remote_candidate(candidate, now)
        await self.ice.flush()
        await trio.sleep(0.2)
        self.answer_checks()
        await self.settle()

    def answer_checks(self) -> None:
        sent = list(self.socket.sent)
        self.socket.sent.clear()
        for data, remote in sent:
            request = Message.parse(data)
            if remote == PEER and request.message_class is MessageClass.REQUEST:
                response = success_response(request, LOCAL)
                self.arrive(response.encode(key=PEER_PARAMETERS.password.encode()))


@asynccontextmanager
async def running_ice(*, connected: bool = True, capacity: int = 32) -> AsyncIterator[Running]:
    """Run a transport with one socket, and with a selected pair if ``connected``."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    events, upper = EventLog(), Inbox[list[bytes]](capacity)
    ice = IceTransport(agent, Inbox[list[Datagram]](), upper, events.record)
    running = Running(ice, ScriptedSocket(LOCAL), upper, events)
    ice.add_socket(running.socket)
    agent.add_socket(LOCAL, local_preference=1, now=trio.current_time())
    async with trio.open_nursery() as nursery:
        await nursery.start(ice.run)
        if connected:
            await running.connect()
            assert agent.selected_pair is not None
        yield running
        nursery.cancel_scope.cancel()


# -- which packet goes where (RFC 7983) --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_bytes", "destination"),
    [
        (range(4), "agent"),
        (range(4, 20), "nowhere"),
        (range(20, 64), "dtls"),
        (range(64, 128), "nowhere"),
        (range(128, 192), "media"),
        (range(192, 256), "nowhere"),
    ],
)
async def test_packets_are_demultiplexed_by_their_first_byte(first_bytes: range, destination: str) -> None:
    async with running_ice() as running:
        media = Inbox[ReceivedRtp]()
        running.ice.set_rtp_inbox(media)
        packets = [bytes([first]) + b" and the rest" for first in first_bytes]
        running.arrive(*packets)
        await running.settle()
        assert media.receive_nowait() == ((packets, ()) if destination == "media" else None)
        malformed = running.ice.agent.dropped.get("malformed", 0)
        assert malformed == (len(packets) if destination == "agent" else 0)
        assert running.received() == (packets if destination == "dtls" else [])
        assert running.ice.unexpected == (len(packets) if destination == "nowhere" else 0)


async def test_a_mixed_batch_is_demultiplexed_in_order() -> None:
    async with running_ice() as running:
        running.arrive(b"\x14one", b"\x00stun", b"\x80media", b"\x17two", b"", b"\x05odd")
        await running.settle()
        assert running.received() == [b"\x14one", b"\x17two"]
        assert running.ice.agent.dropped == {"malformed": 1}
        assert running.ice.unexpected == 3


async def test_media_is_passed_up_with_its_arrival_times() -> None:
    async with running_ice() as running:
        media = Inbox[ReceivedRtp]()
        running.ice.set_rtp_inbox(media)
        now = trio.current_time()
        running.ice.receive_packets(LOCAL, PEER, [b"\x80one", b"\x81two"], now, [1.0, 2.0])
        mixed = [b"\x17data", b"\x80three", b"", b"\xc0odd", b"\xbffour", b"\x7fodd"]
        running.ice.receive_packets(LOCAL, PEER, mixed, now, [3, 4, 5, 6, 7, 8])
        too_long = [b"\x80" + bytes(2048), b"\x80" + bytes(2047)]
        running.ice.receive_packets(LOCAL, PEER, too_long, now, [9, 10])
        running.ice.receive_packets(LOCAL, PEER, [b"\x80five"], now)
        assert media.receive_nowait() == ([b"\x80one", b"\x81two"], [1.0, 2.0])
        assert media.receive_nowait() == ([b"\x80three", b"\xbffour"], [4, 7])
        assert media.receive_nowait() == (too_long[1:], [10])
        assert media.receive_nowait() == ([b"\x80five"], ())
        assert running.received() == [b"\x17data"]
        assert (running.ice.packets_received, running.ice.bytes_received) == (7, 29 + 2048)
        assert running.ice.unexpected == 4


@pytest.mark.parametrize("before", [True, False])
async def test_arrival_times_are_enabled_with_media(before: bool) -> None:
    async with running_ice() as running:
        late = ScriptedSocket(Address("10.0.0.9", 9))
        if before:
            running.ice.add_socket(late)
        assert not running.socket.keeps_arrivals
        running.ice.set_rtp_inbox(Inbox[ReceivedRtp]())
        if not before:
            running.ice.add_socket(late)
        assert running.socket.keeps_arrivals
        assert late.keeps_arrivals


async def test_received_data_is_counted() -> None:
    async with running_ice() as running:
        running.arrive(b"\x17abc", b"\x17de")
        running.arrive(b"\x80 not handed on")
        assert (running.ice.packets_received, running.ice.bytes_received) == (2, 7)


async def test_packets_of_unknown_protocols_do_not_displace_checks() -> None:
    """The inbox is bounded: a flood of such packets must not displace consent checks."""
    async with running_ice() as running:
        for _ in range(200):
            running.arrive(b"\x05odd", b"")
        running.arrive(b"\x00stun")
        await running.settle()
        assert running.ice.inbox_dropped == 0
        assert running.ice.agent.dropped == {"malformed": 1}
        assert running.ice.unexpected == 400


@pytest.mark.parametrize(
    ("local", "remote"), [(LOCAL, STRANGER), (LOCAL, Address(PEER.host, 1)), (OTHER_LOCAL, PEER)]
)
async def test_data_from_a_path_without_a_check_is_dropped_and_counted(
    local: Address, remote: Address
) -> None:
    async with running_ice() as running:
        running.arrive(b"\x16hello", b"\x17data", b"\x80media", local=local, remote=remote)
        await running.settle()
        assert running.received() == []
        assert running.ice.unexpected == 3
        assert running.ice.packets_received == 0


async def test_datagrams_above_the_size_limit_are_dropped_and_counted() -> None:
    async with running_ice() as running:
        whole = [bytes([kind]) + bytes(2048 - 1) for kind in (22, 128)]
        running.arrive(*whole, *(packet + b"x" for packet in whole), b"\x00" + bytes(2048))
        await running.settle()
        assert running.received() == whole[:1]
        assert running.ice.packets_received == 1
        # Another one is media, for which there is no inbox.
        assert running.ice.unexpected == 4
        assert running.ice.agent.dropped == {}


async def test_data_before_a_check_is_dropped() -> None:
    async with running_ice(connected=False) as running:
        running.arrive(b"\x16hello")
        assert running.received() == []
        assert running.ice.unexpected == 1


async def test_stun_from_unknown_addresses_reaches_the_agent() -> None:
    async with running_ice() as running:
        running.arrive(b"\x00not really stun", remote=STRANGER)
        await running.settle()
        assert running.ice.agent.dropped == {"malformed": 1}


async def test_data_for_a_full_inbox_is_dropped_and_counted_there() -> None:
    async with running_ice(capacity=1) as running:
        running.arrive(b"\x17a")
        running.arrive(b"\x17b", b"\x17c")
        assert running.upper.dropped == 2
        assert running.received() == [b"\x17a"]


# -- sending -----------------------------------------------------------------------------------------------------


async def test_data_without_a_selected_pair_is_dropped_and_counted() -> None:
    async with running_ice(connected=False) as running:
        assert running.ice.send_nowait([b"a", b"b"], trio.current_time())
        assert running.ice.unsent == 2
        assert running.ice.packets_sent == running.ice.bytes_sent == 0
        assert running.socket.sent == []


async def test_data_is_sent_on_the_selected_pair_and_counted() -> None:
    async with running_ice() as running:
        running.socket.sent.clear()
        assert running.ice.send_nowait([b"abc", b"de"], trio.current_time())
        assert running.socket.sent == [(b"abc", PEER), (b"de", PEER)]
        assert (running.ice.packets_sent, running.ice.bytes_sent, running.ice.unsent) == (2, 5, 0)


async def test_the_selected_pair_is_reported_when_data_can_be_sent() -> None:
    async with running_ice(connected=False) as running:
        running.events.react = lambda event: (
            running.ice.send_nowait([b"at once"], trio.current_time())
            if isinstance(event, SelectedPairChanged)
            else None
        )
        await running.connect()
        assert (b"at once", PEER) in running.socket.sent
        assert running.ice.unsent == 0


async def test_the_route_is_removed_with_the_selected_pair() -> None:
    async with running_ice() as running:
        # Checks are no longer answered: consent expires.
        await trio.sleep(60)
        assert running.ice.agent.selected_pair is None
        running.socket.sent.clear()
        assert running.ice.send_nowait([b"lost"], trio.current_time())
        assert running.socket.sent == []
        assert running.ice.unsent == 1


async def test_packets_of_the_agent_are_sent_on_their_local_socket() -> None:
    async with running_ice() as running:
        other = ScriptedSocket(OTHER_LOCAL)
        running.ice.add_socket(other)
        running.ice.agent.add_socket(OTHER_LOCAL, local_preference=2, now=trio.current_time())
        await running.ice.flush()
        await trio.sleep(1)
        assert PEER in [remote for _, remote in other.sent]
        running.ice.remove_socket(other)
        other.sent.clear()
        assert running.ice.unsent == 0
        await trio.sleep(1)
        assert other.sent == []
        assert running.ice.unsent > 0


async def test_drain_waits_for_a_full_socket() -> None:
    async with running_ice() as running:
        running.socket.sent.clear()
        running.socket.gate.shut()
        assert not running.ice.send_nowait([b"abc"], trio.current_time())
        with trio.move_on_after(1) as waited:
            await running.ice.drain()
        assert waited.cancelled_caught
        running.socket.gate.open()
        await running.ice.drain()
        assert (b"abc", PEER) in running.socket.sent


async def test_a_full_socket_does_not_block_demultiplexing() -> None:
    async with running_ice() as running:
        running.socket.gate.shut()
        running.ice.send_nowait([b"abc"], trio.current_time())
        running.arrive(b"\x17data")
        assert running.received() == [b"\x17data"]


async def test_a_full_socket_blocks_the_agent() -> None:
    """It sends no response before its queued packets are sent."""
    async with running_ice() as running:
        running.socket.gate.shut()
        # A consent check is due.
        await trio.sleep(10)
        running.arrive(b"\x00stun")
        await running.settle()
        assert running.ice.agent.dropped == {}
        running.socket.gate.open()
        await running.settle()
        assert running.ice.agent.dropped == {"malformed": 1}


async def test_the_task_waits_for_one_full_socket_of_several() -> None:
    """Whichever it is: the agent's packets are grouped by socket."""
    for full in (0, 1):
        async with running_ice(connected=False) as running:
            other = ScriptedSocket(OTHER_LOCAL)
            running.ice.add_socket(other)
            sockets = [running.socket, other]
            now = trio.current_time()
            running.ice.agent.add_socket(OTHER_LOCAL, local_preference=2, now=now)
            sockets[full].gate.shut()
            # Longer than the error response to it.
            request = binding_request(bytes(12), [StunAttribute(AttributeType.USERNAME, bytes(60))]).encode()
            for local in (LOCAL, OTHER_LOCAL):
                running.ice.agent.receive([Datagram(request, local, PEER)], now)
            assert not running.ice.flush_nowait(now)
            assert [len(each.sent) for each in sockets] == [full, 1 - full]
            sockets[full].gate.open()
            await sockets[full].drain()
            assert [len(each.sent) for each in sockets] == [1, 1]


async def test_a_socket_removed_before_there_is_a_route() -> None:
    async with running_ice(connected=False) as running:
        other = ScriptedSocket(OTHER_LOCAL)
        running.ice.add_socket(other)
        other.unsendable = 3
        running.socket.unsendable = 2
        # Its counters are added once.
        for _ in range(3):
            assert running.ice.unsendable == 5
            running.ice.remove_socket(other)
        assert running.ice.send_nowait([b"early"], trio.current_time())
        assert running.ice.unsent == 1
        await running.ice.drain()
        await running.connect()
        running.socket.sent.clear()
        assert running.ice.send_nowait([b"data"], trio.current_time())
        assert running.socket.sent == [(b"data", PEER)]


async def test_removing_another_socket_keeps_the_route() -> None:
    async with running_ice() as running:
        other = ScriptedSocket(OTHER_LOCAL)
        running.ice.add_socket(other)
        running.ice.remove_socket(other)
        running.socket.sent.clear()
        assert running.ice.send_nowait([b"data"], trio.current_time())
        assert running.socket.sent == [(b"data", PEER)]
        running.ice.remove_socket(running.socket)
        assert running.ice.send_nowait([b"lost"], trio.current_time())
        assert running.ice.unsent == 1
        await running.ice.drain()


# -- the end -----------------------------------------------------------------------------------------------------


async def test_closing_ends_the_layer_above_and_stops_sending() -> None:
    async with running_ice() as running:
        media = Inbox[ReceivedRtp]()
        running.ice.set_rtp_inbox(media)
        await running.ice.close()
        await running.ice.close()
        running.ice.wake()
        await running.settle()
        for upper in (running.upper, media):
            with pytest.raises(trio.EndOfChannel):
                await upper.receive()
        assert [event for event in running.events if isinstance(event, IceClosed)] == [IceClosed()]
        running.socket.sent.clear()
        running.arrive(b"\x00stun", b"\x17data")
        assert running.ice.send_nowait([b"late"], trio.current_time())
        assert running.socket.sent == []


async def test_a_socket_closed_in_the_same_turn_raises_no_error() -> None:
    """The sockets of a closing connection may be closed while a packet is being answered."""
    async with SimulatedNetwork() as network, running_ice() as running:
        host = network.add_host("alice", ["10.0.0.1"])
        closed = await host.bind_udp(host.interface_addresses()[0], LOCAL.port)
        running.ice.add_socket(closed)
        running.ice.agent.restart(trio.current_time())
        closed.close()
        await running.ice.flush()
        await trio.sleep(60)
        assert running.ice.agent.state == "failed"


async def test_datagrams_that_the_socket_discards_are_not_sent() -> None:
    async with running_ice() as running:
        ice, now = running.ice, trio.current_time()
        ice.send_nowait([b"first"], now)
        running.socket.room = 1
        ice.send_nowait([b"second", b"third", b"the fourth"], now)
        running.socket.room = 0
        ice.send_nowait([b"fifth"], now + 1)
        assert (ice.packets_sent, ice.bytes_sent) == (2, 11)
        assert (ice.packets_discarded, ice.bytes_discarded) == (3, 20)
        assert ice.last_sent_at == now
        assert ice.unsendable == 3
