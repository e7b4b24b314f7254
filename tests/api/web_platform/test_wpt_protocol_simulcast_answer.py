"""Answers to an offer that receives simulcast (RFC 8853, W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import receiving_offer, section
from tests.strategies.peers import Peers, description_of, two_peers
from trio_rtc import RTCPeerConnection, RTCRtpSender

pytestmark = pytest.mark.usefixtures("autojump_clock")

RIDS = ["foo", "bar", "baz"]


async def offer_layers(peers: Peers, *listed: str) -> RTCRtpSender:
    """Set an offer at Alice that receives layers, and return her sender, which will send."""
    offer = await receiving_offer(peers.bob, "video")
    lines = [f"a=rid:{rid.removeprefix('~')} recv\r\n" for rid in listed]
    sdp = offer.sdp + "".join(lines) + f"a=simulcast:recv {';'.join(listed)}\r\n"
    await peers.alice.set_remote_description({"type": "offer", "sdp": sdp})
    (transceiver,) = peers.alice.get_transceivers()
    transceiver.direction = "sendonly"
    return transceiver.sender


def sent_layers(pc: RTCPeerConnection) -> list[str | None]:
    return [each.rid for each in pc.get_senders()[0].get_parameters().encodings]


async def test_every_layer_is_in_the_answer() -> None:
    async with two_peers() as peers:
        await offer_layers(peers, *RIDS)
        answer = await peers.alice.create_answer()
        assert [f"a=rid:{rid} send" in answer.sdp for rid in RIDS] == [True] * 3
        assert "a=simulcast:send foo;bar;baz\r\n" in answer.sdp


async def test_a_paused_layer_of_the_offer_is_active_here() -> None:
    async with two_peers() as peers:
        sender = await offer_layers(peers, "foo", "~bar", "baz")
        await peers.alice.set_local_description()
        assert sent_layers(peers.alice) == RIDS
        assert [each.active for each in sender.get_parameters().encodings] == [True] * 3


async def test_deactivating_layers_does_not_change_the_description() -> None:
    async with two_peers() as peers:
        sender = await offer_layers(peers, *RIDS)
        await peers.alice.set_local_description()
        parameters = sender.get_parameters()
        for encoding in parameters.encodings:
            encoding.active = False
        await sender.set_parameters(parameters)
        assert "a=simulcast:send foo;bar;baz\r\n" in (await peers.alice.create_offer()).sdp


async def test_an_offer_of_one_layer_has_no_simulcast() -> None:
    async with two_peers() as peers:
        await receiving_offer(peers.bob, "video")
        await peers.alice.set_remote_description(await peers.bob.create_offer())
        peers.alice.get_transceivers()[0].direction = "sendonly"
        await peers.alice.set_local_description()
        assert "a=simulcast" not in section(description_of(peers.alice), 0)
        assert sent_layers(peers.alice) == [None]
