"""Capabilities of senders and receivers (W3C webrtc sections 5.2 and 5.3)."""

import pytest

from trio_rtc import (
    RTCRtpCodec,
    RTCRtpReceiver,
    RTCRtpSender,
)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_capabilities(kind: str) -> None:
    capabilities = RTCRtpSender.get_capabilities(kind)
    assert capabilities is not None
    assert capabilities.codecs
    assert all(codec.kind == kind for codec in capabilities.codecs)
    assert all(codec.clock_rate > 0 for codec in capabilities.codecs)
    assert [codec for codec in capabilities.codecs if codec.name == "rtx"] == (
        [RTCRtpCodec("video/rtx", 90000)] if kind == "video" else []
    )
    assert "urn:ietf:params:rtp-hdrext:sdes:mid" in [each.uri for each in capabilities.header_extensions]


def test_other_kinds_have_no_capabilities() -> None:
    assert RTCRtpSender.get_capabilities("text") is None


def test_capabilities_are_those_of_senders() -> None:
    assert RTCRtpReceiver.get_capabilities("audio") == RTCRtpSender.get_capabilities("audio")
    assert RTCRtpReceiver.get_capabilities("smell") is None
