"""Refused destinations and sources."""

import logging
import random

import pytest

from tests.strategies.ice_peer import ScriptedPeer
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, CandidateErrorOccurred, IceOptions, IceRole, IceServer
from trio_rtc.protocols.ice.destinations import is_loopback, refuse_destination, refuse_source
from trio_rtc.protocols.stun import Message, binding_request, success_response

ALICE = Address("10.0.0.1", 10000)
ALICE_6 = Address("2001:db8::1", 10000)
LOOPBACK = Address("127.0.0.1", 10000)
PEER = Address("198.51.100.7", 20000)
SERVER = Address("198.51.100.1", 3478)
URL = "stun:stun.example.org"
ICE_SERVER = IceServer.parse(URL)

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "64:ff9b::0.0.0.0"),
    *("224.0.0.1", "224.0.0.251", "239.255.255.250", "ff02::fb", "ff0e::1", "::ffff:224.0.0.1"),
    *("255.255.255.255", "::ffff:255.255.255.255", "64:ff9b::255.255.255.255", "2002:ffff:ffff::1"),
]
PUBLIC = [
    "8.8.8.8",
    "203.0.113.9",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
PRIVATE = [
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.255.1", "100.64.0.1", "100.127.255.255"),
    *("169.254.169.254", "fe80::1", "fec0::1", "fd00::1", "fc00::1", "127.0.0.1", "::1"),
    *("::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::1", "::10.0.0.1"),
    *("::ffff:0:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"),
    "2001:0:c633:6401:0:63bf:f5ff:fffe",  # Teredo: the client is 10.0.0.1, each bit inverted
]
NEARLY_PRIVATE = [
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.1.1",
    "192.169.0.1",
]


@pytest.mark.parametrize("host", REFUSED)
@pytest.mark.parametrize("port", [443, 5000])
def test_unspecified_multicast_and_broadcast_addresses_are_refused(host: str, port: int) -> None:
    assert refuse_destination(Address(host, port)) is not None
    assert refuse_source(ALICE, Address(host, port)) is not None


@pytest.mark.parametrize("host", [*PUBLIC, *PRIVATE, *NEARLY_PRIVATE])
@pytest.mark.parametrize("port", [1024, 3478, 65535])
def test_all_ports_from_1024_of_other_addresses_are_permitted(host: str, port: int) -> None:
    assert refuse_destination(Address(host, port)) is None


@pytest.mark.parametrize("host", [*PUBLIC, *PRIVATE, *NEARLY_PRIVATE])
@pytest.mark.parametrize("port", [0, 1, 22, 53, 79, 81, 442, 444, 1023])
def test_ports_below_1024_are_refused(host: str, port: int) -> None:
    assert refuse_destination(Address(host, port)) == f"port {port} is below 1024, and neither 80 nor 443"


@pytest.mark.parametrize("port", [80, 443])
def test_ports_80_and_443_are_refused_in_private_networks_only(port: int) -> None:
    allowed = [host for host in (*PUBLIC, *PRIVATE) if refuse_destination(Address(host, port)) is None]
    assert allowed == PUBLIC
    assert all(refuse_destination(Address(host, port)) is None for host in NEARLY_PRIVATE)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("127.0.0.1", True), ("127.255.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True)),
        *(("64:ff9b::7f00:1", True), ("2002:7f00:1::1", True), ("::127.0.0.1", True)),
        *(("128.0.0.1", False), ("::2:1", False), ("fe80::1", False), ("::ffff:10.0.0.1", False)),
    ],
)
def test_embedded_loopback_addresses_are_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_any_source_port_but_0_of_a_public_address_is_permitted() -> None:
    assert refuse_source(ALICE, Address("203.0.113.9", 53)) is None
    assert refuse_source(ALICE, Address("203.0.113.9", 0)) == "port 0"
    assert refuse_source(ALICE, Address("10.0.0.9", 53)) == "port 53 of a private address"
    assert refuse_source(ALICE, Address("10.0.0.9", 1024)) is None


def test_loopback_sources_are_permitted_to_loopback_addresses_only() -> None:
    assert refuse_source(ALICE, Address("127.0.0.1", 5000)) == "a loopback address"
    assert refuse_source(LOOPBACK, Address("127.0.0.1", 5000)) is None
    assert refuse_source(LOOPBACK, Address("127.0.0.1", 53)) == "port 53 of a private address"


# -- the agent ---------------------------------------------------------------------------------------------------


