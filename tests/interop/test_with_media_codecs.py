"""Calls with every peer in every codec that it has: what is sent is seen and heard on the other side, both ways."""

import pytest
import trio

from tests.interop.calling import Call, calling
from tests.interop.opening import Peers
from tests.interop.own_media import luma_of, psnr, read_picture
from trio_rtc import RTCCodecStats, RTCInboundRtpStreamStats, RTCOutboundRtpStreamStats

DECIBELS, DECIBELS_IN_COLOURS = 32, 24
"""How like what was sent pictures have to be. Where a browser gives colours only, some of ours are out of its gamut."""

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
async def test_both_see_and_hear_each_other(
    peers: Peers, name: str, video: str, audio: str, we_offer: bool
) -> None:
    async with calling(peers, name) as call:
        await see_and_hear_each_other(call, video, audio, we_offer=we_offer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(assert_they_see_well, call)
            nursery.start_soon(assert_we_see_well, call)
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
async def test_libraries_see_and_hear_us_and_we_them(
    peers: Peers, name: str, video: str, audio: str, we_offer: bool
) -> None:
    async with calling(peers, name) as call:
        await see_and_hear_each_other(call, video, audio, we_offer=we_offer)
        for kind, codec in (("video", video), ("audio", audio)):
            (transceiver,) = call.ours.of_kind(kind)
            assert transceiver.sender.get_parameters().codecs[0].name.upper() == codec.upper()


async def see_and_hear_each_other(call: Call, video: str, audio: str, *, we_offer: bool) -> None:
    """Send what can be told apart, in codecs that the offerer prefers, and wait until it is there."""
    await call.add_all()
    for kind, codec in (("video", video), ("audio", audio)):
        if we_offer:
            call.ours.prefer_codec(kind, codec)
        else:
            await call.theirs.prefer_codec(kind, codec)
    await call.negotiate(we_offer=we_offer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.assert_seen)
        nursery.start_soon(call.assert_heard)


async def assert_they_see_well(call: Call) -> None:
    """Wait for a picture that is like the one that we have sent."""
    (video,) = call.ours.of_kind("video")
    assert video.mid is not None
    while True:
        picture = await call.theirs.read_picture(video.mid)
        wanted = DECIBELS if picture.format in ("I420", "NV12") else DECIBELS_IN_COLOURS
        if psnr(picture.luma, picture.counter) >= wanted:
            return


async def assert_we_see_well(call: Call) -> None:
    """Wait for a picture that is like the one that the peer has sent."""
    (video,) = call.ours.of_kind("video")
    while True:
        counter, frame = await read_picture(video.receiver.track)
        if psnr(luma_of(frame), counter) >= DECIBELS:
            return


async def assert_their_stats(call: Call, video: str, audio: str) -> None:
    """The peer has received and sent in these codecs, and has lost and found broken nothing."""
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
    """We have received and sent in these codecs, and have lost nothing."""
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
    """Whether this is what a peer tells of a stream of packets."""
    return stats["type"] == type_ and stats["kind"] == kind
