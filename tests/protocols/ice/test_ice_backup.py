"""Backup pairs: replacement of an unanswered selected pair, its delay and its cost."""

import functools
import math
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from tests.strategies.ice_network import Host, IceNetwork, Route, are_connected, signal
from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, ScriptedPeer, agent_with_two_pairs
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    CheckState,
    IceOptions,
    IceRole,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.ice.backup import BackupPairs
from trio_rtc.protocols.stun import Message, MessageClass

ALICE_6, BOB_6 = Address("2001:db8::1", 10000), Address("2001:db8::2", 2000)
SECONDS_TO_SWITCH = 7.0
families = pytest.mark.parametrize("family", [6, 4])


def connect(*, family: int = 6, delay: float = 0.03, seed: int = 0) -> tuple[IceNetwork, Host, Host]:
    """Connect two hosts with both address families, one of which is preferred and selected."""
    network = IceNetwork(delay=delay)
    order = slice(None, None, 1 if family == 6 else -1)
    alice = network.add_host(IceRole.CONTROLLING, *[ALICE_6, ALICE][order], seed=100 * seed + 1)
    bob = network.add_host(IceRole.CONTROLLED, *[BOB_6, BOB][order], seed=100 * seed + 2)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    network.run(10)
    assert both_use(family, alice, bob)
    for host in (alice, bob):
        host.events.clear()
    return network, alice, bob


def both_use(family: int, *hosts: Host) -> bool:
    return all(family_in_use(host) == family for host in hosts)


def family_in_use(host: Host) -> int | None:
    selected = host.agent.selected_pair
    return None if selected is None else 6 if ":" in selected.local_base.host else 4


def without(family: int, source: tuple[Address, Address] | None = None) -> Route:
    """Return a route that drops an address family, or only the datagrams of one host."""

    def route(datagram: Datagram) -> Datagram | None:
        lost = (":" in datagram.local.host) == (family == 6) and (source is None or datagram.local in source)
        return None if lost else datagram

    return route


def states(host: Host) -> list[str]:
    return [event.state.value for event in host.events if isinstance(event, StateChanged)]


def selections(host: Host) -> list[SelectedPairChanged]:
    return [event for event in host.events if isinstance(event, SelectedPairChanged)]


def requests_between(network: IceNetwork, source: Address) -> list[float]:
    return [
        when
        for when, datagram in network.sent
        if datagram.local == source and Message.parse(datagram.data).message_class is MessageClass.REQUEST
    ]


@families
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("connected_for", [0.0, 3.3, 17.0, 100.0])
def test_the_other_address_family_replaces_a_failed_one(family: int, seed: int, connected_for: float) -> None:
    network, alice, bob = connect(family=family, seed=seed)
    network.run(connected_for)
    network.route = without(family)
    began = network.now
    other = 10 - family
    assert network.run(SECONDS_TO_SWITCH, lambda: both_use(other, alice, bob))
    assert network.now - began > 1
    assert network.run(6, lambda: are_connected(alice, bob))
    network.run(100)
    assert states(alice)[0] == "disconnected"
    for host in (alice, bob):
        assert [event.after_silence for event in selections(host)] == [True]
        assert states(host).count("disconnected") <= 1
        assert host.agent.state == "completed"
        # RFC 7675 section 5.1: consent has expired on that path, and data from it is dropped.
        selected = host.agent.selected_pair
        assert selected is not None
        (dead,) = (pair for pair in host.agent.pairs if pair.local.base != selected.local_base)
        assert (dead.state, dead.consent_expired) == ("failed", True)
        assert dead.key not in host.agent.accepted_paths


@families
@pytest.mark.parametrize("silent", ["alice", "bob"])
def test_a_pair_that_works_in_one_direction_is_replaced(family: int, silent: str) -> None:
    network, alice, bob = connect(family=family)
    network.route = without(family, (ALICE, ALICE_6) if silent == "alice" else (BOB, BOB_6))
    other = 10 - family
    assert network.run(SECONDS_TO_SWITCH + 1, lambda: both_use(other, alice, bob))
    network.run(100)
    assert are_connected(alice, bob)
    assert [len(selections(host)) for host in (alice, bob)] == [1, 1]


