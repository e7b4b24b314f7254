"""Paths from which data is accepted: those of authentic checks, up to a limit."""

import pytest

from tests.strategies.ice_peer import (
    ALICE,
    BOB,
    BOB_AGAIN,
    ScriptedPeer,
    agent_with_pairs,
    agent_with_two_pairs,
)
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Agent, IceParameters, IceRole
from trio_rtc.protocols.stun import ErrorCode

ALICE_AGAIN = Address("10.0.0.9", 10000)
LIMIT = 256


def accepted(agent: Agent, ports: range) -> list[int]:
    return [port for port in ports if (ALICE, Address("10.0.0.66", port)) in agent.accepted_paths]


def check_from(peer: ScriptedPeer, ports: range, now: float, **credentials: str) -> None:
    """Send authentic checks from other addresses, as an attacker can who replays those of the peer."""
    for port in ports:
        assert peer.check(now, source=Address("10.0.0.66", port), **credentials) is not None


def test_a_check_in_either_direction_accepts_only_its_path() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    assert peer.check(0.0) is not None
    assert (ALICE, BOB) in agent.accepted_paths
    assert (ALICE, BOB_AGAIN) not in agent.accepted_paths
    assert (BOB, ALICE) not in agent.accepted_paths
    checks = peer.answer_until(0.0, 0.1, ALICE)
    assert checks[-1].remote == BOB_AGAIN
    assert (ALICE, BOB_AGAIN) not in agent.accepted_paths
    peer.answer(checks[-1], 0.12)
    assert (ALICE, BOB_AGAIN) in agent.accepted_paths


def test_the_least_recently_checked_path_is_removed_above_the_limit() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    ports = range(2000, 2000 + LIMIT)
    check_from(peer, ports, 0.0)
    assert accepted(agent, ports) == [*ports]
    check_from(peer, ports[:1], 0.1)
    check_from(peer, range(5000, 5001), 0.2)
    assert accepted(agent, ports) == [*ports[:1], *ports[2:]]
    assert accepted(agent, range(5000, 5001)) == [5000]


def test_the_path_of_a_valid_pair_is_kept_that_of_another_pair_is_removed() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    peer.answer_until(0.0, 0.2, BOB)
    assert peer.check(0.2, source=BOB_AGAIN) is not None
    check_from(peer, range(2000, 2000 + LIMIT - 1), 0.3)
    assert (ALICE, BOB) in agent.accepted_paths
    assert (ALICE, BOB_AGAIN) not in agent.accepted_paths


def test_the_path_of_the_selected_pair_is_kept_after_a_restart() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    peer.answer_until(0.0, 0.2, BOB)
    before = agent.local_parameters
    agent.restart(0.3)
    agent.set_remote_parameters(IceParameters("peer-2", "y" * 24), 0.3)
    username = f"{before.username_fragment}:peer"
    check_from(peer, range(2000, 2000 + LIMIT), 0.4, username=username, password=before.password)
    assert (ALICE, BOB) in agent.accepted_paths


def test_a_refused_check_accepts_no_path() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.1, error=ErrorCode(400, "Bad Request"))
    assert (ALICE, BOB) not in agent.accepted_paths


# -- removal of a local address --


def test_removing_an_address_removes_its_paths() -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLED, local=(ALICE, ALICE_AGAIN), remote=(BOB,))
    peer.answer_until(0.0, 0.2)
    assert (ALICE, BOB) in agent.accepted_paths
    assert (ALICE_AGAIN, BOB) in agent.accepted_paths
    agent.remove_socket(ALICE, 0.3)
    assert (ALICE, BOB) not in agent.accepted_paths
    assert (ALICE_AGAIN, BOB) in agent.accepted_paths
    assert [pair.local.base for pair in agent.pairs] == [ALICE_AGAIN]


@pytest.mark.parametrize("removed", [ALICE, ALICE_AGAIN])
def test_a_nomination_continues_unless_its_own_address_is_removed(removed: Address) -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLING, local=(ALICE, ALICE_AGAIN), remote=(BOB,))
    first, second = peer.new_requests(0.0), []
    agent.handle_timer(0.05)
    second = peer.new_requests(0.05)
    assert [datagram.local for datagram in (*first, *second)] == [ALICE, ALICE_AGAIN]
    peer.answer(first[0], 0.06)
    (nomination,) = peer.new_requests(0.06)
    peer.answer(second[0], 0.07)
    assert peer.new_requests(0.07) == []
    agent.remove_socket(removed, 0.08)
    again = peer.new_requests(0.08)
    if removed == ALICE:
        assert [datagram.local for datagram in again] == [ALICE_AGAIN]
        (nomination,) = again
    else:
        assert again == []
    peer.answer(nomination, 0.09)
    assert [(pair.local.base, pair.nominated) for pair in agent.pairs] == [(nomination.local, True)]


@pytest.mark.parametrize("nominated_goes", [True, False])
def test_checking_continues_when_the_address_of_the_nominated_pair_is_removed(nominated_goes: bool) -> None:
    agent, peer = agent_with_pairs(IceRole.CONTROLLING, local=(ALICE, ALICE_AGAIN))
    (first,) = peer.new_requests(0.0)
    peer.answer(first, 0.01)
    (nomination,) = peer.new_requests(0.01)
    peer.answer(nomination, 0.02)
    selected = agent.selected_entry
    assert selected is not None
    assert selected.nominated
    agent.remove_socket(ALICE if nominated_goes else ALICE_AGAIN, 0.03)
    sent = peer.answer_until(0.03, 0.3, ALICE)
    # After a nomination, only one further pair is checked per second.
    assert {(each.local, each.remote) for each in sent} == (
        {(ALICE_AGAIN, BOB), (ALICE_AGAIN, BOB_AGAIN)} if nominated_goes else set()
    )
