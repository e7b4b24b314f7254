"""The client of an allocation, against the simulated server in memory."""

import math
import random

import pytest

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.stun import LongTermCredentials
from trio_rtc.protocols.turn import (
    AddressFamily,
    Allocation,
    AllocationCreated,
    AllocationEnded,
    AllocationFailed,
    AllocationRedirected,
    AllocationRefreshed,
    PeerRefused,
    TurnEvent,
    TurnOptions,
)
from trio_rtc.testing import TurnServer, TurnServerOptions

CLIENT = Address("10.0.0.1", 40000)
SERVER = Address("198.51.100.1", 3478)
RELAY, RELAY6 = "198.51.100.1", "2001:db8::1"
PEER = Address("203.0.113.5", 5000)
OTHER = Address("203.0.113.6", 6000)
CHECK, DATA = b"\x00\x01check", b"\x16data"


class Scene:
    """A client and a server, without loss or delay unless ``lossy``."""

    def __init__(
        self,
        *,
        server: TurnServerOptions | None = None,
        options: TurnOptions | None = None,
        password: str = "secret",
        reliable: bool = False,
        family: AddressFamily | None = None,
        credentials: bool = True,
    ) -> None:
        self.now = 100.0
        self.server = TurnServer({"alice": "secret"}, [RELAY, RELAY6], rng=random.Random(1), options=server)
        self.allocation = Allocation(
            options or TurnOptions(),
            rng=random.Random(2),
            credentials=LongTermCredentials("alice", password) if credentials else None,
            family=family,
            reliable=reliable,
        )
        self.events: list[TurnEvent] = []
        self.to_peers: list[Datagram] = []
        self.lossy = False
        self.requests = 0

    def exchange(self) -> None:
        """Exchange packets until both sides have nothing to send."""
        while True:
            outgoing = self.allocation.datagrams_to_send(self.now)
            self.events += self.allocation.events()
            if not outgoing:
                return
            self.requests += sum(packet[0] < 4 for packet in outgoing)
            for packet in outgoing:
                if not self.lossy:
                    self._deliver(Datagram(packet, SERVER, CLIENT))

    def _deliver(self, datagram: Datagram) -> None:
        for answer in self.server.receive(datagram, self.now):
            if answer.remote == CLIENT:
                self.allocation.receive([answer.data], self.now)
            else:
                self.to_peers.append(answer)

    def allocate(self) -> AllocationCreated:
        self.allocation.allocate(self.now)
        self.exchange()
        (created,) = self.pop_events()
        assert isinstance(created, AllocationCreated)
        return created

    def pop_events(self) -> list[TurnEvent]:
        events, self.events = self.events, []
        return events

    def send(self, packet: bytes, peer: Address = PEER) -> None:
        self.allocation.send([packet], peer, self.now)
        self.exchange()

    def send_from_peer(self, packet: bytes, peer: Address = PEER) -> list[tuple[Address, list[bytes]]]:
        (relayed,) = self.server.allocations
        self._deliver(Datagram(packet, relayed, peer))
        self.exchange()
        return self.allocation.received_data()

    def sent(self) -> list[tuple[bytes, Address]]:
        sent, self.to_peers = self.to_peers, []
        return [(datagram.data, datagram.remote) for datagram in sent]

    def advance(self, seconds: float) -> None:
        """Advance the time, running each timer at its time."""
        end = self.now + seconds
        while self.allocation.next_timer() <= end:
            self.now = max(self.now, self.allocation.next_timer())
            self.allocation.handle_timer(self.now)
            self.exchange()
        self.now = end


# -- the allocation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password_algorithms", [False, True])
@pytest.mark.parametrize("reliable", [False, True])
def test_an_allocation_is_created_after_a_challenge(password_algorithms: bool, reliable: bool) -> None:
    scene = Scene(server=TurnServerOptions(password_algorithms=password_algorithms), reliable=reliable)
    created = scene.allocate()
    assert created.relayed_address == scene.server.allocations[0]
    assert created.relayed_address.host == RELAY
    assert created.mapped_address == CLIENT
    assert created.lifetime == 600
    assert scene.requests == 2


def test_an_ipv6_address_is_allocated_on_request() -> None:
    scene = Scene(family=AddressFamily.IPV6)
    assert scene.allocate().relayed_address.host == RELAY6


