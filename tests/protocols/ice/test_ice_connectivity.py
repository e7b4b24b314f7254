"""Effect of checks of both sides on candidate pairs and accepted paths (RFC 8445 section 7)."""

import math
import random
from collections.abc import Callable

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import (
    Candidate,
    CheckedPair,
    CheckState,
    IceOptions,
    IceParameters,
    IceRole,
    NameResolutionRequested,
    RoleChanged,
)
from trio_rtc.protocols.ice.candidate_sources import CandidateSources, LocalSocket
from trio_rtc.protocols.ice.connectivity import Connectivity
from trio_rtc.protocols.ice.generation import Generation
from trio_rtc.protocols.ice.responder import PeerCheck
from trio_rtc.protocols.ice.role import RoleConflictResolver
from trio_rtc.protocols.ice.transactions import ConnectivityCheck, TransactionManager
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    FailureReason,
    Message,
    MessageClass,
    ResponseReceived,
    StunAttribute,
    TransactionFailed,
    binding_request,
    error_response,
    success_response,
)

ALICE, BOB, CAROL = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000), Address("10.0.0.3", 3000)
MAPPED = Address("192.0.2.1", 7777)
PARAMETERS = IceParameters("peer", "p" * 24)
CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED


def candidate(
    address: Address, priority: int = 100, *, kind: str = "host", protocol: str = "udp"
) -> Candidate:
    host, port = address
    return Candidate.parse(f"candidate:{priority} 1 {protocol} {priority} {host} {port} typ {kind}")


class Bench:
    """The checks of an agent at ALICE with its collaborators."""

    def __init__(
        self,
        role: IceRole = CONTROLLED,
        *,
        remote: bool = True,
        permits: Callable[[str, int], bool] | None = None,
        options: IceOptions | None = None,
    ) -> None:
        options = options or IceOptions()
        rng = random.Random(1)
        self.options = options
        self.roles = RoleConflictResolver(role, rng)
        generation = Generation(options, rng)
        self.sources = CandidateSources(options, generation.local.username_fragment)
        self.transactions = TransactionManager(options, self.roles, rng)
        self.checks = Connectivity(
            options,
            roles=self.roles,
            sources=self.sources,
            transactions=self.transactions,
            generation=generation,
            remote_candidate_filter=permits,
        )
        local = self.sources.add_socket(LocalSocket(ALICE, 65535))
        assert local is not None
        self.checks.add_local(local, 0.0)
        if remote:
            self.checks.set_remote_parameters(PARAMETERS, 0.0)

    @property
    def pairs(self) -> list[CheckedPair]:
        return list(self.checks.generation.check_list)

    def pair(self, remote: Address = BOB) -> CheckedPair:
        pair = self.checks.generation.check_list.find(ALICE, remote)
        assert pair is not None
        return pair

    def receive_check(
        self,
        now: float,
        *,
        remote: Address = BOB,
        use_candidate: bool = False,
        tie_breaker: int | None = None,
    ) -> Message:
        """Process an authentic check and return the response; a tie-breaker makes it one of the same role."""
        attributes = []
        if tie_breaker is not None:
            controlling = self.roles.role is CONTROLLING
            kind = AttributeType.ICE_CONTROLLING if controlling else AttributeType.ICE_CONTROLLED
            attributes.append(StunAttribute(kind, tie_breaker.to_bytes(8, "big")))
        request = binding_request(bytes(12), attributes)
        check = PeerCheck(request, self.checks.generation, "peer", 77, use_candidate)
        return Message.parse(self.checks.respond_to_check(check, ALICE, remote, now))

    def send_check(self, now: float, *, nominates: bool = False) -> ConnectivityCheck:
        """Send the next check and return its purpose."""
        self.checks.send_next_check(now)
        pair = next(pair for pair in self.pairs if pair.state is CheckState.IN_PROGRESS)
        return ConnectivityCheck(self.checks.generation, pair, self.roles.role, nominates)

    def succeed(self, check: ConnectivityCheck, now: float, mapped: Address | None = ALICE) -> bool:
        request = binding_request(check.pair.transaction_id or bytes(12))
        response = success_response(request, mapped or ALICE)
        if mapped is None:
            response = Message(response.method, response.message_class, request.transaction_id)
        event = ResponseReceived(request.transaction_id, response, 0.25, ALICE, BOB)
        return self.checks.handle_check_result(check, event, now)

    def refuse(self, check: ConnectivityCheck, error: ErrorCode, now: float) -> bool:
        request = binding_request(check.pair.transaction_id or bytes(12))
        response = error_response(request, error)
        event = ResponseReceived(request.transaction_id, response, 0.25, ALICE, BOB)
        return self.checks.handle_check_result(check, event, now)


