"""The demo shows which part failed and why, and the command exits with 1."""

import io
import json
import os
import random
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from rich.console import Console

from tests.strategies.json_channels import json_channel_pair
from trio_rtc import RTCDataChannel, RTCPeerConnection, RTCTrackEvent, Settings, open_media_track
from trio_rtc.cli.demo.call import HEIGHT, WIDTH, _feed, answer_call
from trio_rtc.cli.demo.display import Display
from trio_rtc.cli.demo.run import local_url, measure_parts, page_url
from trio_rtc.cli.demo.services import echo, parse, serve_channels, throughput
from trio_rtc.media import test_pattern as video_pattern
from trio_rtc.media import tone
from trio_rtc.signaling import SignalingServer, negotiate
from trio_rtc.testing import Link, SimulatedNetwork

ROOT = Path(__file__).parents[2]
Service = Callable[[RTCDataChannel], Awaitable[None]]
Answer = Callable[[RTCPeerConnection, trio.Nursery], None]


async def answer_nothing(channel: RTCDataChannel) -> None:
    async for _ in channel:
        pass


async def lose_the_last_byte(channel: RTCDataChannel) -> None:
    received = 0
    async for message in channel:
        if isinstance(message, bytes):
            received += len(message)
        elif "upload" in parse(message):
            await channel.send(json.dumps({"received": received - 1}))
        else:
            await channel.send(b"x")
            await channel.send(json.dumps({"sent": 2}))


async def send_nothing(channel: RTCDataChannel) -> None:
    async for message in channel:
        if isinstance(message, str):
            upload = parse(message).get("upload")
            answer = {"sent": 0} if upload is None else {"received": upload}
            await channel.send(json.dumps(answer))


def answer_with(*sent: trio.abc.ReceiveChannel[Any]) -> Answer:
    """Answer a call with only these sources."""

    def answer(pc: RTCPeerConnection, nursery: trio.Nursery) -> None:
        def add(event: RTCTrackEvent) -> None:
            for frames in sent:
                kind = "audio" if "Tone" in type(frames).__name__ else "video"
                if kind == event.track.kind:
                    source, track = open_media_track(kind)
                    pc.add_track(track)
                    nursery.start_soon(_feed, source, frames)

        pc.on_track = add

    return answer


def only_audio() -> Answer:
    return answer_with(tone(440.0))


def only_video() -> Answer:
    return answer_with(video_pattern(WIDTH, HEIGHT, 30))


def wrong_tone() -> Answer:
    return answer_with(video_pattern(WIDTH, HEIGHT, 30), tone(880.0))


def no_call() -> Answer:
    return lambda pc, nursery: None


def no_codecs() -> Answer:
    return no_call()


def whole_call() -> Answer:
    return answer_call


async def measure_peer(ping: Service, bulk: Service, answer: Answer) -> tuple[list[str], str]:
    """Measure a connection to a peer with these services; return the failed parts and the output."""
    network = SimulatedNetwork(link=Link(delay=0.01, rate=20e6))
    hosts = [network.add_host(f"host{number}", [f"10.0.0.{number}"]) for number in (1, 2)]
    ours, theirs = json_channel_pair()
    output = io.StringIO()
    async with (
        network,
        RTCPeerConnection(settings=Settings(network=hosts[0], rng=random.Random(1))) as client,
        RTCPeerConnection(settings=Settings(network=hosts[1], rng=random.Random(2))) as server,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(serve_channels, server, {"ping": ping, "throughput": bulk})
        answer(server, nursery)
        await nursery.start(partial(negotiate, ours, client, polite=True))
        await nursery.start(partial(negotiate, theirs, server, polite=False))
        pings, bulk_channel = client.create_data_channel("ping"), client.create_data_channel("throughput")
        await pings.opened()
        await bulk_channel.opened()
        display = Display(Console(file=output, highlight=False, width=200))
        failures = await measure_parts(display, client, pings, bulk_channel, 0.5)
        nursery.cancel_scope.cancel()
    return failures, output.getvalue()


@pytest.mark.parametrize(
    ("ping", "bulk", "answer", "failures"),
    [
        (echo, throughput, whole_call, {}),
        (answer_nothing, throughput, no_codecs, {"round trip": "no ping was answered"}),
        (
            echo,
            answer_nothing,
            no_codecs,
            {"throughput out": "no answer within 20 s", "throughput in": "no answer within 20 s"},
        ),
        (
            echo,
            lose_the_last_byte,
            no_codecs,
            {"throughput out": "peer received 2", "throughput in": "received 1 of 2 bytes"},
        ),
        (echo, send_nothing, no_codecs, {"throughput in": "not a single byte was transferred"}),
        (echo, throughput, only_audio, {"video in": "no video arrived"}),
        (echo, throughput, only_video, {"audio in": "no audio arrived"}),
        (echo, throughput, wrong_tone, {"audio in": "instead of 440 Hz"}),
        (echo, throughput, no_call, {"video in": "no video arrived", "audio in": "no audio arrived"}),
    ],
)
async def test_each_failed_part_is_shown_with_its_reason(
    ping: Service,
    bulk: Service,
    answer: Callable[[], Answer],
    failures: dict[str, str],
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = ["round trip", "throughput out", "throughput in", "video in", "audio in"]
    if answer is no_codecs:
        monkeypatch.setattr("trio_rtc.cli.demo.run.media_is_installed", lambda: False)
        del parts[3:]
    failed, output = await measure_peer(ping, bulk, answer())
    assert failed == list(failures)
    lines = output.splitlines()
    for part in parts:
        (line, *_) = [line for line in lines if line.strip().startswith(part)]
        assert ("FAILED" in line) is (part in failures)
        assert failures.get(part, "") in line


SILENCE = """
import trio, trio_rtc.media

class Silence(trio.abc.ReceiveChannel):
    async def receive(self):
        await trio.sleep_forever()
    async def aclose(self):
        pass

trio_rtc.media.tone = lambda frequency: Silence()
"""


async def test_command_exits_with_1_and_names_the_failed_part(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SILENCE)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    result = await trio.run_process(
        [sys.executable, "-m", "trio_rtc.cli", "demo", "--seconds", "0.1"],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths, "TERM": "xterm", "COLUMNS": "100"},
    )
    assert result.returncode == 1
    assert "FAILED: no audio arrived" in result.stdout.decode()
    assert "frames/s" in result.stdout.decode()
    assert result.stderr.decode().strip() == "Error: audio in failed"


@pytest.mark.parametrize(
    ("host", "local", "page"),
    [
        ("127.0.0.1", "ws://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("::1", "ws://[::1]:8080/", "http://[::1]:8080/"),
        ("192.0.2.1", "ws://192.0.2.1:8080/", "http://192.0.2.1:8080/"),
        ("0.0.0.0", "ws://127.0.0.1:8080/", f"http://{socket.gethostname()}:8080/"),
        ("::", "ws://[::1]:8080/", f"http://{socket.gethostname()}:8080/"),
    ],
)
def test_urls_of_a_server(host: str, local: str, page: str) -> None:
    server = SignalingServer(addresses=[(host, 8080)])
    assert (local_url(server), page_url(server)) == (local, page)
