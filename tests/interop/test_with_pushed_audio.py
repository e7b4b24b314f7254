"""Chromium plays audio completely that is sent at once, with its pauses."""

import av
import pytest
import trio

from tests.interop.calling import CALL_SECONDS
from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_media import OwnMedia
from tests.interop.remote_peer import RemotePeer
from trio_rtc import MediaStream, open_media_track
from trio_rtc.codecs.samples import frame_of, samples_of
from trio_rtc.media import ToneSource

pytestmark = pytest.mark.timed

RATE = 24_000
SAMPLE_RATES = {"opus": 48_000, "PCMU": 8_000, "G722": 16_000}
"""Sample rate of the decoder."""
WHOLE = 0.98
"""Minimum share of the audio that must be played."""


def speech(seconds: float) -> av.AudioFrame:
    """Return a tone in one frame without ``pts``, like that of text-to-speech."""
    source = ToneSource(440, sample_rate=RATE)
    return frame_of(
        b"".join(samples_of(source.next_frame()) for _ in range(round(seconds / 0.02))), 1, RATE, None
    )


async def audio_stats(remote: RemotePeer) -> JsonObject:
    """Return the peer's statistics of our audio."""
    while True:
        for stats in await remote.get_stats():
            if (
                stats["type"] == "inbound-rtp"
                and stats["kind"] == "audio"
                and stats.get("totalSamplesReceived")
            ):
                return stats
        await trio.sleep(0.05)


@pytest.mark.parametrize("codec", ["opus", "PCMU", "G722"])
async def test_ten_seconds_sent_at_once_are_played_completely(peers: Peers, codec: str) -> None:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        frames, track = open_media_track("audio")
        own.pc.add_track(track, MediaStream([track]))
        OwnMedia(own.pc, nursery).prefer_codec("audio", codec)
        await remote.media.watch_frames()
        await connect(own, remote, trickle=True, nursery=nursery)
        await remote.connection_state("connected")
        await frames.send(speech(2))
        await frames.drain()
        before = await audio_stats(remote)
        await frames.send(speech(10))
        await frames.drain()
        await trio.sleep(1)
        after = await audio_stats(remote)
        # Samples leaving the jitter buffer are played; concealment does not count.
        samples = after["jitterBufferEmittedCount"] - before["jitterBufferEmittedCount"]
        played = samples / SAMPLE_RATES[codec]
        lost = after["packetsDiscarded"] - before["packetsDiscarded"]
        print(f"{codec}: {played:.2f} s played, {lost} packets discarded")
        assert played >= WHOLE * 10
        assert lost == 0
