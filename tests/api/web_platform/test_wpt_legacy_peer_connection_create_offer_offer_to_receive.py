"""The obsolete options of ``create_offer``, which add and change transceivers (W3C webrtc section 4.4.3.3)."""

import pytest

from tests.api.web_platform.negotiation import local_track, needs, sections, settled_needs
from tests.strategies.peers import two_peers
from trio_rtc import InvalidStateError, RTCPeerConnection, RTCRtpTransceiver

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning"),
]

KINDS = pytest.mark.parametrize("kind", ["audio", "video"])


async def offer(pc: RTCPeerConnection, kind: str, wanted: bool) -> list[RTCRtpTransceiver]:
    """Create an offer with one of the options, and return the transceivers afterwards."""
    if kind == "audio":
        created = await pc.create_offer(offer_to_receive_audio=wanted)
    else:
        created = await pc.create_offer(offer_to_receive_video=wanted)
    assert sections(created, kind) == len(pc.get_transceivers())
    return pc.get_transceivers()


@KINDS
async def test_false_adds_nothing(kind: str) -> None:
    async with two_peers() as peers:
        assert await offer(peers.alice, kind, False) == []


@KINDS
async def test_true_adds_one_that_receives(kind: str) -> None:
    async with two_peers() as peers:
        (added,) = await offer(peers.alice, kind, True)
        assert added.direction == "recvonly"
        assert added.receiver.track.kind == kind
        assert await offer(peers.alice, kind, True) == [added]
        assert await offer(peers.alice, kind, False) == [added]
        assert added.direction == "inactive"


@KINDS
@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("sendrecv", False, "sendonly"),
        ("recvonly", False, "inactive"),
        ("sendonly", False, "sendonly"),
        ("sendrecv", True, "sendrecv"),
        ("recvonly", True, "recvonly"),
    ],
)
async def test_the_direction_of_one_that_exists(kind: str, before: str, wanted: bool, after: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(kind, direction=before)
        assert await offer(peers.alice, kind, wanted) == [transceiver]
        assert transceiver.direction == after


@KINDS
async def test_two_that_receive_stop_receiving(kind: str) -> None:
    async with two_peers() as peers:
        both = [peers.alice.add_transceiver(kind), peers.alice.add_transceiver(kind, direction="recvonly")]
        assert await offer(peers.alice, kind, False) == both
        assert [each.direction for each in both] == ["sendonly", "inactive"]


async def test_both_kinds_at_once() -> None:
    async with two_peers() as peers:
        await peers.alice.create_offer(offer_to_receive_audio=True, offer_to_receive_video=True)
        assert [each.receiver.track.kind for each in peers.alice.get_transceivers()] == ["audio", "video"]


async def test_a_track_added_later_uses_the_transceiver() -> None:
    async with two_peers() as peers:
        (transceiver,) = await offer(peers.alice, "audio", True)
        assert peers.alice.add_track(local_track()) is transceiver.sender
        assert transceiver.direction == "sendrecv"


async def test_it_does_not_update_the_negotiation_needed_flag() -> None:
    async with two_peers() as peers:
        log = needs(peers.alice)
        await offer(peers.alice, "audio", True)
        assert await settled_needs(log) == 0
        await offer(peers.alice, "audio", False)
        assert await settled_needs(log) == 0


async def test_a_closed_connection_refuses_and_adds_nothing() -> None:
    async with two_peers() as peers:
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            await peers.alice.create_offer(offer_to_receive_audio=True)
        assert peers.alice.get_transceivers() == []
