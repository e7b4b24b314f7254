"""Connection establishment between two agents."""

import math
import random

import pytest

from tests.strategies.ice_network import Host, IceNetwork, are_connected, signal
from tests.strategies.ice_peer import ScriptedPeer
from trio_rtc.enums import RTCIceCandidateType
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CheckState,
    IceOptions,
    IceParameters,
    IceRole,
    NameResolutionRequested,
    RoleChanged,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.stun import ErrorCode, Message, MessageClass

ALICE = Address("10.0.0.1", 10000)
ALICE_6 = Address("fd00::1", 10000)
BOB = Address("10.0.0.2", 2000)
BOB_6 = Address("fd00::2", 2000)
CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED


def make_hosts(network: IceNetwork, **kwargs: object) -> tuple[Host, Host]:
    return (
        network.add_host(CONTROLLING, ALICE, **kwargs),  # type: ignore[arg-type]
        network.add_host(CONTROLLED, BOB, **kwargs),  # type: ignore[arg-type]
    )


def make_agent(role: IceRole, *addresses: Address, **options: float) -> Agent:
    agent = Agent(IceOptions(**options), rng=random.Random(1), role=role)  # type: ignore[arg-type]
    for index, address in enumerate(addresses):
        agent.add_socket(address, local_preference=65535 - index, now=0.0)
    agent.finish_sources(0.0)
    return agent


def states(host: Host) -> list[str]:
    return [event.state.value for event in host.events if isinstance(event, StateChanged)]


def test_data_can_be_sent_after_one_round_trip_and_two_nominate() -> None:
    network = IceNetwork(delay=0.010)
    alice, bob = make_hosts(network)
    signal(network, alice, bob)
    signal(network, bob, alice)
    start = network.now
    assert network.run(1, lambda: None not in (alice.agent.selected_pair, bob.agent.selected_pair))
    assert network.now - start == pytest.approx(0.020)
    assert alice.agent.state == bob.agent.state == "connected"
    assert network.run(1, lambda: are_connected(alice, bob))
    assert network.now - start == pytest.approx(0.040)
    assert states(alice) == states(bob) == ["checking", "connected", "completed"]


def test_the_side_with_parameters_connects_before_the_other_has_them() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network)
    signal(network, alice, bob)
    assert network.run(1, lambda: bob.agent.state == "connected")
    assert (BOB, ALICE) in bob.agent.accepted_paths
    assert (ALICE, BOB) in alice.agent.accepted_paths
    assert alice.agent.state == "new"
    signal(network, bob, alice)
    start = network.now
    assert network.run(1, lambda: are_connected(alice, bob))
    assert network.now - start < 0.005


def test_candidates_may_arrive_before_the_parameters() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network)
    for candidate in bob.candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    assert alice.agent.datagrams_to_send(network.now) == []
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    assert len(alice.agent.datagrams_to_send(network.now)) == 1


def test_trickled_candidates_connect_one_by_one() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network, complete=False)
    signal(network, alice, bob, complete=False)
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    dead = Candidate.parse("candidate:9 1 udp 2130706431 10.9.9.9 9000 typ host")
    alice.agent.add_remote_candidate(dead, network.now)
    network.run(1.0)
    for candidate in bob.candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    assert network.run(1.0, lambda: are_connected(alice, bob))
    assert alice.agent.state == "connected"
    for host in (alice, bob):
        host.agent.finish_sources(network.now)
        host.agent.remote_candidates_complete(network.now)
    network.run(0.1)
    assert alice.agent.state == bob.agent.state == "completed"


def test_connected_is_reported_before_completed_if_the_nomination_comes_first() -> None:
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    peer.check(0.0, use_candidate=True)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.remote_candidates_complete(0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01)
    signaled = [event.state for event in agent.events() if isinstance(event, StateChanged)]
    assert signaled == ["checking", "connected", "completed"]


