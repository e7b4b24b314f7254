"""Audio sent by an application at any pace and with pauses is received completely."""

import random
from array import array
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import av
import pytest
import trio

from tests.strategies.peers import connect, two_peers
from tests.strategies.scenarios import layer_counters, state_reached
from trio_rtc import (
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCAudioSourceStats,
    RTCInboundRtpStreamStats,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiverDirection,
    open_media_track,
)
from trio_rtc.codecs.samples import frame_of, samples_of
from trio_rtc.media import ToneSource
from trio_rtc.protocols.serial import serial_difference
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


def square_wave(amplitude: int) -> av.AudioFrame:
    """Return 20 ms at 8 kHz, whose root mean square is the amplitude."""
    return frame_of(array("h", ([amplitude] * 8 + [-amplitude] * 8) * 10).tobytes(), 1, 8_000, None)


@pytest.mark.parametrize("sends_levels", [True, False])
async def test_levels_of_decoded_audio(sends_levels: bool) -> None:
    """W3C webrtc-stats, ``audioLevel``: that of the samples, also if the sender sends no levels (RFC 6464)."""
    async with two_peers(link=Link(delay=0.02)) as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        transceiver = peers.alice.add_transceiver(track)
        capabilities = RTCRtpSender.get_capabilities("audio")
        assert capabilities is not None
        transceiver.set_codec_preferences([each for each in capabilities.codecs if each.name == "PCMU"])
        if not sends_levels:
            transceiver.set_header_extensions_to_negotiate(
                [
                    attrs.evolve(each, direction=RTCRtpTransceiverDirection.STOPPED)
                    if each.uri.endswith("ssrc-audio-level")
                    else each
                    for each in transceiver.get_header_extensions_to_negotiate()
                ]
            )
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        (receiver,) = peers.bob.get_receivers()
        nursery.start_soon(count_seconds, receiver.track)
        before = await audio_stats(peers.alice, RTCAudioSourceStats)
        assert (before.audio_level, before.total_audio_energy, before.total_samples_duration) == (0, 0, 0)
        began = trio.current_time()
        for _ in range(100):
            await frames.send(square_wave(8_192))
        await trio.sleep_until(began + 1.8)
        source = await audio_stats(peers.alice, RTCAudioSourceStats)
        inbound = await audio_stats(peers.bob, RTCInboundRtpStreamStats)
        nursery.cancel_scope.cancel()
    assert source.total_samples_duration == pytest.approx(2)
    assert source.audio_level == pytest.approx(0.25)
    assert source.total_audio_energy == pytest.approx(2 * 0.25**2)
    assert inbound.audio_level == pytest.approx(0.25, rel=0.05)
    assert inbound.total_audio_energy == pytest.approx(1.75 * 0.25**2, rel=0.1)


StatsT = TypeVar("StatsT")


async def audio_stats(pc: RTCPeerConnection, kind: type[StatsT]) -> StatsT:
    (found,) = (each for each in (await pc.get_stats()).values() if isinstance(each, kind))
    return found


async def timestamps_received(
    produce: Callable[[MediaStreamTrackSource, RTCRtpSender], Awaitable[None]],
) -> list[float]:
    """Send Opus from Alice to Bob, and return the RTP timestamps of the packets that Bob receives, in seconds."""
    received: list[int] = []

    async def record(receiver: RTCRtpReceiver) -> None:
        async with receiver.rtp_packets() as packets:
            async for packet in packets:
                received.append(packet.timestamp)  # noqa: PERF401

    async with two_peers() as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        peers.bob.on_track = lambda event: nursery.start_soon(record, event.receiver)
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await state_reached(peers.bob, "connected")
        await produce(frames, sender)
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    return [serial_difference(timestamp, received[0], 32) / 48_000 for timestamp in received]


@pytest.mark.parametrize("halt", [0.0, 0.4])
@pytest.mark.parametrize("samples", [120, 480, 2048, 2400])
async def test_late_frames_of_a_live_source_cause_no_padding(samples: int, halt: float) -> None:
    duration, rng = samples / 48_000, random.Random(1)

    async def produce(frames: MediaStreamTrackSource, _: RTCRtpSender) -> None:
        began = trio.current_time()
        for index in range(round(4 / duration)):
            due = index * duration
            late = max(0.0, 2 + halt - due) if due >= 2 else rng.uniform(0, 0.01)
            await trio.sleep_until(began + due + late)
            await frames.send(frame_of(bytes(2 * samples), 1, 48_000, index * samples))

    received = await timestamps_received(produce)
    # Some packets may be padded before the source is known to be live.
    assert received[-1] == pytest.approx(4, abs=0.065)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("change", ["disabled", "inactive", "replaced"])
async def test_timestamps_continue_when_another_encoder_encodes_the_track(change: str, timed: bool) -> None:
    async def produce(frames: MediaStreamTrackSource, sender: RTCRtpSender) -> None:
        source, track = ToneSource(440), sender.track
        assert track is not None

        async def switch(*, on: bool) -> None:
            if change == "disabled":
                track.enabled = on
            elif change == "replaced":
                await sender.replace_track(track if on else None)
            else:
                parameters = sender.get_parameters()
                parameters.encodings[0].active = on
                await sender.set_parameters(parameters)

        async def speak(seconds: float) -> None:
            for _ in range(round(seconds / 0.02)):
                frame = source.next_frame()
                if not timed:
                    frame.pts = None
                await frames.send(frame)
                await trio.sleep(0.02)

        await speak(0.5)
        # The pts have no gap here.
        await trio.sleep(1.5)
        await speak(0.5)
        await switch(on=False)
        await speak(0.5)
        await switch(on=True)
        await speak(1.0)

    received = await timestamps_received(produce)
    assert received == sorted(set(received))
    assert received[-1] == pytest.approx(3.98, abs=0.045)
