"""The video codecs that every endpoint has: VP8 and H.264 (RFC 7742 section 5)."""

from tests.api.web_platform.negotiation import section
from trio_rtc import RTCPeerConnection, RTCRtpSender


async def test_they_are_offered() -> None:
    pc = RTCPeerConnection()
    pc.add_transceiver("video", direction="recvonly")
    offered = section(await pc.create_offer(), 0)
    names = {line.split()[1] for line in offered.splitlines() if line.startswith("a=rtpmap:")}
    assert {"VP8/90000", "H264/90000"} <= names
    # Constrained Baseline, with asymmetric levels (RFC 7742 section 6.2).
    h264 = [line for line in offered.splitlines() if "profile-level-id=42e0" in line]
    assert h264
    assert "packetization-mode=1" in h264[0]


async def test_they_are_capabilities() -> None:
    capabilities = RTCRtpSender.get_capabilities("video")
    assert capabilities is not None
    assert {"video/VP8", "video/H264"} <= {codec.mime_type for codec in capabilities.codecs}
