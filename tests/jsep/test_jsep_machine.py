"""Two sessions, any method in any order, an ordered signaling channel: they always agree in the end."""

import itertools
from collections import deque

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.strategies.jsep_sessions import SHA_256, local_media, make_session, visible, without
from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.errors import InvalidAccessError, InvalidStateError, OperationError, RTCError
from trio_rtc.jsep import ApplyResult, JsepSession, LocalMedia, TransportPlan

State = RTCSignalingState


@attrs.frozen
class Sent:
    """A message on the signaling channel: a description, or a candidate where ``type`` is None."""

    type: RTCSdpType | None
    text: str
    generation: str = ""


@attrs.define
class Peer:
    """A session with its media and its role in glare (W3C's perfect negotiation)."""

    session: JsepSession
    name: str
    polite: bool
    inbox: deque[Sent] = attrs.Factory(deque)
    generation: str = ""
    data_channels: bool = False
    open_mids: set[str] = attrs.Factory(set)
    plan: TransportPlan | None = None
    established: TransportPlan | None = None
    ignoring: bool = False

    def media(self) -> LocalMedia:
        return attrs.evolve(
            local_media(self.generation, data_channels=self.data_channels),
            fingerprints=(("sha-256", SHA_256.replace("AB", "A1" if self.polite else "B2")),),
        )

    def record(self, applied: ApplyResult) -> None:
        """Check the result of a step against those of earlier steps."""
        assert set(applied.closed_mids) <= self.open_mids
        self.open_mids -= set(applied.closed_mids)
        if applied.transport is not None:
            self.open_mids.add(applied.transport.mid)
        if applied.negotiated:
            assert self.open_mids == ({applied.transport.mid} if applied.transport else set())
            if self.established is not None and applied.transport is not None:
                assert applied.transport.controlling == self.established.controlling
                assert applied.transport.dtls_role == self.established.dtls_role
            self.established = applied.transport
        assert applied.signaling_state is self.session.signaling_state
        self.plan = applied.transport


sides = st.sampled_from([0, 1])


class TwoSessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.generations = (f"gen{number}" for number in itertools.count(1))
        self.peers = [
            Peer(make_session(seed), name, polite, generation=next(self.generations))
            for seed, name, polite in ((1, "impolite", False), (2, "polite", True))
        ]

    # Methods.

    @rule(side=sides)
    def create_data_channel(self, side: int) -> None:
        self.peers[side].data_channels = True

    @rule(side=sides, restart=st.booleans())
    def offer(self, side: int, restart: bool) -> None:
        peer = self.peers[side]
        if peer.session.signaling_state is not State.STABLE:
            return
        if restart:
            peer.generation = next(self.generations)
        peer.record(self._send(peer, RTCSdpType.OFFER, peer.session.create_offer(peer.media())))

    @rule()
    def roll_back(self) -> None:
        """Roll back an offer that has not been sent yet.

        The impolite side must not: it may have ignored the other's offer, which would then stay unanswered.
        """
        other, peer = self.peers
        waiting = other.inbox and other.inbox[-1].type is RTCSdpType.OFFER
        if waiting and peer.session.signaling_state is State.HAVE_LOCAL_OFFER:
            other.inbox.pop()
            peer.record(peer.session.apply_local("rollback"))

    @rule(side=sides)
    def deliver(self, side: int) -> None:
        peer = self.peers[side]
        if not peer.inbox:
            return
        message = peer.inbox.popleft()
        if message.type is None:
            self._deliver_candidate(peer, message)
        elif message.type is RTCSdpType.OFFER:
            self._deliver_offer(peer, message)
        else:
            peer.record(peer.session.apply_remote(message.type, message.text))

    @rule(side=sides, provisional=st.booleans())
    def answer(self, side: int, provisional: bool) -> None:
        peer = self.peers[side]
        if peer.session.signaling_state not in (State.HAVE_REMOTE_OFFER, State.HAVE_LOCAL_PRANSWER):
            return
        description_type = RTCSdpType.PRANSWER if provisional else RTCSdpType.ANSWER
        peer.record(self._send(peer, description_type, peer.session.create_answer(peer.media())))

    @rule(side=sides, port=st.integers(1, 65535))
    def gather(self, side: int, port: int) -> None:
        peer, other = self.peers[side], self.peers[1 - side]
        if peer.plan is None or peer.session.local_description is None:
            return
        line = f"candidate:1 1 udp 1 192.0.2.{side + 1} {port} typ host"
        peer.session.add_local_candidate(peer.plan.mid, line)
        other.inbox.append(Sent(None, line, peer.generation))

    @rule(side=sides, text=st.sampled_from(["", "v=0", "garbage"]), kind=st.sampled_from(list(RTCSdpType)))
    def reject(self, side: int, text: str, kind: RTCSdpType) -> None:
        session = self.peers[side].session
        before = visible(session)
        if kind is not RTCSdpType.ROLLBACK:
            with pytest.raises((RTCError, InvalidStateError, InvalidAccessError)):
                session.apply_remote(kind, text)
        assert visible(session) == before

    # The signaling channel.

    def _send(self, peer: Peer, description_type: RTCSdpType, text: str) -> ApplyResult:
        applied = peer.session.apply_local(description_type, text)
        self.peers[1 - self.peers.index(peer)].inbox.append(Sent(description_type, text))
        return applied

    def _deliver_offer(self, peer: Peer, message: Sent) -> None:
        collision = peer.session.signaling_state is not State.STABLE
        peer.ignoring = collision and not peer.polite
        if peer.ignoring:
            return
        if peer.session.signaling_state is State.HAVE_LOCAL_OFFER:
            peer.record(peer.session.apply_local("rollback"))
        applied = peer.session.apply_remote("offer", message.text)
        if applied.transport is not None and applied.transport.ice_restart:
            peer.generation = next(self.generations)
        peer.record(applied)

    def _deliver_candidate(self, peer: Peer, message: Sent) -> None:
        before = visible(peer.session)
        try:
            peer.session.add_remote_candidate(None, 0, message.generation, message.text)
        except (OperationError, InvalidStateError):
            # A candidate of an ignored or rolled back offer.
            assert visible(peer.session) == before

    # Invariants.

    @invariant()
    def descriptions_fit_the_state(self) -> None:
        for peer in self.peers:
            session = peer.session
            pending = (session.pending_local is not None, session.pending_remote is not None)
            assert (
                pending
                == {
                    State.STABLE: (False, False),
                    State.HAVE_LOCAL_OFFER: (True, False),
                    State.HAVE_REMOTE_OFFER: (False, True),
                    State.HAVE_LOCAL_PRANSWER: (True, True),
                    State.HAVE_REMOTE_PRANSWER: (True, True),
                }[session.signaling_state]
            )
            assert (session.current_local is None) == (session.current_remote is None)

    @invariant()
    @precondition(
        lambda self: all(p.session.signaling_state is State.STABLE and not p.inbox for p in self.peers)
    )
    def stable_sessions_agree(self) -> None:
        first, second = self.peers
        for mine, theirs in ((first, second), (second, first)):
            local, remote = mine.session.current_local, theirs.session.current_remote
            assert (local is None) == (remote is None)
            if local is not None and remote is not None:
                candidates = ("a=candidate", "m=", "c=")
                assert without(local.sdp, *candidates) == without(remote.sdp, *candidates)
        self._plans_fit(first.plan, second.plan)

    def _plans_fit(self, one: TransportPlan | None, two: TransportPlan | None) -> None:
        assert (one is None) == (two is None)
        if one is None or two is None:
            return
        assert (one.mid, one.m_line_index) == (two.mid, two.m_line_index)
        assert one.controlling != two.controlling
        assert {one.dtls_role, two.dtls_role} == {"client", "server"}

    def teardown(self) -> None:
        """Deliver and answer all messages; both sides must be stable and agree."""
        for _ in range(200):
            for side, peer in enumerate(self.peers):
                self.deliver(side)
                if peer.session.signaling_state in (State.HAVE_REMOTE_OFFER, State.HAVE_LOCAL_PRANSWER):
                    self.answer(side, provisional=False)
        assert all(peer.session.signaling_state is State.STABLE for peer in self.peers)
        assert not any(peer.inbox for peer in self.peers)
        self.stable_sessions_agree()


TestTwoSessions = TwoSessions.TestCase
