"""Media with pion, which has no codecs and echoes the received packets.

It neither sends nor forwards PLI, so that its received video must begin with a keyframe.
"""

import base64

import pytest
import trio

from tests.interop.calling import OUR_TONE, Call, assert_counting, calling, wait_until
from tests.interop.opening import Peers
from tests.interop.own_media import read_counters, wait_for_tone

OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
NAMES = pytest.mark.parametrize("name", ["pion", "pion-passive"])


async def add_both(call: Call, *, video: str = "VP8") -> None:
    """Send a video and an audio track that pion echoes."""
    call.ours.add_video()
    call.ours.add_audio(frequency=OUR_TONE)
    if video != "VP8":
        call.ours.prefer_codec("video", video)
    await call.remote.media.add_echo("video", video)
    await call.remote.media.add_echo("audio", "opus")


async def assert_echoed(call: Call) -> None:
    """Wait until our video and audio are received back."""
    (video,), (audio,) = call.ours.of_kind("video"), call.ours.of_kind("audio")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_tone, audio.receiver.track, OUR_TONE)
        assert_counting(await read_counters(video.receiver.track, count=20))


def is_keyframe_start(codec: str, payload: bytes) -> bool:
    """Return whether an RTP payload begins a keyframe (RFC 7741 section 4.3, RFC 6184 section 5.2)."""
    if codec == "vp8":
        extended, start = payload[0] & 0x80, payload[0] & 0x10
        offset = 1
        if extended:
            flags = payload[1]
            offset = 2
            if flags & 0x80:  # PictureID present
                offset += 2 if payload[offset] & 0x80 else 1
            offset += bool(flags & 0x40) + bool(flags & 0x30)  # TL0PICIDX, TID and KEYIDX present
        return bool(start) and not payload[offset] & 1
    kind = payload[0] & 0x1F
    # A parameter set, an aggregate that begins with one, or an IDR slice.
    return kind in (5, 7) or (kind == 24 and payload[3] & 0x1F == 7)


@OFFERING
@NAMES
@pytest.mark.parametrize("video", ["VP8", "H264"])
async def test_video_and_audio_are_echoed(peers: Peers, name: str, video: str, we_offer: bool) -> None:
    async with calling(peers, name) as call:
        await add_both(call, video=video)
        await call.negotiate(we_offer=we_offer)
        await assert_echoed(call)
        seen = await call.remote.media.received("video")
        assert seen["codec"] == video.lower()
        assert is_keyframe_start(video.lower(), base64.b64decode(seen["first"]))
        assert (await call.remote.media.received("audio"))["codec"] == "opus"


@OFFERING
async def test_data_and_media_share_a_connection(peers: Peers, we_offer: bool) -> None:
    async with calling(peers, "pion") as call:
        await add_both(call)
        if we_offer:
            ours = call.own.pc.create_data_channel("chat")
            await call.negotiate(we_offer=True)
            theirs = await call.remote.accept_channel()
        else:
            theirs = await call.remote.create_data_channel("chat")
            await call.negotiate(we_offer=False)
            ours = await call.own.accept_channel()
        await ours.opened()
        await theirs.opened.wait()
        await ours.send("there")
        assert await theirs.receive() == "there"
        await theirs.send("and back")
        assert await ours.receive() == "and back"
        await assert_echoed(call)


async def test_receiver_reports_of_pion_reach_the_sender(peers: Peers) -> None:
    async with calling(peers, "pion") as call:
        await add_both(call)
        await call.negotiate(we_offer=True)
        await assert_echoed(call)
        (video,) = call.ours.of_kind("video")

        async def has_round_trip_time() -> bool:
            stats = (await video.sender.get_stats()).values()
            return any(getattr(each, "round_trip_time", None) is not None for each in stats)

        await wait_until(has_round_trip_time)
