"""Our checks: what they say, how often they are sent, how many are open (RFC 8445 sections 7.1, 7.2.2 and 14.3)."""

import random

import pytest

from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, ScriptedPeer, agent_with_two_pairs
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CheckState,
    IceOptions,
    IceRole,
    StateChanged,
)
from trio_rtc.protocols.stun import AttributeType, ErrorCode, Message, MessageClass

SERVER = Address("198.51.100.1", 3478)


def is_request(datagram: Datagram) -> bool:
    return Message.parse(datagram.data).message_class is MessageClass.REQUEST


def state_of_check(agent: Agent) -> CheckState:
    return agent.pairs[0].state


def make_agent(pairs: int, *, role: IceRole = IceRole.CONTROLLING) -> tuple[Agent, ScriptedPeer]:
    """Return an agent that has learnt of so many candidates at once."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=role)
    agent.add_local_address(ALICE, local_preference=5, now=0.0)
    agent.local_addresses_complete(0.0)
    for index in range(pairs):
        host, port = BOB
        line = f"candidate:{index} 1 udp {1000 - index} {host} {port + index} typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    return agent, peer


def run(agent: Agent, now: float, until: float) -> list[tuple[float, Datagram]]:
    """Let time pass with nobody answering; return what was sent and when."""
    sent = [(now, datagram) for datagram in agent.datagrams_to_send(now)]
    while agent.next_timer() <= until:
        now = agent.next_timer()
        agent.handle_timer(now)
        assert agent.next_timer() > now
        sent += [(now, datagram) for datagram in agent.datagrams_to_send(now)]
    return sent


@pytest.mark.parametrize("role", list(IceRole))
def test_a_check_has_exactly_these_attributes(role: IceRole) -> None:
    agent, peer = make_agent(1, role=role)
    (datagram,) = agent.datagrams_to_send(0.0)
    assert (datagram.local, datagram.remote) == (ALICE, BOB)
    check = Message.parse(datagram.data)
    assert [attribute.type for attribute in check.attributes] == [
        AttributeType.USERNAME,
        AttributeType.PRIORITY,
        AttributeType.ICE_CONTROLLING if role is IceRole.CONTROLLING else AttributeType.ICE_CONTROLLED,
    ]
    assert check.username == f"peer:{agent.local_parameters.username_fragment}"
    # That of a peer-reflexive candidate at our address (RFC 8445 section 7.1.1).
    assert check.priority == (110 << 24) + (5 << 8) + 255
    assert check.has_valid_integrity(peer.parameters.password.encode())
    assert len(check.transaction_id) == 12
    peer.answer(datagram, 0.01)
    if role is IceRole.CONTROLLING:
        (nomination,) = (Message.parse(each.data) for each in agent.datagrams_to_send(0.01))
        assert nomination.attributes == (*check.attributes, (AttributeType.USE_CANDIDATE, b""))
        assert nomination.transaction_id != check.transaction_id


@pytest.mark.parametrize(("pairs", "rto"), [(1, 0.5), (10, 0.5), (11, 0.55), (30, 1.5)])
def test_the_more_pairs_are_checked_the_later_a_check_is_sent_again(pairs: int, rto: float) -> None:
    """RFC 8445 section 14.3: Ta times the number of pairs that are waiting or in progress, at least 500 ms."""
    agent, _ = make_agent(pairs)
    sent = run(agent, 0.0, 4 * rto)
    first = [when for when, datagram in sent if datagram.remote == BOB]
    assert first == pytest.approx([0.0, rto, 3 * rto])


@pytest.mark.parametrize(("servers", "rto"), [(1, 0.5), (10, 0.5), (11, 0.55), (16, 0.8)])
def test_the_more_servers_are_asked_the_later_one_is_asked_again(servers: int, rto: float) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    for index in range(servers):
        agent.add_stun_server("stun:x", SERVER._replace(port=3478 + index), 0.0)
    agent.add_local_address(ALICE, local_preference=5, now=0.0)
    sent = run(agent, 0.0, 3 * rto)
    for index in range(servers):
        times = [when for when, datagram in sent if datagram.remote.port == 3478 + index]
        assert times[:2] == pytest.approx([0.05 * index, 0.05 * index + rto])


def test_a_check_is_sent_again_after_twice_the_time_until_checking_is_given_up() -> None:
    agent, _ = make_agent(1)
    sent = run(agent, 0.0, 60.0)
    assert [when for when, _ in sent] == pytest.approx([0.0, 0.5, 1.5, 3.5, 7.5])
    assert agent.state == "failed"
    assert agent.pairs[0].statistics.requests_sent == 1


def test_statistics_of_a_pair_are_exact() -> None:
    agent, peer = make_agent(1)
    statistics = agent.pairs[0].statistics
    (check,) = agent.datagrams_to_send(0.0)
    assert (statistics.requests_sent, statistics.responses_received) == (1, 0)
    peer.answer(check, 0.125)
    (nomination,) = agent.datagrams_to_send(0.125)
    assert (statistics.requests_sent, statistics.responses_received) == (2, 1)
    peer.answer(nomination, 0.375)
    assert (statistics.requests_sent, statistics.responses_received) == (2, 2)
    assert (statistics.current_round_trip_time, statistics.total_round_trip_time) == (0.25, 0.375)
    assert (statistics.requests_received, statistics.responses_sent) == (0, 0)
    for now in (0.4, 0.5):
        assert peer.check(now) is not None
    assert (statistics.requests_received, statistics.responses_sent) == (2, 2)
    ((when, consent),) = [(when, each) for when, each in run(agent, 0.5, 4.0) if is_request(each)]
    peer.answer(consent, when + 0.125)
    assert statistics.requests_sent == 2
    assert (statistics.consent_requests_sent, statistics.responses_received) == (1, 3)
    assert statistics.current_round_trip_time == pytest.approx(0.125)


def test_four_checks_of_a_pair_are_open_at_most() -> None:
    """Any of them may be answered; once there are four, the peer's checks trigger no further one."""
    agent, peer = make_agent(1, role=IceRole.CONTROLLED)
    sent = [each for each in agent.datagrams_to_send(0.0) if is_request(each)]
    for step in range(1, 10):
        peer.check(step * 0.06)
        sent += [each for each in peer.sent if is_request(each)]
        agent.handle_timer(step * 0.06)
        sent += [each for each in agent.datagrams_to_send(step * 0.06) if is_request(each)]
    identifiers = list(dict.fromkeys(Message.parse(each.data).transaction_id for each in sent))
    assert len(identifiers) == 4
    assert agent.pairs[0].statistics.requests_sent == 4
    assert state_of_check(agent) is CheckState.IN_PROGRESS
    # Each has been sent once, but for the newest.
    assert [Message.parse(each.data).transaction_id for each in sent[:4]] == identifiers
    peer.answer(sent[0], 0.6)
    assert state_of_check(agent) is CheckState.SUCCEEDED
    assert agent.dropped == {}


