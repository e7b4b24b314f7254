"""Calls with the H.264 profiles of cameras, and with packets of single NAL units."""

import re
from fractions import Fraction

import attrs
import av
import pytest
import trio

from tests.strategies.media import until_connected
from tests.strategies.peers import two_peers
from tests.strategies.video_frames import psnr, timed_pattern
from trio_rtc import RTCRtpReceiver, open_media_track
from trio_rtc.codecs import VideoEncoderOptions, create_video_decoder, create_video_encoder

WIDTH, HEIGHT = 320, 180
OURS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def h264(parameters):
    capabilities = RTCRtpReceiver.get_capabilities("video")
    return [
        codec for codec in capabilities.codecs if (codec.name, codec.sdp_fmtp_line) == ("H264", parameters)
    ]


async def send_frames(source, profile, edit_payload=bytes, max_slice_size=None):
    options = VideoEncoderOptions(extra={"profile": profile}, max_slice_size=max_slice_size)
    encoder = create_video_encoder("H264", options)
    for counter in range(1000):
        for frame in encoder.encode(timed_pattern(counter, WIDTH, HEIGHT), force_keyframe=counter % 10 == 0):
            await source.send(attrs.evolve(frame, payload=edit_payload(frame.payload)))
        await trio.sleep(1 / 30)


async def negotiate(offerer, answerer, *, edit_offer=str, edit_answer=str):
    """Negotiate with candidates in the descriptions, and edit what the other side receives."""
    await offerer.set_local_description()
    offer = offerer.local_description
    await answerer.set_remote_description({"type": "offer", "sdp": edit_offer(offer.sdp)})
    await answerer.set_local_description()
    answer = answerer.local_description
    await offerer.set_remote_description({"type": "answer", "sdp": edit_answer(answer.sdp)})


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

        await negotiate(peers.alice, peers.bob, edit_answer=edit)
        await until_connected(peers.alice)
        nursery.start_soon(send_frames, source, profile)
        with trio.fail_after(5):
            for _ in range(10):
                frame = await watching.receiver.track.receive()
                assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        nursery.cancel_scope.cancel()


def sps_profile(payload):
    """Return the profile_idc and the constraint flags of the sequence parameter set, in hexadecimal."""
    _, found, rest = payload.partition(b"\0\0\1\x67")
    assert found
    return rest[:2].hex()


def as_constrained_high(payload):
    """Set the constraint flags 4 and 5: no interlaced video and no B-frames, which x264 has not encoded anyway."""
    return payload.replace(b"\0\0\1\x67\x64\0", b"\0\0\1\x67\x64\x0c")


# The parameters of cameras, hardware encoders and streaming servers.
@pytest.mark.parametrize(
    ("profile", "edit_payload", "in_stream", "stated"),
    [
        ("main", bytes, "4d40", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
        ("main", bytes, "4d40", "profile-level-id=4d0029"),
        ("high", bytes, "6400", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"),
        ("high", bytes, "6400", "packetization-mode=1;profile-level-id=640029"),
        (
            "high",
            bytes,
            "6400",
            "profile-level-id=4d002a;packetization-mode=1;sprop-parameter-sets="
            "Z2QAMqw0yAJIDb/wFuAgICgAAB9AAAYah0MAHoQAA9BRd5caGAD0IAAegou8uFA=,aO44MA==",
        ),
        (
            "high",
            as_constrained_high,
            "640c",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f",
        ),
        ("high", as_constrained_high, "640c", "packetization-mode=1;profile-level-id=640c34"),
    ],
)
async def test_offer_of_a_single_profile_is_answered_and_decoded(
    profile, edit_payload, in_stream, stated, autojump_clock
):
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sending = peers.bob.add_transceiver(track, direction="sendonly")
        sending.set_codec_preferences(h264(OURS))
        peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
        peers.bob.on_ice_candidate = lambda event: peers.alice.add_ice_candidate(event.candidate)

        def edit(offer):
            edited, count = re.subn(r"a=fmtp:108 [^\r]*", f"a=fmtp:108 {stated}", offer)
            assert count == edited.count("a=rtpmap:") == 1
            return edited

        await negotiate(peers.bob, peers.alice, edit_offer=edit)
        await until_connected(peers.alice)
        (watching,) = peers.alice.get_transceivers()
        assert watching.current_direction == "recvonly"
        (codec,) = watching.receiver.get_parameters().codecs
        # RFC 6184 section 8.2.2: the same profile; only the level may be lower.
        (offered, answered) = (
            re.search(r"profile-level-id=(\w{4})", text)[1] for text in (stated, codec.sdp_fmtp_line)
        )
        assert (codec.payload_type, answered) == (108, offered)
        async with watching.receiver.encoded_frames() as encoded:
            # Mode 0 has no fragments.
            slice_size = None if "packetization-mode=1" in stated else 1000
            nursery.start_soon(send_frames, source, profile, edit_payload, slice_size)
            with trio.fail_after(5):
                images = [await watching.receiver.track.receive() for _ in range(10)]
                assert sps_profile((await encoded.receive()).payload) == in_stream
        assert {(image.width, image.height) for image in images} == {(WIDTH, HEIGHT)}
        shown = (timed_pattern(counter, WIDTH, HEIGHT) for counter in range(40))
        assert max(psnr(images[-1], image) for image in shown) > 30
        nursery.cancel_scope.cancel()


async def test_frames_fit_single_nal_unit_packets_in_mode_0(autojump_clock):
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        watching = peers.alice.add_transceiver("video", direction="recvonly")
        watching.set_codec_preferences(h264(OURS.replace("mode=1", "mode=0")))
        peers.bob.add_track(track)
        peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
        peers.bob.on_ice_candidate = lambda event: peers.alice.add_ice_candidate(event.candidate)
        await negotiate(peers.alice, peers.bob)

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
