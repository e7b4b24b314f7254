"""Descriptions that the application has changed before it applies them: permitted changes, refused ones."""

import copy
import re
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.jsep_sessions import visible
from tests.strategies.transceivers import LAYERS, MediaSide, exchange, media_session
from trio_rtc.enums import RTCBundlePolicy, RTCSdpType
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import InvalidModificationError
from trio_rtc.jsep import JsepSession, MediaPlan, SessionOptions
from trio_rtc.protocols.sdp import parse, transport_attributes

Munge = Callable[[str], str]

PERMITTING = SessionOptions(allow_changed_ice_credentials=True)
UFRAG, PASSWORD = "libp2p+webrtc+v1/abc", "libp2p+webrtc+v1/abcdefgh"


def replace(old: str, new: str) -> Munge:
    def munge(sdp: str) -> str:
        assert old in sdp
        return sdp.replace(old, new)

    return munge


def substitute(pattern: str, new: str, count: int = 0) -> Munge:
    def munge(sdp: str) -> str:
        changed, found = re.subn(pattern, new, sdp, count=count)
        assert found
        return changed

    return munge


def remove(pattern: str) -> Munge:
    """Return a change that removes the lines that match."""
    return substitute(f"(?m)^{pattern}.*\r\n", "")


def a_side(generation: str = "off1") -> MediaSide:
    side = MediaSide(generation, data_channels=True)
    side.add("audio", added_by_track=True)
    side.add("video", added_by_track=True)
    return side


def created_offer(options: SessionOptions | None = None, side: MediaSide | None = None) -> JsepSession:
    session = media_session(1, options)
    session.create_offer((side or a_side()).media())
    return session


def created_answer(options: SessionOptions | None = None, munge: Munge = str) -> JsepSession:
    """Return a session that has created an answer to an offer."""
    offerer, answerer, side = media_session(1), media_session(2, options), a_side("ans1")
    offer = munge(offerer.create_offer(a_side().media()))
    side.update_transceivers(answerer.apply_remote("offer", offer, side.transceivers))
    answerer.create_answer(side.media())
    return answerer


def swapped_sections(sdp: str) -> str:
    head, audio, video, data = re.split("(?m)^(?=m=)", sdp)
    return head + video + audio + data


def without_data(sdp: str) -> str:
    return sdp[: sdp.index("m=application")]


