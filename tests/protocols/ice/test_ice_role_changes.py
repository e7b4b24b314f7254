"""Roles: effects of a role change, and role conflicts (RFC 8445 sections 6.1.1 and 7.3.1.1)."""

import random

import pytest

from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, ScriptedPeer, agent_with_two_pairs
from trio_rtc.protocols._contract import Datagram
from trio_rtc.protocols.ice import Agent, IceOptions, IceParameters, IceRole, RoleChanged
from trio_rtc.protocols.ice.check_list import compute_pair_priority
from trio_rtc.protocols.stun import ErrorCode, Message, MessageClass

CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
CONFLICT = ErrorCode(487, "Role Conflict")


def assert_priorities_fit(agent: Agent) -> None:
    """Pair priorities depend on the role (RFC 8445 section 6.1.2.3)."""
    assert [pair.priority for pair in agent.pairs] == [
        compute_pair_priority(agent.role, pair.local.candidate.priority, pair.remote.candidate.priority)
        for pair in agent.pairs
    ]


def role_changes(agent: Agent) -> list[IceRole]:
    return [event.role for event in agent.events() if isinstance(event, RoleChanged)]


def requests(datagrams: list[Datagram]) -> list[Message]:
    messages = [Message.parse(datagram.data) for datagram in datagrams]
    return [message for message in messages if message.message_class is MessageClass.REQUEST]


@pytest.mark.parametrize("role", list(IceRole))
def test_a_set_role_changes_priorities_and_checks_without_an_event(role: IceRole) -> None:
    agent, peer = agent_with_two_pairs(role)
    (first,) = requests(peer.new_requests(0.0))
    agent.set_role(role.opposite, 0.0)
    assert agent.role is role.opposite
    assert_priorities_fit(agent)
    agent.handle_timer(0.05)
    (second,) = requests(agent.datagrams_to_send(0.05))
    controls = role is CONTROLLING
    assert [first.ice_controlling is None, second.ice_controlling is None] == [not controls, controls]
    assert [first.ice_controlled is None, second.ice_controlled is None] == [controls, not controls]
    assert role_changes(agent) == []


@pytest.mark.parametrize(("role", "tie_breaker"), [(CONTROLLING, 2**64 - 1), (CONTROLLED, 0)])
def test_a_lost_conflict_changes_role_and_priorities(role: IceRole, tie_breaker: int) -> None:
    agent, peer = agent_with_two_pairs(role)
    response = peer.check(0.0, controlling=role is CONTROLLING, tie_breaker=tie_breaker)
    assert response is not None
    assert response.message_class is MessageClass.SUCCESS_RESPONSE
    assert agent.role is role.opposite
    assert role_changes(agent) == [role.opposite]
    assert_priorities_fit(agent)


@pytest.mark.parametrize(("role", "tie_breaker"), [(CONTROLLING, 0), (CONTROLLED, 2**64 - 1)])
def test_a_won_conflict_changes_nothing_and_its_check_has_no_effect(role: IceRole, tie_breaker: int) -> None:
    agent, peer = agent_with_two_pairs(role)
    response = peer.check(0.0, controlling=role is CONTROLLING, tie_breaker=tie_breaker)
    assert response is not None
    assert response.error_code == CONFLICT
    assert response.has_valid_integrity(peer.key)
    assert agent.role is role
    assert role_changes(agent) == []
    assert (ALICE, BOB) not in agent.accepted_paths


@pytest.mark.parametrize("role", list(IceRole))
@pytest.mark.parametrize(("difference", "we_control"), [(-1, True), (0, True), (1, False)])
def test_an_equal_tie_breaker_is_controlling(role: IceRole, difference: int, we_control: bool) -> None:
    """RFC 8445 section 7.3.1.1: "larger than or equal to"."""
    agent, peer = agent_with_two_pairs(role)
    (request,) = requests(peer.new_requests(0.0))
    ours = request.ice_controlling if role is CONTROLLING else request.ice_controlled
    assert ours is not None
    peer.check(0.0, controlling=role is CONTROLLING, tie_breaker=ours + difference)
    # The peer changes its role after a 487 response; otherwise this agent does.
    assert (agent.role is CONTROLLING) is we_control


