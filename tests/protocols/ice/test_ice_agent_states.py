"""Transport states (W3C webrtc section 5.6.4, RFC 8863)."""

import math
import random
from collections.abc import Callable

import pytest

from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, ScriptedPeer, agent_with_two_pairs
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    IceOptions,
    IceParameters,
    IceRole,
    IceServer,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.stun import ErrorCode, Message, binding_request

CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
ALICE_AGAIN = Address("10.0.0.9", 10000)


def make_agent(role: IceRole = CONTROLLING, *, complete: bool = True) -> tuple[Agent, ScriptedPeer]:
    agent = Agent(IceOptions(), rng=random.Random(1), role=role)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    if complete:
        agent.finish_sources(0.0)
    return agent, ScriptedPeer(agent, ALICE, BOB)


def changes(agent: Agent) -> list[str | Address | None]:
    """Return the states and the remote addresses of selected pairs in events."""
    reported: list[str | Address | None] = []
    for event in agent.events():
        if isinstance(event, StateChanged):
            reported.append(event.state.value)
        elif isinstance(event, SelectedPairChanged):
            reported.append(None if event.pair is None else event.pair.remote_address)
    return reported


def advance(agent: Agent, until: float) -> None:
    """Run until just before a time; all datagrams are lost."""
    while agent.next_timer() < until:
        now = agent.next_timer()
        agent.handle_timer(now)
        assert agent.next_timer() > now
        agent.datagrams_to_send(now)


def test_an_agent_without_remote_candidates_fails_5_seconds_after_end_of_candidates() -> None:
    agent, peer = make_agent()
    agent.remote_candidates_complete(1.0)
    assert agent.state == "new"
    agent.set_remote_parameters(peer.parameters, 2.0)
    assert changes(agent) == ["checking"]
    assert agent.next_timer() == 7.0
    agent.handle_timer(6.99)
    assert changes(agent) == []
    agent.handle_timer(7.0)
    assert changes(agent) == ["failed"]


def test_end_of_candidates_after_the_parameters_begins_checking() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 1.0)
    assert agent.state == "new"
    agent.remote_candidates_complete(2.0)
    assert changes(agent) == ["checking"]
    agent.remote_candidates_complete(4.0)
    assert agent.next_timer() == 7.0


@pytest.mark.parametrize("missing", ["local end", "remote end", "name", "other pair"])
def test_an_agent_waits_15_seconds_for_late_candidates(missing: str) -> None:
    agent, peer = make_agent(complete=missing != "local end")
    agent.set_remote_parameters(peer.parameters, 0.0)
    if missing == "name":
        agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 1 x.local 1024 typ host"), 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    if missing != "remote end":
        agent.remote_candidates_complete(0.0)
    (check,) = peer.new_requests(0.0)
    if missing != "other pair":
        peer.answer(check, 0.1, error=ErrorCode(400, "Bad Request"))
    advance(agent, 15.0)
    assert changes(agent) == ["checking"]
    agent.handle_timer(15.0)
    # W3C webrtc section 5.6.4: "failed" requires that no candidates follow on either side.
    assert changes(agent) == ["disconnected" if missing.endswith("end") else "failed"]
    assert [pair.state for pair in agent.pairs] == ["failed"]


def disconnected_agent(**options: object) -> tuple[Agent, ScriptedPeer]:
    """Return an agent at 15 s whose only pair has failed, and whose peer may signal more candidates."""
    agent = Agent(IceOptions(**options), rng=random.Random(1), role=CONTROLLING)  # type: ignore[arg-type]
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(Candidate.parse("candidate:1 1 udp 5 10.0.0.3 3000 typ host"), 0.0)
    advance(agent, 15.0)
    agent.handle_timer(15.0)
    assert changes(agent) == ["checking", "disconnected"]
    agent.datagrams_to_send(15.0)
    return agent, peer


@pytest.mark.parametrize("timeout", [0.5, 30.0])
def test_an_agent_that_is_not_connected_fails_after_a_time_without_end_of_candidates(timeout: float) -> None:
    agent, _ = disconnected_agent(late_candidate_timeout=timeout)
    assert agent.next_timer() == 15.0 + timeout
    agent.handle_timer(15.0 + timeout - 0.01)
    assert changes(agent) == []
    agent.handle_timer(15.0 + timeout)
    assert changes(agent) == ["failed"]
    assert agent.next_timer() == math.inf
    # The state stays until a pair is checked again.
    agent.add_stun_server(IceServer.parse("stun:x"), Address("198.51.100.1", 3478), 60.0)
    assert changes(agent) == []


