"""MediaStreamTrack (W3C mediacapture-main section 4.3) and the source of a local one."""

import av
import pytest
import trio
import trio.testing

from tests.strategies.media import (
    connect_track,
    frame_of,
    media_peers,
    only,
    opus_frame,
    send_frames,
    until_connected,
    vp8_frame,
)
from tests.strategies.peers import connect, negotiate
from trio_rtc import Event, RTCTrackEvent, open_media_track

Clock = trio.testing.MockClock


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_a_new_track(kind: str) -> None:
    source, track = open_media_track(kind, label="mine")
    assert (track.kind, track.label, track.ready_state) == (kind, "mine", "live")
    assert (track.enabled, track.muted, track.content_hint) == (True, False, "")
    assert track.id
    assert track.id != open_media_track(kind)[1].id
    assert not source.wanted


def test_other_kinds_are_rejected() -> None:
    with pytest.raises(TypeError):
        open_media_track("text")


async def test_frames_are_received_in_order(autojump_clock: Clock) -> None:
    source, track = open_media_track("audio")
    taken: list[object] = []

    async def read() -> None:
        async for frame in track:
            taken.append(frame)  # noqa: PERF401 - the order in which they come is tested

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert source.wanted
        frames = [opus_frame(index) for index in range(5)]
        for frame in frames:
            await source.send(frame)
        await trio.testing.wait_all_tasks_blocked()
        await source.aclose()
    assert taken == frames
    assert track.ready_state == "ended"
    with pytest.raises(trio.EndOfChannel):
        await track.receive()
    with pytest.raises(trio.ClosedResourceError):
        await source.send(opus_frame(5))


async def test_a_slow_reader_loses_the_oldest(autojump_clock: Clock) -> None:
    source, track = open_media_track("video")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(track.receive)
        await trio.testing.wait_all_tasks_blocked()
        await source.send(vp8_frame(0))
        await trio.testing.wait_all_tasks_blocked()
    for index in range(1, 101):
        await source.send(vp8_frame(index))
    assert await track.receive() == vp8_frame(37)
    assert track.frames_dropped == 36