@pytest.mark.parametrize("outage", [2.0, 4.5, 5.5, 7.0, 12.3, 22.0])
@pytest.mark.parametrize("delay", [0.001, 0.03, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_an_outage_of_all_paths_changes_no_pair(outage: float, delay: float, seed: int) -> None:
    network, alice, bob = connect(delay=delay, seed=seed)
    network.run(seed * 1.7)
    for _ in range(3):
        network.route = lambda datagram: None
        network.run(outage)
        network.route = lambda datagram: datagram
        assert network.run(3, lambda: alice.agent.state == bob.agent.state == "completed")
        network.run(20)
    for host in (alice, bob):
        assert selections(host) == []
        assert states(host) == ["disconnected", "completed"] * (len(states(host)) // 2)
        assert len(states(host)) <= 6


def test_a_replaced_pair_is_a_backup_when_it_is_answered_again() -> None:
    network, alice, bob = connect()
    for family in (6, 4, 6):
        network.route = without(family)
        assert network.run(8, functools.partial(both_use, 10 - family, alice, bob))
        network.run(8)
        # A recovered pair is not selected again.
        network.route = lambda datagram: datagram
        network.run(40)
        assert are_connected(alice, bob)
        assert family_in_use(alice) == 10 - family
    for host in (alice, bob):
        assert len(selections(host)) == 3


@pytest.mark.parametrize("delay", [0.001, 0.1])
def test_a_backup_pair_becomes_valid_after_the_nomination(delay: float) -> None:
    """The response on the first pair arrives before the second one is checked."""
    network = IceNetwork(delay=delay)
    alice = network.add_host(IceRole.CONTROLLING, ALICE_6, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB_6, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    network.run(5)
    for host in (alice, bob):
        assert [pair.state for pair in host.agent.pairs] == ["succeeded"] * 2
        assert len(selections(host)) == 1


def test_a_backup_is_checked_every_fifteen_seconds() -> None:
    network, _, _ = connect()
    network.sent.clear()
    network.run(300)
    for source in (ALICE, BOB):
        assert 19 <= len(requests_between(network, source)) <= 21


def test_the_number_of_backup_pairs_is_limited() -> None:
    network = IceNetwork(delay=0.001)
    alice = network.add_host(IceRole.CONTROLLING, *(Address(f"10.0.0.{n}", 10000) for n in range(1, 7)))
    bob = network.add_host(IceRole.CONTROLLED, *(Address(f"10.0.1.{n}", 10000) for n in range(1, 7)))
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    network.run(60)
    network.sent.clear()
    network.run(60)
    selected = alice.agent.selected_pair
    assert selected is not None
    pairs = {
        (datagram.local, datagram.remote)
        for _, datagram in network.sent
        if datagram.local in alice.addresses
        and Message.parse(datagram.data).message_class is MessageClass.REQUEST
    }
    assert len(pairs) == 1 + IceOptions().max_backup_pairs
    # All of them differ from the selected pair at both ends.
    assert all(
        local != selected.local_base and remote != selected.remote_address
        for local, remote in pairs - {(selected.local_base, selected.remote_address)}
    )


def two_pairs(role: IceRole) -> tuple[Agent, ScriptedPeer]:
    """Return an agent with valid pairs to BOB (better, nominated) and BOB_AGAIN, answered until 10 s."""
    agent, peer = agent_with_two_pairs(role)
    agent.remote_candidates_complete(0.0)
    if role is IceRole.CONTROLLED:
        peer.answer_until(0.0, 0.2)
        peer.check(0.2, use_candidate=True)
    peer.answer_until(0.2, 10.0)
    assert [pair.state for pair in agent.pairs] == ["succeeded"] * 2
    assert remote_in_use(agent) == BOB
    agent.events()
    return agent, peer


def remote_in_use(agent: Agent) -> Address | None:
    return None if agent.selected_pair is None else agent.selected_pair.remote_address


def nominations(requests: list[Datagram]) -> list[Address]:
    return [each.remote for each in requests if Message.parse(each.data).use_candidate]


def state_changes(agent: Agent) -> list[str]:
    return [event.state.value for event in agent.events() if isinstance(event, StateChanged)]


def test_a_controlling_agent_nominates_the_backup_pair_instead_of_the_unanswered_one() -> None:
    agent, peer = two_pairs(IceRole.CONTROLLING)
    requests = peer.answer_until(10.0, 16.5, BOB_AGAIN)
    assert remote_in_use(agent) == BOB_AGAIN
    nominated = nominations(requests)
    assert nominated.count(BOB) <= 1
    assert nominated[-1] == BOB_AGAIN
    assert state_changes(agent) == ["disconnected", "completed"]


def test_data_of_a_peer_that_stays_on_the_first_nomination_is_accepted() -> None:
    """pion and Firefox do not follow a second nomination of a worse pair, and continue to send on the first."""
    agent, peer = two_pairs(IceRole.CONTROLLING)
    peer.answer_until(10.0, 20.0, BOB_AGAIN)
    assert remote_in_use(agent) == BOB_AGAIN
    for now in range(21, 121, 2):
        assert peer.check(float(now)) is not None
        assert (ALICE, BOB) in agent.accepted_paths
        assert (ALICE, BOB_AGAIN) in agent.accepted_paths
        peer.answer_until(float(now), now + 1.9)
    assert remote_in_use(agent) == BOB_AGAIN
    assert agent.state == "completed"


def test_a_controlled_agent_does_not_wait_for_a_second_nomination() -> None:
    agent, peer = two_pairs(IceRole.CONTROLLED)
    peer.answer_until(10.0, 16.5, BOB_AGAIN)
    assert remote_in_use(agent) == BOB_AGAIN
    # Not "completed": the pair is not nominated.
    assert state_changes(agent) == ["disconnected", "connected"]
    peer.answer_until(16.5, 20.0)
    # The nominated pair is answered again, but not nominated again.
    assert remote_in_use(agent) == BOB_AGAIN
    peer.check(20.0, use_candidate=True)
    (check,) = (each for each in peer.sent if Message.parse(each.data).message_class is MessageClass.REQUEST)
    assert check.remote == BOB
    peer.answer(check, 20.0)
    peer.answer_until(20.0, 22.0)
    assert remote_in_use(agent) == BOB_AGAIN
    peer.check(22.0, use_candidate=True)
    assert remote_in_use(agent) == BOB
    assert state_changes(agent) == ["completed"]


def test_a_nomination_alone_does_not_end_the_failover_of_a_controlled_agent() -> None:
    """The peer's checks arrive, but local ones are unanswered: the peer has not detected the outage yet."""
    agent, peer = two_pairs(IceRole.CONTROLLED)
    for now in range(10, 60):
        peer.check(float(now), use_candidate=True)
        peer.answer_until(float(now), now + 0.9, BOB_AGAIN)
    assert remote_in_use(agent) == BOB_AGAIN
    changes = state_changes(agent)
    assert changes == ["disconnected", "connected"]


def test_an_unanswered_backup_pair_replaces_nothing() -> None:
    agent, peer = two_pairs(IceRole.CONTROLLING)
    peer.answer_until(10.0, 35.0, ALICE)
    assert remote_in_use(agent) == BOB
    assert state_changes(agent) == ["disconnected"]


# -- BackupPairs alone --


@attrs.define(eq=False)
class FakePair:
    """Pair with the attributes that ``BackupPairs`` uses."""

    base: str
    host: str
    priority: int
    state: CheckState = CheckState.SUCCEEDED
    replaced: bool = False
    checked_at: float = 0.0
    answered_at: float = 0.0

    @property
    def local(self) -> Any:
        return SimpleNamespace(base=Address(self.base, 1))

    @property
    def remote(self) -> Any:
        return SimpleNamespace(address=Address(self.host, 1))


class FakeList(list[FakePair]):
    """Check list of fake pairs."""

    concluded = True

    @property
    def unchecked(self) -> list[FakePair]:
        return [pair for pair in self if pair.state is CheckState.FROZEN]

    def trigger(self, pair: FakePair) -> None:
        pair.state = CheckState.WAITING


class Backups:
    """``BackupPairs`` of fake pairs, with recorded checks."""

    def __init__(self, *pairs: FakePair, **options: Any) -> None:
        self.sent: list[FakePair] = []
        self.revoked: list[FakePair] = []
        self.pairs = FakeList(pairs)
        generation = SimpleNamespace(check_list=self.pairs)
        self.consent: Any = SimpleNamespace(unanswered_since=math.inf)
        self.selected: Any = pairs[0]
        self.core = BackupPairs(
            IceOptions(**options),
            connectivity=SimpleNamespace(  # type: ignore[arg-type]
                generation=generation, revoke_consent=lambda _, pair: self.revoked.append(pair)
            ),
            transactions=SimpleNamespace(  # type: ignore[arg-type]
                send_consent_check=lambda _, pair, *, nominates, now: self.sent.append(pair)
            ),
        )

    def update(self, now: float) -> None:
        self.core.update(self.selected, self.consent, now)

    def next_timer(self) -> float:
        return self.core.next_timer(self.selected, self.consent)


SELECTED = ("a", "x", 9)


@pytest.mark.parametrize(
    ("answers", "asked_at", "replaced"),
    [
        # Answered for 0.9 s.
        *(([10.0, 10.9], 10.9, True), ([10.0, 10.89], 10.9, False), ([10.0], 11.0, False)),
        # The last response is less than 1.5 s old.
        *(([10.0, 10.9], 12.39, True), ([10.0, 10.9], 12.4, False)),
        # After 1.5 s without a response, the time starts again.
        *(([10.0, 11.49], 11.5, True), ([10.0, 11.5], 11.6, False), ([10.0, 11.5, 12.4], 12.4, True)),
    ],
)
def test_time_for_which_a_backup_pair_must_be_answered(
    answers: list[float], asked_at: float, replaced: bool
) -> None:
    backup: Any = FakePair("b", "y", 5)
    made = Backups(FakePair(*SELECTED), backup)
    made.consent.unanswered_since = 9.0
    for now in answers:
        made.core.record_answer(backup, made.consent, now)
    assert (made.core.find_replacement(made.selected, asked_at) is backup) is replaced


def test_a_backup_pair_answered_for_exactly_the_confirmation_time_replaces() -> None:
    backup: Any = FakePair("b", "y", 5)
    made = Backups(FakePair(*SELECTED), backup, backup_confirmation_time=0.5)
    made.consent.unanswered_since = 9.0
    for now, expected in ((10.0, None), (10.25, None), (10.5, backup)):
        made.core.record_answer(backup, made.consent, now)
        assert made.core.find_replacement(made.selected, now) is expected


def test_no_backup_pair_is_searched_before_the_nomination() -> None:
    made = Backups(FakePair(*SELECTED), FakePair("b", "y", 5, CheckState.FROZEN))
    made.pairs.concluded = False
    for now in (1.0, 2.0, 3.0):
        made.update(now)
    assert made.next_timer() == math.inf
    assert made.pairs[1].state is CheckState.FROZEN


def test_responses_count_only_while_the_selected_pair_is_unanswered() -> None:
    backup: Any = FakePair("b", "y", 5)
    made = Backups(FakePair(*SELECTED), backup)
    for silent_since in (math.inf, 9.0, math.inf, 20.0):
        made.consent.unanswered_since = silent_since
        if silent_since == 20.0:
            # Responses recorded before the selected pair was answered again do not count.
            assert made.core.find_replacement(made.selected, 11.0) is None
            continue
        for now in (10.0, 10.9):
            made.core.record_answer(backup, made.consent, now)
        found = made.core.find_replacement(made.selected, 10.9)
        if silent_since == math.inf:
            made.update(11.0)
            made.sent.clear()
        else:
            assert found is backup


def test_the_best_backup_pair_replaces_and_those_that_differ_most_are_kept() -> None:
    pairs: list[Any] = [
        FakePair(*SELECTED),
        FakePair("a", "x", 8),
        FakePair("b", "x", 3),
        FakePair("a", "y", 4),
        FakePair("b", "y", 1),
        FakePair("b", "y", 99, CheckState.FAILED),
    ]
    made = Backups(*pairs, max_backup_pairs=3)
    assert made.core._find_backups(made.selected) == [pairs[4], pairs[3], pairs[2]]
    made.consent.unanswered_since = 9.0
    backups: list[Any] = pairs[2:5]
    for now in (10.0, 11.0):
        for backup in backups:
            made.core.record_answer(backup, made.consent, now)
    assert made.core.find_replacement(made.selected, 11.0) is pairs[3]


@pytest.mark.parametrize(
    ("checked_at", "silent_since", "due"),
    [(0.0, math.inf, 15.0), (3.0, math.inf, 18.0), (0.0, 4.0, 4.5), (6.0, 4.0, 6.5), (0.0, 14.9, 15.0)],
)
def test_check_times_of_a_backup_pair(checked_at: float, silent_since: float, due: float) -> None:
    backup = FakePair("b", "y", 5, checked_at=checked_at)
    made = Backups(FakePair(*SELECTED), backup)
    made.consent.unanswered_since = silent_since
    assert made.next_timer() == due
    made.update(due - 0.001)
    assert made.sent == []
    made.update(due)
    assert made.sent == [backup]


@pytest.mark.parametrize(("now", "revoked"), [(39.9, False), (40.0, True)])
def test_consent_of_a_replaced_pair_expires_thirty_seconds_after_its_last_response(
    now: float, revoked: bool
) -> None:
    replaced = FakePair("b", "y", 5, CheckState.FAILED, replaced=True, answered_at=10.0)
    made = Backups(FakePair(*SELECTED), replaced)
    assert made.next_timer() == 40.0
    made.update(now)
    assert made.revoked == [replaced] * revoked


def test_one_further_pair_is_checked_each_second() -> None:
    pairs = [FakePair(*SELECTED), *(FakePair("b", "y", priority, CheckState.FROZEN) for priority in (1, 2))]
    made = Backups(*pairs)
    made.update(10.0)
    assert made.next_timer() == 11.0
    made.update(10.9)
    assert [pair.state for pair in pairs[1:]] == [CheckState.FROZEN] * 2
    made.update(11.0)
    assert [pair.state for pair in pairs[1:]] == [CheckState.FROZEN, CheckState.WAITING]
    assert made.next_timer() == 12.0
    made.update(12.0)
    assert [pair.state for pair in pairs[1:]] == [CheckState.WAITING] * 2
    made.update(12.5)
    assert made.next_timer() == math.inf


@pytest.mark.parametrize(("limit", "searches"), [(1, False), (2, True)])
def test_no_further_pair_is_checked_with_enough_backup_pairs(limit: int, searches: bool) -> None:
    pairs = (FakePair(*SELECTED), FakePair("b", "x", 5), FakePair("b", "y", 5, CheckState.FROZEN))
    made = Backups(*pairs, max_backup_pairs=limit)
    for now in (1.0, 2.0):
        made.update(now)
    assert (pairs[2].state is CheckState.WAITING) is searches
