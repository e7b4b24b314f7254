"""RTCRtpSender (W3C webrtc section 5.2)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import attrs
import pytest
import trio

from tests.strategies.media import (
    connect_track,
    media_peers,
    only,
    opus_frame,
    send_frames,
    vp8_frame,
)
from tests.strategies.peers import negotiate, two_peers
from tests.strategies.video_frames import timed_pattern
from trio_rtc import (
    EncodedFrame,
    InvalidStateError,
    MediaStreamTrack,
    MediaStreamTrackSource,
    NotAllowedError,
    NotFoundError,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    RTCTrackEvent,
    open_media_track,
)

Clock = trio.testing.MockClock


def local_track(kind: str = "video") -> MediaStreamTrack:
    return open_media_track(kind)[1]


async def test_a_track_is_replaced_by_one_of_its_kind() -> None:
    pc = RTCPeerConnection()
    one, two = local_track(), local_track()
    sender = pc.add_track(one)
    await sender.replace_track(two)
    assert sender.track is two
    with pytest.raises(TypeError):
        await sender.replace_track(local_track("audio"))
    assert sender.track is two
    await sender.replace_track(None)
    assert sender.track is None
    transceiver = only(pc.get_transceivers())
    assert transceiver.direction == "sendrecv"
    transceiver.stop()
    with pytest.raises(InvalidStateError):
        await sender.replace_track(one)
    pc.close()


async def test_another_track_continues_the_stream(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, "video")
        async with event.receiver.rtp_packets() as packets:
            first = await packets.receive()
            other, another = open_media_track("video")
            await sender.replace_track(another)
            nursery.start_soon(send_frames, other, "video")
            numbers: set[int] = set()
            while len(numbers) < 20:
                packet = await packets.receive()
                assert packet.ssrc == first.ssrc
                # Bandwidth probes repeat some packets.
                numbers.add((packet.sequence_number - first.sequence_number) & 0xFFFF)
            assert numbers - {0} == set(range(1, max(numbers) + 1))
            await sender.replace_track(None)
            await trio.sleep(0.2)
            with trio.move_on_after(0):
                while True:
                    await packets.receive()
            with trio.move_on_after(2) as silence:
                await packets.receive()
            assert silence.cancelled_caught
            await sender.replace_track(track)
            await packets.receive()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("begins_at", [0, -5_000_000, 900_000_000])
async def test_timestamps_continue_when_another_track_has_another_clock(
    begins_at: int, autojump_clock: Clock
) -> None:
    """A receiver drops frames in its past, and waits for frames far in its future."""
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        event.receiver.decode = False
        nursery.start_soon(send_frames, source, "audio")
        frames = [await event.track.receive() for _ in range(50)]
        other, another = open_media_track("audio")

        async def send_others() -> None:
            for index in range(200):
                await other.send(attrs.evolve(opus_frame(index), timestamp=begins_at + 960 * index))
                await trio.sleep(0.02)

        await sender.replace_track(another)
        nursery.start_soon(send_others)
        frames += [await event.track.receive() for _ in range(50)]
        steps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(frames)]
        assert min(steps) > 0
        assert max(steps) <= 10 * 960
        nursery.cancel_scope.cancel()


async def test_an_encoding_that_is_not_active_sends_nothing(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        parameters = sender.get_parameters()
        parameters.encodings[0].active = False
        await sender.set_parameters(parameters)
        nursery.start_soon(send_frames, source, "video")
        async with event.receiver.rtp_packets() as packets:
            with trio.move_on_after(1) as silence:
                await packets.receive()
            assert silence.cancelled_caught
            parameters = sender.get_parameters()
            parameters.encodings[0].active = True
            await sender.set_parameters(parameters)
            await packets.receive()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["remove", "stop", "direction"])
async def test_sending_ends(how: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, "audio")
        transceiver = only(peers.alice.get_transceivers())
        async with event.receiver.rtp_packets() as packets:
            await packets.receive()
            if how == "remove":
                peers.alice.remove_track(sender)
            elif how == "stop":
                transceiver.stop()
            else:
                transceiver.direction = "inactive"
                await negotiate(peers.alice, peers.bob)
            await trio.sleep(0.2)
            with trio.move_on_after(0):
                while True:
                    await packets.receive()
            with trio.move_on_after(2) as silence:
                await packets.receive()
            assert silence.cancelled_caught
        # The track belongs to the application and stays live.
        assert track.ready_state == "live"
        assert not source.wanted
        nursery.cancel_scope.cancel()


async def test_a_frame_of_another_codec_is_not_sent(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        async with event.receiver.rtp_packets() as packets:
            await source.send(EncodedFrame(bytes(160), 0, 8_000, "PCMU"))
            await source.send(opus_frame(0))
            assert (await packets.receive()).payload == opus_frame(0).payload


async def test_streams_of_a_sender_without_a_track(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_transceiver("audio").sender
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await negotiate(peers.alice, peers.bob)
        assert [event.streams for event in events] == [()]
        await sender.replace_track(local_track("audio"))
        assert len(peers.bob.get_transceivers()) == 1


# -- keyframes (W3C webrtc-encoded-transform, "generate key frame algorithm") ------------------------------------------


async def encode_on_request(sender: RTCRtpSender, source: MediaStreamTrackSource) -> None:
    """Send 50 frames a second, the first one of them a keyframe, and one after each request."""
    async with sender.keyframe_requests() as requests:
        for index in range(10_000):
            keyframe = index == 0
            with trio.move_on_after(0.02):
                await requests.receive()
                keyframe = True
            await source.send(vp8_frame(index, keyframe=keyframe))


@asynccontextmanager
async def encoding_sender() -> AsyncIterator[tuple[RTCRtpSender, MediaStreamTrack, RTCPeerConnection]]:
    """Send video that the application encodes, until the exit."""
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        await connect_track(peers.alice, peers.bob)
        nursery.start_soon(encode_on_request, sender, source)
        await trio.sleep(1)
        yield sender, track, peers.alice
        nursery.cancel_scope.cancel()


async def test_a_generated_keyframe_is_reported_just_before_its_transform(autojump_clock: Clock) -> None:
    async with encoding_sender() as (sender, _, _):
        order: list[object] = []

        async def transform(frame: EncodedFrame) -> EncodedFrame:
            await trio.lowlevel.checkpoint()
            order.append(frame.keyframe)
            return frame

        sender.transform = transform
        await trio.sleep(0.5)
        assert order
        assert True not in order
        await sender.generate_key_frame()
        assert order.count(True) <= 1
        await trio.sleep(0.5)
        assert order.count(True) == 1


async def test_our_encoder_generates_a_keyframe(autojump_clock: Clock) -> None:
    async with two_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        keyframes: list[int] = []
        frames = 0

        async def transform(frame: EncodedFrame) -> EncodedFrame:
            nonlocal frames
            frames += 1
            if frame.keyframe:
                keyframes.append(frames)
            return frame

        async def send_pattern() -> None:
            for counter in range(10_000):
                await source.send(timed_pattern(counter, 320, 180))
                await trio.sleep(1 / 30)

        sender.transform = transform
        await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_pattern)
        await trio.sleep(1)
        before = frames
        assert keyframes[-1] < before
        await sender.generate_key_frame()
        await trio.sleep(1 / 60)
        assert before < keyframes[-1] <= before + 2
        nursery.cancel_scope.cancel()


async def test_keyframes_of_one_layer(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("video")
        layers = [RTCRtpEncodingParameters(rid) for rid in ("low", "high")]
        sender = peers.alice.add_transceiver(track, send_encodings=layers).sender
        await connect_track(peers.alice, peers.bob)

        async def wait_for_high() -> None:
            with pytest.raises(NotFoundError, match="no encoding with rid 'high' is sent"):
                await sender.generate_key_frame("high")

        async with sender.keyframe_requests() as requests, trio.open_nursery() as waiting:
            waiting.start_soon(sender.generate_key_frame)
            waiting.start_soon(wait_for_high)
            found = {await requests.receive() for _ in range(2)}
            assert found == {"low", "high"}
            parameters = sender.get_parameters()
            parameters.encodings[1].active = False
            await sender.set_parameters(parameters)
            await source.send(attrs.evolve(vp8_frame(0), rid="low"))
        await wait_for_high()


async def test_keyframes_that_cannot_be_generated_raise(autojump_clock: Clock) -> None:
    async with encoding_sender() as (sender, track, alice):
        with pytest.raises(NotAllowedError, match="rid must be 1 to 16 letters and digits, not 'a b'"):
            await sender.generate_key_frame("a b")
        with pytest.raises(NotFoundError, match="no encoding with rid 'high' is sent"):
            await sender.generate_key_frame("high")
        audio = alice.add_transceiver("audio").sender
        with pytest.raises(InvalidStateError, match="this sender sends audio"):
            await audio.generate_key_frame()
        with pytest.raises(NotFoundError, match="no encoding is sent"):
            await alice.add_transceiver("video").sender.generate_key_frame()
        track.stop()
        with pytest.raises(NotFoundError, match="no encoding is sent"):
            await sender.generate_key_frame()
        alice.close()
        with pytest.raises(InvalidStateError):
            await sender.generate_key_frame()


@pytest.mark.parametrize(
    "end",
    [
        lambda sender, track: sender.replace_track(None),
        lambda sender, track: set_inactive(sender),
        lambda sender, track: stop(track),
    ],
    ids=["replace_track", "inactive", "stop"],
)
async def test_waiting_for_a_keyframe_ends_with_the_encoding(
    end: Callable[[RTCRtpSender, MediaStreamTrack], Awaitable[object]], autojump_clock: Clock
) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        await connect_track(peers.alice, peers.bob)
        for index in range(2):
            await source.send(vp8_frame(index, keyframe=index == 0))
        await trio.sleep(1)
        nursery.start_soon(end, sender, track)
        with trio.fail_after(5), pytest.raises(NotFoundError):
            await sender.generate_key_frame()


async def set_inactive(sender: RTCRtpSender) -> None:
    await trio.sleep(0.5)
    parameters = sender.get_parameters()
    parameters.encodings[0].active = False
    await sender.set_parameters(parameters)


async def stop(track: MediaStreamTrack) -> None:
    await trio.sleep(0.5)
    track.stop()
