"""Bundles of media sections, and their transports."""

import re

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import without
from tests.strategies.transceivers import (
    MediaSide,
    answer_to,
    exchange,
    media_session,
    offered_sections,
    transceiver,
)
from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.jsep import JsepSession
from trio_rtc.protocols.sdp import (
    has_attribute,
    media_mid,
    parse,
    transport_attributes,
)


class TestBundle:
    """One transport for the bundle; sections outside of the bundle, and rejected ones."""

    def policy(self, policy: RTCBundlePolicy) -> list[tuple[int, bool, bool]]:
        side = MediaSide("off1", data_channels=True, bundle_policy=policy)
        for kind in ("audio", "audio", "video"):
            side.transceivers.append(transceiver(next(side.keys), "audio" if kind == "audio" else "video"))
        session = media_session()
        media = offered_sections(side, session)
        assert "a=group:BUNDLE 0 1 2 3\r\n" in session.last_created_offer
        return [
            (each.port, has_attribute(each, "bundle-only"), has_attribute(each, "ice-ufrag"))
            for each in media
        ]

    def test_policies_of_the_first_offer(self) -> None:
        alone, only = (9, False, True), (0, True, True)
        assert self.policy(RTCBundlePolicy.MAX_COMPAT) == [alone, alone, alone, alone]
        assert self.policy(RTCBundlePolicy.BALANCED) == [alone, only, alone, alone]
        assert self.policy(RTCBundlePolicy.MAX_BUNDLE) == [alone, only, only, only]

    @pytest.mark.parametrize("policy", RTCBundlePolicy)
    def test_we_accept_offers_of_every_policy(self, policy: RTCBundlePolicy) -> None:
        offering, answering = MediaSide("off1", data_channels=True, bundle_policy=policy), MediaSide("ans1")
        offering.add("audio")
        offering.add("audio")
        offering.add("video")
        one, other = media_session(1), media_session(2)
        for _ in range(2):
            outcome = exchange(one, offering, other, answering)
            for applied in (outcome.local_answer, outcome.remote_answer):
                assert applied.transport is not None
                assert applied.transport.mids == ("0", "1", "2", "3")
                assert applied.rejected_mids == ()
            assert not outcome.remote_offer.rejected_mids
        # Bundled sections need no bundle-only any more.
        assert one.current_local is not None
        assert "bundle-only" not in one.current_local.sdp

    @pytest.mark.parametrize("transports", [1, 2, 3])
    def test_without_bundle_as_many_sections_are_accepted_as_there_are_transports(
        self, transports: int
    ) -> None:
        offer = without(REAL_OFFERS["chromium-offer-av"], "a=group")
        answer, plans = answer_to(offer, MediaSide("ans1", data_channels=True, transports=transports))
        accepted = [bool(media.port) for media in parse(answer).media]
        assert accepted == [index < transports for index in range(3)]
        assert [plan.rejected for plan in plans] == [not each for each in accepted[:2]]
        assert "BUNDLE" not in answer

    def test_each_of_two_bundles_has_a_transport(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace(
            "a=group:BUNDLE 0 1 2", "a=group:BUNDLE 1\r\na=group:BUNDLE 0 2"
        )
        answer, plans = answer_to(offer, MediaSide("ans1", data_channels=True, transports=2))
        assert "a=group:BUNDLE 1\r\na=group:BUNDLE 0 2\r\n" in answer
        assert [plan.rejected for plan in plans] == [False, False]
        fragments = [transport_attributes(parse(answer), index).ice_ufrag for index in range(3)]
        assert fragments == ["ans1", "ans1t1", "ans1"]

    def unbundled(self) -> tuple[JsepSession, MediaSide]:
        """Return a session that has answered a peer without BUNDLE."""
        session, side = media_session(), MediaSide("ans1", data_channels=True, transports=3)
        side.update_transceivers(
            session.apply_remote("offer", without(REAL_OFFERS["chromium-offer-av"], "a=group"))
        )
        session.create_answer(side.media())
        applied = session.apply_local("answer")
        assert [(each.number, each.mids) for each in applied.transports] == [
            (0, ("0",)),
            (1, ("1",)),
            (2, ("2",)),
        ]
        return session, side

    def test_later_bundled_sections_use_the_transport_of_the_first(self) -> None:
        session, side = self.unbundled()
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 2 1")
        side.update_transceivers(session.apply_remote("offer", offer, side.transceivers))
        session.create_answer(side.media())
        applied = session.apply_local("answer")
        assert [(each.number, each.mids) for each in applied.transports] == [(0, ("0",)), (2, ("2", "1"))]

    def test_an_answer_that_rejects_the_first_section_keeps_the_other_transports(self) -> None:
        session, side = media_session(), MediaSide("ans1", transports=2)
        offer = without(REAL_OFFERS["chromium-offer-av"], "a=group").replace("opus/48000/2", "unknown/48000")
        offer = re.sub(r"^m=audio (\d+) (\S+) .*", r"m=audio \1 \2 111", offer, flags=re.MULTILINE)
        side.update_transceivers(session.apply_remote("offer", offer))
        answer = session.create_answer(side.media())
        assert [bool(media.port) for media in parse(answer).media] == [False, True, True]
        assert [(each.number, each.mids) for each in session.apply_local("answer").transports] == [
            (0, ("1",)),
            (1, ("2",)),
        ]

    def test_our_offer_keeps_separate_sections_and_bundles_new_ones_with_the_first(self) -> None:
        session, side = self.unbundled()
        side.add("video")
        offer = session.create_offer(side.media())
        media = parse(offer).media
        fragments = [transport_attributes(parse(offer), index).ice_ufrag for index in range(4)]
        assert fragments == ["ans1", "ans1t1", "ans1t2", "ans1"]
        assert re.findall(r"a=group:BUNDLE (.*)\r", offer) == [f"0 {media_mid(media[3])}"]
        assert [bool(each.port) for each in media] == [True, True, True, False]

    def test_candidates_and_their_end_are_routed_to_their_transports(self) -> None:
        session, _ = self.unbundled()
        line = "candidate:1 1 udp 1 192.0.2.1 1 typ host"
        (route,) = session.add_remote_candidate("1", None, None, line)
        assert (route.number, route.mid) == (1, "1")
        ends = session.add_remote_candidate(None, None, None, None)
        assert [route.number for route in ends] == [0, 1, 2]
        session.add_local_candidate("2", line, "ans1t2")
        assert session.current_local is not None
        local = session.current_local.parsed
        assert [len(transport_attributes(local, index).candidates) for index in range(3)] == [0, 0, 1]

    def test_bundle_only_outside_of_a_bundle_is_rejected(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 1 2")
        offer = offer.replace("m=audio 52376", "m=audio 0").replace("a=mid:0", "a=mid:0\r\na=bundle-only")
        _, plans = answer_to(offer, MediaSide("ans1"))
        assert [plan.rejected for plan in plans] == [True, False]

    def test_a_peer_without_bundle_accepts_only_the_first_section(self) -> None:
        one, other = media_session(1), media_session(2)
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("audio")
        offering.add("video")
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(
            other.apply_remote("offer", one.last_created_offer, answering.transceivers)
        )
        answer = without(other.create_answer(answering.media()), "a=group")
        applied = one.apply_remote("answer", answer)
        assert [(plan.rejected, plan.stopped) for plan in applied.media] == [(False, False), (True, True)]
        assert applied.transport is not None
        assert applied.transport.mids == ("0",)

    def test_the_first_mid_of_the_bundle_determines_the_transport(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 2 0 1")
        session, side = media_session(), MediaSide("ans1")
        applied = session.apply_remote("offer", offer, side.transceivers)
        assert applied.transport is not None
        assert applied.transport.mids == ("2", "0", "1")
        side.update_transceivers(applied)
        assert "a=group:BUNDLE 2 0 1\r\n" in session.create_answer(side.media())
