"""The selected pair and its consent checks (RFC 7675 section 5.1, RFC 8445 sections 8.1.1 and 12)."""

from collections.abc import Callable

import pytest

from tests.strategies.ice_peer import (
    ALICE,
    BOB,
    BOB_AGAIN,
    ScriptedPeer,
    add_candidates,
    agent_with_pairs,
)
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, IceRole, SelectedPairChanged, StateChanged
from trio_rtc.protocols.stun import Message, MessageClass

CONTROLLING, CONTROLLED = IceRole.CONTROLLING, IceRole.CONTROLLED
ALICE_AGAIN = Address("10.0.0.9", 10000)
CAROL = Address("10.0.0.4", 4000)


def changes(agent: Agent) -> list[str | SelectedPairChanged | Address]:
    """Return the states and selections in events; a selection without an outage as its address."""
    events: list[str | SelectedPairChanged | Address] = []
    for event in agent.events():
        if isinstance(event, StateChanged):
            events.append(event.state.value)
        elif isinstance(event, SelectedPairChanged):
            plain = event.pair is not None and not event.after_silence
            events.append(event.pair.remote_address if plain and event.pair else event)
    return events


def remote_in_use(agent: Agent) -> Address | None:
    return None if agent.selected_pair is None else agent.selected_pair.remote_address


def fragment_in_use(agent: Agent) -> str | None:
    return None if agent.selected_pair is None else agent.selected_pair.local.username_fragment


def run(
    peer: ScriptedPeer, now: float, until: float, answers: Callable[[Datagram, Message], bool]
) -> list[tuple[float, Datagram, Message]]:
    """Run the agent until just before a time; answer the requests selected by ``answers``, and return all."""
    agent, requests = peer.agent, []
    while now < until:
        for datagram in agent.datagrams_to_send(now):
            message = Message.parse(datagram.data)
            if message.message_class is MessageClass.REQUEST:
                requests.append((now, datagram, message))
                if answers(datagram, message):
                    peer.answer(datagram, now)
        now = agent.next_timer()
        if now < until:
            agent.handle_timer(now)
            assert agent.next_timer() > now
    return requests


def to(*remotes: Address) -> Callable[[Datagram, Message], bool]:
    return lambda datagram, _: datagram.remote in remotes


def of_generation(fragment: str) -> Callable[[Datagram, Message], bool]:
    return lambda _, message: (message.username or "").startswith(f"{fragment}:")


def no_address(datagram: Datagram, message: Message) -> bool:
    return False


def every_address(datagram: Datagram, message: Message) -> bool:
    return True


def connect(role: IceRole, **kwargs: object) -> tuple[Agent, ScriptedPeer]:
    """Return an agent whose pairs are answered until 0.3 s, and the best of which is nominated."""
    agent, peer = agent_with_pairs(role, **kwargs)  # type: ignore[arg-type]
    run(peer, 0.0, 0.25, every_address)
    if role is CONTROLLED:
        peer.check(0.25, use_candidate=True)
    run(peer, 0.25, 0.3, every_address)
    assert agent.selected_entry is not None
    assert agent.selected_entry.nominated
    agent.events()
    return agent, peer


def nominate(peer: ScriptedPeer, now: float) -> None:
    """Nominate the peer's first address, and answer the next requests."""
    peer.check(now, use_candidate=True)
    for datagram in peer.sent:
        if Message.parse(datagram.data).message_class is MessageClass.REQUEST:
            peer.answer(datagram, now)


def restart(agent: Agent, peer: ScriptedPeer, now: float, *remotes: Address) -> None:
    agent.restart(now)
    agent.set_remote_parameters(peer.restart(), now)
    add_candidates(agent, now, *remotes)


# -- after a restart --


def test_the_old_pair_is_selected_until_the_new_generation_has_a_nominated_pair() -> None:
    agent, peer = connect(CONTROLLED)
    old = agent.local_parameters.username_fragment
    restart(agent, peer, 1.0, BOB, BOB_AGAIN)
    sent = run(peer, 1.0, 60.0, every_address)
    assert fragment_in_use(agent) == old
    # Valid pairs of the new generation are not backup pairs before that.
    checks = [datagram.remote for _, datagram, message in sent if of_generation("peer-2")(datagram, message)]
    assert checks == [BOB, BOB_AGAIN]
    assert [pair.state for pair in agent.pairs] == ["succeeded"] * 3
    # After this time, it is checked first.
    nominate(peer, 60.0)
    assert fragment_in_use(agent) == agent.local_parameters.username_fragment != old
    assert changes(agent)[-1] in ("connected", BOB)