def test_without_the_bound_an_agent_waits_for_end_of_candidates() -> None:
    agent, _ = disconnected_agent(late_candidate_timeout=None)
    assert agent.next_timer() == math.inf
    agent.handle_timer(10_000.0)
    assert changes(agent) == []
    agent.remote_candidates_complete(10_000.0)
    assert changes(agent) == ["failed"]


def test_end_of_candidates_fails_an_agent_that_has_checked_all_pairs() -> None:
    agent, _ = disconnected_agent()
    agent.remote_candidates_complete(20.0)
    assert changes(agent) == ["failed"]
    assert agent.next_timer() == math.inf


def test_a_late_candidate_connects_a_disconnected_agent() -> None:
    agent, peer = disconnected_agent()
    agent.add_remote_candidate(peer.candidate(), 40.0)
    assert changes(agent) == ["checking"]
    (check,) = peer.new_requests(40.0)
    peer.answer(check, 40.1)
    assert changes(agent) == [BOB, "connected"]


def test_a_late_candidate_without_answers_gives_a_disconnected_agent_its_full_time_again() -> None:
    agent, peer = disconnected_agent()
    agent.add_remote_candidate(peer.candidate(), 40.0)
    advance(agent, 55.0)
    agent.handle_timer(55.0)
    assert changes(agent) == ["checking", "disconnected"]
    assert agent.next_timer() == 85.0
    agent.handle_timer(85.0)
    assert changes(agent) == ["failed"]


def test_a_restart_of_a_disconnected_agent_begins_checking() -> None:
    agent, peer = disconnected_agent()
    agent.restart(50.0)
    assert changes(agent) == ["checking"]
    agent.set_remote_parameters(peer.restart(), 50.0)
    agent.add_remote_candidate(peer.candidate(), 50.0)
    (check,) = peer.new_requests(50.0)
    peer.answer(check, 50.1)
    assert changes(agent) == [BOB, "connected"]


def test_expired_consent_without_end_of_candidates_fails_30_seconds_after_disconnected() -> None:
    agent, peer = make_agent(CONTROLLED)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.0)
    peer.check(0.0, use_candidate=True)
    advance(agent, 5.0)
    assert changes(agent) == ["checking", BOB, "connected"]
    agent.handle_timer(5.0)
    assert changes(agent) == ["disconnected"]
    advance(agent, 30.0)
    agent.handle_timer(30.0)
    # W3C webrtc section 5.6.4: consent checks have failed, but the peer may signal more candidates.
    assert changes(agent) == [None]
    advance(agent, 35.0)
    assert changes(agent) == []
    agent.handle_timer(35.0)
    assert changes(agent) == ["failed"]


def test_a_pair_that_fails_late_fails_the_agent_immediately() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    agent.remote_candidates_complete(0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 6.0, error=ErrorCode(400, "Bad Request"))
    assert changes(agent) == ["checking", "failed"]


def test_a_failed_agent_checks_nothing_and_a_new_candidate_gives_it_15_seconds() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    for index in range(3):
        line = f"candidate:1 1 udp {index + 5} 10.0.0.2 {3000 + index} typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    agent.remote_candidates_complete(0.0)
    advance(agent, 15.0)
    agent.handle_timer(15.0)
    assert changes(agent) == ["checking", "failed"]
    agent.datagrams_to_send(15.0)
    advance(agent, 100.0)
    assert agent.datagrams_to_send(100.0) == []
    agent.add_remote_candidate(peer.candidate(), 100.0)
    assert changes(agent) == ["checking"]
    advance(agent, 115.0)
    assert changes(agent) == []
    agent.handle_timer(115.0)
    assert changes(agent) == ["failed"]