@pytest.mark.parametrize(
    ("server", "password", "credentials", "expected"),
    [
        (TurnServerOptions(), "wrong", True, AllocationFailed(401, "Unauthorized")),
        (TurnServerOptions(), "secret", False, AllocationFailed(401, "Unauthorized")),
        (
            TurnServerOptions(max_allocations=0),
            "secret",
            True,
            AllocationFailed(486, "Allocation Quota Reached"),
        ),
        (
            TurnServerOptions(alternate_server=Address("198.51.100.9", 3479)),
            "secret",
            True,
            AllocationRedirected(Address("198.51.100.9", 3479), None),
        ),
    ],
)
def test_a_refused_allocation(
    server: TurnServerOptions, password: str, credentials: bool, expected: TurnEvent
) -> None:
    scene = Scene(server=server, password=password, credentials=credentials)
    scene.allocation.allocate(scene.now)
    scene.exchange()
    assert scene.pop_events() == [expected]
    assert scene.allocation.closed
    assert scene.allocation.next_timer() == math.inf


def test_a_server_that_does_not_respond_fails_after_the_timeout() -> None:
    scene = Scene()
    scene.lossy = True
    scene.allocation.allocate(scene.now)
    scene.exchange()
    scene.advance(9.99)
    assert scene.pop_events() == []
    scene.advance(0.02)
    assert scene.pop_events() == [AllocationFailed(None, "no response from the server")]
    # 0.5, 1.5, 3.5 and 7.5 s after the first request.
    assert scene.requests == 5


def test_a_request_over_a_reliable_connection_is_sent_once() -> None:
    scene = Scene(reliable=True)
    scene.lossy = True
    scene.allocation.allocate(scene.now)
    scene.exchange()
    scene.advance(10.1)
    assert scene.requests == 1
    assert scene.pop_events() == [AllocationFailed(None, "no response from the server")]


def test_allocate_is_called_once() -> None:
    scene = Scene()
    scene.allocate()
    with pytest.raises(RuntimeError):
        scene.allocation.allocate(scene.now)


def test_an_allocation_is_refreshed_before_its_end() -> None:
    scene = Scene()
    scene.allocate()
    scene.advance(3 * 3600)
    assert len(scene.server.allocations) == 1
    assert scene.pop_events() == [AllocationRefreshed()] * 20


def test_a_stale_nonce_is_replaced() -> None:
    scene = Scene(server=TurnServerOptions(nonce_lifetime=400))
    scene.allocate()
    scene.advance(3600)
    assert len(scene.server.allocations) == 1
    scene.advance(500)
    scene.send(CHECK)
    assert scene.sent() == [(CHECK, PEER)]


def test_a_server_whose_nonces_are_always_stale_ends_the_request() -> None:
    scene = Scene(server=TurnServerOptions(nonce_lifetime=0))
    scene.allocation.allocate(scene.now)
    scene.exchange()
    assert scene.pop_events() == [AllocationFailed(438, "Stale Nonce")]
    assert scene.requests == TurnOptions().max_attempts


def test_a_refresh_is_repeated_until_the_allocation_has_expired() -> None:
    scene = Scene()
    scene.allocate()
    scene.lossy = True
    scene.advance(599)
    assert scene.pop_events() == []
    assert scene.allocation.active
    scene.advance(60)
    assert scene.pop_events() == [AllocationEnded("no response from the server")]


def test_a_short_outage_does_not_end_the_allocation() -> None:
    scene = Scene()
    scene.allocate()
    scene.lossy = True
    scene.advance(570)
    scene.lossy = False
    scene.advance(3600)
    assert set(scene.pop_events()) == {AllocationRefreshed()}
    assert len(scene.server.allocations) == 1


def test_a_refresh_on_request_shows_whether_the_server_has_the_allocation() -> None:
    scene = Scene()
    scene.allocate()
    scene.allocation.refresh(scene.now)
    scene.allocation.refresh(scene.now)
    scene.exchange()
    assert scene.pop_events() == [AllocationRefreshed()]
    scene.server.forget_allocations()
    scene.allocation.refresh(scene.now)
    scene.exchange()
    assert scene.pop_events() == [AllocationEnded("437 Allocation Mismatch")]


def test_a_server_that_has_lost_the_allocation_ends_it() -> None:
    scene = Scene()
    scene.allocate()
    scene.server.forget_allocations()
    scene.send(CHECK)
    assert AllocationEnded("437 Allocation Mismatch") in scene.pop_events()
    assert scene.allocation.closed


