"""Simulcast: layers of browsers, and layers between two of our peers."""

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, THEIR_START, calling
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_media import OwnMedia, read_counters
from tests.interop.own_peer import open_own_peer
from trio_rtc import RTCRtpEncodingParameters, RTCRtpReceiver

# Browsers send three layers only from this frame size on.
WIDTH, HEIGHT = 960, 540
SCALES = {"q": 4, "h": 2, "f": 1}
BITRATES = {"q": 60_000, "h": 80_000, "f": 120_000}
"""Bitrates so low that browsers send all layers from the beginning."""


async def assert_layers(receiver: RTCRtpReceiver) -> None:
    """Require frames and packets of every layer, in its size."""
    async with trio.open_nursery() as nursery:
        for rid in SCALES:
            nursery.start_soon(assert_frames, receiver, rid)
            nursery.start_soon(assert_packets, receiver, rid)


async def assert_frames(receiver: RTCRtpReceiver, rid: str) -> None:
    """Require encoded frames of a layer, and a keyframe after a request."""
    async with receiver.encoded_frames(rid=rid) as frames:
        for _ in range(3):
            assert (await frames.receive()).rid == rid
        # Browsers ignore requests soon after a keyframe.
        receiver.request_keyframe(rid=rid)
        while not (await frames.receive()).keyframe:
            receiver.request_keyframe(rid=rid)


async def assert_packets(receiver: RTCRtpReceiver, rid: str) -> None:
    """Require packets of a layer, all with one SSRC."""
    async with receiver.rtp_packets(rid=rid) as packets:
        assert len({(await packets.receive()).ssrc for _ in range(10)}) == 1


async def assert_shown(receiver: RTCRtpReceiver, least: int) -> None:
    """Require the track to return each selected layer in its size, with continuous numbers."""
    for rid, scale in (*SCALES.items(), ("q", SCALES["q"])):
        receiver.layer = rid
        while (await receiver.track.receive()).width != WIDTH // scale:
            pass
        (least,) = await read_counters(receiver.track, count=1, least=least)


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_the_layers_of_browsers_are_received(peers: Peers, name: str) -> None:
    async with calling(peers, name) as call:
        encodings = [
            {"rid": rid, "scaleResolutionDownBy": scale, "maxBitrate": BITRATES[rid]}
            for rid, scale in SCALES.items()
        ]
        await call.theirs.add_video(start=THEIR_START, encodings=encodings, width=WIDTH, height=HEIGHT)
        await call.negotiate(we_offer=False)
        (video,) = call.ours.of_kind("video")
        await assert_layers(video.receiver)
        await assert_shown(video.receiver, THEIR_START)


async def test_our_layers_are_sent() -> None:
    with trio.fail_after(CALL_SECONDS):
        async with open_own_peer() as ours, open_own_peer() as others, trio.open_nursery() as nursery:
            encodings = [
                RTCRtpEncodingParameters(rid=rid, scale_resolution_down_by=float(scale))
                for rid, scale in SCALES.items()
            ]
            OwnMedia(ours.pc, nursery).add_simulcast(encodings, width=WIDTH, height=HEIGHT)
            await connect(ours, others, trickle=True, nursery=nursery)
            (video,) = others.pc.get_transceivers()
            await assert_layers(video.receiver)
            await assert_shown(video.receiver, 0)
            nursery.cancel_scope.cancel()
