"""Recorded files are played with the same frames at the same times."""

import contextlib
import os
import random

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.video_frames import timed_pattern
from trio_rtc import media
from trio_rtc.codecs import codec_limiter, create_audio_encoder, create_video_encoder

COUNT = 30
AUDIO_COUNT = 50


def video_frames(codec=None, count=COUNT, offset=0):
    encoder = None if codec is None else create_video_encoder(codec)
    items = []
    for counter in range(count):
        frame = timed_pattern(counter)
        frame.pts += offset
        items += [frame] if encoder is None else encoder.encode(frame)
    if encoder is not None:
        encoder.close()
    return items


def audio_frames(codec=None, count=AUDIO_COUNT):
    encoder = None if codec is None else create_audio_encoder(codec)
    source = media.tone(440)
    frames = [source.next_frame() for _ in range(count)]
    return frames if encoder is None else [each for frame in frames for each in encoder.encode(frame)]


def channel_of(items):
    send, receive = trio.open_memory_channel(len(items))
    for item in items:
        send.send_nowait(item)
    send.close()
    return receive


async def record(path, *tracks, **options):
    async with media.open_recorder(path, **options) as recorder:
        for items in tracks:
            recorder.add(channel_of(items))
        await recorder.wait()
    return recorder


async def play(path, **options):
    """Return the audio and video frames of a player, and the seconds of playback."""
    played = {"audio": [], "video": []}

    async def collect(kind, channel):
        async for frame in channel:
            played[kind].append(frame)

    begun = trio.current_time()
    async with media.open_player(path, **options) as player, trio.open_nursery() as nursery:
        for kind in played:
            if (channel := getattr(player, kind)) is not None:
                nursery.start_soon(collect, kind, channel)
    assert player.dropped == 0
    return played["audio"], played["video"], trio.current_time() - begun


def open_files():
    return {
        os.readlink(f"/proc/self/fd/{each}")
        for each in os.listdir("/proc/self/fd")
        if each.isdigit() and os.path.lexists(f"/proc/self/fd/{each}")
    }


def seconds(frame):
    if hasattr(frame, "clock_rate"):
        return frame.timestamp / frame.clock_rate
    return float(frame.pts * frame.time_base)


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


async def test_timestamps_continue_in_a_loop(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, video_frames("VP8", 15), audio_frames("opus", 25))
    begun = trio.current_time()
    async with media.open_player(path, loop=True) as player:
        video = [await player.video.receive() for _ in range(40)]
    assert [media.read_counter(frame) for frame in video] == [*range(15), *range(15), *range(10)]
    times = [seconds(frame) for frame in video]
    assert times == sorted(times)
    assert times[15] == pytest.approx(0.5, abs=0.03)
    assert trio.current_time() - begun == pytest.approx(times[-1], abs=0.05)


async def test_without_realtime_reading_waits_for_the_receiver(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, video_frames("VP8", 90))
    async with media.open_player(path, realtime=False) as player:
        assert player.audio is None
        assert player.duration == pytest.approx(3, abs=0.1)
        await trio.sleep(10)  # it reads ahead as far as allowed
        begun = trio.current_time()
        assert [media.read_counter(frame) async for frame in player.video] == list(range(90))
        assert player.dropped == 0
    assert trio.current_time() == begun


async def test_in_real_time_frames_not_received_are_dropped(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, video_frames("VP8", 60))
    async with media.open_player(path) as player:
        await trio.sleep(1.99)
        assert player.dropped > 40
        assert media.read_counter(await player.video.receive()) > 40


async def test_leaving_the_block_early_releases_everything(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, video_frames("VP8"), audio_frames("opus"))
    async with media.open_player(path) as player:
        await player.video.receive()
        channel = player.video
    assert media.media_limiter().borrowed_tokens == codec_limiter().borrowed_tokens == 0
    assert str(path) not in open_files()
    with pytest.raises(trio.ClosedResourceError):
        await channel.receive()


@pytest.mark.parametrize("decode", [True, False])
async def test_files_that_cannot_be_opened_raise(autojump_clock, tmp_path, decode):
    (tmp_path / "garbage.mp4").write_bytes(b"this is no film" * 100)
    (tmp_path / "empty.webm").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"missing\.webm"):
        async with media.open_player(tmp_path / "missing.webm", decode=decode):
            pass
    for name in ("garbage.mp4", "empty.webm"):
        with pytest.raises(ValueError, match=name):
            async with media.open_player(tmp_path / name, decode=decode):
                pass
    assert not any(str(tmp_path) in name for name in open_files())
    assert media.media_limiter().borrowed_tokens == 0


async def test_codecs_without_payload_format_must_be_decoded(autojump_clock, tmp_path):
    path = tmp_path / "voice.wav"
    await record(path, audio_frames())
    with pytest.raises(ValueError, match="pcm_s16le has no RTP payload format"):
        async with media.open_player(path, decode=False):
            pass


async def test_truncated_file_is_played_up_to_its_end(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, video_frames("VP8"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    counters = []
    async with media.open_player(path) as player:
        with contextlib.suppress(trio.BrokenResourceError):
            async for frame in player.video:
                counters.append(media.read_counter(frame))  # noqa: PERF401 - frames before an error count
    assert counters == list(range(len(counters)))
    assert 10 < len(counters) < COUNT


async def test_opening_from_a_silent_host_can_be_cancelled(autojump_clock):
    listener = trio.socket.socket()
    await listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/film.mp4"
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def watch():
                connection, _ = await listener.accept()
                scope.cancel()
                connection.close()

            nursery.start_soon(watch)
            async with media.open_player(url, timeout=1):
                raise AssertionError("it cannot be opened")
    listener.close()
    assert scope.cancelled_caught


@pytest.mark.parametrize("name", ["call.webm", "voice.wav"])
async def test_mutated_file_raises_only_documented_errors(autojump_clock, tmp_path, name):
    path, rng = tmp_path / name, random.Random(name)
    await record(path, video_frames("VP8") if name == "call.webm" else audio_frames())
    whole = path.read_bytes()
    played = 0
    for _ in range(40):
        mutated = bytearray(whole)
        for _ in range(rng.choice([1, 3, 10, 40])):
            mutated[rng.randrange(min(len(mutated), 4000))] = rng.randrange(256)
        path.write_bytes(mutated)
        with contextlib.suppress(OSError, ValueError, trio.BrokenResourceError):
            async with media.open_player(path, realtime=False) as player:
                async for _ in player.audio or player.video:
                    played += 1
    assert played > COUNT
    assert media.media_limiter().borrowed_tokens == 0
