"""Senders of different connections share the encoder of a source."""

import itertools
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import av
import pytest
from trio.testing import MockClock

from trio_rtc._pipeline.encoder_pool import EncoderConfig, EncoderHandle, EncoderPool
from trio_rtc.codecs import CodecThread
from trio_rtc.media import draw_pattern, tone
from trio_rtc.protocols.rtp import EncodedFrame

KEY = EncoderConfig("video", "VP8", ())
SMALL = EncoderConfig("video", "VP8", (), scale_down_by=2.0)


def frame_of(number: int) -> av.VideoFrame:
    frame = draw_pattern(number, 64, 48)
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
    return frame


class Conference:
    """A source and its senders."""

    def __init__(self, users: int) -> None:
        self.pool = EncoderPool()
        self.users = [EncoderHandle(self.pool) for _ in range(users)]
        self._number = 0

    async def send(
        self, *keys: EncoderConfig, to: list[int] | None = None, bitrates: dict[int, float] | None = None
    ) -> list[list[EncodedFrame]]:
        """Send a frame to all senders, or to some, at 300 kbit/s or other bitrates."""
        self._number += 1
        frame = frame_of(self._number)
        return [
            await self.users[user].encode(
                keys[user % len(keys)], self._number, frame, (bitrates or {}).get(user, 300_000)
            )
            for user in (range(len(self.users)) if to is None else to)
        ]

    async def aclose(self) -> None:
        for user in self.users:
            await user.aclose()


async def test_a_frame_is_encoded_once_for_senders_with_equal_configurations() -> None:
    conference = Conference(3)
    for _ in range(5):
        first, *others = await conference.send(KEY)
        assert len(first) == 1
        for other in others:
            assert other[0] is first[0]
    assert conference.pool.configs == [KEY]
    await conference.aclose()
    assert conference.pool.configs == []


async def test_a_sender_of_another_size_has_its_own_encoder() -> None:
    conference = Conference(2)
    [large], [small] = await conference.send(KEY, SMALL)
    assert (large.width, small.width) in ((64, 32), (None, None))
    assert large is not small
    assert set(conference.pool.configs) == {KEY, SMALL}
    await conference.users[1].aclose()
    assert set(conference.pool.configs) == {KEY}
    await conference.aclose()


async def test_a_later_sender_begins_with_a_keyframe_for_all() -> None:
    conference = Conference(2)
    for _ in range(3):
        await conference.send(KEY, to=[0])
    # The first sender had this frame encoded before the other joined.
    assert [len(frames) for frames in await conference.send(KEY)] == [1, 0]
    [first], [second] = await conference.send(KEY)
    assert first is second
    assert first.keyframe
    [[third], _] = await conference.send(KEY)
    assert not third.keyframe
    await conference.aclose()


async def test_a_sender_that_missed_a_frame_waits_for_a_keyframe() -> None:
    conference = Conference(2)
    await conference.send(KEY)
    await conference.send(KEY, to=[0])
    # This frame refers to the one that the other sender has missed.
    assert [len(frames) for frames in await conference.send(KEY)] == [1, 0]
    [again, also] = await conference.send(KEY)
    assert again[0] is also[0]
    assert also[0].keyframe
    await conference.aclose()


async def test_a_frame_older_than_encoded_ones_is_not_encoded() -> None:
    conference = Conference(2)
    await conference.send(KEY)
    for number in range(2, 20):
        await conference.users[0].encode(KEY, number, frame_of(number), None)
    assert await conference.users[1].encode(KEY, 3, frame_of(3), None) == []
    await conference.aclose()


async def test_a_requested_keyframe_is_sent_by_all() -> None:
    conference = Conference(2)
    for _ in range(3):
        await conference.send(KEY)
    conference.users[1].request_keyframe()
    assert [frames[0].keyframe for frames in await conference.send(KEY)] == [True, True]
    await conference.aclose()


async def test_frequent_keyframe_requests_do_not_degrade_other_senders(
    mock_clock: MockClock,
) -> None:
    conference = Conference(2)
    await conference.send(KEY)
    keyframes = []
    for _ in range(30):
        conference.users[1].request_keyframe()
        [[frame], _] = await conference.send(KEY)
        keyframes.append(frame.keyframe)
        mock_clock.jump(1 / 30)
    assert keyframes[0]
    assert 3 <= sum(keyframes) <= 4
    # A request that is too early is not lost.
    mock_clock.jump(0.3)
    [[frame], _] = await conference.send(KEY)
    assert frame.keyframe
    await conference.aclose()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_change_of_size_continues_with_a_keyframe(codec: str) -> None:
    conference = Conference(1)
    large = EncoderConfig("video", codec, ())
    small = EncoderConfig("video", codec, (), scale_down_by=2.0)
    for _ in range(3):
        await conference.send(large)
    [[frame]] = await conference.send(small)
    assert frame.keyframe
    await conference.aclose()


