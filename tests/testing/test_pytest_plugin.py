"""The pytest plugin: trio_rtc.testing.run runs marked tests, others run as before."""

import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest, random, trio
from hypothesis import given, settings, strategies as st
from trio_rtc.testing import SimulatedNetwork

@pytest.fixture
def number():
    return 5

@pytest.mark.trio_rtc(seed=7)
async def test_marked(number):
    assert number == 5
    began = trio.current_time()
    await trio.sleep(3000)
    assert trio.current_time() == began + 3000
    assert SimulatedNetwork()._conditions.seed == EXPECTED_SEED

@pytest.mark.trio_rtc(timeout=10)
async def test_too_slow():
    await trio.sleep(11)

@pytest.mark.trio_rtc
@settings(max_examples=3, deadline=None)
@given(value=st.integers())
async def test_with_hypothesis(value):
    await trio.sleep(1)
    assert trio.current_time() == 1

def test_with_the_fixture(trio_rtc_run):
    async def add(one, other):
        await trio.sleep(100)
        return one + other
    assert trio_rtc_run(add, 2, 3) == 5

@pytest.mark.trio_rtc
def test_synchronous():
    pass
"""

ASYNC_FIXTURES = """
@pytest.fixture
async def started():
    await trio.sleep(1)
    return trio.current_time()

@pytest.mark.trio_rtc
async def test_async_fixture(started):
    assert started == 1

@pytest.mark.trio
async def test_of_pytest_trio():
    assert trio.current_time() > 5000  # trio's own clock begins at a large number
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    pytester.makepyfile("")
    pytester.makeini(f"[pytest]\npythonpath = {Path(__file__).parents[2]}\n")
    return pytester


def run_tests(project: pytest.Pytester, *arguments: str, seed: int = 7, more: str = "") -> pytest.RunResult:
    project.makepyfile(test_it=(TESTS + more).replace("EXPECTED_SEED", str(seed)))
    return project.run(
        sys.executable, "-m", "pytest", "-p", "trio_rtc.testing.pytest_plugin", *arguments, timeout=300
    )


def test_with_pytest_trio(project: pytest.Pytester) -> None:
    result = run_tests(project, more=ASYNC_FIXTURES)
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*TooSlowError: *has not returned after 10 seconds of virtual time"])


def test_without_pytest_trio(project: pytest.Pytester) -> None:
    result = run_tests(project, "-p", "no:trio")
    result.assert_outcomes(passed=4, failed=1)


def test_in_trio_mode(project: pytest.Pytester) -> None:
    result = run_tests(project, "-o", "trio_mode=true", more=ASYNC_FIXTURES)
    result.assert_outcomes(passed=6, failed=1)


POSITIONAL = """
@pytest.mark.trio_rtc(EXPECTED_SEED)
async def test_positional_seed():
    assert SimulatedNetwork()._conditions.seed == EXPECTED_SEED


@pytest.mark.trio_rtc(3, 60)
async def test_too_many():
    pass


@pytest.mark.trio_rtc("7")
async def test_too_textual():
    pass
"""


@pytest.mark.parametrize("plugin", [[], ["-p", "no:trio"]])
def test_positional_argument_is_the_seed(project: pytest.Pytester, plugin: list[str]) -> None:
    result = run_tests(project, *plugin, "-k", "positional or too_", more=POSITIONAL)
    result.assert_outcomes(passed=1, failed=3, deselected=4)
    result.stdout.fnmatch_lines(["*TypeError: pytest.mark.trio_rtc accepts one seed, *, not (3, 60)"])
    result.stdout.fnmatch_lines(["*TypeError: run() argument 'seed' must be an int, not '7'*"])


def test_seed_of_the_command_line_takes_precedence(project: pytest.Pytester) -> None:
    result = run_tests(project, "--trio-rtc-seed=11", "-k", "test_marked", seed=11)
    result.assert_outcomes(passed=1, deselected=4)