def test_a_487_response_changes_priorities_and_repeats_the_check() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01, error=CONFLICT)
    assert agent.role is CONTROLLED
    assert role_changes(agent) == [CONTROLLED]
    assert_priorities_fit(agent)
    agent.handle_timer(0.05)
    (again,) = peer.new_requests(0.05)
    assert Message.parse(again.data).ice_controlled is not None
    peer.answer(again, 0.06, error=CONFLICT)
    assert agent.role is CONTROLLING


def test_a_487_response_for_a_former_role_does_not_change_the_role() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    (check,) = peer.new_requests(0.0)
    agent.set_role(CONTROLLED, 0.0)
    peer.answer(check, 0.01, error=CONFLICT)
    assert agent.role is CONTROLLED
    assert role_changes(agent) == []


def test_a_487_response_of_a_lite_peer_does_not_change_the_role() -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=CONTROLLING)
    agent.add_socket(ALICE, local_preference=1, now=0.0)
    peer = ScriptedPeer(agent, ALICE, BOB, ice_lite=True)
    agent.set_remote_parameters(peer.parameters, 0.0)
    assert role_changes(agent) == []
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01, error=CONFLICT)
    assert agent.role is CONTROLLING
    assert role_changes(agent) == []
    # It is checked again nevertheless.
    agent.handle_timer(0.05)
    assert len(peer.new_requests(0.05)) == 1


def test_an_agent_with_a_lite_peer_has_the_priorities_of_the_controlling_role() -> None:
    agent, _ = agent_with_two_pairs(CONTROLLED)
    agent.set_remote_parameters(IceParameters("peer-2", "y" * 24, ice_lite=True), 0.0)
    assert role_changes(agent) == [CONTROLLING]
    agent.set_role(CONTROLLED, 0.0)
    assert agent.role is CONTROLLING
    assert_priorities_fit(agent)


def start_nomination(agent: Agent, peer: ScriptedPeer) -> Datagram:
    """Answer the first check at 0.01 s; return the nominating one."""
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01)
    (nomination,) = peer.new_requests(0.01)
    assert Message.parse(nomination.data).use_candidate
    return nomination


def test_setting_the_current_role_does_not_restart_the_nomination() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    start_nomination(agent, peer)
    agent.set_role(CONTROLLING, 0.02)
    assert agent.datagrams_to_send(0.02) == []


def test_a_nomination_answered_after_a_role_change_has_no_effect() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    nomination = start_nomination(agent, peer)
    agent.set_role(CONTROLLED, 0.02)
    peer.answer(nomination, 0.03)
    assert not any(pair.nominated for pair in agent.pairs)
    agent.set_role(CONTROLLING, 0.04)
    (again,) = peer.new_requests(0.04)
    assert Message.parse(again.data).use_candidate
    peer.answer(again, 0.05)
    assert [pair.nominated for pair in agent.pairs] == [True, False]


def test_a_controlling_agent_ignores_nominations_of_the_peer() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLED)
    peer.check(0.0, use_candidate=True)
    (check,) = [datagram for datagram in peer.sent if datagram.remote == BOB and requests([datagram])]
    agent.set_role(CONTROLLING, 0.01)
    peer.answer(check, 0.02)
    assert not any(pair.nominated for pair in agent.pairs)
    (nomination,) = requests(peer.new_requests(0.02))
    assert nomination.use_candidate


@pytest.mark.parametrize("role", list(IceRole))
def test_only_a_controlled_agent_follows_a_nomination(role: IceRole) -> None:
    agent, peer = agent_with_two_pairs(role)
    agent.handle_timer(0.05)
    for datagram in agent.datagrams_to_send(0.05):
        if datagram.remote == BOB_AGAIN:
            peer.answer(datagram, 0.06)
    peer.check(0.07, source=BOB_AGAIN, use_candidate=True, controlling=role is CONTROLLED)
    assert [pair.nominated for pair in agent.pairs] == [False, role is CONTROLLED]


def test_a_refused_nomination_is_sent_again_after_the_role_is_restored() -> None:
    agent, peer = agent_with_two_pairs(CONTROLLING)
    nomination = start_nomination(agent, peer)
    peer.answer(nomination, 0.02, error=CONFLICT)
    assert agent.role is CONTROLLED
    # The pair is still valid: no further check is needed.
    assert agent.pairs[0].state == "succeeded"
    agent.handle_timer(0.05)
    assert [datagram.remote for datagram in agent.datagrams_to_send(0.05)] == [BOB_AGAIN]
    agent.set_role(CONTROLLING, 0.06)
    (again,) = requests(peer.new_requests(0.06))
    assert again.use_candidate
