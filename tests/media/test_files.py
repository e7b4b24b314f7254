"""What is recorded can be played: the same pictures, the same sound, at the same time."""

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
SOUND = 50


def pictures(codec=None, count=COUNT, offset=0):
    encoder = None if codec is None else create_video_encoder(codec)
    items = []
    for counter in range(count):
        frame = timed_pattern(counter)
        frame.pts += offset
        items += [frame] if encoder is None else encoder.encode(frame)
    if encoder is not None:
        encoder.close()
    return items


def sound(codec=None, count=SOUND):
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
    """Return what comes out of a player: (sound, pictures, seconds it took)."""
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
async def test_pictures_and_sound_are_encoded_and_played_in_real_time(autojump_clock, tmp_path, suffix):
    path = tmp_path / f"call.{suffix}"
    recorder = await record(path, pictures(), sound())
    assert recorder.lost == 0
    audio, video, took = await play(path)
    assert [media.read_counter(frame) for frame in video] == list(range(COUNT))
    assert [seconds(frame) for frame in video] == pytest.approx([i / 30 for i in range(COUNT)], abs=0.009)
    assert abs(media.dominant_frequency(audio) - 440) < 2
    assert seconds(audio[0]) == pytest.approx(0, abs=0.025)
    assert seconds(audio[-1]) + audio[-1].samples / audio[-1].sample_rate == pytest.approx(1.0, abs=0.05)
    assert took == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("suffix", ["ogg", "wav"])
async def test_sound_alone(autojump_clock, tmp_path, suffix):
    path = tmp_path / f"voice.{suffix}"
    await record(path, sound())
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
async def test_encoded_frames_are_copied_byte_by_byte(
    autojump_clock, tmp_path, suffix, video_codec, audio_codec
):
    path = tmp_path / f"call.{suffix}"
    video = [] if video_codec is None else pictures(video_codec)
    audio = sound(audio_codec)
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


async def test_what_the_container_cannot_hold_is_decoded_and_encoded(autojump_clock, tmp_path):
    path = tmp_path / "call.mp4"
    recorder = await record(path, pictures("VP8"), sound("PCMU"))
    assert recorder.lost == 0
    audio, video, _ = await play(path)
    assert [media.read_counter(frame) for frame in video] == list(range(COUNT))
    assert abs(media.dominant_frequency(audio) - 440) < 2


async def test_tracks_keep_the_distance_that_their_timestamps_have(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, sound(), pictures(offset=45_000))
    audio, video, _ = await play(path)
    assert seconds(video[0]) - seconds(audio[0]) == pytest.approx(0.5, abs=0.025)


async def test_tracks_whose_clocks_differ_are_placed_by_arrival(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, sound(), pictures(offset=90_000 * 10_000))
    audio, video, _ = await play(path)
    assert seconds(video[0]) - seconds(audio[0]) == pytest.approx(0, abs=0.025)


@pytest.mark.parametrize("offset", [0, 90_000 * 10_000], ids=["one clock", "two clocks"])
async def test_pictures_may_begin_before_the_sound_that_was_added_before_them(
    autojump_clock, tmp_path, offset
):
    path = tmp_path / "call.webm"
    later, channel = trio.open_memory_channel(SOUND)
    frames = pictures("VP8")
    async with media.open_recorder(path) as recorder:
        recorder.add(channel)
        recorder.add(channel_of([attrs.evolve(each, timestamp=each.timestamp + offset) for each in frames]))
        await trio.sleep(0.5)
        for each in sound("opus"):
            later.send_nowait(attrs.evolve(each, timestamp=each.timestamp + 24_000))
        later.close()
        await recorder.wait()
    assert recorder.lost == 0
    audio, video, _ = await play(path)
    assert [media.read_counter(picture) for picture in video] == list(range(COUNT))
    assert seconds(audio[0]) - seconds(video[0]) == pytest.approx(0.5, abs=0.025)


