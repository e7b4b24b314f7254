"""Failures of single frames are logged once per cause."""

import logging

import pytest

from trio_rtc.tracks.failure_log import FailureLog

LOGGER = logging.getLogger("tests.failures")


def levels(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records]


def test_a_cause_is_a_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = FailureLog(LOGGER)
    for number in (1, 2.5, 300):
        log.record("frame %s is broken", number)
    log.record("frame %s is empty", 1)
    assert levels(caplog) == [logging.WARNING, logging.DEBUG, logging.DEBUG, logging.WARNING]


def test_causes_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = FailureLog(LOGGER)
    for cause in "abcdefghijklmnopqrst":
        log.record("%s", cause)
    assert levels(caplog) == [logging.WARNING] * 16 + [logging.DEBUG] * 4
