"""Video and bulk data on one connection over a link that cannot carry all of it: video keeps its share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import mean

import attrs
import pytest
import trio

from tests.strategies.metered_calls import FRAME_RATE, MeteredCall, metered_call
from tests.strategies.peers import negotiate
from trio_rtc import RTCDataChannel, RTCRtpEncodingParameters
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

BLOCK = bytes(16384)
BEGIN, SECONDS = 8, 12


@attrs.define
class Transfer:
    """Bulk data from Alice to Bob.

    Attributes:
        channel: Alice's end.
        received: Bytes that Bob has.
    """

    channel: RTCDataChannel
    received: int = 0

    async def send(self) -> None:
        """Send until cancelled."""
        while True:
            await self.channel.send(BLOCK)

    async def receive(self, channel: RTCDataChannel) -> None:
        """Count what arrives."""
        async for message in channel:
            self.received += len(message)


@asynccontextmanager
async def call_with_data(rate: float, max_bitrate: int) -> AsyncIterator[tuple[MeteredCall, Transfer]]:
    """Let Alice call Bob over a link of a rate, with an open channel beside her video."""
    link = Link(delay=0.025, rate=rate, queue=60_000)
    layers = [RTCRtpEncodingParameters(max_bitrate=max_bitrate)]
    async with metered_call(link=link, layers=layers) as going_on:
        alice, bob = going_on.peers.alice, going_on.peers.bob
        transfer = Transfer(alice.create_data_channel("bulk"))
        async with bob.subscribe("data_channel") as announced:
            await negotiate(alice, bob)
            await transfer.channel.opened()
            going_on.nursery.start_soon(transfer.receive, (await announced.receive()).channel)
        yield going_on, transfer


def video_rate(going_on: MeteredCall, begin: float, end: float) -> float:
    """Return the bits a second of the frames that Bob got in a while of the call."""
    began = going_on.began_at
    frames = going_on.video.between(began + begin, began + end)
    return 8 * sum(frame.size for frame in frames) / (end - begin)


@pytest.mark.parametrize(
    ("rate", "max_bitrate", "video", "data"),
    [
        # As much as both want: video has at least half of what both get.
        (1e6, 8_000_000, 0.4, 0.2),
        (4e6, 8_000_000, 0.4, 0.2),
        # Video has nearly all that it wants, data most of the rest.
        (8e6, 2_500_000, 0.25, 0.4),
    ],
)
async def test_video_keeps_its_share_beside_bulk_data(
    rate: float, max_bitrate: int, video: float, data: float
) -> None:
    """The shares are parts of the link's rate that video and data must have at least."""
    async with call_with_data(rate, max_bitrate) as (going_on, transfer):
        await trio.sleep_until(going_on.began_at + BEGIN)
        going_on.nursery.start_soon(transfer.send)
        await trio.sleep(SECONDS)
        end = going_on.now
        video_got, data_got = video_rate(going_on, BEGIN + 4, end), 8 * transfer.received / SECONDS
        assert video_got >= video * rate
        assert data_got >= data * rate
        if max_bitrate > rate:
            assert video_got >= data_got
        began = going_on.began_at
        assert len(going_on.video.between(began + BEGIN, began + end)) >= 0.95 * SECONDS * FRAME_RATE
        assert going_on.video.longest_stall(began + BEGIN, began + end) < 0.5
        samples = going_on.samples_between(BEGIN + 4)
        assert mean(sample.queueing_delay for sample in samples) < 0.08


async def test_video_recovers_after_the_transfer_and_data_without_media_has_the_link_alone() -> None:
    rate = 4e6
    async with call_with_data(rate, 8_000_000) as (going_on, transfer):
        await trio.sleep_until(going_on.began_at + BEGIN)
        with trio.move_on_after(4):
            await transfer.send()
        async with transfer.channel.subscribe("buffered_amount_low") as low:
            while transfer.channel.buffered_amount:
                await low.receive()
        await trio.sleep(5)
        assert video_rate(going_on, going_on.now - 2, going_on.now) >= 0.75 * rate
        latencies = [frame.latency for frame in going_on.video.between(trio.current_time() - 2)]
        assert max(latencies) < 0.2
        # Alice sends no media any more.
        for sender in going_on.peers.alice.get_senders():
            await sender.replace_track(None)
        await trio.sleep(8)
        before = transfer.received
        going_on.nursery.start_soon(transfer.send)
        await trio.sleep(8)
        assert 8 * (transfer.received - before) / 8 >= 0.7 * rate
