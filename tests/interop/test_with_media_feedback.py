"""Telephone tones and RFC 8888 congestion control feedback with browsers."""

import attrs
import pytest

from tests.interop.calling import OUR_TONE, THEIR_TONE, calling, wait_until
from tests.interop.opening import Peers
from tests.strategies.scenarios import layer_counters
from trio_rtc import RTCRtpTransceiverDirection

STOPPED = RTCRtpTransceiverDirection.STOPPED
TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


@pytest.mark.parametrize("name", ["chromium", "firefox"])
async def test_telephone_tones_of_browsers_are_received(peers: Peers, name: str) -> None:
    async with calling(peers, name) as call:
        call.ours.add_audio(frequency=OUR_TONE)
        source = await call.theirs.add_audio(frequency=THEIR_TONE)
        await call.negotiate(we_offer=True)
        (audio,) = call.ours.of_kind("audio")
        await audio.receiver.track.receive()
        async with audio.receiver.telephone_events() as events:
            await call.theirs.send_tones(source, "1#A")
            received_tones = [await events.receive() for _ in range(6)]
        assert [(each.tone, each.ended) for each in received_tones] == [
            (tone, ended) for tone in "1#A" for ended in (False, True)
        ]
        assert all(0.05 <= each.duration <= 0.2 for each in received_tones if each.ended)


async def test_congestion_feedback_by_ssrc(peers: Peers) -> None:
    """With a field trial, Chromium offers RFC 8888 beside transport-wide feedback, which we then reject."""
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
        await call.assert_video_received()

        async def both_send_feedback() -> bool:
            transport = await call.own.transport_stats()
            assert transport.ccfb_messages_sent is not None
            assert transport.ccfb_messages_received is not None
            return min(transport.ccfb_messages_sent, transport.ccfb_messages_received) >= 50

        async def both_estimates_have_grown() -> bool:
            congestion = await layer_counters(call.own.pc, "congestion")
            pairs = [each for each in await call.remote.get_stats() if each["type"] == "candidate-pair"]
            theirs = max(each.get("availableOutgoingBitrate", 0) for each in pairs)
            return bool(
                congestion["acknowledged_bitrate"] > 50_000
                and min(congestion["target_bitrate"], theirs) > 300_000
            )

        await wait_until(both_send_feedback)
        # Each estimate follows the other side's feedback.
        await wait_until(both_estimates_have_grown)
