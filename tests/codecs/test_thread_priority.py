"""Encoders do not change the priority of threads."""

import os
import sys
import threading

import pytest

from tests.strategies.recordings import video_frames
from trio_rtc.codecs.thread_priority import preserved_thread_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these priorities")

BATCH = "SCHED_BATCH"
"""A policy that every user may set."""


def policies():
    return {task: os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}


def set_batch():
    os.sched_setscheduler(0, getattr(os, BATCH), os.sched_param(0))


def test_the_thread_has_its_priority_again():
    before = os.sched_getscheduler(0)
    with preserved_thread_priority():
        set_batch()
        assert os.sched_getscheduler(0) == getattr(os, BATCH)
    assert os.sched_getscheduler(0) == before


def test_the_priority_is_restored_after_an_exception():
    def fail():
        with preserved_thread_priority():
            set_batch()
            raise ValueError("no encoder")

    before = os.sched_getscheduler(0)
    with pytest.raises(ValueError, match="no encoder"):
        fail()
    assert os.sched_getscheduler(0) == before


def test_threads_begun_in_the_block_have_the_same_priority():
    begun, ended = threading.Barrier(2), threading.Event()

    def run():
        set_batch()
        begun.wait()
        ended.wait()

    before = os.sched_getscheduler(0)
    with preserved_thread_priority():
        thread = threading.Thread(target=run)
        thread.start()
        begun.wait()
        assert os.sched_getscheduler(thread.native_id) == getattr(os, BATCH)
    assert os.sched_getscheduler(thread.native_id) == before
    ended.set()
    thread.join()


def test_a_thread_that_existed_before_is_not_changed():
    ready, ended = threading.Barrier(2), threading.Event()

    def run():
        set_batch()
        ready.wait()
        ended.wait()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    with preserved_thread_priority():
        pass
    assert os.sched_getscheduler(thread.native_id) == getattr(os, BATCH)
    ended.set()
    thread.join()


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1"])
def test_no_encoder_changes_priorities(codec):
    before = os.sched_getscheduler(0)
    # As root, SVT-AV1 would have real-time priority, and so would this thread.
    video_frames(codec, 2)
    assert set(policies().values()) == {before}