def test_candidates_before_the_parameters_are_paired_once_these_are_set() -> None:
    bench = Bench(remote=False)
    bench.checks.add_remote_candidate(candidate(BOB), 1.0)
    assert bench.pairs == []
    bench.checks.set_remote_parameters(PARAMETERS, 2.0)
    assert [pair.key for pair in bench.pairs] == [(ALICE, BOB)]
    assert bench.checks.generation.checking_since == 2.0
    assert bench.checks.has_next_check


@pytest.mark.parametrize(
    "address",
    [
        Address("224.0.0.1", 2000),
        Address("10.0.0.2", 22),
        Address("127.0.0.1", 2000),
        Address("198.51.100.9", 2000),
    ],
)
def test_refused_candidates_are_counted_and_not_paired(address: Address) -> None:
    bench = Bench(permits=lambda host, port: host != "198.51.100.9")
    bench.checks.add_remote_candidate(candidate(BOB), 1.0)
    bench.checks.add_remote_candidate(candidate(address), 1.0)
    bench.sources.finish_sources()
    bench.checks.refuse_loopback()
    assert bench.checks.dropped == {"candidate-refused": 1}
    assert [remote.address for remote in bench.checks.generation.remote_candidates.paired] == [BOB]


def test_a_candidate_of_another_component_is_not_paired() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(Candidate.parse("candidate:1 2 udp 9 10.0.0.2 2000 typ host"), 0.0)
    assert bench.pairs == []
    assert bench.checks.dropped == {"candidate": 1}


def test_remote_candidates_are_bounded() -> None:
    bench = Bench(options=IceOptions(max_remote_candidates=2))
    for port in range(2000, 2005):
        bench.checks.add_remote_candidate(candidate(Address("10.0.0.2", port)), 0.0)
    assert len(bench.pairs) == 2
    assert bench.checks.dropped == {"candidate": 3}


def test_names_are_resolved_once_and_then_paired() -> None:
    bench = Bench()
    for priority in (1, 2):
        bench.checks.add_remote_candidate(candidate(Address("x.local", 2000), priority), 0.0)
    assert bench.checks.events() == [NameResolutionRequested("x.local")]
    bench.checks.resolve_name("X.local", ["10.0.0.2"], 1.0)
    assert [pair.key for pair in bench.pairs] == [(ALICE, BOB)]
    assert bench.checks.events() == []


@pytest.mark.parametrize(("mapped", "kind"), [(ALICE, "host"), (MAPPED, "prflx")])
def test_a_response_makes_the_pair_valid_and_the_path_accepted(mapped: Address, kind: str) -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    assert list(bench.checks.accepted_paths) == []
    assert bench.succeed(check, 0.25, mapped)
    pair = bench.pair()
    assert (pair.state, pair.answered_at) == (CheckState.SUCCEEDED, 0.25)
    assert pair.statistics.current_round_trip_time == 0.25
    assert pair.valid_local is not None
    assert (pair.valid_local.type, pair.valid_local.transport_address) == (kind, mapped)
    assert list(bench.checks.accepted_paths) == [(ALICE, BOB)]


@pytest.mark.parametrize("failure", ["timeout", "error", "without an address"])
def test_a_failed_check_fails_the_pair(failure: str) -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    if failure == "timeout":
        event = TransactionFailed(check.pair.transaction_id or b"", FailureReason.TIMED_OUT)
        assert not bench.checks.handle_check_result(check, event, 9.0)
    elif failure == "error":
        assert not bench.refuse(check, ErrorCode(400, "Bad Request"), 9.0)
    else:
        assert not bench.succeed(check, 9.0, mapped=None)
    assert bench.pair().state is CheckState.FAILED
    assert list(bench.checks.accepted_paths) == []


