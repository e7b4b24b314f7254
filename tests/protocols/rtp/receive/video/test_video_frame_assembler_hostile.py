"""The cost of packets of a peer that wants to make frames expensive: constant for each when many are buffered."""

import pytest

from tests.strategies.line_count import count_lines
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.payload import depacketizer
from trio_rtc.protocols.rtp.receive.video.frame_assembler import CompletedFrame, FrameAssembler

KEYFRAME = bytes([0x10, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0, 1, 2, 3])
BROKEN = KEYFRAME[:7]


def assembler() -> FrameAssembler:
    opener = depacketizer("VP8", {})
    assert opener is not None
    assembler = FrameAssembler(opener)
    insert(assembler, 1, 0)
    assert len(assembler.frames(0.0)) == 1
    return assembler


def insert(
    assembler: FrameAssembler,
    number: int,
    timestamp: int,
    *,
    payload: bytes = KEYFRAME,
    marker: bool = True,
    now: float = 0.0,
) -> None:
    assembler.insert(number, timestamp, RtpPacket(96, number & 0xFFFF, timestamp, 7, payload, marker), now)


def insert_behind_gap(
    assembler: FrameAssembler,
    count: int,
    *,
    step: int = 1,
    ticks: int = 0,
    payload: bytes = KEYFRAME,
    marker: bool = False,
) -> list[CompletedFrame]:
    frames = []
    for index in range(count):
        insert(assembler, 3 + step * index, 3000 + ticks * index, payload=payload, marker=marker)
        frames += assembler.frames(0.0)
        assembler.next_timer()
    return frames


@pytest.mark.parametrize(
    ("step", "ticks"), [(1, 0), (2, 0), (2, 3000)], ids=["one frame", "a frame of holes", "frames of holes"]
)
def test_waiting_for_a_gap_costs_each_packet_the_same(step: int, ticks: int) -> None:
    few, many = assembler(), assembler()
    cost = count_lines(lambda: insert_behind_gap(few, 200, step=step, ticks=ticks))
    assert count_lines(lambda: insert_behind_gap(many, 800, step=step, ticks=ticks)) < 8 * cost
    assert many.buffered == 800


@pytest.mark.parametrize("payload", [KEYFRAME, BROKEN], ids=["gaps", "broken frames"])
def test_giving_up_costs_each_packet_the_same(payload: bytes) -> None:
    def cost(count: int) -> int:
        hostile = assembler()
        insert_behind_gap(hostile, count, step=2, ticks=3000, payload=payload, marker=True)
        lines = count_lines(lambda: hostile.frames(60.0))
        assert hostile.buffered == 0
        return lines

    assert cost(800) < 8 * cost(200)


def test_a_stream_of_gaps_does_not_delay_the_complete_frames_behind() -> None:
    healed = assembler()
    insert_behind_gap(healed, 800, step=2, ticks=3000, marker=True)
    healed.frames(60.0)
    assert healed.take_keyframe_request()
    insert(healed, 2000, 3_000_000, now=60.1)
    (frame,) = healed.frames(60.1)
    assert frame.frame.keyframe


def test_a_keyframe_that_follows_a_gap_is_found_among_many_packets() -> None:
    """The buffer is not searched for each packet; its keyframes are found soon nevertheless."""
    late = assembler()
    frames = insert_behind_gap(late, 400, payload=b"\x10\x11" + bytes(9))
    assert not frames
    for number in range(500, 530):
        insert(late, number, 9000 * number)
        frames += late.frames(0.1)
    assert frames[0].frame.keyframe
