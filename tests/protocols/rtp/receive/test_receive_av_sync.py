"""Audio and video of one MediaStream: the streams of a session are delayed for each other."""

import pytest

from tests.strategies.rtp_pair import OPUS, VIDEO, VIDEO_SSRC, VP8, vp8_payload
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.options import AvSyncOptions
from trio_rtc.protocols.rtp.receive.audio.pipeline import AudioReceivePipeline
from trio_rtc.protocols.rtp.receive.av_sync import AvSync
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream
from trio_rtc.protocols.rtp.receive.video.pipeline import VideoReceivePipeline

AUDIO, AUDIO_SSRC = "audio", 77
TOLERANCE = 0.03


def make(mid: str, ssrc: int) -> RtpReceiveStream:
    stream = RtpReceiveStream(mid, ssrc, None, RtpOptions())
    stream.set_demand(frames=True, packets=False)
    return stream


def hold_audio_for(seconds: float) -> tuple[AudioReceivePipeline, VideoReceivePipeline]:
    """Return the pipelines of streams with equal network delays, and a minimum delay of audio."""
    audio, video = make(AUDIO, AUDIO_SSRC), make(VIDEO, VIDEO_SSRC)
    synchronizer = AvSync(AvSyncOptions())
    synchronizer.set_groups({AUDIO: "stream", VIDEO: "stream"})
    for number in range(100):
        now = 0.02 * number
        packet = RtpPacket(111, number, 960 * number, AUDIO_SSRC, b"\xf8" + bytes(20))
        audio.receive(packet, OPUS, 60, now)
        payload = b"\x10" + vp8_payload(number, 50, keyframe=not number)
        video.receive(RtpPacket(96, number, 1800 * number, VIDEO_SSRC, payload, marker=True), VP8, 80, now)
        if not number:
            assert audio.pipeline is not None
            audio.pipeline.set_min_delay(seconds)
            synchronizer.handle_sender_report(audio, 0, 1000.0)
            synchronizer.handle_sender_report(video, 0, 1000.0)
        audio.frames(now)
        video.frames(now)
        synchronizer.update([audio, video], now)
    assert isinstance(audio.pipeline, AudioReceivePipeline)
    assert isinstance(video.pipeline, VideoReceivePipeline)
    return audio.pipeline, video.pipeline


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2])
def test_video_is_held_until_it_is_ahead_of_the_audio_by_the_tolerance(delay: float) -> None:
    audio, video = hold_audio_for(delay)
    shown_at = video.next_timer()
    (frame,) = video.frames(shown_at)
    assert shown_at - frame.timestamp / frame.clock_rate == pytest.approx(delay - TOLERANCE)
    assert audio.playout.target_delay == pytest.approx(delay)


def test_video_that_is_ahead_by_less_is_not_held() -> None:
    _, video = hold_audio_for(0.02)
    assert video.next_timer() == float("inf")
