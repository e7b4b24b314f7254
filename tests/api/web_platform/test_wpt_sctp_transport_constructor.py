"""When ``sctp`` exists, and its first state (W3C webrtc sections 4.4.1.5 and 6.1.1)."""

import re

import pytest
import trio.testing

from tests.strategies.media import ENCODED
from tests.strategies.peers import description_of, negotiate, open_channel, two_peers
from trio_rtc import RTCConfiguration, RTCDtlsTransport, RTCSctpTransport, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_not_without_data_channels() -> None:
    async with two_peers(settings=ENCODED) as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.sctp is peers.bob.sctp is None


async def test_connecting_after_an_answer_with_data_channels() -> None:
    async with two_peers() as peers:
        assert peers.alice.sctp is peers.bob.sctp is None
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            assert isinstance(pc.sctp, RTCSctpTransport)
            assert isinstance(pc.sctp.transport, RTCDtlsTransport)
            assert pc.sctp.state == "connecting"
            assert isinstance(pc.sctp.max_message_size, float | int)


async def test_a_rolled_back_offer_leaves_none() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        assert alice.sctp is not None
        assert bob.sctp is not None
        await alice.set_local_description(RTCSessionDescription("rollback"))
        await bob.set_remote_description(RTCSessionDescription("rollback"))
        assert alice.sctp is bob.sctp is None
        await negotiate(alice, bob)
        assert alice.sctp is not None
        assert bob.sctp is not None


async def test_a_colliding_offer_without_data_channels_leaves_none() -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        bob.add_transceiver("audio")
        await alice.set_local_description()
        await bob.set_local_description()
        assert alice.sctp is not None
        await alice.set_remote_description(description_of(bob))
        assert alice.sctp is None


async def test_a_second_remote_offer_without_data_channels_leaves_none() -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        await bob.set_remote_description(await alice.create_offer())
        first = bob.sctp
        assert first is not None
        await bob.set_remote_description(await alice.create_offer())
        assert bob.sctp is first
        async with two_peers(settings=ENCODED) as others:
            others.alice.add_transceiver("audio")
            await bob.set_remote_description(await others.alice.create_offer())
            assert bob.sctp is None


async def test_a_rollback_keeps_that_of_the_last_exchange() -> None:
    async with open_channel() as (_, _, peers):
        alice, bob = peers.alice, peers.bob
        before = alice.sctp, bob.sctp
        await alice.set_local_description(await alice.create_offer(ice_restart=True))
        await bob.set_remote_description(description_of(alice))
        assert (alice.sctp, bob.sctp) == before
        await alice.set_local_description(RTCSessionDescription("rollback"))
        await bob.set_remote_description(RTCSessionDescription("rollback"))
        assert (alice.sctp, bob.sctp) == before
        assert alice.sctp is not None
        assert (alice.sctp.state, alice.sctp.max_message_size) == ("connected", 262144)


async def test_a_rejected_section_leaves_none() -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        alice.add_transceiver("audio")
        alice.create_data_channel("chat")
        await alice.set_local_description()
        sctp = alice.sctp
        assert sctp is not None
        events: list[str] = []
        sctp.on_state_change = lambda _: events.append(sctp.state)
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        rejected = re.sub("m=application 9 ", "m=application 0 ", description_of(bob).sdp)
        rejected = rejected.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0")
        await alice.set_remote_description(RTCSessionDescription("answer", rejected))
        assert alice.sctp is None
        await trio.testing.wait_all_tasks_blocked()
        assert (sctp.state, events) == ("closed", ["closed"])


async def test_an_answer_that_bundles_moves_it_to_the_shared_transport() -> None:
    configuration = RTCConfiguration(bundle_policy="max-compat")
    async with two_peers(settings=ENCODED, configuration=configuration) as peers:
        alice, bob = peers.alice, peers.bob
        transceiver = alice.add_transceiver("audio")
        alice.create_data_channel("chat")
        await alice.set_local_description()
        sctp = alice.sctp
        assert sctp is not None
        offered = sctp.transport
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        assert alice.sctp is sctp
        assert sctp.transport is transceiver.sender.transport is not offered
        await trio.testing.wait_all_tasks_blocked()
        assert offered.state == "closed"


async def test_closed_with_the_connection_before_the_answer() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        sctp = peers.bob.sctp
        assert sctp is not None
        peers.bob.close()
        dtls = sctp.transport
        assert (sctp.state, dtls.state, dtls.ice_transport.state) == ("closed", "closed", "closed")
