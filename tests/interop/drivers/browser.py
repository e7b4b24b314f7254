"""Common parts of both browsers: finding, starting and ending them."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol


class BrowserError(Exception):
    """The browser failed a command, or the script threw."""


class MissingBrowserError(Exception):
    """The browser is not installed; the text says how to install it."""


class Page(Protocol):
    """A tab."""

    async def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript, await its promise if it is one, and return the value as far as JSON represents it.

        Raises:
            BrowserError: The script threw; the text is the error's.
            PeerGoneError: The browser has ended.
        """

    async def close(self) -> None:
        """Close the tab, as its user would."""


class Browser(Protocol):
    """A running browser."""

    async def open(self, url: str = "about:blank") -> Page:
        """Open a tab and return when its document is complete."""


def as_json(expression: str) -> str:
    """Wrap an expression so that its value, or its promise's value, is returned as a JSON string.

    The protocols have serializations of their own, which differ and do not know ``toJSON``.
    """
    return f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))"


def find_browser(package: str, names: Sequence[str]) -> str:
    """Return the path of a browser.

    Raises:
        MissingBrowserError: None of the names is in the search path.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    raise MissingBrowserError(f"{package} is missing: apt-get install -y --no-install-recommends {package}")


@contextmanager
def launch_browser(
    arguments: Sequence[str], *, pass_fds: Sequence[int] = (), log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a browser in a process group of its own, which is killed at the end with all children.

    Args:
        arguments: The program and its arguments.
        pass_fds: Descriptors that the browser inherits.
        log: File of its output; ``None`` to discard it.
    """
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # Saved data is deleted with the profile, and an orderly end takes Firefox five seconds.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