@pytest.mark.parametrize("lifetime", [0, 1, 2**32 - 1])
def test_any_lifetime_of_the_server_gives_a_bounded_number_of_refreshes(lifetime: int) -> None:
    scene = Scene(server=TurnServerOptions(lifetime=lifetime))
    scene.allocation.allocate(scene.now)
    scene.exchange()
    before = scene.requests
    scene.advance(100)
    assert scene.requests - before <= 21


# -- release -----------------------------------------------------------------------------------------------------


def test_a_release_waits_for_the_response() -> None:
    scene = Scene()
    scene.allocate()
    scene.allocation.release(scene.now)
    assert not scene.allocation.closed
    scene.exchange()
    assert scene.pop_events() == [AllocationEnded(None)]
    assert scene.server.allocations == ()


def test_a_release_with_a_stale_nonce_is_repeated() -> None:
    scene = Scene(server=TurnServerOptions(nonce_lifetime=100))
    scene.allocate()
    scene.advance(200)
    scene.allocation.release(scene.now)
    scene.exchange()
    assert scene.server.allocations == ()


def test_a_release_without_a_response_ends_after_its_timeout() -> None:
    scene = Scene()
    scene.allocate()
    scene.lossy = True
    scene.allocation.release(scene.now)
    scene.exchange()
    scene.advance(0.9)
    assert not scene.allocation.closed
    scene.advance(0.2)
    assert scene.allocation.closed
    assert scene.pop_events() == [AllocationEnded(None)]


def test_a_release_before_the_response_to_allocate_releases_what_it_creates() -> None:
    scene = Scene()
    scene.allocation.allocate(scene.now)
    scene.allocation.release(scene.now)
    scene.exchange()
    assert scene.server.allocations == ()
    assert scene.pop_events() == [AllocationEnded(None)]


def test_close_sends_the_release() -> None:
    scene = Scene()
    scene.allocate()
    scene.allocation.close(scene.now)
    assert scene.allocation.closed
    scene.exchange()
    assert scene.server.allocations == ()


def test_nothing_is_sent_after_the_connection_has_ended() -> None:
    scene = Scene()
    scene.allocate()
    scene.allocation.send([CHECK], PEER, scene.now)
    scene.allocation.lower_closed(scene.now)
    assert scene.allocation.datagrams_to_send(scene.now) == []
    scene.exchange()
    assert scene.pop_events() == [AllocationEnded("the connection to the server has ended")]


# -- packets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reliable", [False, True])
def test_packets_are_relayed_both_ways(reliable: bool) -> None:
    scene = Scene(reliable=reliable)
    scene.allocate()
    scene.send(CHECK)
    assert scene.sent() == [(CHECK, PEER)]
    assert scene.send_from_peer(b"\x01\x01response") == [(PEER, [b"\x01\x01response"])]
    for number in range(5):
        packet = DATA * number + DATA
        scene.send(packet)
        assert scene.sent() == [(packet, PEER)]
        assert scene.send_from_peer(packet) == [(PEER, [packet])]


def test_packets_wait_for_the_permission_up_to_a_limit() -> None:
    scene = Scene(options=TurnOptions(max_queued_packets=3))
    scene.allocate()
    scene.allocation.send([CHECK, b"\x002", b"\x003", b"\x004"], PEER, scene.now)
    scene.exchange()
    assert [data for data, _ in scene.sent()] == [CHECK, b"\x002", b"\x003"]
    assert scene.allocation.dropped["waiting for a permission"] == 1


def test_a_channel_is_bound_with_the_first_packet_that_is_no_check() -> None:
    scene = Scene()
    scene.allocate()
    scene.send(CHECK)
    assert scene.allocation.wrap([DATA], PEER) is None
    scene.send(DATA)
    wrapped = scene.allocation.wrap([DATA], PEER)
    assert wrapped == [b"\x40\x00\x00\x05" + DATA]
    assert scene.allocation.wrap([DATA], OTHER) is None


def test_channel_data_is_padded_over_a_stream() -> None:
    scene = Scene(reliable=True)
    scene.allocate()
    scene.send(DATA)
    assert scene.allocation.wrap([DATA], PEER) == [b"\x40\x00\x00\x05" + DATA + bytes(3)]


def test_a_server_without_channels_gets_send_indications() -> None:
    scene = Scene(server=TurnServerOptions(channels=False))
    scene.allocate()
    scene.send(CHECK)
    for _ in range(3):
        scene.send(DATA)
    assert scene.allocation.wrap([DATA], PEER) is None
    assert scene.sent() == [(CHECK, PEER)] + [(DATA, PEER)] * 3
    # Challenge, Allocate, CreatePermission, ChannelBind, and four indications.
    assert scene.requests == 8


