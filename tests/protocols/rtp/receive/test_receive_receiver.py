"""Polling of streams: those that were touched, and those whose deadline has passed."""

import math

import attrs

from tests.strategies.rtp_pair import (
    VP8,
    VP8_RTX,
    make_session,
    received,
    srtp_pair,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtp import FramesReceived, RtpSession
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.parameters import SendParameters
from trio_rtc.protocols.rtp.receive.receiver import StreamDeadlines
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

TIMEOUT = 5.0


def make_stream(ssrc: int, last_received_at: float) -> RtpReceiveStream:
    stream = RtpReceiveStream("0", ssrc, None, RtpOptions(), ExtensionMap())
    stream.last_received_at = last_received_at
    return stream


def test_only_touched_or_due_streams_are_polled() -> None:
    deadlines = StreamDeadlines(TIMEOUT)
    assert deadlines.next_timer() == math.inf
    first, second = make_stream(1, 0.0), make_stream(2, 1.0)
    deadlines.touch(first)
    deadlines.touch(second)
    assert deadlines.due_streams(1.0) == [first, second]
    assert deadlines.next_timer() == TIMEOUT
    assert deadlines.due_streams(2.0) == []
    deadlines.touch(second)
    assert deadlines.due_streams(2.0) == [second]
    # Until its deadline is recomputed it is polled again.
    assert deadlines.due_streams(2.0) == [second]
    assert deadlines.next_timer() == TIMEOUT
    assert deadlines.due_streams(TIMEOUT) == [first]
    first.last_received_at = 3.0
    assert deadlines.next_timer() == TIMEOUT + 1.0


def test_ended_streams_are_not_polled() -> None:
    deadlines = StreamDeadlines(TIMEOUT)
    first, second = make_stream(1, 0.0), make_stream(2, 1.0)
    deadlines.touch(first)
    deadlines.touch(second)
    deadlines.remove(second)
    assert deadlines.next_timer() == TIMEOUT
    deadlines.remove(first)
    assert deadlines.due_streams(100.0) == []
    assert deadlines.next_timer() == math.inf


def test_the_deadline_of_an_ended_stream_is_removed() -> None:
    deadlines = StreamDeadlines(TIMEOUT)
    first, second = make_stream(1, 0.0), make_stream(2, 1.0)
    deadlines.touch(first)
    deadlines.touch(second)
    assert deadlines.next_timer() == TIMEOUT
    assert deadlines.due_streams(TIMEOUT) == [first]
    deadlines.remove(first)
    assert deadlines.next_timer() == TIMEOUT + 1.0


def test_each_of_many_streams_has_frames_and_an_end() -> None:
    count = 20
    alice, bob = make_session(1), make_session(2)
    sections = [section_of(index) for index in range(count)]
    for session, srtp in zip((alice, bob), srtp_pair(), strict=True):
        session.set_keys(srtp, 0.0)
    alice.set_sections(sections, [], 0.0)
    bob.set_sections([], [received(section) for section in sections], 0.0)
    for section in sections:
        bob.set_demand(section.mid, frames=True, packets=False)
    frames = dict.fromkeys((section.mid for section in sections), 0)
    for number in range(10):
        for index, section in enumerate(sections):
            now = number / 30 + index / 1000
            alice.send_frame(section.mid, video_frame(number, now, 200), now)
            exchange(alice, bob, now, frames)
    assert set(frames.values()) == {10}
    while (due := bob.next_timer()) < math.inf and any(True for _ in bob.receiver.streams):
        bob.handle_timer(due)
        bob.datagrams_to_send(due)
    assert not list(bob.receiver.streams)


def section_of(index: int) -> SendParameters:
    section = video_section(VP8, VP8_RTX)
    encoding = attrs.evolve(section.encodings[0], ssrc=1000 + 2 * index, rtx_ssrc=1001 + 2 * index)
    return attrs.evolve(section, mid=str(index), encodings=(encoding,))


def exchange(alice: RtpSession, bob: RtpSession, now: float, frames: dict[str, int]) -> None:
    """Exchange datagrams, and count the frames that Bob receives."""
    for session in (alice, bob):
        if session.next_timer() <= now:
            session.handle_timer(now)
    bob.receive(alice.datagrams_to_send(now), now)
    alice.receive(bob.datagrams_to_send(now), now)
    for event in bob.events():
        if isinstance(event, FramesReceived):
            frames[event.mid] += len(event.frames)
