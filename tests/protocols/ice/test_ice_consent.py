"""Consent freshness: what silence does to a connected pair."""

import itertools

import pytest

from tests.strategies.ice_network import Host, IceNetwork, are_connected, signal
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import IceRole, SelectedPairChanged, StateChanged
from trio_rtc.protocols.stun import Message, MessageClass

ALICE = Address("10.0.0.1", 1000)
BOB = Address("10.0.0.2", 2000)


def connect(delay: float = 0.001, seed: int = 0) -> tuple[IceNetwork, Host, Host]:
    network = IceNetwork(delay=delay)
    alice = network.add_host(IceRole.CONTROLLING, ALICE, seed=100 * seed + 1)
    bob = network.add_host(IceRole.CONTROLLED, BOB, seed=100 * seed + 2)
    signal(network, alice, bob)
    signal(network, bob, alice)
    assert network.run(1, lambda: are_connected(alice, bob))
    network.run(0.5)
    return network, alice, bob


def states(host: Host) -> list[str]:
    return [event.state.value for event in host.events if isinstance(event, StateChanged)]


def drop_everything(datagram: Datagram) -> None:
    return None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("connected_for", [0.0, 3.3, 17.0])
def test_silence_shows_within_five_seconds(seed: int, connected_for: float) -> None:
    network, alice, bob = connect(seed=seed)
    network.run(connected_for)
    network.route = drop_everything
    start = network.now
    assert network.run(5.01, lambda: alice.agent.state == bob.agent.state == "disconnected")
    assert network.now - start > 1.0


def test_consent_is_lost_thirty_seconds_after_the_last_answer() -> None:
    network, alice, bob = connect()
    network.run(20)
    network.route = drop_everything
    start = network.now
    assert network.run(31, lambda: alice.agent.state == bob.agent.state == "failed")
    assert 24 < network.now - start <= 30.01
    for host, local, remote in ((alice, ALICE, BOB), (bob, BOB, ALICE)):
        assert host.agent.selected_pair is None
        assert SelectedPairChanged(None) in host.events
        assert not host.agent.accepts(local, remote)
        assert states(host)[-2:] == ["disconnected", "failed"]
    network.sent.clear()
    network.run(100)
    assert network.sent == []


def test_an_answer_ends_the_disconnection() -> None:
    network, alice, bob = connect()
    network.route = drop_everything
    network.run(15)
    assert alice.agent.state == bob.agent.state == "disconnected"
    network.route = lambda datagram: datagram
    assert network.run(1, lambda: alice.agent.state == bob.agent.state == "completed")
    assert alice.agent.selected_pair is not None
    network.run(60)
    assert states(alice)[-3:] == ["completed", "disconnected", "completed"]


def test_one_lost_check_does_not_show() -> None:
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


def test_a_path_that_works_in_one_direction_only_is_disconnected() -> None:
    network, alice, bob = connect()
    network.route = lambda datagram: datagram if datagram.local == BOB else None
    assert network.run(8, lambda: alice.agent.state == bob.agent.state == "disconnected")


@pytest.mark.parametrize("seed", range(3))
def test_checks_are_about_five_seconds_apart_and_not_in_step(seed: int) -> None:
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
    # Not more than every 3.5 seconds even if the peer's own checks come late, and never above 1.2 times 5.
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
def test_consent_stays_where_answers_come_late(one_way: float) -> None:
    """RFC 7675 section 5.1: an answer to any request of the last 30 seconds counts. A queue may be that long."""
    network, alice, bob = connect()
    network.delay = one_way
    network.run(300)
    for host in (alice, bob):
        assert "failed" not in states(host)
        assert host.agent.selected_pair is not None
    network.delay = 0.001
    assert network.run(3 * one_way, lambda: alice.agent.state == bob.agent.state == "completed")


def test_only_an_authentic_answer_on_the_same_path_renews_consent() -> None:
    network, alice, _ = connect()
    elsewhere = Address("10.0.0.66", 6666)

    def redirect(datagram: Datagram) -> Datagram | None:
        if Message.parse(datagram.data).message_class is MessageClass.SUCCESS_RESPONSE:
            return datagram._replace(local=elsewhere)
        return datagram

    network.route = redirect
    assert network.run(31, lambda: alice.agent.state == "failed")
