"""Gathering of local candidates."""

import math
import random

import attrs
import pytest

from trio_rtc.enums import RTCIceCandidateType, RTCIceGathererState, RTCIceTransportPolicy
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CandidateErrorOccurred,
    GatheringCompleted,
    GatheringStateChanged,
    IceEvent,
    IceOptions,
    IceParameters,
    IceRole,
    IceServer,
    LocalCandidateGathered,
)
from trio_rtc.protocols.stun import ErrorCode, Message, binding_request, error_response, success_response

ALICE = Address("192.168.1.5", 10000)
ALICE_6 = Address("fd00::1", 10000)
SERVER = Address("198.51.100.1", 3478)
OTHER_SERVER = Address("198.51.100.2", 3478)
SERVER_6 = Address("2001:db8::1", 3478)
OUTSIDE = Address("203.0.113.9", 40000)
URL = "stun:stun.example.org"
ICE_SERVER = IceServer.parse(URL)
OTHER_URL = "stun:other.example.org"
OTHER_ICE_SERVER = IceServer.parse(OTHER_URL)


def make_agent(**options: float) -> Agent:
    return Agent(IceOptions(**options), rng=random.Random(1), role=IceRole.CONTROLLING)  # type: ignore[arg-type]


def candidates(events: list[IceEvent]) -> list[Candidate]:
    return [event.candidate for event in events if isinstance(event, LocalCandidateGathered)]


def errors(events: list[IceEvent]) -> list[CandidateErrorOccurred]:
    return [event for event in events if isinstance(event, CandidateErrorOccurred)]


def respond(agent: Agent, datagram: Datagram, mapped: Address | ErrorCode, now: float) -> None:
    request = Message.parse(datagram.data)
    response = (
        error_response(request, mapped)
        if isinstance(mapped, ErrorCode)
        else success_response(request, mapped)
    )
    agent.receive([Datagram(response.encode(), datagram.local, datagram.remote)], now)


def run(agent: Agent, now: float, until: float) -> list[Datagram]:
    """Run until a time; return the datagrams sent."""
    sent = agent.datagrams_to_send(now)
    while agent.next_timer() <= until:
        now = agent.next_timer()
        agent.handle_timer(now)
        assert agent.next_timer() > now
        sent += agent.datagrams_to_send(now)
    return sent


def test_host_candidates_are_reported_immediately() -> None:
    agent = make_agent()
    assert agent.gathering_state == "new"
    agent.add_socket(ALICE, local_preference=65535, now=0.0, network_id=1, network_cost=50)
    gathering, reported = agent.events()
    assert gathering == GatheringStateChanged(RTCIceGathererState.GATHERING)
    assert isinstance(reported, LocalCandidateGathered)
    assert reported.url is None
    candidate = reported.candidate
    assert candidate.transport_address == ALICE
    assert candidate.priority == 2130706431
    assert candidate.username_fragment == agent.local_parameters.username_fragment
    assert candidate.to_sdp().endswith(f"ufrag {candidate.username_fragment} network-id 1 network-cost 50")
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    assert agent.events() == []
    agent.finish_sources(0.0)
    assert agent.events() == [GatheringCompleted(), GatheringStateChanged(RTCIceGathererState.COMPLETE)]


def test_announced_addresses_replace_the_local_one_and_make_no_pairs() -> None:
    """A server behind a 1:1 NAT tells peers its public address; the socket remains the base."""
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=65535, now=0.0, announced_hosts=["203.0.113.7", "203.0.113.8"])
    reported = [each.candidate for each in agent.events() if isinstance(each, LocalCandidateGathered)]
    assert [(each.address, each.port, each.type, each.related_address) for each in reported] == [
        ("203.0.113.7", ALICE.port, "host", None),
        ("203.0.113.8", ALICE.port, "host", None),
    ]
    assert [each.address for each in agent.local_candidates] == [ALICE.host, "203.0.113.7", "203.0.113.8"]


