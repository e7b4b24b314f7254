"""Local candidates after the description, and the default candidate."""

import pytest

from tests.strategies.jsep_sessions import (
    local_media,
    local_text,
    make_session,
    negotiate,
    offering_session,
    visible,
)
from trio_rtc.jsep import SessionOptions

HOST = "candidate:1 1 udp 2122194687 192.0.2.1 1111 typ host"
HOST_IPV6 = "candidate:2 1 udp 2122265343 2001:db8::1 2222 typ host"
NAMED = "candidate:3 1 udp 2122265342 9a1c.local 3333 typ host"
TCP = "candidate:4 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active"
REFLEXIVE = "candidate:5 1 udp 1685987071 198.51.100.1 4444 typ srflx raddr 192.0.2.1 rport 1111"


class TestLocal:
    def test_candidate_enters_the_pending_description(self) -> None:
        session = offering_session()
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
        session = offering_session()
        for line in lines:
            session.add_local_candidate("0", line)
        assert f"m=application {port} " in local_text(session)
        assert f"c={connection}\r\n" in local_text(session)
        assert local_text(session).count("a=candidate:") == len(lines)

    def test_duplicates_are_ignored(self) -> None:
        session = offering_session()
        session.add_local_candidate("0", HOST)
        before = session.pending_local
        session.add_local_candidate("0", f"a={HOST}")
        assert session.pending_local is before

    def test_end_of_candidates_is_added_once(self) -> None:
        session = offering_session()
        session.local_candidates_complete("0")
        session.local_candidates_complete("0")
        assert local_text(session).count("a=end-of-candidates\r\n") == 1

    def test_unknown_section_and_no_description_are_ignored(self) -> None:
        session = make_session()
        session.add_local_candidate("0", HOST)
        session.local_candidates_complete("0")
        assert session.local_description is None
        session = offering_session()
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
