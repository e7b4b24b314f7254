"""``add_ice_candidate`` with two sections of different credentials (W3C webrtc section 4.4.2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.strategies.media import ENCODED
from tests.strategies.peers import two_peers
from trio_rtc import InvalidStateError, OperationError, RTCIceCandidate, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")

_FINGERPRINT = ":".join(["5A"] * 32)


def _section(kind: str, payload: str, mid: str, ufrag: str) -> str:
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {payload.split(maxsplit=1)[0]}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{mid}",
        f"a=rtpmap:{payload}",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{ufrag * 6}",
        f"a=fingerprint:sha-256 {_FINGERPRINT}",
        "a=setup:actpass",
        "a=rtcp-mux",
        "a=sendrecv",
    ]
    return "".join(f"{line}\r\n" for line in lines)


OFFER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-options:trickle\r\na=group:BUNDLE a v\r\n"
    + _section("audio", "96 opus/48000/2", "a", "aaaa")
    + _section("video", "100 VP8/90000", "v", "vvvv")
)
ONE = "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host"
OTHER = "candidate:1 1 udp 2113929470 203.0.113.100 10101 typ host"
END = "a=end-of-candidates"


@asynccontextmanager
async def with_remote_offer() -> AsyncIterator[RTCPeerConnection]:
    async with two_peers(settings=ENCODED) as peers:
        await peers.alice.set_remote_description({"type": "offer", "sdp": OFFER})
        yield peers.alice


def sections_with(pc: RTCPeerConnection, line: str) -> list[str]:
    """Return the mids of the remote sections that have a line."""
    assert pc.remote_description is not None
    _, *sections = pc.remote_description.sdp.split("\r\nm=")
    return [section.split("a=mid:")[1][0] for section in sections if f"\r\n{line}\r\n" in f"{section}\r\n"]


async def test_after_close() -> None:
    async with with_remote_offer() as pc:
        pc.close()
        with pytest.raises(InvalidStateError):
            await pc.add_ice_candidate({"candidate": ONE, "sdpMid": "a"})


@pytest.mark.parametrize("end", [None, {}, {"candidate": "", "sdpMid": None, "sdpMLineIndex": None}], ids=str)
@pytest.mark.parametrize("answered", [False, True])
async def test_an_end_without_section_ends_all(end: dict[str, Any] | None, answered: bool) -> None:
    async with with_remote_offer() as pc:
        if answered:
            await pc.set_local_description()
        await pc.add_ice_candidate(end)
        assert sections_with(pc, END) == ["a", "v"]


@pytest.mark.parametrize(
    ("end", "sections"),
    [
        ({"usernameFragment": "aaaa", "sdpMid": "a"}, ["a"]),
        ({"usernameFragment": "vvvv", "sdpMLineIndex": 1}, ["v"]),
        ({"candidate": "", "sdpMid": "v"}, ["v"]),
    ],
    ids=str,
)
async def test_an_end_of_one_section(end: dict[str, Any], sections: list[str]) -> None:
    async with with_remote_offer() as pc:
        await pc.add_ice_candidate(end)
        assert sections_with(pc, END) == sections


@pytest.mark.parametrize(
    ("candidate", "sections"),
    [
        ({"candidate": ONE, "sdpMid": "a", "sdpMLineIndex": 0, "usernameFragment": "aaaa"}, ["a"]),
        ({"candidate": ONE, "sdpMid": "v", "sdpMLineIndex": 1, "usernameFragment": "vvvv"}, ["v"]),
        ({"candidate": ONE, "sdpMid": "a", "usernameFragment": None}, ["a"]),
        ({"candidate": ONE, "sdpMid": "v", "sdpMLineIndex": 1, "usernameFragment": None}, ["v"]),
        ({"candidate": ONE, "sdpMLineIndex": 0}, ["a"]),
        ({"candidate": ONE, "sdpMLineIndex": 1}, ["v"]),
        ({"candidate": ONE, "sdpMid": "a", "sdpMLineIndex": 2}, ["a"]),
        (RTCIceCandidate(ONE, "v"), ["v"]),
    ],
    ids=str,
)
async def test_the_section_of_a_candidate(
    candidate: RTCIceCandidate | dict[str, Any], sections: list[str]
) -> None:
    async with with_remote_offer() as pc:
        await pc.add_ice_candidate(candidate)
        assert sections_with(pc, f"a={ONE}") == sections
        assert sections_with(pc, END) == []


async def test_several_candidates_and_the_end() -> None:
    async with with_remote_offer() as pc:
        await pc.add_ice_candidate({"candidate": ONE, "sdpMid": "a", "usernameFragment": "aaaa"})
        await pc.add_ice_candidate({"candidate": OTHER, "sdpMid": "v", "usernameFragment": "vvvv"})
        await pc.add_ice_candidate({"candidate": "", "sdpMid": "a", "usernameFragment": "aaaa"})
        assert sections_with(pc, f"a={ONE}") == ["a"]
        assert sections_with(pc, f"a={OTHER}") == ["v"]
        assert sections_with(pc, END) == ["a"]


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ({"candidate": ONE}, TypeError),
        ({"candidate": ONE, "sdpMid": None, "sdpMLineIndex": None}, TypeError),
        ({"candidate": "(invalid) \r\n", "sdpMid": None, "sdpMLineIndex": None}, TypeError),
        ({"candidate": ONE, "sdpMid": "invalid", "sdpMLineIndex": 0}, OperationError),
        ({"candidate": ONE, "sdpMLineIndex": 2}, OperationError),
        ({"candidate": ONE, "sdpMid": "a", "usernameFragment": "invalid"}, OperationError),
        ({"candidate": ONE, "sdpMid": "v", "usernameFragment": "aaaa"}, OperationError),
        ({"candidate": "(invalid) \r\n", "sdpMid": "a"}, OperationError),
        ({"usernameFragment": "invalid"}, OperationError),
    ],
    ids=str,
)
async def test_refused_candidates(candidate: dict[str, Any], error: type[Exception]) -> None:
    async with with_remote_offer() as pc:
        with pytest.raises(error):
            await pc.add_ice_candidate(candidate)
        assert pc.remote_description is not None
        assert "candidate" not in pc.remote_description.sdp.replace("end-of-", "")


async def test_members_of_local_candidates_are_ignored() -> None:
    async with with_remote_offer() as pc:
        await pc.add_ice_candidate({"candidate": ONE, "sdpMid": "a", "relayProtocol": "bogus", "url": 5})
        assert sections_with(pc, f"a={ONE}") == ["a"]
