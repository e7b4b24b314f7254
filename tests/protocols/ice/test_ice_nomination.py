"""Nomination by the controlling agent (RFC 8445 section 8.1.1)."""

import random

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, CheckedPair, CheckState, IceOptions, IceRole
from trio_rtc.protocols.ice.generation import Generation
from trio_rtc.protocols.ice.nomination import next_nomination
from trio_rtc.protocols.ice.state import LocalCandidate, RemoteCandidate

ALICE = Address("10.0.0.1", 10000)
HOST, REFLEXIVE, RELAYED = "host", "srflx raddr 10.0.0.9 rport 9", "relay raddr 10.0.0.9 rport 9"
UNFINISHED = (CheckState.FROZEN, CheckState.WAITING, CheckState.IN_PROGRESS)


def make_generation(*pairs: tuple[CheckState, int, str]) -> tuple[Generation, list[CheckedPair]]:
    """Return a generation with checks since 1 s and pairs of these states, priorities and remote types."""
    generation = Generation(IceOptions(), random.Random(1))
    generation.checking_since = 1.0
    host, port = ALICE
    local = LocalCandidate(Candidate.parse(f"candidate:1 1 udp 9999 {host} {port} typ host"), ALICE, 1)
    made = []
    for index, (state, priority, kind) in enumerate(pairs):
        line = f"candidate:{index} 1 udp {priority} 10.0.0.2 {2000 + index} typ {kind}"
        remote = RemoteCandidate(Candidate.parse(line), Address("10.0.0.2", 2000 + index))
        pair = generation.check_list.add(local, remote, IceRole.CONTROLLING)
        assert pair is not None
        pair.state = state
        pair.answered_at = 1.0 + (index + 1) / 8
        if state is CheckState.SUCCEEDED:
            pair.valid_local = local.candidate
        made.append(pair)
    return generation, made


def test_no_pair_is_nominated_without_a_valid_one() -> None:
    generation, _ = make_generation(*((state, 5, HOST) for state in (*UNFINISHED, CheckState.FAILED)))
    assert next_nomination(generation, IceOptions()) is None


@pytest.mark.parametrize("kind", [HOST, REFLEXIVE, RELAYED])
@pytest.mark.parametrize("priority", [4, 5])
def test_the_best_valid_pair_is_nominated_immediately_if_no_better_one_remains(
    kind: str, priority: int
) -> None:
    generation, pairs = make_generation(
        (CheckState.SUCCEEDED, 5, kind),
        (CheckState.SUCCEEDED, 3, HOST),
        (CheckState.FAILED, 9, HOST),
        *((state, priority, HOST) for state in UNFINISHED),
    )
    assert next_nomination(generation, IceOptions()) == (pairs[0], 1.125)


@pytest.mark.parametrize("better", UNFINISHED)
@pytest.mark.parametrize(("kind", "wait"), [(HOST, 0.0), (REFLEXIVE, 0.1), (RELAYED, 0.5)])
def test_while_a_better_pair_is_checked_the_wait_depends_on_the_candidate_types(
    better: CheckState, kind: str, wait: float
) -> None:
    generation, pairs = make_generation(
        (CheckState.SUCCEEDED, 5, kind), (better, 6, HOST), (CheckState.WAITING, 4, HOST)
    )
    assert next_nomination(generation, IceOptions()) == (pairs[0], 1.0 + wait)


@pytest.mark.parametrize(("kind", "wait"), [("prflx", 0.1), ("relay", 0.5)])
def test_the_local_candidate_type_counts_too(kind: str, wait: float) -> None:
    generation, pairs = make_generation((CheckState.SUCCEEDED, 5, REFLEXIVE), (CheckState.WAITING, 6, HOST))
    pairs[0].valid_local = Candidate.parse(f"candidate:7 1 udp 1 203.0.113.9 9 typ {kind}")
    assert next_nomination(generation, IceOptions()) == (pairs[0], 1.0 + wait)


def test_nothing_is_nominated_twice() -> None:
    generation, pairs = make_generation((CheckState.SUCCEEDED, 5, HOST))
    generation.nominating = pairs[0]
    assert next_nomination(generation, IceOptions()) is None
    generation.nominating = None
    generation.check_list.concluded = True
    assert next_nomination(generation, IceOptions()) is None


def test_a_valid_pair_shows_the_local_candidate_that_the_peer_sees() -> None:
    _, (pair,) = make_generation((CheckState.WAITING, 5, HOST))
    assert pair.pair.local == pair.local.candidate
    assert (pair.pair.local_base, pair.pair.remote_address) == (ALICE, Address("10.0.0.2", 2000))
    pair.valid_local = Candidate.parse("candidate:7 1 udp 1 203.0.113.9 9 typ prflx")
    assert pair.pair.local == pair.valid_local
