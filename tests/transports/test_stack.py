"""Start and end of the layers of a stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.dtls_pair import certificate
from tests.strategies.peers import WALL_CLOCK
from tests.strategies.transport_stacks import Side, exchange_candidates, make_side
from tests.strategies.wires import Gate, JammedHost
from trio_rtc.enums import RTCIceTransportState
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.datachannel import PPID_DCEP, ChannelAnnounced, ChannelParameters
from trio_rtc.protocols.dtls import Connection, DtlsRole, SrtpKeys
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    IceEvent,
    IceRole,
    LocalCandidateGathered,
    SelectedPairChanged,
)
from trio_rtc.protocols.mdns import GROUP_IPV4, PORT, Responder, ResponderOptions
from trio_rtc.protocols.rtp import RtpSession
from trio_rtc.protocols.sctp import AssociationClosed
from trio_rtc.protocols.srtp import SrtpSession
from trio_rtc.testing import Drop, Link, Packet, PacketFilter, Pass, SimulatedNetwork
from trio_rtc.transports.sctp import SctpTransport
from trio_rtc.transports.stack import TransportStack

pytestmark = pytest.mark.usefixtures("autojump_clock")

NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
ROUND_TRIP = 0.02
FIRST_RETRANSMISSION = 0.05
CHANGE_CIPHER_SPEC = 20
USER_INITIATED_ABORT = 12


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def two_stacks(
    *,
    soon: bool = False,
    jammed: Gate | None = None,
    round_trip: float = ROUND_TRIP,
    lose: PacketFilter | None = None,
) -> AsyncIterator[tuple[Side, Side]]:
    """Run the stacks of a DTLS client and server that have not gathered yet, or start them ``soon``.

    Nothing leaves the client while the gate is shut.
    """
    async with (
        SimulatedNetwork(link=Link(delay=round_trip / 2), granularity=0) as network,
        trio.open_nursery() as nursery,
    ):
        if lose is not None:
            network.add_filter(lose)
        alice = network.add_host("alice", ["10.0.0.1"])
        client = make_side(alice, DtlsRole.CLIENT, JammedHost(alice, jammed) if jammed else None)
        server = make_side(network.add_host("bob", ["10.0.0.2"]), DtlsRole.SERVER)
        client.stack.agent.set_role(IceRole.CONTROLLING, trio.current_time())
        server.stack.agent.set_role(IceRole.CONTROLLED, trio.current_time())
        for side in (client, server):
            if soon:
                side.stack.start_soon(nursery)
            else:
                await side.stack.start(nursery)
        exchange_candidates(client, server)
        yield client, server
        nursery.cancel_scope.cancel()
    assert [side.host.open_sockets for side in (client, server)] == [(), ()]


def gather(*sides: Side) -> None:
    for side in sides:
        side.stack.gather([])


@pytest.mark.parametrize("soon", [False, True])
async def test_each_layer_starts_when_the_one_below_is_ready(soon: bool) -> None:
    async with two_stacks(soon=soon) as sides:
        for side in sides:
            side.start_upper_layers()
        await settle()
        assert all(side.delegate.log == [] for side in sides)
        gather(*sides)
        await trio.sleep(2)
        for side in sides:
            order = [
                "ice connected",
                "handshake started",
                "dtls HandshakeCompleted",
                "sctp AssociationEstablished",
            ]
            positions = [side.delegate.position(name) for name in order]
            assert positions == sorted(positions)
            assert all(side.delegate.log.count(name) == 1 for name in order)


async def test_the_delegate_is_notified_of_connected_before_the_handshake_starts() -> None:
    async with two_stacks() as sides:
        gather(*sides)
        for side in sides:
            side.start_dtls()
        await trio.sleep(2)
        for side in sides:
            assert side.delegate.position("handshake started") == side.delegate.position("ice connected") + 1


async def test_dtls_created_after_ice_is_connected_starts_immediately() -> None:
    async with two_stacks() as sides:
        gather(*sides)
        await trio.sleep(2)
        for side in sides:
            side.start_upper_layers()
            assert side.delegate.log[-1] == "handshake started"
        await trio.sleep(0.5)
        assert all(side.delegate.has("sctp AssociationEstablished") for side in sides)


async def test_an_early_client_hello_waits_for_the_server() -> None:
    """The answer may arrive later than the client's first flight, which must not cost a retransmission timeout."""
    async with two_stacks() as [client, server]:
        gather(client, server)
        client.start_upper_layers()
        await trio.sleep(0.035)
        assert client.delegate.has("handshake started")
        sent_at = client.delegate.times["handshake started"]
        await trio.sleep_until(sent_at + 0.9 * FIRST_RETRANSMISSION)
        server.start_upper_layers()
        started_at = trio.current_time()
        await trio.sleep(0.5)
        completed_at = server.delegate.times["dtls HandshakeCompleted"]
        # The ClientHello has arrived: the rest of the handshake takes one round trip.
        assert completed_at - started_at <= ROUND_TRIP + 0.005
        assert client.delegate.has("sctp AssociationEstablished")


