"""The receive pipeline of a media section without a decoder: queues, layers, transforms and played sources."""

from typing import Any

import trio
import trio.testing

from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc.protocols.rtp import EncodedFrame, RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe
from trio_rtc.tracks.frame_source import FrameSource

PACKETS = [RtpPacket(96, number, 0, 1, b"a") for number in range(2)]


def frame(number: int, *, rid: str | None = None, ssrc: int = 1, **values: Any) -> EncodedFrame:
    return EncodedFrame(b"frame", 3000 * number, 90_000, "VP8", not number, rid=rid, ssrc=ssrc, **values)


class Section:
    """A pipeline, its queues and its keyframe requests."""

    def __init__(self) -> None:
        self.requests: list[str | None] = []
        self.pipeline = ReceivePipeline(FrameSource("video"), self.requests.append, decode=False)
        self.packets: FrameQueue[RtpPacket] = FrameQueue(8)
        self.frames: FrameQueue[EncodedFrame] = FrameQueue(2, at_keyframe)
        self.pipeline.packet_queues[self.packets] = "high"
        self.pipeline.encoded_queues[self.frames] = None

    def queued(self) -> tuple[int, int]:
        return self.packets.queued, self.frames.queued


async def test_media_before_the_block_and_after_the_end_is_ignored() -> None:
    section = Section()
    async with trio.open_nursery() as nursery:
        for is_open, expected in ((False, (0, 0)), (True, (2, 1)), (False, (2, 1))):
            if is_open:
                section.pipeline.open(nursery)
            else:
                section.pipeline.close()
            section.pipeline.push_packets("high", PACKETS)
            section.pipeline.push_frames("high", [frame(0)])
            assert section.queued() == expected


async def test_packets_go_to_the_queues_of_their_layer() -> None:
    section = Section()
    async with trio.open_nursery() as nursery:
        section.pipeline.open(nursery)
        section.pipeline.push_packets("low", PACKETS)
        assert section.queued() == (0, 0)
        section.pipeline.push_packets("high", PACKETS)
    assert section.packets.clear() == PACKETS


async def test_a_waiting_reader_that_lost_frames_needs_a_keyframe(
    autojump_clock: trio.testing.MockClock,
) -> None:
    section = Section()
    async with trio.open_nursery() as nursery:
        section.pipeline.open(nursery)
        section.pipeline.push_frames("low", [frame(number, rid="low") for number in range(4)])
        assert (section.frames.queued, section.requests) == (0, [])
        nursery.start_soon(section.frames.receive)
        await trio.testing.wait_all_tasks_blocked()
        section.pipeline.push_frames("low", [frame(4, rid="low")])
        assert section.requests == ["low"]
        section.pipeline.push_frames("low", [frame(0, rid="low")])


async def test_transformed_frames_keep_their_order() -> None:
    section = Section()

    async def transform(received: EncodedFrame) -> EncodedFrame | None:
        await trio.lowlevel.checkpoint()
        return None if received.keyframe else received

    section.pipeline.transform = transform
    section.frames = FrameQueue(8)
    section.pipeline.encoded_queues = {section.frames: None}
    async with trio.open_nursery() as nursery:
        section.pipeline.open(nursery)
        section.pipeline.push_frames(None, [frame(number) for number in range(4)])
        await trio.testing.wait_all_tasks_blocked()
        assert [each.timestamp for each in section.frames.clear()] == [3000, 6000, 9000]
        assert section.pipeline.transforms_dropped == 0
        nursery.cancel_scope.cancel()


async def test_the_last_playout_of_64_sources_is_recorded(autojump_clock: trio.testing.MockClock) -> None:
    section = Section()
    async with trio.open_nursery() as nursery:
        section.pipeline.open(nursery)
        for number in range(70):
            await trio.sleep(1)
            section.pipeline.push_frames(
                None, [frame(number, ssrc=number % 2, audio_level=30, contributing_sources=(number,))]
            )
    assert list(section.pipeline.played) == [0, 1]
    assert section.pipeline.played[1] == (trio.current_time(), 30, 3000 * 69)
    assert list(section.pipeline.contributing) == list(range(6, 70))
    assert section.pipeline.contributing[69].audio_level is None
