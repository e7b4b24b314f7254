"""Media of a transceiver that a later negotiation adds (W3C webrtc section 5.1)."""

import pytest
import trio

from tests.strategies.calls import opus_frame, vp8_frame
from tests.strategies.peers import description_of, trickle, two_peers
from tests.strategies.scenarios import state_reached
from trio_rtc import Settings, open_media_track
from trio_rtc.stats import RTCInboundRtpStreamStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("first", ["sendonly", "inactive"])
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_it_flows_on_the_second_transceiver(kind: str, first: str) -> None:
    async with two_peers(settings=Settings(decode=False)) as peers:
        alice, bob = peers.alice, peers.bob
        trickle(alice, bob)
        source, track = open_media_track(kind)
        for index, direction in enumerate((first, "sendonly")):
            alice.add_transceiver(kind, direction="recvonly")
            await alice.set_local_description()
            await bob.set_remote_description(description_of(alice))
            transceiver = bob.get_transceivers()[index]
            transceiver.direction = direction
            if index:
                await transceiver.sender.replace_track(track)
            await bob.set_local_description()
            await alice.set_remote_description(description_of(bob))
        await state_reached(bob, "connected")
        for number in range(50):
            frame = opus_frame(number) if kind == "audio" else vp8_frame(number, keyframe=not number)
            await source.send(frame)
            await trio.sleep(0.02 if kind == "audio" else 0.04)
        report = await alice.get_transceivers()[1].receiver.get_stats()
        (inbound,) = (each for each in report.values() if isinstance(each, RTCInboundRtpStreamStats))
        assert inbound.packets_received > 10
        source.close()
