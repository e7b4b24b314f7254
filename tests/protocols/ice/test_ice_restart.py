"""ICE restarts: new credentials, while the old pair carries data."""

import pytest

from tests.strategies.ice_network import Host, IceNetwork, are_connected, signal
from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, agent_with_two_pairs
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    GatheringCompleted,
    IceParameters,
    IceRole,
    LocalCandidateGathered,
    SelectedPairChanged,
)
from trio_rtc.protocols.stun import Message, success_response


def connect() -> tuple[IceNetwork, Host, Host]:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    return network, alice, bob


def restart_from(network: IceNetwork, alice: Host, bob: Host) -> None:
    """Alice offers a restart, Bob answers."""
    alice.agent.restart(network.now)
    alice.take_events()
    signal(network, alice, bob)
    bob.take_events()
    signal(network, bob, alice)


def selected_fragment(host: Host) -> str | None:
    pair = host.agent.selected_pair
    return None if pair is None else pair.local.username_fragment


def test_credentials_change_and_candidates_are_told_again() -> None:
    network, alice, _ = connect()
    before = alice.agent.local_parameters
    alice.events.clear()
    alice.agent.restart(network.now)
    alice.take_events()
    after = alice.agent.local_parameters
    assert after.username_fragment != before.username_fragment
    assert after.password != before.password
    assert alice.agent.remote_parameters is None
    (told,) = alice.told(LocalCandidateGathered)
    assert isinstance(told, LocalCandidateGathered)
    assert told.candidate.username_fragment == after.username_fragment
    assert len(alice.told(GatheringCompleted)) == 1


@pytest.mark.parametrize("by_controlling", [True, False])
def test_the_old_pair_serves_until_the_new_one_is_nominated(by_controlling: bool) -> None:
    network, alice, bob = connect()
    first, second = (alice, bob) if by_controlling else (bob, alice)
    old = {host.agent.selected_pair for host in (alice, bob)}
    first.agent.restart(network.now)
    network.run(40)
    assert {host.agent.selected_pair for host in (alice, bob)} == old
    assert alice.agent.state in ("connected", "completed")
    assert bob.agent.state in ("connected", "completed")
    first.take_events()
    signal(network, first, second)
    network.flush()
    signal(network, second, first)
    new = [host.agent.local_parameters.username_fragment for host in (alice, bob)]
    assert network.run(1, lambda: [selected_fragment(alice), selected_fragment(bob)] == new)
    network.run(0.1)
    assert alice.agent.state == bob.agent.state == "completed"
    assert all(pair is not None for pair in old)
    for host in (alice, bob):
        assert SelectedPairChanged(None) not in host.events
    network.run(60)
    assert alice.agent.state == bob.agent.state == "completed"


def test_a_restart_brings_back_a_failed_agent_on_another_address() -> None:
    network, alice, bob = connect()
    network.route = lambda datagram: None if BOB in (datagram.local, datagram.remote) else datagram
    assert network.run(40, lambda: alice.agent.state == bob.agent.state == "failed")
    bob.agent.remove_local_address(BOB, network.now)
    bob.addresses = (BOB_AGAIN,)
    bob.agent.add_local_address(BOB_AGAIN, local_preference=9, now=network.now)
    restart_from(network, alice, bob)
    assert network.run(5, lambda: are_connected(alice, bob))
    pair = alice.agent.selected_pair
    assert pair is not None
    assert pair.remote_address == BOB_AGAIN


def test_the_peers_restart_starts_ours() -> None:
    network, alice, bob = connect()
    before = bob.agent.local_parameters
    alice.agent.restart(network.now)
    bob.agent.set_remote_parameters(alice.agent.local_parameters, network.now)
    assert bob.agent.local_parameters.username_fragment != before.username_fragment
    again = bob.agent.local_parameters
    bob.agent.set_remote_parameters(alice.agent.local_parameters, network.now)
    assert bob.agent.local_parameters == again


def test_old_parameters_are_not_taken_for_the_answer_to_a_restart() -> None:
    network, alice, bob = connect()
    old = bob.agent.local_parameters
    alice.agent.restart(network.now)
    offered = alice.agent.local_parameters
    alice.agent.set_remote_parameters(old, network.now)
    assert alice.agent.remote_parameters is None
    alice.take_events()
    signal(network, alice, bob)
    bob.take_events()
    signal(network, bob, alice)
    assert alice.agent.local_parameters == offered
    assert network.run(1, lambda: selected_fragment(alice) == offered.username_fragment)


def test_both_restart_at_once() -> None:
    network, alice, bob = connect()
    alice.agent.restart(network.now)
    bob.agent.restart(network.now)
    network.flush()
    signal(network, alice, bob)
    signal(network, bob, alice)
    new = [host.agent.local_parameters.username_fragment for host in (alice, bob)]
    assert network.run(5, lambda: [selected_fragment(alice), selected_fragment(bob)] == new)


def test_candidates_of_another_generation_wait_for_their_parameters() -> None:
    network, alice, bob = connect()
    bob.agent.restart(network.now)
    bob.take_events()
    for candidate in bob.candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    assert len(alice.agent.pairs) == 1
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    network.flush()
    assert alice.agent.remote_candidates == tuple(bob.candidates)


