"""Examples, each run in a process of its own."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class Running:
    """A running example and its output lines."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        assert process.stdout is not None
        self._stdout = process.stdout
        self._rest = b""
        self.lines: list[str] = []

    async def line(self, pattern: str) -> str:
        """Return the next line that matches."""
        while True:
            while b"\n" not in self._rest:
                data = await self._stdout.receive_some()
                assert data, f"ended without {pattern!r}; it said: {self.lines}"
                self._rest += data
            line, _, self._rest = self._rest.partition(b"\n")
            self.lines.append(line.decode())
            if re.search(pattern, self.lines[-1]):
                return self.lines[-1]

    async def type(self, text: str) -> None:
        """Type a line."""
        await self.type_bytes(text.encode())

    async def type_bytes(self, line: bytes) -> None:
        """Type a line of arbitrary bytes."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(line + b"\n")

    async def end_of_input(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


@asynccontextmanager
async def running(name: str, *arguments: object) -> AsyncIterator[Running]:
    """Run an example, which must exit with 0 unless the test has ended it."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                await stream.aclose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def exits_with_zero(example: Running) -> None:
    assert await example.process.wait() == 0


def fetch(url: str) -> bytes:
    """Return the body of an HTTP response."""
    host, _, path = url.removeprefix("http://").partition("/")
    name, port = host.split(":")
    with socket.create_connection((name, int(port))) as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        response = b""
        while data := connection.recv(65536):
            response += data
    return response.partition(b"\r\n\r\n")[2]
