"""Senders of different connections share the encoder of a source."""

import itertools
from fractions import Fraction

import av
import pytest
from trio.testing import MockClock

from trio_rtc._pipeline.encoder_pool import EncoderConfig, EncoderHandle, EncoderPool
from trio_rtc.media import draw_pattern
from trio_rtc.protocols.rtp import EncodedFrame

KEY = EncoderConfig("video", "VP8", ())
SMALL = EncoderConfig("video", "VP8", (), scale_down_by=2.0)


def picture(number: int) -> av.VideoFrame:
    frame = draw_pattern(number, 64, 48)
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
    return frame


class Conference:
    """A source and those who send it."""

    def __init__(self, users: int) -> None:
        self.pool = EncoderPool()
        self.users = [EncoderHandle(self.pool) for _ in range(users)]
        self._number = 0

    async def show(
        self, *keys: EncoderConfig, to: list[int] | None = None, bitrates: dict[int, float] | None = None
    ) -> list[list[EncodedFrame]]:
        """Show a picture to all users, or to some, who have 300 kbit/s or what is told."""
        self._number += 1
        frame = picture(self._number)
        return [
            await self.users[user].encode(
                keys[user % len(keys)], self._number, frame, (bitrates or {}).get(user, 300_000)
            )
            for user in (range(len(self.users)) if to is None else to)
        ]

    async def aclose(self) -> None:
        for user in self.users:
            await user.aclose()


async def test_a_picture_is_encoded_once_for_all_who_send_it_alike() -> None:
    conference = Conference(3)
    for _ in range(5):
        first, *others = await conference.show(KEY)
        assert len(first) == 1
        for other in others:
            assert other[0] is first[0]
    assert conference.pool.configs == [KEY]
    await conference.aclose()
    assert conference.pool.configs == []


async def test_who_wants_another_size_has_an_encoder_of_his_own() -> None:
    conference = Conference(2)
    [large], [small] = await conference.show(KEY, SMALL)
    assert (large.width, small.width) in ((64, 32), (None, None))
    assert large is not small
    assert set(conference.pool.configs) == {KEY, SMALL}
    await conference.users[1].aclose()
    assert set(conference.pool.configs) == {KEY}
    await conference.aclose()


async def test_who_comes_later_begins_with_a_keyframe_that_all_get() -> None:
    conference = Conference(2)
    for _ in range(3):
        await conference.show(KEY, to=[0])
    # The first of them has had this one encoded before the other was there.
    assert [len(frames) for frames in await conference.show(KEY)] == [1, 0]
    [first], [second] = await conference.show(KEY)
    assert first is second
    assert first.keyframe
    [[third], _] = await conference.show(KEY)
    assert not third.keyframe
    await conference.aclose()


async def test_who_missed_a_picture_waits_for_a_keyframe() -> None:
    conference = Conference(2)
    await conference.show(KEY)
    await conference.show(KEY, to=[0])
    # What the other one has missed, this picture builds on.
    assert [len(frames) for frames in await conference.show(KEY)] == [1, 0]
    [again, also] = await conference.show(KEY)
    assert again[0] is also[0]
    assert also[0].keyframe
    await conference.aclose()


async def test_a_picture_that_others_have_passed_is_not_encoded_any_more() -> None:
    conference = Conference(2)
    await conference.show(KEY)
    for number in range(2, 20):
        await conference.users[0].encode(KEY, number, picture(number), None)
    assert await conference.users[1].encode(KEY, 3, picture(3), None) == []
    await conference.aclose()


async def test_a_keyframe_that_one_asks_for_serves_all() -> None:
    conference = Conference(2)
    for _ in range(3):
        await conference.show(KEY)
    conference.users[1].request_keyframe()
    assert [frames[0].keyframe for frames in await conference.show(KEY)] == [True, True]
    await conference.aclose()


async def test_who_asks_for_keyframes_all_the_time_does_not_spoil_what_the_others_see(
    mock_clock: MockClock,
) -> None:
    conference = Conference(2)
    await conference.show(KEY)
    keyframes = []
    for _ in range(30):
        conference.users[1].request_keyframe()
        [[frame], _] = await conference.show(KEY)
        keyframes.append(frame.keyframe)
        mock_clock.jump(1 / 30)
    assert keyframes[0]
    assert 3 <= sum(keyframes) <= 4
    # What was asked for too early is not forgotten.
    mock_clock.jump(0.3)
    [[frame], _] = await conference.show(KEY)
    assert frame.keyframe
    await conference.aclose()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_change_of_size_goes_on_with_a_keyframe(codec: str) -> None:
    conference = Conference(1)
    large = EncoderConfig("video", codec, ())
    small = EncoderConfig("video", codec, (), scale_down_by=2.0)
    for _ in range(3):
        await conference.show(large)
    [[frame]] = await conference.show(small)
    assert frame.keyframe
    await conference.aclose()


async def test_one_slow_viewer_drags_the_others_down_for_no_more_than_two_seconds(
    mock_clock: MockClock,
) -> None:
    conference = Conference(3)
    sizes: list[tuple[list[int], int]] = []
    keyframes = 0
    for second in range(4):
        for _ in range(10):
            shown = await conference.show(KEY, bitrates={1: 100_000} if second else None)
            sizes.append(([id(frames[0]) for frames in shown], len(conference.pool.encoders(KEY))))
            keyframes += bool(second) and shown[0][0].keyframe
            mock_clock.jump(0.1)
    encoders = [count for _, count in sizes]
    assert encoders[:20] == [1] * 20
    assert encoders[25:] == [2] * 15
    # Those who can take more go on together, undisturbed by keyframes.
    assert all(frames[0] == frames[2] for frames, _ in sizes)
    assert all(frames[0] != frames[1] for frames, _ in sizes[25:])
    assert keyframes == 0
    await conference.aclose()
    assert conference.pool.configs == []


async def test_who_comes_with_little_bandwidth_slows_nobody_down_and_joins_when_it_has_grown(
    mock_clock: MockClock,
) -> None:
    conference = Conference(3)
    await conference.show(KEY, to=[0, 1])
    counts = []
    for step in range(80):
        await conference.show(KEY, bitrates={2: 50_000 if step < 20 else 300_000})
        counts.append(len(conference.pool.encoders(KEY)))
        mock_clock.jump(0.1)
    assert counts[:60] == [2] * 60
    assert counts[-1] == 1
    await conference.aclose()


async def test_the_time_of_pictures_that_do_not_tell_it_goes_on_in_another_encoder() -> None:
    pool = EncoderPool()
    user = EncoderHandle(pool)
    timestamps = []
    for number in range(1, 7):
        frame = picture(number)
        frame.pts = None
        key = KEY if number < 4 else SMALL
        [encoded] = await user.encode(key, number, frame, 300_000, 10 + number / 15)
        timestamps.append(encoded.timestamp)
    assert [later - earlier for earlier, later in itertools.pairwise(timestamps)] == [6000] * 5
    await user.aclose()
