"""What else than media browsers send and take in RTP: telephone tones, and feedback on congestion by RFC 8888."""

import attrs
import pytest

from tests.interop.calling import OUR_TONE, THEIR_TONE, calling, until
from tests.interop.opening import Peers
from tests.strategies.scenarios import layer_counters
from trio_rtc import RTCRtpTransceiverDirection

STOPPED = RTCRtpTransceiverDirection.STOPPED
TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_their_telephone_tones_are_heard(peers: Peers, name: str) -> None:
    async with calling(peers, name) as call:
        call.ours.add_audio(frequency=OUR_TONE)
        source = await call.theirs.add_audio(frequency=THEIR_TONE)
        await call.negotiate(we_offer=True)
        (audio,) = call.ours.of_kind("audio")
        await audio.receiver.track.receive()
        async with audio.receiver.telephone_events() as events:
            await call.theirs.send_tones(source, "1#A")
            heard = [await events.receive() for _ in range(6)]
        assert [(each.tone, each.ended) for each in heard] == [
            (tone, ended) for tone in "1#A" for ended in (False, True)
        ]
        assert all(0.05 <= each.duration <= 0.2 for each in heard if each.ended)


async def test_congestion_is_told_of_by_source(peers: Peers) -> None:
    """Chromium offers that beside the transport-wide feedback when it is told to, and we refuse the other."""
    async with calling(peers, "chromium-ccfb") as call:
        await call.add_all()
        for transceiver in call.own.pc.get_transceivers():
            transceiver.set_header_extensions_to_negotiate(
                [
                    attrs.evolve(extension, direction=STOPPED)
                    if extension.uri == TRANSPORT_WIDE
                    else extension
                    for extension in transceiver.get_header_extensions_to_negotiate()
                ]
            )
        offer, answer = await call.negotiate(we_offer=False)
        assert " ack ccfb\r\n" in offer["sdp"]
        assert " ack ccfb\r\n" in answer["sdp"]
        assert " transport-cc\r\n" not in answer["sdp"]
        await call.assert_seen()

        async def both_tell_of_it() -> bool:
            transport = await call.own.transport_stats()
            assert transport.ccfb_messages_sent is not None
            assert transport.ccfb_messages_received is not None
            return min(transport.ccfb_messages_sent, transport.ccfb_messages_received) >= 50

        async def both_have_found_more_than_they_began_with() -> bool:
            congestion = await layer_counters(call.own.pc, "congestion")
            pairs = [each for each in await call.remote.get_stats() if each["type"] == "candidate-pair"]
            theirs = max(each.get("availableOutgoingBitrate", 0) for each in pairs)
            return bool(
                congestion["acknowledged_bitrate"] > 50_000
                and min(congestion["target_bitrate"], theirs) > 300_000
            )

        await until(both_tell_of_it)
        # Ours follows what theirs tells, and theirs what ours tells.
        await until(both_have_found_more_than_they_began_with)