@pytest.mark.parametrize("last", ["local end", "remote end", "nomination"])
def test_completed_requires_end_of_candidates_of_both_sides_and_a_nomination(last: str) -> None:
    agent, peer = make_agent(CONTROLLED, complete=False)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01)
    steps: dict[str, Callable[[float], object]] = {
        "local end": agent.finish_sources,
        "remote end": agent.remote_candidates_complete,
        "nomination": lambda now: peer.check(now, use_candidate=True),
    }
    for name, step in steps.items():
        if name != last:
            step(0.02)
    assert changes(agent) == ["checking", BOB, "connected"]
    steps[last](0.03)
    assert changes(agent) == ["completed"]


def make_completed_agent() -> tuple[Agent, ScriptedPeer]:
    """Return a controlled agent whose only pair is nominated, and its peer."""
    agent, peer = make_agent(CONTROLLED)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    agent.remote_candidates_complete(0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01)
    peer.check(0.02, use_candidate=True)
    return agent, peer


def test_an_event_of_the_selected_pair_has_the_state_that_it_brings() -> None:
    agent, _ = make_completed_agent()
    events = [each for each in agent.events() if isinstance(each, SelectedPairChanged | StateChanged)]
    assert [each.state for each in events] == ["checking", "connected", "connected", "completed"]
    assert isinstance(events[1], SelectedPairChanged)
    agent.remove_socket(ALICE, 1.0)
    lost, change = agent.events()
    assert isinstance(lost, SelectedPairChanged)
    assert isinstance(change, StateChanged)
    assert lost.state == change.state == "disconnected"


def test_a_nomination_with_the_first_success_selects_the_pair_in_the_state_connected() -> None:
    agent, peer = make_agent(CONTROLLED)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    agent.remote_candidates_complete(0.0)
    (check,) = peer.new_requests(0.0)
    peer.check(0.01, use_candidate=True)
    peer.answer(check, 0.02)
    events = [each for each in agent.events() if isinstance(each, SelectedPairChanged | StateChanged)]
    assert [each.state for each in events] == ["checking", "connected", "connected", "completed"]


def test_late_gathering_leaves_the_completed_state() -> None:
    agent, _ = make_completed_agent()
    assert changes(agent) == ["checking", BOB, "connected", "completed"]
    agent.add_stun_server(IceServer.parse("stun:x"), Address("198.51.100.1", 3478), 0.03)
    assert changes(agent) == ["connected"]


def test_after_a_restart_the_old_pair_determines_the_state() -> None:
    agent, peer = make_completed_agent()
    old = agent.selected_entry
    assert changes(agent)[-1] == "completed"
    agent.restart(0.1)
    assert changes(agent) == ["connected"]
    assert agent.pairs == (old,)
    agent.set_remote_parameters(IceParameters("peer-2", "y" * 24), 0.2)
    agent.add_remote_candidate(peer.candidate(), 0.2)
    assert len(agent.pairs) == 2
    assert agent.pairs[0] is old
    assert agent.selected_entry is old
    agent.remote_candidates_complete(0.2)
    assert changes(agent) == []


def test_after_a_removed_address_another_pair_has_5_seconds() -> None:
    agent, peer = make_agent(CONTROLLED)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    agent.remote_candidates_complete(0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01)
    agent.remove_socket(ALICE_AGAIN, 1.0)
    assert changes(agent) == ["checking", BOB, "connected"]
    agent.remove_socket(ALICE, 2.0)
    assert changes(agent) == [None, "disconnected"]
    assert agent.selected_pair is None
    assert agent.selected_entry is None
    assert agent.next_timer() == 7.0
    agent.handle_timer(7.0)
    assert changes(agent) == ["failed"]
    agent.restart(9.0)
    assert changes(agent) == ["checking"]


def test_unsent_datagrams_of_a_removed_address_are_dropped() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLED)
    agent.add_socket(ALICE_AGAIN, local_preference=1, now=0.0)
    for local in (ALICE, ALICE_AGAIN):
        request = peer.request()
        agent.receive([Datagram(request.encode(key=peer.key), local, BOB)], 0.0)
    agent.remove_socket(ALICE, 0.0)
    sent = agent.datagrams_to_send(0.0)
    assert sent != []
    assert {each.local for each in sent} == {ALICE_AGAIN}


