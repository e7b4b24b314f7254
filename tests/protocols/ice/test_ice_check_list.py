"""The check list: pairing, order of checks and limits (RFC 8445 section 6.1.2)."""

import itertools

import attrs
import pytest

from trio_rtc.enums import RTCIceProtocol, RTCIceTcpCandidateType
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate, CheckedPair, CheckState, IceRole
from trio_rtc.protocols.ice.check_list import CheckList, can_be_paired
from trio_rtc.protocols.ice.state import LocalCandidate, RemoteCandidate

FROZEN, WAITING, IN_PROGRESS = CheckState.FROZEN, CheckState.WAITING, CheckState.IN_PROGRESS
SUCCEEDED, FAILED = CheckState.SUCCEEDED, CheckState.FAILED
CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
ALICE, ALICE_AGAIN = Address("10.0.0.1", 10000), Address("10.0.0.9", 10000)


def make_local(address: Address = ALICE, *, foundation: str = "1", priority: int = 100) -> LocalCandidate:
    host, port = address
    candidate = Candidate.parse(f"candidate:{foundation} 1 udp {priority} {host} {port} typ host")
    return LocalCandidate(candidate, address, 1)


def make_remote(
    port: int, *, foundation: str = "1", priority: int = 100, host: str = "10.0.0.2"
) -> RemoteCandidate:
    candidate = Candidate.parse(f"candidate:{foundation} 1 udp {priority} {host} {port} typ host")
    return RemoteCandidate(candidate, Address(host, port))


def fill(check_list: CheckList, *states: CheckState) -> list[CheckedPair]:
    """Add pairs of different foundations in these states, in order of priority."""
    pairs = []
    for index, state in enumerate(states):
        remote = make_remote(1024 + index, foundation=str(index), priority=1000 - index)
        pair = check_list.add(make_local(), remote, CONTROLLING)
        assert pair is not None
        pair.state = state
        pairs.append(pair)
    return pairs


@pytest.mark.parametrize(
    ("local", "remote", "expected"),
    [
        *(("10.0.0.1", "10.0.0.2", True), ("fd00::1", "fd00::2", True), ("fe80::1", "fe80::2", True)),
        *(("10.0.0.1", "fd00::2", False), ("fd00::1", "10.0.0.2", False)),
        *(("fe80::1", "fd00::2", False), ("fd00::1", "fe80::2", False)),
        *(
            ("127.0.0.1", "127.0.0.1", True),
            ("127.0.0.1", "10.0.0.2", True),
            ("10.0.0.1", "127.0.0.1", False),
        ),
    ],
)
def test_compatible_candidates_are_paired(local: str, remote: str, expected: bool) -> None:
    assert can_be_paired(make_local(Address(local, 10000)), make_remote(2000, host=remote)) is expected


def test_candidates_of_another_transport_or_without_port_or_socket_are_not_paired() -> None:
    local, remote = make_local(), make_remote(2000)
    assert can_be_paired(local, remote)
    reflexive = attrs.evolve(local.candidate, address="203.0.113.9")
    assert not can_be_paired(attrs.evolve(local, candidate=reflexive), remote)
    tcp = Candidate.parse("candidate:1 1 tcp 100 10.0.0.2 2000 typ host tcptype passive")
    assert not can_be_paired(local, attrs.evolve(remote, candidate=tcp))
    assert not can_be_paired(
        local,
        attrs.evolve(
            remote, candidate=attrs.evolve(remote.candidate, tcp_type=RTCIceTcpCandidateType.PASSIVE)
        ),
    )
    tcp = attrs.evolve(remote.candidate, protocol=RTCIceProtocol.TCP)
    assert not can_be_paired(local, attrs.evolve(remote, candidate=tcp))
    assert not can_be_paired(local, make_remote(0))


def test_one_pair_of_each_foundation_is_waiting() -> None:
    """RFC 8445 section 6.1.2.6."""
    check_list = CheckList(10)
    first = check_list.add(make_local(), make_remote(1), CONTROLLING)
    second = check_list.add(make_local(), make_remote(2), CONTROLLING)
    other_remote = check_list.add(make_local(), make_remote(3, foundation="2"), CONTROLLING)
    other_local = check_list.add(make_local(ALICE_AGAIN, foundation="2"), make_remote(1), CONTROLLING)
    assert first is not None
    assert second is not None
    assert other_remote is not None
    assert other_local is not None
    assert [pair.state for pair in check_list] == [WAITING, FROZEN, WAITING, WAITING]
    assert len(check_list) == 4
    assert check_list.add(make_local(), make_remote(2), CONTROLLING) is None, "it is there already"
    check_list.succeed(first)
    assert [pair.state for pair in check_list] == [SUCCEEDED, WAITING, WAITING, WAITING]
    third = check_list.add(make_local(), make_remote(4), CONTROLLING)
    assert third is not None
    assert third.state is FROZEN