@pytest.mark.parametrize("role", list(IceRole))
@pytest.mark.parametrize("seed", range(4))
def test_a_role_conflict_is_resolved(role: IceRole, seed: int) -> None:
    network = IceNetwork()
    alice = network.add_host(role, ALICE, seed=2 * seed + 10)
    bob = network.add_host(role, BOB, seed=2 * seed + 11)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(5, lambda: are_connected(alice, bob))
    assert {alice.agent.role, bob.agent.role} == {CONTROLLING, CONTROLLED}
    changes = alice.events_of(RoleChanged) + bob.events_of(RoleChanged)
    assert len(changes) % 2 == 1


def test_a_487_response_changes_role_and_tie_breaker() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (first,) = peer.new_requests(0.0)
    peer.answer(first, 0.01, error=ErrorCode(487, "Role Conflict"))
    assert agent.role is CONTROLLED
    assert RoleChanged(CONTROLLED) in agent.events()
    agent.handle_timer(0.06)
    (second,) = peer.new_requests(0.06)
    before, after = Message.parse(first.data), Message.parse(second.data)
    assert after.ice_controlled is not None
    assert after.ice_controlled != before.ice_controlling


@pytest.mark.parametrize(("tie_breaker", "refused"), [(0, True), (2**64 - 1, False)])
def test_the_larger_tie_breaker_controls(tie_breaker: int, refused: bool) -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    response = peer.check(0.0, controlling=True, tie_breaker=tie_breaker)
    assert response is not None
    assert response.has_valid_integrity(peer.key)
    if refused:
        assert response.error_code == ErrorCode(487, "Role Conflict")
    assert agent.role is (CONTROLLING if refused else CONTROLLED)
    assert (ALICE, BOB) not in agent.accepted_paths or not refused


def test_addresses_rewritten_by_a_nat_become_peer_reflexive_candidates() -> None:
    network = IceNetwork()
    alice = network.add_host(CONTROLLING, Address("192.168.1.5", 10000))
    bob = network.add_host(CONTROLLED, BOB)
    inside, outside = Address("192.168.1.5", 10000), Address("203.0.113.9", 40000)

    def translate(datagram: Datagram) -> Datagram | None:
        if datagram.local == inside:
            return datagram._replace(local=outside)
        if datagram.remote == outside:
            return datagram._replace(remote=inside)
        # The inner address is not reachable from outside.
        return None if datagram.remote == inside else datagram

    network.route = translate
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(5, lambda: are_connected(alice, bob))
    mine, theirs = alice.agent.selected_pair, bob.agent.selected_pair
    assert mine is not None
    assert theirs is not None
    assert mine.local.type is RTCIceCandidateType.PRFLX
    assert mine.local.transport_address == outside
    assert (mine.local.related_address, mine.local.related_port) == inside
    assert mine.local_base == inside
    assert theirs.remote.type is RTCIceCandidateType.PRFLX
    assert theirs.remote_address == outside


def test_a_signaled_candidate_replaces_a_peer_reflexive_one() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network)
    signal(network, alice, bob)
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    assert network.run(1, lambda: are_connected(alice, bob))
    pair = alice.agent.selected_pair
    assert pair is not None
    assert pair.remote.type is RTCIceCandidateType.PRFLX
    assert alice.agent.remote_candidates == ()
    for candidate in bob.candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    pair = alice.agent.selected_pair
    assert pair is not None
    assert pair.remote == bob.candidates[0]
    assert alice.agent.remote_candidates == tuple(bob.candidates)
    assert len(alice.agent.pairs) == 1


def test_an_agent_with_a_lite_peer_is_controlling() -> None:
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB, ice_lite=True)
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert agent.role is CONTROLLING
    assert RoleChanged(CONTROLLING) in agent.events()
    agent.set_role(CONTROLLED, 0.0)
    assert agent.role is CONTROLLING
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (first,) = peer.new_requests(0.0)
    assert not Message.parse(first.data).use_candidate
    peer.answer(first, 0.01)
    (second,) = peer.new_requests(0.01)
    assert Message.parse(second.data).use_candidate
    peer.answer(second, 0.02)
    assert agent.pairs[0].nominated


