"""Repetition of a sender's last video frame."""

import math

import pytest

from trio_rtc._pipeline.video_refresh import VideoRefresh


def test_a_repetition_is_due_soon_after_a_request_unless_a_keyframe_was_sent() -> None:
    refresh = VideoRefresh()
    assert refresh.due_at == math.inf
    refresh.request([1, 2], 10.0)
    refresh.request([1], 10.1)
    assert refresh.due_at == pytest.approx(10.15)
    refresh.cancel(1)
    assert refresh.due_at == pytest.approx(10.15)
    refresh.cancel(2)
    assert refresh.due_at == math.inf


def test_frames_sent_meanwhile_postpone_it() -> None:
    refresh = VideoRefresh()
    refresh.request([1], 10.0)
    for index in range(100):
        refresh.record_sent(10 + index / 30)
        assert refresh.due_at > 10 + (index + 1) / 30


def test_repetitions_end_if_they_do_not_become_keyframes() -> None:
    refresh = VideoRefresh()
    refresh.request([1], 0.0)
    times = []
    while refresh.due_at < math.inf:
        times.append(refresh.due_at)
        refresh.begin(refresh.due_at)
    assert times == pytest.approx([0.15, 0.45, 1.05, 2.25, 4.65, 9.45])


def test_a_request_without_stream_changes_nothing() -> None:
    refresh = VideoRefresh()
    refresh.request([], 1.0)
    assert refresh.due_at == math.inf
