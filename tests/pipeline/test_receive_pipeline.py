"""The receive pipeline of a media section without a decoder: queues, layers, transforms and played sources."""

from typing import Any

import pytest
import trio
import trio.testing

from trio_rtc._pipeline import receive_pipeline
from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc.event_target import HandlerRunner
from trio_rtc.protocols.rtp import EncodedFrame, RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe
from trio_rtc.tracks.frame_source import FrameSource
from trio_rtc.tracks.media_stream_track import MediaStreamTrack

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

    def push() -> tuple[int, int]:
        section.pipeline.push_packets("high", PACKETS)
        section.pipeline.push_frames("high", [frame(0)])
        return section.queued()

    async with trio.open_nursery() as nursery:
        assert push() == (0, 0)
        section.pipeline.open(nursery)
        assert push() == (2, 1)
        section.pipeline.close()
        assert push() == (2, 1)


async def test_a_frame_in_the_transform_is_decoded_even_if_the_pipeline_was_closed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(receive_pipeline, "_open_decoder", lambda kind, codec, options: opened.append(codec))
    source = FrameSource("video")
    pipeline = ReceivePipeline(source, lambda rid: None, decode=True)
    track = MediaStreamTrack(source, runner=HandlerRunner())
    gate = trio.Event()

    async def transform(received: EncodedFrame) -> EncodedFrame:
        await gate.wait()
        return received

    pipeline.transform = transform
    async with trio.open_nursery() as nursery:
        pipeline.open(nursery)
        nursery.start_soon(track.receive)
        await trio.testing.wait_all_tasks_blocked()
        pipeline.push_frames(None, [frame(0)])
        pipeline.close()
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert opened == ["VP8"]


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
