"""Detection of a restart of the sender of a stream."""

import math

from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.receive.video.packet_buffer import RestartDetector

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