async def test_one_slow_sender_degrades_the_others_for_at_most_two_seconds(
    mock_clock: MockClock,
) -> None:
    conference = Conference(3)
    sizes: list[tuple[list[int], int]] = []
    keyframes = 0
    for second in range(4):
        for _ in range(10):
            shown = await conference.send(KEY, bitrates={1: 100_000} if second else None)
            sizes.append(([id(frames[0]) for frames in shown], len(conference.pool.encoders(KEY))))
            keyframes += bool(second) and shown[0][0].keyframe
            mock_clock.jump(0.1)
    encoders = [count for _, count in sizes]
    assert encoders[:20] == [1] * 20
    assert encoders[25:] == [2] * 15
    # Senders with more bandwidth continue together, without additional keyframes.
    assert all(frames[0] == frames[2] for frames, _ in sizes)
    assert all(frames[0] != frames[1] for frames, _ in sizes[25:])
    assert keyframes == 0
    await conference.aclose()
    assert conference.pool.configs == []


async def test_a_sender_of_little_bandwidth_degrades_no_other_and_joins_later(
    mock_clock: MockClock,
) -> None:
    conference = Conference(3)
    await conference.send(KEY, to=[0, 1])
    counts = []
    for step in range(80):
        await conference.send(KEY, bitrates={2: 50_000 if step < 20 else 300_000})
        counts.append(len(conference.pool.encoders(KEY)))
        mock_clock.jump(0.1)
    assert counts[:60] == [2] * 60
    assert counts[-1] == 1
    await conference.aclose()


async def test_timestamps_of_frames_without_pts_continue_in_another_encoder() -> None:
    pool = EncoderPool()
    user = EncoderHandle(pool)
    timestamps = []
    for number in range(1, 7):
        frame = frame_of(number)
        frame.pts = None
        key = KEY if number < 4 else SMALL
        [encoded] = await user.encode(key, number, frame, 300_000, 10 + number / 15)
        timestamps.append(encoded.timestamp)
    assert [later - earlier for earlier, later in itertools.pairwise(timestamps)] == [6000] * 5
    await user.aclose()


TONE = EncoderConfig("audio", "opus", ())


async def in_threads(pool: EncoderPool, monkeypatch: pytest.MonkeyPatch, numbers: Iterable[int]) -> list[int]:
    """Encode a frame of audio, and return how many calls in threads there were before and after it."""
    calls = 0
    original = CodecThread._run

    async def run(self: CodecThread, function: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        return await original(self, function)

    monkeypatch.setattr(CodecThread, "_run", run)
    handle, source, counts = EncoderHandle(pool), tone(440), []
    for number in numbers:
        await handle.encode(TONE, number, source.next_frame(), None)
        counts.append(calls)
    await handle.aclose()
    monkeypatch.setattr(CodecThread, "_run", original)
    return counts


async def test_a_run_without_threads_does_not_measure_audio_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio_rtc.codecs.worker.runs_threads", lambda: False)
    monkeypatch.setattr("trio_rtc.codecs.worker.time.thread_time", lambda: pytest.fail("measured"))
    assert await in_threads(EncoderPool(), monkeypatch, range(1, 4)) == [0, 0, 0]


async def test_eight_audio_encoders_encode_in_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    handles = [EncoderHandle(EncoderPool()) for _ in range(7)]
    for handle in handles:
        await handle.encode(TONE, 1, tone(440).next_frame(), None)
    assert await in_threads(EncoderPool(), monkeypatch, range(1, 4)) == [0, 0, 0], "the eighth"
    handles.append(EncoderHandle(EncoderPool()))
    await handles[-1].encode(TONE, 1, tone(440).next_frame(), None)
    assert await in_threads(EncoderPool(), monkeypatch, range(1, 4)) == [1, 2, 3], "the ninth"
    for handle in handles:
        await handle.aclose()
    assert await in_threads(EncoderPool(), monkeypatch, range(1, 4)) == [0, 0, 0]


async def test_a_slow_audio_encoder_moves_to_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, 0.006)
    monkeypatch.setattr("trio_rtc.codecs.worker.time.thread_time", lambda: next(clock))
    assert await in_threads(EncoderPool(), monkeypatch, range(1, 4)) == [0, 1, 2]