@pytest.mark.parametrize(
    ("busy", "expected"),
    [(WAITING, FROZEN), (IN_PROGRESS, FROZEN), (SUCCEEDED, WAITING), (FAILED, WAITING), (FROZEN, WAITING)],
)
def test_a_pair_is_frozen_while_one_of_its_foundation_is_waiting_or_in_progress(
    busy: CheckState, expected: CheckState
) -> None:
    check_list = CheckList(10)
    first = check_list.add(make_local(), make_remote(1), CONTROLLING)
    assert first is not None
    first.state = busy
    second = check_list.add(make_local(), make_remote(2), CONTROLLING)
    assert second is not None
    assert second.state is expected


def test_success_unfreezes_its_foundation_only() -> None:
    check_list = CheckList(10)
    states = (WAITING, FROZEN, FAILED, IN_PROGRESS)
    same = [check_list.add(make_local(), make_remote(1 + index), CONTROLLING) for index in range(4)]
    other = check_list.add(make_local(), make_remote(9, foundation="2"), CONTROLLING)
    for pair, state in zip([*same, other], [*states, FROZEN], strict=True):
        assert pair is not None
        pair.state = state
    assert same[0] is not None
    check_list.succeed(same[0])
    assert [pair.state for pair in check_list] == [SUCCEEDED, WAITING, FAILED, IN_PROGRESS, FROZEN]


def test_order_of_triggered_waiting_and_frozen_checks() -> None:
    """RFC 8445 section 6.1.4.2."""
    check_list = CheckList(10)
    pairs = fill(check_list, FROZEN, FROZEN, WAITING, WAITING, SUCCEEDED, FAILED, IN_PROGRESS, FAILED)
    for index in (7, 5, 7):
        check_list.trigger(pairs[index])
    order = []
    while check_list.has_next_check:
        pair = check_list.pop_next_check()
        assert pair is not None
        pair.state = IN_PROGRESS
        order.append(pairs.index(pair))
    assert order == [7, 5, 2, 3, 0, 1]
    assert check_list.pop_next_check() is None


def test_a_frozen_pair_whose_foundation_is_busy_is_checked_last() -> None:
    check_list = CheckList(10)
    busy = check_list.add(make_local(), make_remote(1, foundation="1"), CONTROLLING)
    same = check_list.add(make_local(), make_remote(2, foundation="1", priority=900), CONTROLLING)
    other = check_list.add(make_local(), make_remote(3, foundation="2", priority=800), CONTROLLING)
    assert busy is not None
    assert same is not None
    assert other is not None
    busy.state, same.state, other.state = IN_PROGRESS, FROZEN, FROZEN
    assert check_list.pop_next_check() is other
    other.state = FAILED
    assert check_list.pop_next_check() is same


def test_a_concluded_list_sends_only_triggered_checks() -> None:
    check_list = CheckList(10)
    pairs = fill(check_list, WAITING, FROZEN, WAITING)
    check_list.concluded = True
    assert not check_list.has_next_check
    assert check_list.pop_next_check() is None
    check_list.trigger(pairs[2])
    assert check_list.has_next_check
    assert check_list.pop_next_check() is pairs[2]
    assert not check_list.has_next_check


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_a_triggered_check_of_a_finished_pair_is_not_sent(end: str) -> None:
    check_list = CheckList(10)
    (pair,) = fill(check_list, IN_PROGRESS)
    getattr(check_list, end)(pair)
    assert pair.state is (SUCCEEDED if end == "succeed" else FAILED)
    check_list.trigger(pair)
    assert pair.state is WAITING
    getattr(check_list, end)(pair)
    assert not check_list.has_next_check


