"""Offer/answer exchanges: offers, answers and the resulting plans."""

import attrs
import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import SHA_256, local_media, make_session, negotiate, without
from trio_rtc.enums import RTCSignalingState
from trio_rtc.jsep import JsepSession, LocalMedia, SessionOptions
from trio_rtc.protocols.sdp import media_mid, parse

OTHER_SHA_256 = ":".join(["CD"] * 32)


def answer_to(text: str, session: JsepSession | None = None) -> str:
    session = session or make_session()
    session.apply_remote("offer", text)
    answer = session.create_answer(local_media(data_channels=False))
    session.apply_local("answer", answer)
    return answer


def text_of(session: JsepSession) -> str:
    assert session.current_local is not None
    return session.current_local.sdp


def test_offer_has_all_attributes_required_by_browsers() -> None:
    offer = make_session().create_offer(local_media("abcd")).splitlines()
    assert offer[0] == "v=0"
    assert offer[1].startswith("o=- ")
    assert offer[1].endswith(" 1 IN IP4 0.0.0.0")
    assert "m=application 9 UDP/DTLS/SCTP webrtc-datachannel" in offer
    for line in (
        "a=group:BUNDLE 0",
        "a=ice-options:trickle ice2",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "a=msid-semantic:WMS *",
        "a=ice-ufrag:abcd",
        f"a=fingerprint:sha-256 {SHA_256}",
    ):
        assert offer.count(line) == 1


def test_offer_without_media_has_no_section() -> None:
    offerer, answerer = make_session(1), make_session(2)
    nothing = local_media(data_channels=False)
    outcome = negotiate(offerer, answerer, nothing, nothing)
    assert "m=" not in text_of(offerer)
    assert "BUNDLE" not in text_of(offerer)
    assert outcome.remote_answer.transport is None
    assert outcome.remote_answer.negotiated


def test_both_sides_have_matching_plans() -> None:
    offerer, answerer = make_session(1), make_session(2)
    outcome = negotiate(offerer, answerer, local_media("offr"), local_media("answ", digest=OTHER_SHA_256))
    offering, answering = outcome.remote_answer.transport, outcome.local_answer.transport
    assert offering is not None
    assert answering is not None
    assert (offering.mid, offering.m_line_index) == (answering.mid, answering.m_line_index) == ("0", 0)
    assert (offering.remote_ufrag, answering.remote_ufrag) == ("answ", "offr")
    assert (offering.remote_pwd, answering.remote_pwd) == ("answ".ljust(24, "x"), "offr".ljust(24, "x"))
    assert (offering.controlling, answering.controlling) == (True, False)
    assert (offering.dtls_role, answering.dtls_role) == ("server", "client")
    assert offering.remote_fingerprints == (("sha-256", OTHER_SHA_256),)
    assert offering.remote_sctp_port == 5000
    assert offering.remote_max_message_size == 262144
    assert not offering.ice_restart
    assert offerer.signaling_state == answerer.signaling_state == RTCSignalingState.STABLE


def test_each_step_returns_the_plan_known_so_far() -> None:
    outcome = negotiate(make_session(1), make_session(2))
    started, applied = outcome.local_offer.transport, outcome.remote_offer.transport
    assert started is not None
    assert applied is not None
    assert (started.remote_ufrag, started.dtls_role, started.controlling) == (None, None, True)
    assert (applied.remote_ufrag, applied.dtls_role, applied.controlling) == ("off1", None, False)
    assert [step.negotiated for step in attrs.astuple(outcome, recurse=False)] == [False, False, True, True]
    assert all(step.signaling_state_changed for step in attrs.astuple(outcome, recurse=False))
    assert outcome.local_offer.can_trickle is None
    assert outcome.remote_offer.can_trickle is True


