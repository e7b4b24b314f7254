"""``add_track`` (W3C webrtc section 5.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidAccessError, InvalidStateError, MediaStream, RTCRtpSender

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_it_makes_a_transceiver(count: int) -> None:
    async with two_peers() as peers:
        track = local_track()
        sender = peers.alice.add_track(track, *(MediaStream() for _ in range(count)))
        assert isinstance(sender, RTCRtpSender)
        assert sender.track is track
        (transceiver,) = peers.alice.get_transceivers()
        assert transceiver.sender is sender
        assert transceiver.direction == "sendrecv"
        assert peers.alice.get_senders() == [sender]
        assert peers.alice.get_receivers() == [transceiver.receiver]
        assert transceiver.receiver.track.kind == "audio"


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            peers.alice.add_track(local_track(), MediaStream())


async def test_the_same_track_twice_is_refused() -> None:
    async with two_peers() as peers:
        track = local_track()
        peers.alice.add_track(track)
        with pytest.raises(InvalidAccessError):
            peers.alice.add_track(track, MediaStream())
        assert len(peers.alice.get_senders()) == 1


async def test_an_unused_sender_is_reused() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="recvonly")
        track = local_track()
        assert peers.alice.add_track(track) is transceiver.sender
        assert transceiver.sender.track is track
        assert transceiver.direction == "sendrecv"
        assert peers.alice.get_senders() == [transceiver.sender]


@pytest.mark.parametrize(("kind", "direction"), [("video", "recvonly"), ("audio", "sendrecv")])
async def test_a_sender_of_another_kind_or_after_negotiation_is_not_reused(kind: str, direction: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(kind, direction=direction)
        if kind == "audio":
            await negotiate(peers.alice, peers.bob)
            assert transceiver.current_direction == "sendonly"
        assert peers.alice.add_track(local_track()) is not transceiver.sender
        assert len(peers.alice.get_senders()) == 2


async def test_a_negotiated_sender_that_has_never_sent_is_reused() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="recvonly")
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.add_track(local_track()) is transceiver.sender
        assert (transceiver.direction, transceiver.current_direction) == ("sendrecv", "inactive")


async def test_a_sender_that_sent_is_not_reused_after_its_track_was_removed() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(sender)
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.add_track(local_track()) is not sender