def test_names_are_resolved_by_the_caller() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network)
    (signaled,) = bob.candidates
    name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
    hidden = Candidate.parse(
        signaled.to_sdp().replace(signaled.address, name.upper().replace("LOCAL", "local"))
    )
    bob.agent.set_remote_parameters(alice.agent.local_parameters, network.now)
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    alice.agent.add_remote_candidate(hidden, network.now)
    alice.agent.add_remote_candidate(hidden, network.now)
    alice.agent.remote_candidates_complete(network.now)
    network.run(6)
    assert alice.events_of(NameResolutionRequested) == [NameResolutionRequested(name)]
    assert alice.agent.state == "checking"
    alice.agent.remote_name_resolved(name, ["not an address", BOB.host], network.now)
    assert network.run(1, lambda: are_connected(alice, bob))
    pair = alice.agent.selected_pair
    assert pair is not None
    assert pair.remote.address == name
    assert pair.remote_address == BOB


def test_the_addresses_of_a_name_are_checked_immediately() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    agent.set_remote_parameters(IceParameters("peer", "x" * 22), 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 1 x.local 2000 typ host"), 0.0)
    agent.remote_name_resolved("X.local", [BOB.host], 1.0)
    assert [datagram.remote for datagram in agent.datagrams_to_send(1.0)] == [BOB]


def test_a_name_that_does_not_resolve_gives_no_pair() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    agent.set_remote_parameters(IceParameters("peer", "x" * 22), 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 1 x.local 1 typ host"), 0.0)
    agent.remote_candidates_complete(0.0)
    agent.remote_name_resolved("x.local", [], 1.0)
    agent.handle_timer(agent.next_timer())
    assert agent.state == "failed"


def test_tcp_and_rtcp_candidates_are_not_paired() -> None:
    network = IceNetwork()
    alice, bob = make_hosts(network)
    tcp = Candidate.parse("candidate:2 1 TCP 2105458943 10.77.0.2 9 typ host tcptype active")
    rtcp = Candidate.parse("candidate:0 2 UDP 2122187006 10.77.0.2 34504 typ host")
    alice.agent.add_remote_candidate(tcp, network.now)
    alice.agent.add_remote_candidate(rtcp, network.now)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    assert tcp in alice.agent.remote_candidates
    assert rtcp not in alice.agent.remote_candidates
    assert len(alice.agent.pairs) == 1
    assert alice.agent.dropped["candidate"] == 1


def test_address_families_and_link_local_addresses_are_not_mixed() -> None:
    link_local = Address("fe80::1", 10000)
    agent = make_agent(CONTROLLING, ALICE, ALICE_6, link_local)
    agent.set_remote_parameters(IceParameters("peer", "x" * 22), 0.0)
    for host in (BOB.host, BOB_6.host, "fe80::2"):
        agent.add_remote_candidate(Candidate.parse(f"candidate:1 1 udp 1 {host} 1024 typ host"), 0.0)
    paths = {(pair.local.base.host, pair.remote.address.host) for pair in agent.pairs}
    assert paths == {(ALICE.host, BOB.host), (ALICE_6.host, BOB_6.host), ("fe80::1", "fe80::2")}


def test_checks_are_paced_and_ordered_by_priority() -> None:
    agent = make_agent(CONTROLLING, ALICE, ALICE_6)
    agent.set_remote_parameters(IceParameters("peer", "x" * 22), 0.0)
    for index in range(4):
        for host in (f"10.0.1.{index}", f"fd00::1:{index}"):
            line = f"candidate:{index} 1 udp {1000 - index} {host} 1024 typ host"
            agent.add_remote_candidate(Candidate.parse(line), 0.0)
    sent: list[tuple[float, Address]] = []
    now = 0.0
    while now < 0.4:
        sent += [(now, datagram.remote) for datagram in agent.datagrams_to_send(now)]
        now = agent.next_timer()
        agent.handle_timer(now)
    assert [when for when, _ in sent] == pytest.approx([0.05 * index for index in range(8)])
    by_address = {pair.remote.address: pair.priority for pair in agent.pairs}
    # The first was sent before the others were known.
    priorities = [by_address[address] for _, address in sent[1:]]
    assert priorities == sorted(priorities, reverse=True)


def test_pairs_of_one_foundation_wait_for_the_first() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    for port in (5001, 5002):
        agent.add_remote_candidate(Candidate.parse(f"candidate:1 1 udp 7 {BOB.host} {port} typ host"), 0.0)
    assert [pair.state for pair in agent.pairs] == ["in-progress", "frozen", "frozen"]
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01)
    assert [pair.state for pair in agent.pairs] == ["succeeded", "waiting", "waiting"]


def test_a_new_pair_does_not_wait_for_finished_pairs_of_its_foundation() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01)
    agent.add_remote_candidate(Candidate.parse(f"candidate:1 1 udp 7 {BOB.host} 5003 typ host"), 0.01)
    assert [pair.state for pair in agent.pairs] == ["succeeded", "waiting"]


