"""pytest plugin: reproducible async tests by ``trio_rtc.testing.run``.

It affects only tests with the marker ``trio_rtc`` or the fixture ``trio_rtc_run``::

    @pytest.mark.trio_rtc(seed=7)
    async def test_call() -> None: ...

Tests of pytest-trio, anyio and others run as before. If pytest-trio is installed, a marked test may use its async
fixtures.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

# From the package, whose functions check their arguments.
from . import run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("trio_rtc").addoption(
        "--trio-rtc-seed",
        type=int,
        default=None,
        help="seed of trio_rtc.testing.run, overriding each test's own",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "trio_rtc(seed=0, timeout=3600, check_sockets=True): run the async test with trio_rtc.testing.run",
    )


@pytest.fixture
def trio_rtc_run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return ``trio_rtc.testing.run`` with the arguments of the test's marker, for a synchronous test."""
    return _runner(request.node)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Configure a marked async test to run by pytest-trio with our runner, if installed."""
    if not isinstance(item, pytest.Function) or item.get_closest_marker("trio_rtc") is None:
        return
    hypothesis = getattr(item.obj, "hypothesis", None)
    test = item.obj if hypothesis is None else hypothesis.inner_test
    if not inspect.iscoroutinefunction(test):
        return
    if hypothesis is not None:
        hypothesis.inner_test = _synchronous(test, _runner(item))
    elif item.config.pluginmanager.hasplugin("trio"):
        item.add_marker(pytest.mark.trio(run=_runner(item)))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Run a marked async test if pytest-trio is not installed."""
    if pyfuncitem.get_closest_marker("trio_rtc") is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in names}
    _runner(pyfuncitem)(functools.partial(pyfuncitem.obj, **arguments))
    return True


def _runner(item: pytest.Item) -> Callable[..., Any]:
    marker = item.get_closest_marker("trio_rtc")
    seed = item.config.getoption("trio_rtc_seed")

    def run_item(async_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        arguments = {} if marker is None else _marker_arguments(marker)
        if seed is not None:
            arguments["seed"] = seed
        return run(async_fn, *args, **{**arguments, **kwargs})

    return run_item


def _marker_arguments(marker: pytest.Mark) -> dict[str, Any]:
    """Return the arguments for ``run``; a positional one is the seed."""
    if not marker.args:
        return dict(marker.kwargs)
    if len(marker.args) > 1 or "seed" in marker.kwargs:
        shown = ", ".join(
            [*map(repr, marker.args), *(f"{name}={value!r}" for name, value in marker.kwargs.items())]
        )
        raise TypeError(
            "pytest.mark.trio_rtc accepts one seed, and timeout and check_sockets as keyword arguments, "
            f"not ({shown})"
        )
    return {"seed": marker.args[0], **marker.kwargs}


def _synchronous(test: Callable[..., Any], runner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(test)
    def run_test(*args: Any, **kwargs: Any) -> Any:
        return runner(functools.partial(test, *args, **kwargs))

    return run_test