def test_sizes_and_ports() -> None:
    big = attrs.evolve(local_media("offr"), max_message_size=0, sctp_port=5001)
    outcome = negotiate(make_session(1), make_session(2), big)
    plan = outcome.local_answer.transport
    assert plan is not None
    assert (plan.remote_sctp_port, plan.remote_max_message_size) == (5001, 0)
    silent = without(make_session(3).create_offer(local_media()), "a=max-message-size")
    plan = make_session(4).apply_remote("offer", silent).transport
    assert plan is not None
    assert plan.remote_max_message_size == 65536


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_real_offers_get_an_answer(name: str) -> None:
    offer = parse(REAL_OFFERS[name])
    session = make_session()
    applied = session.apply_remote("offer", REAL_OFFERS[name])
    answer = parse(session.create_answer(local_media(data_channels=False)))
    session.apply_local("answer")
    assert [(m.kind, m.protocol, media_mid(m)) for m in answer.media] == [
        (m.kind, m.protocol, media_mid(m)) for m in offer.media
    ]
    accepted = [media_mid(m) for m in answer.media if m.port]
    assert accepted == [media_mid(m) for m in offer.media if m.kind == "application"]
    assert applied.rejected_mids == tuple(media_mid(m) for m in offer.media if m.kind != "application")
    assert applied.can_trickle is ("aiortc" not in name)
    assert (applied.transport is None) is (not accepted)
    if applied.transport is not None:
        own = [a for a in offer.media[applied.transport.m_line_index].attributes if a.name == "candidate"]
        assert len(applied.transport.remote_candidates) == len(own)


@pytest.mark.parametrize("name", ["chromium-offer-av", "firefox-offer-av", "libwebrtc-offer-av"])
def test_bundle_of_an_answer_has_only_accepted_sections(name: str) -> None:
    assert "a=group:BUNDLE 2\r\n" in answer_to(REAL_OFFERS[name])


def test_answer_that_rejects_everything_still_bundles() -> None:
    assert "a=group:BUNDLE\r\n" in answer_to(REAL_OFFERS["chromium-offer-recvonly"])


def test_offer_without_bundle_gets_an_answer_without() -> None:
    offer = without(make_session().create_offer(local_media()), "a=group")
    assert "BUNDLE" not in answer_to(offer)


@pytest.mark.parametrize(
    ("offered", "answered", "role"),
    [("actpass", "active", "client"), ("active", "passive", "server"), ("passive", "active", "client")],
)
def test_setup_is_answered_by_the_complementary_role(offered: str, answered: str, role: str) -> None:
    offer = make_session(1).create_offer(local_media()).replace("setup:actpass", f"setup:{offered}")
    session = make_session(2)
    session.apply_remote("offer", offer)
    assert f"a=setup:{answered}\r\n" in session.create_answer(local_media())
    plan = session.apply_local("answer").transport
    assert plan is not None
    assert plan.dtls_role == role


@pytest.mark.parametrize(
    ("first", "second", "setup", "role"),
    [("actpass", "active", "passive", "server"), ("active", "actpass", "active", "client")],
)
def test_an_answer_that_is_never_applied_decides_no_role(
    first: str, second: str, setup: str, role: str
) -> None:
    offer = make_session(1).create_offer(local_media())
    session = make_session(2)
    session.apply_remote("offer", offer.replace("setup:actpass", f"setup:{first}"))
    assert f"a=setup:{setup}\r\n" not in session.create_answer(local_media())
    session.apply_remote("rollback")
    session.apply_remote("offer", offer.replace("setup:actpass", f"setup:{second}"))
    assert f"a=setup:{setup}\r\n" in session.create_answer(local_media())
    plan = session.apply_local("answer").transport
    assert plan is not None
    assert plan.dtls_role == role


def test_setup_may_be_missing_and_may_be_preferred() -> None:
    offer = without(make_session(1).create_offer(local_media()), "a=setup")
    assert "a=setup:active\r\n" in answer_to(offer)
    passive = make_session(3, SessionOptions(answer_setup="passive"))
    assert "a=setup:passive\r\n" in answer_to(offer, passive)