def test_a_host_pair_is_nominated_immediately_and_a_reflexive_one_waits() -> None:
    for kind, nominated_at in (("host", 0.01), ("srflx raddr 10.0.0.9 rport 9", 0.1)):
        agent = make_agent(CONTROLLING, ALICE)
        peer = ScriptedPeer(agent, ALICE, BOB)
        agent.set_remote_parameters(peer.parameters, 0.0)
        dead = Candidate.parse("candidate:9 1 udp 2130706431 10.9.9.9 9000 typ host")
        text = f"candidate:1 1 udp 5 {BOB.host} {BOB.port} typ {kind}"
        agent.add_remote_candidate(Candidate.parse(text), 0.0)
        agent.add_remote_candidate(dead, 0.0)
        (request,) = peer.new_requests(0.0)
        peer.answer(request, 0.01)
        now = 0.01
        nominations: list[Datagram] = []
        while not nominations:
            nominations = [d for d in peer.new_requests(now) if Message.parse(d.data).use_candidate]
            if not nominations:
                now = agent.next_timer()
                agent.handle_timer(now)
        assert now == pytest.approx(nominated_at)


def test_a_controlled_agent_selects_the_best_of_simultaneous_nominations() -> None:
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    sources = [Address("10.0.0.2", 2000 + index) for index in range(3)]
    for index, source in enumerate(sources):
        text = f"candidate:{index} 1 udp {1000 - abs(index - 1)} {source.host} {source.port} typ host"
        agent.add_remote_candidate(Candidate.parse(text), 0.0)
    now = 0.0
    for source in sources:
        peer.check(now, source=source, use_candidate=True)
        outgoing = [*peer.sent]
        while not any(d.remote == source and is_request(d) for d in outgoing):
            now = agent.next_timer()
            agent.handle_timer(now)
            outgoing += agent.datagrams_to_send(now)
        for datagram in outgoing:
            if is_request(datagram):
                peer.answer(datagram, now)
    pair = agent.selected_pair
    assert pair is not None
    assert pair.remote_address == sources[1]
    assert [entry.nominated for entry in agent.pairs].count(True) == 1


@pytest.mark.parametrize(("later", "follows"), [(0.75, False), (1.0, True)])
def test_a_controlled_agent_follows_a_renomination(later: float, follows: bool) -> None:
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    worse = Address("10.0.0.3", 3000)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:5 1 udp 5 10.0.0.3 3000 typ host"), 0.0)
    now = 0.0
    for _ in range(3):
        for datagram in agent.datagrams_to_send(now):
            peer.answer(datagram, now)
        now = agent.next_timer()
        agent.handle_timer(now)
    assert [pair.state for pair in agent.pairs] == [CheckState.SUCCEEDED] * 2
    # A number without rounding error.
    now = math.ceil(now)
    peer.check(now, use_candidate=True)
    peer.check(now + later, source=worse, use_candidate=True)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == (worse if follows else BOB)
    selections = [event.pair for event in agent.events() if isinstance(event, SelectedPairChanged)]
    assert selections[-1] == agent.selected_pair


