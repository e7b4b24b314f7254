"""Loss-based control by receiver reports."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
)
from trio_rtc.protocols.bandwidth_estimation.receiver_report_loss import ReceiverReportLoss

OPTIONS = BandwidthEstimationOptions()


def test_reports_below_two_percent_increase_the_rate() -> None:
    reports = ReceiverReportLoss(OPTIONS)
    for second in range(11):
        reports.reported(0.01, 0.1, float(second))
    assert reports.bitrate == pytest.approx(300_000 * 1.08**10, rel=0.05)


def test_reports_between_two_and_ten_percent_hold_the_rate() -> None:
    reports = ReceiverReportLoss(OPTIONS)
    for second in range(11):
        reports.reported(0.05, 0.1, float(second))
    assert reports.bitrate == 300_000
    assert reports.any_loss


def test_reports_above_ten_percent_decrease_the_rate_by_half_of_the_loss_once_per_round_trip() -> None:
    reports = ReceiverReportLoss(OPTIONS)
    assert reports.reported(0.5, 0.1, 0.0) == 225_000
    assert reports.reported(0.5, 0.1, 0.2) == 225_000
    assert reports.reported(0.5, 0.1, 0.5) == 168_750
