"""The demo's video and audio between two peers on a simulated network, with real codecs."""

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
from trio_rtc.cli.demo.call import (
    FREQUENCY,
    HEIGHT,
    WIDTH,
    Call,
    ReceivedMedia,
    SyntheticMedia,
    answer_call,
    measure_call,
)
from trio_rtc.cli.demo.services import reject_call, serve_channels
from trio_rtc.media import dominant_frequency, read_counter
from trio_rtc.signaling import negotiate
from trio_rtc.testing import Link, SimulatedNetwork


@asynccontextmanager
async def connected_peers() -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection, trio.Nursery]]:
    """Two peers, ten milliseconds apart, that negotiate when needed."""
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


async def test_call_between_two_programs(autojump_clock: trio.testing.MockClock) -> None:
    async with connected_peers() as (one, other, nursery):
        answer_call(other, nursery)
        received = await measure_call(one, 1.0)
    assert received.seconds == pytest.approx(1.0, abs=0.1)
    assert 20 < received.frames_per_second < 35
    assert received.readable_frames == received.frames
    assert (received.width, received.height) == (WIDTH, HEIGHT)
    assert 100_000 < received.video_bits < 5_000_000
    assert 10_000 < received.audio_bits < 200_000
    assert received.frequency == pytest.approx(FREQUENCY, abs=30)


@asynccontextmanager
async def page() -> AsyncIterator[
    tuple[RTCPeerConnection, RTCDataChannel, trio.Nursery, list[ReceivedMedia]]
]:
    """The connection of a page with an open call channel, and the program's reports."""
    async with connected_peers() as (pc, program, nursery):
        media, reports = SyntheticMedia(), list[ReceivedMedia]()
        nursery.start_soon(media.run)
        services = {"call": Call(program, media, reports.append).serve}
        await nursery.start(serve_channels, program, services)
        channel = pc.create_data_channel("call")
        assert json.loads(await channel.receive()) == {}
        yield pc, channel, nursery, reports


async def test_page_starts_and_stops_video_and_audio(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with page() as (pc, channel, _, _), pc.subscribe("track") as events:
        await channel.send('{"show": true}')
        tracks = {event.track.kind: event.track for event in [await events.receive() for _ in "av"]}
        audio = [await tracks["audio"].receive() for _ in range(40)]
        assert dominant_frequency(audio[10:]) == pytest.approx(FREQUENCY, abs=10)
        # The frames queued while audio was received come first.
        counters = [read_counter(await tracks["video"].receive()) for _ in range(40)]
        assert None not in counters
        await channel.send('{"show": false}')
        assert await frames_in_a_second(tracks["video"]) < 10  # frames in flight
        assert await frames_in_a_second(tracks["video"]) == 0
        await channel.send('{"show": true}')
        assert await frames_in_a_second(tracks["video"]) > 10


async def frames_in_a_second(track: MediaStreamTrack) -> int:
    count = 0
    with trio.move_on_after(1.0):
        async for _ in track:
            count += 1
    return count


async def test_page_receives_statistics_of_its_media(autojump_clock: trio.testing.MockClock) -> None:
    async with page() as (pc, channel, nursery, reports):
        camera = SyntheticMedia()
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
async def test_invalid_message_ends_the_call(message: str, autojump_clock: trio.testing.MockClock) -> None:
    async with page() as (_, channel, _, _):
        await channel.send(message)
        with pytest.raises(trio.EndOfChannel):
            await channel.receive()


async def test_without_codecs_the_page_receives_install_instructions(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with connected_peers() as (pc, program, nursery):
        await nursery.start(serve_channels, program, {"call": reject_call})
        channel = pc.create_data_channel("call")
        assert "trio-rtc[media]" in json.loads(await channel.receive())["missing"]


def test_description_without_received_media() -> None:
    assert ReceivedMedia(1.0).describe() == "0 x 0, 0 frames/s, 0.00 Mbit/s"
