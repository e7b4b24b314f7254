"""Hostile networks and peers."""

import math
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.ice_network import IceNetwork, are_connected, signal
from tests.strategies.ice_peer import ScriptedPeer, agent_with_pairs
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CheckState,
    IceClosed,
    IceOptions,
    IceParameters,
    IceRole,
    IceServer,
)
from trio_rtc.protocols.stun import AttributeType, ErrorCode, Message, StunAttribute, binding_request

ALICE = Address("10.0.0.1", 10000)
BOB = Address("10.0.0.2", 2000)
MALLORY = Address("10.0.0.66", 6666)


def make_agent(role: IceRole = IceRole.CONTROLLED, **options: float) -> tuple[Agent, ScriptedPeer]:
    agent = Agent(IceOptions(**options), rng=random.Random(1), role=role)  # type: ignore[arg-type]
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    return agent, ScriptedPeer(agent, ALICE, BOB)


def error_of(response: Message | None) -> int | None:
    assert response is not None
    return None if response.error_code is None else response.error_code.code


@pytest.mark.parametrize(
    ("username", "password"),
    [("nobody:peer", None), (None, "wrong password"), (":", None), ("", None)],
)
def test_a_check_without_our_password_has_no_effect(username: str | None, password: str | None) -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    response = peer.check(0.0, username=username or None, password=password or "guess", use_candidate=True)
    assert error_of(response) == 401
    assert response is not None
    assert not response.has_integrity
    assert agent.pairs == ()
    assert (ALICE, BOB) not in agent.accepted_paths
    assert agent.state == "new"
    assert len(peer.sent) == 1
    assert agent.dropped == {"refused-401": 1}


@pytest.mark.parametrize("with_username", [True, False])
def test_a_check_without_credentials_is_a_bad_request(with_username: bool) -> None:
    agent, peer = make_agent()
    attributes = [StunAttribute(AttributeType.USERNAME, b"x:y")] if with_username else []
    attributes.append(StunAttribute(AttributeType.SOFTWARE, b"as long as a check is"))
    request = binding_request(bytes(12), attributes)
    agent.receive([Datagram(request.encode(), ALICE, BOB)], 0.0)
    (sent,) = agent.datagrams_to_send(0.0)
    assert error_of(Message.parse(sent.data)) == 400
    assert (ALICE, BOB) not in agent.accepted_paths
    assert peer.agent.pairs == ()


@pytest.mark.parametrize("size", range(0, 60, 4))
@pytest.mark.parametrize("password", [None, b"guess"])
def test_responses_to_unauthenticated_requests_do_not_amplify(size: int, password: bytes | None) -> None:
    """With a forged source address, the agent would be an amplifier."""
    agent, _ = make_agent()
    for attributes in (
        [StunAttribute(AttributeType.USERNAME, b"x" * size)],
        [StunAttribute(0x7FFF, b"")] * (size // 4),
    ):
        request = binding_request(bytes(12), attributes).encode(key=password, fingerprint=False)
        agent.receive([Datagram(request, ALICE, MALLORY)], 0.0)
        assert sum(len(sent.data) for sent in agent.datagrams_to_send(0.0)) <= len(request)
    assert sum(agent.dropped.values()) == 2


def test_a_response_may_be_as_long_as_an_unauthenticated_request() -> None:
    agent, _ = make_agent()
    answered: list[tuple[int, int]] = []
    for size in range(0, 100, 4):
        username = StunAttribute(AttributeType.USERNAME, b"x" * size)
        request = binding_request(bytes(12), [username]).encode(fingerprint=False)
        agent.receive([Datagram(request, ALICE, MALLORY)], 0.0)
        answered += [(len(request), len(sent.data)) for sent in agent.datagrams_to_send(0.0)]
    assert len(answered) > 5
    shortest, response = answered[0]
    assert shortest == response


def test_an_unknown_comprehension_required_attribute_is_refused() -> None:
    agent, peer = make_agent()
    response = peer.check(0.0, extra=(StunAttribute(0x7777, b""), StunAttribute(0xC057, b"")))
    assert error_of(response) == 420
    assert response is not None
    assert response.unknown_attributes == (0x7777,)
    assert response.has_valid_integrity(peer.key)
    assert (ALICE, BOB) not in agent.accepted_paths


def test_a_short_authentic_check_gets_a_longer_response() -> None:
    """Only unauthenticated requests limit the length of the response."""
    agent, peer = make_agent()
    fragment = agent.local_parameters.username_fragment
    attributes = [StunAttribute(AttributeType.USERNAME, fragment.encode()), StunAttribute(0x7777, b"")]
    request = binding_request(bytes(12), attributes)
    data = request.encode(key=agent.local_parameters.password.encode())
    agent.receive([Datagram(data, ALICE, BOB)], 0.0)
    (sent,) = agent.datagrams_to_send(0.0)
    assert len(sent.data) > len(data)
    assert error_of(Message.parse(sent.data)) == 420
    assert agent.dropped == {"refused-420": 1}
    assert peer.agent.pairs == ()


def test_a_check_with_a_malformed_priority_is_a_bad_request() -> None:
    _, peer = make_agent()
    assert error_of(peer.check(0.0, priority=b"x")) == 400


def test_a_check_with_a_malformed_role_is_dropped() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING)
    request = peer.request(controlling=False, extra=(StunAttribute(AttributeType.ICE_CONTROLLING, b"short"),))
    agent.receive([Datagram(request.encode(key=peer.key), ALICE, BOB)], 0.0)
    assert agent.datagrams_to_send(0.0) == []
    assert agent.dropped == {"malformed": 1}
    assert (ALICE, BOB) not in agent.accepted_paths