def test_more_peers_than_channels_get_send_indications() -> None:
    scene = Scene(options=TurnOptions(max_channels=1))
    scene.allocate()
    for peer in (PEER, OTHER):
        scene.send(CHECK, peer)
        scene.send(DATA, peer)
        scene.send(DATA, peer)
    assert scene.allocation.wrap([DATA], PEER) is not None
    assert scene.allocation.wrap([DATA], OTHER) is None
    assert scene.sent().count((DATA, OTHER)) == 2


def test_permissions_and_channels_are_refreshed_while_they_are_used() -> None:
    scene = Scene()
    scene.allocate()
    scene.send(DATA)
    scene.send(DATA)
    for _ in range(200):
        scene.advance(30)
        wrapped = scene.allocation.wrap([DATA], PEER)
        assert wrapped is not None
        scene._deliver(Datagram(wrapped[0], SERVER, CLIENT))
        assert scene.send_from_peer(DATA) == [(PEER, [DATA])]
    assert scene.sent().count((DATA, PEER)) == 202


def test_an_unused_permission_is_not_refreshed() -> None:
    scene = Scene()
    scene.allocate()
    scene.send(CHECK)
    scene.advance(1500)
    assert scene.send_from_peer(DATA) == []
    scene.sent()
    scene.send(CHECK)
    assert scene.sent() == [(CHECK, PEER)]


def test_a_refused_peer_is_reported_and_asked_for_again_later() -> None:
    scene = Scene(server=TurnServerOptions(forbidden_hosts=frozenset({PEER.host})))
    scene.allocate()
    scene.send(CHECK)
    scene.send(CHECK)
    assert scene.pop_events() == [PeerRefused(PEER.host, 403, "Forbidden")]
    assert scene.allocation.dropped["refused by the server"] == 2
    scene.server.options = TurnServerOptions()
    scene.advance(31)
    scene.send(CHECK)
    assert scene.sent() == [(CHECK, PEER)]


def test_the_number_of_permissions_is_bounded_and_refused_ones_give_way() -> None:
    scene = Scene(
        options=TurnOptions(max_permissions=2),
        server=TurnServerOptions(forbidden_hosts=frozenset({PEER.host})),
    )
    scene.allocate()
    for number in range(1, 5):
        scene.send(CHECK, Address(f"203.0.113.{number + 4}", 5000))
    assert [peer.host for _, peer in scene.sent()] == ["203.0.113.6", "203.0.113.7"]
    assert scene.allocation.dropped["too many permissions"] == 1
    # The packet to the refused address, and the one too many.
    assert scene.allocation.unsent == 2


def test_data_of_unknown_peers_and_channels_is_dropped() -> None:
    scene = Scene()
    scene.allocate()
    scene.send(CHECK)
    forged = Scene()
    forged.allocate()
    forged.send(CHECK, OTHER)
    (relayed,) = forged.server.allocations
    (indication,) = forged.server.receive(Datagram(DATA, relayed, OTHER), forged.now)
    scene.allocation.receive(
        [indication.data, b"\x40\x00\x00\x05" + DATA, b"\x40\x00\x00\x99", b"\xff"], 100.0
    )
    assert scene.allocation.received_data() == []
    dropped = scene.allocation.dropped
    assert (dropped["no permission"], dropped["unknown channel"], dropped["malformed"]) == (1, 1, 2)


def test_packets_before_the_allocation_are_dropped() -> None:
    scene = Scene()
    scene.allocation.send([CHECK], PEER, scene.now)
    assert scene.allocation.dropped == {"not allocated": 1}


def test_consecutive_packets_of_one_peer_are_one_run() -> None:
    scene = Scene()
    scene.allocate()
    for peer in (PEER, OTHER):
        scene.send(CHECK, peer)
    (relayed,) = scene.server.allocations
    packets = []
    for peer, data in ((PEER, b"1"), (PEER, b"2"), (OTHER, b"3"), (PEER, b"4")):
        (answer,) = scene.server.receive(Datagram(data, relayed, peer), scene.now)
        packets.append(answer.data)
    scene.allocation.receive(packets, scene.now)
    assert scene.allocation.received_data() == [(PEER, [b"1", b"2"]), (OTHER, [b"3"]), (PEER, [b"4"])]
