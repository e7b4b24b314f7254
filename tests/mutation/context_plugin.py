"""A pytest plugin: coverage of each test by itself, and how long it took."""

import importlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

DURATIONS = "TRIO_RTC_TEST_DURATIONS"
"""The environment variable with the file that durations are written to."""


class _Recorder:
    """Switches the context of coverage to each test, and sums up what its phases took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        current = importlib.import_module("coverage").Coverage.current()
        if current is not None:
            current.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        Path(os.environ[DURATIONS]).write_text(json.dumps(self.seconds))


def pytest_configure(config: pytest.Config) -> None:
    if DURATIONS in os.environ:
        config.pluginmanager.register(_Recorder())