def test_after_a_nomination_other_checks_run_out_and_may_still_be_answered() -> None:
    agent, peer = make_agent(3)
    sent = run(agent, 0.0, 0.11)
    first, _, third = (datagram for _, datagram in sent)
    peer.answer(third, 0.12)
    # It is nominated at once, as a pair of host candidates.
    (nomination,) = agent.datagrams_to_send(0.12)
    peer.answer(nomination, 0.13)
    assert {each.remote for when, each in run(agent, 0.13, 2.0)} == set()
    peer.answer(first, 2.0)
    assert [pair.state for pair in agent.pairs] == ["succeeded", "in-progress", "succeeded"]
    assert [pair.nominated for pair in agent.pairs] == [False, False, True]
    assert agent.selected_entry is agent.pairs[2]


@pytest.mark.parametrize("code", [400, 401, 420, 500])
def test_a_check_that_is_refused_fails(code: int) -> None:
    agent, peer = make_agent(1)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.1, error=ErrorCode(code, "no"))
    assert state_of_check(agent) is CheckState.FAILED
    assert agent.pairs[0].statistics.responses_received == 0
    assert run(agent, 0.1, 14.9) == []


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_an_older_check_that_fails_leaves_the_newer_one(how: str) -> None:
    agent, peer = make_agent(1, role=IceRole.CONTROLLED)
    (older,) = agent.datagrams_to_send(0.0)
    peer.check(0.06)
    (newer,) = [each for each in peer.sent if is_request(each)]
    if how == "refused":
        peer.answer(older, 0.1, error=ErrorCode(400, "Bad Request"))
    else:
        # Sent once, it is waited for 16 times the first timeout.
        agent.handle_timer(8.01)
    assert state_of_check(agent) is CheckState.IN_PROGRESS
    peer.answer(newer, 8.05)
    assert state_of_check(agent) is CheckState.SUCCEEDED


def test_a_nomination_that_is_refused_fails_the_pair_and_the_next_best_one_is_nominated() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    (first,) = agent.datagrams_to_send(0.0)
    agent.handle_timer(0.05)
    (second,) = agent.datagrams_to_send(0.05)
    peer.answer(first, 0.06)
    (nomination,) = agent.datagrams_to_send(0.06)
    peer.answer(second, 0.07)
    peer.answer(nomination, 0.08, error=ErrorCode(400, "Bad Request"))
    assert [pair.state for pair in agent.pairs] == ["failed", "succeeded"]
    (again,) = agent.datagrams_to_send(0.08)
    assert (again.remote, Message.parse(again.data).use_candidate) == (BOB_AGAIN, True)


def test_an_answer_that_names_no_address_fails_the_pair() -> None:
    agent, peer = make_agent(1)
    (check,) = agent.datagrams_to_send(0.0)
    request = Message.parse(check.data)
    empty = Message(request.method, MessageClass.SUCCESS_RESPONSE, request.transaction_id)
    key = peer.parameters.password.encode()
    agent.receive([Datagram(empty.encode(key=key), ALICE, BOB)], 0.1)
    assert state_of_check(agent) is CheckState.FAILED
    assert agent.pairs[0].statistics.responses_received == 0
    assert [event for event in agent.events() if isinstance(event, StateChanged)] == [
        StateChanged(agent.state)
    ]