def test_unfinished_unchecked_active_valid_and_nominated_pairs() -> None:
    check_list = CheckList(10)
    assert check_list.best_valid is None
    assert check_list.nominated is None
    pairs = fill(check_list, FROZEN, WAITING, IN_PROGRESS, FAILED, SUCCEEDED, SUCCEEDED, WAITING)
    check_list.trigger(pairs[6])
    assert check_list.unfinished == [pairs[index] for index in (0, 1, 2, 6)]
    assert check_list.unchecked == pairs[:2]
    assert check_list.active_count == 3
    assert check_list.best_valid is pairs[4]
    pairs[5].nominated = True
    assert check_list.nominated is pairs[5]


def test_a_pair_is_found_by_both_addresses() -> None:
    check_list = CheckList(10)
    pair = check_list.add(make_local(), make_remote(1), CONTROLLING)
    assert check_list.find(ALICE, Address("10.0.0.2", 1)) is pair
    assert check_list.find(ALICE_AGAIN, Address("10.0.0.2", 1)) is None
    assert check_list.find(ALICE, Address("10.0.0.2", 2)) is None


def test_the_pairs_of_a_removed_address_are_not_checked() -> None:
    check_list = CheckList(10)
    bases = (make_local(), make_local(ALICE_AGAIN, foundation="2"))
    pairs = []
    for local, port in itertools.product(bases, (1, 2)):
        pair = check_list.add(local, make_remote(port), CONTROLLING)
        assert pair is not None
        check_list.trigger(pair)
        pairs.append(pair)
    assert check_list.remove_base(ALICE) == pairs[:2]
    assert list(check_list) == pairs[2:]
    assert [check_list.pop_next_check() for _ in range(2)] == pairs[2:]


def test_a_signaled_candidate_replaces_the_peer_reflexive_one_and_changes_priorities() -> None:
    check_list = CheckList(10)
    first, second = fill(check_list, IN_PROGRESS, WAITING)
    signaled = make_remote(first.remote.address.port, foundation="7", priority=5)
    check_list.replace_remote(signaled, CONTROLLING)
    assert (first.remote, second.remote.candidate.foundation) == (signaled, "1")
    assert first.priority == (5 << 32) + 2 * 100 + 1
    assert second.priority == (100 << 32) + 2 * 999
    check_list.set_role(CONTROLLED)
    assert first.priority == (5 << 32) + 2 * 100
    assert second.priority == (100 << 32) + 2 * 999 + 1


@pytest.mark.parametrize(
    ("states", "priority", "leaves"),
    [
        # The idle pair of lowest priority, if lower than that of the new one.
        *(((WAITING, FROZEN, WAITING), 999, 2), ((FROZEN, WAITING, FROZEN), 999, 2)),
        *(((WAITING, WAITING, WAITING), 998, None), ((WAITING, WAITING, WAITING), 997, None)),
        # A failed pair before any other, whatever its priority.
        *(((FAILED, WAITING, WAITING), 1, 0), ((FAILED, WAITING, FAILED), 1, 2)),
        # Never a pair that is valid or being checked.
        *(((WAITING, IN_PROGRESS, SUCCEEDED), 1001, 0), ((SUCCEEDED, IN_PROGRESS, SUCCEEDED), 5000, None)),
    ],
)
def test_the_pair_that_is_dropped_for_a_better_one(
    states: tuple[CheckState, ...], priority: int, leaves: int | None
) -> None:
    check_list = CheckList(3)
    pairs = fill(check_list, *states)
    pair = check_list.add(make_local(), make_remote(1, foundation="9", priority=priority), CONTROLLING)
    assert (pair is None) is (leaves is None)
    kept = [each for index, each in enumerate(pairs) if index != leaves]
    assert list(check_list) == [*kept, *([] if pair is None else [pair])]


def test_a_pair_with_a_triggered_check_is_not_dropped() -> None:
    check_list = CheckList(2)
    pairs = fill(check_list, WAITING, WAITING)
    check_list.trigger(pairs[1])
    assert check_list.add(make_local(), make_remote(1, priority=5000), CONTROLLING) is not None
    assert pairs[1] in list(check_list)
    assert pairs[0] not in list(check_list)


def test_a_pair_checked_by_the_peer_is_added_whatever_its_priority() -> None:
    check_list = CheckList(2)
    first, second = fill(check_list, WAITING, FROZEN)
    remote = make_remote(1, priority=1)
    assert check_list.add(make_local(), remote, CONTROLLING) is None
    pair = check_list.add(make_local(), remote, CONTROLLING, checked_by_peer=True)
    assert list(check_list) == [first, pair]
    assert second not in list(check_list)
