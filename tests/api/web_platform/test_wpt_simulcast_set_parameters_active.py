"""Layers that are switched off and on again (W3C webrtc section 5.2, ``active``)."""

import pytest
import trio

from tests.strategies.media import media_peers, vp8_frame
from tests.strategies.peers import connect, description_of
from trio_rtc import RTCRtpEncodingParameters, RTCRtpSender, open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def activate(sender: RTCRtpSender, *active: bool) -> None:
    parameters = sender.get_parameters()
    for encoding, value in zip(parameters.encodings, active, strict=True):
        encoding.active = value
    await sender.set_parameters(parameters)


async def test_descriptions_do_not_change_and_parameters_are_kept() -> None:
    async with media_peers() as peers:
        track = open_media_track("video")[1]
        layers = [RTCRtpEncodingParameters(rid) for rid in "ab"]
        sender = peers.alice.add_transceiver(track, send_encodings=layers).sender
        await connect(peers.alice, peers.bob)
        before = description_of(peers.alice).sdp.count("a=rid:")
        for wanted in ((False, True), (False, False), (True, True)):
            await activate(sender, *wanted)
            assert tuple(each.active for each in sender.get_parameters().encodings) == wanted
            assert (await peers.alice.create_offer()).sdp.count("a=rid:") == before


async def test_a_single_layer_stops_and_resumes() -> None:
    async with media_peers() as peers:
        source, track = open_media_track("video")
        sender = peers.alice.add_transceiver(track).sender
        await connect(peers.alice, peers.bob)
        (receiver,) = peers.bob.get_receivers()
        async with receiver.rtp_packets() as packets:
            await activate(sender, False)
            await source.send(vp8_frame(0))
            with trio.move_on_after(1) as silence:
                await packets.receive()
            assert silence.cancelled_caught
            await activate(sender, True)
            await source.send(vp8_frame(1))
            with trio.fail_after(5):
                await packets.receive()