def test_a_check_to_a_closed_socket_is_dropped() -> None:
    agent, peer = make_agent()
    agent.remove_socket(ALICE, 0.0)
    assert peer.check(0.0) is None
    assert agent.dropped == {"unknown-address": 1}


def state_of_check(agent: Agent) -> CheckState:
    return agent.pairs[0].state


def test_a_forged_response_is_dropped_and_the_authentic_one_is_accepted() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01, password="guess", mapped=MALLORY)
    peer.answer(request, 0.01, password="guess", error=ErrorCode(487, "Role Conflict"))
    assert state_of_check(agent) is CheckState.IN_PROGRESS
    assert agent.role is IceRole.CONTROLLING
    assert agent.dropped == {"unauthenticated": 2}
    peer.answer(request, 0.02)
    assert state_of_check(agent) is CheckState.SUCCEEDED


def test_a_response_from_another_address_is_dropped() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01, source=MALLORY)
    assert state_of_check(agent) is CheckState.IN_PROGRESS
    assert (ALICE, MALLORY) not in agent.accepted_paths
    assert agent.dropped == {"misdirected": 1}
    peer.answer(request, 0.02)
    assert state_of_check(agent) is CheckState.SUCCEEDED


def test_a_check_answered_only_from_another_address_fails() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01, source=MALLORY)
    while agent.next_timer() < 60:
        agent.handle_timer(agent.next_timer())
    assert agent.pairs[0].state is CheckState.FAILED


def test_a_refused_check_fails_the_pair() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (request,) = peer.new_requests(0.0)
    peer.answer(request, 0.01, error=ErrorCode(500, "Server Error"))
    assert agent.pairs[0].state is CheckState.FAILED


def test_a_flood_of_authentic_checks_fills_bounded_tables_only() -> None:
    agent, peer = make_agent(max_peer_reflexive=8)
    agent.set_remote_parameters(peer.parameters, 0.0)
    for port in range(2000, 4000):
        response = peer.check((port - 2000) * 0.001, source=Address("10.0.0.2", port))
        assert response is not None
        assert response.error_code is None
    assert len(agent.pairs) == 8
    accepted = sum((ALICE, Address("10.0.0.2", port)) in agent.accepted_paths for port in range(2000, 4000))
    assert accepted == 256
    assert agent.dropped["peer-reflexive"] > 1900


def test_early_checks_are_stored_up_to_a_limit() -> None:
    agent, peer = make_agent(max_early_checks=3)
    for port in (5001, 5002, 5003, 5004, 5004, 5004):
        assert peer.check(0.0, source=Address("10.0.0.2", port)) is not None
        assert len(peer.sent) == 1
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert [pair.remote.address.port for pair in agent.pairs] == [5002, 5003, 5004]


