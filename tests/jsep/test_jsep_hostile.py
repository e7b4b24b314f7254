"""Descriptions designed to be expensive: the work is nearly linear in their length."""

import random

import pytest

from tests.strategies.jsep_sessions import local_media
from tests.strategies.line_count import count_lines
from trio_rtc.jsep import JsepSession, SessionOptions

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
PASSWORD = "secretsecretsecretsecret"


def offer(sections: int, session_lines: str = "", section_lines: str = "") -> str:
    """Return an offer of many bundled sections for data channels."""
    mids = " ".join(map(str, range(sections)))
    head = f"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n{session_lines}"
    return head + "".join(
        f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
        f"a=ice-ufrag:abcd\r\na=ice-pwd:{PASSWORD}\r\na=setup:actpass\r\na=fingerprint:{FINGERPRINT}\r\n"
        + section_lines
        for mid in range(sections)
    )


def work_of(text: str) -> int:
    session = JsepSession(rng=random.Random(1))

    def negotiate() -> None:
        session.apply_remote("offer", text)
        session.create_answer(local_media("answ"))
        session.apply_local("answer")

    return count_lines(negotiate)


@pytest.mark.parametrize(
    "line",
    ["a=x", "a=ice-options:" + " ".join("abcdefgh"), f"a=fingerprint:{FINGERPRINT}", "a=end-of-candidates"],
)
def test_inherited_lines_are_bounded(line: str) -> None:
    """Each section inherits all session-level lines: the maximum number of lines and of sections."""
    text = offer(250, f"{line}\r\n" * 200)
    assert work_of(text) < 40 * len(text) + 2_000_000


def test_sections_are_not_compared_pairwise() -> None:
    assert work_of(offer(200)) / work_of(offer(50)) < 8


def test_candidates_of_a_description_are_bounded() -> None:
    lines = "".join(
        f"a=candidate:{number} 1 udp 1 10.0.{number // 250}.{number % 250} 9 typ host\r\n"
        for number in range(5000)
    )
    session = JsepSession(rng=random.Random(1), options=SessionOptions(maximum_candidates=20))
    plan = session.apply_remote("offer", offer(1, section_lines=lines)).transport
    assert plan is not None
    assert len(plan.remote_candidates) == 20


def test_no_password_is_in_a_representation() -> None:
    session = JsepSession(rng=random.Random(1))
    applied = session.apply_remote("offer", offer(1))
    assert applied.transport is not None
    assert applied.transport.remote_pwd == PASSWORD
    assert PASSWORD not in repr(applied)
    ours = local_media("answ")
    assert ours.ice_parameters[1] not in repr(ours)
    assert ours.transport(0).password not in repr(ours.transport(0))