async def test_a_video_begins_with_its_first_keyframe(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    frames = pictures("VP8")
    encoder = create_video_encoder("VP8")
    restarted = [each for counter in range(COUNT) for each in encoder.encode(timed_pattern(counter + COUNT))]
    recorder = await record(path, [*frames[5:], *restarted])
    assert recorder.lost == COUNT - 5
    _, video, _ = await play(path)
    assert media.read_counter(video[0]) == COUNT


async def test_a_track_that_never_gives_a_frame_does_not_hold_up_the_others(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    _, silent = trio.open_memory_channel(1)
    async with media.open_recorder(path, start_timeout=2) as recorder:
        recorder.add(silent)
        recorder.add(channel_of(pictures()))
        await trio.sleep(3)
        with pytest.raises(RuntimeError, match="before the first"):
            recorder.add(channel_of([1]))
    _, video, _ = await play(path)
    assert len(video) == COUNT


async def test_a_cancelled_recording_is_finished(autojump_clock, tmp_path):
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


async def test_an_error_in_the_block_leaves_it_as_it_is_and_the_file_whole(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"

    async def record_and_fail():
        async with media.open_recorder(path) as recorder:
            recorder.add(channel_of(pictures()))
            await recorder.wait()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await record_and_fail()
    _, video, _ = await play(path)
    assert len(video) == COUNT


async def test_nothing_recorded_is_no_error(autojump_clock, tmp_path):
    async with media.open_recorder(tmp_path / "empty.mp4"):
        pass
    async with media.open_recorder(tmp_path / "silent.wav") as recorder:
        recorder.add(channel_of([]))
        await recorder.wait()


async def test_a_container_without_pictures_records_none(autojump_clock, tmp_path):
    path = tmp_path / "voice.wav"
    recorder = await record(path, pictures(count=5), sound())
    assert recorder.lost == 5
    audio, video, _ = await play(path)
    assert audio
    assert video == []


async def test_where_nothing_can_be_recorded(autojump_clock, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"call\.webm"):
        async with media.open_recorder(tmp_path / "missing" / "call.webm"):
            pass
    with pytest.raises(ValueError, match="format must be one of"):
        async with media.open_recorder(tmp_path / "call.xyz"):
            pass


async def test_playing_in_a_loop_goes_on_in_time(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, pictures("VP8", 15), sound("opus", 25))
    begun = trio.current_time()
    async with media.open_player(path, loop=True) as player:
        video = [await player.video.receive() for _ in range(40)]
    assert [media.read_counter(frame) for frame in video] == [*range(15), *range(15), *range(10)]
    times = [seconds(frame) for frame in video]
    assert times == sorted(times)
    assert times[15] == pytest.approx(0.5, abs=0.03)
    assert trio.current_time() - begun == pytest.approx(times[-1], abs=0.05)


async def test_without_real_time_reading_waits_for_the_receiver(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, pictures("VP8", 90))
    async with media.open_player(path, realtime=False) as player:
        assert player.audio is None
        assert player.duration == pytest.approx(3, abs=0.1)
        await trio.sleep(10)  # it reads as far ahead as it may
        begun = trio.current_time()
        assert [media.read_counter(frame) async for frame in player.video] == list(range(90))
        assert player.dropped == 0
    assert trio.current_time() == begun


async def test_in_real_time_what_nobody_takes_is_dropped(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, pictures("VP8", 60))
    async with media.open_player(path) as player:
        await trio.sleep(1.99)
        assert player.dropped > 40
        assert media.read_counter(await player.video.receive()) > 40


async def test_leaving_early_leaves_nothing(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, pictures("VP8"), sound("opus"))
    async with media.open_player(path) as player:
        await player.video.receive()
        channel = player.video
    assert media.media_limiter().borrowed_tokens == codec_limiter().borrowed_tokens == 0
    assert str(path) not in open_files()
    with pytest.raises(trio.ClosedResourceError):
        await channel.receive()


@pytest.mark.parametrize("decode", [True, False])
async def test_what_cannot_be_opened_is_told(autojump_clock, tmp_path, decode):
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


async def test_what_rtp_does_not_carry_must_be_decoded(autojump_clock, tmp_path):
    path = tmp_path / "voice.wav"
    await record(path, sound())
    with pytest.raises(ValueError, match="pcm_s16le cannot be sent without decoding"):
        async with media.open_player(path, decode=False):
            pass


async def test_a_file_that_is_cut_off_gives_what_there_is(autojump_clock, tmp_path):
    path = tmp_path / "call.webm"
    await record(path, pictures("VP8"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    counters = []
    async with media.open_player(path) as player:
        with contextlib.suppress(trio.BrokenResourceError):
            async for frame in player.video:
                counters.append(media.read_counter(frame))  # noqa: PERF401 - what came before an error counts
    assert counters == list(range(len(counters)))
    assert 10 < len(counters) < COUNT


async def test_a_host_that_does_not_answer_is_given_up_when_cancelled(autojump_clock):
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
async def test_a_mutated_file_raises_nothing_but_the_documented_errors(autojump_clock, tmp_path, name):
    path, rng = tmp_path / name, random.Random(name)
    await record(path, pictures("VP8") if name == "call.webm" else sound())
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