async def test_an_association_can_be_created_after_the_handshake() -> None:
    async with two_stacks() as sides:
        gather(*sides)
        for side in sides:
            side.start_dtls()
        await trio.sleep(2)
        client, server = sides
        client.stack.start_sctp(5000)
        await trio.sleep(0.1)
        assert not client.delegate.has("sctp AssociationEstablished")
        server.stack.start_sctp(5000)
        await trio.sleep(1)
        assert all(side.delegate.has("sctp AssociationEstablished") for side in sides)


async def test_without_dtls_there_is_no_association() -> None:
    async with two_stacks() as [client, _]:
        client.stack.start_sctp(5000)
        assert client.stack.sctp is None


async def test_layers_started_twice_are_created_once() -> None:
    async with two_stacks() as sides:
        for side in sides:
            side.start_upper_layers()
            parts = side.stack.dtls, side.stack.sctp
            side.start_upper_layers()
            assert (side.stack.dtls, side.stack.sctp) == parts
        gather(*sides)
        gather(*sides)
        await trio.sleep(2)
        for side in sides:
            assert len(side.host.open_sockets) == 1
            assert side.delegate.log.count("sctp AssociationEstablished") == 1


async def test_other_fingerprints_need_a_new_dtls_association() -> None:
    async with two_stacks() as [client, server]:
        assert not client.stack.needs_new_dtls([server.fingerprint()])
        client.start_dtls()
        assert not client.stack.needs_new_dtls([server.fingerprint()])
        assert client.stack.needs_new_dtls([client.fingerprint()])


async def test_the_channels_of_an_association_that_was_not_established_go_on_with_the_next() -> None:
    async with two_stacks() as [client, server]:
        client.start_upper_layers()
        client.stack.control.create_channel(ChannelParameters(label="waiting"))
        before = client.stack.sctp
        replace_dtls(client, server)
        assert client.stack.sctp is not before
        gather(client, server)
        await trio.sleep(2)
        assert not client.delegate.has("channel AllChannelsClosed")
        announced = [each for each in server.delegate.events if isinstance(each, ChannelAnnounced)]
        assert [each.parameters.label for each in announced] == ["waiting"]


async def test_a_mismatched_fingerprint_ends_dtls_before_the_association() -> None:
    async with two_stacks() as [client, server]:
        gather(client, server)
        client.start_dtls(fingerprint=client.fingerprint())
        client.stack.start_sctp(5000)
        server.start_upper_layers()
        await trio.sleep(2)
        for side in (client, server):
            assert side.delegate.has("dtls DtlsClosed")
            assert not side.delegate.has("sctp AssociationEstablished")
            assert side.stack.sctp is not None
            assert side.stack.sctp.association.closed