REFUSED_OFFERS: list[tuple[str, Munge, str]] = [
    ("o=", substitute("(?m)^o=- [0-9]+", "o=- 1"), r"line 2 must be 'o=- .*created last"),
    ("malformed", replace("v=0", "v=1"), "malformed: line 1"),
    ("removed section", without_data, r"'m=application 0 UDP/DTLS/SCTP .* must not be removed"),
    ("added section", lambda sdp: sdp + "m=audio 9 RTP/AVP 0\r\n", r"line \d+ must not be added, 'm=audio"),
    ("reordered sections", swapped_sections, r"line 8 must be 'm=audio .* not 'm=video .*reordered"),
    ("mid", replace("a=mid:0", "a=mid:x"), "line 10 must be 'a=mid:0' as created, not 'a=mid:x'"),
    ("protocol", replace("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP"), "protocol is fixed"),
    ("port 0", replace("m=audio 9", "m=audio 0"), "stop the transceiver"),
    ("fingerprint", replace("AB:AB", "AC:AB"), "line .* must be 'a=fingerprint:.*certificates"),
    ("fingerprint at session level", replace("t=0 0\r\n", f"t=0 0\r\na=fingerprint:sha-256 {'AB:' * 31}AB\r\n"),
     "must not be added, 'a=fingerprint"),
    ("rtcp-mux", replace("a=rtcp-mux\r\n", ""), "'a=rtcp-mux' must not be removed"),
    ("bundle-only", remove("a=bundle-only"), "'a=bundle-only' must not be removed"),
    ("ice-lite", replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), "must not be added, 'a=ice-lite'"),
    ("ice-options", replace("trickle ice2", "trickle renomination"), "not supported"),
    ("ice-ufrag", replace("ice-ufrag:off1", "ice-ufrag:off2"), "Settings.ice_credentials"),
    ("ice-pwd", replace("ice-pwd:off1", "ice-pwd:off2"), r"must be a=ice-pwd \(hidden\)"),
    ("holdconn", replace("setup:actpass", "setup:holdconn"), "one of actpass, active, passive"),
    ("two roles", replace("a=setup:actpass", "a=setup:actpass\r\na=setup:active"), "one DTLS role"),
    ("one role in a bundle", substitute("setup:actpass", "setup:active", 1), "same a=setup"),
    ("tls-id", replace("a=mid:0", "a=mid:0\r\na=tls-id:" + "x" * 20), "must not be added, 'a=tls-id"),
    ("sctp-port", replace("sctp-port:5000", "sctp-port:5001"), "SCTP port is fixed"),
    ("sctp-init", replace("a=sctp-port", "a=sctp-init:AA\r\na=sctp-port"), "must not be added, 'a=sctp-init"),
    ("larger messages", replace("message-size:262144", "message-size:262145"), "Settings.max_message_size"),
    ("messages of any size", replace("message-size:262144", "message-size:0"), "fewer bytes"),
    ("another SSRC", replace("a=ssrc:1000 ", "a=ssrc:999 "), "line .* must be 'a=ssrc:1000 .*a=ssrc:999"),
    ("SIM", replace("a=ssrc-group:FID 1001", "a=ssrc-group:SIM 1001 2001\r\na=ssrc-group:FID 1001"),
     "must not be|must be 'a=ssrc-group.*encodings"),
    ("rid", replace("a=mid:1", "a=mid:1\r\na=rid:q send"), "must not be added, 'a=rid:q send'"),
    ("simulcast", replace("a=mid:1", "a=mid:1\r\na=simulcast:send q"), "must not be added, 'a=simulcast"),
    ("added codec", replace("opus/48000/2", "L16/48000/2"), "L16/48000 was not created"),
    ("codec without a=rtpmap", remove("a=rtpmap:111"), "a=rtpmap"),
    ("no codec", substitute("(m=audio 9 UDP/TLS/RTP/SAVPF).*", r"\1 110"), "a codec must remain"),
    ("payload type of RTCP", substitute(r"\b111\b", "72"), "payload type 72"),
    ("payload type of another codec in the bundle", substitute(r"\b111\b", "96"), "one codec in all"),
    ("extension id twice", substitute("a=extmap:2 ", "a=extmap:1 "), "id of its own"),
    ("extension id 15", substitute("a=extmap:2 ", "a=extmap:15 "), "id of its own"),
    ("extension of another id in the bundle", substitute("a=extmap:4 .*", "a=extmap:4 urn:x\r", 1),
     "one URI in all"),
    ("bundled on one transport", remove("a=group:BUNDLE"), "share a transport"),
    ("bundle twice", replace("a=ice-options", "a=group:BUNDLE 0 1 2\r\na=ice-options"), "in one BUNDLE group only"),
    ("reordered bundle", replace("BUNDLE 0 1 2", "BUNDLE 1 0 2"), "cannot be added to a BUNDLE group, or reordered"),
]  # fmt: skip


def max_bundle() -> MediaSide:
    side = a_side()
    side.bundle_policy = RTCBundlePolicy.MAX_BUNDLE
    return side


@pytest.mark.parametrize(
    ("munge", "message"), [each[1:] for each in REFUSED_OFFERS], ids=[each[0] for each in REFUSED_OFFERS]
)
def test_a_refused_change_of_an_offer(munge: Munge, message: str) -> None:
    session = created_offer(side=max_bundle())
    before, offer = visible(session), session.last_created_offer
    for attempt in (session.check_local, session.apply_local):
        with pytest.raises(InvalidModificationError, match=message):
            attempt(RTCSdpType.OFFER, munge(offer))
    assert visible(session) == before
    session.apply_local("offer", offer)


