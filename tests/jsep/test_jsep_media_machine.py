"""Two sessions with audio and video, any method in any order: they always agree on all sections."""

import itertools
import random
from collections import deque

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.strategies.transceivers import MediaSide, media_session
from trio_rtc.enums import RTCBundlePolicy, RTCRtpTransceiverDirection, RTCSdpType, RTCSignalingState
from trio_rtc.jsep import ApplyResult, JsepSession, LocalTransceiver, MediaPlan
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.protocols.sdp import SessionDescription, media_mid, parse, rtp_attributes

State = RTCSignalingState
Direction = RTCRtpTransceiverDirection
sides = st.sampled_from([0, 1])
kinds = st.sampled_from(["audio", "video"])
directions = st.sampled_from([Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE])
LAYERS = tuple(Encoding(1, rid=rid, active=rid != "h") for rid in ("q", "h", "f"))


@attrs.define
class Peer:
    """A session and its transceivers."""

    session: JsepSession
    side: MediaSide
    polite: bool
    inbox: deque[tuple[RTCSdpType, str]] = attrs.Factory(deque)
    applied: ApplyResult | None = None
    negotiated: ApplyResult | None = None

    def record(self, applied: ApplyResult) -> ApplyResult:
        """Update the transceivers from the result of a step."""
        self.side.update_transceivers(applied)
        self.applied = applied
        if applied.negotiated:
            self.negotiated = applied
        return applied

    def pick(self, number: int) -> LocalTransceiver | None:
        """Return a transceiver that is not stopped."""
        live = [each for each in self.side.transceivers if each.is_live]
        return live[number % len(live)] if live else None


class TwoMediaSessions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.generations = (f"gen{number}" for number in itertools.count(1))
        self.peers = [
            Peer(media_session(seed), MediaSide(next(self.generations)), polite)
            for seed, polite in ((1, False), (2, True))
        ]

    # Methods of the application.

    @rule(side=sides, kind=kinds, direction=directions, added=st.booleans(), simulcast=st.booleans())
    def add(self, side: int, kind: str, direction: Direction, added: bool, simulcast: bool) -> None:
        peer = self.peers[side]
        if len(peer.side.transceivers) > 6:
            return
        transceiver = peer.side.add("audio" if kind == "audio" else "video", direction, added_by_track=added)
        if simulcast and kind == "video":
            peer.side.change(transceiver.key, encodings=LAYERS)

    @rule(side=sides)
    def create_data_channel(self, side: int) -> None:
        self.peers[side].side.data_channels = True

    @rule(side=sides, number=st.integers(0, 9), direction=directions)
    def change_direction(self, side: int, number: int, direction: Direction) -> None:
        if transceiver := self.peers[side].pick(number):
            self.peers[side].side.change(transceiver.key, direction=direction)

    @rule(side=sides, number=st.integers(0, 9))
    def stop(self, side: int, number: int) -> None:
        if transceiver := self.peers[side].pick(number):
            self.peers[side].side.stop(transceiver.key)

    @rule(
        side=sides, number=st.integers(0, 9), order=st.randoms(use_true_random=False), keep=st.integers(1, 12)
    )
    def prefer(self, side: int, number: int, order: random.Random, keep: int) -> None:
        if transceiver := self.peers[side].pick(number):
            codecs = list(transceiver.codecs)
            order.shuffle(codecs)
            self.peers[side].side.change(transceiver.key, codecs=tuple(codecs[:keep]), codecs_preferred=True)

    @rule(side=sides, policy=st.sampled_from(RTCBundlePolicy))
    def choose_policy(self, side: int, policy: RTCBundlePolicy) -> None:
        self.peers[side].side.bundle_policy = policy

    @rule(side=sides, restart=st.booleans())
    def offer(self, side: int, restart: bool) -> None:
        peer = self.peers[side]
        if peer.session.signaling_state is not State.STABLE:
            return
        if restart:
            peer.side.generation = next(self.generations)
        self._send(peer, RTCSdpType.OFFER, peer.session.create_offer(peer.side.media()))

    @rule()
    def roll_back(self) -> None:
        """Roll back an offer that has not been sent yet; the impolite side must not."""
        other, peer = self.peers
        waiting = other.inbox and other.inbox[-1][0] is RTCSdpType.OFFER
        if waiting and peer.session.signaling_state is State.HAVE_LOCAL_OFFER:
            other.inbox.pop()
            peer.record(peer.session.apply_local("rollback"))

    @rule(side=sides)
    def deliver(self, side: int) -> None:
        peer = self.peers[side]
        if not peer.inbox:
            return
        description_type, text = peer.inbox.popleft()
        if description_type is not RTCSdpType.OFFER:
            peer.record(peer.session.apply_remote(description_type, text))
            return
        if peer.session.signaling_state is not State.STABLE:
            if not peer.polite:
                return
            if peer.session.signaling_state is State.HAVE_LOCAL_OFFER:
                peer.record(peer.session.apply_local("rollback"))
        applied = peer.record(peer.session.apply_remote("offer", text, peer.side.transceivers))
        if applied.transport is not None and applied.transport.ice_restart:
            peer.side.generation = next(self.generations)

    @rule(side=sides, provisional=st.booleans())
    def answer(self, side: int, provisional: bool) -> None:
        peer = self.peers[side]
        if peer.session.signaling_state in (State.HAVE_REMOTE_OFFER, State.HAVE_LOCAL_PRANSWER):
            description_type = RTCSdpType.PRANSWER if provisional else RTCSdpType.ANSWER
            self._send(peer, description_type, peer.session.create_answer(peer.side.media()))

    def _send(self, peer: Peer, description_type: RTCSdpType, text: str) -> None:
        check_numbers(parse(text))
        peer.record(peer.session.apply_local(description_type, text))
        self.peers[1 - self.peers.index(peer)].inbox.append((description_type, text))

    # Invariants.

    @invariant()
    def mids_are_unique(self) -> None:
        for peer in self.peers:
            mids = [each.mid for each in peer.side.transceivers if each.mid is not None]
            assert len(mids) == len(set(mids))

    @invariant()
    @precondition(
        lambda self: all(p.session.signaling_state is State.STABLE and not p.inbox for p in self.peers)
    )
    def stable_sessions_agree(self) -> None:
        one, other = (peer.negotiated for peer in self.peers)
        assert (one is None) == (other is None)
        if one is None or other is None:
            return
        assert one.data_mid == other.data_mid
        assert one.rejected_mids == other.rejected_mids
        assert (one.transport is None) == (other.transport is None)
        if one.transport is not None and other.transport is not None:
            assert one.transport.mids == other.transport.mids
            assert one.transport.controlling != other.transport.controlling
            assert {one.transport.dtls_role, other.transport.dtls_role} == {"client", "server"}
        for mine, theirs in zip(one.media, other.media, strict=True):
            check_plans(mine, theirs)

    def teardown(self) -> None:
        """Deliver and answer all messages, and negotiate until no side needs to. Both must agree."""
        self._settle()
        for _ in range(8):
            if not (needing := self._needing()):
                break
            self.offer(needing[0], restart=False)
            self._settle()
        assert not self._needing()
        for peer in self.peers:
            assert all(each.is_live for each in peer.side.transceivers)

    def _needing(self) -> list[int]:
        return [side for side, peer in enumerate(self.peers) if peer.side.needs_negotiation(peer.session)]

    def _settle(self) -> None:
        for _ in range(50):
            for side in range(2):
                self.deliver(side)
                self.answer(side, provisional=False)
        assert all(peer.session.signaling_state is State.STABLE for peer in self.peers)
        assert not any(peer.inbox for peer in self.peers)
        self.stable_sessions_agree()


