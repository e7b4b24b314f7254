"""Connectivity checks: attributes, retransmission and limits (RFC 8445 sections 7.1, 7.2.2 and 14.3)."""

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
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CheckState,
    IceOptions,
    IceRole,
    IceServer,
    StateChanged,
)
from trio_rtc.protocols.ice.candidate_sources import Query, StunServer
from trio_rtc.protocols.ice.generation import Generation
from trio_rtc.protocols.ice.role import RoleConflictResolver
from trio_rtc.protocols.ice.transactions import TransactionManager
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    FailureReason,
    Message,
    MessageClass,
    StunAttribute,
    TransactionFailed,
    success_response,
)

SERVER = Address("198.51.100.1", 3478)


def is_request(datagram: Datagram) -> bool:
    return Message.parse(datagram.data).message_class is MessageClass.REQUEST


def state_of_check(agent: Agent) -> CheckState:
    return agent.pairs[0].state


def make_agent(pairs: int, *, role: IceRole = IceRole.CONTROLLING) -> tuple[Agent, ScriptedPeer]:
    """Return an agent with this number of remote candidates."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=role)
    agent.add_socket(ALICE, local_preference=5, now=0.0)
    agent.finish_sources(0.0)
    for index in range(pairs):
        host, port = BOB
        line = f"candidate:{index} 1 udp {1000 - index} {host} {port + index} typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    return agent, peer


def run(agent: Agent, now: float, until: float) -> list[tuple[float, Datagram]]:
    """Run without responses; return the datagrams and their times."""
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
    # That of a peer-reflexive candidate at the local address (RFC 8445 section 7.1.1).
    assert check.priority == (110 << 24) + (5 << 8) + 255
    assert check.has_valid_integrity(peer.parameters.password.encode())
    assert len(check.transaction_id) == 12
    peer.answer(datagram, 0.01)
    if role is IceRole.CONTROLLING:
        (nomination,) = (Message.parse(each.data) for each in agent.datagrams_to_send(0.01))
        assert nomination.attributes == (*check.attributes, (AttributeType.USE_CANDIDATE, b""))
        assert nomination.transaction_id != check.transaction_id


@pytest.mark.parametrize(("pairs", "rto"), [(1, 0.5), (10, 0.5), (11, 0.55), (30, 1.5)])
def test_the_rto_of_a_check_grows_with_the_number_of_pairs(pairs: int, rto: float) -> None:
    """RFC 8445 section 14.3: Ta times the number of pairs that are waiting or in progress, at least 500 ms."""
    agent, _ = make_agent(pairs)
    sent = run(agent, 0.0, 4 * rto)
    first = [when for when, datagram in sent if datagram.remote == BOB]
    assert first == pytest.approx([0.0, rto, 3 * rto])


@pytest.mark.parametrize(("servers", "rto"), [(1, 0.5), (10, 0.5), (11, 0.55), (16, 0.8)])
def test_the_rto_of_a_query_grows_with_the_number_of_servers(servers: int, rto: float) -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    for index in range(servers):
        agent.add_stun_server(IceServer.parse("stun:x"), SERVER._replace(port=3478 + index), 0.0)
    agent.add_socket(ALICE, local_preference=5, now=0.0)
    sent = run(agent, 0.0, 3 * rto)
    for index in range(servers):
        times = [when for when, datagram in sent if datagram.remote.port == 3478 + index]
        assert times[:2] == pytest.approx([0.05 * index, 0.05 * index + rto])


def test_a_check_is_retransmitted_at_doubling_intervals_until_checking_fails() -> None:
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


def test_at_most_four_checks_of_a_pair_are_open() -> None:
    """Each of them may be answered; with four, checks of the peer trigger no further one."""
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
    # Each was sent once, except the newest.
    assert [Message.parse(each.data).transaction_id for each in sent[:4]] == identifiers
    peer.answer(sent[0], 0.6)
    assert state_of_check(agent) is CheckState.SUCCEEDED
    assert agent.dropped == {}


def test_after_a_nomination_other_checks_are_not_retransmitted() -> None:
    agent, peer = make_agent(3)
    sent = run(agent, 0.0, 0.11)
    first, _, third = (datagram for _, datagram in sent)
    peer.answer(third, 0.12)
    # As a pair of host candidates, it is nominated immediately.
    (nomination,) = agent.datagrams_to_send(0.12)
    peer.answer(nomination, 0.13)
    assert {each.remote for when, each in run(agent, 0.13, 2.0)} == set()
    peer.answer(first, 2.0)
    assert [pair.state for pair in agent.pairs] == ["succeeded", "in-progress", "succeeded"]
    assert [pair.nominated for pair in agent.pairs] == [False, False, True]
    assert agent.selected_entry is agent.pairs[2]


@pytest.mark.parametrize("code", [400, 401, 420, 500])
def test_a_check_with_an_error_response_fails(code: int) -> None:
    agent, peer = make_agent(1)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.1, error=ErrorCode(code, "no"))
    assert state_of_check(agent) is CheckState.FAILED
    assert agent.pairs[0].statistics.responses_received == 0
    assert run(agent, 0.1, 14.9) == []


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_the_failure_of_an_older_check_does_not_affect_the_newer_one(how: str) -> None:
    agent, peer = make_agent(1, role=IceRole.CONTROLLED)
    (older,) = agent.datagrams_to_send(0.0)
    peer.check(0.06)
    (newer,) = [each for each in peer.sent if is_request(each)]
    if how == "refused":
        peer.answer(older, 0.1, error=ErrorCode(400, "Bad Request"))
    else:
        # After one transmission, it fails after 16 times the first RTO.
        agent.handle_timer(8.01)
    assert state_of_check(agent) is CheckState.IN_PROGRESS
    peer.answer(newer, 8.05)
    assert state_of_check(agent) is CheckState.SUCCEEDED


def test_a_refused_nomination_fails_the_pair_and_nominates_the_next_best_one() -> None:
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


def respond(
    peer: ScriptedPeer, check: Datagram, kind: MessageClass, now: float, *attributes: StunAttribute
) -> None:
    """Answer a check with these attributes only."""
    request = Message.parse(check.data)
    response = Message(request.method, kind, request.transaction_id, attributes)
    key = peer.parameters.password.encode()
    peer.agent.receive([Datagram(response.encode(key=key), check.local, check.remote)], now)


MALFORMED = [
    (MessageClass.SUCCESS_RESPONSE, ()),
    (MessageClass.SUCCESS_RESPONSE, (StunAttribute(AttributeType.XOR_MAPPED_ADDRESS, b"short"),)),
    (MessageClass.ERROR_RESPONSE, ()),
    (MessageClass.ERROR_RESPONSE, (StunAttribute(AttributeType.ERROR_CODE, b"no"),)),
    (MessageClass.ERROR_RESPONSE, (StunAttribute(AttributeType.ERROR_CODE, b"\0\0\4\x57conflict"),)),
]


@pytest.mark.parametrize(("kind", "attributes"), MALFORMED)
def test_only_a_success_renews_consent(kind: MessageClass, attributes: tuple[StunAttribute, ...]) -> None:
    agent, peer = make_agent(1)
    agent.remote_candidates_complete(0.0)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.0)
    (nomination,) = agent.datagrams_to_send(0.0)
    respond(peer, nomination, kind, 5.0, *attributes)
    (consent,) = [each for _, each in run(agent, 5.0, 5.0) if is_request(each)][:1]
    if kind is MessageClass.ERROR_RESPONSE:
        respond(peer, consent, kind, 5.5, *attributes)
    run(agent, 5.5, 29.99)
    assert agent.state == "disconnected"
    agent.handle_timer(30.0)
    assert agent.state == "failed"
    assert agent.pairs[0].consent_expired
    assert (ALICE, BOB) not in agent.accepted_paths


def test_an_unanswered_nomination_does_not_renew_consent() -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLING, remote=(BOB,), max_transmissions=1)
    agent.remote_candidates_complete(0.0)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.0)
    run(agent, 0.0, 29.99)
    assert agent.pairs[0].state == "failed"
    assert agent.state == "disconnected"
    agent.handle_timer(30.0)
    assert agent.state == "failed"


@pytest.mark.parametrize(("kind", "attributes"), MALFORMED[:4])
def test_a_malformed_response_fails_the_pair(
    kind: MessageClass, attributes: tuple[StunAttribute, ...]
) -> None:
    agent, peer = make_agent(1)
    (check,) = agent.datagrams_to_send(0.0)
    respond(peer, check, kind, 0.1, *attributes)
    assert state_of_check(agent) is CheckState.FAILED
    assert agent.pairs[0].statistics.responses_received == 0
    assert [event for event in agent.events() if isinstance(event, StateChanged)] == [
        StateChanged(agent.state)
    ]


def test_the_oldest_of_five_checks_of_a_pair_is_cancelled() -> None:
    """A nomination is not paced: each role change starts another one."""
    agent, peer = make_agent(1)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.0)
    nominations = agent.datagrams_to_send(0.0)
    for _ in range(5):
        agent.set_role(IceRole.CONTROLLED, 0.1)
        agent.set_role(IceRole.CONTROLLING, 0.1)
        nominations += agent.datagrams_to_send(0.1)
    assert len(nominations) == 6
    for forgotten in nominations[:2]:
        peer.answer(forgotten, 0.2)
    assert agent.dropped == {"unexpected": 2}
    assert not agent.pairs[0].nominated
    # Of the others, only the newest is retransmitted.
    assert [each.data for _, each in run(agent, 0.2, 0.7)] == [nominations[-1].data]
    peer.answer(nominations[2], 0.8)
    assert agent.pairs[0].nominated


def test_a_nomination_replaces_a_check_in_flight() -> None:
    agent, peer = make_agent(1)
    (first,) = agent.datagrams_to_send(0.0)
    peer.check(0.06)
    (second,) = [each for each in peer.sent if is_request(each)]
    peer.answer(first, 0.1)
    (nomination,) = agent.datagrams_to_send(0.1)
    assert [each.data for _, each in run(agent, 0.1, 1.0)] == [nomination.data]
    peer.answer(second, 1.1)
    assert agent.dropped == {}


def test_a_nomination_refused_by_a_lite_peer_is_sent_again() -> None:
    agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
    agent.add_socket(ALICE, local_preference=5, now=0.0)
    peer = ScriptedPeer(agent, ALICE, BOB, ice_lite=True)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    (check,) = agent.datagrams_to_send(0.0)
    peer.answer(check, 0.1)
    (nomination,) = agent.datagrams_to_send(0.1)
    peer.answer(nomination, 0.2, error=ErrorCode(487, "Role Conflict"))
    (again,) = agent.datagrams_to_send(0.2)
    assert Message.parse(again.data).use_candidate
    peer.answer(again, 0.3)
    assert agent.pairs[0].nominated


def test_cancelled_checks_do_not_count_towards_the_limit() -> None:
    agent, peer = make_agent(1, role=IceRole.CONTROLLED)
    agent.remote_candidates_complete(0.0)
    for step in range(4):
        peer.check(step * 0.06)
        agent.handle_timer(step * 0.06 + 0.05)
    assert agent.pairs[0].statistics.requests_sent == 4
    run(agent, 0.25, 20.0)
    assert agent.state == "failed"
    for step in range(4):
        assert agent.pairs[0].statistics.requests_sent == 4 + step
        peer.check(20 + step * 0.06)
    assert agent.pairs[0].statistics.requests_sent == 8


@pytest.mark.parametrize("undo", [False, True])
def test_a_restart_cancels_queries_and_keeps_consent_checks(undo: bool) -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLED, remote=(BOB,))
    peer.answer_until(0.0, 0.1)
    consent = run(agent, 0.1, 3.6)[-1][1]
    assert consent.remote == BOB
    agent.add_stun_server(IceServer.parse("stun:x"), SERVER, 3.7)
    queries = [each for each in agent.datagrams_to_send(3.7) if each.remote == SERVER]
    agent.restart(3.7)
    if undo:
        queries += [each for _, each in run(agent, 3.7, 3.76) if each.remote == SERVER]
        agent.roll_back_restart(3.76)
    assert len(queries) == 1 + undo
    mapped = Address("203.0.113.9", 9000)
    for query in queries:
        response = success_response(Message.parse(query.data), mapped).encode()
        agent.receive([Datagram(response, ALICE, SERVER)], 3.8)
    assert agent.dropped == {"unexpected": 1 + undo}
    assert agent.gathering_state == "gathering"
    peer.answer(consent, 3.8)
    assert agent.selected_entry is not None
    assert agent.selected_entry.answered_at == 3.8
    (again,) = [each for _, each in run(agent, 3.8, 3.9) if each.remote == SERVER]
    agent.receive(
        [Datagram(success_response(Message.parse(again.data), mapped).encode(), ALICE, SERVER)], 4.0
    )
    assert [candidate.type for candidate in agent.local_candidates] == ["host", "srflx"]
    assert agent.gathering_state == "complete"


def test_maximum_number_of_open_transactions() -> None:
    """Four checks of each pair, every query, and the consent checks of two selected pairs and of the backup pairs."""
    options = IceOptions(
        max_pairs=3,
        max_sockets=2,
        max_stun_servers=5,
        max_backup_pairs=1,
        consent_timeout=2.0,
        consent_retry_interval=0.75,
    )
    transactions = TransactionManager(
        options, RoleConflictResolver(IceRole.CONTROLLED, random.Random(1)), random.Random(2)
    )
    agent, peer = make_agent(3)
    generation = Generation(options, random.Random(3))
    generation.remote = peer.parameters
    for pair in agent.pairs:
        pair.transaction_id = None
        for _ in range(4):
            transactions.send_check(generation, pair, nominates=False, now=0.0)
    for index in range(10):
        transactions.send_query(
            Query(StunServer(IceServer.parse("stun:x"), SERVER), ALICE._replace(port=index)), 1, 0.0
        )
    for _ in range((2 + 1) * 3):
        transactions.send_consent_check(generation, agent.pairs[0], nominates=False, now=0.0)
    assert len(transactions.datagrams_to_send(0.0)) == 12 + 10 + 9
    assert transactions.pop_results() == []
    transactions.send_consent_check(generation, agent.pairs[0], nominates=False, now=0.0)
    ((_, failure),) = transactions.pop_results()
    assert isinstance(failure, TransactionFailed)
    assert failure.reason is FailureReason.TOO_MANY
