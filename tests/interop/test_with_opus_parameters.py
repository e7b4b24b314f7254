"""What we ask of Opus is what Chromium encodes."""

import itertools
from collections import Counter

import pytest

from tests.interop.calling import CALL_SECONDS, THEIR_TONE, Call
from tests.interop.connecting import negotiating
from tests.interop.opening import Peers
from tests.interop.own_media import hear
from trio_rtc import EncodedFrame, OpusParameters, RTCRtpReceiver, Settings

SKIPPED, COUNT = 25, 50
"""Packets at the beginning, and those that are looked at then."""


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
async def test_chromium_encodes_as_it_is_asked(
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
        await hear(audio.receiver.track, THEIR_TONE)
        packets = await packets_of(audio.receiver)
        # RFC 6716 section 3.1: the bit of the first byte that says stereo.
        assert {bool(packet.payload[0] & 0x04) for packet in packets} == {stereo}
        steps = [later.timestamp - sooner.timestamp for sooner, later in itertools.pairwise(packets)]
        # Where the machine is busy, the source of the browser pauses now and then.
        assert Counter(steps).most_common(1)[0][0] == min(steps) == ptime * 48
        bitrate = 8000 * sum(len(packet.payload) for packet in packets) / (ptime * COUNT)
        assert (bitrate > 50_000) is stereo
