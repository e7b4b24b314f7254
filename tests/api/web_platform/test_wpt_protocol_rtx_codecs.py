"""Codecs for retransmission, each of one codec (RFC 4588 section 8)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, section
from tests.strategies.peers import two_peers
from trio_rtc import RTCRtpReceiver, RTCRtpSender, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


def repaired(description: RTCSessionDescription) -> dict[str, str]:
    """Return the payload type that each RTX payload type repairs."""
    lines = section(description, 0).splitlines()
    rtx = [line.split()[0].removeprefix("a=rtpmap:") for line in lines if line.endswith(" rtx/90000")]
    apt = {
        line.split()[0].removeprefix("a=fmtp:"): line.split("apt=")[1] for line in lines if " apt=" in line
    }
    return {number: apt[number] for number in rtx}


async def test_the_capabilities_list_rtx_once() -> None:
    for interface in (RTCRtpSender, RTCRtpReceiver):
        capabilities = interface.get_capabilities("video")
        assert capabilities is not None
        assert [codec.sdp_fmtp_line for codec in capabilities.codecs if codec.name == "rtx"] == [None]


async def test_offers_and_answers_have_one_for_each_codec() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        offer = await peers.alice.create_offer()
        answer = await answer_of(peers.bob, offer)
        for description in (offer, answer):
            of = repaired(description)
            assert len(set(of.values())) == len(of) > 0
            listed = section(description, 0).split("\r\n")[0].split()[3:]
            assert set(of) | set(of.values()) <= set(listed)


async def test_it_is_left_out_when_it_is_not_preferred() -> None:
    async with two_peers() as peers:
        capabilities = RTCRtpReceiver.get_capabilities("video")
        assert capabilities is not None
        transceiver = peers.alice.add_transceiver("video")
        vp8 = next(codec for codec in capabilities.codecs if codec.name == "VP8")
        transceiver.set_codec_preferences([vp8])
        assert repaired(await peers.alice.create_offer()) == {}
        rtx = next(codec for codec in capabilities.codecs if codec.name == "rtx")
        transceiver.set_codec_preferences([vp8, rtx])
        assert len(repaired(await peers.alice.create_offer())) == 1