def test_checks_with_old_credentials_are_answered_while_the_new_ones_are_under_way() -> None:
    network, alice, bob = connect()
    alice.agent.restart(network.now)
    network.run(29)
    bob.agent.handle_timer(network.now)
    assert bob.agent.state == "completed"
    assert alice.agent.dropped.get("refused-401", 0) == 0


def test_servers_are_asked_again() -> None:
    network = IceNetwork()
    server = Address("198.51.100.1", 3478)
    alice = network.add_host(IceRole.CONTROLLING, ALICE)

    def serve(datagram: Datagram) -> Datagram | None:
        if datagram.remote != server:
            return datagram
        response = success_response(Message.parse(datagram.data), Address("203.0.113.9", 9000)).encode()
        return Datagram(response, server, datagram.local)

    network.route = serve
    alice.agent.add_stun_server("stun:example.org", server, network.now)
    network.run(1)
    assert [candidate.type for candidate in alice.candidates] == ["host", "srflx"]
    alice.agent.restart(network.now)
    assert alice.agent.gathering_state == "gathering"
    network.run(1)
    assert [candidate.type for candidate in alice.candidates] == ["host", "srflx"]
    assert alice.agent.gathering_state == "complete"


def test_prepared_credentials_are_those_of_the_next_restart_only() -> None:
    network, alice, _ = connect()
    before = alice.agent.local_parameters
    prepared = alice.agent.prepare_restart()
    assert alice.agent.prepare_restart() == prepared
    assert alice.agent.local_parameters == before != prepared
    alice.agent.restart(network.now)
    assert alice.agent.local_parameters == prepared
    alice.agent.restart(network.now)
    assert alice.agent.local_parameters not in (before, prepared)


def test_credentials_that_another_agent_has_chosen_replace_prepared_ones() -> None:
    network, alice, _ = connect()
    chosen = IceParameters("chosen", "by-another-agent-of-the-bundle")
    assert alice.agent.prepare_restart() != chosen
    assert alice.agent.prepare_restart(chosen) == chosen
    assert alice.agent.prepare_restart() == chosen
    alice.agent.restart(network.now)
    assert alice.agent.local_parameters == chosen


def test_candidates_that_were_not_told_before_a_restart_are_not_told_after_it() -> None:
    network, alice, _ = connect()
    alice.agent.restart(network.now)
    alice.agent.restart(network.now)
    alice.events.clear()
    alice.take_events()
    told = [event.candidate for event in alice.events if isinstance(event, LocalCandidateGathered)]
    fragment = alice.agent.local_parameters.username_fragment
    assert [candidate.username_fragment for candidate in told] == [fragment]
    assert len(alice.told(GatheringCompleted)) == 1


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_restart_that_is_rolled_back_leaves_the_connection_as_it_was(restarts: int) -> None:
    network, alice, bob = connect()
    network.run(1)
    parameters, pair = alice.agent.local_parameters, alice.agent.selected_pair
    for _ in range(restarts):
        alice.agent.restart(network.now)
        network.run(10)
    alice.agent.roll_back_restart(network.now)
    alice.take_events()
    assert alice.agent.local_parameters == parameters
    assert alice.agent.remote_parameters == bob.agent.local_parameters
    assert alice.agent.selected_pair == pair
    network.run(60)
    assert alice.agent.state == bob.agent.state == "completed"
    assert alice.agent.selected_pair == pair
    assert SelectedPairChanged(None) not in alice.events
    restart_from(network, alice, bob)
    assert network.run(5, lambda: selected_fragment(alice) == alice.agent.local_parameters.username_fragment)


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_restart_before_the_peer_is_known_can_be_rolled_back(restarts: int) -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    before = alice.agent.local_parameters
    for _ in range(restarts):
        alice.agent.restart(network.now)
    assert alice.agent.local_parameters != before
    alice.agent.roll_back_restart(network.now)
    assert alice.agent.local_parameters == before


def test_checks_that_a_restart_has_cut_off_go_on_after_it_was_rolled_back() -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, bob, alice)
    alice.agent.handle_timer(network.now)
    alice.agent.restart(network.now)
    alice.agent.roll_back_restart(network.now)
    alice.take_events()
    signal(network, alice, bob)
    assert network.run(5, lambda: are_connected(alice, bob))


def test_there_is_no_way_back_once_the_peer_has_answered() -> None:
    network, alice, bob = connect()
    restart_from(network, alice, bob)
    parameters = alice.agent.local_parameters
    alice.agent.roll_back_restart(network.now)
    assert alice.agent.local_parameters == parameters
    network.run(1)
    alice.agent.roll_back_restart(network.now)
    assert alice.agent.local_parameters == parameters
    assert are_connected(alice, bob)


def test_a_nomination_that_a_restart_has_cut_off_is_sent_again_after_a_rollback() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    (check,) = peer.take_requests(0.0)
    peer.answer(check, 0.01)
    (nomination,) = peer.take_requests(0.01)
    assert Message.parse(nomination.data).use_candidate
    agent.restart(0.1)
    agent.roll_back_restart(0.2)
    peer.answer_until(0.2, 1.0)
    assert agent.selected_entry is not None
    assert agent.selected_entry.remote.address == BOB
    assert agent.selected_entry.nominated
