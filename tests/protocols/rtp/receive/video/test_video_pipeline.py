"""The delay of video frames: limited by the sender, extended for audio."""

import math

import pytest

from tests.strategies.receive_streams import make_stream, receive_packet, video_packet
from trio_rtc.protocols.rtp.packet.extensions import PLAYOUT_DELAY, ExtensionMap, encode_playout_delay


def test_a_frame_that_was_kept_for_a_late_reader_is_not_late() -> None:
    """Frames that waited for a consumer must neither delay the audio of the call nor count as jitter buffer delay."""
    stream = make_stream(packets=False)
    for number in range(58):
        receive_packet(stream, video_packet(number, keyframe=number == 0), number / 30)
    stream.set_demand(frames=True, packets=False)
    assert len(stream.frames(1.92)) == 58
    receive_packet(stream, video_packet(58), 58 / 30)
    assert len(stream.frames(58 / 30)) == 1
    pipeline = stream.pipeline
    assert pipeline is not None
    timing = pipeline.timing()
    assert timing is not None
    assert timing.play_time == pytest.approx(58 / 30)
    assert stream.frame_stats.video_frames_emitted == 59
    assert stream.frame_stats.video_delay == pytest.approx(0)
    assert stream.frame_stats.rate.in_last_second(58 / 30) == 30


@pytest.mark.parametrize(
    ("limits", "min_delay", "delay"),
    [
        (None, 0.0, 0.0),
        ((0.3, 1.0), 0.0, 0.3),
        ((0.0, 0.1), 0.0, 0.0),
        ((0.0, 0.1), 0.5, 0.5),
        ((0.3, 0.4), 0.1, 0.3),
    ],
)
def test_the_sender_limits_the_delay_of_video(
    limits: tuple[float, float] | None, min_delay: float, delay: float
) -> None:
    stream = make_stream(extensions=ExtensionMap({3: PLAYOUT_DELAY}))
    stream.set_demand(frames=True, packets=False, min_delay=min_delay)
    elements = () if limits is None else ((3, encode_playout_delay(*limits)),)
    for number in range(20):
        now = number / 30
        stream.frames(now)
        receive_packet(stream, video_packet(number, keyframe=not number).with_extensions(elements), now)
    # Of the last one.
    assert len(stream.frames(now + delay + 0.01)) >= 1
    assert stream.next_timer() == math.inf
    if delay:
        receive_packet(stream, video_packet(20).with_extensions(elements), 20 / 30)
        assert not stream.frames(20 / 30 + delay - 0.02)


@pytest.mark.parametrize("min_delay", [0.0, 0.5, 1.5, 4.0])
@pytest.mark.parametrize("consumed_at", [0.0, 1.0])
def test_time_until_a_frame_is_released_is_counted(min_delay: float, consumed_at: float) -> None:
    """The time for which the first frames were kept, for want of a consumer, is not counted."""
    stream = make_stream(packets=False)
    released = 0
    for number in range(60):
        now = number / 30
        if now == consumed_at:
            stream.set_demand(frames=True, packets=False, min_delay=min_delay)
        while (due := stream.next_timer()) <= now:
            released += len(stream.frames(due))
        receive_packet(stream, video_packet(number, keyframe=not number), now)
        released += len(stream.frames(now))
    stats = stream.frame_stats
    assert stats.video_frames_emitted == released
    while released < 60:
        due = stream.next_timer()
        released += len(stream.frames(due))
        assert stats.rate.in_last_second(due) == pytest.approx(min(released, 30), abs=1)
    assert stats.video_frames_emitted == 60
    assert stats.video_delay / stats.video_frames_emitted == pytest.approx(min_delay)
    assert stats.intervals.total == pytest.approx(59 / 30)
    assert stats.intervals.freezes == 0


def test_video_waits_for_its_audio_no_longer_than_the_sender_allows() -> None:
    due = []
    for longest in (0.1, 1.0):
        stream = make_stream(frames=True, extensions=ExtensionMap({3: PLAYOUT_DELAY}))
        elements = ((3, encode_playout_delay(0.0, longest)),)
        for number in range(3):
            receive_packet(
                stream, video_packet(number, keyframe=not number).with_extensions(elements), number / 30
            )
            assert stream.pipeline is not None
            stream.pipeline.set_extra_delay(0.4)
            assert stream.frames(number / 30) == []
        due.append(stream.next_timer())
    assert due == pytest.approx([0.1, 0.4])