def test_an_early_nomination_is_kept() -> None:
    agent, peer = make_agent()
    peer.check(0.0, use_candidate=True)
    peer.check(0.0)
    agent.set_remote_parameters(peer.parameters, 0.1)
    (request,) = peer.new_requests(0.1)
    peer.answer(request, 0.2)
    assert agent.pairs[0].nominated


def test_early_checks_with_other_credentials_trigger_no_check() -> None:
    agent, peer = make_agent()
    fragment = agent.local_parameters.username_fragment
    assert error_of(peer.check(0.0, username=f"{fragment}:stranger")) is None
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert agent.pairs == ()


def test_candidates_and_pairs_are_bounded_and_the_best_are_kept() -> None:
    agent, peer = make_agent(IceRole.CONTROLLING, max_pairs=10, max_remote_candidates=50)
    agent.set_remote_parameters(peer.parameters, 0.0)
    for index in range(60):
        line = f"candidate:{index} 1 udp {1000 + index} 10.0.1.{index} 1024 typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    assert len(agent.remote_candidates) == 50
    assert agent.dropped == {"candidate": 10}
    kept = sorted(int(pair.remote.candidate.foundation) for pair in agent.pairs)
    assert len(kept) == 10
    assert kept[-9:] == list(range(41, 50))


def test_a_full_check_list_accepts_a_worse_pair_only_for_a_check_of_the_peer() -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLED, remote=(BOB, MALLORY), max_pairs=2)
    worse = Address("10.0.0.77", 7777)
    agent.add_remote_candidate(Candidate.parse("candidate:7 1 udp 7 10.0.0.77 7777 typ host"), 0.0)
    assert [pair.remote.address for pair in agent.pairs] == [BOB, MALLORY]
    peer.check(0.0, source=worse)
    assert [pair.remote.address for pair in agent.pairs] == [BOB, worse]


def test_a_candidate_without_a_numeric_address_is_dropped() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(attrs.evolve(peer.candidate(), address="example.org"), 0.0)
    assert agent.dropped == {"candidate": 1}
    assert agent.remote_candidates == ()


def test_candidates_before_the_parameters_are_bounded() -> None:
    agent, peer = make_agent(max_remote_candidates=5)
    for index in range(20):
        line = f"candidate:{index} 1 udp 7 10.0.1.{index} 1024 typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert [candidate.foundation for candidate in agent.remote_candidates] == ["15", "16", "17", "18", "19"]


def test_repeated_checks_leave_at_most_two_transactions_per_pair() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    now = 0.0
    for _ in range(300):
        peer.check(now)
        now += 0.05
        agent.handle_timer(now)
    agent.datagrams_to_send(now)
    # All retransmissions are of these two.
    identifiers = set()
    while agent.next_timer() < now + 10:
        now = agent.next_timer()
        agent.handle_timer(now)
        identifiers |= {
            Message.parse(datagram.data).transaction_id for datagram in agent.datagrams_to_send(now)
        }
    assert len(identifiers) <= 2


@pytest.mark.parametrize("method", [2, 3, 0xFFF])
def test_a_request_of_another_method_is_dropped_and_counted(method: int) -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    request = attrs.evolve(peer.request(), method=method)
    agent.receive([Datagram(request.encode(key=peer.key), ALICE, BOB)], 0.0)
    assert agent.datagrams_to_send(0.0) == []
    assert agent.dropped == {"unknown-method": 1}
    assert agent.pairs == ()