async def test_a_slow_reader_of_encoded_video_resumes_at_a_keyframe(autojump_clock: Clock) -> None:
    source, track = open_media_track("video")
    taken: list[int] = []

    async def read_frames() -> None:
        taken.extend([frame.timestamp // 3000 async for frame in track])

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            await track.receive()
        for index in range(80):
            await source.send(vp8_frame(index, keyframe=index in (0, 40)))
        nursery.start_soon(read_frames)
        await source.aclose()
    assert taken == list(range(40, 80))


async def test_fewer_decoded_video_frames_are_queued(autojump_clock: Clock) -> None:
    source, track = open_media_track("video")
    with trio.move_on_after(1):
        await track.receive()
    for index in range(20):
        video_frame = av.VideoFrame(64, 48)
        video_frame.pts = index
        await source.send(video_frame)
    assert (await track.receive()).pts == 12
    assert track.frames_dropped == 12


async def test_stopping_fires_no_event(autojump_clock: Clock) -> None:
    source, track = open_media_track("audio")
    ended: list[Event] = []
    track.on_ended = ended.append
    track.stop()
    track.stop()
    assert track.ready_state == "ended"
    assert ended == []
    with pytest.raises(trio.ClosedResourceError):
        await track.receive()
    with pytest.raises(trio.BrokenResourceError):
        await source.send(opus_frame(0))
    source.close()
    assert ended == []


async def test_the_end_of_a_source_fires_an_event() -> None:
    source, track = open_media_track("audio")
    clone = track.clone()
    ended: list[object] = []
    track.on_ended = lambda event: ended.append(event.target)
    clone.add_event_listener("ended", lambda event: ended.append(event.target))
    with source:
        pass
    assert ended == []
    await trio.testing.wait_all_tasks_blocked()
    assert set(ended) == {track, clone}
    source.close()
    await trio.testing.wait_all_tasks_blocked()
    assert len(ended) == 2


async def test_a_clone_is_independent(autojump_clock: Clock) -> None:
    source, track = open_media_track("video", label="shared")
    track.content_hint = "detail"
    track.enabled = False
    clone = track.clone()
    assert clone.id != track.id
    assert (clone.kind, clone.label, clone.content_hint, clone.enabled) == (
        "video",
        "shared",
        "detail",
        False,
    )
    clone.enabled = True
    assert not track.enabled
    track.stop()
    assert clone.ready_state == "live"
    assert track.clone().ready_state == "ended"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clone.receive)
        await trio.testing.wait_all_tasks_blocked()
        await source.send(vp8_frame(0))


@pytest.mark.parametrize(
    ("kind", "hint", "kept"),
    [
        ("audio", "speech", "speech"),
        ("audio", "music", "music"),
        ("audio", "motion", ""),
        ("video", "motion", "motion"),
        ("video", "text", "text"),
        ("video", "speech", ""),
    ],
)
async def test_content_hints(kind: str, hint: str, kept: str) -> None:
    _, track = open_media_track(kind)
    track.content_hint = hint
    assert track.content_hint == kept
    track.content_hint = "what"
    assert track.content_hint == kept
    track.content_hint = ""
    assert track.content_hint == ""


@pytest.mark.parametrize("pixels", ["yuv420p", "nv12", "rgb24", "gray"])
async def test_a_disabled_video_track_is_black(pixels: str, autojump_clock: Clock) -> None:
    source, track = open_media_track("video")
    clone = track.clone()
    video_frame = av.VideoFrame(64, 48, pixels)
    for plane in video_frame.planes:
        plane.update(b"\xc8" * plane.buffer_size)
    video_frame.pts = 5
    track.enabled = False
    shown: dict[str, av.VideoFrame] = {}

    async def read(name: str, reader: object) -> None:
        assert isinstance(reader, type(track))
        shown[name] = await reader.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, "black", track)
        nursery.start_soon(read, "video_frame", clone)
        await trio.testing.wait_all_tasks_blocked()
        await source.send(video_frame)
    assert shown["video_frame"] is video_frame
    black = shown["black"]
    assert (black.width, black.height, black.pts, black.format.name) == (64, 48, 5, pixels)
    rgb = bytes(black.reformat(format="rgb24").planes[0])
    assert max(rgb) == 0