@pytest.mark.parametrize(("preference", "is_good"), [(-1, False), (0, True), (65535, True), (65536, False)])
def test_limits_of_a_local_preference(preference: int, is_good: bool) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLED)
    if is_good:
        agent.add_socket(ALICE, local_preference=preference, now=0.0)
        assert agent.local_candidates[0].priority == (126 << 24) + (preference << 8) + 255
    else:
        with pytest.raises(ValueError, match=f"from 0 to 65535, not {preference}"):
            agent.add_socket(ALICE, local_preference=preference, now=0.0)


@pytest.mark.parametrize(("network_id", "cost"), [(None, None), (1, None), (None, 50), (0, 0)])
def test_network_id_and_network_cost_of_an_address(network_id: int | None, cost: int | None) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLED)
    agent.add_socket(ALICE, local_preference=1, now=0.0, network_id=network_id, network_cost=cost)
    expected = [("network-id", network_id), ("network-cost", cost)]
    assert agent.local_candidates[0].extensions == tuple(
        (name, str(value)) for name, value in expected if value is not None
    )


def test_drops_are_counted_by_reason() -> None:
    agent, peer = make_agent(CONTROLLED)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.ignore_remote_candidate("candidate:1 1 udp 1 example.org 9 typ host", "a host name")
    agent.ignore_remote_candidate("candidate:2 1 udp 1 example.org 9 typ host", "a host name")
    agent.add_stun_server(IceServer.parse("stun:x"), Address("0.0.0.0", 3478), 0.0)
    host, port = BOB
    agent.add_remote_candidate(Candidate.parse(f"candidate:1 2 udp 1 {host} {port} typ host"), 0.0)
    agent.receive([Datagram(b"noise", ALICE, BOB)] * 3, 0.0)
    indication = Message.parse(bytes.fromhex("001100002112a442") + bytes(12))
    agent.receive([Datagram(indication.encode(), ALICE, BOB)], 0.0)
    request = binding_request(bytes(12)).encode().replace(b"\0\1", b"\0\2", 1)
    agent.receive([Datagram(request[:20].replace(b"\0\x08", b"\0\0", 1), ALICE, BOB)], 0.0)
    assert agent.dropped == {
        "candidate-ignored": 2,
        "stun-server-refused": 1,
        "candidate": 1,
        "malformed": 3,
        "unknown-method": 1,
    }
    assert agent.datagrams_to_send(0.0) == []


def test_checks_and_queries_are_50_milliseconds_apart() -> None:
    agent, peer = make_agent()
    agent.set_remote_parameters(peer.parameters, 0.0)
    for index in range(2):
        line = f"candidate:{index} 1 udp {index + 5} 10.0.0.2 {3000 + index} typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    agent.add_stun_server(IceServer.parse("stun:x"), Address("198.51.100.1", 3478), 0.0)
    assert [each.remote.port for each in agent.datagrams_to_send(0.0)] == [3000]
    assert agent.next_timer() == 0.05
    agent.handle_timer(0.049)
    assert agent.datagrams_to_send(0.049) == []
    agent.handle_timer(0.05)
    assert [each.remote.port for each in agent.datagrams_to_send(0.05)] == [3478]
    assert agent.next_timer() == 0.1
    agent.handle_timer(0.2)
    assert [each.remote.port for each in agent.datagrams_to_send(0.2)] == [3001]
    assert agent.next_timer() == 0.5
    # After a pause, the next one is sent immediately.
    agent.add_remote_candidate(Candidate.parse("candidate:9 1 udp 9 10.0.0.2 3009 typ host"), 0.3)
    assert [each.remote.port for each in agent.datagrams_to_send(0.3)] == [3009]


def test_a_better_pair_replaces_the_selected_one_before_the_nomination_only() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLED)
    (better,) = agent.datagrams_to_send(0.0)
    agent.handle_timer(0.05)
    (worse,) = agent.datagrams_to_send(0.05)
    assert worse.remote == BOB_AGAIN
    peer.answer(worse, 0.06)
    assert changes(agent) == ["checking", BOB_AGAIN, "connected"]
    peer.answer(better, 0.07)
    assert changes(agent) == [BOB]
    peer.check(0.08, source=BOB_AGAIN, use_candidate=True)
    assert changes(agent) == [BOB_AGAIN]
