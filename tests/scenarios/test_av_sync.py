"""Audio and video of one stream are synchronized despite different encoding delays."""

from collections.abc import Callable

import trio

from tests.strategies.media import media_peers, opus_frame, until_connected, vp8_frame
from tests.strategies.peers import connect
from trio_rtc import EncodedFrame, MediaStream, MediaStreamTrack, MediaStreamTrackSource, open_media_track

FRAME_COUNT = 10
ENCODING = 0.08
SETTLED, END = 12.0, 18.0
UNITS = {"opus": 0.02, "VP8": 1 / 30}
"""Seconds between two encoded values: every third video frame at 30 frames per second."""


async def send(source: MediaStreamTrackSource, make: Callable[[int], EncodedFrame], every: float) -> None:
    """Send frames at an interval."""
    begin = trio.current_time()
    index = 0
    while True:
        await trio.sleep_until(begin + index * every)
        await source.send(make(index))
        index += 1


async def encode_slowly(frame: EncodedFrame) -> EncodedFrame:
    """Encode with the varying delay of a busy machine."""
    index = frame.timestamp // 9000
    await trio.sleep(ENCODING * (1 + 0.2 * (index % 3 - 1)))
    return frame


async def watch(track: MediaStreamTrack, ages: list[float], began: float) -> None:
    """Record the ages of frames at playout."""
    async for frame in track:
        index = int.from_bytes(frame.payload[1:5] if frame.codec == "opus" else frame.payload[10:14], "big")
        if trio.current_time() >= began + SETTLED:
            ages.append(trio.current_time() - began - index * UNITS[frame.codec])


async def test_encoding_delay_does_not_desynchronize_audio_and_video(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        stream = MediaStream()
        (audio_source, audio), (video_source, video) = open_media_track("audio"), open_media_track("video")
        peers.alice.add_track(audio, stream)
        peers.alice.add_track(video, stream).transform = encode_slowly
        async with peers.bob.subscribe("track") as tracks:
            await connect(peers.alice, peers.bob)
            received = [(await tracks.receive()).track for _ in range(2)]
        await until_connected(peers.alice)
        began = trio.current_time()
        ages: dict[str, list[float]] = {"audio": [], "video": []}
        for track in received:
            nursery.start_soon(watch, track, ages[track.kind], began)
        nursery.start_soon(send, audio_source, opus_frame, 0.02)
        nursery.start_soon(send, video_source, lambda index: vp8_frame(3 * index), 1 / FRAME_COUNT)
        await trio.sleep(END)
        nursery.cancel_scope.cancel()
    mean = {kind: sum(of_kind) / len(of_kind) for kind, of_kind in ages.items()}
    assert len(ages["audio"]) > 250
    assert len(ages["video"]) > 50
    assert mean["video"] > 0.9 * ENCODING
    assert abs(mean["audio"] - mean["video"]) < 0.03