@given(st.lists(st.binary(max_size=120), max_size=6))
def test_random_datagrams_are_counted_and_change_nothing(noise: list[bytes]) -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.events()
    timer = agent.next_timer()
    agent.receive([Datagram(data, ALICE, MALLORY) for data in noise], 0.0)
    assert agent.events() == []
    assert agent.pairs == ()
    assert agent.next_timer() == timer
    assert sum(agent.dropped.values()) == len(noise)


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 255)), min_size=1, max_size=4))
def test_mutated_traffic_never_raises_and_never_redirects(edits: list[tuple[int, int]]) -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    for _, datagram in list(network.sent):
        mutated = bytearray(datagram.data)
        for position, difference in edits:
            # FINGERPRINT, the last 8 bytes, is not covered by the integrity.
            mutated[position % (len(mutated) - 8)] ^= difference
        if mutated != datagram.data:
            network.deliver(Datagram(bytes(mutated), MALLORY, datagram.remote))
    network.flush()
    for host, local in ((alice, ALICE), (bob, BOB)):
        assert (local, MALLORY) not in host.agent.accepted_paths
        assert len(host.agent.pairs) == 1
    assert are_connected(alice, bob)


def test_replayed_checks_from_many_addresses_do_not_block_the_selected_pair() -> None:
    """Checks are not encrypted: an eavesdropper can send one from any number of forged addresses."""
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    check = next(
        datagram
        for _, datagram in network.sent
        if datagram.remote == BOB and bob.agent.local_parameters.username_fragment.encode() in datagram.data
    )
    for port in range(2000, 4000):
        bob.agent.receive([Datagram(check.data, BOB, Address(MALLORY.host, port))], network.now)
    assert (BOB, ALICE) in bob.agent.accepted_paths
    assert (
        sum((BOB, Address(MALLORY.host, port)) in bob.agent.accepted_paths for port in range(2000, 4000))
        < 256
    )


def test_replayed_checks_from_another_address_do_not_change_the_selected_pair() -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    before = bob.agent.selected_pair
    for _, datagram in list(network.sent):
        network.deliver(Datagram(datagram.data, MALLORY, datagram.remote))
    network.flush()
    network.run(20)
    assert bob.agent.selected_pair == before
    assert are_connected(alice, bob)


@pytest.mark.parametrize("end", ["close", "lower_closed"])
@pytest.mark.parametrize("connected", [True, False])
def test_a_closed_agent_does_nothing(end: str, connected: bool) -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    if connected:
        assert network.run(1, lambda: are_connected(alice, bob))
    agent, now = alice.agent, network.now
    agent.restart(now)
    getattr(agent, end)(now)
    getattr(agent, end)(now)
    agent.close(now)
    closed = [event for event in agent.events() if isinstance(event, IceClosed)]
    assert [event.error is None for event in closed] == [end == "close"]
    assert agent.closed
    assert agent.state == "closed"
    assert agent.selected_pair is None
    agent.add_socket(MALLORY, local_preference=1, now=now)
    agent.remove_socket(ALICE, now)
    agent.add_stun_server(IceServer.parse("stun:x"), MALLORY, now)
    agent.fail_server(IceServer.parse("stun:x"), "", now)
    agent.report_server_error(IceServer.parse("turn:x", "user", "password"), MALLORY, 486, "", now)
    agent.finish_sources(now)
    agent.set_remote_parameters(bob.agent.local_parameters, now)
    agent.set_remote_parameters(IceParameters("anew", "x" * 24), now)
    agent.ignore_remote_candidate("candidate:1 1 udp 1 example.org 9 typ host", "a host name")
    agent.add_remote_candidate(bob.candidates[0], now)
    agent.remote_candidates_complete(now)
    agent.remote_name_resolved("x.local", [BOB.host], now)
    agent.set_role(IceRole.CONTROLLED, now)
    agent.restart(now)
    agent.roll_back_restart(now)
    agent.receive([datagram for _, datagram in network.sent], now)
    agent.handle_timer(now + 100)
    assert agent.datagrams_to_send(now) == []
    assert agent.events() == []
    assert agent.next_timer() == math.inf


def test_the_same_seed_gives_the_same_bytes() -> None:
    def record() -> list[tuple[float, Datagram]]:
        network = IceNetwork()
        alice = network.add_host(IceRole.CONTROLLING, ALICE)
        bob = network.add_host(IceRole.CONTROLLED, BOB)
        signal(network, alice, bob)
        signal(network, bob, alice)
        network.run(30)
        return network.sent

    assert record() == record()


def test_no_datagram_is_large() -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    network.run(30)
    assert max(len(datagram.data) for _, datagram in network.sent) < 200
