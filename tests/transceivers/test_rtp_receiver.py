"""RTCRtpReceiver (W3C webrtc section 5.3)."""

import pytest
import trio

from tests.strategies.media import connect_track, media_peers, only, opus_frame, send_frames, vp8_frame
from tests.strategies.peers import description_of, negotiate
from trio_rtc import (
    InvalidStateError,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiverDirection,
    open_media_track,
)

Clock = trio.testing.MockClock


async def test_before_negotiation() -> None:
    pc = RTCPeerConnection()
    receiver = pc.add_transceiver("video").receiver
    assert receiver.transport is None
    assert receiver.get_parameters().codecs == ()
    assert receiver.get_contributing_sources() == []
    assert receiver.get_synchronization_sources() == []
    pc.close()


@pytest.mark.parametrize("kind", ["answer", "pranswer"])
async def test_the_codecs_come_with_the_answer(kind: str, autojump_clock: Clock) -> None:
    """Before, the sender has none either (W3C webrtc sections 5.2 and 5.3)."""
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        parties = (transceiver.receiver, transceiver.sender)
        await peers.alice.set_local_description()
        assert transceiver.receiver.transport is not None
        assert [each.get_parameters().codecs for each in parties] == [(), ()]
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.add_track(open_media_track("audio")[1])
        theirs = only(peers.bob.get_transceivers())
        assert [each.get_parameters().codecs for each in (theirs.receiver, theirs.sender)] == [(), ()]
        await peers.bob.set_local_description({"type": kind})
        await peers.alice.set_remote_description(description_of(peers.bob))
        for each in (*parties, theirs.receiver, theirs.sender):
            assert each.get_parameters().codecs[0].name == "opus"


