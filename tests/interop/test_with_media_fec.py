"""Forward error correction with browsers over a long lossy path, in both directions.

Chromium reports received FlexFEC and redundant audio; no peer reports ULPFEC. Without retransmissions, continuous
video proves that it is used.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, THEIR_START, THEIR_TONE, Call, wait_until
from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.long_path import LongPath, Loss
from tests.interop.opening import Peers
from tests.interop.own_media import wait_for_tone
from tests.strategies.scenarios import layer_counters
from trio_rtc import MediaStreamTrack, RTCRtpTransceiver, Settings

ROUND_TRIP = 0.2
"""Round-trip time in seconds; browsers use no FEC where retransmission takes less than some tenths of that."""
INTERVAL = 5
WIDTH, HEIGHT, FRAMERATE = 640, 360, 15
"""Size of video frames of several packets each."""
ENOUGH_LOST = 8
"""Number of frames with a lost packet while there is no retransmission."""

ULPFEC, FLEXFEC = ("VP8", "red", "ulpfec"), ("VP8", "flexfec-03")


@asynccontextmanager
async def calling_far_away(peers: Peers, name: str) -> AsyncIterator[tuple[Call, LongPath[Loss]]]:
    """Open our peer and a foreign peer for a call over a long lossy path."""
    async with trio.open_nursery() as nursery:
        path = LongPath.of_this_host(nursery, round_trip=ROUND_TRIP, interval=INTERVAL)
        settings = Settings(network=path)
        async with negotiating(peers, name, settings=settings, seconds=CALL_SECONDS) as (own, remote, inner):
            yield Call(own, remote, inner), path
        nursery.cancel_scope.cancel()


def payload_types(sdp: str, name: str) -> frozenset[int]:
    return frozenset(int(number) for number in re.findall(rf"a=rtpmap:(\d+) {name}/90000", sdp))


async def watch(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


async def our_stats(transceiver: RTCRtpTransceiver, type_: str) -> Any:
    """Return our statistics of the only stream of a kind, ``None`` before there is one."""
    stats = {**await transceiver.receiver.get_stats(), **await transceiver.sender.get_stats()}
    return next((each for each in stats.values() if each.type == type_), None)


async def their_stats(call: Call, type_: str, kind: str) -> JsonObject:
    """Return the peer's statistics of the only stream of a kind, empty before there is one."""
    stats = await call.remote.get_stats()
    return next((each for each in stats if (each["type"], each.get("kind")) == (type_, kind)), {})


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("chromium", ULPFEC), ("chromium-flexfec", FLEXFEC), ("firefox", ULPFEC), ("wrtc", ULPFEC)],
)
async def test_video_fec_in_both_directions(peers: Peers, name: str, codecs: tuple[str, ...]) -> None:
    async with calling_far_away(peers, name) as (call, path):
        call.own.pc.add_track(call.ours.open_video(width=WIDTH, height=HEIGHT))
        await call.theirs.add_video(start=THEIR_START, width=WIDTH, height=HEIGHT, framerate=2 * FRAMERATE)
        if name != "wrtc":
            await call.theirs.prefer_codecs("video", *codecs)
        _, answer = await call.negotiate(we_offer=False)
        for direction in (path.incoming, path.outgoing):
            direction.spared_types = payload_types(answer["sdp"], "flexfec-03")
        (video,) = call.ours.of_kind("video")
        video.receiver.decode = False
        call.nursery.start_soon(watch, video.receiver.track)

        async def we_get_packets_back() -> bool:
            return bool((await layer_counters(call.own.pc, "rtp")).get("incoming_fec_recovered", 0) >= 10)

        async def they_get_repair_packets() -> bool:
            sent = await our_stats(video, "outbound-rtp")
            received = await their_stats(call, "inbound-rtp", "video")
            reported = codecs is FLEXFEC
            return bool(
                sent.fec_packets_sent >= 10 and received.get("fecPacketsReceived", 0) >= 10 * reported
            )

        await wait_until(we_get_packets_back)
        received = await our_stats(video, "inbound-rtp")
        assert received.fec_packets_received - received.fec_packets_discarded >= 10
        assert received.fec_bytes_received > 100 * received.fec_packets_received
        assert (received.fec_ssrc is not None) == (codecs is FLEXFEC)
        await wait_until(they_get_repair_packets)
        # Without them, video stops as soon as retransmissions end.
        path.outgoing.lost_types = payload_types(answer["sdp"], "rtx")
        await assert_video_continues_without_retransmissions(call, path, video)


