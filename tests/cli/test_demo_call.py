"""The demo's video and audio, between two peers of ours on a simulated network; the codecs are real."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from tests.strategies.json_channels import json_channel_pair
from trio_rtc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, Settings
from trio_rtc.cli.demo.call import FREQUENCY, HEIGHT, WIDTH, Call, Received, Studio, answer_call, measure_call
from trio_rtc.cli.demo.services import refuse_call, serve_channels
from trio_rtc.media import dominant_frequency, read_counter
from trio_rtc.signaling import negotiate
from trio_rtc.testing import Link, SimulatedNetwork


@asynccontextmanager
async def two_connected() -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection, trio.Nursery]]:
    """Two peers, ten milliseconds apart, that negotiate whenever one needs it."""
    network = SimulatedNetwork(link=Link(delay=0.01, rate=20e6))
    hosts = [network.add_host(f"host{number}", [f"10.0.0.{number}"]) for number in (1, 2)]
    ours, theirs = json_channel_pair()
    async with (
        network,
        RTCPeerConnection(settings=Settings(network=hosts[0], rng=random.Random(1))) as one,
        RTCPeerConnection(settings=Settings(network=hosts[1], rng=random.Random(2))) as other,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(partial(negotiate, ours, one, polite=True))
        await nursery.start(partial(negotiate, theirs, other, polite=False))
        yield one, other, nursery
        nursery.cancel_scope.cancel()


async def test_a_call_between_two_programs(autojump_clock: trio.testing.MockClock) -> None:
    async with two_connected() as (one, other, nursery):
        answer_call(other, nursery)
        received = await measure_call(one, 1.0)
    assert received.seconds == pytest.approx(1.0, abs=0.1)
    assert 20 < received.frames_per_second < 35
    assert received.numbered == received.pictures
    assert (received.width, received.height) == (WIDTH, HEIGHT)
    assert 100_000 < received.video_bits < 5_000_000
    assert 10_000 < received.audio_bits < 200_000
    assert received.frequency == pytest.approx(FREQUENCY, abs=30)


@asynccontextmanager
async def page() -> AsyncIterator[tuple[RTCPeerConnection, RTCDataChannel, trio.Nursery, list[Received]]]:
    """The connection of a page that has opened the channel of the call, and what the program reports of it."""
    async with two_connected() as (pc, program, nursery):
        studio, reports = Studio(), list[Received]()
        nursery.start_soon(studio.run)
        services = {"call": Call(program, studio, reports.append).serve}
        await nursery.start(serve_channels, program, services)
        channel = pc.create_data_channel("call")
        assert json.loads(await channel.receive()) == {}
        yield pc, channel, nursery, reports


async def test_a_page_sees_and_hears_and_says_when_not_any_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with page() as (pc, channel, _, _), pc.subscribe("track") as events:
        await channel.send('{"show": true}')
        tracks = {event.track.kind: event.track for event in [await events.receive() for _ in "av"]}
        sound = [await tracks["audio"].receive() for _ in range(40)]
        assert dominant_frequency(sound[10:]) == pytest.approx(FREQUENCY, abs=10)
        # The pictures of the time of listening come first.
        counters = [read_counter(await tracks["video"].receive()) for _ in range(40)]
        assert None not in counters
        await channel.send('{"show": false}')
        assert await frames_in_a_second(tracks["video"]) < 10  # those that were on their way
        assert await frames_in_a_second(tracks["video"]) == 0
        await channel.send('{"show": true}')
        assert await frames_in_a_second(tracks["video"]) > 10


async def frames_in_a_second(track: MediaStreamTrack) -> int:
    count = 0
    with trio.move_on_after(1.0):
        async for _ in track:
            count += 1
    return count


async def test_a_page_is_told_what_the_program_gets_of_it(autojump_clock: trio.testing.MockClock) -> None:
    async with page() as (pc, channel, nursery, reports):
        camera = Studio()
        nursery.start_soon(camera.run)
        camera.add_to(pc)
        figures: dict[str, Any] = {}
        with trio.fail_after(10):
            while figures.get("framesPerSecond", 0) < 20:
                figures = json.loads(await channel.receive())["received"]
        assert (figures["width"], figures["height"]) == (WIDTH, HEIGHT)
        assert figures["bitrate"] > 100_000
        assert figures["frequency"] == pytest.approx(FREQUENCY, abs=30)
        assert f"{WIDTH} x {HEIGHT}" in reports[-1].describe()


@pytest.mark.parametrize("message", ["{}", '{"show": 1}', "[]", "not JSON"])
async def test_what_does_not_fit_ends_the_call(message: str, autojump_clock: trio.testing.MockClock) -> None:
    async with page() as (_, channel, _, _):
        await channel.send(message)
        with pytest.raises(trio.EndOfChannel):
            await channel.receive()


async def test_without_codecs_the_page_is_told_what_to_install(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with two_connected() as (pc, program, nursery):
        await nursery.start(serve_channels, program, {"call": refuse_call})
        channel = pc.create_data_channel("call")
        assert "trio-rtc[media]" in json.loads(await channel.receive())["missing"]


def test_nothing_received_is_described_too() -> None:
    assert Received(1.0).describe() == "0 x 0, 0 frames/s, 0.00 Mbit/s"
