"""Payload types of an offer of all codecs (RFC 5761 section 4, RFC 3551 section 6)."""

import re

from trio_rtc import RTCPeerConnection


async def test_they_are_valid_with_rtcp_mux() -> None:
    pc = RTCPeerConnection()
    for kind in ("audio", "video"):
        pc.add_transceiver(kind, direction="recvonly")
    sections = re.findall(r"m=\w+ \d+ \S+ (.*)\r", (await pc.create_offer()).sdp)
    used = [int(number) for text in sections for number in text.split()]
    assert len(used) > 20
    assert [number for number in used if not (0 <= number < 64 or 96 <= number < 128)] == []
