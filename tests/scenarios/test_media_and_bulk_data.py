"""Video and bulk data on one connection over a bottleneck: video keeps its share."""

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
    """A bulk transfer from Alice to Bob.

    Attributes:
        channel: Alice's end of the channel.
        received: Bytes that Bob has received.
    """

    channel: RTCDataChannel
    received: int = 0

    async def send(self) -> None:
        """Send messages until cancelled."""
        while True:
            await self.channel.send(BLOCK)

    async def receive(self, channel: RTCDataChannel) -> None:
        """Count the received bytes."""
        async for message in channel:
            self.received += len(message)


@asynccontextmanager
async def call_with_data(rate: float, max_bitrate: int) -> AsyncIterator[tuple[MeteredCall, Transfer]]:
    """Open a call with video and a data channel from Alice to Bob over a link of some rate."""
    link = Link(delay=0.025, rate=rate, queue=60_000)
    layers = [RTCRtpEncodingParameters(max_bitrate=max_bitrate)]
    async with metered_call(link=link, layers=layers) as call:
        alice, bob = call.peers.alice, call.peers.bob
        transfer = Transfer(alice.create_data_channel("bulk"))
        async with bob.subscribe("data_channel") as announced:
            await negotiate(alice, bob)
            await transfer.channel.opened()
            call.nursery.start_soon(transfer.receive, (await announced.receive()).channel)
        yield call, transfer


def video_rate(call: MeteredCall, begin: float, end: float) -> float:
    """Return the bitrate of the frames that Bob received in an interval of the call."""
    began = call.began_at
    frames = call.video.between(began + begin, began + end)
    return 8 * sum(frame.size for frame in frames) / (end - begin)


@pytest.mark.parametrize(
    ("rate", "max_bitrate", "video", "data"),
    [
        # Both are limited: video gets at least half of their sum.
        (1e6, 8_000_000, 0.4, 0.2),
        (4e6, 8_000_000, 0.4, 0.2),
        # Video gets nearly its maximum, data most of the rest.
        (8e6, 2_500_000, 0.25, 0.4),
    ],
)
async def test_video_keeps_its_share_beside_bulk_data(
    rate: float, max_bitrate: int, video: float, data: float
) -> None:
    """The shares are minimum fractions of the link's rate for video and data."""
    async with call_with_data(rate, max_bitrate) as (call, transfer):
        await trio.sleep_until(call.began_at + BEGIN)
        call.nursery.start_soon(transfer.send)
        await trio.sleep(SECONDS)
        end = call.now
        video_got, data_got = video_rate(call, BEGIN + 4, end), 8 * transfer.received / SECONDS
        assert video_got >= video * rate
        assert data_got >= data * rate
        if max_bitrate > rate:
            assert video_got >= data_got
        began = call.began_at
        assert len(call.video.between(began + BEGIN, began + end)) >= 0.95 * SECONDS * FRAME_RATE
        assert call.video.longest_stall(began + BEGIN, began + end) < 0.5
        samples = call.samples_between(BEGIN + 4)
        assert mean(sample.queueing_delay for sample in samples) < 0.08


async def test_video_recovers_after_the_transfer_and_data_without_media_has_the_link_alone() -> None:
    rate = 4e6
    async with call_with_data(rate, 8_000_000) as (call, transfer):
        await trio.sleep_until(call.began_at + BEGIN)
        with trio.move_on_after(4):
            await transfer.send()
        async with transfer.channel.subscribe("buffered_amount_low") as low:
            while transfer.channel.buffered_amount:
                await low.receive()
        await trio.sleep(5)
        assert video_rate(call, call.now - 2, call.now) >= 0.75 * rate
        latencies = [frame.latency for frame in call.video.between(trio.current_time() - 2)]
        assert max(latencies) < 0.2
        # Alice stops sending media.
        for sender in call.peers.alice.get_senders():
            await sender.replace_track(None)
        await trio.sleep(8)
        before = transfer.received
        call.nursery.start_soon(transfer.send)
        await trio.sleep(8)
        assert 8 * (transfer.received - before) / 8 >= 0.7 * rate
