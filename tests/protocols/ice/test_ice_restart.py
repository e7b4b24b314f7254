"""ICE restarts."""

import pytest

from tests.strategies.ice_network import Host, IceNetwork, are_connected, signal
from tests.strategies.ice_peer import ALICE, BOB, BOB_AGAIN, ScriptedPeer, agent_with_two_pairs
from trio_rtc.enums import RTCIceGathererState
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import (
    Agent,
    GatheringCompleted,
    GatheringStateChanged,
    IceParameters,
    IceRole,
    IceServer,
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
    alice.collect_events()
    signal(network, alice, bob)
    bob.collect_events()
    signal(network, bob, alice)


def selected_fragment(host: Host) -> str | None:
    pair = host.agent.selected_pair
    return None if pair is None else pair.local.username_fragment


def test_a_restart_changes_credentials_and_reports_candidates_again() -> None:
    network, alice, _ = connect()
    before = alice.agent.local_parameters
    alice.events.clear()
    alice.agent.restart(network.now)
    alice.collect_events()
    after = alice.agent.local_parameters
    assert after.username_fragment != before.username_fragment
    assert after.password != before.password
    assert alice.agent.remote_parameters is None
    (reported,) = alice.events_of(LocalCandidateGathered)
    assert isinstance(reported, LocalCandidateGathered)
    assert reported.candidate.username_fragment == after.username_fragment
    assert len(alice.events_of(GatheringCompleted)) == 1


@pytest.mark.parametrize("by_controlling", [True, False])
def test_the_old_pair_is_used_until_the_new_one_is_nominated(by_controlling: bool) -> None:
    network, alice, bob = connect()
    first, second = (alice, bob) if by_controlling else (bob, alice)
    old = {host.agent.selected_pair for host in (alice, bob)}
    first.agent.restart(network.now)
    network.run(40)
    assert {host.agent.selected_pair for host in (alice, bob)} == old
    assert alice.agent.state in ("connected", "completed")
    assert bob.agent.state in ("connected", "completed")
    first.collect_events()
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


def test_a_restart_recovers_a_failed_agent_on_another_address() -> None:
    network, alice, bob = connect()
    network.route = lambda datagram: None if BOB in (datagram.local, datagram.remote) else datagram
    assert network.run(40, lambda: alice.agent.state == bob.agent.state == "failed")
    bob.agent.remove_socket(BOB, network.now)
    bob.addresses = (BOB_AGAIN,)
    bob.agent.add_socket(BOB_AGAIN, local_preference=9, now=network.now)
    restart_from(network, alice, bob)
    assert network.run(5, lambda: are_connected(alice, bob))
    pair = alice.agent.selected_pair
    assert pair is not None
    assert pair.remote_address == BOB_AGAIN


def test_a_restart_by_the_peer_begins_a_new_generation() -> None:
    network, alice, bob = connect()
    before = bob.agent.local_parameters
    alice.agent.restart(network.now)
    bob.agent.set_remote_parameters(alice.agent.local_parameters, network.now)
    assert bob.agent.local_parameters.username_fragment != before.username_fragment
    again = bob.agent.local_parameters
    bob.agent.set_remote_parameters(alice.agent.local_parameters, network.now)
    assert bob.agent.local_parameters == again


def test_another_endpoint_with_the_same_local_credentials() -> None:
    """Forks of a call answer one offer, whose credentials all of them know."""
    network, alice, _ = connect()
    carol = network.add_host(IceRole.CONTROLLED, BOB_AGAIN)
    offered = alice.agent.local_parameters
    assert alice.agent.selected_in_generation
    signal(network, alice, carol)
    carol.collect_events()
    alice.events.clear()
    alice.agent.set_remote_parameters(carol.agent.local_parameters, network.now, keep_local=True)
    assert alice.agent.local_parameters == offered
    assert not alice.agent.selected_in_generation
    assert alice.agent.selected_pair is not None
    for candidate in carol.agent.local_candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    alice.collect_events()
    assert not alice.events_of(LocalCandidateGathered)
    assert not alice.events_of(GatheringStateChanged)
    assert network.run(1, lambda: alice.agent.selected_in_generation)
    assert alice.agent.selected_pair.remote.address == BOB_AGAIN.host
    network.run(40)
    assert are_connected(alice, carol)


@pytest.mark.parametrize("restarts", [1, 2])
def test_old_parameters_are_not_the_answer_to_a_restart(restarts: int) -> None:
    network, alice, bob = connect()
    old = bob.agent.local_parameters
    for _ in range(restarts):
        alice.agent.restart(network.now)
    offered = alice.agent.local_parameters
    alice.agent.set_remote_parameters(old, network.now)
    assert alice.agent.remote_parameters is None
    alice.collect_events()
    signal(network, alice, bob)
    bob.collect_events()
    signal(network, bob, alice)
    assert alice.agent.local_parameters == offered
    assert network.run(1, lambda: selected_fragment(alice) == offered.username_fragment)


def test_simultaneous_restarts() -> None:
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
    bob.collect_events()
    for candidate in bob.candidates:
        alice.agent.add_remote_candidate(candidate, network.now)
    assert len(alice.agent.pairs) == 1
    alice.agent.set_remote_parameters(bob.agent.local_parameters, network.now)
    network.flush()
    assert alice.agent.remote_candidates == tuple(bob.candidates)


def test_checks_with_old_credentials_are_answered_during_a_restart() -> None:
    network, alice, bob = connect()
    alice.agent.restart(network.now)
    network.run(29)
    bob.agent.handle_timer(network.now)
    assert bob.agent.state == "completed"
    assert alice.agent.dropped.get("refused-401", 0) == 0


def test_a_restart_queries_servers_again() -> None:
    network = IceNetwork()
    server = Address("198.51.100.1", 3478)
    alice = network.add_host(IceRole.CONTROLLING, ALICE)

    def serve(datagram: Datagram) -> Datagram | None:
        if datagram.remote != server:
            return datagram
        response = success_response(Message.parse(datagram.data), Address("203.0.113.9", 9000)).encode()
        return Datagram(response, server, datagram.local)

    network.route = serve
    alice.agent.add_stun_server(IceServer.parse("stun:example.org"), server, network.now)
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


def test_unreported_candidates_are_dropped_by_a_restart() -> None:
    network, alice, _ = connect()
    alice.agent.restart(network.now)
    alice.agent.restart(network.now)
    alice.events.clear()
    alice.collect_events()
    reported = [event.candidate for event in alice.events if isinstance(event, LocalCandidateGathered)]
    fragment = alice.agent.local_parameters.username_fragment
    assert [candidate.username_fragment for candidate in reported] == [fragment]
    assert len(alice.events_of(GatheringCompleted)) == 1


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_rollback_of_a_restart_restores_the_connection(restarts: int) -> None:
    network, alice, bob = connect()
    network.run(1)
    parameters, pair = alice.agent.local_parameters, alice.agent.selected_pair
    for _ in range(restarts):
        alice.agent.restart(network.now)
        network.run(10)
    alice.agent.roll_back_restart(network.now)
    alice.collect_events()
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


def test_checks_cancelled_by_a_restart_continue_after_a_rollback() -> None:
    network = IceNetwork()
    alice = network.add_host(IceRole.CONTROLLING, ALICE)
    bob = network.add_host(IceRole.CONTROLLED, BOB)
    signal(network, bob, alice)
    alice.agent.handle_timer(network.now)
    alice.agent.restart(network.now)
    alice.agent.roll_back_restart(network.now)
    alice.collect_events()
    signal(network, alice, bob)
    assert network.run(5, lambda: are_connected(alice, bob))


def test_a_restart_cannot_be_rolled_back_after_the_answer() -> None:
    network, alice, bob = connect()
    restart_from(network, alice, bob)
    parameters = alice.agent.local_parameters
    alice.agent.roll_back_restart(network.now)
    assert alice.agent.local_parameters == parameters
    network.run(1)
    alice.agent.roll_back_restart(network.now)
    assert alice.agent.local_parameters == parameters
    assert are_connected(alice, bob)


def test_a_rollback_restores_gathered_candidates_without_an_event() -> None:
    """W3C webrtc section 4.4.1.5: the state returns to that before the offer; nothing was gathered."""
    network, alice, _ = connect()
    network.run(1)
    candidates = alice.agent.local_candidates
    alice.agent.restart(network.now)
    network.run(1)
    alice.collect_events()
    alice.events.clear()
    alice.agent.roll_back_restart(network.now)
    alice.collect_events()
    assert not alice.events_of(GatheringStateChanged)
    assert not alice.events_of(LocalCandidateGathered)
    assert alice.agent.local_candidates == candidates
    assert alice.agent.gathering_state is RTCIceGathererState.COMPLETE


def test_a_rollback_gathers_again_from_a_socket_that_the_restart_has_added() -> None:
    network, alice, _ = connect()
    network.run(1)
    alice.agent.restart(network.now)
    added = Address("10.0.0.77", 7700)
    alice.agent.add_socket(added, local_preference=1, now=network.now)
    network.run(1)
    alice.agent.roll_back_restart(network.now)
    fragment = alice.agent.local_parameters.username_fragment
    assert [each.username_fragment for each in alice.agent.local_candidates] == [fragment] * 2
    assert added.host in [each.address for each in alice.agent.local_candidates]


def usernames(requests: list[Datagram]) -> list[tuple[Address, str | None]]:
    return [(each.remote, Message.parse(each.data).username) for each in requests]


def test_a_rollback_sends_the_unanswered_checks_again_that_a_restart_has_cancelled() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    before = agent.local_parameters.username_fragment
    (first,) = peer.new_requests(0.0)
    agent.handle_timer(0.05)
    (second,) = agent.datagrams_to_send(0.05)
    assert [first.remote, second.remote] == [BOB, BOB_AGAIN]
    peer.answer(second, 0.06)
    (nomination,) = agent.datagrams_to_send(0.06)
    assert (nomination.remote, Message.parse(nomination.data).use_candidate) == (BOB_AGAIN, True)
    agent.restart(0.1)
    peer.answer(first, 0.2)
    # The requests of 5 seconds renew the consent of the selected pair.
    sent = usernames(peer.answer_until(0.2, 5.0, ALICE))
    assert {remote for remote, _ in sent} == {BOB_AGAIN}
    agent.events()
    agent.roll_back_restart(5.0)
    (reported,) = agent.local_candidates
    assert reported.username_fragment == before
    assert agent.events() == []
    assert [pair.state for pair in agent.pairs] == ["in-progress", "succeeded"]
    assert (BOB, f"peer:{before}") in usernames(agent.datagrams_to_send(5.0))


def test_a_nomination_cancelled_by_a_restart_is_sent_again_after_a_rollback() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    (check,) = peer.new_requests(0.0)
    peer.answer(check, 0.01)
    (nomination,) = peer.new_requests(0.01)
    assert Message.parse(nomination.data).use_candidate
    agent.restart(0.1)
    agent.roll_back_restart(0.2)
    peer.answer_until(0.2, 1.0)
    assert agent.selected_entry is not None
    assert agent.selected_entry.remote.address == BOB
    assert agent.selected_entry.nominated


def test_a_rollback_without_a_restart_does_nothing() -> None:
    agent, _ = agent_with_two_pairs(IceRole.CONTROLLING)
    agent.events()
    agent.datagrams_to_send(0.0)
    timer = agent.next_timer()
    agent.roll_back_restart(0.0)
    assert agent.events() == []
    assert agent.datagrams_to_send(0.0) == []
    assert agent.next_timer() == timer


def connected_agent() -> tuple[Agent, ScriptedPeer]:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLED)
    peer.answer_until(0.0, 0.2)
    peer.check(0.2, use_candidate=True)
    assert agent.selected_pair is not None
    return agent, peer


