"""Limits of ``set_parameters`` and ``b=`` lines, between whole peers."""

import random
import re
from collections.abc import Callable

import pytest
import trio

from tests.strategies.metered_calls import MeteredCall, VideoEncoder, metered_call
from tests.strategies.peers import Peers, negotiate
from trio_rtc import (
    RTCPriorityType,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    RTCSessionDescription,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

LINK = Link(delay=0.02, rate=2_000_000, queue=60_000)


async def change(sender: RTCRtpSender, changes: dict[str, object]) -> None:
    """Change the parameters of a sender's first encoding."""
    parameters = sender.get_parameters()
    for name, value in changes.items():
        setattr(parameters.encodings[0], name, value)
    await sender.set_parameters(parameters)


async def bits_per_second(call: MeteredCall, seconds: float = 3.0) -> float:
    """Return the received video bitrate from now on."""
    begin = trio.current_time()
    await trio.sleep(seconds)
    return sum(frame.size for frame in call.video.between(begin)) * 8 / seconds


async def test_max_bitrate_is_obeyed_while_it_is_set() -> None:
    async with metered_call(link=LINK) as call:
        sender = call.encoder.sender
        await trio.sleep(8)
        assert await bits_per_second(call) > 1_200_000
        await change(sender, {"max_bitrate": 200_000})
        await trio.sleep(1)
        assert sender.target_bitrates[None] <= 200_000
        assert 150_000 < await bits_per_second(call) < 220_000
        await change(sender, {"max_bitrate": None})
        await trio.sleep(6)
        assert await bits_per_second(call) > 1_000_000


async def test_an_inactive_encoding_leaves_its_bitrate_to_others() -> None:
    async with metered_call(link=LINK) as call:
        other, encoder = await second_stream(call)
        call.nursery.start_soon(encoder.run)
        await trio.sleep(8)
        shared = other.target_bitrates[None]
        await change(call.encoder.sender, {"active": False})
        await trio.sleep(8)
        assert call.encoder.sender.target_bitrates[None] == 0
        assert other.target_bitrates[None] > 1.5 * shared
        before = len(call.video.frames)
        await trio.sleep(1)
        assert len(call.video.frames) == before


async def second_stream(call: MeteredCall) -> tuple[RTCRtpSender, VideoEncoder]:
    """Send a second video stream from Alice."""
    alice, bob = call.peers.alice, call.peers.bob
    source, track = open_media_track("video")
    limits = [RTCRtpEncodingParameters(max_bitrate=8_000_000)]
    sender = alice.add_transceiver(track, direction="sendonly", send_encodings=limits).sender
    await negotiate(alice, bob)
    return sender, VideoEncoder(source, sender, random.Random(1))


@pytest.mark.parametrize(
    ("priorities", "ratio"),
    [
        ((RTCPriorityType.LOW, RTCPriorityType.LOW), 1),
        ((RTCPriorityType.LOW, RTCPriorityType.HIGH), 4),
        ((RTCPriorityType.MEDIUM, RTCPriorityType.VERY_LOW), 1 / 4),
    ],
)
async def test_streams_share_by_priority(
    priorities: tuple[RTCPriorityType, RTCPriorityType], ratio: float
) -> None:
    async with metered_call(link=LINK) as call:
        other, encoder = await second_stream(call)
        call.nursery.start_soon(encoder.run)
        senders = (call.encoder.sender, other)
        for sender, priority in zip(senders, priorities, strict=True):
            await change(sender, {"priority": priority})
        await trio.sleep(10)
        # Beyond the minimum of each stream.
        one, two = (sender.target_bitrates[None] - 30_000 for sender in senders)
        assert one + two > 1_000_000
        assert two / one == pytest.approx(ratio, rel=0.1)


def in_kilobits(sdp: str) -> str:
    return re.sub(r"(m=video.*\r\nc=.*\r\n)", r"\1b=AS:400\r\n", sdp)


def in_bits(sdp: str) -> str:
    return re.sub(r"(m=video.*\r\nc=.*\r\n)", r"\1b=TIAS:400000\r\n", sdp)


@pytest.mark.parametrize("limited", [in_kilobits, in_bits])
async def test_the_peers_description_limits_the_bitrate(limited: Callable[[str], str]) -> None:
    async with metered_call(link=LINK) as call:
        await negotiate_with(call.peers, limited)
        await trio.sleep(8)
        assert 250_000 < await bits_per_second(call) < 420_000


async def negotiate_with(peers: Peers, limited: Callable[[str], str]) -> None:
    """Renegotiate with a modified answer of Bob."""
    await peers.alice.set_local_description()
    assert peers.alice.local_description is not None
    await peers.bob.set_remote_description(peers.alice.local_description)
    await peers.bob.set_local_description()
    answer = peers.bob.local_description
    assert answer is not None
    assert limited(answer.sdp) != answer.sdp
    await peers.alice.set_remote_description(RTCSessionDescription(answer.type, limited(answer.sdp)))
