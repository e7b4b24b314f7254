"""Candidates after the description, local and remote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import local_media, make_session, negotiate, visible
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.jsep import JsepSession, SessionOptions

HOST = "candidate:1 1 udp 2122194687 192.0.2.1 1111 typ host"
HOST_IPV6 = "candidate:2 1 udp 2122265343 2001:db8::1 2222 typ host"
NAMED = "candidate:3 1 udp 2122265342 9a1c.local 3333 typ host"
TCP = "candidate:4 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active"
REFLEXIVE = "candidate:5 1 udp 1685987071 198.51.100.1 4444 typ srflx raddr 192.0.2.1 rport 1111"


def offering() -> JsepSession:
    session = make_session()
    session.create_offer(local_media("off1"))
    session.apply_local("offer")
    return session


def local_text(session: JsepSession) -> str:
    assert session.local_description is not None
    return session.local_description.sdp


def remote_text(session: JsepSession) -> str:
    assert session.remote_description is not None
    return session.remote_description.sdp


class TestLocal:
    def test_candidate_enters_the_pending_description(self) -> None:
        session = offering()
        before = session.pending_local
        session.add_local_candidate("0", HOST)
        assert session.pending_local is not before
        assert f"a={HOST}\r\n" in local_text(session)
        assert "m=application 1111 " in local_text(session)
        assert "c=IN IP4 192.0.2.1\r\n" in local_text(session)

    @pytest.mark.parametrize(
        ("lines", "port", "connection"),
        [
            ([HOST_IPV6], 2222, "IN IP6 2001:db8::1"),
            ([HOST_IPV6, HOST], 1111, "IN IP4 192.0.2.1"),
            ([HOST, HOST_IPV6, REFLEXIVE], 4444, "IN IP4 198.51.100.1"),
            ([NAMED, TCP, "candidate:nonsense"], 9, "IN IP4 0.0.0.0"),
        ],
    )
    def test_default_candidate(self, lines: list[str], port: int, connection: str) -> None:
        session = offering()
        for line in lines:
            session.add_local_candidate("0", line)
        assert f"m=application {port} " in local_text(session)
        assert f"c={connection}\r\n" in local_text(session)
        assert local_text(session).count("a=candidate:") == len(lines)

    def test_duplicates_are_ignored(self) -> None:
        session = offering()
        session.add_local_candidate("0", HOST)
        before = session.pending_local
        session.add_local_candidate("0", f"a={HOST}")
        assert session.pending_local is before

    def test_end_of_candidates_is_added_once(self) -> None:
        session = offering()
        session.local_candidates_complete("0")
        session.local_candidates_complete("0")
        assert local_text(session).count("a=end-of-candidates\r\n") == 1

    def test_unknown_section_and_no_description_are_ignored(self) -> None:
        session = make_session()
        session.add_local_candidate("0", HOST)
        session.local_candidates_complete("0")
        assert session.local_description is None
        session = offering()
        before = session.pending_local
        session.add_local_candidate("9", HOST)
        assert session.pending_local is before

    def test_generations_have_separate_candidates(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        first.create_offer(local_media("off2"))
        first.apply_local("offer")
        first.add_local_candidate("0", HOST, "off1")
        first.add_local_candidate("0", REFLEXIVE)
        first.local_candidates_complete("0", "off1")
        assert first.current_local is not None
        assert first.pending_local is not None
        assert HOST in first.current_local.sdp
        assert "a=end-of-candidates" in first.current_local.sdp
        assert REFLEXIVE not in first.current_local.sdp
        assert HOST not in first.pending_local.sdp
        assert REFLEXIVE in first.pending_local.sdp
        before = visible(first)
        first.add_local_candidate("0", HOST_IPV6, "gone")
        assert visible(first) == before

    def test_same_generation_is_in_both_descriptions(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        first.create_offer(local_media("off1"))
        first.apply_local("offer")
        first.add_local_candidate("0", HOST)
        assert first.current_local is not None
        assert first.pending_local is not None
        assert HOST in first.current_local.sdp
        assert HOST in first.pending_local.sdp

    def test_candidates_gathered_between_creating_and_applying(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        offer = first.create_offer(local_media("off1"))
        first.add_local_candidate("0", HOST)
        first.local_candidates_complete("0")
        first.apply_local("offer", offer)
        assert first.pending_local is not None
        assert HOST in first.pending_local.sdp
        assert "a=end-of-candidates" in first.pending_local.sdp

    def test_a_restart_begins_without_candidates(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        first.add_local_candidate("0", HOST)
        first.create_offer(local_media("off2"))
        first.apply_local("offer")
        assert first.pending_local is not None
        assert "a=candidate" not in first.pending_local.sdp

    def test_bounded(self) -> None:
        session = make_session(1, SessionOptions(maximum_candidates=3))
        session.create_offer(local_media())
        session.apply_local("offer")
        for number in range(10):
            session.add_local_candidate("0", f"candidate:{number} 1 udp 1 192.0.2.1 1 typ host")
        assert local_text(session).count("a=candidate") == 3


class TestRemote:
    def answering(self) -> JsepSession:
        session = make_session(2)
        session.apply_remote("offer", local_text(offering()))
        return session

    def test_candidate_enters_the_description_and_is_routed(self) -> None:
        session = self.answering()
        (route,) = session.add_remote_candidate("0", 0, "off1", HOST)
        assert (route.mid, route.username_fragment, route.line) == ("0", "off1", HOST)
        assert f"a={HOST}\r\n" in remote_text(session)
        assert "m=application 9 " in remote_text(session)

    @pytest.mark.parametrize(("mid", "index"), [("0", None), (None, 0), ("0", 7)])
    def test_mid_takes_precedence_over_index(self, mid: str | None, index: int | None) -> None:
        (route,) = self.answering().add_remote_candidate(mid, index, None, HOST)
        assert route.username_fragment == "off1"

    @pytest.mark.parametrize(
        ("mid", "index", "generation"),
        [("1", None, None), ("", None, None), (None, 1, None), (None, -1, None), ("0", 0, "off2")],
    )
    def test_unknown_sections(self, mid: str | None, index: int | None, generation: str | None) -> None:
        session = self.answering()
        before = visible(session)
        with pytest.raises(OperationError):
            session.add_remote_candidate(mid, index, generation, HOST)
        assert visible(session) == before

    @pytest.mark.parametrize(
        "line",
        [
            "nonsense",
            "candidate:",
            f"{HOST}\r\na=setup:active",
            "candidate:\u00e9",
            "candidate:" + "x" * 2000,
        ],
    )
    def test_invalid_candidate_lines(self, line: str) -> None:
        session = self.answering()
        before = visible(session)
        with pytest.raises(OperationError):
            session.add_remote_candidate("0", 0, None, line)
        assert visible(session) == before

    def test_before_the_description(self) -> None:
        with pytest.raises(InvalidStateError):
            offering().add_remote_candidate("0", 0, None, HOST)

    def test_neither_mid_nor_index(self) -> None:
        session = self.answering()
        with pytest.raises(TypeError):
            session.add_remote_candidate(None, None, None, HOST)
        (route,) = session.add_remote_candidate(None, None, None, "")
        assert route.line is None
        assert "a=end-of-candidates\r\n" in remote_text(session)

    def test_candidates_of_rejected_sections_are_dropped(self) -> None:
        session = make_session()
        session.apply_remote("offer", REAL_OFFERS["firefox-offer-av"])
        before = session.remote_description
        assert session.add_remote_candidate("0", 0, None, HOST) == ()
        assert session.remote_description is not before

    def test_offer_without_data_channels(self) -> None:
        session = make_session()
        session.apply_remote("offer", REAL_OFFERS["chromium-offer-recvonly"])
        assert session.add_remote_candidate("0", 0, None, HOST) == ()
        assert session.add_remote_candidate(None, None, None, None) == ()

    def test_generations_have_separate_candidates(self) -> None:
        first, second = make_session(1), make_session(2)
        negotiate(first, second)
        second.apply_remote("offer", first.create_offer(local_media("off2")))
        (old,) = second.add_remote_candidate("0", 0, "off1", HOST)
        (new,) = second.add_remote_candidate("0", 0, None, REFLEXIVE)
        assert (old.username_fragment, new.username_fragment) == ("off1", "off2")
        assert second.current_remote is not None
        assert second.pending_remote is not None
        assert HOST in second.current_remote.sdp
        assert HOST not in second.pending_remote.sdp
        assert REFLEXIVE in second.pending_remote.sdp

    def test_bounded(self) -> None:
        session = make_session(2, SessionOptions(maximum_candidates=3))
        session.apply_remote("offer", local_text(offering()))
        routes = [
            session.add_remote_candidate("0", 0, None, f"candidate:{number} 1 udp 1 192.0.2.1 1 typ host")
            for number in range(5)
        ]
        assert [bool(found) for found in routes] == [True, True, True, False, False]
        assert session.add_remote_candidate("0", 0, None, None)
        assert remote_text(session).count("a=candidate") == 3

    @given(
        st.none() | st.text(max_size=3),
        st.none() | st.integers(-2, 3),
        st.none() | st.sampled_from(["off1", "off2"]),
        st.none() | st.text(max_size=40) | st.text(max_size=20).map("candidate:{}".format),
    )
    def test_arbitrary_candidates_are_accepted_or_rejected(
        self, mid: str | None, index: int | None, generation: str | None, line: str | None
    ) -> None:
        session = self.answering()
        before = visible(session)
        try:
            session.add_remote_candidate(mid, index, generation, line)
        except (OperationError, TypeError):
            assert visible(session) == before
        assert make_session(3).apply_remote("offer", remote_text(session)).transport is not None
