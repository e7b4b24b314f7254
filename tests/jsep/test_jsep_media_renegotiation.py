"""Audio and video in later exchanges: added, redirected, stopped and recycled sections, and glare."""

import attrs
import pytest

from tests.strategies.jsep_sessions import Outcome, visible
from tests.strategies.transceivers import MediaSide, exchange, media_session
from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import InvalidAccessError
from trio_rtc.jsep import DEFAULT_CAPABILITIES, Disassociated, JsepSession, SessionOptions
from trio_rtc.jsep.capabilities import AUDIO_LEVEL_URI, PLAYOUT_DELAY_URI
from trio_rtc.jsep.extensions import HeaderExtension
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.protocols.sdp import is_bundle_only, media_mid, parse, rtp_attributes


@attrs.define
class Call:
    """Two sessions in a call."""

    sides: tuple[MediaSide, MediaSide] = attrs.Factory(lambda: (MediaSide("off1"), MediaSide("ans1")))
    sessions: tuple[JsepSession, JsepSession] = attrs.Factory(lambda: (media_session(1), media_session(2)))

    def negotiate(self, offerer: int = 0) -> Outcome:
        answerer = 1 - offerer
        return exchange(
            self.sessions[offerer], self.sides[offerer], self.sessions[answerer], self.sides[answerer]
        )

    def needed(self, side: int) -> bool:
        return self.sides[side].needs_negotiation(self.sessions[side])

    def sections(self) -> list[tuple[str, str | None, bool]]:
        """Return kind, mid and whether it is live for the sections of the first side."""
        current = self.sessions[0].current_local
        assert current is not None
        return [
            (each.kind, media_mid(each), each.port != 0 or is_bundle_only(each))
            for each in current.parsed.media
        ]


@pytest.fixture
def call() -> Call:
    """Return a call with audio of both sides and video of the first."""
    made = Call()
    made.sides[0].add("audio")
    made.sides[0].add("video")
    made.sides[1].add("audio", added_by_track=True)
    made.negotiate()
    return made


def test_negotiation_without_changes_has_no_effect(call: Call) -> None:
    before = [session.current_local for session in call.sessions]
    assert not call.needed(0)
    assert not call.needed(1)
    outcome = call.negotiate()
    for session, old in zip(call.sessions, before, strict=True):
        assert old is not None
        assert session.current_local is not None
        assert session.current_local.sdp == old.sdp
    assert outcome.local_answer.closed_mids == ()
    assert outcome.local_answer.disassociated == ()


def test_either_side_may_offer_next(call: Call) -> None:
    first = call.negotiate(0)
    second = call.negotiate(1)
    for side, other in (
        (first.local_answer, second.remote_answer),
        (first.remote_answer, second.local_answer),
    ):
        for before, after in zip(side.media, other.media, strict=True):
            assert before.direction is after.direction
            assert {each.payload_type for each in before.send_codecs} <= {
                each.payload_type for each in after.send_codecs
            }
            assert before.header_extensions == after.header_extensions


def test_a_section_is_added(call: Call) -> None:
    call.sides[1].add("video")
    assert call.needed(1)
    outcome = call.negotiate(1)
    assert [plan.key for plan in outcome.remote_offer.media] == [0, 1, None]
    assert call.sections() == [("audio", "0", True), ("video", "1", True), ("video", "2", True)]
    assert outcome.local_answer.transport is not None
    assert outcome.local_answer.transport.mids == ("0", "1", "2")
    assert not outcome.local_answer.transport.ice_restart


@pytest.mark.parametrize("offerer", [0, 1])
def test_a_direction_is_changed(call: Call, offerer: int) -> None:
    side = call.sides[offerer]
    side.change(side.transceivers[0].key, direction=Direction.RECVONLY)
    assert call.needed(offerer)
    outcome = call.negotiate(offerer)
    assert outcome.remote_answer.media[0].direction is Direction.RECVONLY
    assert outcome.local_answer.media[0].direction is Direction.SENDONLY
    assert not call.needed(offerer)


def test_streams_are_changed(call: Call) -> None:
    call.sides[0].change(0, stream_ids=("another",))
    assert call.needed(0)
    assert call.negotiate().remote_offer.media[0].remote_stream_ids == ("another",)
    assert not call.needed(0)


