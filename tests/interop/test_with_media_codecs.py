"""Calls with every peer in each of its codecs: media sent is received on the other side, in both directions."""

import pytest
import trio

from tests.interop.calling import Call, calling
from tests.interop.opening import Peers
from tests.interop.own_media import luma_of, psnr, read_frame
from trio_rtc import RTCCodecStats, RTCInboundRtpStreamStats, RTCOutboundRtpStreamStats

DECIBELS, DECIBELS_IN_COLOURS = 32, 24
"""Minimum PSNR of frames. Where a browser returns only RGB, some of our colours are out of its gamut."""

CALLS = [
    ("chromium", "VP8", "opus"),
    ("chromium", "VP9", "PCMU"),
    ("chromium", "H264", "PCMA"),
    ("chromium", "AV1", "G722"),
    ("firefox", "VP8", "opus"),
    ("firefox", "VP9", "PCMU"),
    ("firefox", "VP8", "PCMA"),
    ("firefox", "AV1", "G722"),
]


@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
@pytest.mark.parametrize(("name", "video", "audio"), CALLS)
async def test_media_with_browsers(peers: Peers, name: str, video: str, audio: str, we_offer: bool) -> None:
    async with calling(peers, name) as call:
        await exchange_media(call, video, audio, we_offer=we_offer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(assert_their_video_quality, call)
            nursery.start_soon(assert_our_video_quality, call)
        await assert_their_stats(call, video, audio)
        await assert_our_stats(call, video, audio)


LIBRARY_CALLS = [
    ("aiortc", "VP8", "opus"),
    ("aiortc", "H264", "PCMU"),
    ("aiortc", "VP8", "G722"),
    ("wrtc", "VP8", "opus"),
    ("wrtc", "AV1", "G722"),
]


@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
@pytest.mark.parametrize(("name", "video", "audio"), LIBRARY_CALLS)
async def test_media_with_libraries(peers: Peers, name: str, video: str, audio: str, we_offer: bool) -> None:
    async with calling(peers, name) as call:
        await exchange_media(call, video, audio, we_offer=we_offer)
        for kind, codec in (("video", video), ("audio", audio)):
            (transceiver,) = call.ours.of_kind(kind)
            assert transceiver.sender.get_parameters().codecs[0].name.upper() == codec.upper()


async def exchange_media(call: Call, video: str, audio: str, *, we_offer: bool) -> None:
    """Send distinguishable media in the offerer's preferred codecs, and wait until it is received."""
    await call.add_all()
    for kind, codec in (("video", video), ("audio", audio)):
        if we_offer:
            call.ours.prefer_codec(kind, codec)
        else:
            await call.theirs.prefer_codec(kind, codec)
    await call.negotiate(we_offer=we_offer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.assert_video_received)
        nursery.start_soon(call.assert_tones_received)


async def assert_their_video_quality(call: Call) -> None:
    """Wait until the peer has a frame similar to the one that we have sent."""
    (video,) = call.ours.of_kind("video")
    assert video.mid is not None
    while True:
        frame = await call.theirs.read_frame(video.mid)
        wanted = DECIBELS if frame.format in ("I420", "NV12") else DECIBELS_IN_COLOURS
        if psnr(frame.luma, frame.counter) >= wanted:
            return


async def assert_our_video_quality(call: Call) -> None:
    """Wait for a frame similar to the one that the peer has sent."""
    (video,) = call.ours.of_kind("video")
    while True:
        counter, frame = await read_frame(video.receiver.track)
        if psnr(luma_of(frame), counter) >= DECIBELS:
            return


async def assert_their_stats(call: Call, video: str, audio: str) -> None:
    """Require the peer's statistics to show these codecs and no lost or corrupt packets."""
    stats = {each["id"]: each for each in await call.remote.get_stats()}
    for kind, codec in (("video", video), ("audio", audio)):
        (received,) = [each for each in stats.values() if is_rtp(each, "inbound-rtp", kind)]
        (sent,) = [each for each in stats.values() if is_rtp(each, "outbound-rtp", kind)]
        for each in (received, sent):
            assert stats[each["codecId"]]["mimeType"].lower() == f"{kind}/{codec}".lower()
        assert received["packetsLost"] == 0
        assert received["packetsReceived"] > 0
        assert sent["packetsSent"] > 0
        if kind == "video":
            assert received["framesDecoded"] >= 8
            assert sent["framesEncoded"] >= 8
            assert (received["frameWidth"], received["frameHeight"]) == (320, 180)


async def assert_our_stats(call: Call, video: str, audio: str) -> None:
    """Require our statistics to show these codecs and no lost packets."""
    for kind, codec in (("video", video), ("audio", audio)):
        (transceiver,) = call.ours.of_kind(kind)
        stats = {**await transceiver.receiver.get_stats(), **await transceiver.sender.get_stats()}
        (received,) = [each for each in stats.values() if isinstance(each, RTCInboundRtpStreamStats)]
        (sent,) = [each for each in stats.values() if isinstance(each, RTCOutboundRtpStreamStats)]
        for each in (received, sent):
            assert each.codec_id is not None
            of_codec = stats[each.codec_id]
            assert isinstance(of_codec, RTCCodecStats)
            assert of_codec.mime_type.lower() == f"{kind}/{codec}".lower()
        assert received.packets_lost == 0
        assert received.packets_received > 0
        assert sent.packets_sent > 0
        if kind == "video":
            assert (received.frames_decoded or 0) >= 8
            assert (sent.frames_encoded or 0) >= 8
            assert (received.frame_width, received.frame_height) == (320, 180)


def is_rtp(stats: dict[str, object], type_: str, kind: str) -> bool:
    """Return whether these are a peer's statistics of an RTP stream."""
    return stats["type"] == type_ and stats["kind"] == kind