def test_a_disconnected_old_pair_is_replaced_by_a_valid_one() -> None:
    agent, peer = connect(CONTROLLED)
    old = agent.local_parameters.username_fragment
    restart(agent, peer, 1.0, BOB, BOB_AGAIN)
    sent = run(peer, 1.0, 60.0, of_generation("peer-2"))
    silent_since = next(when for when, datagram, message in sent if of_generation("peer")(datagram, message))
    events = agent.events()
    assert [event.state.value for event in events if isinstance(event, StateChanged)] == [
        "disconnected",
        "connected",
    ]
    (selected,) = (event for event in events if isinstance(event, SelectedPairChanged))
    assert selected.pair is not None
    assert selected.pair.local.username_fragment == agent.local_parameters.username_fragment != old
    assert selected.after_silence
    # Not before it is disconnected.
    last = max(when for when, datagram, message in sent if of_generation("peer")(datagram, message))
    assert silent_since + 1.0 <= last <= silent_since + 1.5


@pytest.mark.parametrize("role", list(IceRole))
def test_only_the_pair_nominated_by_the_controlling_agent_is_nominated_again(role: IceRole) -> None:
    agent, peer = connect(role)
    sent = run(peer, 0.3, 40.0, every_address)
    for _, datagram, message in sent:
        assert message.use_candidate is (role is CONTROLLING and datagram.remote == BOB)
    restart(agent, peer, 40.0)
    sent = run(peer, 40.0, 60.0, every_address)
    assert len(sent) > 3
    assert not any(message.use_candidate for _, _, message in sent)


def test_an_unanswered_nominated_pair_is_nominated_only_once_more() -> None:
    agent, peer = connect(CONTROLLING, remote=(BOB,))
    sent = run(peer, 0.3, 20.0, no_address)
    assert [message.use_candidate for _, _, message in sent] == [True] + [False] * (len(sent) - 1)
    assert agent.state == "disconnected"


def test_consent_checks_do_not_nominate_a_pair() -> None:
    agent, peer = agent_with_pairs(CONTROLLING, remote=(BOB,))
    (first,) = agent.datagrams_to_send(0.0)
    peer.answer(first, 0.01)
    # The nomination is unanswered.
    sent = run(peer, 0.01, 7.0, lambda _, message: not message.use_candidate)
    nominations = {message.transaction_id for _, _, message in sent if message.use_candidate}
    assert len(nominations) == 1
    assert len(sent) > len(nominations)


# -- expired consent --


def test_consent_expires_exactly_30_seconds_after_the_last_response() -> None:
    agent, peer = connect(CONTROLLED, remote=(BOB,))
    agent.remote_candidates_complete(0.3)
    assert changes(agent) == ["completed"]
    entry = agent.selected_entry
    assert entry is not None
    ends = entry.answered_at + 30
    run(peer, 0.3, ends, no_address)
    assert changes(agent) == ["disconnected"]
    assert agent.next_timer() == ends
    agent.handle_timer(ends)
    lost, failed = agent.events()
    assert isinstance(lost, SelectedPairChanged)
    assert (lost.pair, lost.after_silence) == (None, False)
    assert isinstance(failed, StateChanged)
    assert failed.state == "failed"
    assert (ALICE, BOB) not in agent.accepted_paths


def test_consent_expires_on_all_pairs_with_equally_old_responses() -> None:
    """RFC 7675 section 5.1: their credentials are not used on them again."""
    agent, peer = agent_with_pairs(CONTROLLED, remote=(BOB, BOB_AGAIN, CAROL), max_backup_pairs=0)
    first, second, third = (datagram for _, datagram, _ in run(peer, 0.0, 0.12, no_address))
    for datagram, now in ((second, 0.25), (first, 0.5), (third, 0.75)):
        peer.answer(datagram, now)
    peer.check(0.5, use_candidate=True)
    assert remote_in_use(agent) == BOB
    run(peer, 0.75, 30.5, no_address)
    agent.handle_timer(30.5)
    assert remote_in_use(agent) == CAROL
    assert [pair.consent_expired for pair in agent.pairs] == [True, True, False]
    assert [(ALICE, remote) in agent.accepted_paths for remote in (BOB, BOB_AGAIN, CAROL)] == [
        False,
        False,
        True,
    ]


