"""Codecs of an offer by the direction of its section (RFC 9429 section 5.2.1)."""

import pytest

from tests.api.web_platform.negotiation import section
from trio_rtc import RTCPeerConnection, RTCRtpCodec, RTCRtpReceiver, RTCRtpSender


def codecs_of(capabilities: object) -> set[tuple[str, str | None]]:
    codecs: list[RTCRtpCodec] = getattr(capabilities, "codecs", [])
    return {(each.mime_type, each.sdp_fmtp_line) for each in codecs if each.mime_type != "video/rtx"}


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "sendrecv"])
async def test_only_usable_ones_are_offered(direction: str) -> None:
    sent = codecs_of(RTCRtpSender.get_capabilities("video"))
    received = codecs_of(RTCRtpReceiver.get_capabilities("video"))
    usable = {"sendonly": sent, "recvonly": received, "sendrecv": sent & received}[direction]
    pc = RTCPeerConnection()
    pc.add_transceiver("video", direction=direction)
    text = section(await pc.create_offer(), 0)
    offered = [line for line in text.splitlines() if line.startswith("a=rtpmap:") and " rtx/" not in line]
    assert len(offered) == len(usable)
