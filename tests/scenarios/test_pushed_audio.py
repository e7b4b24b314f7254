"""Audio sent by an application at any pace and with pauses is received completely."""

from collections.abc import Awaitable, Callable

import av
import pytest
import trio

from tests.strategies.peers import connect, two_peers
from tests.strategies.scenarios import layer_counters, state_reached
from trio_rtc import MediaStreamTrack, MediaStreamTrackSource, RTCRtpSender, open_media_track
from trio_rtc.codecs.samples import samples_of
from trio_rtc.media import ToneSource
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

CODECS = pytest.mark.parametrize("codec", ["opus", "PCMU", "G722"])
CLOCK_RATES = {"opus": 48_000, "PCMU": 8_000, "G722": 8_000}


async def count_seconds(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


def tone(seconds: float, rate: int = 16_000) -> list[av.AudioFrame]:
    """Return frames of 20 ms without ``pts``."""
    source = ToneSource(440, sample_rate=rate)
    frames = [source.next_frame() for _ in range(round(seconds / 0.02))]
    for frame in frames:
        frame.pts = None
    return frames


async def seconds_received(
    codec: str, produce: Callable[[MediaStreamTrackSource], Awaitable[None]], seconds: float
) -> float:
    """Send audio from Alice to Bob, and return the seconds of audio that Bob receives."""
    async with two_peers(link=Link(delay=0.02)) as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        transceiver = peers.alice.add_transceiver(track)
        capabilities = RTCRtpSender.get_capabilities("audio")
        assert capabilities is not None
        transceiver.set_codec_preferences([each for each in capabilities.codecs if each.name == codec])
        peers.bob.on_track = lambda event: nursery.start_soon(count_seconds, event.track)
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await state_reached(peers.bob, "connected")
        nursery.start_soon(produce, frames)
        await trio.sleep(seconds)
        # Concealed audio is not counted.
        played = (await layer_counters(peers.bob, "rtp"))["playout_played"]
        nursery.cancel_scope.cancel()
    return played / CLOCK_RATES[codec]


@CODECS
async def test_ten_seconds_in_one_frame_are_received_completely(codec: str) -> None:
    async def produce(frames: MediaStreamTrackSource) -> None:
        joined = b"".join(samples_of(frame) for frame in tone(10))
        whole = av.AudioFrame("s16", "mono", len(joined) // 2)
        whole.planes[0].update(joined)
        whole.sample_rate = 16_000
        await frames.send(whole)

    assert await seconds_received(codec, produce, 12) == pytest.approx(10, rel=0.01)


async def test_ten_seconds_in_short_frames_are_received_completely() -> None:
    async def produce(frames: MediaStreamTrackSource) -> None:
        for frame in tone(10):
            await frames.send(frame)

    assert await seconds_received("opus", produce, 12) == pytest.approx(10, rel=0.01)


@CODECS
@pytest.mark.parametrize("pause", [0.15, 0.5, 1.0, 2.0, 5.0])
async def test_audio_with_pauses_is_received_completely(codec: str, pause: float) -> None:
    async def produce(frames: MediaStreamTrackSource) -> None:
        for _ in range(4):
            for frame in tone(0.5):
                await frames.send(frame)
            await frames.drain()
            await trio.sleep(pause)

    assert await seconds_received(codec, produce, 3 + 4 * pause) == pytest.approx(2, rel=0.01)


async def test_live_audio_with_pauses_is_received_completely() -> None:
    async def produce(frames: MediaStreamTrackSource) -> None:
        for pause in (0.5, 1.0, 2.0, 0.0):
            for frame in tone(0.5):
                await frames.send(frame)
                await trio.sleep(0.02)
            await trio.sleep(pause)

    assert await seconds_received("opus", produce, 7) == pytest.approx(2, rel=0.01)


async def test_a_track_is_sent_again_as_soon_as_it_is_enabled() -> None:
    """Audio queued while the track is disabled is sent if it is due after the track is enabled."""
    silent: list[float] = []

    async def measure(track: MediaStreamTrack) -> None:
        async for frame in track:
            samples = memoryview(samples_of(frame)).cast("h")
            if max(samples) < 1000:
                silent.append(frame.samples / frame.sample_rate)

    async with two_peers(link=Link(delay=0.02)) as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        peers.alice.add_track(track)
        peers.bob.on_track = lambda event: nursery.start_soon(measure, event.track)
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")

        async def produce() -> None:
            for frame in tone(3):
                await frames.send(frame)

        nursery.start_soon(produce)
        await trio.sleep(1)
        silent.clear()
        track.enabled = False
        await trio.sleep(1)
        track.enabled = True
        await trio.sleep(0.9)
        nursery.cancel_scope.cancel()
    assert sum(silent) == pytest.approx(1.0, abs=0.06)