def error_with(parameters: IceParameters, peer: ScriptedPeer, now: float) -> int | None:
    """Return the error code of the response to a check with these credentials."""
    username = f"{parameters.username_fragment}:{peer.parameters.username_fragment}"
    response = peer.check(now, username=username, password=parameters.password)
    assert response is not None
    return None if response.error_code is None else response.error_code.code


def test_credentials_of_a_failed_pair_are_not_accepted_after_a_restart() -> None:
    agent, peer = connected_agent()
    before = agent.local_parameters
    agent.restart(0.3)
    agent.roll_back_restart(0.4)
    assert error_with(before, peer, 0.5) is None
    peer.answer_until(0.5, 60.0, ALICE)
    assert agent.state == "failed"
    agent.restart(60.0)
    assert error_with(before, peer, 60.1) == 401
    assert error_with(agent.local_parameters, peer, 60.1) is None


def test_a_rollback_keeps_the_credentials_of_the_selected_pair() -> None:
    agent, peer = connected_agent()
    selected = agent.local_parameters
    agent.restart(0.3)
    agent.set_remote_parameters(IceParameters("peer-2", "y" * 24), 0.3)
    applied = agent.local_parameters
    agent.restart(0.4)
    agent.roll_back_restart(0.5)
    assert agent.local_parameters == applied
    assert error_with(selected, peer, 0.6) is None
    assert error_with(applied, peer, 0.6) is None


def test_candidates_before_the_parameters_belong_to_one_generation() -> None:
    agent, peer = agent_with_two_pairs(IceRole.CONTROLLING)
    agent.restart(0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    assert len(agent.remote_candidates) == 0
    agent.set_remote_parameters(IceParameters("peer-2", "y" * 24), 0.0)
    assert agent.remote_candidates == (peer.candidate(),)
    assert len(agent.pairs) == 1
    agent.set_remote_parameters(IceParameters("peer-3", "z" * 24), 0.0)
    assert len(agent.remote_candidates) == 0
    assert agent.pairs == ()
