"""``transport`` of receivers in all states of a negotiation (W3C webrtc section 5.3)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import RTCConfiguration, RTCDtlsTransport

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_exists_from_the_local_offer_until_its_rollback() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="recvonly")
        assert transceiver.receiver.transport is None
        await peers.alice.set_local_description()
        assert isinstance(transceiver.receiver.transport, RTCDtlsTransport)
        assert transceiver.receiver.transport is transceiver.sender.transport
        await peers.alice.set_local_description(ROLLBACK)
        assert transceiver.receiver.transport is None


async def test_a_remote_offer_has_none() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio", direction="recvonly")
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        assert peers.bob.get_transceivers()[0].receiver.transport is None


@pytest.mark.parametrize("policy", ["max-bundle", "max-compat"])
async def test_bundled_receivers_share_one(policy: str) -> None:
    configuration = RTCConfiguration(bundle_policy=policy)
    async with two_peers(configuration=configuration) as peers:
        audio, video = (
            peers.alice.add_transceiver(kind, direction="recvonly") for kind in ("audio", "video")
        )
        await peers.alice.set_local_description()
        shared = audio.receiver.transport is video.receiver.transport
        assert shared == (policy == "max-bundle")
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.alice.set_remote_description(await peers.bob.create_answer())
        assert audio.receiver.transport is video.receiver.transport


async def test_an_ice_restart_keeps_it() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="recvonly")
        await negotiate(peers.alice, peers.bob)
        before = transceiver.receiver.transport
        await peers.alice.set_local_description(await peers.alice.create_offer(ice_restart=True))
        assert transceiver.receiver.transport is before