def test_a_stopped_section_is_rejected_and_recycled(call: Call) -> None:
    call.sides[0].stop(1)
    assert call.needed(0)
    outcome = call.negotiate()
    for applied in (outcome.remote_offer, outcome.local_answer, outcome.remote_answer):
        assert [(plan.rejected, plan.stopped) for plan in applied.media] == [(False, False), (True, True)]
    assert not outcome.local_offer.media[1].stopped
    assert outcome.remote_answer.closed_mids == outcome.local_answer.closed_mids == ("1",)
    assert outcome.remote_answer.transport is not None
    assert outcome.remote_answer.transport.mids == ("0",)
    assert [len(side.transceivers) for side in call.sides] == [1, 1]
    assert call.sections() == [("audio", "0", True), ("video", "1", False)]
    call.sides[1].add("audio")
    call.sides[1].data_channels = True
    call.negotiate(1)
    assert call.sections() == [("audio", "0", True), ("audio", "2", True), ("application", "3", True)]


def test_the_answerer_may_stop_too(call: Call) -> None:
    call.sides[1].stop(1)
    assert call.needed(1)
    outcome = call.negotiate(0)
    # An answer does not remove the section: an offer of the side that has stopped it is needed.
    assert outcome.remote_answer.media[1].direction == "inactive"
    assert not outcome.remote_answer.media[1].stopped
    assert call.needed(1)
    outcome = call.negotiate(1)
    assert outcome.remote_answer.media[1].stopped
    assert [len(side.transceivers) for side in call.sides] == [1, 1]
    assert not call.needed(1)


def test_the_transport_outlives_the_first_section(call: Call) -> None:
    before = call.negotiate().remote_answer.transport
    call.sides[0].stop(0)
    after = call.negotiate().remote_answer.transport
    assert before is not None
    assert after is not None
    assert (before.mids, after.mids, after.mid, after.m_line_index) == (("0", "1"), ("1",), "1", 1)
    assert attrs.evolve(before, mids=after.mids, mid=after.mid, m_line_index=after.m_line_index) == after
    # The first section of the list does not become the first of the bundle.
    call.sides[0].add("video")
    again = call.negotiate().remote_answer.transport
    assert again is not None
    assert again.mids == ("1", "2")
    assert call.sections() == [("video", "2", True), ("video", "1", True)]


def test_the_transport_outlives_all_sections(call: Call) -> None:
    before = call.negotiate().remote_answer.transport
    call.sides[0].stop(0)
    call.sides[0].stop(1)
    assert call.negotiate().remote_answer.transport is None
    call.sides[0].add("audio")
    after = call.negotiate().remote_answer.transport
    assert before is not None
    assert after is not None
    assert (after.dtls_role, after.controlling) == (before.dtls_role, before.controlling)


def test_data_channels_end_and_the_transport_remains(call: Call) -> None:
    call.sides[0].data_channels = True
    assert call.negotiate().remote_answer.data_mid == "2"
    one, other = call.sessions
    offer = one.create_offer(call.sides[0].media()).replace("sctp-port:5000", "sctp-port:0")
    applied = other.apply_remote("offer", offer, call.sides[1].transceivers)
    assert (applied.data_mid, applied.closed_mids) == (None, ())
    other.create_answer(call.sides[1].media())
    applied = other.apply_local("answer")
    assert (applied.data_mid, applied.closed_mids) == (None, ("2",))
    assert applied.transport is not None
    assert applied.transport.mids == ("0", "1")
    assert (applied.transport.remote_sctp_port, applied.transport.remote_max_message_size) == (None, None)


def test_new_sections_are_bundle_only_under_max_bundle(call: Call) -> None:
    call.sides[0].bundle_policy = RTCBundlePolicy.MAX_BUNDLE
    call.sides[0].add("video")
    media = parse(call.sessions[0].create_offer(call.sides[0].media())).media
    assert [each.port for each in media] == [9, 9, 0]
    assert call.negotiate().remote_answer.rejected_mids == ()


def test_ice_restart(call: Call) -> None:
    for side, generation in zip(call.sides, ("off2", "ans2"), strict=True):
        side.generation = generation
    outcome = call.negotiate()
    assert outcome.local_answer.transport is not None
    assert outcome.local_answer.transport.ice_restart
    assert outcome.local_answer.transport.mids == ("0", "1")
    assert not outcome.local_answer.disassociated