async def test_shutdown_closes_layers_from_the_top_and_reaches_the_peer() -> None:
    async with two_stacks() as [client, server]:
        gather(client, server)
        for side in (client, server):
            side.start_upper_layers()
        await trio.sleep(2)
        await client.stack.shutdown()
        await client.stack.shutdown()
        positions = [
            client.delegate.position(name)
            for name in ("sctp AssociationClosed", "dtls DtlsClosed", "ice closed")
        ]
        assert positions == sorted(positions)
        await trio.sleep(0.1)
        assert server.delegate.has("sctp AssociationClosed", "dtls DtlsClosed")
        assert not server.delegate.has("ice closed")
        # The ABORT was received, although close_notify arrived with it.
        [closed] = [event for event in server.delegate.events if isinstance(event, AssociationClosed)]
        assert closed.error is not None
        assert closed.error.cause_code == USER_INITIATED_ABORT


async def connect_all_layers(*sides: Side) -> None:
    gather(*sides)
    for side in sides:
        side.start_upper_layers()
        side.stack.start_rtp("name", side.delegate.events.append)
    await trio.sleep(2)


async def test_the_end_of_a_stack_closes_its_layers_and_sockets() -> None:
    """The nursery continues, with the other transports of the connection."""
    async with two_stacks() as [client, server]:
        await connect_all_layers(client, server)
        hidden = Candidate.parse(f"candidate:1 1 udp 2130706431 {NAME} 5000 typ host")
        client.stack.agent.add_remote_candidate(hidden, trio.current_time())
        await client.stack.ice.flush()
        await settle()
        sockets = [len(client.host.open_sockets)]
        await client.stack.end()
        await settle()
        sockets += [len(client.host.open_sockets)]
        assert sockets == [2, 0]
        assert_all_layers_closed(client.stack)
        await trio.sleep(0.1)
        assert server.delegate.has("sctp AssociationClosed", "dtls DtlsClosed")


async def test_a_stack_with_full_sockets_ends_after_two_seconds() -> None:
    gate = Gate()
    async with two_stacks(jammed=gate) as [client, server]:
        await connect_all_layers(client, server)
        gate.shut()
        began = trio.current_time()
        await client.stack.end()
        assert trio.current_time() - began == pytest.approx(2)
        assert client.host.open_sockets == ()
        assert_all_layers_closed(client.stack)


def assert_all_layers_closed(stack: TransportStack) -> None:
    assert stack.rtp is not None
    assert stack.sctp is not None
    assert stack.dtls is not None
    cores = (stack.rtp.session, stack.sctp.association, stack.dtls.connection, stack.agent)
    assert [core.closed for core in cores] == [True] * 4


async def test_the_dtls_client_has_the_even_streams() -> None:
    """RFC 8832 section 6."""
    async with two_stacks() as [client, server]:
        gather(client, server)
        for side, stream in ((client, 0), (server, 1)):
            side.start_upper_layers()
            key = side.stack.control.create_channel(ChannelParameters())
            assert side.stack.control.stream_id(key) == stream


async def test_shutdown_without_a_connection_is_immediate() -> None:
    async with two_stacks() as [client, _]:
        await client.stack.shutdown()
        assert client.stack.agent.closed


async def test_channel_control_is_flushed_with_and_without_an_association() -> None:
    async with two_stacks() as [client, server]:
        client.stack.control.create_channel(ChannelParameters(label="early"))
        client.stack.flush_channel_control()
        gather(client, server)
        for side in (client, server):
            side.start_upper_layers()
        await trio.sleep(2)
        assert client.delegate.has("channel StreamIdAssigned", "channel ChannelOpened")
        client.stack.control.create_channel(ChannelParameters(label="late"))
        client.stack.flush_channel_control()
        await trio.sleep(0.1)
        announced = [event for event in server.delegate.events if isinstance(event, ChannelAnnounced)]
        assert [event.parameters.label for event in announced] == ["early", "late"]


async def test_ending_the_channels_does_not_affect_ice_and_dtls() -> None:
    async with two_stacks() as [client, server]:
        client.stack.control.create_channel(ChannelParameters())
        gather(client, server)
        for side in (client, server):
            side.start_upper_layers()
        await trio.sleep(2)
        client.stack.end_channels()
        await trio.sleep(0.5)
        for side in (client, server):
            assert side.delegate.has("sctp AssociationClosed", "channel AllChannelsClosed")
            assert side.stack.dtls is not None
            assert side.stack.dtls.connection.state == "connected"
            assert side.stack.agent.state in ("connected", "completed")


