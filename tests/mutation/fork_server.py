"""Runs tests in forks of a process that has done the expensive setup.

Started by ``WorkingCopy`` in the copy of the tree. Each line of standard input is a request, each line of standard
output its answer, both JSON. Without arguments the process has imported the dependencies, but neither the package nor
the tests, and each fork runs pytest. With paths of tests as arguments it has collected those tests, and each fork puts
the mutation into the existing functions.
"""

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.code_patch import Functions, index_functions, patch

DEPENDENCIES = (
    *("_hypothesis_pytestplugin", "_pytest.doctest", "_pytest.faulthandler", "_pytest.junitxml"),
    *(
        "_pytest.python",
        "_pytest.unittest",
        "anyio.pytest_plugin",
        "execnet",
        "google_crc32c",
        "ifaddr",
        "pdb",
    ),
    *("attrs", "av", "cryptography.x509", "cryptography.hazmat.primitives.ciphers.aead"),
    *("cryptography.hazmat.primitives.asymmetric.ec", "cryptography.hazmat.primitives.serialization"),
    *("hypothesis", "hypothesis.stateful", "hypothesis.strategies", "OpenSSL", "pylibsrtp"),
    *("tomllib", "trio", "trio.testing", "trio_websocket"),
)
MEMORY = 4 << 30
"""Maximum mapped bytes of a run, since an endless loop may append to a list."""
COLLECTION_SECONDS = 60.0
"""Maximum Maximum Maximum CPU seconds for collecting the tests."""
NOT_PATCHED = 100
"""Exit code of a fork whose mutation does not only change functions."""
READY = "ready"
"""First answer of a process that collects tests."""
OPTIONS = ("-q", "-x", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")

Request = Mapping[str, Any]


class _Limits:
    """Ends the process by SIGPROF when a test has used its CPU time, and names the test that runs."""

    def __init__(self, current: Path) -> None:
        self.seconds: Mapping[str, float] = {}
        self._current = current

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._current.write_text(item.nodeid)
        signal.setitimer(signal.ITIMER_PROF, self.seconds.get(item.nodeid, self.seconds[""]))
        return (yield)


class _Server:
    """Reads requests, and runs each in a fork."""

    def __init__(self) -> None:
        # pytest replaces the standard streams.
        self._requests = os.fdopen(os.dup(0))
        self._answers = os.fdopen(os.dup(1), "w")
        self.current = Path("current.txt").absolute()
        self.limits = _Limits(self.current)
        self._output = Path("output.txt").absolute()

    def report_ready(self) -> None:
        """Report that the tests are collected; no file may be mutated before."""
        print(json.dumps(READY), file=self._answers, flush=True)

    def serve(self, run: Callable[[Request], int]) -> None:
        """Serve requests until standard input ends."""
        for line in self._requests:
            request = json.loads(line)
            self.current.write_text("")
            self._output.write_text("")
            process = os.fork()
            if not process:
                self._run_and_exit(run, request)
            code = _wait(process, request["seconds"])
            output = self._output.read_text(errors="replace")
            answer = {"code": code, "current": self.current.read_text(), "output": output}
            print(json.dumps(answer), file=self._answers, flush=True)

    def _run_and_exit(self, run: Callable[[Request], int], request: Request) -> None:
        code = 3
        try:
            with self._output.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.setitimer(signal.ITIMER_PROF, COLLECTION_SECONDS)
            self.limits.seconds = request["cpu_seconds"]
            code = run(request)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


class _CollectedTests:
    """Pytest plugin that serves requests instead of running all tests."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._functions: Functions = {}
        self._items: dict[str, pytest.Item] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:  # some could not be collected
            return True
        self._items = {item.nodeid: item for item in session.items}
        self._functions = index_functions(os.path.join(os.getcwd(), "trio_rtc"))
        self._server.report_ready()
        self._server.serve(lambda request: self._run(session, request))
        return True

    def _run(self, session: pytest.Session, request: Request) -> int:
        path = os.path.join(os.getcwd(), request["path"])
        if not patch(self._functions, path, request["source"], request["mutated"]):
            return NOT_PATCHED
        items = [self._items[test] for test in request["tests"]]
        for item, next_item in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
            if session.testsfailed:
                return 1
        return 0


def _wait(process: int, seconds: float) -> int | None:
    """Return the exit code, negative for a signal, or ``None`` if the process was ended by the time limit."""
    ended = os.pidfd_open(process)
    try:
        is_late = not select.select([ended], [], [], seconds)[0]
    finally:
        os.close(ended)
    # Including processes that its tests have started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return None if is_late else os.waitstatus_to_exitcode(status)


def main(paths: list[str]) -> None:
    """Serve requests, with the tests collected if paths are given."""
    server = _Server()
    if paths:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
        pytest.main([*OPTIONS, *paths], plugins=[server.limits, _CollectedTests(server)])
        return
    for name in DEPENDENCIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    server.serve(
        lambda request: int(pytest.main([*OPTIONS, f"@{request['selection']}"], plugins=[server.limits]))
    )


if __name__ == "__main__":
    main(sys.argv[1:])
