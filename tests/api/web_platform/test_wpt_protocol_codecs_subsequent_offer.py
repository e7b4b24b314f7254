"""Codecs of a later offer: all that are available (RFC 9429 section 5.2.2)."""

import re

from tests.api.web_platform.negotiation import section
from trio_rtc import RTCPeerConnection, RTCRtpSender


async def test_a_codec_that_the_peer_did_not_offer_is_offered() -> None:
    async with RTCPeerConnection() as peer, RTCPeerConnection() as pc:
        capabilities = RTCRtpSender.get_capabilities("video")
        assert capabilities is not None
        transceiver = peer.add_transceiver("video")
        transceiver.set_codec_preferences(
            [codec for codec in capabilities.codecs if codec.mime_type == "video/VP8"]
        )
        offer = await peer.create_offer()
        assert "H264" not in offer.sdp
        await pc.set_remote_description(offer)
        await pc.set_local_description()
        assert not pc.get_transceivers()[0].stopped
        names = set(re.findall(r"a=rtpmap:\d+ (\w+)/90000", section(await pc.create_offer(), 0)))
        assert {"VP8", "H264"} <= names
