"""``replace_track`` (W3C webrtc section 5.2)."""

import pytest
import trio

from tests.api.web_platform.negotiation import local_track
from tests.strategies.media import connect_track, media_peers, opus_frame
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError, open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_transceiver("audio").sender
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            await sender.replace_track(local_track())


async def test_a_stopped_sender_refuses() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        transceiver.stop()
        with pytest.raises(InvalidStateError):
            await transceiver.sender.replace_track(local_track())


async def test_a_track_of_the_other_kind_is_a_type_error() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        with pytest.raises(TypeError):
            await transceiver.sender.replace_track(local_track("video"))
        # The kind is checked before the state.
        peers.alice.close()
        with pytest.raises((TypeError, InvalidStateError)):
            await transceiver.sender.replace_track(local_track("video"))


@pytest.mark.parametrize("state", ["new", "offered", "negotiated"])
@pytest.mark.parametrize("ended", [False, True])
async def test_the_track_in_each_state(state: str, ended: bool) -> None:
    async with two_peers() as peers:
        first, second = local_track(), local_track()
        sender = peers.alice.add_transceiver(first).sender
        if ended:
            first.stop()
        if state == "offered":
            await peers.alice.set_local_description()
        elif state == "negotiated":
            await negotiate(peers.alice, peers.bob)
        await sender.replace_track(second)
        assert sender.track is second
        await sender.replace_track(None)
        assert sender.track is None
        await sender.replace_track(second)
        assert sender.track is second
        # It neither ends tracks nor changes the transceiver.
        assert second.ready_state == "live"
        assert peers.alice.get_transceivers()[0].direction == "sendrecv"


@pytest.mark.parametrize("through_none", [False, True])
async def test_the_new_tracks_frames_are_sent(through_none: bool) -> None:
    async with media_peers() as peers:
        old_source, old = open_media_track("audio")
        new_source, new = open_media_track("audio")
        sender = peers.alice.add_track(old)
        event = await connect_track(peers.alice, peers.bob)
        async with event.receiver.rtp_packets() as packets:
            await old_source.send(opus_frame(1))
            assert (await packets.receive()).payload == opus_frame(1).payload
            if through_none:
                await sender.replace_track(None)
            await sender.replace_track(new)
            await old_source.send(opus_frame(2))
            await new_source.send(opus_frame(3))
            with trio.fail_after(5):
                assert (await packets.receive()).payload == opus_frame(3).payload