def test_mids_are_never_reused(call: Call) -> None:
    for number in range(2, 6):
        key = call.sides[0].transceivers[-1].key
        call.sides[0].stop(key)
        call.negotiate()
        call.sides[0].add("video")
        call.negotiate()
        assert call.sections() == [("audio", "0", True), ("video", str(number), True)]


def test_stopping_before_the_answer(call: Call) -> None:
    one, other = call.sessions
    added = call.sides[0].add("audio")
    offer = one.create_offer(call.sides[0].media())
    call.sides[0].update_transceivers(one.apply_local("offer", offer))
    call.sides[0].stop(added.key)
    call.sides[1].update_transceivers(other.apply_remote("offer", offer, call.sides[1].transceivers))
    answer = other.create_answer(call.sides[1].media())
    call.sides[1].update_transceivers(other.apply_local("answer", answer))
    call.sides[0].update_transceivers(one.apply_remote("answer", answer))
    assert call.needed(0)
    assert call.negotiate().remote_answer.rejected_mids == ("2",)
    assert not call.needed(0)


class TestRolledBack:
    """Offers that are rolled back or replaced before they are answered."""

    def test_a_local_offer(self, call: Call) -> None:
        side, session = call.sides[0], call.sessions[0]
        added = side.add("video")
        offer = session.create_offer(side.media())
        side.update_transceivers(session.apply_local("offer", offer))
        assert side.transceivers[-1].mid == "2"
        applied = session.apply_local("rollback")
        assert applied.disassociated == (Disassociated("2", added.key, created=False),)
        assert [(plan.mid, plan.direction) for plan in applied.media] == [
            ("0", Direction.SENDRECV),
            ("1", Direction.SENDONLY),
        ]
        side.update_transceivers(applied)
        assert side.transceivers[-1].mid is None
        assert call.needed(0)
        call.negotiate()
        assert call.sections()[2:] == [("video", "3", True)]

    def test_a_remote_offer(self, call: Call) -> None:
        side, session = call.sides[1], call.sessions[1]
        call.sides[0].add("video")
        call.sides[0].add("audio")
        waiting = side.add("audio", added_by_track=True)
        offer = call.sessions[0].create_offer(call.sides[0].media())
        side.update_transceivers(session.apply_remote("offer", offer, side.transceivers))
        assert len(side.transceivers) == 4
        applied = session.apply_remote("rollback")
        assert applied.disassociated == (
            Disassociated("2", None, created=True),
            Disassociated("3", waiting.key, created=False),
        )
        side.update_transceivers(applied)
        assert [each.mid for each in side.transceivers] == ["0", "1", None]

    def test_a_replaced_offer(self, call: Call) -> None:
        side, session = call.sides[1], call.sessions[1]
        short = call.sessions[0].create_offer(call.sides[0].media())
        call.sides[0].add("video")
        long = call.sessions[0].create_offer(call.sides[0].media())
        side.update_transceivers(session.apply_remote("offer", long, side.transceivers))
        again = session.apply_remote("offer", long, side.transceivers)
        assert again.disassociated == ()
        assert again.media[2].key is not None
        side.update_transceivers(again)
        replaced = session.apply_remote("offer", short, side.transceivers)
        assert [(each.mid, each.created) for each in replaced.disassociated] == [("2", True)]
        side.update_transceivers(replaced)
        assert len(side.transceivers) == 2
        assert session.apply_remote("rollback").disassociated == ()

    def test_glare(self, call: Call) -> None:
        one, other = call.sessions
        call.sides[0].add("video")
        mine = call.sides[1].add("video", added_by_track=True)
        offer = one.create_offer(call.sides[0].media())
        call.sides[0].update_transceivers(one.apply_local("offer", offer))
        call.sides[1].update_transceivers(
            other.apply_local("offer", other.create_offer(call.sides[1].media()))
        )
        assert call.sides[1].transceivers[-1].mid == "2"
        call.sides[1].update_transceivers(other.apply_local("rollback"))
        applied = other.apply_remote("offer", offer, call.sides[1].transceivers)
        # Our transceiver had no section yet: it is associated with the peer's section, with the mid that it had itself.
        assert applied.media[2].key == mine.key
        call.sides[1].update_transceivers(applied)
        answer = other.create_answer(call.sides[1].media())
        call.sides[1].update_transceivers(other.apply_local("answer", answer))
        call.sides[0].update_transceivers(one.apply_remote("answer", answer))
        assert not call.needed(0)
        assert not call.needed(1)
        assert [len(side.transceivers) for side in call.sides] == [3, 3]