def test_expired_consent_does_not_affect_a_pair_answered_later() -> None:
    """It is nominated immediately, and inherits the state of the previous pair until it is answered."""
    agent, peer = connect(CONTROLLING, backup_confirmation_time=5.0)
    run(peer, 0.3, 14.0, every_address)
    run(peer, 14.0, 16.0, to(BOB_AGAIN))
    first, second = agent.pairs
    assert second.answered_at > first.answered_at
    ends = first.answered_at + 30
    host, port = CAROL
    agent.add_remote_candidate(Candidate.parse(f"candidate:7 1 udp 7 {host} {port} typ host"), 16.0)
    (check,) = [each for _, each, _ in run(peer, 16.0, ends, no_address) if each.remote == CAROL][-1:]
    agent.handle_timer(ends)
    assert changes(agent) == ["disconnected", BOB_AGAIN]
    assert [pair.state for pair in agent.pairs] == ["failed", "succeeded", "in-progress"]
    nominations = [
        each
        for each in agent.datagrams_to_send(ends)
        if each.remote == BOB_AGAIN and Message.parse(each.data).use_candidate
    ]
    peer.answer(nominations[-1], ends + 0.1)
    assert second.nominated
    # Checks in flight continue.
    peer.answer(check, ends + 0.2)
    assert agent.pairs[2].state == "succeeded"
    assert changes(agent) == ["connected"]


def test_expired_consent_of_the_old_pair_does_not_fail_the_new_generation() -> None:
    agent, peer = connect(CONTROLLED, remote=(BOB,))
    entry = agent.selected_entry
    assert entry is not None
    ends = entry.answered_at + 30
    run(peer, 0.3, 25.0, no_address)
    restart(agent, peer, 25.0, CAROL)
    run(peer, 25.0, ends, no_address)
    agent.handle_timer(ends)
    assert changes(agent) == ["disconnected", SelectedPairChanged(None)]
    run(peer, ends, ends + 15, no_address)
    assert changes(agent) == []
    agent.handle_timer(ends + 15)
    assert changes(agent) == ["failed"]


def test_a_removed_address_selects_the_best_remaining_pair() -> None:
    agent, _ = connect(CONTROLLED, local=(ALICE, ALICE_AGAIN))
    agent.remove_socket(ALICE, 1.0)
    assert changes(agent) == [BOB]
    assert agent.selected_pair is not None
    assert agent.selected_pair.local_base == ALICE_AGAIN
    assert agent.state == "connected"


def test_a_pair_with_expired_consent_is_answered_again_before_it_is_selected() -> None:
    agent, peer = connect(CONTROLLED, local=(ALICE, ALICE_AGAIN), remote=(BOB,))
    run(peer, 0.3, 60.0, lambda datagram, _: datagram.local == ALICE)
    agent.datagrams_to_send(60.0)
    agent.remove_socket(ALICE, 60.0)
    assert changes(agent) == [SelectedPairChanged(None), "disconnected"]
    checks = [each for each in agent.datagrams_to_send(60.0) if each.local == ALICE_AGAIN]
    peer.answer(checks[-1], 60.1)
    assert changes(agent) == [BOB, "connected"]


# -- replacement of an unanswered pair --


@pytest.mark.parametrize(("later", "state"), [(1.484375, "connected"), (1.5, "disconnected")])
def test_a_pair_nominated_in_place_of_an_unanswered_one_must_have_a_recent_response(
    later: float, state: str
) -> None:
    agent, peer = agent_with_pairs(CONTROLLED)
    (first,) = agent.datagrams_to_send(0.0)
    peer.answer(first, 0.0)
    peer.check(0.0, use_candidate=True)
    sent = run(peer, 0.0, 8.0, no_address)
    (second,) = [datagram for _, datagram, _ in sent if datagram.remote == BOB_AGAIN][:1]
    assert agent.state == "disconnected"
    peer.answer(second, 8.0)
    assert remote_in_use(agent) == BOB
    peer.check(8 + later, source=BOB_AGAIN, use_candidate=True)
    assert remote_in_use(agent) == BOB_AGAIN
    assert agent.state == state


@pytest.mark.parametrize("role", list(IceRole))
def test_disconnected_is_reported_even_if_another_pair_is_selected_immediately(role: IceRole) -> None:
    """Otherwise the layers above would not be notified of lost data; no pair is replaced earlier."""
    agent, peer = connect(role, backup_confirmation_time=0.4)
    run(peer, 0.3, 10.0, every_address)
    sent = run(peer, 10.0, 20.0, to(BOB_AGAIN))
    silent_since = next(when for when, datagram, _ in sent if datagram.remote == BOB)
    events = agent.events()
    states = [event.state.value for event in events if isinstance(event, StateChanged)]
    assert states[:2] == ["disconnected", "connected"]
    (selected,) = (event for event in events if isinstance(event, SelectedPairChanged))
    assert selected.pair is not None
    assert selected.pair.remote_address == BOB_AGAIN
    assert selected.after_silence
    last = max(when for when, datagram, _ in sent if datagram.remote == BOB and when < silent_since + 1.9)
    assert last == pytest.approx(silent_since + 1.5, abs=0.5)


