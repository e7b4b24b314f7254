"""Changes during calls with browsers: keyframe requests, replaced tracks, added sections, ICE restarts."""

import pytest
import trio

from tests.interop.calling import OUR_TONE, THEIR_START, THEIR_TONE, Call, calling
from tests.interop.opening import Peers
from tests.interop.own_media import read_counters, wait_for_tone

BROWSERS = pytest.mark.parametrize("name", ["chromium", "firefox"])
OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
LATER = 1_000_000
"""First number of a second source's video frames."""


@BROWSERS
async def test_requested_keyframes_arrive(peers: Peers, name: str) -> None:
    async with calling(peers, name) as call:
        await call.add_all("video")
        await call.negotiate(we_offer=True)
        await call.assert_video_received()
        (video,) = call.ours.of_kind("video")
        assert video.mid is not None
        async with video.receiver.encoded_frames() as frames:
            assert not (await frames.receive()).keyframe
            # Browsers ignore requests soon after a keyframe.
            video.receiver.request_keyframe()
            while not (await frames.receive()).keyframe:
                video.receiver.request_keyframe()
        async with video.sender.keyframe_requests() as requests:
            await call.theirs.request_keyframe(video.mid)
            assert await requests.receive() is None
        # The browser continues after its requested keyframe.
        (last,) = await call.theirs.read_counters(video.mid, count=1)
        await call.theirs.read_counters(video.mid, least=last + 5)
        stats = await call.remote.get_stats()
        (sent,) = [each for each in stats if (each["type"], each.get("kind")) == ("outbound-rtp", "video")]
        assert sent["pliCount"] + sent["firCount"] >= 1


@BROWSERS
async def test_tracks_are_replaced_and_stopped_while_they_are_sent(peers: Peers, name: str) -> None:
    async with calling(peers, name) as call:
        our_video, our_audio = call.ours.add_video(), call.ours.add_audio(frequency=OUR_TONE)
        their_video = await call.theirs.add_video(start=THEIR_START)
        their_audio = await call.theirs.add_audio(frequency=THEIR_TONE)
        await call.negotiate(we_offer=True)
        await call.assert_video_received()
        await call.assert_tones_received()
        await our_video.replace_track(call.ours.open_video(start=LATER))
        await our_audio.replace_track(call.ours.open_audio(frequency=OUR_TONE * 2))
        await call.theirs.replace_video(their_video, start=THEIR_START + LATER)
        await call.theirs.replace_audio(their_audio, frequency=THEIR_TONE * 2)
        await call.assert_video_received(least=LATER, their_least=THEIR_START + LATER)
        await call.assert_tones_received(OUR_TONE * 2, THEIR_TONE * 2)
        # No track for some time, then another one.
        track = our_video.track
        await our_video.replace_track(None)
        assert track is not None
        track.stop()
        await our_video.replace_track(call.ours.open_video(start=2 * LATER))
        await call.assert_video_received(least=2 * LATER, their_least=THEIR_START + LATER)
        # The other side is notified of a stopped transceiver.
        (video,) = call.ours.of_kind("video")
        video.stop()
        await call.negotiate(we_offer=True)
        assert video.current_direction == "stopped"
        assert [each["kind"] for each in await call.theirs.transceivers()] == ["audio"]
        await call.assert_tones_received(OUR_TONE * 2, THEIR_TONE * 2)


@OFFERING
@BROWSERS
async def test_adding_video_to_a_running_audio_call_and_removing_it(
    peers: Peers, name: str, we_offer: bool
) -> None:
    async with calling(peers, name) as call:
        await call.add_all("audio")
        channel = call.own.pc.create_data_channel("chat")
        await call.negotiate(we_offer=True)
        await call.assert_tones_received()
        sender = call.ours.add_video()
        source = await call.theirs.add_video(start=THEIR_START)
        await call.negotiate(we_offer=we_offer)
        await call.assert_video_received()
        # All sections share one transport.
        assert len({each.sender.transport for each in call.own.pc.get_transceivers()}) == 1
        (video,) = call.ours.of_kind("video")
        call.own.pc.remove_track(sender)
        await call.theirs.remove(source)
        await call.negotiate(we_offer=we_offer)
        assert video.current_direction == "inactive"
        assert video.receiver.track.muted
        await call.assert_tones_received()
        # Video returns in its former section.
        video.direction = "sendonly"
        await sender.replace_track(call.ours.open_video(start=LATER))
        await call.negotiate(we_offer=True)
        assert video.current_direction == "sendonly"
        assert video.mid is not None
        await call.theirs.read_counters(video.mid, least=LATER)
        await channel.opened()
        await channel.send("still here")
        assert await (await call.remote.accept_channel()).receive() == "still here"


@OFFERING
@BROWSERS
async def test_a_call_survives_an_ice_restart(peers: Peers, name: str, we_offer: bool) -> None:
    async with calling(peers, name) as call:
        await call.add_all()
        offer, _ = await call.negotiate(we_offer=we_offer)
        await call.assert_video_received()
        if we_offer:
            call.own.pc.restart_ice()
        else:
            await call.remote.restart_ice()
        new_offer, _ = await call.negotiate(we_offer=we_offer)
        assert new_offer["sdp"] != offer["sdp"]
        (video,) = call.ours.of_kind("video")
        (first,) = await read_counters(video.receiver.track, count=1)
        await call.assert_video_received(their_least=first + 20)
        await call.assert_tones_received()
        assert call.own.pc.connection_state == "connected"


@OFFERING
@BROWSERS
async def test_many_sections_with_different_media(peers: Peers, name: str, we_offer: bool) -> None:
    """Thirteen sections, of which six carry different media."""
    async with calling(peers, name) as call:
        channel = await call.remote.create_data_channel("chat")
        for index in range(3):
            start, frequency = index * LATER, 600 + 200 * index
            if we_offer:
                call.ours.add_video(start=start)
                call.ours.add_audio(frequency=frequency)
            else:
                await call.theirs.add_video(start=start)
                await call.theirs.add_audio(frequency=frequency)
        if we_offer:
            call.own.pc.create_data_channel("ours")
            for kind in ("video", "audio") * 3:
                call.own.pc.add_transceiver(kind, direction="recvonly")
        else:
            await call.remote.add_transceivers(*("video", "audio") * 3)
        offer, answer = await call.negotiate(we_offer=we_offer)
        assert offer["sdp"].count("\r\nm=") == answer["sdp"].count("\r\nm=") == 13
        await channel.opened.wait()
        async with trio.open_nursery() as nursery:
            for index in range(3):
                nursery.start_soon(assert_sent, call, index, we_offer)


async def assert_sent(call: Call, index: int, we_offer: bool) -> None:
    """Require that the media sent in a section was received in that section."""
    video, audio = (call.ours.of_kind(kind)[index] for kind in ("video", "audio"))
    assert video.mid is not None
    assert audio.mid is not None
    start, frequency = index * LATER, 600.0 + 200 * index
    if we_offer:
        counters = await call.theirs.read_counters(video.mid, count=2)
        await call.theirs.wait_for_tone(audio.mid, frequency)
    else:
        counters = await read_counters(video.receiver.track, count=2)
        await wait_for_tone(audio.receiver.track, frequency)
    assert all(start <= counter < start + LATER for counter in counters)