class TestInconsistentOffers:
    """A peer must not change the identity of a live section."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("a=mid:1", "a=mid:7"),
            ("m=video", "m=audio"),
            ("a=mid:0", "a=mid:1"),
        ],
    )
    def test_are_rejected(self, call: Call, old: str, new: str) -> None:
        offer = call.sessions[0].create_offer(call.sides[0].media()).replace(old, new)
        if new == "a=mid:7":
            offer = offer.replace("BUNDLE 0 1", "BUNDLE 0 7")
        with pytest.raises(InvalidAccessError):
            call.sessions[1].apply_remote("offer", offer, call.sides[1].transceivers)

    def test_a_rejected_section_may_omit_the_mid(self, call: Call) -> None:
        offer = call.sessions[0].create_offer(call.sides[0].media())
        head, video = offer[: offer.index("m=video")], offer[offer.index("m=video") :]
        video = video.split("\r\n")[0].replace("m=video 9", "m=video 0") + "\r\n"
        applied = call.sessions[1].apply_remote(
            "offer", head.replace("BUNDLE 0 1", "BUNDLE 0") + video, call.sides[1].transceivers
        )
        assert [(plan.mid, plan.rejected, plan.stopped) for plan in applied.media][1] == ("1", True, True)


def test_provisional_answers(call: Call) -> None:
    one, other = call.sessions
    call.sides[0].add("video")
    offer = one.create_offer(call.sides[0].media())
    call.sides[0].update_transceivers(one.apply_local("offer", offer))
    call.sides[1].update_transceivers(other.apply_remote("offer", offer, call.sides[1].transceivers))
    answer = other.create_answer(call.sides[1].media())
    applied = other.apply_local("pranswer", answer)
    assert applied.media[2].direction is Direction.RECVONLY
    assert one.apply_remote("pranswer", answer).media[2].direction is Direction.SENDONLY
    assert one.apply_remote("answer", answer).media[2].direction is Direction.SENDONLY
    assert other.apply_local("answer").media == applied.media


FEC_SOURCES = (Encoding(ssrc=1, rtx_ssrc=2, fec_ssrc=3),)
GROUP = "a=ssrc-group:FEC-FR 1 3\r\n"


def announced(session: JsepSession) -> bool:
    assert session.current_local is not None
    known = GROUP in session.current_local.sdp
    assert known == ("a=ssrc:3 cname:" in session.current_local.sdp)
    return known


def test_flexfec_is_not_announced_before_the_peer_has_listed_it() -> None:
    call = Call()
    call.sides[0].add("video", encodings=FEC_SOURCES)
    outcome = call.negotiate()
    assert "flexfec-03" in {each.name for each in outcome.remote_answer.media[0].send_codecs}
    assert not outcome.remote_answer.media[0].flexfec_announced
    for offerer in (0, 1):
        # The SSRC of the media is already announced: an SSRC added later would not be received.
        call.negotiate(offerer)
        assert not announced(call.sessions[0])


def test_flexfec_is_announced_in_an_answer() -> None:
    call = Call()
    call.sides[1].add("video")
    call.sides[0].add("video", encodings=FEC_SOURCES, added_by_track=True)
    outcome = call.negotiate(1)
    assert announced(call.sessions[0])
    assert outcome.local_answer.media[0].flexfec_announced
    call.negotiate(0)
    assert announced(call.sessions[0])


def test_flexfec_is_announced_for_new_ssrcs_once_the_peer_has_listed_it() -> None:
    call = Call()
    call.sides[0].add("video")
    call.negotiate()
    call.sides[0].add("video", encodings=FEC_SOURCES)
    call.negotiate()
    assert announced(call.sessions[0])


def test_flexfec_is_not_announced_to_a_peer_without() -> None:
    call = Call()
    plain = tuple(codec for codec in DEFAULT_CAPABILITIES.video.codecs if codec.name != "flexfec-03")
    call.sides[0].add("video")
    call.sides[1].add("video", codecs=plain, added_by_track=True)
    call.negotiate()
    call.sides[0].add("video", encodings=FEC_SOURCES)
    call.negotiate()
    assert not announced(call.sessions[0])


def test_flexfec_is_announced_at_once_on_request() -> None:
    options = SessionOptions(announce_flexfec=True)
    call = Call(sessions=(media_session(1, options), media_session(2)))
    call.sides[0].add("video", encodings=FEC_SOURCES)
    assert call.negotiate().remote_answer.media[0].flexfec_announced
    assert announced(call.sessions[0])


ONE, OTHER = "urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def swap(text: str, first: str, second: str) -> str:
    return text.replace(first, "\0").replace(second, first).replace("\0", second)


class TestExtensionIds:
    """RFC 8285 section 5: an id keeps its meaning, because packets with it are in flight."""

    def offer(self, call: Call) -> tuple[str, dict[str, int]]:
        text = call.sessions[0].create_offer(call.sides[0].media())
        return text, {each.uri: each.id for each in rtp_attributes(parse(text), 0).extmaps}

    def assert_refused(self, session: JsepSession, kind: str, text: str, match: str) -> None:
        before = visible(session)
        with pytest.raises(InvalidAccessError, match=match):
            session.apply_remote(kind, text)
        assert visible(session) == before

    def test_swapped_ids_are_refused(self, call: Call) -> None:
        offer, ids = self.offer(call)
        swapped = swap(offer, f"a=extmap:{ids[ONE]} ", f"a=extmap:{ids[OTHER]} ")
        self.assert_refused(
            call.sessions[1], "offer", swapped, f"media section 0 must remain {OTHER}, not {ONE}"
        )
        call.negotiate()

    def test_a_changed_id_is_refused(self, call: Call) -> None:
        offer, ids = self.offer(call)
        changed = offer.replace(f"a=extmap:{ids[ONE]} ", "a=extmap:14 ")
        match = f"must keep the id {ids[ONE]}, not 14"
        self.assert_refused(call.sessions[1], "offer", changed, match)

    def test_swapped_ids_in_an_answer_are_refused(self, call: Call) -> None:
        offer, ids = self.offer(call)
        call.sessions[0].apply_local("offer")
        call.sides[1].update_transceivers(
            call.sessions[1].apply_remote("offer", offer, call.sides[1].transceivers)
        )
        answer = call.sessions[1].create_answer(call.sides[1].media())
        swapped = swap(answer, f"a=extmap:{ids[ONE]} ", f"a=extmap:{ids[OTHER]} ")
        self.assert_refused(call.sessions[0], "answer", swapped, "must remain")
        assert call.sessions[0].apply_remote("answer", answer).negotiated

    def test_extensions_may_go_and_come(self, call: Call) -> None:
        offer, ids = self.offer(call)
        less = offer.replace(f"a=extmap:{ids[OTHER]} {OTHER}\r\n", "")
        assert less != offer
        call.sessions[1].apply_remote("offer", less, call.sides[1].transceivers)
        call.sessions[1].apply_remote("offer", offer, call.sides[1].transceivers)

    def test_another_endpoint_has_its_own_ids(self, call: Call) -> None:
        offer, ids = self.offer(call)
        swapped = swap(offer, f"a=extmap:{ids[ONE]} ", f"a=extmap:{ids[OTHER]} ")
        handed_over = swapped.replace("AB:AB", "CD:CD").replace(":off1", ":new1")
        assert call.sessions[1].apply_remote("offer", handed_over, call.sides[1].transceivers).media


def test_an_id_of_a_stopped_section_is_used_for_no_other_extension() -> None:
    """RFC 8285 section 5: ids are not remapped during a session."""
    call = Call()
    preferred = {each.uri: each.id for each in DEFAULT_CAPABILITIES.of("video").header_extensions}
    taken = preferred[PLAYOUT_DELAY_URI]
    stopped = call.sides[1].add("audio", header_extensions=(HeaderExtension(AUDIO_LEVEL_URI, taken),))
    call.negotiate(1)
    call.sides[1].stop(stopped.key)
    call.negotiate(1)
    call.sides[1].add("video")
    call.sides[0].add("video")
    call.negotiate(0)
    current = call.sessions[0].current_local
    assert current is not None
    sections = range(len(current.parsed.media))
    extmaps = [each for index in sections for each in rtp_attributes(current.parsed, index).extmaps]
    assert PLAYOUT_DELAY_URI in {each.uri for each in extmaps}
    assert taken not in {each.id for each in extmaps}
