"""``remove_track`` (W3C webrtc section 5.1)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK, local_track, needs, receiving_offer, settled_needs
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidAccessError, InvalidStateError, RTCPeerConnection, RTCRtpSender

pytestmark = pytest.mark.usefixtures("autojump_clock")

WAYS = pytest.mark.parametrize("way", ["add_track", "add_transceiver"])


def sender_of(pc: RTCPeerConnection, way: str) -> RTCRtpSender:
    """Send a track in one of two ways."""
    track = local_track()
    return pc.add_track(track) if way == "add_track" else pc.add_transceiver(track).sender


@WAYS
async def test_a_closed_connection_refuses_its_own_and_foreign_senders(way: str) -> None:
    async with two_peers() as peers:
        own, foreign = sender_of(peers.alice, way), sender_of(peers.bob, way)
        peers.alice.close()
        for sender in (own, foreign):
            with pytest.raises(InvalidStateError):
                peers.alice.remove_track(sender)


@WAYS
async def test_a_sender_of_another_connection_is_refused(way: str) -> None:
    async with two_peers() as peers:
        sender = sender_of(peers.alice, way)
        with pytest.raises(InvalidAccessError):
            peers.bob.remove_track(sender)
        assert sender.track is not None


@pytest.mark.parametrize(
    ("direction", "after"),
    [("sendrecv", "recvonly"), ("sendonly", "inactive"), ("recvonly", "recvonly"), ("inactive", "inactive")],
)
@pytest.mark.parametrize("negotiated", [False, True])
async def test_the_track_and_the_sending_direction_are_removed(
    direction: str, after: str, negotiated: bool
) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(local_track(), direction=direction)
        if negotiated:
            await peers.alice.set_local_description()
            await peers.bob.set_remote_description(description_of(peers.alice))
            peers.bob.get_transceivers()[0].direction = "sendrecv"
            await peers.bob.set_local_description()
            await peers.alice.set_remote_description(description_of(peers.bob))
        current = transceiver.current_direction
        assert current == (direction if negotiated else None)
        peers.alice.remove_track(transceiver.sender)
        assert transceiver.sender.track is None
        assert transceiver.direction == after
        assert transceiver.current_direction == current
        assert peers.alice.get_senders() == [transceiver.sender]


@WAYS
async def test_a_second_call_does_nothing(way: str) -> None:
    async with two_peers() as peers:
        sender = sender_of(peers.alice, way)
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        peers.alice.remove_track(sender)
        assert await settled_needs(log) == 1
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(sender)
        assert await settled_needs(log) == 0


async def test_a_sender_that_a_rollback_removed_is_ignored() -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        (sender,) = peers.alice.get_senders()
        await sender.replace_track(local_track())
        await peers.alice.set_remote_description(ROLLBACK)
        assert peers.alice.get_senders() == []
        peers.alice.remove_track(sender)
        assert sender.track is not None


async def test_a_stopped_sender_is_ignored() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(local_track())
        await negotiate(peers.alice, peers.bob)
        transceiver.stop()
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(transceiver.sender)
        assert transceiver.direction == "stopped"