def test_failure_of_a_superseded_check_leaves_the_newest_one_in_progress() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    first = check.pair.transaction_id or b""
    bench.receive_check(0.1)
    bench.checks.send_next_check(0.1)
    assert check.pair.transaction_id != first
    bench.checks.handle_check_result(check, TransactionFailed(first, FailureReason.TIMED_OUT), 0.5)
    assert bench.pair().state is CheckState.IN_PROGRESS


def test_a_check_from_an_unknown_address_adds_a_peer_reflexive_pair() -> None:
    bench = Bench()
    response = bench.receive_check(1.0, remote=CAROL)
    assert response.message_class is MessageClass.SUCCESS_RESPONSE
    assert response.mapped_address == CAROL
    pair = bench.pair(CAROL)
    assert (pair.remote.candidate.type, pair.remote.candidate.priority) == ("prflx", 77)
    assert (pair.statistics.requests_received, pair.statistics.responses_sent) == (1, 1)
    assert bench.checks.has_next_check
    assert list(bench.checks.accepted_paths) == [(ALICE, CAROL)]


def test_checks_from_many_addresses_are_answered_and_fill_bounded_tables() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    bench.succeed(bench.send_check(0.0), 0.25)
    for port in range(3000, 3400):
        assert bench.receive_check(1.0, remote=Address("10.0.0.3", port)).mapped_address
    assert len(bench.checks.accepted_paths) == 256
    assert (ALICE, BOB) in bench.checks.accepted_paths
    assert len(bench.pairs) == 1 + bench.options.max_peer_reflexive
    assert bench.checks.dropped == {"peer-reflexive": 400 - bench.options.max_peer_reflexive}


@pytest.mark.parametrize("role", list(IceRole))
@pytest.mark.parametrize("is_answered", [True, False])
def test_only_a_controlled_agent_follows_a_nomination_after_its_own_check(
    role: IceRole, is_answered: bool
) -> None:
    bench = Bench(role)
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    bench.receive_check(0.1, use_candidate=True)
    assert not bench.pair().nominated
    if is_answered:
        bench.succeed(check, 0.2)
    assert bench.pair().nominated is (is_answered and role is CONTROLLED)


@pytest.mark.parametrize(("later", "followed"), [(0.5, False), (1.0, True)])
def test_a_worse_pair_is_nominated_only_after_the_renomination_wait(later: float, followed: bool) -> None:
    bench = Bench(CONTROLLED)
    for address, priority in ((BOB, 200), (CAROL, 100)):
        bench.checks.add_remote_candidate(candidate(address, priority), 0.0)
        bench.succeed(bench.send_check(0.0), 0.0)
    bench.receive_check(1.0, use_candidate=True)
    assert bench.pair().nominated
    bench.receive_check(1.0 + later, remote=CAROL, use_candidate=True)
    assert (bench.pair(BOB).nominated, bench.pair(CAROL).nominated) == (not followed, followed)


def test_the_controlling_agent_nominates_once() -> None:
    bench = Bench(CONTROLLING)
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    assert bench.checks.nomination_due == math.inf
    bench.succeed(check, 0.25)
    assert bench.checks.nomination_due == 0.25
    bench.checks.nominate_if_due(0.2)
    assert bench.checks.generation.nominating is None
    bench.checks.nominate_if_due(0.25)
    assert bench.checks.generation.nominating is bench.pair()
    assert bench.checks.nomination_due == math.inf
    nomination = ConnectivityCheck(bench.checks.generation, bench.pair(), CONTROLLING, nominates=True)
    bench.succeed(nomination, 0.5)
    assert bench.pair().nominated
    assert bench.checks.is_nominee(bench.checks.generation, bench.pair())
    assert bench.checks.nomination_due == math.inf


@pytest.mark.parametrize("role", list(IceRole))
@pytest.mark.parametrize("wins", [True, False])
def test_role_conflict_in_a_check_of_the_peer(role: IceRole, wins: bool) -> None:
    bench = Bench(role)
    tie_breaker = 0 if wins is (role is CONTROLLING) else 2**64 - 1
    response = bench.receive_check(1.0, tie_breaker=tie_breaker)
    if wins is (role is CONTROLLING):
        assert bench.roles.role is CONTROLLING
    else:
        assert bench.roles.role is CONTROLLED
    switched = bench.roles.role is not role
    assert bench.checks.events() == ([RoleChanged(role.opposite)] if switched else [])
    kind = MessageClass.SUCCESS_RESPONSE if switched else MessageClass.ERROR_RESPONSE
    assert response.message_class is kind


