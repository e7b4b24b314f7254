"""``create_answer`` (W3C webrtc section 4.4.2)."""

import pytest

from tests.api.web_platform.negotiation import receiving_offer, sections
from tests.strategies.peers import two_peers
from trio_rtc import InvalidStateError, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("offered", [False, True])
async def test_there_is_no_offer_of_the_peer(offered: bool) -> None:
    async with two_peers() as peers:
        if offered:
            await peers.alice.set_local_description()
        with pytest.raises(InvalidStateError):
            await peers.alice.create_answer()


async def test_it_has_the_sections_of_the_offer_and_changes_nothing() -> None:
    async with two_peers() as peers:
        peers.bob.add_transceiver("audio")
        peers.bob.create_data_channel("chat")
        await peers.alice.set_remote_description(await peers.bob.create_offer())
        answer = await peers.alice.create_answer()
        assert isinstance(answer, RTCSessionDescription)
        assert (answer.type, sections(answer)) == ("answer", 2)
        assert peers.alice.signaling_state == "have-remote-offer"
        assert peers.alice.local_description is None


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            await peers.alice.create_answer()


async def test_it_contains_the_track_added_before_its_turn() -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        operation = peers.alice.create_answer()
        peers.alice.get_transceivers()[0].direction = "sendrecv"
        assert "a=sendonly\r\n" in (await operation).sdp
