"""What an application may do wrong with media: it loses the frame, and nothing else."""

import pytest
import trio
from trio.testing import MockClock

from tests.strategies.calls import call
from trio_rtc import EncodedFrame


@pytest.mark.parametrize(
    "wrong",
    [
        object(),
        None,
        EncodedFrame(b"\x78", 0, 48_000, "opus"),
        EncodedFrame(b"\x10", 0, 90_000, "VP8", True, capture_time=float("inf")),
        EncodedFrame(b"\x10", 0, 90_000, "VP8", True, capture_time=float("nan")),
    ],
    ids=["an object", "nothing", "another kind", "at no time", "not at a time"],
)
async def test_a_wrong_frame_is_not_sent_and_those_after_it_are(
    autojump_clock: MockClock, wrong: object
) -> None:
    async with call() as made, made.receiver.encoded_frames() as frames:
        await made.video_source.send(wrong)
        await made.show(0.5)
        with trio.fail_after(2):
            assert (await frames.receive()).keyframe