def test_the_local_address_can_be_announced_beside_others() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=65535, now=0.0, announced_hosts=[ALICE.host, "203.0.113.7"])
    reported = [each.candidate.address for each in agent.events() if isinstance(each, LocalCandidateGathered)]
    assert reported == [ALICE.host, "203.0.113.7"]


@pytest.mark.parametrize("host", ["2001:db8::1", "name.example"])
def test_an_announced_address_of_another_family_or_a_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"family|does not appear"):
        make_agent().add_socket(ALICE, local_preference=65535, now=0.0, announced_hosts=[host])


def test_relay_policy_gathers_from_relayed_addresses_only() -> None:
    agent = make_agent()
    agent.set_transport_policy(RTCIceTransportPolicy.RELAY)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    turn = IceServer.parse("turn:turn.example.org", "alice", "secret")
    agent.add_relayed_socket(OUTSIDE, server=turn, mapped_address=ALICE_6, local_preference=1, now=0.0)
    agent.finish_sources(0.0)
    events = agent.events()
    assert [(each.type, each.transport_address) for each in candidates(events)] == [("relay", OUTSIDE)]
    assert [(each.related_address, each.related_port) for each in candidates(events)] == [("::", 9)]
    assert agent.gathering_state == "complete"
    assert errors(events) == []
    assert agent.datagrams_to_send(0.0) == []
    # A check to the host socket must not open a direct path.
    agent.receive([Datagram(binding_request(bytes(12)).encode(), ALICE, SERVER)], 0.0)
    assert agent.dropped["unknown-address"] == 1


def test_a_relayed_address_queries_no_stun_server() -> None:
    agent = make_agent()
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    turn = IceServer.parse("turn:turn.example.org", "alice", "secret")
    agent.add_relayed_socket(OUTSIDE, server=turn, mapped_address=ALICE, local_preference=65535, now=0.0)
    assert agent.datagrams_to_send(0.0) == []
    (relayed,) = candidates(agent.events())
    assert relayed.priority == (65535 << 8) + 255
    assert (relayed.related_address, relayed.related_port) == ALICE
    agent.remove_socket(OUTSIDE, 0.0)
    assert list(agent.local_candidates) == []


def test_a_late_address_resumes_gathering() -> None:
    agent = make_agent()
    agent.finish_sources(0.0)
    agent.events()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    states = [event.state for event in agent.events() if isinstance(event, GatheringStateChanged)]
    assert states == ["gathering", "complete"]


@pytest.mark.parametrize("server_first", [True, False])
def test_a_response_gives_a_server_reflexive_candidate(server_first: bool) -> None:
    agent = make_agent()
    if server_first:
        agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    if not server_first:
        agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    agent.events()
    (query,) = agent.datagrams_to_send(0.0)
    assert (query.local, query.remote) == (ALICE, SERVER)
    assert not Message.parse(query.data).has_integrity
    respond(agent, query, OUTSIDE, 0.03)
    reported, *rest = agent.events()
    assert isinstance(reported, LocalCandidateGathered)
    assert reported.url == URL
    candidate = reported.candidate
    assert candidate.type is RTCIceCandidateType.SRFLX
    assert candidate.transport_address == OUTSIDE
    assert (candidate.related_address, candidate.related_port) == ALICE
    assert candidate.priority == 1694498815
    assert rest == [GatheringCompleted(), GatheringStateChanged(RTCIceGathererState.COMPLETE)]


def test_without_nat_there_is_no_reflexive_candidate() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.add_stun_server(OTHER_ICE_SERVER, OTHER_SERVER, 0.0)
    agent.finish_sources(0.0)
    agent.events()
    first, second = run(agent, 0.0, 0.1)
    respond(agent, first, ALICE, 0.1)
    assert agent.events() == []
    respond(agent, second, ALICE, 0.1)
    assert agent.events() == [GatheringCompleted(), GatheringStateChanged(RTCIceGathererState.COMPLETE)]


