"""Triggered checks and nominations by the peer (RFC 8445 sections 7.3.1.3 to 7.3.1.5)."""

import random

import pytest

from tests.strategies.ice_peer import (
    ALICE,
    BOB,
    BOB_AGAIN,
    ScriptedPeer,
    agent_with_pairs,
    agent_with_two_pairs,
)
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, CheckState, IceOptions, IceRole
from trio_rtc.protocols.stun import Message, MessageClass

CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
ALICE_AGAIN = Address("10.0.0.9", 10000)


def requests(datagrams: list[Datagram]) -> list[Datagram]:
    return [each for each in datagrams if Message.parse(each.data).message_class is MessageClass.REQUEST]


def triggered_checks(peer: ScriptedPeer, now: float, source: Address = BOB, **kwargs: bool) -> list[Address]:
    """Send a check from an address; return the destinations of the agent's immediate requests."""
    assert peer.check(now, source=source, **kwargs) is not None
    return [each.remote for each in requests(peer.sent)]


def answer_all(peer: ScriptedPeer, datagrams: list[Datagram], now: float) -> None:
    for datagram in requests(datagrams):
        peer.answer(datagram, now)


def remote_in_use(agent: Agent) -> Address | None:
    return None if agent.selected_pair is None else agent.selected_pair.remote_address


def controlled_agent(first: float = 0.03125, second: float = 0.0625) -> tuple[Agent, ScriptedPeer]:
    """Return an agent whose pairs to BOB and BOB_AGAIN were answered at these times, and BOB nominated at 0.125 s."""
    agent, peer = agent_with_two_pairs(CONTROLLED)
    answer_all(peer, agent.datagrams_to_send(0.0), first)
    agent.handle_timer(0.0625)
    answer_all(peer, agent.datagrams_to_send(0.0625), second)
    assert [pair.state for pair in agent.pairs] == [CheckState.SUCCEEDED] * 2
    peer.check(0.125, use_candidate=True)
    return agent, peer


def test_a_nomination_is_effective_even_if_a_later_check_has_no_use_candidate() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLED)
    peer.check(0.0, use_candidate=True)
    sent = requests(peer.sent)
    assert not agent.pairs[0].nominated
    peer.check(0.1)
    sent += requests(peer.sent)
    peer.answer(sent[-1], 0.2)
    assert [pair.nominated for pair in agent.pairs] == [True, False]
    assert agent.pairs[0].nominated_at == 0.2


def test_a_triggered_check_replaces_a_check_in_flight() -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLED)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (first,) = agent.datagrams_to_send(0.0)
    host, port = BOB_AGAIN
    agent.add_remote_candidate(Candidate.parse(f"candidate:5 1 udp 5 {host} {port} typ host"), 0.46875)
    assert [each.remote for each in agent.datagrams_to_send(0.46875)] == [BOB_AGAIN]
    assert triggered_checks(peer, 0.484375) == [], "it waits for its turn"
    assert agent.pairs[0].state is CheckState.WAITING
    # The first check would be retransmitted now.
    agent.handle_timer(0.5)
    assert agent.datagrams_to_send(0.5) == []
    agent.handle_timer(0.51875)
    (second,) = agent.datagrams_to_send(0.51875)
    assert second.remote == BOB
    assert second.data != first.data
    peer.answer(first, 0.52)
    assert [pair.state for pair in agent.pairs] == ["succeeded", "in-progress"]


def test_a_check_from_an_unknown_address_adds_a_pair_with_its_priority() -> None:
    """RFC 8445 section 7.3.1.3."""
    agent, peer = agent_with_two_pairs(CONTROLLED)
    agent.handle_timer(0.1)
    agent.datagrams_to_send(0.1)
    unknown = Address("10.0.0.66", 6666)
    assert peer.check(0.2, source=unknown, priority=b"\x00\x01\x02\x03") is not None
    pair = agent.pairs[-1]
    assert pair.remote.candidate == Candidate.parse("candidate:prflx1 1 udp 66051 10.0.0.66 6666 typ prflx")
    assert [each.remote for each in requests(peer.sent)] == [unknown]
    assert pair.statistics.requests_received == 1
    assert agent.remote_candidates == (peer.candidate(), agent.pairs[1].remote.candidate)


