"""RTCRtpSender (W3C webrtc section 5.2)."""

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
)
from tests.strategies.peers import negotiate
from trio_rtc import (
    EncodedFrame,
    InvalidStateError,
    MediaStreamTrack,
    RTCPeerConnection,
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
