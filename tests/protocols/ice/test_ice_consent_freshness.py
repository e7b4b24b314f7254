"""Consent freshness: outages of a connected pair."""

import itertools

import attrs
import pytest

from tests.strategies.ice_network import Host, IceNetwork, are_connected, signal
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
    IceOptions,
    IceRole,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.stun import Message, MessageClass

ALICE_6 = Address("2001:db8::1", 10000)
BOB_6 = Address("2001:db8::2", 2000)
REQUEST = MessageClass.REQUEST


def connect(delay: float = 0.001, seed: int = 0) -> tuple[IceNetwork, Host, Host]:
    network = IceNetwork(delay=delay)
    alice = network.add_host(IceRole.CONTROLLING, ALICE, seed=100 * seed + 1)
    bob = network.add_host(IceRole.CONTROLLED, BOB, seed=100 * seed + 2)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    network.run(0.5)
    return network, alice, bob


def connect_dual_stack(seed: int = 0) -> tuple[IceNetwork, Host, Host]:
    """Connect two hosts with a valid pair of each address family: the second is checked before the first response."""
    network = IceNetwork(delay=0.03)
    alice = network.add_host(IceRole.CONTROLLING, ALICE_6, ALICE, seed=100 * seed + 1)
    bob = network.add_host(IceRole.CONTROLLED, BOB_6, BOB, seed=100 * seed + 2)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    assert network.run(1, lambda: all(pair.state == "succeeded" for pair in alice.agent.pairs))
    return network, alice, bob


def states(host: Host) -> list[str]:
    return [event.state.value for event in host.events if isinstance(event, StateChanged)]


def drop_everything(datagram: Datagram) -> None:
    return None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("connected_for", [0.0, 3.3, 17.0])
def test_an_outage_is_detected_within_five_seconds(seed: int, connected_for: float) -> None:
    network, alice, bob = connect(seed=seed)
    network.run(connected_for)
    network.route = drop_everything
    start = network.now
    assert network.run(5.01, lambda: alice.agent.state == bob.agent.state == "disconnected")
    assert network.now - start > 1.0


def test_consent_expires_thirty_seconds_after_the_last_response() -> None:
    network, alice, bob = connect()
    network.run(20)
    network.route = drop_everything
    start = network.now
    assert network.run(31, lambda: alice.agent.state == bob.agent.state == "failed")
    assert 24 < network.now - start <= 30.01
    for host, local, remote in ((alice, ALICE, BOB), (bob, BOB, ALICE)):
        assert host.agent.selected_pair is None
        assert SelectedPairChanged(None) in host.events
        assert (local, remote) not in host.agent.accepted_paths
        assert states(host)[-2:] == ["disconnected", "failed"]
    network.sent.clear()
    network.run(100)
    assert network.sent == []


def test_the_response_to_the_nomination_renews_consent() -> None:
    network = IceNetwork(delay=0.2)
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: alice.agent.state == "completed")
    answered_at = network.now
    network.route = drop_everything
    assert network.run(31, lambda: alice.agent.state == "failed")
    assert network.now - answered_at == pytest.approx(30.0)


def test_a_response_ends_the_disconnected_state() -> None:
    network, alice, bob = connect()
    network.route = drop_everything
    network.run(15)
    assert alice.agent.state == bob.agent.state == "disconnected"
    network.route = lambda datagram: datagram
    assert network.run(1, lambda: alice.agent.state == bob.agent.state == "completed")
    assert alice.agent.selected_pair is not None
    network.run(60)
    assert states(alice)[-3:] == ["completed", "disconnected", "completed"]


def test_one_lost_check_changes_no_state() -> None:
    network, alice, _ = connect()
    lost: list[Datagram] = []

    def lose_first_of_three(datagram: Datagram) -> Datagram | None:
        if Message.parse(datagram.data).message_class is not MessageClass.REQUEST:
            return datagram
        lost.append(datagram)
        return None if len(lost) % 3 == 1 else datagram

    network.route = lose_first_of_three
    network.run(120)
    assert len(lost) > 30
    assert "disconnected" not in states(alice)


