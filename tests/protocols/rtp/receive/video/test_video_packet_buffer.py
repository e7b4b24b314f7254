"""Restarts of the sender of a stream, and the keyframes in the buffer."""

import math

from tests.strategies.toy_video import ToyDepacketizer, toy_packet, toy_payloads
from trio_rtc.protocols.rtp.buffer_budget import BufferBudget, largest
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.receive.video.packet_buffer import (
    BufferedPacket,
    KeyframeStarts,
    PacketBuffer,
    RestartDetector,
)

OPTIONS = FrameAssemblerOptions(max_packets=100, restart_silence=1.0)


def progress(latest: int = 1000, timestamp: int = 9000, at: float = 5.0) -> RestartDetector:
    made = RestartDetector(OPTIONS)
    made.packet_kept(latest, at)
    made.frame_completed(timestamp)
    return made


def test_before_the_first_packet_no_number_is_far() -> None:
    made = RestartDetector(OPTIONS)
    assert not made.is_far(1 << 40, None)
    assert made.last_useful == -math.inf
    assert made.is_silent(0.0)


def test_a_number_far_from_the_last_packet_is_a_restart() -> None:
    made = progress()
    assert [made.is_far(number, None) for number in (899, 900, 1100, 1101)] == [True, False, False, True]


def test_behind_a_missing_packet_only_a_number_far_ahead_of_it_is_a_restart() -> None:
    made = progress()
    assert [made.is_far(number, 950) for number in (899, 1100, 1101)] == [False, False, True]
    # Long frames advance packet by packet.
    assert [made.is_far(number, 1050) for number in (1101, 1150, 1151)] == [False, False, True]


def test_an_old_keyframe_is_late_unless_there_are_signs_of_a_restart() -> None:
    made = progress()
    assert not made.is_restart(100, 9000, 5.5)
    assert made.is_restart(101, 9000, 5.5)
    assert made.is_restart(1, 9001, 5.5)
    assert made.is_restart(1, 9000, 6.0)


def test_reordered_frames_do_not_decrease_the_newest_timestamp() -> None:
    made = progress()
    made.frame_completed(6000)
    assert not made.is_restart(1, 8000, 5.5)


def test_after_a_new_beginning_any_timestamp_is_new() -> None:
    made = progress()
    made.reset()
    assert made.is_restart(1, 0, 5.5)
    made.frame_completed(0)
    assert not made.is_restart(1, 0, 5.5)


class Waiting:
    """Buffered packets, and the keyframes found among them."""

    def __init__(self) -> None:
        self.buffer = PacketBuffer(self, BufferBudget(1 << 20, largest))
        self.starts = KeyframeStarts(self.buffer, ToyDepacketizer())

    def discard(self) -> None:
        self.buffer.clear()

    def frame(self, number: int, count: int = 2, *, key: bool = True, lost: int | None = None) -> None:
        """Insert a frame from a sequence number on; omit one part of it."""
        for part, payload in enumerate(toy_payloads(number, count, key=key)):
            if part != lost:
                self.put(number + part, payload, 3000 * number, marker=part == count - 1)

    def put(self, number: int, payload: bytes, timestamp: int, *, marker: bool = False) -> None:
        packet = toy_packet(payload, marker=marker)
        self.buffer.insert(number, BufferedPacket(packet, timestamp, 0.0))
        if self.starts.begins_keyframe(packet):
            self.starts.add(number)


def test_only_the_first_packet_of_a_keyframe_begins_one() -> None:
    starts = Waiting().starts
    first, second = toy_payloads(0, 2, key=True)
    assert starts.begins_keyframe(toy_packet(first))
    assert not starts.begins_keyframe(toy_packet(second))
    assert not starts.begins_keyframe(toy_packet(toy_payloads(0, 1)[0]))
    assert not starts.begins_keyframe(toy_packet(b""))


def test_a_complete_keyframe_is_found_behind_an_incomplete_one() -> None:
    waiting = Waiting()
    waiting.frame(10, 3, lost=2)
    waiting.frame(20, key=False)
    waiting.frame(30)
    assert waiting.starts.first() == 10
    assert waiting.starts.first_behind(5, whole=False) == 10
    assert waiting.starts.first_behind(5, whole=True) == 30
    assert waiting.starts.first_behind(10, whole=False) == 30
    assert waiting.starts.first_behind(30, whole=False) is None


def test_units_before_the_start_within_the_frame_belong_to_it() -> None:
    waiting = Waiting()
    # As in H.264, where the unit that begins a keyframe may be behind another one of the frame.
    head, body = toy_payloads(0, 1)[0], toy_payloads(0, 1, key=True)[0]
    waiting.put(9, head, 2000, marker=True)
    waiting.put(10, head, 3000)
    waiting.put(11, body, 3000, marker=True)
    assert waiting.starts.first() == 10
    # Unless the frame itself cannot begin there.
    waiting.put(21, toy_payloads(0, 2)[1], 6000)
    waiting.put(22, body, 6000, marker=True)
    assert waiting.starts.first_behind(11, whole=True) == 22


def test_removed_keyframes_are_found_again_by_a_search() -> None:
    waiting = Waiting()
    waiting.frame(10)
    waiting.frame(20)
    waiting.starts.forget_below(20)
    assert waiting.starts.first() == 20
    waiting.starts.clear()
    assert waiting.starts.first() is None
    waiting.starts.search()
    assert waiting.starts.first() == 10