@pytest.mark.parametrize("samples", ["s16", "fltp"])
async def test_a_disabled_audio_track_is_silent(samples: str, autojump_clock: Clock) -> None:
    source, track = open_media_track("audio")
    audio_frame = av.AudioFrame(samples, "stereo", 960)
    audio_frame.sample_rate = 48000
    for plane in audio_frame.planes:
        plane.update(b"\x7f" * plane.buffer_size)
    track.enabled = False
    shown: list[av.AudioFrame] = []

    async def read() -> None:
        shown.append(await track.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await source.send(audio_frame)
    (silence,) = shown
    assert (silence.samples, silence.sample_rate, silence.layout.name) == (960, 48000, "stereo")
    assert all(not any(bytes(plane)) for plane in silence.planes)


async def test_a_disabled_track_sends_no_encoded_frames(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        track.enabled = False
        nursery.start_soon(send_frames, source, "audio")
        async with event.receiver.rtp_packets() as packets:
            with trio.move_on_after(1) as silence:
                await packets.receive()
            assert silence.cancelled_caught
            track.enabled = True
            await packets.receive()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_one_track_in_two_connections(kind: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers, media_peers(seed=1) as others, trio.open_nursery() as nursery:
        source, track = open_media_track(kind)
        peers.alice.add_track(track)
        others.alice.add_track(track)
        events = [await connect_track(each.alice, each.bob) for each in (peers, others)]
        nursery.start_soon(send_frames, source, kind)
        for event in events:
            for _ in range(10):
                assert await event.track.receive()
        # The end of one does not affect the other.
        peers.alice.close()
        for _ in range(10):
            assert await events[1].track.receive()
        nursery.cancel_scope.cancel()


async def test_an_asynchronous_handler_of_a_track_whose_connection_has_ended(autojump_clock: Clock) -> None:
    source, track = open_media_track("audio")
    ended = trio.Event()

    async def record(event: Event) -> None:
        await trio.lowlevel.checkpoint()
        ended.set()

    track.on_ended = record
    async with media_peers() as peers:
        peers.alice.add_track(track)
        await connect_track(peers.alice, peers.bob)
    async with media_peers(seed=1) as peers:
        peers.alice.add_track(track)
        await connect_track(peers.alice, peers.bob)
        source.close()
        with trio.fail_after(1):
            await ended.wait()


async def test_an_asynchronous_handler_of_a_track_that_no_connection_sends(autojump_clock: Clock) -> None:
    async with trio.open_nursery() as nursery:
        source, track = open_media_track("audio", nursery=nursery)
        ended: list[Event] = []

        async def record(event: Event) -> None:
            await trio.sleep(1)
            ended.append(event)

        track.on_ended = record
        source.close()
    assert [event.target for event in ended] == [track]
    assert trio.current_time() >= 1


async def test_an_error_of_a_handler_ends_the_nursery_that_the_track_was_given(autojump_clock: Clock) -> None:
    def fail(event: Event) -> None:
        raise LookupError(event.type)

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            source, track = open_media_track("audio", nursery=nursery)
            track.on_ended = fail
            source.close()

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert raised.group_contains(LookupError, match="ended", depth=1)


async def test_a_track_may_end_after_its_connection(autojump_clock: Clock) -> None:
    source, track = open_media_track("audio")
    ended: list[Event] = []
    track.on_ended = ended.append
    async with media_peers() as peers:
        peers.alice.add_track(track)
        await connect_track(peers.alice, peers.bob)
    assert track.ready_state == "live"
    source.close()
    await trio.testing.wait_all_tasks_blocked()
    assert [event.target for event in ended] == [track]


@pytest.mark.parametrize("how", ["stopped", "ended"])
async def test_a_track_may_end_while_it_is_sent(how: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.track.receive)
            await trio.sleep(0.1)
            await source.send(opus_frame(0))
        track.stop() if how == "stopped" else source.close()
        await trio.sleep(0.1)
        # This needs no negotiation: the sender has an ended track (W3C webrtc section 5.2).
        assert sender.track is track
        assert only(peers.alice.get_transceivers()).current_direction == "sendonly"
        assert event.track.ready_state == "live"
        other, another = open_media_track("audio")
        await sender.replace_track(another)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.track.receive)
            await trio.sleep(0.1)
            await other.send(opus_frame(100))


async def test_a_track_that_has_ended_can_be_added(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        _, track = open_media_track("audio")
        track.stop()
        sender = peers.alice.add_track(track)
        await negotiate(peers.alice, peers.bob)
        assert sender.track is track


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_frames_before_the_connection_is_up_are_lost(kind: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track(kind)
        peers.alice.add_track(track)
        for index in range(100):
            await source.send(frame_of(kind, index))
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await connect(peers.alice, peers.bob)
        for index in range(100, 200):
            await source.send(frame_of(kind, index))
        await until_connected(peers.alice)
        await until_connected(peers.bob)
        taken: list[object] = []

        async def read() -> None:
            taken.append(await events[0].track.receive())

        nursery.start_soon(read)
        await trio.sleep(0.1)
        await source.send(frame_of(kind, 200))
        await trio.sleep(1)
        (frame,) = taken
        assert frame.payload == frame_of(kind, 200).payload  # type: ignore[attr-defined]
        nursery.cancel_scope.cancel()
