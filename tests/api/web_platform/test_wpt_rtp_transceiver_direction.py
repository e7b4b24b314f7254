"""``direction`` and ``current_direction`` (W3C webrtc section 5.4)."""

import pytest

from tests.api.web_platform.negotiation import section
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_preference_is_set_at_once_and_applied_by_an_exchange() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        assert (transceiver.direction, transceiver.current_direction) == ("sendrecv", None)
        transceiver.direction = "recvonly"
        assert (transceiver.direction, transceiver.current_direction) == ("recvonly", None)
        await peers.alice.set_local_description()
        assert "a=recvonly\r\n" in section(description_of(peers.alice), 0)
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.get_transceivers()[0].direction = "sendonly"
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert transceiver.current_direction == "recvonly"
        transceiver.direction = "sendrecv"
        assert transceiver.current_direction == "recvonly"


async def test_an_offer_in_progress_is_not_changed() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="sendonly")
        await peers.alice.set_local_description()
        transceiver.direction = "inactive"
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert (transceiver.direction, transceiver.current_direction) == ("inactive", "sendonly")
        await negotiate(peers.alice, peers.bob)
        assert transceiver.current_direction == "inactive"


@pytest.mark.parametrize("direction", ["stopped", "", "both", None])
async def test_other_values_are_type_errors(direction: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        with pytest.raises(TypeError):
            transceiver.direction = direction
        assert transceiver.direction == "sendrecv"


async def test_a_stopped_transceiver_refuses() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        transceiver.stop()
        with pytest.raises(InvalidStateError):
            transceiver.direction = "recvonly"
