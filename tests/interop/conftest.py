"""The interoperability tests: run by ``nox -s interop``, or by pytest with ``TRIO_RTC_INTEROP=1`` in the environment.

They need foreign peers, and (as root) they move the whole process into a network of its own, so they
are a pytest process of their own, or several: each worker of pytest-xdist has its network and its browsers. Tests with
only the packages of the test dependencies are always collected.
"""

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.interop.opening import Peers
from tests.netns.private_network import enter_private_network

ASKED_FOR = os.environ.get("TRIO_RTC_INTEROP") == "1"

collect_ignore_glob = [] if ASKED_FOR else ["test_with_*.py", "test_harness.py"]


def pytest_configure() -> None:
    """Leave the host's network before threads start, which would stay in it."""
    if ASKED_FOR:
        enter_private_network()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Close the browsers also when the run is terminated, for example by a time limit."""

    def stop(number: int, frame: FrameType | None) -> None:
        session.shouldstop = "terminated"
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, stop)


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    """Open foreign peers by name."""
    peers = Peers()
    yield peers
    peers.close()
