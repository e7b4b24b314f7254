"""``create_offer`` (W3C webrtc section 4.4.2)."""

import pytest

from tests.api.web_platform.negotiation import receiving_offer, sections, signaling_log
from tests.strategies.peers import two_peers
from trio_rtc import InvalidStateError, RTCSessionDescription

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning"),
]


async def test_an_offer_without_media_changes_nothing() -> None:
    async with two_peers() as peers:
        states = signaling_log(peers.alice)
        offer = await peers.alice.create_offer()
        assert isinstance(offer, RTCSessionDescription)
        assert (offer.type, sections(offer)) == ("offer", 0)
        assert (peers.alice.signaling_state, states) == ("stable", [])
        assert peers.alice.local_description is None


async def test_it_contains_what_is_added_before_its_turn() -> None:
    async with two_peers() as peers:
        operation = peers.alice.create_offer()
        peers.alice.add_transceiver("audio")
        assert sections(await operation, "audio") == 1


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            await peers.alice.create_offer()


@pytest.mark.parametrize("state", ["have-remote-offer", "have-local-pranswer"])
async def test_there_is_an_offer_of_the_peer(state: str) -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        if state == "have-local-pranswer":
            await peers.alice.set_local_description({"type": "pranswer"})
        with pytest.raises(InvalidStateError):
            await peers.alice.create_offer()
        assert peers.alice.signaling_state == state


async def test_it_can_be_created_after_our_own_offer() -> None:
    async with two_peers() as peers:
        await peers.alice.set_local_description()
        assert (await peers.alice.create_offer()).type == "offer"


async def test_options_of_two_calls_add_up() -> None:
    async with two_peers() as peers:
        first = await peers.alice.create_offer(offer_to_receive_audio=True, offer_to_receive_video=False)
        assert (sections(first, "audio"), sections(first, "video")) == (1, 0)
        second = await peers.alice.create_offer(offer_to_receive_audio=False, offer_to_receive_video=True)
        assert (sections(second, "audio"), sections(second, "video")) == (1, 1)


async def test_sections_stay_in_the_order_of_their_transceivers() -> None:
    async with two_peers() as peers:
        for kind in ("video", "audio", "video"):
            peers.alice.add_transceiver(kind)
        peers.alice.create_data_channel("chat")
        offer = await peers.alice.create_offer()
        kinds = [line[2:].split()[0] for line in offer.sdp.splitlines() if line.startswith("m=")]
        assert kinds == ["video", "audio", "video", "application"]