REFUSED_ANSWERS: list[tuple[str, Munge, str]] = [
    ("bundle", remove("a=group:BUNDLE"), "'a=group:BUNDLE 0 1 2' must not be removed.*transports of the offer"),
    ("actpass", replace("setup:active", "setup:actpass"), "one of active, passive"),
    ("payload type", substitute(r"\b111\b", "121"), "must keep its payload type"),
    ("extension id", substitute("a=extmap:1 ", "a=extmap:14 "), "only remove extensions"),
    ("extension", replace("a=extmap:1 ", "a=extmap:14 urn:x\r\na=extmap:1 "), "only remove extensions"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("munge", "message"), [each[1:] for each in REFUSED_ANSWERS], ids=[each[0] for each in REFUSED_ANSWERS]
)
@pytest.mark.parametrize("kind", ["answer", "pranswer"])
def test_a_refused_change_of_an_answer(munge: Munge, message: str, kind: str) -> None:
    session = created_answer()
    before, answer = visible(session), session.last_created_answer
    with pytest.raises(InvalidModificationError, match=message):
        session.apply_local(kind, munge(answer))
    assert visible(session) == before
    session.apply_local(kind, answer)


@st.composite
def mutated_lines(draw: st.DrawFn, text: str) -> str:
    """Draw a description with some lines changed, removed, repeated or moved."""
    lines = text.split("\r\n")[:-1]
    for _ in range(draw(st.integers(1, 4))):
        place, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        line = lines[place]
        match draw(st.integers(0, 4)):
            case 0:
                del lines[place]
            case 1:
                lines.insert(other, line)
            case 2:
                lines[place], lines[other] = lines[other], line
            case 3:
                cut = draw(st.integers(2, max(2, len(line))))
                lines[place] = line[:cut] + draw(st.sampled_from(["", "0", "1", " ", ":", "x;y=1"]))
            case _:
                words = [word for each in lines for word in re.split("[ :]", each)]
                lines[place] = line.replace(
                    draw(st.sampled_from(re.split("[ :]", line))), draw(st.sampled_from(words))
                )
        if not lines:
            break
    return "\r\n".join([*lines, ""])


OFFER, ANSWER = created_offer(PERMITTING), created_answer(PERMITTING)


@pytest.mark.parametrize(
    ("session", "kind", "created"),
    [
        (OFFER, RTCSdpType.OFFER, OFFER.last_created_offer),
        (ANSWER, RTCSdpType.ANSWER, ANSWER.last_created_answer),
    ],
    ids=["offer", "answer"],
)
@given(st.data())
def test_any_change_is_permitted_or_refused(
    session: JsepSession, kind: RTCSdpType, created: str, data: st.DataObject
) -> None:
    munged, session = data.draw(mutated_lines(created)), copy.copy(session)
    before = visible(session)
    try:
        session.check_local(kind, munged)
    except InvalidModificationError:
        with pytest.raises(InvalidModificationError):
            session.apply_local(kind, munged)
        assert visible(session) == before
        return
    applied = session.apply_local(kind, munged)
    assert session.local_description is not None
    assert session.local_description.sdp == munged
    for plan in applied.media:
        assert not plan.rejected
    # A peer can be told the same: what was permitted is a valid description.
    if kind is RTCSdpType.OFFER:
        side = a_side("ans1")
        peer = media_session(2)
        side.update_transceivers(peer.apply_remote(kind, munged, side.transceivers))
        session.apply_remote("answer", peer.create_answer(side.media()))


def test_the_first_refused_line_is_named() -> None:
    session = created_offer()
    munged = replace("a=mid:1", "a=mid:x")(
        replace("a=sctp-port:5000", "a=sctp-port:1")(session.last_created_offer)
    )
    number = munged.split("\r\n").index("a=mid:x") + 1
    with pytest.raises(InvalidModificationError, match=f"line {number} must be 'a=mid:1'"):
        session.apply_local("offer", munged)


def test_a_password_is_not_in_the_message() -> None:
    session = created_offer()
    with pytest.raises(InvalidModificationError) as caught:
        session.apply_local("offer", replace("ice-pwd:off1", "ice-pwd:secret")(session.last_created_offer))
    assert "secret" not in str(caught.value)
    assert "off1x" not in str(caught.value)


def test_a_text_without_a_created_description_is_refused() -> None:
    offer = created_offer().last_created_offer
    with pytest.raises(InvalidModificationError, match="must be created"):
        media_session(2).apply_local("offer", offer)


def test_an_earlier_offer_is_refused() -> None:
    session, side = media_session(1), a_side()
    earlier = session.create_offer(side.media())
    side.change(0, direction=Direction.SENDONLY)
    session.create_offer(side.media())
    with pytest.raises(InvalidModificationError, match="line 2 must be 'o="):
        session.apply_local("offer", earlier)


# -- permitted changes of an offer, and their effect on both sides ------------------------------------------------


def munged_offer(munge: Munge, side: MediaSide | None = None) -> tuple[list[MediaPlan], list[MediaPlan]]:
    """Apply a changed offer, exchange it, and return the plans of offerer and answerer."""
    offerer, offering, answerer, answering = (
        media_session(1),
        side or a_side(),
        media_session(2),
        a_side("ans1"),
    )
    offer = munge(offerer.create_offer(offering.media()))
    offering.update_transceivers(offerer.apply_local("offer", offer))
    assert offerer.local_description is not None
    assert offerer.local_description.sdp == offer
    answering.update_transceivers(answerer.apply_remote("offer", offer, answering.transceivers))
    answer = answerer.create_answer(answering.media())
    local = answerer.apply_local("answer", answer)
    remote = offerer.apply_remote("answer", answer)
    return list(remote.media), list(local.media)


def names(plan: MediaPlan) -> list[str]:
    return [codec.name for codec in plan.send_codecs]


def test_codecs_of_an_offer_are_reordered() -> None:
    munge = substitute(r"(m=audio 9 \S+) (.*) 0\b", r"\1 0 \2")
    for plans in munged_offer(munge):
        assert names(plans[0])[0] == "PCMU"


def test_codecs_of_an_offer_are_removed() -> None:
    def munge(sdp: str) -> str:
        return remove("a=(rtpmap|fmtp|rtcp-fb):111 ")(substitute(r"(m=audio 9 \S+) 111 63", r"\1")(sdp))

    for plans in munged_offer(munge):
        assert "opus" not in names(plans[0])
        assert "opus" not in [codec.name for codec in plans[0].receive_codecs]


def test_a_payload_type_of_an_offer_is_changed() -> None:
    ours, theirs = munged_offer(substitute(r"\b111\b", "121"))
    assert [codec.payload_type for codec in ours[0].receive_codecs if codec.name == "opus"] == [121]
    assert [codec.payload_type for codec in theirs[0].send_codecs if codec.name == "opus"] == [121]


def test_the_order_of_codecs_stays_and_their_parameters_do_not() -> None:
    session, side = media_session(1), a_side()
    munge = substitute(r"(m=audio 9 \S+) (.*) 0\b", r"\1 0 \2")
    offer = replace("useinbandfec=1", "useinbandfec=1;stereo=1")(munge(session.create_offer(side.media())))
    side.update_transceivers(session.apply_local("offer", offer))
    again = session.create_offer(side.media())
    assert parse(again).media[0].formats[0] == "0"
    assert "stereo=1" not in again


def test_a_changed_payload_type_stays() -> None:
    session, side = media_session(1), a_side()
    side.update_transceivers(
        session.apply_local("offer", substitute(r"\b111\b", "121")(session.create_offer(side.media())))
    )
    assert "a=rtpmap:121 opus/48000/2" in session.create_offer(side.media())


def test_parameters_of_a_codec_are_changed() -> None:
    munge = replace("useinbandfec=1", "useinbandfec=0;stereo=1;usedtx=1;maxaveragebitrate=20000;x-google-a=1")
    ours, theirs = munged_offer(munge)
    assert ours[0].receive_codecs[0].parameters == theirs[0].send_codecs[0].parameters
    assert theirs[0].send_codecs[0].parameters["stereo"] == "1"
    assert theirs[0].send_codecs[0].parameters["useinbandfec"] == "0"


def test_feedback_is_removed() -> None:
    for plans in munged_offer(remove("a=rtcp-fb:.* nack")):
        assert not any("nack" in kind for codec in plans[1].send_codecs for kind in codec.feedback)


def test_a_header_extension_is_removed() -> None:
    uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    for plans in munged_offer(remove(f"a=extmap:[0-9]+ {uri}")):
        assert plans[0].header_extensions
        assert uri not in [each.uri for each in plans[0].header_extensions]


def test_a_header_extension_is_added() -> None:
    uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    side = a_side()
    side.change(
        0, header_extensions=[each for each in side.transceivers[0].header_extensions if each.uri != uri]
    )
    line = f"a=extmap:1 {uri}\r\n"
    for plans in munged_offer(replace("a=mid:0\r\n", f"a=mid:0\r\n{line}"), side):
        assert (1, uri) in [(each.id, each.uri) for each in plans[0].header_extensions]


def test_the_id_of_a_header_extension_is_changed() -> None:
    ours, theirs = munged_offer(substitute("a=extmap:1 ", "a=extmap:20 "))
    assert ours[0].header_extensions == theirs[0].header_extensions
    assert 20 in [each.id for each in ours[0].header_extensions]


def test_a_direction_is_changed() -> None:
    ours, theirs = munged_offer(substitute("a=sendrecv", "a=sendonly", 1))
    assert ours[0].direction is Direction.SENDONLY
    assert theirs[0].direction is Direction.RECVONLY
    assert ours[1].direction is Direction.SENDRECV


def test_bandwidth_and_packet_durations_reach_the_peer() -> None:
    munge = replace(
        "c=IN IP4 0.0.0.0\r\na=mid:0", "c=IN IP4 0.0.0.0\r\nb=AS:64\r\na=ptime:40\r\na=maxptime:60\r\na=mid:0"
    )
    ours, theirs = munged_offer(munge)
    assert (theirs[0].bandwidth, theirs[0].ptime, theirs[0].maxptime) == (64_000, 40, 60)
    assert ours[0].bandwidth is None


def test_streams_are_renamed() -> None:
    _, theirs = munged_offer(replace("stream0 track0", "other0 track9"))
    assert (theirs[0].remote_stream_ids, theirs[0].remote_track_id) == (("other0",), "track9")


def test_ssrc_lines_are_removed() -> None:
    _, theirs = munged_offer(remove("a=ssrc"))
    assert not theirs[0].remote_sources
    assert not theirs[1].remote_source_groups


def test_reduced_size_rtcp_is_removed() -> None:
    for plans in munged_offer(remove("a=rtcp-rsize")):
        assert not plans[0].rtcp_reduced_size


def test_layers_of_simulcast_are_removed() -> None:
    side = a_side()
    side.change(1, encodings=LAYERS)
    munge = replace("a=simulcast:send q;h;f", "a=simulcast:send q;f")
    ours, theirs = munged_offer(lambda sdp: remove("a=rid:h ")(munge(sdp)), side)
    assert [layer.rid for layer in theirs[1].receive_layers] == ["q", "f"]
    assert [layer.rid for layer in ours[1].send_layers] == ["q", "f"]


def test_smaller_messages_are_accepted() -> None:
    offerer, answerer, side = media_session(1), media_session(2), a_side("ans1")
    offer = replace("message-size:262144", "message-size:1000")(offerer.create_offer(a_side().media()))
    offerer.apply_local("offer", offer)
    applied = answerer.apply_remote("offer", offer, side.transceivers)
    assert applied.transport is not None
    assert applied.transport.remote_max_message_size == 1000


@pytest.mark.parametrize(
    ("setup", "answered", "role"), [("active", "passive", "client"), ("passive", "active", "server")]
)
def test_the_dtls_role_of_an_offer_is_chosen(setup: str, answered: str, role: str) -> None:
    offerer, answerer, side = media_session(1), media_session(2), a_side("ans1")
    offer = replace("setup:actpass", f"setup:{setup}")(offerer.create_offer(a_side().media()))
    offerer.apply_local("offer", offer)
    side.update_transceivers(answerer.apply_remote("offer", offer, side.transceivers))
    answer = answerer.create_answer(side.media())
    assert f"a=setup:{answered}" in answer
    applied = offerer.apply_remote("answer", answer)
    assert applied.transport is not None
    assert applied.transport.dtls_role == role


def test_an_offer_without_a_bundle_has_a_transport_for_each_section() -> None:
    side = a_side()
    side.transports = 3
    session = created_offer(side=side)
    offer = session.last_created_offer
    applied = session.apply_local("offer", remove("a=group:BUNDLE")(offer))
    assert [plan.mids for plan in applied.transports] == [("0",), ("1",), ("2",)]


def test_the_peer_does_not_trickle_without_ice_options() -> None:
    munge = remove("a=ice-options")
    for each, trickles in ((str, True), (munge, False)):
        offerer, answerer = media_session(1), media_session(2)
        offer = each(offerer.create_offer(a_side().media()))
        offerer.apply_local("offer", offer)
        assert answerer.apply_remote("offer", offer).can_trickle is trickles


def test_added_candidates_reach_the_peer() -> None:
    line = "candidate:9 1 udp 2130706431 192.0.2.1 5000 typ host"
    offerer, answerer = media_session(1), media_session(2)
    offer = replace("a=mid:0\r\n", f"a=mid:0\r\na={line}\r\n")(offerer.create_offer(a_side().media()))
    offerer.apply_local("offer", offer)
    applied = answerer.apply_remote("offer", offer)
    assert applied.transport is not None
    assert applied.transport.remote_candidates == (line,)


def test_unknown_lines_and_line_feeds_alone_are_accepted() -> None:
    session = created_offer()
    offer = session.last_created_offer.replace("\r\n", "\n") + "a=x-unknown:1\n"
    session.apply_local("offer", offer)
    assert session.local_description is not None
    assert session.local_description.sdp == offer


def test_removed_candidates_are_not_added_again() -> None:
    session, side = media_session(1), a_side()
    lines = (
        "candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host",
        "candidate:2 1 udp 2130706430 10.0.0.2 5000 typ host",
    )
    session.create_offer(side.media())
    side.update_transceivers(session.apply_local("offer"))
    for line in lines:
        session.add_local_candidate("0", line)
    session.local_candidates_complete("0")
    offer = session.create_offer(attrs.evolve(side.media(), candidates=lines, candidates_complete=True))
    session.apply_local("offer", remove("a=end-of-candidates")(remove("a=candidate:1 ")(offer)))
    assert session.local_description is not None
    transport = transport_attributes(session.local_description.parsed, 0)
    assert transport.candidates == (lines[1],)
    assert not transport.end_of_candidates


def test_the_next_description_has_another_version() -> None:
    session = created_offer()
    offer = session.last_created_offer
    session.apply_local("offer", replace("useinbandfec=1", "useinbandfec=1;stereo=1")(offer))
    again = session.create_offer(a_side().media())
    assert parse(again).origin.session_version == 2
    assert parse(offer).origin.session_version == 1


# -- answers ------------------------------------------------------------------------------------------------------


def test_codecs_of_an_answer_are_reordered() -> None:
    session = created_answer()
    answer = substitute(r"(m=audio 9 \S+) (.*) 0\b", r"\1 0 \2")(session.last_created_answer)
    assert names(session.apply_local("answer", answer).media[0])[0] == "PCMU"


def test_a_direction_of_an_answer_is_changed() -> None:
    session = created_answer()
    answer = substitute("a=sendrecv", "a=inactive", 1)(session.last_created_answer)
    assert session.apply_local("answer", answer).media[0].direction is Direction.INACTIVE


def test_the_dtls_role_of_an_answer_is_chosen() -> None:
    session = created_answer()
    applied = session.apply_local(
        "answer", replace("setup:active", "setup:passive")(session.last_created_answer)
    )
    assert applied.transport is not None
    assert applied.transport.dtls_role == "server"


def test_the_dtls_role_of_an_answer_is_the_one_that_the_offer_leaves() -> None:
    session = created_answer(munge=replace("setup:actpass", "setup:active"))
    munged = replace("setup:passive", "setup:active")(session.last_created_answer)
    with pytest.raises(InvalidModificationError, match="a=setup:active leaves no other role"):
        session.apply_local("answer", munged)


@pytest.mark.parametrize(
    ("munge", "message"),
    [
        (replace("setup:actpass", "setup:passive"), "has begun with the negotiated roles"),
        (substitute(r"\b111\b", "121"), "must keep its payload type"),
        (substitute("a=extmap:1 ", "a=extmap:20 "), "packets have the negotiated id"),
    ],
    ids=["role", "payload type", "extension id"],
)
def test_what_the_peer_uses_stays_in_the_next_offer(munge: Munge, message: str) -> None:
    session, side = media_session(1), a_side()
    exchange(session, side, media_session(2), a_side("ans1"))
    offer = session.create_offer(side.media())
    with pytest.raises(InvalidModificationError, match=message):
        session.apply_local("offer", munge(offer))


# -- ICE credentials ----------------------------------------------------------------------------------------------


def with_credentials(sdp: str, ufrag: str = UFRAG, password: str = PASSWORD) -> str:
    sdp = substitute("a=ice-ufrag:.*\r", f"a=ice-ufrag:{ufrag}\r")(sdp)
    return substitute("a=ice-pwd:.*\r", f"a=ice-pwd:{password}\r")(sdp)


def test_permitted_ice_credentials_replace_the_created_ones() -> None:
    session = created_offer(PERMITTING)
    session.apply_local("offer", with_credentials(session.last_created_offer))
    assert session.local_description is not None
    assert session.local_description.replaced_credentials == {"off1": (UFRAG, PASSWORD)}
    assert transport_attributes(session.local_description.parsed, 2).ice_ufrag == UFRAG


def test_permitted_ice_credentials_of_an_answer() -> None:
    session = created_answer(PERMITTING)
    session.apply_local("answer", with_credentials(session.last_created_answer))
    assert session.local_description is not None
    assert session.local_description.replaced_credentials == {"ans1": (UFRAG, PASSWORD)}


@pytest.mark.parametrize(
    ("munge", "message"),
    [
        (lambda sdp: with_credentials(sdp, "abc-"), "4 to 256 letters"),
        (lambda sdp: with_credentials(sdp, password="x_" * 12), "22 to 256 letters"),
        (substitute("a=ice-ufrag:off1", f"a=ice-ufrag:{UFRAG}", 1), "same ICE credentials"),
        (remove("a=ice-ufrag"), "one username fragment and one password"),
    ],
    ids=["ufrag", "password", "sections of one transport", "removed"],
)
def test_refused_ice_credentials(munge: Munge, message: str) -> None:
    session = created_offer(PERMITTING)
    with pytest.raises(InvalidModificationError, match=message):
        session.apply_local("offer", munge(session.last_created_offer))


def test_credentials_in_use_are_replaced_only_by_a_restart() -> None:
    session, side = media_session(1, PERMITTING), a_side()
    exchange(session, side, media_session(2), a_side("ans1"))
    with pytest.raises(InvalidModificationError, match="only an ICE restart"):
        session.apply_local("offer", with_credentials(session.create_offer(side.media())))
    side.generation = "off2"
    session.apply_local("offer", with_credentials(session.create_offer(side.media())))
    assert session.local_description is not None
    assert session.local_description.replaced_credentials == {"off2": (UFRAG, PASSWORD)}