def test_an_early_check_to_a_removed_address_is_dropped() -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLED)
    for address in (ALICE, ALICE_AGAIN):
        agent.add_socket(address, local_preference=1, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    assert triggered_checks(peer, 0.0) == []
    agent.remove_socket(ALICE, 0.0)
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert agent.dropped == {"peer-reflexive": 1}


@pytest.mark.parametrize(("later", "follows"), [(29.984375, True), (30.0, False), (30.015625, False)])
def test_a_nomination_selects_a_pair_answered_within_30_seconds_immediately(
    later: float, follows: bool
) -> None:
    """RFC 7675 section 5.1: otherwise a check must be answered first."""
    agent, peer = controlled_agent()
    now = 0.0625 + later
    peer.answer_until(0.125, now - 0.001, BOB)
    peer.check(now, source=BOB_AGAIN)
    sent = agent.pairs[1].statistics.requests_sent
    assert sent == 1, "a check alone triggers none on a valid pair"
    peer.check(now, source=BOB_AGAIN, use_candidate=True)
    assert agent.pairs[1].statistics.requests_sent == sent + (not follows)
    assert remote_in_use(agent) == (BOB_AGAIN if follows else BOB)
    assert (agent.pairs[1].state is CheckState.SUCCEEDED) is follows


def test_checks_of_the_peer_trigger_checks_of_a_replaced_pair_at_most_each_half_second() -> None:
    agent, peer = controlled_agent()
    peer.answer_until(0.125, 10.0)
    peer.answer_until(10.0, 20.0, BOB_AGAIN)
    assert remote_in_use(agent) == BOB_AGAIN
    checks = []
    for step in range(9):
        peer.check(20 + step * 0.125, use_candidate=True)
        checks += [(step, each) for each in requests(peer.sent) if each.remote == BOB]
        for each in requests(peer.sent):
            if each.remote == BOB_AGAIN:
                peer.answer(each, 20 + step * 0.125)
    assert [step for step, _ in checks] == [0, 4, 8]
    assert not any(Message.parse(each.data).use_candidate for _, each in checks)
    assert agent.pairs[0].statistics.requests_sent == 1
    assert remote_in_use(agent) == BOB_AGAIN


@pytest.mark.parametrize(("priority", "follows"), [(4, False), (5, True), (6, True)])
def test_the_best_of_simultaneously_nominated_pairs_is_selected(priority: int, follows: bool) -> None:
    """RFC 5245 section 8.1.1.2: aggressive nomination."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLED)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    for remote, each in ((BOB, 5), (BOB_AGAIN, priority)):
        host, port = remote
        agent.add_remote_candidate(
            Candidate.parse(f"candidate:{port} 1 udp {each} {host} {port} typ host"), 0.0
        )
    answer_all(peer, agent.datagrams_to_send(0.0), 0.01)
    agent.handle_timer(0.05)
    answer_all(peer, agent.datagrams_to_send(0.05), 0.06)
    peer.check(0.1, use_candidate=True)
    assert remote_in_use(agent) == BOB
    peer.check(0.2, source=BOB_AGAIN, use_candidate=True)
    assert remote_in_use(agent) == (BOB_AGAIN if follows else BOB)
    assert [pair.nominated for pair in agent.pairs] == [not follows, follows]


def test_checks_of_a_replaced_generation_are_answered_and_change_nothing() -> None:
    agent, peer = controlled_agent()
    before = agent.local_parameters
    agent.restart(1.0)
    agent.datagrams_to_send(1.0)
    response = peer.check(
        1.1,
        source=BOB_AGAIN,
        use_candidate=True,
        username=f"{before.username_fragment}:peer",
        password=before.password,
    )
    assert response is not None
    assert response.mapped_address == BOB_AGAIN
    assert remote_in_use(agent) == BOB
    assert requests(peer.sent) == []


def test_a_check_recovers_a_failed_pair_and_restarts_the_failure_timer() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    agent.remote_candidates_complete(0.0)
    while agent.next_timer() <= 20:
        agent.handle_timer(agent.next_timer())
    assert agent.state == "failed"
    assert agent.next_timer() > 1e9
    agent.datagrams_to_send(20.0)
    assert triggered_checks(peer, 20.0) == [BOB]
    assert agent.state == "checking"
    while agent.next_timer() < 34.99:
        agent.handle_timer(agent.next_timer())
    assert agent.state == "checking"
    agent.handle_timer(35.0)
    assert agent.state == "failed"


def test_a_check_of_an_unchecked_pair_resumes_a_failed_agent() -> None:
    agent, peer = agent_with_pairs(CONTROLLED, pacing_interval=20.0)
    agent.remote_candidates_complete(0.0)
    while agent.next_timer() <= 15:
        agent.handle_timer(agent.next_timer())
    assert agent.state == "failed"
    assert [pair.state for pair in agent.pairs] == ["failed", "waiting"]
    agent.datagrams_to_send(15.0)
    # A failed agent does not check it by itself.
    agent.handle_timer(20.0)
    assert agent.datagrams_to_send(20.0) == []
    assert triggered_checks(peer, 30.0, BOB_AGAIN) == [BOB_AGAIN]
    assert agent.state == "checking"
    peer.answer(requests(peer.sent)[0], 30.1)
    assert agent.state == "connected"


def test_expired_consent_does_not_affect_unchecked_pairs() -> None:
    agent, peer = agent_with_pairs(CONTROLLED, max_backup_pairs=0)
    agent.remote_candidates_complete(0.0)
    (first,) = agent.datagrams_to_send(0.0)
    peer.answer(first, 0.0)
    peer.check(0.0, use_candidate=True)
    while agent.next_timer() <= 30:
        agent.handle_timer(agent.next_timer())
    assert agent.state == "failed"
    assert [pair.consent_expired for pair in agent.pairs] == [True, False]
    assert [pair.state for pair in agent.pairs] == ["failed", "waiting"]
    agent.datagrams_to_send(30.0)
    assert peer.check(31.0, source=BOB) is None
    assert peer.sent == []
    assert triggered_checks(peer, 32.0, BOB_AGAIN) == [BOB_AGAIN]
    assert (ALICE, BOB) not in agent.accepted_paths
    assert agent.state == "disconnected"
