"""RTCP reports: compounds, BYE, and the schedule (RFC 3550 section 6)."""

import math
import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, SourceDescription
from trio_rtc.protocols.rtp.reports import MAX_BLOCKS, ReportSchedule, compound, make_bye


def block(ssrc: int) -> ReportBlock:
    return ReportBlock(ssrc, 0, 0, 0, 0, 0, 0)


@given(senders=st.integers(0, 3), blocks=st.integers(0, 150))
def test_a_compound_has_every_block_once_and_a_name(senders: int, blocks: int) -> None:
    reports = [SenderReport(100 + number, 1, 2, 3, 4) for number in range(senders)]
    packets = compound(
        1, reports, [block(n) for n in range(blocks)], "name", [report.ssrc for report in reports]
    )
    assert isinstance(packets[0], SenderReport if senders else ReceiverReport)
    reported = [
        each.ssrc
        for packet in packets
        if isinstance(packet, SenderReport | ReceiverReport)
        for each in packet.blocks
    ]
    assert reported == list(range(blocks))
    for packet in packets:
        if isinstance(packet, SenderReport | ReceiverReport):
            assert len(packet.blocks) <= MAX_BLOCKS
    description = packets[-1]
    assert isinstance(description, SourceDescription)
    assert [chunk.ssrc for chunk in description.chunks] == [1, *range(100, 100 + senders)]


def test_a_bye_names_the_ssrcs_that_leave() -> None:
    *_, last = make_bye(1, "name", [5, 6])
    assert last == Bye((5, 6))


SECONDS = st.floats(0.1, 10)


def is_spread(due: float, begin: float, interval: float) -> bool:
    return begin + interval / 2 <= due <= begin + 1.5 * interval


@given(st.integers(0, 2**32), SECONDS, SECONDS)
def test_reports_without_video_begin_soon_and_are_spread_around_the_interval(
    seed: int, audio: float, video: float
) -> None:
    schedule = ReportSchedule(random.Random(seed), audio, video)
    assert not schedule.take_due(10.0)
    schedule.start(10.0)
    due = schedule.due
    schedule.start(10.01)
    assert schedule.due == due
    assert 10.0 < due < 10.2
    assert schedule.take_due(due) == ["audio"]
    assert is_spread(schedule.due, due, audio)
    schedule.stop()
    assert schedule.due == math.inf
    assert not schedule.take_due(100.0)


@given(st.integers(0, 2**32))
def test_with_video_audio_is_first_reported_after_half_of_its_interval(seed: int) -> None:
    schedule = ReportSchedule(random.Random(seed), 5.0, 1.0)
    schedule.set_video(True, 0.0)
    assert schedule.due == math.inf
    schedule.start(10.0)
    reports: dict[str, list[float]] = {"audio": [], "video": []}
    while schedule.due < 40.0:
        now = schedule.due
        for kind in schedule.take_due(now):
            reports[kind].append(now)
    assert 10.0 < reports["video"][0] < 10.2
    assert is_spread(reports["audio"][0], 10.0, 2.5)
    for kind, interval in (("audio", 5.0), ("video", 1.0)):
        assert all(is_spread(later, sooner, interval) for sooner, later in pairwise(reports[kind]))


def test_video_that_is_added_is_reported_soon() -> None:
    schedule = ReportSchedule(random.Random(1), 5.0, 1.0)
    schedule.start(10.0)
    assert schedule.take_due(schedule.due) == ["audio"]
    schedule.set_video(True, 11.0)
    assert 11.0 < schedule.due < 11.2
    assert schedule.take_due(schedule.due) == ["video"]


def test_without_video_again_only_audio_is_reported() -> None:
    schedule = ReportSchedule(random.Random(1), 5.0, 1.0)
    schedule.set_video(True, 0.0)
    schedule.start(10.0)
    schedule.set_video(False, 10.01)
    assert is_spread(schedule.due, 10.0, 2.5)
    assert schedule.take_due(schedule.due) == ["audio"]