def failed_over(**kwargs: object) -> tuple[Agent, ScriptedPeer]:
    """Return a controlled agent that has failed over to BOB_AGAIN at 20 s, because the nominated BOB is unanswered."""
    agent, peer = connect(CONTROLLED, **kwargs)
    run(peer, 0.3, 10.0, every_address)
    run(peer, 10.0, 20.0, lambda datagram, _: datagram.remote != BOB)
    assert remote_in_use(agent) == BOB_AGAIN
    agent.events()
    return agent, peer


def test_a_nomination_of_a_third_pair_ends_a_failover() -> None:
    agent, peer = failed_over(remote=(BOB, BOB_AGAIN, CAROL))
    peer.check(20.0, source=CAROL, use_candidate=True)
    assert changes(agent) == [CAROL]


@pytest.mark.parametrize(("later", "ends"), [(0.0, False), (0.001, True)])
def test_a_failover_ends_when_the_nominated_pair_is_nominated_and_answered_again(
    later: float, ends: bool
) -> None:
    agent, peer = connect(CONTROLLED)
    run(peer, 0.3, 10.0, every_address)
    unanswered: list[Datagram] = []
    now = 10.0
    while remote_in_use(agent) == BOB:
        for datagram in agent.datagrams_to_send(now):
            if datagram.remote == BOB:
                unanswered.append(datagram)
            else:
                peer.answer(datagram, now)
        if remote_in_use(agent) == BOB:
            now = agent.next_timer()
            agent.handle_timer(now)
    peer.answer(unanswered[-1], now + later)
    peer.check(now + later, use_candidate=True)
    assert remote_in_use(agent) == (BOB if ends else BOB_AGAIN)


def test_a_controlling_agent_uses_the_nominated_pair() -> None:
    agent, _ = failed_over()
    agent.set_role(CONTROLLING, 20.0)
    assert remote_in_use(agent) == BOB


def test_a_failover_ends_with_its_address() -> None:
    agent, peer = connect(CONTROLLED, local=(ALICE, ALICE_AGAIN), remote=(BOB,))
    run(peer, 0.3, 10.0, every_address)
    run(peer, 10.0, 20.0, lambda datagram, _: datagram.local != ALICE)
    assert agent.selected_pair is not None
    assert agent.selected_pair.local_base == ALICE_AGAIN
    agent.remove_socket(ALICE_AGAIN, 20.0)
    assert agent.selected_pair is not None
    assert agent.selected_pair.local_base == ALICE


def test_a_failover_ends_with_its_consent() -> None:
    agent, peer = failed_over()
    run(peer, 20.0, 60.0, no_address)
    assert changes(agent) == ["disconnected", SelectedPairChanged(None), "failed"]
    assert [pair.state for pair in agent.pairs] == ["failed", "failed"]


def test_a_failover_does_not_require_a_nominated_pair() -> None:
    agent, peer = agent_with_pairs(CONTROLLED)
    run(peer, 0.0, 10.0, every_address)
    assert remote_in_use(agent) == BOB
    run(peer, 10.0, 20.0, to(BOB_AGAIN))
    assert remote_in_use(agent) == BOB_AGAIN
    run(peer, 20.0, 25.0, every_address)
    assert remote_in_use(agent) == BOB_AGAIN
    nominate(peer, 25.0)
    assert remote_in_use(agent) == BOB_AGAIN
    nominate(peer, 25.1)
    assert remote_in_use(agent) == BOB


def test_a_replaced_nomination_is_not_restored() -> None:
    """The pair is checked again if no other remains: it is valid then, and not nominated."""
    agent, peer = agent_with_pairs(CONTROLLED, local=(ALICE, ALICE_AGAIN), remote=(BOB,))
    nominate(peer, 0.0)
    run(peer, 0.0, 10.0, every_address)
    other = peer.request(use_candidate=True)
    agent.receive([Datagram(other.encode(key=peer.key), ALICE_AGAIN, BOB)], 10.0)
    assert agent.selected_pair is not None
    assert agent.selected_pair.local_base == ALICE_AGAIN
    run(peer, 10.0, 60.0, lambda datagram, _: datagram.local == ALICE_AGAIN)
    agent.remove_socket(ALICE_AGAIN, 60.0)
    run(peer, 60.0, 61.0, every_address)
    assert agent.selected_entry is not None
    assert agent.selected_entry.local.base == ALICE
    assert not agent.selected_entry.nominated
