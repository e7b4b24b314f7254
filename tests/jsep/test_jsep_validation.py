"""Remote descriptions that are rejected: the right error, and no change of state."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS, damaged_offers
from tests.strategies.jsep_sessions import local_media, make_session, negotiate, visible, without
from trio_rtc.enums import RTCErrorDetailType
from trio_rtc.errors import InvalidAccessError, OperationError, RTCError
from trio_rtc.jsep import JsepSession, SessionOptions
from trio_rtc.protocols.sdp import SdpOptions

Edit = Callable[[str], str]
SECTION = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"


def replace(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def drop(*prefixes: str) -> Edit:
    return lambda text: without(text, *prefixes)


def append(lines: str) -> Edit:
    return lambda text: text + lines


def assert_rejected(session: JsepSession, description_type: str, text: str) -> InvalidAccessError:
    before = visible(session)
    with pytest.raises(InvalidAccessError) as caught:
        session.apply_remote(description_type, text)
    assert visible(session) == before
    # The message says where: a section, or the attribute of the session.
    assert re.search(r"media section|a=mid|BUNDLE", str(caught.value))
    return caught.value


OFFER_EDITS: dict[str, Edit] = {
    "no ufrag": drop("a=ice-ufrag"),
    "no password": drop("a=ice-pwd"),
    "no fingerprint": drop("a=fingerprint"),
    "untrusted hash": lambda text: (
        drop("a=fingerprint")(text) + "a=fingerprint:sha-1 " + ":".join(["AB"] * 20)
    ),
    "held": replace("setup:actpass", "setup:holdconn"),
    "mid twice": append("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"),
    "bundled mid without section": replace("BUNDLE 0", "BUNDLE 0 1"),
    "bundled twice": replace("a=group:BUNDLE 0", "a=group:BUNDLE 0\r\na=group:BUNDLE 0"),
}


@pytest.mark.parametrize("edit", OFFER_EDITS.values(), ids=list(OFFER_EDITS))
def test_inconsistent_offers(edit: Edit) -> None:
    session = make_session()
    offer = make_session(2).create_offer(local_media())
    assert_rejected(session, "offer", edit(offer))
    assert session.apply_remote("offer", offer).transport is not None


AGAIN_EDITS: dict[str, Edit] = {
    "section gone": lambda text: without(text[: text.index("m=")], "a=group"),
    "kind changed": lambda text: text.replace(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 RTP 0"
    ),
    "mid changed": lambda text: text.replace("mid:0", "mid:7").replace("BUNDLE 0", "BUNDLE 7"),
    "role taken back": replace("setup:actpass", "setup:active"),
}


@pytest.mark.parametrize("edit", AGAIN_EDITS.values(), ids=list(AGAIN_EDITS))
def test_offers_inconsistent_with_the_last_exchange(edit: Edit) -> None:
    first, second = make_session(1), make_session(2)
    negotiate(first, second)
    offer = first.create_offer(local_media("off1"))
    assert_rejected(second, "offer", edit(offer))
    second.apply_remote("offer", offer)


def test_the_established_role_may_be_stated() -> None:
    first, second = make_session(1), make_session(2)
    negotiate(first, second)
    offer = first.create_offer(local_media("off1")).replace("setup:actpass", "setup:passive")
    second.apply_remote("offer", offer)
    assert "a=setup:active\r\n" in second.create_answer(local_media("ans1"))


ANSWER_EDITS: dict[str, Edit] = {
    "no ufrag": drop("a=ice-ufrag"),
    "no password": drop("a=ice-pwd"),
    "no fingerprint": drop("a=fingerprint"),
    "no decision": replace("setup:active", "setup:actpass"),
    "held": replace("setup:active", "setup:holdconn"),
    "no section": lambda text: without(text[: text.index("m=")], "a=group"),
    "one section more": append("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"),
    "other kind": replace(SECTION, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"),
    "other protocol": replace(SECTION, "m=application 9 UDP/BFCP *\r\n"),
    "other mid": lambda text: text.replace("mid:0", "mid:1").replace("BUNDLE 0", "BUNDLE 1"),
    "rejected tag": replace("application 9", "application 0"),
    "bundled mid without section": replace("BUNDLE 0", "BUNDLE 0 1"),
}


@pytest.mark.parametrize("description_type", ["answer", "pranswer"])
@pytest.mark.parametrize("edit", ANSWER_EDITS.values(), ids=list(ANSWER_EDITS))
def test_inconsistent_answers(edit: Edit, description_type: str) -> None:
    offerer, answerer = make_session(1), make_session(2)
    answerer.apply_remote("offer", offerer.create_offer(local_media("off1")))
    offerer.apply_local("offer")
    answer = answerer.create_answer(local_media("ans1"))
    assert_rejected(offerer, description_type, edit(answer))
    assert offerer.apply_remote(description_type, answer).transport is not None


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize(
    ("provisional", "final"), [("active", "passive"), ("passive", "active"), (None, "passive")]
)
def test_an_answer_cannot_reverse_the_roles_of_the_provisional_one(
    provisional: str | None, final: str, again: bool
) -> None:
    """Otherwise both sides would wait for a ClientHello, or both would send one."""
    offerer, answerer = make_session(1), make_session(2)
    if again:
        negotiate(offerer, answerer)
    answerer.apply_remote("offer", offerer.create_offer(local_media("off1")))
    offerer.apply_local("offer")
    answer = answerer.create_answer(local_media("ans1"))

    def with_role(role: str | None) -> str:
        line = "" if role is None else f"a=setup:{role}\r\n"
        return answer.replace("a=setup:active\r\n", line)

    offerer.apply_remote("pranswer", with_role(provisional))
    error = assert_rejected(offerer, "answer", with_role(final))
    assert f"must be {provisional or 'active'} as in the provisional answer, not {final}" in str(error)
    assert_rejected(offerer, "pranswer", with_role(final))
    assert offerer.apply_remote("answer", with_role(provisional)).negotiated


def test_an_answer_with_new_fingerprints_may_change_the_roles() -> None:
    offerer, answerer = make_session(1), make_session(2)
    answerer.apply_remote("offer", offerer.create_offer(local_media("off1")))
    offerer.apply_local("offer")
    answer = answerer.create_answer(local_media("ans1"))
    offerer.apply_remote("pranswer", answer)
    other = answer.replace("AB:AB", "CD:CD").replace("setup:active", "setup:passive")
    error = assert_rejected(offerer, "answer", other)
    assert "unless a=ice-ufrag and a=ice-pwd are new" in str(error)
    other = other.replace("ans1", "ans2")
    assert offerer.apply_remote("answer", other).negotiated


@pytest.mark.parametrize("kind", ["offer", "answer"])
def test_other_fingerprints_come_with_an_ice_restart(kind: str) -> None:
    """RFC 9429 section 5.11; the new association has its own roles."""
    first, second = make_session(1), make_session(2)
    negotiate(first, second)
    text = first.create_offer(local_media("off2"))
    session = second
    if kind == "answer":
        first.apply_local("offer")
        second.apply_remote("offer", text)
        session, text = first, second.create_answer(local_media("ans2")).replace("active", "passive")
    text = text.replace("AB:AB", "CD:CD")
    assert_rejected(session, kind, text.replace("off2", "off1").replace("ans2", "ans1"))
    applied = session.apply_remote(kind, text)
    assert applied.transport is not None
    assert applied.transport.ice_restart
    assert applied.transport.dtls_role == (None if kind == "offer" else "client")


def test_an_answer_must_not_bundle_unbundled_sections_of_the_offer() -> None:
    offerer, answerer = make_session(1), make_session(2)
    offerer.apply_remote("offer", REAL_OFFERS["chromium-offer-recvonly"])
    offerer.create_answer(local_media(data_channels=False))
    offerer.apply_local("answer")
    offer = offerer.create_offer(local_media("off1"))
    offerer.apply_local("offer")
    answerer.apply_remote("offer", offer)
    answer = answerer.create_answer(local_media("ans1"))
    assert "a=group:BUNDLE 2\r\n" in answer
    assert_rejected(offerer, "answer", answer.replace("BUNDLE 2", "BUNDLE 2 1"))
    offerer.apply_remote("answer", answer)


def test_other_groups_are_ignored() -> None:
    offer = make_session(2).create_offer(local_media()).replace("a=group:", "a=group:LS 0 9\r\na=group:")
    make_session().apply_remote("offer", offer)


def test_two_sections_cannot_have_the_same_track() -> None:
    """RFC 8830 section 2. Newer peers omit the id of the track, and a stream may have several."""
    offer = REAL_OFFERS["aiortc-offer-av"]
    first, *others = re.findall(r"a=msid:.*\r\n", offer)
    session = make_session()
    before = visible(session)
    with pytest.raises(
        OperationError, match="a=msid of media section 1 must be that of another track"
    ) as caught:
        session.apply_remote("offer", offer.replace(others[0], first))
    assert not isinstance(caught.value, RTCError)
    assert visible(session) == before
    stream = first.split()[0] + "\r\n"
    session.apply_remote("offer", offer.replace(first, stream).replace(others[0], stream))


def test_a_rejected_section_can_have_the_track_of_another() -> None:
    offer = REAL_OFFERS["aiortc-offer-av"]
    first, *others = re.findall(r"a=msid:.*\r\n", offer)
    rejected = re.sub(r"m=video \d+ ", "m=video 0 ", offer.replace(others[0], first))
    rejected = re.sub(r"(a=group:BUNDLE \S+).*\r\n", r"\1\r\n", rejected)
    make_session().apply_remote("offer", rejected)


def test_malformed_text_names_the_line() -> None:
    session = make_session()
    before = visible(session)
    offer = make_session(2).create_offer(local_media()).replace("a=setup:actpass", "a=setup:perhaps")
    number = offer.splitlines().index("a=setup:perhaps") + 1
    with pytest.raises(RTCError) as caught:
        session.apply_remote("offer", offer)
    assert caught.value.error_detail is RTCErrorDetailType.SDP_SYNTAX_ERROR
    assert caught.value.sdp_line_number == number
    assert f"line {number}" in str(caught.value)
    assert "a=setup:perhaps" in str(caught.value)
    assert visible(session) == before


def test_options_set_the_bounds() -> None:
    session = make_session(1, SessionOptions(sdp=SdpOptions(maximum_sections=1)))
    with pytest.raises(RTCError):
        session.apply_remote("offer", REAL_OFFERS["chromium-offer-av"])


def try_offer(text: str) -> None:
    """Apply an offer; if it is accepted, answering must work, otherwise the state must be unchanged."""
    session = make_session()
    before = visible(session)
    try:
        session.apply_remote("offer", text)
    except (RTCError, InvalidAccessError):
        assert visible(session) == before
        return
    answer = session.create_answer(local_media("ans1"))
    session.apply_local("answer")
    again = make_session(9)
    again.apply_remote("offer", session.create_offer(local_media("ans1")))
    assert answer


@given(damaged_offers())
def test_damaged_data_offers_are_accepted_or_rejected_atomically(text: str) -> None:
    try_offer(text)


@given(st.text(max_size=200))
@example("v=0\no=- 1 1 IN IP4 h\ns=-\nm=application 9 DTLS/SCTP 0\na=sctpmap:0 webrtc-datachannel 1")
def test_arbitrary_text_is_accepted_or_rejected_atomically(text: str) -> None:
    try_offer(text)
    try_offer("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\n" + SECTION + text)


@given(damaged_offers())
def test_damaged_data_answers_are_accepted_or_rejected_atomically(text: str) -> None:
    session = make_session()
    session.create_offer(local_media("off1"))
    session.apply_local("offer")
    before = visible(session)
    try:
        applied = session.apply_remote("answer", text)
    except (RTCError, InvalidAccessError):
        assert visible(session) == before
    else:
        assert applied.negotiated