def test_an_unreachable_server_does_not_delay_others() -> None:
    agent = make_agent()
    agent.add_stun_server(OTHER_ICE_SERVER, OTHER_SERVER, 0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    agent.events()
    queries = run(agent, 0.0, 0.05)
    assert [query.remote for query in queries] == [OTHER_SERVER, SERVER]
    respond(agent, queries[1], OUTSIDE, 0.06)
    assert [candidate.transport_address for candidate in candidates(agent.events())] == [OUTSIDE]
    assert agent.gathering_state == "gathering"
    run(agent, 0.06, 6.0)
    events = agent.events()
    (error,) = errors(events)
    assert (error.url, error.error_code, error.address, error.port) == (OTHER_URL, 701, None, None)
    assert events[-2:] == [GatheringCompleted(), GatheringStateChanged(RTCIceGathererState.COMPLETE)]
    assert agent.next_timer() == math.inf


def test_an_error_response_of_a_server_is_reported_with_its_code() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    respond(agent, query, ErrorCode(401, "Unauthorized"), 0.1)
    assert errors(agent.events()) == [CandidateErrorOccurred(*ALICE, URL, 401, "Unauthorized")]
    assert agent.gathering_state == "complete"


def test_an_unreachable_server_is_reported_once() -> None:
    agent = make_agent()
    agent.fail_server(ICE_SERVER, "the name does not resolve", 0.0)
    agent.fail_server(ICE_SERVER, "the name does not resolve", 0.0)
    agent.add_stun_server(OTHER_ICE_SERVER, SERVER_6, 0.0)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    first, second = errors(agent.events())
    assert (first.url, first.error_code, first.error_text) == (URL, 701, "the name does not resolve")
    assert (second.url, second.error_code) == (OTHER_URL, 701)
    assert agent.gathering_state == "complete"


def test_every_server_is_queried_from_all_addresses_of_its_family() -> None:
    agent = make_agent()
    loopback, link_local = Address("127.0.0.1", 10000), Address("fe80::1", 10000)
    for address in (ALICE, ALICE_6, loopback, link_local):
        agent.add_socket(address, local_preference=1, now=0.0)
    for server in (SERVER, OTHER_SERVER, SERVER_6):
        agent.add_stun_server(ICE_SERVER, server, 0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    sent = run(agent, 0.0, 0.4)
    assert {(query.local, query.remote) for query in sent} == {
        (ALICE, SERVER),
        (ALICE, OTHER_SERVER),
        (ALICE_6, SERVER_6),
    }
    assert len(sent) == 3


def test_queries_and_checks_alternate_with_common_pacing() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    for index in range(4):
        agent.add_stun_server(ICE_SERVER, SERVER._replace(port=3478 + index), 0.0)
    peer = Agent(IceOptions(), rng=random.Random(9), role=IceRole.CONTROLLED)
    agent.set_remote_parameters(peer.local_parameters, 0.0)
    for index in range(4):
        line = f"candidate:{index} 1 udp 5 10.0.1.{index} 1024 typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    sent = run(agent, 0.0, 0.36)
    kinds = ["query" if datagram.remote.host == SERVER.host else "check" for datagram in sent]
    assert kinds == ["query", "check"] * 4


def test_removing_an_address_cancels_its_queries() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.add_stun_server(OTHER_ICE_SERVER, OTHER_SERVER, 0.0)
    agent.finish_sources(0.0)
    agent.remove_socket(ALICE, 0.1)
    assert agent.datagrams_to_send(0.1) == []
    assert agent.gathering_state == "complete"
    assert agent.local_candidates == ()
    assert {error.url for error in errors(agent.events())} == {URL, OTHER_URL}
    assert agent.next_timer() == math.inf


def test_malformed_responses_of_a_server_are_failures() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    request = Message.parse(query.data)
    empty = Message(request.method, success_response(request, ALICE).message_class, request.transaction_id)
    agent.receive([Datagram(empty.encode(), ALICE, SERVER)], 0.1)
    assert [error.error_code for error in errors(agent.events())] == [701]


def test_an_error_response_with_a_mapped_address_is_an_error() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.events()
    (query,) = agent.datagrams_to_send(0.0)
    request = Message.parse(query.data)
    refused, answer = error_response(request, ErrorCode(403, "no")), success_response(request, OUTSIDE)
    both = attrs.evolve(refused, attributes=(*refused.attributes, *answer.attributes))
    agent.receive([Datagram(both.encode(), ALICE, SERVER)], 0.1)
    events = agent.events()
    assert candidates(events) == []
    assert [error.error_code for error in errors(events)] == [403]


def test_a_reflexive_candidate_is_a_local_candidate() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    respond(agent, query, OUTSIDE, 0.1)
    found = [(candidate.type, candidate.transport_address) for candidate in agent.local_candidates]
    assert found == [("host", ALICE), ("srflx", OUTSIDE)]
    assert candidates(agent.events()) == list(agent.local_candidates)


def test_a_mapped_address_of_the_other_family_is_no_candidate() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.events()
    (query,) = agent.datagrams_to_send(0.0)
    respond(agent, query, ALICE_6, 0.1)
    assert candidates(agent.events()) == []


def test_addresses_and_servers_are_bounded() -> None:
    agent = make_agent(max_sockets=2, max_stun_servers=2)
    for index in range(5):
        agent.add_socket(ALICE._replace(port=10000 + index), local_preference=index, now=0.0)
        agent.add_stun_server(ICE_SERVER, SERVER._replace(port=3478 + index), 0.0)
    assert len(agent.local_candidates) == 2
    assert len(run(agent, 0.0, 0.45)) == 4


def test_all_queries_can_be_open_with_few_pairs() -> None:
    """A query may be open for half a minute, and a new one is sent every 50 milliseconds."""
    agent = make_agent(max_pairs=1, gathering_timeout=60.0)
    for index in range(32):
        agent.add_socket(ALICE._replace(port=10000 + index), local_preference=index, now=0.0)
    for index in range(16):
        agent.add_stun_server(ICE_SERVER, SERVER._replace(port=3478 + index), 0.0)
    asked = {Message.parse(datagram.data).transaction_id for datagram in run(agent, 0.0, 30.0)}
    assert len(asked) == 32 * 16


def test_a_preference_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="local_preference"):
        make_agent().add_socket(ALICE, local_preference=65536, now=0.0)


def test_a_stray_response_is_counted() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    stray = success_response(binding_request(bytes(12)), OUTSIDE).encode()
    agent.receive([Datagram(stray, ALICE, SERVER)], 0.0)
    assert agent.dropped == {"unexpected": 1}


def test_two_addresses_with_the_same_mapped_address_give_two_candidates() -> None:
    """RFC 8445 section 5.1.3: only candidates of the same base are redundant."""
    agent = make_agent()
    other = ALICE._replace(host="192.168.2.5")
    for preference, address in enumerate((ALICE, other)):
        agent.add_socket(address, local_preference=preference, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    for query in run(agent, 0.0, 0.1):
        respond(agent, query, OUTSIDE, 0.1)
    reflexive = [each for each in agent.local_candidates if each.type is RTCIceCandidateType.SRFLX]
    assert [(each.transport_address, each.related_address) for each in reflexive] == [
        (OUTSIDE, ALICE.host),
        (OUTSIDE, other.host),
    ]
    assert reflexive[0].foundation != reflexive[1].foundation


def test_a_check_is_sent_before_a_query_due_at_the_same_time() -> None:
    agent = make_agent()
    agent.set_remote_parameters(IceParameters("peer", "x" * 22), 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 5 10.0.1.1 1024 typ host"), 0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    assert [query.remote.port for query in run(agent, 0.0, 0.06)] == [1024, SERVER.port]


def test_the_failure_of_a_server_is_reported_immediately() -> None:
    agent = make_agent()
    agent.fail_server(ICE_SERVER, "the name does not resolve", 0.0)
    assert agent.events() == [CandidateErrorOccurred(None, None, URL, 701, "the name does not resolve")]


def test_every_error_response_of_a_turn_server_is_reported() -> None:
    agent = make_agent()
    turn = IceServer.parse("turn:turn.example.org", "alice", "secret")
    agent.report_server_error(turn, ALICE, 486, "Allocation Quota Reached", 0.0)
    agent.report_server_error(turn, ALICE_6, 486, "Allocation Quota Reached", 0.0)
    agent.fail_server(turn, "no allocation", 0.0)
    assert errors(agent.events()) == [
        CandidateErrorOccurred(*local, turn.url, 486, "Allocation Quota Reached")
        for local in (ALICE, ALICE_6)
    ]


def test_gathering_continues_while_addresses_are_expected() -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.finish_sources(0.0)
    assert agent.gathering_state == "complete"
    agent.expect_sources()
    agent.events()
    agent.restart(1.0)
    assert agent.gathering_state == "gathering"
    assert GatheringCompleted() not in agent.events()
    agent.add_socket(ALICE_6, local_preference=2, now=2.0)
    assert agent.gathering_state == "gathering"
    agent.finish_sources(3.0)
    assert agent.gathering_state == "complete"
    assert GatheringCompleted() in agent.events()


@pytest.mark.parametrize(("servers", "rto"), [(8, 0.5), (12, 0.6)])
def test_after_a_restart_each_server_is_queried_once_more(servers: int, rto: float) -> None:
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    for index in range(servers):
        agent.add_stun_server(ICE_SERVER, SERVER._replace(port=3478 + index), 0.0)
    run(agent, 0.0, 0.21)
    agent.restart(0.22)
    asked: dict[int, list[float]] = {}
    now = 0.22
    while now < 1.9:
        for query in agent.datagrams_to_send(now):
            asked.setdefault(query.remote.port, []).append(now)
        now = agent.next_timer()
        agent.handle_timer(now)
    assert sorted(asked) == [3478 + index for index in range(servers)]
    for times in asked.values():
        assert times[1] - times[0] == pytest.approx(rto)


@pytest.mark.parametrize(
    ("servers", "addresses", "state"), [(0, 0, "new"), (1, 0, "gathering"), (0, 1, "gathering")]
)
def test_gathering_state_after_a_restart(servers: int, addresses: int, state: str) -> None:
    agent = make_agent()
    for _ in range(servers):
        agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    for _ in range(addresses):
        agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.restart(1.0)
    assert agent.gathering_state == state


def test_a_server_added_after_completion_resumes_gathering() -> None:
    agent = make_agent()
    agent.finish_sources(0.0)
    assert agent.gathering_state == "complete"
    agent.events()
    agent.add_stun_server(ICE_SERVER, SERVER, 1.0)
    assert agent.events() == [
        GatheringStateChanged(RTCIceGathererState.GATHERING),
        CandidateErrorOccurred(None, None, URL, 701, "STUN server is not reachable from any address"),
        GatheringCompleted(),
        GatheringStateChanged(RTCIceGathererState.COMPLETE),
    ]


def test_a_loopback_mapped_address_is_accepted_for_a_loopback_base() -> None:
    agent = make_agent()
    local = Address("127.0.0.1", 10000)
    agent.add_socket(local, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, Address("127.0.0.1", 3478), 0.0)
    agent.finish_sources(0.0)
    (query,) = agent.datagrams_to_send(0.0)
    respond(agent, query, Address("127.0.0.1", 5000), 0.1)
    assert [candidate.port for candidate in agent.local_candidates] == [10000, 5000]
    assert agent.dropped == {}


@pytest.mark.parametrize("code", [300, 699, 701])
def test_a_response_to_the_last_query_completes_gathering(code: int) -> None:
    """Even if the error code is 701, which W3C uses for unreachable servers."""
    agent = make_agent()
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    agent.events()
    (query,) = agent.datagrams_to_send(0.0)
    respond(agent, query, ErrorCode(code, "no"), 0.1)
    (error,) = errors(agent.events())
    if code < 700:
        assert error == CandidateErrorOccurred(*ALICE, URL, code, "no")
    else:
        assert (error.address, error.error_code) == (None, 701)
    assert agent.gathering_state == "complete"
    assert agent.next_timer() == math.inf


def servers_queried(sent: list[Datagram]) -> set[Address]:
    return {datagram.remote for datagram in sent}


OTHER_SERVER = Address("198.51.100.99", 3478)


def test_a_restart_uses_the_configured_servers_only() -> None:
    """W3C webrtc section 4.4.1.6: a new list of servers replaces the former one with the next gathering."""
    agent = make_agent()
    agent.set_servers([ICE_SERVER])
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.set_servers([OTHER_ICE_SERVER])
    agent.add_stun_server(OTHER_ICE_SERVER, OTHER_SERVER, 0.0)
    assert servers_queried(run(agent, 0.0, 1.0)) == {SERVER}
    agent.restart(1.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 1.0)
    agent.fail_server(ICE_SERVER, "does not resolve", 1.0)
    agent.add_stun_server(OTHER_ICE_SERVER, OTHER_SERVER, 1.0)
    assert servers_queried(run(agent, 1.0, 2.0)) == {OTHER_SERVER}
    assert errors(agent.events()) == []


def test_a_restart_makes_no_candidate_of_an_allocation_on_a_former_server() -> None:
    agent = make_agent()
    turn = IceServer.parse("turn:turn.example.org", "user", "password")
    agent.set_servers([turn])
    agent.add_relayed_socket(OUTSIDE, server=turn, mapped_address=ALICE, local_preference=1, now=0.0)
    assert [candidate.type for candidate in candidates(agent.events())] == ["relay"]
    agent.set_servers([])
    agent.restart(1.0)
    assert candidates(agent.events()) == []


def test_a_rolled_back_restart_restores_the_servers() -> None:
    agent = make_agent()
    agent.set_servers([ICE_SERVER])
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    agent.finish_sources(0.0)
    (query,) = run(agent, 0.0, 0.05)
    respond(agent, query, OUTSIDE, 0.1)
    before = agent.local_candidates
    assert agent.gathering_state == "complete"
    agent.set_servers([])
    agent.restart(1.0)
    assert [candidate.type for candidate in agent.local_candidates] == ["host"]
    agent.roll_back_restart(1.0)
    assert agent.local_candidates == before
    assert agent.gathering_state == "complete"


def test_candidates_of_the_pool_are_reported_when_they_are_released() -> None:
    agent = make_agent()
    agent.hold_candidates()
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    assert agent.events() == []
    assert agent.gathering_state == "complete"
    agent.release_candidates(1.0)
    kinds = [type(event).__name__ for event in agent.events()]
    assert kinds == [
        "GatheringStateChanged",
        "LocalCandidateGathered",
        "GatheringCompleted",
        "GatheringStateChanged",
    ]


def test_candidates_of_the_pool_are_gathered_again_with_other_servers_and_policy() -> None:
    agent = make_agent()
    agent.set_servers([ICE_SERVER])
    agent.hold_candidates()
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.add_stun_server(ICE_SERVER, SERVER, 0.0)
    assert servers_queried(agent.datagrams_to_send(0.0)) == {SERVER}
    agent.set_servers([OTHER_ICE_SERVER])
    agent.set_transport_policy(RTCIceTransportPolicy.RELAY)
    before = agent.local_parameters
    agent.gather_again(0.0)
    agent.finish_sources(0.0)
    assert run(agent, 0.0, 1.0) == []
    agent.release_candidates(1.0)
    assert agent.local_parameters == before
    assert candidates(agent.events()) == []


def test_a_closed_agent_releases_nothing() -> None:
    agent = make_agent()
    agent.hold_candidates()
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.close(1.0)
    agent.gather_again(1.0)
    agent.release_candidates(1.0)
    assert candidates(agent.events()) == []
