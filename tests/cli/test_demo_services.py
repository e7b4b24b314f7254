import hashlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from tests.strategies.json_channels import json_channel_pair
from trio_rtc import RTCDataChannel, RTCPeerConnection, Settings
from trio_rtc.cli.demo.chat import Chat
from trio_rtc.cli.demo.measure import (
    StageTimer,
    Throughput,
    measure_receiving,
    measure_round_trips,
    measure_sending,
)
from trio_rtc.cli.demo.services import check_files, echo, serve_channels, throughput
from trio_rtc.signaling import negotiate
from trio_rtc.testing import Link, SimulatedNetwork

Measure = Callable[[RTCDataChannel, float, Callable[[int], None]], Awaitable[Throughput]]
SLOW_LINK = Link(delay=0.01, rate=4e6)


async def fail(channel: RTCDataChannel) -> None:
    """Raise an unexpected error at the first message."""
    raise ZeroDivisionError(await channel.receive())


@asynccontextmanager
async def served(link: Link = SLOW_LINK) -> AsyncIterator[RTCPeerConnection]:
    """A peer connection whose other side has the demo's services, ten milliseconds away."""
    network = SimulatedNetwork(link=link)
    hosts = [network.add_host(f"host{number}", [f"10.0.0.{number}"]) for number in (1, 2)]
    ours, theirs = json_channel_pair()
    chat = Chat(lambda name, text: None)
    services = {
        "ping": echo,
        "surprise": fail,
        "throughput": throughput,
        "file": check_files,
        "chat": partial(chat.serve, name="page 7"),
    }
    async with (
        network,
        RTCPeerConnection(settings=Settings(network=hosts[0], rng=random.Random(1))) as client,
        RTCPeerConnection(settings=Settings(network=hosts[1], rng=random.Random(2))) as server,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(serve_channels, server, services)
        await nursery.start(partial(negotiate, ours, client, polite=True))
        await nursery.start(partial(negotiate, theirs, server, polite=False))
        yield client
        nursery.cancel_scope.cancel()


async def open_channel(pc: RTCPeerConnection, label: str) -> RTCDataChannel:
    channel = pc.create_data_channel(label)
    await channel.opened()
    return channel


async def test_stages_are_recorded_once_and_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async with served() as pc:
        stages: list[tuple[str, float]] = []
        timer = StageTimer(pc, lambda stage, seconds: stages.append((stage, seconds)))
        await open_channel(pc, "ping")
        timer.record("channel open")
        timer.record("channel open")
        names = [name for name, _ in stages]
        assert sorted(names) == ["DTLS connected", "ICE connected", "candidates gathered", "channel open"]
        assert names.index("ICE connected") < names.index("DTLS connected") < names.index("channel open")
        times = [seconds for _, seconds in stages]
        assert times == sorted(times)


async def test_round_trips_take_twice_the_delay(autojump_clock: trio.testing.MockClock) -> None:
    async with served() as pc:
        round_trips = await measure_round_trips(await open_channel(pc, "ping"), 20)
        assert round_trips.median == pytest.approx(0.02, abs=0.005)
        assert round_trips.p99 == pytest.approx(0.02, abs=0.005)


async def test_lost_pings_are_ignored(autojump_clock: trio.testing.MockClock) -> None:
    async with served(Link(delay=0.01, loss=0.1)) as pc:
        channel = pc.create_data_channel("ping", ordered=False, max_retransmits=0)
        await channel.opened()
        round_trips = await measure_round_trips(channel, 50)
        assert 10 < len(round_trips.times) < 50
        assert max(round_trips.times) < 1.0


@pytest.mark.parametrize("measure", [measure_sending, measure_receiving])
async def test_throughput_equals_that_of_the_link(
    measure: Callable[[RTCDataChannel, float, Callable[[int], None]], Awaitable[Throughput]],
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with served() as pc:
        progress: list[int] = []
        result = await measure(await open_channel(pc, "throughput"), 3.0, progress.append)
        assert 2.0 < result.megabits_per_second < 4.0
        assert progress == sorted(progress)
        assert progress[-1] == result.transferred


@pytest.mark.parametrize("size", [0, 1, 65_536, 500_001])
async def test_files_are_checked(size: int, autojump_clock: trio.testing.MockClock) -> None:
    content = random.Random(size).randbytes(size)
    async with served() as pc:
        channel = await open_channel(pc, "file")
        for name in ("first", "second"):
            await channel.send(json.dumps({"name": name, "size": size}))
            for start in range(0, size, 10_000):
                await channel.send(content[start : start + 10_000])
            answer = json.loads(await channel.receive())
            assert answer == {"name": name, "size": size, "sha256": hashlib.sha256(content).hexdigest()}


async def test_chat_answers_and_relays(autojump_clock: trio.testing.MockClock) -> None:
    async with served() as pc:
        first, second = await open_channel(pc, "chat"), await open_channel(pc, "chat")
        for channel in (first, second):
            assert "Hello, page 7" in json.loads(await channel.receive())["text"]
        await first.send(json.dumps({"text": "Hi!"}))
        assert json.loads(await second.receive()) == {"from": "page 7", "text": "Hi!"}
        assert json.loads(await first.receive())["text"] == "3 characters, received by 1 other page: HI!"
        await second.aclose()
        await trio.sleep(1)  # until the program has closed the channel, too
        await first.send(json.dumps({"text": "Still there?"}))
        assert "no other page" in json.loads(await first.receive())["text"]


BAD = [
    ("nowhere", "anything"),
    ("throughput", "{}"),
    ("throughput", '{"download": 1e9}'),
    ("throughput", '{"download": -1}'),
    ("throughput", "[" * 50_000),
    ("file", b"content without a head"),
    ("file", '{"name": "x", "size": -1}'),
    ("file", '{"name": "x", "size": 1e9}'),
    ("file", '{"name": ["x"], "size": 1}'),
    ("chat", '{"text": ""}'),
    ("chat", json.dumps({"text": "x" * 2001})),
    ("chat", "not JSON"),
]


@pytest.mark.parametrize(("label", "message"), BAD)
async def test_invalid_message_closes_only_its_channel(
    label: str, message: str | bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with served() as pc:
        pings = await open_channel(pc, "ping")
        channel = await open_channel(pc, label)
        if label != "nowhere":
            await channel.send(message)
        with trio.fail_after(10):
            while channel.ready_state != "closed":  # noqa: ASYNC110 - the channel has no event for it
                await trio.sleep(0.1)
        assert len((await measure_round_trips(pings, 3)).times) == 3


async def test_truncated_or_too_long_file_closes_the_channel(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with served() as pc:
        for pieces in ([b"12345"], ["text"]):
            channel = await open_channel(pc, "file")
            await channel.send('{"name": "x", "size": 4}')
            for piece in pieces:
                await channel.send(piece)
            with pytest.raises(trio.EndOfChannel):
                await channel.receive()
        channel = await open_channel(pc, "file")
        await channel.send('{"name": "x", "size": 4}')
        await channel.aclose()


async def test_any_exception_of_a_service_closes_only_its_channel(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as client:
        surprise, ping = client.create_data_channel("surprise"), client.create_data_channel("ping")
        await surprise.opened()
        await ping.opened()
        await surprise.send("boo")
        with pytest.raises(trio.EndOfChannel):
            await surprise.receive()
        await ping.send("still here")
        assert await ping.receive() == "still here"
    assert [
        record.exc_info is not None for record in caplog.records if "surprise" in record.getMessage()
    ] == [True]