def running_tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_all_events_of_ending_channels_are_handled_immediately() -> None:
    """Before there is a new control, for the channels of another media section."""
    async with two_stacks() as [client, server]:
        client.stack.control.create_channel(ChannelParameters())
        gather(client, server)
        for side in (client, server):
            side.start_upper_layers()
        await trio.sleep(2)
        before, association, tasks = client.stack.control, client.stack.sctp, running_tasks()
        assert server.stack.sctp is not None
        server.stack.sctp.association.send(0, PPID_DCEP, b"\xff", trio.current_time())
        await server.stack.sctp.flush()
        await trio.sleep(0.1)
        dropped = dict(before.dropped)
        assert sum(dropped.values()) == 1
        client.stack.end_channels()
        assert client.delegate.has("sctp AssociationClosed", "channel AllChannelsClosed")
        assert client.stack.control is not before
        assert client.stack.control.dropped == dropped
        assert association is not None
        assert association.association.closed
        await settle()
        assert running_tasks() == tasks - 1


async def test_another_association_follows_an_ended_one() -> None:
    async with two_stacks() as [client, server]:
        await connect_all_layers(client, server)
        for side in (client, server):
            side.stack.end_channels()
        await trio.sleep(0.1)
        for side in (client, server):
            side.stack.start_sctp(5000)
        await trio.sleep(1)
        for side in (client, server):
            assert side.delegate.log.count("sctp AssociationEstablished") == 2


async def test_channels_move_to_another_stack() -> None:
    """With their control. Channels with an association are closed."""
    async with two_stacks() as [client, server]:
        waiting, fresh = client.stack.control, server.stack.control
        client.stack.control.create_channel(ChannelParameters())
        server.stack.move_channels_from(client.stack)
        assert (server.stack.control, client.stack.control) == (waiting, fresh)
        assert client.delegate.log == server.delegate.log == []
        await connect_all_layers(client, server)
        assert server.delegate.has("channel ChannelOpened")
        client.stack.move_channels_from(server.stack)
        assert server.delegate.has("sctp AssociationClosed", "channel AllChannelsClosed")
        assert server.stack.sctp is None
        assert waiting not in (client.stack.control, server.stack.control)


async def test_channels_end_without_an_association() -> None:
    async with two_stacks() as [client, _]:
        client.stack.control.create_channel(ChannelParameters())
        client.stack.end_channels()
        assert client.delegate.has("channel AllChannelsClosed")