def test_a_path_with_one_working_direction_is_disconnected() -> None:
    network, alice, bob = connect()
    network.route = lambda datagram: datagram if datagram.local == BOB else None
    assert network.run(8, lambda: alice.agent.state == bob.agent.state == "disconnected")


@pytest.mark.parametrize("heard_at", [None, 1.0, 3.0])
def test_checks_of_the_peer_delay_consent_checks(heard_at: float | None) -> None:
    """At most until the regular time, 4 to 6 seconds after the response."""
    agent, peer = agent_with_pairs(IceRole.CONTROLLED, remote=(BOB,))
    peer.answer_until(0.0, 0.0)
    if heard_at is not None:
        peer.check(heard_at)
    due = agent.next_timer()
    if heard_at == 3.0:
        assert 4.0 <= due <= 6.0
    else:
        assert due == 3.5 + (heard_at or 0.0)
    agent.handle_timer(due)
    assert len(peer.new_requests(due)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_consent_checks_are_about_five_seconds_apart_and_randomized(seed: int) -> None:
    network, _, _ = connect(seed=seed)
    network.run(5)
    network.sent.clear()
    network.run(300)
    requests = [
        when
        for when, datagram in network.sent
        if datagram.local == ALICE and Message.parse(datagram.data).message_class is MessageClass.REQUEST
    ]
    gaps = [later - earlier for earlier, later in itertools.pairwise(requests)]
    # At least 3.5 seconds even if the peer's checks are late, and at most 1.2 times 5.
    assert all(3.4 < gap < 6.01 for gap in gaps)
    assert len({round(gap, 6) for gap in gaps}) > len(gaps) // 2


def test_consent_checks_are_never_retransmitted() -> None:
    network, _, _ = connect()
    network.route = drop_everything
    network.sent.clear()
    network.run(20)
    identifiers = [Message.parse(datagram.data).transaction_id for _, datagram in network.sent]
    assert len(identifiers) == len(set(identifiers))
    assert len(identifiers) > 40


@pytest.mark.parametrize("one_way", [3.0, 8.0, 11.0])
def test_late_responses_renew_consent(one_way: float) -> None:
    """RFC 7675 section 5.1: a response to any request of the last 30 seconds counts. A queue may be that long."""
    network, alice, bob = connect()
    network.delay = one_way
    network.run(300)
    for host in (alice, bob):
        assert "failed" not in states(host)
        assert host.agent.selected_pair is not None
    network.delay = 0.001
    assert network.run(3 * one_way, lambda: alice.agent.state == bob.agent.state == "completed")


def test_only_an_authentic_response_on_the_same_path_renews_consent() -> None:
    network, alice, _ = connect()
    elsewhere = Address("10.0.0.66", 6666)

    def redirect(datagram: Datagram) -> Datagram | None:
        if Message.parse(datagram.data).message_class is MessageClass.SUCCESS_RESPONSE:
            return datagram._replace(local=elsewhere)
        return datagram

    network.route = redirect
    assert network.run(31, lambda: alice.agent.state == "failed")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("connected_for", [0.0, 1.0, 1.5, 2.0, 7.0, 25.0])
def test_an_unreachable_peer_with_two_valid_pairs_is_never_connected_again(
    seed: int, connected_for: float
) -> None:
    network, alice, bob = connect_dual_stack(seed)
    network.run(connected_for)
    last_answer = network.now + network.delay
    network.route = drop_everything
    for host in (alice, bob):
        host.events.clear()
    assert network.run(31, lambda: alice.agent.state == bob.agent.state == "failed")
    assert network.now <= last_answer + 30
    network.run(60)
    for host in (alice, bob):
        assert states(host) == ["disconnected", "failed"]


def controlled_agent_with_two_pairs() -> tuple[Agent, ScriptedPeer]:
    """Return a controlled agent with valid pairs to BOB (better, nominated) and BOB_AGAIN, answered at 0 s."""
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    peer.answer_until(0.0, 0.1)
    assert [pair.state for pair in agent.pairs] == ["succeeded"] * 2
    peer.check(0.1, use_candidate=True)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == BOB
    return agent, peer


def state_changes(agent: Agent) -> list[str]:
    return [event.state.value for event in agent.events() if isinstance(event, StateChanged)]


def test_an_unanswered_newly_nominated_pair_is_replaced_by_an_answered_one() -> None:
    agent, peer = controlled_agent_with_two_pairs()
    peer.answer_until(0.1, 20.0)
    agent.events()
    peer.check(20.0, source=BOB_AGAIN, use_candidate=True)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == BOB_AGAIN
    assert agent.state == "connected"
    # The last response on it arrived at 15 s, so it is checked immediately.
    peer.answer_until(20.0, 21.4, BOB)
    assert agent.state == "connected"
    peer.answer_until(21.4, 22.1, BOB)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == BOB
    assert state_changes(agent) == ["disconnected", "connected"]


def test_a_newly_nominated_pair_of_an_unreachable_peer_fails_when_its_consent_expires() -> None:
    agent, peer = controlled_agent_with_two_pairs()
    peer.answer_until(0.1, 20.0)
    agent.events()
    peer.check(20.0, source=BOB_AGAIN, use_candidate=True)
    peer.answer_until(20.0, 44.0, ALICE)
    assert agent.state == "disconnected"
    peer.answer_until(44.0, 50.0, ALICE)
    assert agent.selected_pair is None
    # Further candidates may follow, so the transport fails only after 30 s in this state.
    assert state_changes(agent) == ["disconnected"]
    peer.answer_until(50.0, 56.0, ALICE)
    assert state_changes(agent) == ["failed"]


def test_a_nominated_pair_without_consent_is_checked_before_it_is_selected() -> None:
    """RFC 7675 section 5.1: no application data before consent is obtained."""
    agent, peer = controlled_agent_with_two_pairs()
    peer.answer_until(0.1, 50.0, BOB)
    agent.events()
    agent.datagrams_to_send(50.0)
    peer.check(50.0, source=BOB_AGAIN, use_candidate=True)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == BOB
    (check,) = [datagram for datagram in peer.sent if Message.parse(datagram.data).message_class is REQUEST]
    assert check.remote == BOB_AGAIN
    peer.answer(check, 50.0)
    assert agent.selected_pair.remote_address == BOB_AGAIN
    assert state_changes(agent) == []


def test_after_a_removed_address_an_old_pair_is_checked_before_it_is_selected() -> None:
    network, alice, bob = connect_dual_stack()
    network.route = lambda datagram: None if BOB in (datagram.local, datagram.remote) else datagram
    network.run(60)
    network.route = lambda datagram: datagram
    selected = bob.agent.selected_pair
    assert selected is not None
    assert selected.local_base == BOB_6
    bob.events.clear()
    bob.agent.remove_socket(selected.local_base, network.now)
    assert bob.agent.selected_pair is None
    assert bob.agent.state == "disconnected"
    network.run(2.1 * network.delay)
    assert bob.agent.selected_pair is not None
    assert bob.agent.selected_pair.local_base == BOB
    assert network.run(60, lambda: are_connected(alice, bob) and alice.agent.selected_pair != selected)


def test_a_restart_with_an_unreachable_peer_is_never_connected() -> None:
    network, alice, bob = connect_dual_stack()
    network.run(1.0)
    network.route = drop_everything
    assert network.run(6, lambda: alice.agent.state == "disconnected")
    alice.events.clear()
    alice.agent.restart(network.now)
    alice.collect_events()
    signal(network, bob, alice)
    network.run(60)
    assert {"connected", "completed"}.isdisjoint(states(alice))
    assert alice.agent.state == "failed"


def test_consent_that_expires_on_one_side_only_moves_both_sides_to_another_pair() -> None:
    """Without a response to its checks, the controlling agent loses consent, too, and nominates the other pair."""
    network, alice, bob = connect_dual_stack()
    selected = alice.agent.selected_pair
    assert selected is not None
    lost = (selected.remote_address, selected.local_base)

    def lose_responses_to_bob(datagram: Datagram) -> Datagram | None:
        """Drop the responses to Bob's checks of the selected pair."""
        is_response = Message.parse(datagram.data).message_class is MessageClass.SUCCESS_RESPONSE
        return None if is_response and (datagram.remote, datagram.local) == lost else datagram

    network.route = lose_responses_to_bob
    assert network.run(60.0, lambda: bob.agent.dropped.get("consent-expired", 0) > 0)
    network.route = lambda datagram: datagram
    assert network.run(10.0, lambda: alice.agent.selected_pair not in (None, selected))
    network.run(10.0)
    pairs = [host.agent.selected_pair for host in (alice, bob)]
    assert pairs[0] is not None
    assert pairs[1] is not None
    assert pairs[0].local_base == pairs[1].remote_address
    assert pairs[0].remote_address == pairs[1].local_base


def test_expired_consent_of_one_pair_does_not_affect_an_answered_one() -> None:
    """The better pair is unanswered; the other one is answered, and is selected."""
    agent, peer = controlled_agent_with_two_pairs()
    peer.answer_until(0.1, 31.0, BOB_AGAIN)
    assert agent.selected_pair is not None
    assert agent.selected_pair.remote_address == BOB_AGAIN
    assert agent.state in ("connected", "completed")
    lost, valid = (
        next(pair for pair in agent.pairs if pair.remote.address == each) for each in (BOB, BOB_AGAIN)
    )
    assert (lost.state, lost.consent_expired) == ("failed", True)
    assert (valid.state, valid.consent_expired) == ("succeeded", False)
    assert (ALICE, BOB) not in agent.accepted_paths
    assert (ALICE, BOB_AGAIN) in agent.accepted_paths
    # Its credentials are not used on it again (RFC 7675 section 5.1), whatever the peer sends.
    sent = lost.statistics.requests_sent + lost.statistics.consent_requests_sent
    assert peer.check(31.5, use_candidate=True) is None
    assert agent.dropped["consent-expired"] == 1
    peer.answer_until(31.5, 90.0, BOB_AGAIN)
    assert lost.statistics.requests_sent + lost.statistics.consent_requests_sent == sent
    assert (ALICE, BOB) not in agent.accepted_paths
    assert agent.selected_pair.remote_address == BOB_AGAIN


def test_documented_option_defaults() -> None:
    assert attrs.asdict(IceOptions()) == {
        "pacing_interval": 0.05,
        "minimum_rto": 0.5,
        "max_transmissions": 7,
        "gathering_timeout": 5.0,
        "max_pairs": 100,
        "max_remote_candidates": 100,
        "max_peer_reflexive": 32,
        "max_early_checks": 16,
        "max_sockets": 32,
        "max_stun_servers": 16,
        "reflexive_acceptance_wait": 0.1,
        "relay_acceptance_wait": 0.5,
        "renomination_wait": 1.0,
        "patience": 5.0,
        "failure_timeout": 15.0,
        "late_candidate_timeout": 30.0,
        "consent_interval": 5.0,
        "consent_timeout": 30.0,
        "consent_retry_interval": 0.5,
        "backup_interval": 15.0,
        "backup_search_interval": 1.0,
        "backup_confirmation_time": 0.9,
        "max_backup_pairs": 3,
        "disconnected_timeout": 5.0,
        "disconnected_patience": 1.5,
    }
