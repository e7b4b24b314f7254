"""The session part of an initial offer (RFC 9429 section 5.2.1)."""

import re

from trio_rtc import RTCPeerConnection


async def test_the_first_lines() -> None:
    pc = RTCPeerConnection()
    pc.add_transceiver("video", direction="recvonly")
    lines = (await pc.create_offer()).sdp.split("\r\n")
    assert lines[0] == "v=0"
    origin = re.fullmatch(r"o=- (\d+) (\d+) IN IP4 (0\.0\.0\.0|127\.0\.0\.1)", lines[1])
    assert origin is not None
    assert int(origin[1]) < 2**62
    assert lines[2] == "s=-"
    assert lines[3] == "t=0 0"
    assert lines[-1] == ""


async def test_two_connections_have_two_session_ids() -> None:
    offers = [await RTCPeerConnection().create_offer() for _ in range(2)]
    assert offers[0].sdp != offers[1].sdp


async def test_the_version_grows_with_each_changed_offer() -> None:
    pc = RTCPeerConnection()
    versions = []
    for kind in ("audio", "video"):
        pc.add_transceiver(kind)
        versions.append(int((await pc.create_offer()).sdp.split("\r\n")[1].split()[2]))
    assert versions[0] <= versions[1]
