"""Candidates of a bundle of audio and video: their sections and their transports."""

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import without
from tests.strategies.transceivers import MediaSide, exchange, media_session
from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.errors import OperationError
from trio_rtc.jsep import JsepSession
from trio_rtc.protocols.sdp import attribute_values, parse

LINE = "candidate:1 1 udp 2122194687 192.0.2.1 4444 typ host"


def in_call(policy: RTCBundlePolicy = RTCBundlePolicy.MAX_BUNDLE) -> tuple[JsepSession, JsepSession]:
    """Return two sessions with audio, video and data channels."""
    one, other = media_session(1), media_session(2)
    offering = MediaSide("off1", data_channels=True, bundle_policy=policy)
    offering.add("audio")
    offering.add("video")
    exchange(one, offering, other, MediaSide("ans1"))
    return one, other


def test_local_candidates_are_in_the_section_with_the_transport() -> None:
    session, _ = in_call()
    session.add_local_candidate("0", LINE)
    session.local_candidates_complete("0")
    assert session.current_local is not None
    audio, video, data = session.current_local.parsed.media
    assert audio.port == 4444
    assert LINE.removeprefix("candidate:") in attribute_values(audio, "candidate")
    assert [media.port for media in (video, data)] == [0, 0]


@pytest.mark.parametrize("policy", RTCBundlePolicy)
def test_remote_candidates_may_name_any_section_of_the_bundle(policy: RTCBundlePolicy) -> None:
    for mid in ("0", "1", "2"):
        _, session = in_call(policy)
        (route,) = session.add_remote_candidate(mid, None, "off1", LINE)
        assert (route.mid, route.username_fragment) == ("0", "off1")


def test_an_unknown_generation_is_rejected() -> None:
    _, session = in_call()
    with pytest.raises(OperationError):
        session.add_remote_candidate("1", None, "gone", LINE)


def test_a_section_with_its_own_candidates_ignores_others() -> None:
    """A browser without BUNDLE in its first offer gathers for each section, and only the first is used."""
    session, side = media_session(), MediaSide("ans1")
    applied = session.apply_remote("offer", REAL_OFFERS["firefox-offer-av"], side.transceivers)
    assert applied.transport is not None
    first = parse(REAL_OFFERS["firefox-offer-av"]).media[0]
    expected = tuple(f"candidate:{value}" for value in attribute_values(first, "candidate"))
    assert applied.transport.remote_candidates == expected
    assert session.add_remote_candidate("1", None, None, LINE) == ()
    assert session.add_remote_candidate("0", None, None, LINE)


def test_candidates_of_a_rejected_section_are_used_for_the_accepted_one() -> None:
    offer = REAL_OFFERS["chromium-offer-av"].replace("opus/48000", "x/1").replace("/8000", "/1")
    head, *sections = offer.split("m=")
    offer = head + "".join(
        "m=" + (section if place == 0 else without(section, "a=candidate"))
        for place, section in enumerate(sections)
    )
    applied = media_session().apply_remote("offer", offer)
    assert applied.rejected_mids == ("0",)
    assert applied.transport is not None
    assert applied.transport.mid == "1"
    assert len(applied.transport.remote_candidates) == 4