@pytest.mark.parametrize(
    ("setup", "role"), [("a=setup:active", "server"), ("a=setup:passive", "client"), ("", "server")]
)
def test_offerer_follows_the_answer(setup: str, role: str) -> None:
    offerer = make_session(1)
    answer = answer_to(offerer.create_offer(local_media("off1")), make_session(2))
    offerer.apply_local("offer")
    lines = [line if not line.startswith("a=setup") else setup for line in answer.splitlines()]
    plan = offerer.apply_remote("answer", "\r\n".join(filter(None, lines))).transport
    assert plan is not None
    assert plan.dtls_role == role


def test_we_control_a_lite_peer() -> None:
    offer = make_session(1).create_offer(attrs.evolve(local_media(), ice_lite=True))
    assert "a=ice-lite\r\n" in offer
    plan = make_session(2).apply_remote("offer", offer).transport
    assert plan is not None
    assert (plan.remote_ice_lite, plan.controlling) == (True, True)


def test_a_lite_offerer_is_controlled() -> None:
    outcome = negotiate(make_session(1), make_session(2), attrs.evolve(local_media("lite"), ice_lite=True))
    assert outcome.remote_answer.transport is not None
    assert not outcome.remote_answer.transport.controlling
    assert outcome.local_answer.transport is not None
    assert outcome.local_answer.transport.controlling


LEGACY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE data\r\n"
    "m=application 9 DTLS/SCTP 5000\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\na=ice-ufrag:lgcy\r\n"
    f"a=ice-pwd:{'l' * 24}\r\na=fingerprint:sha-256 {SHA_256}\r\na=setup:actpass\r\n"
    "a=sctpmap:5000 webrtc-datachannel 1024\r\n"
)


def test_the_legacy_form_is_kept_in_answers_and_offers() -> None:
    session = make_session()
    answer = answer_to(LEGACY, session)
    assert "m=application 9 DTLS/SCTP 5000\r\n" in answer
    assert "a=sctpmap:5000 webrtc-datachannel 65535\r\n" in answer
    assert "a=sctp-port" not in answer
    assert "m=application 9 DTLS/SCTP 5000\r\n" in session.create_offer(local_media())


def test_sections_without_mid() -> None:
    offer = without(LEGACY, "a=mid", "a=group")
    session = make_session()
    assert "a=mid" not in answer_to(offer, session)
    applied = session.apply_remote("offer", offer)
    assert applied.transport is not None
    assert applied.transport.mid == "0"
    (route,) = session.add_remote_candidate(None, 0, None, "candidate:1 1 udp 1 192.0.2.1 1 typ host")
    assert route.mid == "0"


def test_a_missing_mid_is_generated_distinct_from_existing_ones() -> None:
    clash = without(LEGACY, "a=mid", "a=group") + "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    applied = make_session().apply_remote("offer", clash)
    assert applied.transport is not None
    assert applied.transport.mid == "-0"
    assert applied.rejected_mids == ("0",)


def test_an_answer_without_mids_is_matched_by_position() -> None:
    offerer = make_session(1)
    answer = without(answer_to(offerer.create_offer(local_media()), make_session(2)), "a=mid", "a=group")
    offerer.apply_local("offer")
    applied = offerer.apply_remote("answer", answer)
    assert applied.transport is not None
    assert applied.transport.mid == "0"
    assert offerer.add_remote_candidate("0", None, None, None)


def test_only_the_first_data_section_is_accepted() -> None:
    offer = LEGACY.replace("BUNDLE data", "BUNDLE data more") + LEGACY[LEGACY.index("m=") :].replace(
        "mid:data", "mid:more"
    )
    ports = [media.port for media in parse(answer_to(offer)).media]
    assert ports == [9, 0]


