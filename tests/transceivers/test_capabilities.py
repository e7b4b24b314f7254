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


def test_senders_list_no_codecs_that_are_only_decoded() -> None:
    assert RTCRtpReceiver.get_capabilities("audio") == RTCRtpSender.get_capabilities("audio")
    assert RTCRtpReceiver.get_capabilities("smell") is None
    sent, received = RTCRtpSender.get_capabilities("video"), RTCRtpReceiver.get_capabilities("video")
    assert sent is not None
    assert received is not None
    assert [(each.name, each.sdp_fmtp_line) for each in received.codecs if each not in sent.codecs] == [
        ("AV1", "level-idx=5;profile=1;tier=0"),
        ("VP9", "profile-id=2"),
        ("VP9", "profile-id=1"),
        ("VP9", "profile-id=3"),
        ("H265", "level-id=93;profile-id=2;tier-flag=0;tx-mode=SRST"),
    ]
    assert all(each in received.codecs for each in sent.codecs)
