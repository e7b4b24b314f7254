"""Calls with the H.264 profiles of cameras, and with packets of single NAL units."""

import re
from fractions import Fraction

import av
import pytest
import trio

from tests.strategies.media import until_connected
from tests.strategies.peers import two_peers
from tests.strategies.video_frames import timed_pattern
from trio_rtc import RTCRtpReceiver, open_media_track
from trio_rtc.codecs import VideoEncoderOptions, create_video_decoder, create_video_encoder

WIDTH, HEIGHT = 320, 180
OURS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def h264(parameters):
    capabilities = RTCRtpReceiver.get_capabilities("video")
    return [
        codec for codec in capabilities.codecs if (codec.name, codec.sdp_fmtp_line) == ("H264", parameters)
    ]


async def send_frames(source, profile):
    encoder = create_video_encoder("H264", VideoEncoderOptions(extra={"profile": profile}))
    for counter in range(1000):
        for frame in encoder.encode(timed_pattern(counter, WIDTH, HEIGHT), force_keyframe=counter % 10 == 0):
            await source.send(frame)
        await trio.sleep(1 / 30)


async def negotiate(offerer, answerer, edit):
    """Negotiate with candidates in the descriptions and an edited answer."""
    await offerer.set_local_description()
    await answerer.set_remote_description(offerer.local_description)
    await answerer.set_local_description()
    answer = answerer.local_description
    await offerer.set_remote_description({"type": "answer", "sdp": edit(answer.sdp)})


@pytest.mark.parametrize(
    ("profile", "stated"), [("main", "4d0029"), ("high", "640029"), ("baseline", "42c029")]
)
async def test_answer_with_another_profile_for_the_offered_payload_type_is_decoded(
    profile, stated, autojump_clock
):
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        watching = peers.alice.add_transceiver("video", direction="recvonly")
        peers.bob.add_track(track)
        watching.set_codec_preferences(h264(OURS))
        peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
        peers.bob.on_ice_candidate = lambda event: peers.alice.add_ice_candidate(event.candidate)

        def edit(answer):
            camera = f"a=fmtp:108 packetization-mode=1;profile-level-id={stated}"
            edited = re.sub(r"a=fmtp:108 [^\r]*", camera, answer)
            assert edited != answer
            return edited

        await negotiate(peers.alice, peers.bob, edit)
        await until_connected(peers.alice)
        nursery.start_soon(send_frames, source, profile)
        with trio.fail_after(5):
            for _ in range(10):
                frame = await watching.receiver.track.receive()
                assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        nursery.cancel_scope.cancel()


async def test_frames_fit_single_nal_unit_packets_in_mode_0(autojump_clock):
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        watching = peers.alice.add_transceiver("video", direction="recvonly")
        watching.set_codec_preferences(h264(OURS.replace("mode=1", "mode=0")))
        peers.bob.add_track(track)
        peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
        peers.bob.on_ice_candidate = lambda event: peers.alice.add_ice_candidate(event.candidate)
        await negotiate(peers.alice, peers.bob, str)

        async def send():
            for counter in range(1000):
                await source.send(timed_pattern(counter, 640, 360))
                await trio.sleep(1 / 30)

        nursery.start_soon(send)
        with trio.fail_after(10):
            for _ in range(10):
                frame = await watching.receiver.track.receive()
                assert (frame.width, frame.height) == (640, 360)
        nursery.cancel_scope.cancel()


def test_vp9_with_full_chroma_is_decoded():
    """Profile 1; PyAV's libvpx cannot encode profiles of more than eight bits."""
    profile, pixel_format = 1, "yuv444p"
    encoder = av.CodecContext.create("libvpx-vp9", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, pixel_format
    encoder.time_base, encoder.bit_rate = Fraction(1, 30), 500_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "profile": str(profile)}
    frame = timed_pattern(0, WIDTH, HEIGHT).reformat(format=pixel_format)
    frame.pts, frame.time_base = 0, encoder.time_base
    (packet,) = encoder.encode(frame) or encoder.encode(None)
    made = create_video_encoder("VP9").encode(timed_pattern(0, WIDTH, HEIGHT))[0]
    decoder = create_video_decoder("VP9")
    (image,) = decoder.decode(type(made)(bytes(packet), 0, 90_000, "VP9", keyframe=True))
    assert (image.width, image.height, image.format.name) == (WIDTH, HEIGHT, pixel_format)