def test_a_bundle_only_section_uses_the_transport_of_the_tagged_section() -> None:
    text = REAL_OFFERS["chromium-offer-av"]
    head, application = text[: text.rindex("m=")], text[text.rindex("m=") :]
    application = without(application, "a=ice-", "a=fingerprint", "a=setup", "a=candidate")
    application = application.replace(application.split()[1], "0", 1) + "a=bundle-only\r\n"
    tagged = parse(text).media[0]
    session = make_session()
    plan = session.apply_remote("offer", head + application).transport
    assert plan is not None
    assert plan.mid == "2"
    assert plan.remote_ufrag in [a.value for a in tagged.attributes if a.name == "ice-ufrag"]
    assert len(plan.remote_candidates) == len([a for a in tagged.attributes if a.name == "candidate"])
    (route,) = session.add_remote_candidate(
        "0", 0, plan.remote_ufrag, "candidate:1 1 udp 1 192.0.2.1 1 typ host"
    )
    assert route.mid == "2"


class TestRenegotiation:
    """Later exchanges."""

    def test_renegotiation_without_changes_has_no_effect(self) -> None:
        offerer, answerer = make_session(1), make_session(2)
        first = negotiate(offerer, answerer)
        before = offerer.current_local
        assert before is not None
        again = negotiate(offerer, answerer)
        assert again.remote_answer.transport == first.remote_answer.transport
        assert again.local_answer.transport == first.local_answer.transport
        assert again.remote_answer.closed_mids == ()
        assert offerer.current_local is not before
        assert text_of(offerer) == before.sdp

    def test_roles_are_independent_of_the_offerer(self) -> None:
        first, second = make_session(1), make_session(2)
        before = negotiate(first, second)
        after = negotiate(second, first, local_media("ans1"), local_media("off1"))
        assert after.local_answer.transport == before.remote_answer.transport
        assert after.remote_answer.transport == before.local_answer.transport
        assert "a=setup:passive\r\n" in text_of(first)
        assert "a=setup:actpass\r\n" in text_of(second)

    def test_an_ice_restart_is_in_the_plan(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        again = negotiate(first, second, local_media("off2"), local_media("ans2"))
        assert again.local_offer.transport is not None
        assert not again.local_offer.transport.ice_restart
        for step in (again.remote_offer, again.local_answer, again.remote_answer):
            assert step.transport is not None
            assert step.transport.ice_restart
        third = negotiate(first, second, local_media("off2"), local_media("ans2"))
        assert third.remote_answer.transport is not None
        assert not third.remote_answer.transport.ice_restart

    @pytest.mark.parametrize("peer_offered_first", [True, False])
    def test_a_later_answer_may_state_the_other_role_without_effect(self, peer_offered_first: bool) -> None:
        """Pion (until September 2026) and webrtc-rs answer every offer with their default role.

        They offer first and are the DTLS server, or answer first, and state the opposite in a later answer. Both
        keep the established association. libwebrtc rejects the description ("Failed to set SSL role"), which
        prevents the renegotiation.
        """
        ours, peer = make_session(1), make_session(2)
        if peer_offered_first:
            before = negotiate(peer, ours, local_media("ans1"), local_media("off1")).local_answer
        else:
            before = negotiate(ours, peer).remote_answer
        assert before.transport is not None
        stated, opposite = ("passive", "active") if peer_offered_first else ("active", "passive")
        peer.apply_remote("offer", ours.create_offer(local_media("off1")))
        ours.apply_local("offer")
        answer = peer.create_answer(local_media("ans1"))
        assert f"a=setup:{stated}\r\n" in answer
        plan = ours.apply_remote("answer", answer.replace(f"setup:{stated}", f"setup:{opposite}")).transport
        assert plan is not None
        assert plan.dtls_role == before.transport.dtls_role == ("client" if peer_offered_first else "server")

    def test_new_certificate_is_a_new_association(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        again = negotiate(second, first, local_media("ans2", digest=OTHER_SHA_256), local_media("off2"))
        assert again.local_answer.transport is not None
        assert again.local_answer.transport.dtls_role == "client"

    def test_the_version_is_incremented_only_with_a_change(self) -> None:
        session = make_session()
        versions = [
            parse(session.create_offer(local_media(generation))).origin.session_version
            for generation in ("gen1", "gen1", "gen2", "gen2", "gen1")
        ]
        assert versions == [1, 1, 2, 2, 3]

    def test_data_channels_are_added_later(self) -> None:
        first, second = make_session(1), make_session(2)
        nothing = local_media(data_channels=False)
        negotiate(first, second, nothing, nothing)
        again = negotiate(second, first)
        assert again.remote_answer.transport is not None
        assert again.remote_answer.transport.controlling

    def test_a_rejected_section_keeps_its_position_and_is_recycled(self) -> None:
        session = make_session()
        answer_to(REAL_OFFERS["chromium-offer-recvonly"], session)
        kept = parse(session.create_offer(local_media(data_channels=False)))
        assert [(m.kind, m.port) for m in kept.media] == [("audio", 0), ("video", 0)]
        taken = parse(session.create_offer(local_media()))
        assert [(m.kind, bool(m.port), media_mid(m)) for m in taken.media] == [
            ("application", True, "2"),
            ("video", False, "1"),
        ]

    def test_peer_closes_the_data_channels(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        closing = first.create_offer(local_media("off1")).replace("application 9", "application 0")
        applied = second.apply_remote("offer", without(closing, "a=group"))
        assert (applied.transport, applied.closed_mids) == (None, ())
        second.create_answer(local_media("ans1"))
        done = second.apply_local("answer")
        assert (done.transport, done.closed_mids, done.rejected_mids) == (None, ("0",), ("0",))
        assert second.needs_negotiation(data_channels=True)
        reopened = parse(second.create_offer(local_media("new1")))
        assert [media_mid(m) for m in reopened.media if m.port] == ["1"]

    def test_sctp_port_zero_closes(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        closing = first.create_offer(local_media("off1")).replace("sctp-port:5000", "sctp-port:0")
        assert second.apply_remote("offer", closing).transport is None

    def test_the_order_of_fingerprints_is_irrelevant(self) -> None:
        first, second = make_session(1), make_session(2)
        pair = ("sha-384", ":".join(["EF"] * 48))
        one = attrs.evolve(local_media("off1"), fingerprints=(("sha-256", SHA_256), pair))
        two = attrs.evolve(local_media("off1"), fingerprints=(pair, ("sha-256", SHA_256)))
        negotiate(first, second, one, local_media("ans1"))
        again = negotiate(first, second, two, local_media("ans1"))
        assert again.local_answer.transport is not None
        assert again.local_answer.transport.dtls_role == "client"


def test_candidates_known_at_creation_are_in_the_text() -> None:
    media = LocalMedia(
        True,
        ("gen1", "x" * 24),
        (("sha-256", SHA_256),),
        candidates=(
            "candidate:1 1 udp 1 192.0.2.1 1111 typ host",
            "candidate:2 1 udp 1 198.51.100.1 2222 typ srflx",
        ),
        candidates_complete=True,
    )
    offer = make_session().create_offer(media)
    assert "m=application 2222 " in offer
    assert "c=IN IP4 198.51.100.1\r\n" in offer
    plan = make_session(2).apply_remote("offer", offer).transport
    assert plan is not None
    assert plan.remote_candidates == media.candidates
    assert plan.remote_candidates_complete


@pytest.mark.parametrize("trickles", [True, False])
def test_only_a_peer_that_trickles_may_signal_further_candidates(trickles: bool) -> None:
    offer = make_session().create_offer(local_media())
    if not trickles:
        offer = offer.replace("a=ice-options:trickle ice2", "a=ice-options:ice2")
    applied = make_session(2).apply_remote("offer", offer)
    assert applied.can_trickle is trickles
    assert applied.transport is not None
    assert applied.transport.remote_candidates_complete is not trickles


def test_the_same_seed_gives_the_same_text() -> None:
    assert make_session(7).create_offer(local_media()) == make_session(7).create_offer(local_media())
    assert make_session(7).create_offer(local_media()) != make_session(8).create_offer(local_media())
