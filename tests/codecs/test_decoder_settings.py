"""Decoder settings of a connection."""

import pytest
import trio

from tests.strategies.media import connect_track
from tests.strategies.peers import two_peers
from tests.strategies.video_frames import timed_pattern
from trio_rtc import MediaStreamTrackSource, Settings, open_media_track
from trio_rtc.codecs import VideoDecoderOptions, create_video_encoder
from trio_rtc.media import read_counter


async def send_keyframes(source: MediaStreamTrackSource) -> None:
    encoder = create_video_encoder("VP8")
    for counter in range(100):
        for frame in encoder.encode(timed_pattern(counter), force_keyframe=True):
            await source.send(frame)
        await trio.sleep(1 / 30)


@pytest.mark.parametrize(("max_pixels", "comes"), [(1 << 20, True), (1000, False)])
async def test_frame_with_too_many_pixels_is_not_decoded(max_pixels, comes, autojump_clock):
    settings = Settings(video_decoder=VideoDecoderOptions(max_pixels=max_pixels))
    async with two_peers(settings=settings) as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_keyframes, source)
        image = None
        with trio.move_on_after(1):
            image = await event.track.receive()
        assert (image is not None) is comes
        if image is not None:
            assert read_counter(image) is not None
        assert sender.track is track
        nursery.cancel_scope.cancel()