@pytest.mark.parametrize(
    ("states", "restored"),
    [
        (["disconnected", "connected"], 1),
        (["disconnected", "completed", "connected"], 1),
        (["disconnected", "disconnected", "connected", "disconnected", "connected"], 2),
        (["connected", "completed"], 0),
        (["disconnected", "failed"], 0),
    ],
)
async def test_rtp_and_sctp_are_notified_of_a_restored_path(
    states: list[str], restored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_stacks() as (client, server):
        gather(client, server)
        client.start_upper_layers()
        server.start_upper_layers()
        client.stack.start_rtp("name", client.delegate.events.append)
        await trio.sleep(2)
        stack = client.stack
        assert stack.rtp is not None
        assert stack.sctp is not None
        notified: list[str] = []
        monkeypatch.setattr(stack.rtp, "call", lambda verb: notified.append(f"rtp {verb.__name__}"))
        monkeypatch.setattr(stack.sctp, "path_restored", lambda: notified.append("sctp"))
        for state in states:
            stack._update_path_state(RTCIceTransportState(state))
        assert notified == ["rtp path_restored", "sctp"] * restored


@pytest.fixture
def restorations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Record notifications of a restored path in place of RTP and SCTP."""
    notified: list[tuple[str, float]] = []
    monkeypatch.setattr(RtpSession, "path_restored", lambda _, now: notified.append(("rtp", now)))
    monkeypatch.setattr(
        SctpTransport, "path_restored", lambda _: notified.append(("sctp", trio.current_time()))
    )
    return notified


async def test_an_interrupted_path_is_restored(restorations: list[tuple[str, float]]) -> None:
    interrupted = False

    def lose(packet: Packet) -> Pass | Drop:
        return Drop() if interrupted else Pass()

    async with two_stacks(lose=lose) as sides:
        await connect_all_layers(*sides)
        interrupted = True
        await trio.sleep(10)
        for side in sides:
            assert side.delegate.log[-1] == "ice disconnected"
        assert restorations == []
        interrupted = False
        await trio.sleep(10)
    assert sorted(notified for notified, _ in restorations) == ["rtp", "rtp", "sctp", "sctp"]


@pytest.mark.parametrize("sctp_first", [True, False])
async def test_data_is_limited_to_the_bitrate_that_media_leaves(
    monkeypatch: pytest.MonkeyPatch, sctp_first: bool
) -> None:
    notified: list[float | None] = []
    monkeypatch.setattr(RtpSession, "left_for_data", lambda *_: 1e6)
    monkeypatch.setattr(SctpTransport, "share_path", lambda _, max_bitrate: notified.append(max_bitrate))
    async with two_stacks() as (side, _):
        side.start_dtls()
        if sctp_first:
            side.stack.start_sctp(5000)
        rtp = side.stack.start_rtp("name", side.delegate.events.append)
        for _ in range(2):
            rtp.flush_nowait(trio.current_time())
        side.stack.start_sctp(5000)
    assert notified == [1e6]


async def test_media_begins_immediately_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock for the NTP timestamps in sender reports is read at the start."""
    wall_clocks: list[float] = []

    def make_session(*arguments: Any, wall_clock: float, **options: Any) -> RtpSession:
        wall_clocks.append(trio.current_time() + wall_clock)
        return RtpSession(*arguments, wall_clock=wall_clock, **options)

    monkeypatch.setattr("trio_rtc.protocols.rtp.RtpSession", make_session)
    async with two_stacks() as sides:
        gather(*sides)
        for side in sides:
            side.start_dtls()
        await trio.sleep(2)
        for side in sides:
            rtp = side.stack.start_rtp("name", side.delegate.events.append)
            assert rtp.session.is_open
            assert side.stack.start_rtp("name", side.delegate.events.append) is rtp
    assert wall_clocks == [WALL_CLOCK] * 2


async def test_the_first_path_is_not_a_restored_one(restorations: list[tuple[str, float]]) -> None:
    async with two_stacks() as sides:
        await connect_all_layers(*sides)
    assert restorations == []


@pytest.mark.parametrize(
    ("round_trip", "restored_after"),
    [
        # The server's last flight is lost. The client retransmits its own after 50 ms, until when it has no keys.
        (0.02, 0.05),
        (0.04, 0.05),
        # The client retransmits before the server's flight arrives; packets within a round trip show that it has keys.
        (0.06, 0.05 + 0.06),
        (0.09, 0.05 + 0.09),
    ],
)
async def test_keyframes_are_requested_if_the_peer_got_its_keys_late(
    round_trip: float,
    restored_after: float,
    restorations: list[tuple[str, float]],
) -> None:
    lose = lose_last_flight() if round_trip < FIRST_RETRANSMISSION else None
    async with two_stacks(round_trip=round_trip, lose=lose) as [client, server]:
        await connect_all_layers(client, server)
        completed_at = server.delegate.times["dtls HandshakeCompleted"]
    [(notified, at)] = restorations
    assert notified == "rtp"
    assert at == pytest.approx(completed_at + restored_after)


async def test_without_a_round_trip_time_keyframes_are_requested_immediately(
    restorations: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Agent, "selected_entry", None)
    async with two_stacks(round_trip=0.09) as [client, server]:
        await connect_all_layers(client, server)
        completed_at = server.delegate.times["dtls HandshakeCompleted"]
    assert [at for _, at in restorations] == [pytest.approx(completed_at + 0.05)]


@pytest.mark.parametrize("is_lost", [False, True])
async def test_another_selected_pair_after_an_outage_restores_the_path(
    is_lost: bool, restorations: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer may nominate another pair before the old one is disconnected here."""
    interrupted = False
    selected: list[IceEvent] = []
    events = Agent.events

    def lose(packet: Packet) -> Pass | Drop:
        return Drop() if interrupted else Pass()

    def events_and_selected(agent: Agent) -> list[IceEvent]:
        found = [*events(agent), *(selected if agent is client.stack.agent else ())]
        selected.clear()
        return found

    async with two_stacks(lose=lose) as [client, server]:
        await connect_all_layers(client, server)
        if is_lost:
            interrupted = True
            await trio.sleep(10)
        monkeypatch.setattr(Agent, "events", events_and_selected)
        event = SelectedPairChanged(client.stack.agent.selected_pair, after_silence=True)
        selected.append(event)
        client.stack.ice.wake()
        await settle()
        assert client.delegate.events[-1] is event
        # If the path is lost, a state change reports its recovery.
        assert [notified for notified, _ in restorations] == ([] if is_lost else ["rtp", "sctp"])


async def test_each_side_protects_media_with_its_own_key() -> None:
    """RFC 5764 section 4.2: the DTLS client with the client's write key."""
    packet = bytes((0x80, 96)) + bytes(10) + b"media"
    async with two_stacks() as [client, server]:
        # Also if media starts before DTLS.
        client.stack.start_rtp("name", client.delegate.events.append)
        await connect_all_layers(client, server)
        for side in (client, server):
            assert side.stack.dtls is not None
            assert side.stack.rtp is not None
            keys = side.stack.dtls.connection.srtp_keys()
            ours = side.stack.rtp.session.srtp
            assert keys is not None
            assert ours is not None
            its = (keys.client_key, keys.client_salt), (keys.server_key, keys.server_salt)
            (key, salt), (other_key, other_salt) = its if side is client else its[::-1]
            opener = SrtpSession(keys.profile.name, other_key, other_salt, key, salt)
            assert opener.unprotect(ours.protect(packet)) == packet


def replace_dtls(*sides: Side) -> None:
    """Begin a new association in which both sides have another certificate and the other role."""
    for side in sides:
        side.role = side.role.other
        side.stack.replace_dtls(
            side.role, [certificate(side.role.other).fingerprint()], certificate(side.role)
        )
        side.stack.start_sctp(5000)


def security_of(side: Side) -> tuple[Connection, SrtpKeys, SrtpSession]:
    """Return the DTLS connection, its SRTP keys and the SRTP session made of them."""
    assert side.stack.dtls is not None
    assert side.stack.rtp is not None
    connection, srtp = side.stack.dtls.connection, side.stack.rtp.session.srtp
    keys = connection.srtp_keys()
    assert keys is not None
    assert srtp is not None
    return connection, keys, srtp


async def open_channels(*sides: Side) -> None:
    """Open a data channel from each side and require that it is announced to the other."""
    for side, other in (sides, sides[::-1]):
        label = f"{side.role} {trio.current_time()}"
        side.stack.control.create_channel(ChannelParameters(label=label))
        side.stack.flush_channel_control()
        await trio.sleep(0.1)
        announced = [each for each in other.delegate.events if isinstance(each, ChannelAnnounced)]
        assert announced[-1].parameters.label == label


async def test_a_new_dtls_association_replaces_the_former_one_over_the_same_ice_transport() -> None:
    async with two_stacks() as sides:
        await connect_all_layers(*sides)
        await open_channels(*sides)
        former = [security_of(side) for side in sides]
        for side in sides:
            side.delegate.log.clear()
        replace_dtls(*sides)
        await trio.sleep(2)
        for side, (connection, keys, srtp) in zip(sides, former, strict=True):
            new_connection, new_keys, new_srtp = security_of(side)
            assert connection.closed
            assert new_connection.role is not connection.role
            assert {new_keys.client_key, new_keys.server_key}.isdisjoint({keys.client_key, keys.server_key})
            assert new_srtp is not srtp
            log = side.delegate.log
            assert log.count("handshake started") == log.count("dtls HandshakeCompleted") == 1
            assert side.delegate.has("channel AllChannelsClosed", "sctp AssociationEstablished")
            # ICE does not change, and the end of the former association is not reported: the transport goes on.
            assert not any(name.startswith("ice") or name == "dtls DtlsClosed" for name in log)
        assert security_of(sides[0])[1] == security_of(sides[1])[1]
        packet = bytes((0x80, 96)) + bytes(10) + b"media"
        client, server = (security_of(side)[2] for side in sides)
        assert server.unprotect(client.protect(packet)) == packet
        await open_channels(*sides)


async def test_a_dtls_association_that_has_ended_can_be_replaced() -> None:
    async with two_stacks() as [client, server]:
        await connect_all_layers(client, server)
        assert client.stack.dtls is not None
        await client.stack.dtls.close()
        await trio.sleep(0.1)
        replace_dtls(client, server)
        await trio.sleep(2)
        await open_channels(client, server)


async def test_stray_records_of_the_former_dtls_association_are_dropped() -> None:
    packets: list[Packet] = []

    def record(packet: Packet) -> Pass:
        packets.append(packet)
        return Pass()

    async with two_stacks(lose=record) as sides:
        await connect_all_layers(*sides)
        await open_channels(*sides)
        protected = [each for each in packets if 19 < each.data[0] < 64 and each.data[3:5] == b"\0\1"]
        alert = bytes((21, 0xFE, 0xFD)) + bytes(8) + b"\0\2\2\50"

        def replay() -> None:
            now = trio.current_time()
            for packet in protected:
                receiver = next(each for each in sides if each.host.name != packet.sender)
                for data in (packet.data, alert):
                    receiver.stack.ice.receive_packets(packet.destination, packet.source, [data], now)

        replace_dtls(*sides)
        for _ in range(20):
            replay()
            await trio.sleep(ROUND_TRIP / 4)
        await trio.sleep(2)
        for side in sides:
            side.delegate.events.clear()
        replay()
        await settle()
        assert len(protected) > 10
        for side in sides:
            assert security_of(side)[0].counters.forged > len(protected) / 4
            assert side.delegate.events == []
        await open_channels(*sides)


def lose_last_flight() -> PacketFilter:
    """Return a filter that drops the first flight with ChangeCipherSpec: the DTLS server's last one."""
    lost: list[Packet] = []

    def lose(packet: Packet) -> Pass | Drop:
        if packet.data[0] != CHANGE_CIPHER_SPEC or lost:
            return Pass()
        lost.append(packet)
        return Drop()

    return lose


@pytest.mark.parametrize(("left", "warned"), [(1, False), (-1, True)])
async def test_certificates_expire_by_the_wall_clock(
    left: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read when DTLS is created, independent of the uptime of the program."""
    async with two_stacks() as [client, server]:
        gather(client, server)
        await trio.sleep(10)
        client.wall_clock = certificate(client.role).expires - left
        client.start_dtls()
        assert ("expired" in caplog.text) is warned


async def test_a_candidate_with_a_name_is_resolved_on_the_local_network() -> None:
    async with two_stacks() as [client, server]:
        group = Address(GROUP_IPV4, PORT)
        opened = await server.host.open_multicast(server.host.interface_addresses()[0], group)
        responder = Responder(ResponderOptions())
        responder.publish(NAME, ["10.0.0.2"], trio.current_time())

        async def answer() -> None:
            while True:
                for _, queries in await opened.receive_batch():
                    responder.receive(queries, trio.current_time())
                    opened.send_nowait(responder.datagrams_to_send(trio.current_time()), group)

        def tell(event: IceEvent) -> None:
            if isinstance(event, LocalCandidateGathered):
                hidden = attrs.evolve(event.candidate, address=NAME)
                client.stack.agent.add_remote_candidate(hidden, trio.current_time())
                client.stack.ice.wake()

        server.delegate.on_ice_event = tell
        client.delegate.on_ice_event = lambda event: None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            gather(client, server)
            await trio.sleep(3)
            nursery.cancel_scope.cancel()
        opened.close()
        assert client.stack.agent.state in ("connected", "completed")
