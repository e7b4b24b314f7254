"""Data of candidate pairs and their counters."""

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, CandidatePair, CheckedPair, IceParameters, IceRole
from trio_rtc.protocols.ice.state import (
    UNFINISHED,
    CheckState,
    LocalCandidate,
    PairStatistics,
    RemoteCandidate,
)

BASE, SERVER_SIDE, PEER = Address("10.0.0.1", 1000), Address("192.0.2.1", 1000), Address("10.0.0.2", 2000)
LOCAL = Candidate.parse("candidate:7 1 udp 9 10.0.0.1 1000 typ host")
REFLEXIVE = Candidate.parse("candidate:8 1 udp 8 192.0.2.1 1000 typ srflx raddr 10.0.0.1 rport 1000")
NAMED = Candidate.parse("candidate:3 1 udp 5 x.local 2000 typ host")


def make_pair() -> CheckedPair:
    return CheckedPair(LocalCandidate(LOCAL, BASE, 1), RemoteCandidate(NAMED, PEER), 5)


@pytest.mark.parametrize("role", list(IceRole))
def test_roles_have_opposites(role: IceRole) -> None:
    assert role.opposite is not role
    assert role.opposite.opposite is role


def test_the_password_is_not_shown() -> None:
    parameters = IceParameters("user", "a-secret-password-of-24-x")
    assert "secret" not in repr(parameters)
    assert "user" in repr(parameters)


@pytest.mark.parametrize(("candidate", "is_base"), [(LOCAL, True), (REFLEXIVE, False)])
def test_only_a_host_candidate_is_its_own_base(candidate: Candidate, is_base: bool) -> None:
    assert LocalCandidate(candidate, BASE, 1).is_base is is_base


def test_pair_has_the_numeric_address_of_a_named_candidate() -> None:
    pair = make_pair()
    assert pair.key == (BASE, PEER)
    assert pair.foundation == ("7", "3")
    assert pair.pair == CandidatePair(LOCAL, NAMED, local_base=BASE, remote_address=PEER)


def test_valid_pair_has_the_candidate_that_the_peer_sees() -> None:
    pair = make_pair()
    pair.valid_local = REFLEXIVE
    assert pair.pair == CandidatePair(REFLEXIVE, NAMED, local_base=BASE, remote_address=PEER)
    # Its identity is still that of its base.
    assert pair.key == (BASE, PEER)
    assert pair.foundation == ("7", "3")


def test_pairs_are_compared_by_identity() -> None:
    assert make_pair() != make_pair()


def test_unfinished_states() -> None:
    assert set(CheckState) - set(UNFINISHED) == {CheckState.SUCCEEDED, CheckState.FAILED}


def test_response_to_a_retransmitted_request_gives_no_round_trip_time() -> None:
    statistics = PairStatistics()
    statistics.count_response(None)
    assert (statistics.responses_received, statistics.current_round_trip_time) == (1, None)
    for round_trip_time in (0.25, 0.5):
        statistics.count_response(round_trip_time)
    statistics.count_response(None)
    assert statistics == PairStatistics(
        responses_received=4, current_round_trip_time=0.5, total_round_trip_time=0.75
    )