def test_before_nomination_the_best_valid_pair_is_used() -> None:
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    worse = Address("10.0.0.3", 3000)
    agent.add_remote_candidate(Candidate.parse("candidate:5 1 udp 5 10.0.0.3 3000 typ host"), 0.0)
    (request,) = agent.datagrams_to_send(0.0)
    peer.answer(request, 0.01)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == worse
    agent.add_remote_candidate(peer.candidate(), 0.02)
    agent.handle_timer(0.05)
    (request,) = peer.new_requests(0.05)
    peer.answer(request, 0.06)
    assert agent.selected_pair.remote_address == BOB


def is_request(datagram: Datagram) -> bool:
    return Message.parse(datagram.data).message_class is MessageClass.REQUEST


def test_failure_requires_all_pairs_failed_and_both_sides_complete() -> None:
    agent = make_agent(CONTROLLING, ALICE, max_transmissions=1, minimum_rto=0.05)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    run_agent(agent, 0.0, 3.0)
    assert [pair.state for pair in agent.pairs] == [CheckState.FAILED]
    assert agent.state == "checking"
    agent.remote_candidates_complete(3.0)
    run_agent(agent, 3.0, 4.9)
    assert agent.state == "checking", "the peer's own checks may still come"
    run_agent(agent, 4.9, 5.1)
    assert agent.state == "failed"


def test_without_end_of_candidates_failure_follows_a_timeout() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    run_agent(agent, 0.0, 100.0)
    assert agent.state == "new", "waiting for signaling is not failure"
    agent.add_remote_candidate(peer.candidate(), 100.0)
    run_agent(agent, 100.0, 114.9)
    assert agent.state == "checking"
    run_agent(agent, 114.9, 115.1)
    assert agent.state == "disconnected"
    run_agent(agent, 115.1, 144.9)
    assert agent.state == "disconnected"
    run_agent(agent, 144.9, 145.1)
    assert agent.state == "failed"
    run_agent(agent, 145.1, 300.0)
    assert agent.datagrams_to_send(300.0) == []