def check_plans(mine: MediaPlan, theirs: MediaPlan) -> None:
    """Check that the plans of both sides for one section are counterparts."""
    assert (mine.index, mine.mid, mine.kind) == (theirs.index, theirs.mid, theirs.kind)
    assert (mine.rejected, mine.stopped) == (theirs.rejected, theirs.stopped)
    if mine.rejected:
        return
    assert mine.direction is not None
    assert theirs.direction is not None
    assert (mine.direction.sends, mine.direction.receives) == (
        theirs.direction.receives,
        theirs.direction.sends,
    )
    for sender, receiver in ((mine, theirs), (theirs, mine)):
        assert any(each.is_media for each in sender.send_codecs)
        sent = {each.payload_type: each for each in sender.send_codecs}
        expected = {each.payload_type: each for each in receiver.receive_codecs}
        assert sent == expected
        assert [layer.rid for layer in sender.send_layers] == [layer.rid for layer in receiver.receive_layers]
        for each in sender.send_codecs:
            if each.name == "rtx":
                assert each.associated_payload_type in sent
    extensions = [{(each.id, each.uri) for each in plan.header_extensions} for plan in (mine, theirs)]
    assert extensions[0] == extensions[1]


def check_numbers(description: SessionDescription) -> None:
    """Check that mids are unique, and that numbers are unambiguous within the bundle."""
    mids = [media_mid(media) for media in description.media]
    assert len(mids) == len(set(mids))
    payload_types: dict[int, tuple[str, int]] = {}
    extensions: dict[int, str] = {}
    uris: dict[str, int] = {}
    for index, media in enumerate(description.media):
        if media.port == 0 and not any(each.name == "bundle-only" for each in media.attributes):
            continue
        attributes = rtp_attributes(description, index)
        for rtpmap in attributes.rtpmaps:
            meaning = (rtpmap.encoding.lower(), rtpmap.clock_rate)
            assert payload_types.setdefault(rtpmap.payload_type, meaning) == meaning
        for extmap in attributes.extmaps:
            assert extensions.setdefault(extmap.id, extmap.uri) == extmap.uri
            assert uris.setdefault(extmap.uri, extmap.id) == extmap.id


TestTwoMediaSessions = TwoMediaSessions.TestCase