async def test_an_offer_does_not_change_the_codecs(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        receiver = only(peers.bob.get_transceivers()).receiver
        before = receiver.get_parameters().codecs
        capabilities = RTCRtpReceiver.get_capabilities("video")
        assert capabilities is not None
        transceiver.set_codec_preferences([each for each in capabilities.codecs if each.name == "VP9"])
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert receiver.get_parameters().codecs == before != ()
        await peers.bob.set_local_description()
        assert {codec.name for codec in receiver.get_parameters().codecs} == {"VP9"}


async def test_codecs_are_those_that_can_be_received(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sending = peers.alice.add_transceiver("video", direction="sendonly").receiver
        await peers.alice.set_local_description()
        assert sending.get_parameters().codecs == ()
        await peers.bob.set_remote_description(description_of(peers.alice))
        receiving = only(peers.bob.get_transceivers()).receiver
        assert receiving.get_parameters().codecs == ()
        await peers.bob.set_local_description()
        assert receiving.get_parameters().codecs[0].name == "VP8"
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert sending.get_parameters().codecs == ()
        only(peers.bob.get_transceivers()).direction = RTCRtpTransceiverDirection.INACTIVE
        await negotiate(peers.alice, peers.bob)
        assert receiving.get_parameters().codecs == ()


async def test_a_track_is_muted_until_packets_arrive(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        assert event.track.muted
        async with event.track.subscribe("unmute") as unmuted:
            await source.send(opus_frame(0))
            reported = await unmuted.receive()
        assert reported.target is event.track
        assert not event.track.muted


async def test_a_track_is_muted_by_bye(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        async with event.track.subscribe("unmute") as unmuted, event.track.subscribe("mute") as muted:
            await source.send(opus_frame(0))
            await unmuted.receive()
            only(peers.alice.get_transceivers()).stop()
            with trio.fail_after(5):
                await muted.receive()
        assert event.track.muted
        assert event.track.ready_state == "live"


async def test_a_resumed_track_is_unmuted(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, "audio")
        transceiver = only(peers.alice.get_transceivers())
        for _ in range(3):
            async with event.track.subscribe("unmute") as unmuted:
                if event.track.muted:
                    with trio.fail_after(2):
                        await unmuted.receive()
            transceiver.direction = "inactive"
            await negotiate(peers.alice, peers.bob)
            assert event.track.muted
            await trio.sleep(1)
            assert event.track.muted
            transceiver.direction = "sendonly"
            await negotiate(peers.alice, peers.bob)
        nursery.cancel_scope.cancel()


async def test_a_track_without_consumer_keeps_no_frames(autojump_clock: Clock) -> None:
    """Frames without a consumer are not kept; a later consumer gets later frames."""
    async with media_peers() as peers:
        source, track = open_media_track("video")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        for index in range(30):
            await source.send(vp8_frame(index))
            await trio.sleep(0.03)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.track.receive)
            await trio.sleep(0.1)
            for index in range(30, 40):
                await source.send(vp8_frame(index))
                await trio.sleep(0.03)
        assert event.track.frames_dropped <= 2


async def test_stopping_a_received_track(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, "audio")
        clone = event.track.clone()
        assert await event.track.receive()
        event.track.stop()
        assert event.receiver.track.ready_state == "ended"
        with pytest.raises(trio.ClosedResourceError):
            await event.track.receive()
        # The clone and the transceiver are independent of it.
        assert await clone.receive()
        assert event.transceiver.current_direction == "recvonly"
        nursery.cancel_scope.cancel()


async def test_a_received_track_can_be_forwarded(autojump_clock: Clock) -> None:
    async with media_peers() as peers, media_peers(seed=1) as others, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        others.alice.add_track(event.track)
        last = await connect_track(others.alice, others.bob)
        nursery.start_soon(send_frames, source, "audio")
        frame = await last.track.receive()
        assert frame.codec == "opus"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("target", [-1, 4001, 1e9])
async def test_a_jitter_buffer_target_has_bounds(target: float) -> None:
    pc = RTCPeerConnection()
    receiver = pc.add_transceiver("audio").receiver
    assert receiver.jitter_buffer_target is None
    with pytest.raises(ValueError, match="jitter_buffer_target"):
        receiver.jitter_buffer_target = target
    receiver.jitter_buffer_target = 250
    assert receiver.jitter_buffer_target == 250
    receiver.jitter_buffer_target = None
    pc.close()


async def test_the_end_of_a_connection_ends_its_tracks(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        ended: list[str] = []

        async def read() -> None:
            async for _ in event.track:
                pass
            ended.append("frames")

        async def forward() -> None:
            async with event.receiver.rtp_packets() as packets:
                async for _ in packets:
                    pass
            ended.append("packets")

        nursery.start_soon(read)
        nursery.start_soon(forward)
        nursery.start_soon(send_frames, source, "audio")
        await trio.sleep(0.5)
        peers.bob.close()
        await trio.sleep(0.5)
        assert sorted(ended) == ["frames", "packets"]
        nursery.cancel_scope.cancel()


async def send_one_keyframe(source: MediaStreamTrackSource) -> None:
    """Send 50 frames a second, all of which need the first."""
    for index in range(10_000):
        await source.send(vp8_frame(index, keyframe=index == 0))
        await trio.sleep(0.02)


async def test_a_keyframe_request_reaches_the_sender(autojump_clock: Clock) -> None:
    # W3C webrtc-encoded-transform, "send request key frame algorithm"
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        receiver = (await connect_track(peers.alice, peers.bob)).receiver
        async with sender.keyframe_requests() as requests, receiver.encoded_frames() as frames:
            nursery.start_soon(send_one_keyframe, source)
            for _ in range(50):
                await frames.receive()
            with trio.move_on_after(0):
                while True:
                    await requests.receive()
            await receiver.send_key_frame_request()
            with trio.fail_after(1):
                await requests.receive()
        with pytest.raises(InvalidStateError, match="this receiver receives audio"):
            await peers.bob.add_transceiver("audio").receiver.send_key_frame_request()
        with pytest.raises(InvalidStateError, match="needs a negotiated direction that receives"):
            await peers.bob.add_transceiver("video").receiver.send_key_frame_request()
        nursery.cancel_scope.cancel()
        peers.bob.close()
        with pytest.raises(InvalidStateError):
            await receiver.send_key_frame_request()