async def assert_video_continues_without_retransmissions(
    call: Call, path: LongPath[Loss], video: RTCRtpTransceiver
) -> None:
    """Require continuous video under loss without retransmissions."""

    async def no_stall_for_some_time() -> bool:
        lost = path.outgoing.lost
        sent, seen = await our_stats(video, "outbound-rtp"), await their_stats(call, "inbound-rtp", "video")

        async def enough_is_lost() -> bool:
            return path.outgoing.lost - lost >= ENOUGH_LOST

        await wait_until(enough_is_lost)
        sent_more = (await our_stats(video, "outbound-rtp")).frames_sent - sent.frames_sent
        later = await their_stats(call, "inbound-rtp", "video")
        assert sent_more >= 2 * ENOUGH_LOST
        return bool(
            later["framesDecoded"] - seen["framesDecoded"] >= 0.8 * sent_more
            and later["pliCount"] == seen["pliCount"]
        )

    # Packets lost before the first repair packets may stall the video when retransmissions end.
    await wait_until(no_stall_for_some_time)


async def test_audio_redundancy_in_both_directions(peers: Peers) -> None:
    async with calling_far_away(peers, "chromium") as (call, _):
        await call.add_all("audio")
        await call.theirs.prefer_codecs("audio", "red", "opus")
        offer, answer = await call.negotiate(we_offer=False)
        for description in (offer, answer):
            assert "m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\n" in description["sdp"]
        (audio,) = call.ours.of_kind("audio")
        mid = audio.mid
        assert mid is not None
        # A bitrate at which libopus codes the tone with in-band FEC.
        parameters = audio.sender.get_parameters()
        parameters.encodings[0].max_bitrate = 64_000
        await audio.sender.set_parameters(parameters)
        await wait_for_tone(audio.receiver.track, THEIR_TONE)
        await call.theirs.wait_for_tone(mid, OUR_TONE)
        call.nursery.start_soon(watch, audio.receiver.track)

        async def recovered() -> int:
            return int((await layer_counters(call.own.pc, "rtp")).get("red_recovered", 0))

        async def losses_are_recovered_for_some_time() -> bool:
            known, before = await recovered(), await our_stats(audio, "inbound-rtp")

            async def more_is_recovered() -> bool:
                return await recovered() - known >= 20

            await wait_until(more_is_recovered)
            after = await our_stats(audio, "inbound-rtp")
            received = after.total_samples_received - before.total_samples_received
            return bool(after.concealed_samples - before.concealed_samples < 0.1 * received)

        async def they_get_more_than_opus_has() -> bool:
            # In-band FEC adds the previous frame to each packet, RED another one.
            before = await their_stats(call, "inbound-rtp", "audio")
            await call.theirs.wait_for_tone(mid, OUR_TONE)
            after = await their_stats(call, "inbound-rtp", "audio")
            more = [after[name] - before[name] for name in ("fecPacketsReceived", "packetsReceived")]
            return bool(more[0] > 1.5 * more[1] > 0)

        # On a busy machine audio is late, and concealed although no packet was lost.
        await wait_until(losses_are_recovered_for_some_time)
        received = await our_stats(audio, "inbound-rtp")
        assert received.fec_packets_received - received.fec_packets_discarded >= 20
        await wait_until(they_get_more_than_opus_has)
