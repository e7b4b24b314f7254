"""Chromium encodes Opus with our parameters."""

import itertools
from collections import Counter

import pytest

from tests.interop.calling import CALL_SECONDS, THEIR_TONE, Call
from tests.interop.connecting import negotiating
from tests.interop.opening import Peers
from tests.interop.own_media import wait_for_tone
from trio_rtc import EncodedFrame, OpusParameters, RTCRtpReceiver, Settings

pytestmark = pytest.mark.timed

SKIPPED, COUNT = 25, 50
"""Number of skipped packets at the beginning, and of those examined then."""


async def packets_of(receiver: RTCRtpReceiver) -> list[EncodedFrame]:
    received: list[EncodedFrame] = []
    async with receiver.encoded_frames() as frames:
        async for frame in frames:
            received.append(frame)
            if len(received) == SKIPPED + COUNT:
                break
    return received[SKIPPED:]


@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
@pytest.mark.parametrize(
    ("parameters", "stereo", "ptime"),
    [
        (OpusParameters(), False, 20),
        (OpusParameters(stereo=True, ptime=40, max_average_bitrate=96_000), True, 40),
    ],
    ids=["default", "stereo"],
)
async def test_chromium_encodes_with_our_parameters(
    peers: Peers, parameters: OpusParameters, stereo: bool, ptime: int, we_offer: bool
) -> None:
    settings = Settings(opus=parameters)
    async with negotiating(peers, "chromium", settings=settings, seconds=CALL_SECONDS) as (
        own,
        remote,
        inner,
    ):
        call = Call(own, remote, inner)
        await call.add_all("audio")
        call.ours.prefer_codec("audio", "opus")
        await call.negotiate(we_offer=we_offer)
        (audio,) = call.ours.of_kind("audio")
        await wait_for_tone(audio.receiver.track, THEIR_TONE)
        packets = await packets_of(audio.receiver)
        # RFC 6716 section 3.1: the stereo bit of the TOC byte.
        assert {bool(packet.payload[0] & 0x04) for packet in packets} == {stereo}
        steps = [later.timestamp - sooner.timestamp for sooner, later in itertools.pairwise(packets)]
        # On a busy machine, the browser's source pauses sometimes.
        assert Counter(steps).most_common(1)[0][0] == min(steps) == ptime * 48
        bitrate = 8000 * sum(len(packet.payload) for packet in packets) / (ptime * COUNT)
        assert (bitrate > 50_000) is stereo