def test_a_late_candidate_and_a_late_check_leave_the_failed_state() -> None:
    agent = make_agent(CONTROLLING, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    run_agent(agent, 0.0, 50.0)
    assert agent.state == "failed"
    agent.add_remote_candidate(Candidate.parse("candidate:5 1 udp 5 10.0.0.3 3000 typ host"), 50.0)
    assert agent.state == "checking"
    run_agent(agent, 50.0, 100.0)
    assert agent.state == "failed"
    peer.check(100.0)
    assert agent.state == "checking"
    (request,) = [datagram for datagram in peer.sent if is_request(datagram)]
    peer.answer(request, 100.01)
    assert agent.state == "connected"


def run_agent(agent: Agent, now: float, until: float) -> None:
    """Run without responses."""
    agent.datagrams_to_send(now)
    while agent.next_timer() <= until:
        now = agent.next_timer()
        agent.handle_timer(now)
        assert agent.next_timer() > now
        agent.datagrams_to_send(now)


def test_a_removed_address_moves_data_to_another_pair() -> None:
    network = IceNetwork()
    alice = network.add_host(CONTROLLING, ALICE, ALICE_6)
    bob = network.add_host(CONTROLLED, BOB, BOB_6)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    first = alice.agent.selected_pair
    assert first is not None
    network.run(30)
    alice.agent.remove_socket(first.local_base, network.now)
    # The other pair is a backup pair, so it is selected immediately.
    second = alice.agent.selected_pair
    assert second is not None
    assert alice.agent.state == "connected"
    assert network.run(5, lambda: are_connected(alice, bob))
    assert alice.agent.selected_pair == second
    assert second.local_base != first.local_base
    assert network.run(5, lambda: same_path(alice, bob))


def same_path(alice: Host, bob: Host) -> bool:
    mine, theirs = alice.agent.selected_pair, bob.agent.selected_pair
    return (
        mine is not None
        and theirs is not None
        and (mine.local_base, mine.remote_address) == (theirs.remote_address, theirs.local_base)
    )


def test_statistics_of_a_connection() -> None:
    network = IceNetwork(delay=0.010)
    alice, bob = make_hosts(network)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    (pair,) = alice.agent.pairs
    counters = pair.statistics
    assert pair.state is CheckState.SUCCEEDED
    assert counters.requests_sent == counters.responses_received == 2
    assert counters.requests_received == counters.responses_sent == 1
    assert counters.current_round_trip_time == pytest.approx(0.020)
    assert counters.total_round_trip_time == pytest.approx(0.040)
    network.run(20)
    assert counters.consent_requests_sent >= 3
    assert counters.responses_received == 2 + counters.consent_requests_sent


def test_credentials_have_48_and_144_bits_and_tie_breakers_64() -> None:
    """RFC 8445 sections 5.3 and 7.1.3: at least 24 and 128 bits, and 64."""
    tie_breakers = []
    for seed in range(20):
        agent = Agent(IceOptions(), rng=random.Random(seed), role=CONTROLLING)
        agent.add_socket(ALICE, local_preference=1, now=0.0)
        peer = ScriptedPeer(agent, ALICE, BOB)
        agent.set_remote_parameters(peer.parameters, 0.0)
        agent.add_remote_candidate(peer.candidate(), 0.0)
        (check,) = (Message.parse(datagram.data) for datagram in agent.datagrams_to_send(0.0))
        assert check.ice_controlling is not None
        tie_breakers.append(check.ice_controlling)
        assert (len(agent.local_parameters.username_fragment), len(agent.local_parameters.password)) == (
            8,
            24,
        )
        assert not agent.local_parameters.ice_lite
    assert max(tie_breakers) >= 2**63


def test_credentials_are_long_enough_and_unique() -> None:
    fragments = set()
    for seed in range(20):
        parameters = Agent(IceOptions(), rng=random.Random(seed), role=CONTROLLING).local_parameters
        assert len(parameters.username_fragment) >= 4
        assert len(parameters.password) >= 22
        assert parameters.password not in repr(parameters)
        fragments.add((parameters.username_fragment, parameters.password))
    assert len(fragments) == 20


@pytest.mark.parametrize("delay", [0.3, 0.6, 1.0, 2.0])
def test_agents_connect_over_long_round_trips(delay: float) -> None:
    """Each check of the peer triggers a local one, which must not cancel the check that is answered next."""
    network = IceNetwork(delay)
    alice = network.add_host(CONTROLLING, ALICE)
    bob = network.add_host(CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(4.5 * delay, lambda: are_connected(alice, bob))


@pytest.mark.parametrize("round_trip", [0.2, 1.2, 3.0])
def test_frequent_checks_of_the_peer_do_not_discard_its_responses(round_trip: float) -> None:
    """Like libwebrtc: a new check every 48 ms until there is a response."""
    agent = make_agent(CONTROLLED, ALICE)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    answers: list[tuple[float, Datagram]] = []
    for step in range(int(round_trip / 0.048) + 3):
        now = step * 0.048
        agent.handle_timer(now)
        answers += [(now + round_trip, sent) for sent in peer.new_requests(now)]
        peer.check(now)
        requests = [
            sent for sent in peer.sent if Message.parse(sent.data).message_class is MessageClass.REQUEST
        ]
        answers += [(now + round_trip, sent) for sent in requests]
        while answers and answers[0][0] <= now:
            peer.answer(answers.pop(0)[1], now)
    assert agent.state == "connected"
    assert len(answers) < 8
