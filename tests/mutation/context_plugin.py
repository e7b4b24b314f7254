"""A pytest plugin that records the coverage and the CPU seconds of each test."""

import importlib
import json
import os
import time
from collections.abc import Generator
from pathlib import Path

import pytest

DURATIONS = "TRIO_RTC_TEST_DURATIONS"
"""Environment variable with the path of the file for durations."""


class _Recorder:
    """Switches the context of coverage to each test, and records its CPU seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        current = importlib.import_module("coverage").Coverage.current()
        if current is not None:
            current.switch_context(item.nodeid)
        began = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - began
        return result

    def pytest_sessionfinish(self) -> None:
        Path(os.environ[DURATIONS]).write_text(json.dumps(self.seconds))


def pytest_configure(config: pytest.Config) -> None:
    if DURATIONS in os.environ:
        config.pluginmanager.register(_Recorder())
