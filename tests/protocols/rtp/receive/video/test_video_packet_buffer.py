"""What shows that the sender of a stream has begun anew."""

import math

from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.receive.video.packet_buffer import RestartDetector

OPTIONS = FrameAssemblerOptions(max_packets=100, restart_silence=1.0)


def progress(latest: int = 1000, timestamp: int = 9000, at: float = 5.0) -> RestartDetector:
    made = RestartDetector(OPTIONS)
    made.packet_kept(latest, at)
    made.frame_completed(timestamp)
    return made


def test_before_the_first_packet_nothing_is_far() -> None:
    made = RestartDetector(OPTIONS)
    assert not made.is_far(1 << 40, None)
    assert made.last_useful == -math.inf
    assert made.is_silent(0.0)


def test_what_is_far_from_the_last_packet_is_a_new_beginning() -> None:
    made = progress()
    assert [made.is_far(number, None) for number in (899, 900, 1100, 1101)] == [True, False, False, True]


def test_where_something_is_awaited_only_what_is_far_ahead_of_that_is() -> None:
    made = progress()
    assert [made.is_far(number, 950) for number in (899, 1100, 1101)] == [False, False, True]
    # Long frames move on packet by packet.
    assert [made.is_far(number, 1050) for number in (1101, 1150, 1151)] == [False, False, True]


def test_a_keyframe_that_is_behind_is_late_unless_something_speaks_for_a_restart() -> None:
    made = progress()
    assert not made.is_restart(100, 9000, 5.5)
    assert made.is_restart(101, 9000, 5.5)
    assert made.is_restart(1, 9001, 5.5)
    assert made.is_restart(1, 9000, 6.0)


def test_frames_that_come_out_of_order_do_not_set_it_back() -> None:
    made = progress()
    made.frame_completed(6000)
    assert not made.is_restart(1, 8000, 5.5)


def test_after_a_new_beginning_any_timestamp_is_new() -> None:
    made = progress()
    made.reset()
    assert made.is_restart(1, 0, 5.5)
    made.frame_completed(0)
    assert not made.is_restart(1, 0, 5.5)
