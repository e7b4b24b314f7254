"""Recording of tracks into files."""

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.recordings import (
    AUDIO_COUNT,
    COUNT,
    audio_frames,
    channel_of,
    open_files,
    play,
    record,
    seconds,
    video_frames,
)
from tests.strategies.video_frames import timed_pattern
from trio_rtc import media
from trio_rtc.codecs import create_video_encoder


async def test_tracks_keep_the_distance_of_their_timestamps(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, audio_frames(), video_frames(offset=45_000))
    audio, video, _ = await play(path)
    assert seconds(video[0]) - seconds(audio[0]) == pytest.approx(0.5, abs=0.025)


async def test_tracks_with_different_clocks_are_aligned_by_arrival(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, audio_frames(), video_frames(offset=90_000 * 10_000))
    audio, video, _ = await play(path)
    assert seconds(video[0]) - seconds(audio[0]) == pytest.approx(0, abs=0.025)


@pytest.mark.parametrize("offset", [0, 90_000 * 10_000], ids=["one clock", "two clocks"])
async def test_video_may_begin_before_audio_that_was_added_first(autojump_clock, tmp_path, offset):
    path = tmp_path / "call.webm"
    later, channel = trio.open_memory_channel(AUDIO_COUNT)
    frames = video_frames("VP8")
    async with media.open_recorder(path) as recorder:
        recorder.add(channel)
        recorder.add(channel_of([attrs.evolve(each, timestamp=each.timestamp + offset) for each in frames]))
        await trio.sleep(0.5)
        for each in audio_frames("opus"):
            later.send_nowait(attrs.evolve(each, timestamp=each.timestamp + 24_000))
        later.close()
        await recorder.wait()
    assert recorder.lost == 0
    audio, video, _ = await play(path)
    assert [media.read_counter(frame) for frame in video] == list(range(COUNT))
    assert seconds(audio[0]) - seconds(video[0]) == pytest.approx(0.5, abs=0.025)


async def test_video_begins_with_its_first_keyframe(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    frames = video_frames("VP8")
    encoder = create_video_encoder("VP8")
    restarted = [each for counter in range(COUNT) for each in encoder.encode(timed_pattern(counter + COUNT))]
    recorder = await record(path, [*frames[5:], *restarted])
    assert recorder.lost == COUNT - 5
    _, video, _ = await play(path)
    assert media.read_counter(video[0]) == COUNT


async def test_track_without_frames_does_not_delay_others(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    _, silent = trio.open_memory_channel(1)
    async with media.open_recorder(path, start_timeout=2) as recorder:
        recorder.add(silent)
        recorder.add(channel_of(video_frames()))
        await trio.sleep(3)
        with pytest.raises(RuntimeError, match="before the first frames"):
            recorder.add(channel_of([1]))
    _, video, _ = await play(path)
    assert len(video) == COUNT


async def test_cancelled_recording_is_finished(autojump_clock, tmp_path):
    path = tmp_path / "call.mp4"
    with trio.move_on_after(2):
        async with media.open_recorder(path) as recorder:
            recorder.add(media.test_pattern(160, 120))
            recorder.add(media.tone())
            await trio.sleep_forever()
    assert media.media_limiter().borrowed_tokens == 0
    assert str(path) not in open_files()
    audio, video, _ = await play(path)
    assert 55 < len(video) <= 61
    assert media.read_counter(video[-1]) == len(video) - 1
    assert audio


async def test_error_in_the_block_is_raised_and_the_file_is_finished(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"

    async def record_and_fail():
        async with media.open_recorder(path) as recorder:
            recorder.add(channel_of(video_frames()))
            await recorder.wait()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await record_and_fail()
    _, video, _ = await play(path)
    assert len(video) == COUNT


async def test_empty_recording_is_not_an_error(autojump_clock, tmp_path):
    async with media.open_recorder(tmp_path / "empty.mp4"):
        pass
    async with media.open_recorder(tmp_path / "silent.wav") as recorder:
        recorder.add(channel_of([]))
        await recorder.wait()


async def test_container_without_video_support_records_audio_only(autojump_clock, tmp_path):
    path = tmp_path / "voice.wav"
    recorder = await record(path, video_frames(count=5), audio_frames())
    assert recorder.lost == 5
    audio, video, _ = await play(path)
    assert audio
    assert video == []


async def test_invalid_paths_and_formats_raise(autojump_clock, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"call\.webm"):
        async with media.open_recorder(tmp_path / "missing" / "call.webm"):
            pass
    with pytest.raises(ValueError, match="must be one of"):
        async with media.open_recorder(tmp_path / "call.xyz"):
            pass