class Recorder:
    """Filter that refuses one network and records its calls."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> bool:
        self.asked.append((host, port))
        return not host.startswith(self.refused)


def make_agent(
    *local: Address, permits: Recorder | None = None, complete: bool = True
) -> tuple[Agent, ScriptedPeer]:
    agent = Agent(
        IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLED, remote_candidate_filter=permits
    )
    for preference, address in enumerate(local):
        agent.add_socket(address, local_preference=preference, now=0.0)
    if complete:
        agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, local[0], PEER)
    agent.set_remote_parameters(peer.parameters, 0.0)
    return agent, peer


def add(agent: Agent, host: str, port: int) -> None:
    agent.add_remote_candidate(Candidate.parse(f"candidate:1 1 udp 2130706431 {host} {port} typ host"), 0.0)


def destinations(agent: Agent, now: float = 0.0, seconds: float = 1.0) -> set[Address]:
    """Return the destinations to which the agent sends within some time."""
    sent = {datagram.remote for datagram in agent.datagrams_to_send(now)}
    end = now + seconds
    while agent.next_timer() < end:
        now = agent.next_timer()
        agent.handle_timer(now)
        sent |= {datagram.remote for datagram in agent.datagrams_to_send(now)}
    return sent


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("0.0.0.0", 5000, "an unspecified address"),
        ("224.0.0.251", 5353, "a multicast address"),
        ("255.255.255.255", 5000, "the broadcast address"),
        ("169.254.169.254", 80, "port 80 of a private address"),
        ("203.0.113.9", 53, "port 53 is below 1024, and neither 80 nor 443"),
        ("203.0.113.9", 0, "port 0 is below 1024, and neither 80 nor 443"),
        ("127.0.0.1", 5000, "a loopback address, and there is no local one"),
        ("127.0.0.1", 53, "port 53 is below 1024, and neither 80 nor 443"),
        ("10.0.0.9", 443, "port 443 of a private address"),
    ],
)
def test_a_refused_candidate_is_counted_and_not_checked(
    host: str, port: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent, peer = make_agent(ALICE)
    with caplog.at_level(logging.DEBUG, "trio_rtc.ice"):
        add(agent, host, port)
    assert agent.dropped["candidate-refused"] == 1
    (record,) = (record for record in caplog.records if host in record.message)
    assert record.levelname == "DEBUG"
    assert record.message.endswith(f" of the peer: {reason}")
    assert agent.remote_candidates == ()
    assert agent.pairs == ()
    agent.add_remote_candidate(peer.candidate(), 0.0)
    assert destinations(agent) == {PEER}


def test_ipv6_addresses_are_refused_with_their_embedded_ipv4_address() -> None:
    agent, _ = make_agent(ALICE_6)
    for host in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "ff02::1", "::"):
        add(agent, host, 5000)
    for host in ("::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe"):
        add(agent, host, 80)
    assert agent.dropped["candidate-refused"] == 7
    assert destinations(agent) == set()


def test_refused_candidates_do_not_count_towards_the_limit() -> None:
    agent, peer = make_agent(ALICE)
    for port in range(300):
        add(agent, "203.0.113.9", 100 + port)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    assert agent.dropped["candidate-refused"] == 300
    assert destinations(agent) == {PEER}


def test_loopback_candidates_require_a_local_loopback_address() -> None:
    agent, _ = make_agent(ALICE, LOOPBACK)
    add(agent, "127.0.0.1", 5000)
    assert [pair.local.base for pair in agent.pairs] == [LOOPBACK]
    assert agent.dropped["candidate-refused"] == 0


def test_a_loopback_candidate_waits_until_the_local_addresses_are_known() -> None:
    for later, refused in ((ALICE_6, 1), (LOOPBACK, 0)):
        agent, peer = make_agent(ALICE, complete=False)
        add(agent, "127.0.0.1", 5000)
        assert len(agent.pairs) == 0
        agent.add_remote_candidate(peer.candidate(), 0.0)
        assert agent.dropped["candidate-refused"] == 0
        agent.add_socket(later, local_preference=9, now=0.0)
        agent.finish_sources(0.0)
        assert agent.dropped["candidate-refused"] == refused
        assert sum(is_loopback(pair.remote.address.host) for pair in agent.pairs) == 1 - refused
        assert PEER in [pair.remote.address for pair in agent.pairs]
        assert len(agent.remote_candidates) == 2 - refused


def test_the_address_of_a_name_is_tested_like_any_other() -> None:
    agent, _ = make_agent(ALICE)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 5 host.local 5000 typ host"), 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:2 1 udp 4 other.local 80 typ host"), 0.0)
    agent.remote_name_resolved("host.local", ["127.0.0.1", "224.0.0.251", "10.0.0.9"], 0.0)
    agent.remote_name_resolved("other.local", ["169.254.169.254"], 0.0)
    assert agent.dropped["candidate-refused"] == 3
    assert destinations(agent) == {Address("10.0.0.9", 5000)}


def test_the_filter_applies_to_permitted_addresses() -> None:
    permits = Recorder("10.")
    agent, _ = make_agent(ALICE, permits=permits)
    add(agent, "10.0.0.9", 5000)
    add(agent, "0.0.0.0", 5000)
    add(agent, "203.0.113.9", 5000)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 5 host.local 5001 typ host"), 0.0)
    agent.remote_name_resolved("host.local", ["10.0.0.10"], 0.0)
    assert permits.asked == [("10.0.0.9", 5000), ("203.0.113.9", 5000), ("10.0.0.10", 5001)]
    assert agent.dropped["candidate-refused"] == 3
    assert destinations(agent) == {Address("203.0.113.9", 5000)}


@pytest.mark.parametrize(
    "source",
    [Address("127.0.0.1", 5000), Address("224.0.0.1", 5000), Address("10.0.0.9", 53), Address("8.8.8.8", 0)],
)
def test_authentic_checks_from_refused_sources_have_no_effect(source: Address) -> None:
    agent, peer = make_agent(ALICE)
    assert peer.check(0.0, source=source) is None
    assert peer.sent == []
    assert destinations(agent) == set()
    assert agent.dropped["source-refused"] == 1
    assert (ALICE, source) not in agent.accepted_paths


def test_checks_from_low_ports_of_public_addresses_trigger_checks() -> None:
    agent, peer = make_agent(ALICE)
    source = Address("203.0.113.9", 500)
    assert peer.check(0.0, source=source) is not None
    assert {datagram.remote for datagram in peer.sent} | destinations(agent) == {source}
    assert [pair.remote.address for pair in agent.pairs] == [source]


def test_the_filter_applies_to_peer_reflexive_addresses() -> None:
    permits = Recorder("10.")
    agent, peer = make_agent(ALICE, permits=permits)
    assert peer.check(0.0, source=Address("10.0.0.9", 5000), password="w" * 24) is not None
    assert permits.asked == []
    assert peer.check(0.0, source=Address("10.0.0.9", 5000)) is None
    assert permits.asked == [("10.0.0.9", 5000)]
    assert agent.dropped["source-refused"] == 1
    assert peer.check(0.0) is not None
    assert agent.pairs[0].remote.address == PEER


@pytest.mark.parametrize(
    ("mapped", "reason"),
    [
        (Address("0.0.0.0", 5000), "an unspecified address"),
        (Address("224.0.0.1", 5000), "a multicast address"),
        (Address("203.0.113.9", 53), "port 53 is below 1024, and neither 80 nor 443"),
        (Address("127.0.0.1", 5000), "a loopback address"),
        (Address("127.0.0.1", 53), "port 53 is below 1024, and neither 80 nor 443"),
        (Address("169.254.169.254", 80), "port 80 of a private address"),
    ],
)
def test_a_mapped_address_is_tested_before_it_is_reported(
    mapped: Address, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    response = success_response(Message.parse(query.data), mapped)
    with caplog.at_level(logging.DEBUG, "trio_rtc.ice"):
        agent.receive([Datagram(response.encode(), ALICE, SERVER)], 0.1)
    assert [record.message.partition("reports: ")[2] for record in caplog.records] == [reason]
    assert [candidate.type for candidate in agent.local_candidates] == ["host"]
    assert agent.dropped["mapped-address-refused"] == 1
    errors = [event for event in agent.events() if isinstance(event, CandidateErrorOccurred)]
    assert [(error.url, error.error_code) for error in errors] == [(URL, 701)]
    assert agent.gathering_state == "complete"


@pytest.mark.parametrize(
    "address",
    [
        *(Address("0.0.0.0", 3478), Address("224.0.0.1", 3478), Address("255.255.255.255", 3478)),
        *(Address("169.254.169.254", 80), Address("203.0.113.9", 53)),
    ],
)
def test_a_server_at_a_refused_address_is_not_queried(address: Address) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, address, 0.0)
    agent.finish_sources(0.0)
    assert destinations(agent) == set()
    (error,) = [event for event in agent.events() if isinstance(event, CandidateErrorOccurred)]
    assert (error.url, error.error_code) == (URL, 701)
    assert f"{address.host}:{address.port} is refused" in error.error_text
    assert agent.dropped["stun-server-refused"] == 1


def test_another_address_of_the_same_server_is_queried() -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, Address("0.0.0.0", 3478), 0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    assert query.remote == SERVER
    response = success_response(Message.parse(query.data), Address("203.0.113.9", 40000))
    agent.receive([Datagram(response.encode(), ALICE, SERVER)], 0.1)
    assert not [event for event in agent.events() if isinstance(event, CandidateErrorOccurred)]


def test_requests_from_refused_addresses_are_not_answered() -> None:
    agent, _ = make_agent(ALICE)
    request = binding_request(bytes(12)).encode()
    agent.receive([Datagram(request.ljust(20), ALICE, Address("10.0.0.9", 53))], 0.0)
    assert agent.datagrams_to_send(0.0) == []
    assert agent.dropped["source-refused"] == 1
