"""Recorded files are played with the same frames at the same times."""

import pytest

from tests.strategies.recordings import (
    COUNT,
    audio_frames,
    play,
    record,
    seconds,
    video_frames,
)
from trio_rtc import media


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv"])
async def test_video_and_audio_are_encoded_and_played_in_real_time(autojump_clock, tmp_path, suffix):
    path = tmp_path / f"call.{suffix}"
    recorder = await record(path, video_frames(), audio_frames())
    assert recorder.lost == 0
    audio, video, took = await play(path)
    assert [media.read_counter(frame) for frame in video] == list(range(COUNT))
    assert [seconds(frame) for frame in video] == pytest.approx([i / 30 for i in range(COUNT)], abs=0.009)
    assert abs(media.dominant_frequency(audio) - 440) < 2
    assert seconds(audio[0]) == pytest.approx(0, abs=0.025)
    assert seconds(audio[-1]) + audio[-1].samples / audio[-1].sample_rate == pytest.approx(1.0, abs=0.05)
    assert took == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("suffix", ["ogg", "wav"])
async def test_audio_only(autojump_clock, tmp_path, suffix):
    path = tmp_path / f"voice.{suffix}"
    await record(path, audio_frames())
    audio, video, took = await play(path)
    assert video == []
    assert abs(media.dominant_frequency(audio) - 440) < 2
    assert sum(frame.samples for frame in audio) / 48_000 == pytest.approx(1.0, abs=0.03)
    assert 0.85 < took < 1.1


@pytest.mark.parametrize(
    ("suffix", "video_codec", "audio_codec"),
    [
        ("webm", "VP8", "opus"),
        ("webm", "VP9", "opus"),
        ("webm", "AV1", "opus"),
        ("mp4", "H264", "opus"),
        ("mp4", "AV1", "opus"),
        ("mkv", "H264", "opus"),
        ("ogg", None, "opus"),
        ("wav", None, "PCMU"),
        ("wav", None, "PCMA"),
    ],
)
async def test_encoded_frames_are_copied_unchanged(
    autojump_clock, tmp_path, suffix, video_codec, audio_codec
):
    path = tmp_path / f"call.{suffix}"
    video = [] if video_codec is None else video_frames(video_codec)
    audio = audio_frames(audio_codec)
    recorder = await record(path, *([video] if video else []), audio)
    assert recorder.lost == 0
    played_audio, played_video, _ = await play(path, decode=False)
    assert [frame.payload for frame in played_audio] == [frame.payload for frame in audio]
    assert [frame.payload for frame in played_video] == [frame.payload for frame in video]
    assert [frame.keyframe for frame in played_video] == [frame.keyframe for frame in video]
    for played, sent in ((played_audio, audio), (played_video, video)):
        assert [seconds(frame) for frame in played] == pytest.approx(
            [seconds(frame) for frame in sent], abs=0.008
        )
        assert {(frame.codec, frame.clock_rate) for frame in played} == {
            (frame.codec, frame.clock_rate) for frame in sent
        }


async def test_unsupported_codecs_are_transcoded(autojump_clock, tmp_path):
    path = tmp_path / "call.mp4"
    recorder = await record(path, video_frames("VP8"), audio_frames("PCMU"))
    assert recorder.lost == 0
    audio, video, _ = await play(path)
    assert [media.read_counter(frame) for frame in video] == list(range(COUNT))
    assert abs(media.dominant_frequency(audio) - 440) < 2
