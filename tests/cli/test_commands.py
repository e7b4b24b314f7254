"""The command as a user runs it: without a terminal, with one, and without its requirements."""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

import trio_rtc
from trio_rtc.cli import main
from trio_rtc.cli.commands import cli
from trio_rtc.cli.demo.pages import load_pages

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "trio_rtc.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
FIGURES = (
    r"candidates gathered +[\d.]+ ms",
    r"ICE connected +[\d.]+ ms",
    r"DTLS connected +[\d.]+ ms",
    r"channel open +[\d.]+ ms",
    r"round trip, median +\d+ µs",
    r"throughput out +\d+ Mbit/s +\d+ MB in [\d.]+ s, every byte arrived",
    r"throughput in +\d+ Mbit/s +\d+ MB in [\d.]+ s, every byte arrived",
)
CALL_FIGURES = (
    r"video in +[\d.]+ frames/s +640 x 360, [\d.]+ Mbit/s",
    r"audio in +\d+ kbit/s +a tone of \d+ Hz",
)


def test_help_and_version() -> None:
    runner = CliRunner()
    assert "Connect two processes" in runner.invoke(cli, ["demo", "--help"]).output
    assert trio_rtc.__version__ in runner.invoke(cli, ["--version"]).output


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--seconds", "100"], ["--port", "70000"]])
def test_invalid_options_are_rejected(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli, ["demo", *arguments]).exit_code == 2


def test_without_click_the_command_prints_install_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'requires click and rich: python -m pip install "trio-rtc\[cli\]"'):
        main()


async def test_without_a_terminal_the_demo_ends_after_the_figures() -> None:
    result = await trio.run_process(
        [*COMMAND, "demo", "--seconds", "0.1"], capture_stdout=True, capture_stderr=True, env=ENVIRONMENT
    )
    output = result.stdout.decode()
    for figure in FIGURES + CALL_FIGURES:
        assert re.search(figure, output), output
    assert "\x1b" not in output
    assert "http://" not in output
    assert result.stderr == b""


async def test_without_codecs_the_demo_shows_all_other_figures(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['av'] = None")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    result = await trio.run_process(
        [*COMMAND, "demo", "--seconds", "0.1"],
        capture_stdout=True,
        capture_stderr=True,
        env={**ENVIRONMENT, "PYTHONPATH": paths},
    )
    output = result.stdout.decode()
    for figure in FIGURES:
        assert re.search(figure, output), output
    assert 'Video and audio require PyAV: python -m pip install "trio-rtc[media]"' in output
    assert "frames/s" not in output
    assert result.stderr == b""


async def test_on_a_terminal_the_demo_shows_bars_and_serves_the_page_until_interrupted() -> None:
    ours, theirs = pty.openpty()
    process = await trio.lowlevel.open_process(
        [*COMMAND, "demo", "--seconds", "0.1"], stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    )
    os.close(theirs)
    output = b""
    async with trio.lowlevel.FdStream(ours) as terminal:
        while not (address := re.search(rb"http://127\.0\.0\.1:(\d+)/ in a browser", output)):
            data = await terminal.receive_some()
            assert data, output
            output += data
        page = await trio.to_thread.run_sync(fetch, int(address[1]), "/")
        assert page == load_pages()["/"].body
        process.send_signal(signal.SIGINT)
        try:
            while data := await terminal.receive_some():
                output += data
        except trio.BrokenResourceError:
            pass  # on Linux, the other side of the terminal is closed
        assert await process.wait() == 0
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", output.decode())
    for figure in FIGURES + CALL_FIGURES:
        assert re.search(figure, plain), plain
    assert "━" in plain
    assert "Interrupted, closing connections." in plain


def fetch(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        response = b""
        while data := connection.recv(65536):
            response += data
    return response.partition(b"\r\n\r\n")[2]


async def test_port_in_use_is_a_clear_error() -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        result = await trio.run_process(
            [*COMMAND, "demo", "--port", str(port)],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            env=ENVIRONMENT,
        )
    assert result.returncode == 1
    assert f"Error: cannot serve on 127.0.0.1, port {port}" in result.stdout.decode()
    assert "Traceback" not in result.stdout.decode()
