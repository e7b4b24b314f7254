"""Audio that an application makes, as fast as it likes and with pauses, is heard whole by a peer of ours."""

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


async def listen(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


def tone(seconds: float, rate: int = 16_000) -> list[av.AudioFrame]:
    """Return frames of 20 ms without ``pts``."""
    source = ToneSource(440, sample_rate=rate)
    frames = [source.next_frame() for _ in range(round(seconds / 0.02))]
    for frame in frames:
        frame.pts = None
    return frames


async def talk(
    codec: str, send_audio_frames: Callable[[MediaStreamTrackSource], Awaitable[None]], seconds: float
) -> float:
    """Let Alice send_audio_frames to Bob, and return how many seconds of it Bob hears."""
    async with two_peers(link=Link(delay=0.02)) as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        transceiver = peers.alice.add_transceiver(track)
        capabilities = RTCRtpSender.get_capabilities("audio")
        assert capabilities is not None
        transceiver.set_codec_preferences([each for each in capabilities.codecs if each.name == codec])
        peers.bob.on_track = lambda event: nursery.start_soon(listen, event.track)
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await state_reached(peers.bob, "connected")
        nursery.start_soon(send_audio_frames, frames)
        await trio.sleep(seconds)
        # What was made up in the place of what did not come is not in it.
        played = (await layer_counters(peers.bob, "rtp"))["playout_played"]
        nursery.cancel_scope.cancel()
    return played / CLOCK_RATES[codec]


@CODECS
async def test_ten_seconds_in_one_frame_are_heard_whole(codec: str) -> None:
    async def send_audio_frames(frames: MediaStreamTrackSource) -> None:
        joined = b"".join(samples_of(frame) for frame in tone(10))
        whole = av.AudioFrame("s16", "mono", len(joined) // 2)
        whole.planes[0].update(joined)
        whole.sample_rate = 16_000
        await frames.send(whole)

    assert await talk(codec, send_audio_frames, 12) == pytest.approx(10, rel=0.01)


async def test_ten_seconds_in_short_frames_are_heard_whole() -> None:
    async def send_audio_frames(frames: MediaStreamTrackSource) -> None:
        for frame in tone(10):
            await frames.send(frame)

    assert await talk("opus", send_audio_frames, 12) == pytest.approx(10, rel=0.01)


@CODECS
@pytest.mark.parametrize("pause", [0.15, 0.5, 1.0, 2.0, 5.0])
async def test_audio_with_pauses_is_heard_whole(codec: str, pause: float) -> None:
    async def send_audio_frames(frames: MediaStreamTrackSource) -> None:
        for _ in range(4):
            for frame in tone(0.5):
                await frames.send(frame)
            await frames.drain()
            await trio.sleep(pause)

    assert await talk(codec, send_audio_frames, 3 + 4 * pause) == pytest.approx(2, rel=0.01)


async def test_live_audio_with_pauses_is_heard_whole() -> None:
    async def send_audio_frames(frames: MediaStreamTrackSource) -> None:
        for pause in (0.5, 1.0, 2.0, 0.0):
            for frame in tone(0.5):
                await frames.send(frame)
                await trio.sleep(0.02)
            await trio.sleep(pause)

    assert await talk("opus", send_audio_frames, 7) == pytest.approx(2, rel=0.01)


async def test_a_track_is_heard_again_as_soon_as_it_is_enabled_again() -> None:
    """Audio that is queued in advance while the track is disabled is heard if its time comes later."""
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

        async def send_audio_frames() -> None:
            for frame in tone(3):
                await frames.send(frame)

        nursery.start_soon(send_audio_frames)
        await trio.sleep(1)
        silent.clear()
        track.enabled = False
        await trio.sleep(1)
        track.enabled = True
        await trio.sleep(0.9)
        nursery.cancel_scope.cancel()
    assert sum(silent) == pytest.approx(1.0, abs=0.06)
