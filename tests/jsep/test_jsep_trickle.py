"""Remote candidates after the description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import (
    local_media,
    local_text,
    make_session,
    negotiate,
    offering_session,
    remote_text,
    visible,
)
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.jsep import JsepSession, SessionOptions

HOST = "candidate:1 1 udp 2122194687 192.0.2.1 1111 typ host"
HOST_IPV6 = "candidate:2 1 udp 2122265343 2001:db8::1 2222 typ host"
NAMED = "candidate:3 1 udp 2122265342 9a1c.local 3333 typ host"
TCP = "candidate:4 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active"
REFLEXIVE = "candidate:5 1 udp 1685987071 198.51.100.1 4444 typ srflx raddr 192.0.2.1 rport 1111"


class TestRemote:
    def answering(self) -> JsepSession:
        session = make_session(2)
        session.apply_remote("offer", local_text(offering_session()))
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
            offering_session().add_remote_candidate("0", 0, None, HOST)

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
        session.apply_remote("offer", local_text(offering_session()))
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
