"""Files and streams as channels of frames."""

import contextlib
import random

import pytest
import trio
import trio.testing

from tests.strategies.recordings import (
    COUNT,
    audio_frames,
    open_files,
    record,
    seconds,
    video_frames,
)
from trio_rtc import media
from trio_rtc.codecs import codec_limiter


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