def test_a_487_response_switches_the_role_and_repeats_the_check() -> None:
    bench = Bench(CONTROLLING)
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    check = bench.send_check(0.0)
    assert not bench.refuse(check, ErrorCode(487, "Role Conflict"), 0.25)
    assert bench.checks.events() == [RoleChanged(CONTROLLED)]
    assert bench.pair().state is CheckState.WAITING
    assert bench.checks.has_next_check


def test_removing_an_address_removes_its_pairs_and_paths() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    bench.succeed(bench.send_check(0.0), 0.25)
    bench.checks.remove_local(CAROL)
    assert len(bench.pairs) == len(bench.checks.accepted_paths) == 1
    bench.checks.remove_local(ALICE)
    assert bench.pairs == []
    assert list(bench.checks.accepted_paths) == []


def test_expired_consent_fails_pairs_as_old_until_a_restart() -> None:
    bench = Bench()
    for address, priority in ((BOB, 200), (CAROL, 100)):
        bench.checks.add_remote_candidate(candidate(address, priority), 0.0)
        bench.succeed(bench.send_check(0.0), 0.0 if address == BOB else 20.0)
    generation = bench.checks.generation
    bench.checks.expire_consent(generation, bench.pair(), 30.0)
    assert [pair.consent_expired for pair in bench.pairs] == [True, False]
    assert list(bench.checks.accepted_paths) == [(ALICE, CAROL)]
    # Neither a check of the peer nor a late response recovers it.
    bench.receive_check(31.0)
    assert not bench.checks.has_next_check
    assert bench.pair().state is CheckState.FAILED
    assert (ALICE, BOB) not in bench.checks.accepted_paths
    assert bench.checks.has_expired_consent(generation, ALICE, BOB)
    assert not bench.checks.has_expired_consent(generation, ALICE, CAROL)


def test_generations_of_a_restart_and_of_its_rollback() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    bench.send_check(0.0)
    first = bench.checks.generation
    assert not bench.checks.return_to_replaced_generation()
    second = Generation(bench.options, random.Random(2))
    bench.checks.begin_generation(second, keep_previous=True)
    assert list(bench.checks.generations) == [second, first]
    assert bench.checks.generations_at(ALICE) == (second, first)
    assert bench.checks.generations_at(CAROL) == ()
    assert bench.checks.replaced_parameters == PARAMETERS
    assert bench.checks.return_to_replaced_generation()
    assert list(bench.checks.generations) == [first]
    # The restart has cancelled the check in flight.
    assert bench.pair().state is CheckState.WAITING
    bench.checks.begin_generation(second, keep_previous=False)
    assert list(bench.checks.generations) == [second]
    bench.checks.set_remote_parameters(IceParameters("peer-2", "q" * 24), 1.0)
    assert not bench.checks.return_to_replaced_generation()


def test_checking_stops_and_resumes_with_a_check_of_the_peer() -> None:
    bench = Bench()
    bench.checks.add_remote_candidate(candidate(BOB), 0.0)
    bench.send_check(0.0)
    assert not bench.checks.exhausted
    bench.checks.stop_checking(30.0)
    assert bench.checks.ended_at == 30.0
    assert bench.pair().state is CheckState.FAILED
    assert not bench.checks.has_next_check
    bench.receive_check(40.0)
    assert bench.checks.ended_at is None
    assert bench.checks.has_next_check
    assert bench.checks.generation.checking_since == 40.0


def test_no_pair_can_follow_after_both_sides_have_ended() -> None:
    bench = Bench()
    bench.sources.finish_sources()
    bench.sources.update_state()
    assert not bench.checks.exhausted
    bench.checks.generation.remote_candidates.complete = True
    assert bench.checks.exhausted
    bench.checks.add_remote_candidate(candidate(Address("x.local", 2000)), 0.0)
    assert not bench.checks.exhausted
