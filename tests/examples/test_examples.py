"""The examples, run as a reader would run them: each as a process of its own."""

import hashlib
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

import trio_rtc
from trio_rtc import signaling

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class Running:
    """A running example, with its lines of output."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        assert process.stdout is not None
        self._stdout = process.stdout
        self._rest = b""
        self.lines: list[str] = []

    async def line(self, pattern: str) -> str:
        """Read up to a line that matches, and return it."""
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
        assert self.process.stdin is not None
        await self.process.stdin.send_all(text.encode() + b"\n")

    async def end_of_input(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()


@asynccontextmanager
async def running(name: str, *arguments: object) -> AsyncIterator[Running]:
    """Run an example, and require that it ends well unless the test has ended it."""
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


async def ends_well(example: Running) -> None:
    assert await example.process.wait() == 0


async def test_chat() -> None:
    port = free_port()
    async with running("chat.py", "--port", port) as first:
        await first.line("waiting")
        async with running("chat.py", "--port", port) as second:
            for side in (first, second):
                await side.line("connected")
            await first.type("Hello, can you hear me?")
            assert await second.line("Hello") == "1: Hello, can you hear me?"
            await second.type("ja, natürlich")
            assert await first.line("ja") == "2: ja, natürlich"
            await second.end_of_input()
            await first.line("the other side has left")
            await second.line("goodbye")
            for side in (first, second):
                await ends_well(side)


@pytest.mark.parametrize("size", [0, 1_000_003])
async def test_file_transfer(size: int, tmp_path: Path) -> None:
    source, inbox = tmp_path / "some file.bin", tmp_path / "inbox"
    inbox.mkdir()
    content = random.Random(size).randbytes(size)
    source.write_bytes(content)
    port = free_port()
    async with (
        running("file_transfer.py", "receive", inbox, "--port", port) as receiver,
        running("file_transfer.py", "send", source, "--port", port) as sender,
    ):
        digest = hashlib.sha256(content).hexdigest()
        assert digest in await sender.line("arrived whole")
        assert digest in await receiver.line("received")
        await ends_well(receiver)
        await ends_well(sender)
    assert [file.name for file in inbox.iterdir()] == ["some file.bin"]
    assert (inbox / "some file.bin").read_bytes() == content


async def test_a_channel_as_a_stream_under_h11() -> None:
    async with running("h11_over_channel.py") as example:
        assert await example.line("") == "200 You asked for /weather, over a data channel."
        assert await example.line("") == "200 You asked for /news?today, over a data channel."
        await ends_well(example)


async def test_browser_page() -> None:
    """The page's part is played by a peer of ours here, and by browsers in the interop tests."""
    async with running("browser_page.py", "--port", 0) as example:
        address = (await example.line("open http")).split()[-1]
        response = await trio.to_thread.run_sync(partial(fetch, address))
        assert response == (EXAMPLES / "browser_page.html").read_bytes()
        async with (
            signaling.connect(address.replace("http", "ws"), room="browsers") as room,
            trio_rtc.RTCPeerConnection() as pc,
            trio.open_nursery() as nursery,
            pc.subscribe("data_channel") as channels,
        ):
            await nursery.start(signaling.negotiate, await room.receive(), pc)
            channel = (await channels.receive()).channel
            assert await channel.receive() == "Hello, browser!"
            await channel.send("echo?")
            assert await channel.receive() == "ECHO?"
            nursery.cancel_scope.cancel()
        await example.line("left")


def fetch(address: str) -> bytes:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        response = b""
        while data := connection.recv(65536):
            response += data
    return response.partition(b"\r\n\r\n")[2]
