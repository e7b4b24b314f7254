"""The media sources of senders: created with the first sender of a track, and ended with the last."""

import pytest
import trio

from tests.strategies.calls import FRAME_RATE, call, opus_frame, vp8_frame
from tests.strategies.peers import connect, two_peers
from trio_rtc import (
    RTCAudioSourceStats,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCVideoSourceStats,
    open_media_track,
)
from trio_rtc.transceivers.sent_sources import SentSources

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def sources(pc: RTCPeerConnection) -> list[RTCVideoSourceStats]:
    return [each for each in (await pc.get_stats()).values() if isinstance(each, RTCVideoSourceStats)]


async def test_a_source_counts_from_the_first_sender_to_the_last() -> None:
    frames, track = open_media_track("video")
    async with two_peers() as peers:
        await frames.send(vp8_frame(0, keyframe=True))
        first = peers.alice.add_transceiver(track)
        (began,) = await sources(peers.alice)
        assert (began.frames, began.track_identifier) == (0, track.id)
        second = peers.alice.add_transceiver(track)
        track._state.source.push(vp8_frame(1, keyframe=False))
        await first.sender.replace_track(None)
        (both,) = await sources(peers.alice)
        assert (both.id, both.frames) == (began.id, 1)
        await second.sender.replace_track(None)
        assert await sources(peers.alice) == []
        await first.sender.replace_track(track)
        (again,) = await sources(peers.alice)
        assert again.id != began.id
        assert again.frames == 0


async def test_the_frame_rate_is_unknown_in_the_first_second() -> None:
    async with call() as running:
        sender = running.sender
        await running.send_video(2)
        await sender.replace_track(None)
        await sender.replace_track(running.video)
        await trio.sleep(0.9)
        (early,) = await sources(running.peers.alice)
        await running.send_video(1)
        (later,) = await sources(running.peers.alice)
    assert early.frames_per_second is None
    assert later.frames_per_second == pytest.approx(FRAME_RATE, abs=1)
    assert later.frames == FRAME_RATE


async def test_audio_counts_from_the_attachment_on() -> None:
    _, track = open_media_track("audio")
    async with two_peers() as peers:
        for index in range(10):
            track._state.source.push(opus_frame(index))
        peers.alice.add_track(track)
        for index in range(5):
            track._state.source.push(opus_frame(index))
        report = await peers.alice.get_stats()
    (source,) = (each for each in report.values() if isinstance(each, RTCAudioSourceStats))
    assert source.total_samples_duration == pytest.approx(0.1)
    assert source.total_audio_energy == pytest.approx(0.1 * 0.1**2)
    assert source.audio_level == pytest.approx(0.1)


async def test_a_source_outlives_negotiation_and_close_but_not_the_end_of_its_transceiver() -> None:
    async with call() as running:
        alice = running.peers.alice
        await running.send_video(1)
        (before,) = await sources(alice)
        await connect(alice, running.peers.bob)
        (negotiated,) = await sources(alice)
        report = await running.sender.get_stats()
        (outbound,) = (each for each in report.values() if isinstance(each, RTCOutboundRtpStreamStats))
        assert outbound.media_source_id == before.id == negotiated.id
        transceiver = next(each for each in alice.get_transceivers() if each.sender is running.sender)
        transceiver.stop()
        await connect(alice, running.peers.bob)
        await trio.sleep(1)
        assert await sources(alice) == []
        video = alice.add_track(running.video)
        alice.close()
        (closed,) = await sources(alice)
        assert closed.id != before.id
        assert video.track is running.video


def test_a_source_can_be_attached_outside_of_trio() -> None:
    _, track = open_media_track("video")
    table = SentSources()
    table.replace(None, track)
    (source,) = table.all
    assert source.since == float("-inf")
    assert table.find(track) is source
    assert table.find(None) is None
