"""Forward error correction with browsers over a long path that loses packets: theirs helps us, and ours helps them.

Chromium tells of FlexFEC and of redundant sound what it has received, and nobody of ULPFEC. That it is used shows where
nothing that is sent again arrives: pictures go on all the same.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, THEIR_START, THEIR_TONE, Call, until
from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.long_path import LongPath, Loss
from tests.interop.opening import Peers
from tests.interop.own_media import hear
from tests.strategies.scenarios import layer_counters
from trio_rtc import MediaStreamTrack, RTCRtpTransceiver, Settings

ROUND_TRIP = 0.2
"""Seconds: browsers do not protect what can be sent again in less than some tenths of that."""
INTERVAL = 5
WIDTH, HEIGHT, FRAMERATE = 640, 360, 15
"""Pictures of several packets each."""
ENOUGH_LOST = 8
"""Frames of which a packet is lost while nothing is sent again."""

ULPFEC, FLEXFEC = ("VP8", "red", "ulpfec"), ("VP8", "flexfec-03")


@asynccontextmanager
async def calling_far_away(peers: Peers, name: str) -> AsyncIterator[tuple[Call, LongPath[Loss]]]:
    """Open ourselves and a foreign peer for a call over a long path that loses packets."""
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
    """Return the peer's statistics of the only stream of a kind, nothing before there is one."""
    stats = await call.remote.get_stats()
    return next((each for each in stats if (each["type"], each.get("kind")) == (type_, kind)), {})


@pytest.mark.parametrize(
    ("name", "codecs"),
    [("chromium", ULPFEC), ("chromium-flexfec", FLEXFEC), ("firefox", ULPFEC), ("wrtc", ULPFEC)],
)
async def test_pictures_are_protected_both_ways(peers: Peers, name: str, codecs: tuple[str, ...]) -> None:
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
            told = codecs is FLEXFEC
            return bool(sent.fec_packets_sent >= 10 and received.get("fecPacketsReceived", 0) >= 10 * told)

        await until(we_get_packets_back)
        received = await our_stats(video, "inbound-rtp")
        assert received.fec_packets_received - received.fec_packets_discarded >= 10
        assert received.fec_bytes_received > 100 * received.fec_packets_received
        assert (received.fec_ssrc is not None) == (codecs is FLEXFEC)
        await until(they_get_repair_packets)
        # Without them, pictures stop as soon as nothing is sent again.
        path.outgoing.lost_types = payload_types(answer["sdp"], "rtx")
        await assert_they_go_on_without_retransmissions(call, path, video)


async def assert_they_go_on_without_retransmissions(
    call: Call, path: LongPath[Loss], video: RTCRtpTransceiver
) -> None:
    """For a while many packets are lost, of hardly any picture what it needs."""

    async def all_is_well_for_a_while() -> bool:
        lost = path.outgoing.lost
        sent, seen = await our_stats(video, "outbound-rtp"), await their_stats(call, "inbound-rtp", "video")

        async def enough_is_lost() -> bool:
            return path.outgoing.lost - lost >= ENOUGH_LOST

        await until(enough_is_lost)
        sent_more = (await our_stats(video, "outbound-rtp")).frames_sent - sent.frames_sent
        later = await their_stats(call, "inbound-rtp", "video")
        assert sent_more >= 2 * ENOUGH_LOST
        return bool(
            later["framesDecoded"] - seen["framesDecoded"] >= 0.8 * sent_more
            and later["pliCount"] == seen["pliCount"]
        )

    # What was missing when retransmissions ended, before there were repair packets, may have to be waited out.
    await until(all_is_well_for_a_while)


async def test_sound_is_redundant_both_ways(peers: Peers) -> None:
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
        await hear(audio.receiver.track, THEIR_TONE)
        await call.theirs.hear(mid, OUR_TONE)
        call.nursery.start_soon(watch, audio.receiver.track)

        async def recovered() -> int:
            return int((await layer_counters(call.own.pc, "rtp")).get("red_recovered", 0))

        async def losses_are_made_good_for_a_while() -> bool:
            known, before = await recovered(), await our_stats(audio, "inbound-rtp")

            async def more_is_recovered() -> bool:
                return await recovered() - known >= 20

            await until(more_is_recovered)
            after = await our_stats(audio, "inbound-rtp")
            heard = after.total_samples_received - before.total_samples_received
            return bool(after.concealed_samples - before.concealed_samples < 0.1 * heard)

        async def they_get_more_than_opus_has() -> bool:
            # Opus has one earlier sound in each packet by itself, RED another.
            before = await their_stats(call, "inbound-rtp", "audio")
            await call.theirs.hear(mid, OUR_TONE)
            after = await their_stats(call, "inbound-rtp", "audio")
            more = [after[name] - before[name] for name in ("fecPacketsReceived", "packetsReceived")]
            return bool(more[0] > 1.5 * more[1] > 0)

        # Where the machine is busy, sound comes late, and is made up although nothing of it was lost.
        await until(losses_are_made_good_for_a_while)
        received = await our_stats(audio, "inbound-rtp")
        assert received.fec_packets_received - received.fec_packets_discarded >= 20
        await until(they_get_more_than_opus_has)
