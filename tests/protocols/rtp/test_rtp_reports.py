"""RTCP reports: compounds, BYE, and the schedule (RFC 3550 section 6)."""

import math
import random

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


@given(st.integers(0, 2**32), st.floats(0.1, 10))
def test_reports_are_spread_around_the_interval(seed: int, interval: float) -> None:
    schedule = ReportSchedule(random.Random(seed))
    assert not schedule.take_due(10.0, interval)
    schedule.start(10.0)
    due = schedule.due
    schedule.start(10.01)
    assert schedule.due == due
    assert 10.0 < due < 10.2
    assert schedule.take_due(due, interval)
    assert due + interval / 2 <= schedule.due <= due + 1.5 * interval
    schedule.stop()
    assert schedule.due == math.inf
