"""Congestion control feedback: transport-wide, or by SSRC (RFC 8888)."""

import attrs
import pytest
import trio

from tests.strategies.media import connect_track, media_peers, only, send_frames
from tests.strategies.peers import description_of
from trio_rtc import RTCPeerConnection, RTCRtpTransceiverDirection, RTCTransportStats, open_media_track

STOPPED = RTCRtpTransceiverDirection.STOPPED
TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


async def messages(pc: RTCPeerConnection) -> tuple[int | None, int | None]:
    """Return the numbers of RFC 8888 messages sent and received."""
    (stats,) = (each for each in (await pc.get_stats()).values() if isinstance(each, RTCTransportStats))
    return stats.ccfb_messages_sent, stats.ccfb_messages_received


@pytest.mark.parametrize("numbered", [True, False])
async def test_only_one_kind_of_feedback_is_sent(
    autojump_clock: trio.testing.MockClock, numbered: bool
) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("video")
        peers.alice.add_track(track)
        transceiver = only(peers.alice.get_transceivers())
        transceiver.set_header_extensions_to_negotiate(
            [
                each if numbered or each.uri != TRANSPORT_WIDE else attrs.evolve(each, direction=STOPPED)
                for each in transceiver.get_header_extensions_to_negotiate()
            ]
        )
        await connect_track(peers.alice, peers.bob)
        offer, answer = description_of(peers.alice).sdp, description_of(peers.bob).sdp
        assert " ack ccfb\r\n" in offer
        assert (" ack ccfb\r\n" in answer, " transport-cc\r\n" in answer) == (not numbered, numbered)
        nursery.start_soon(send_frames, source, "video")
        await trio.sleep(3)
        sent, received = await messages(peers.alice)
        assert sent == 0
        assert received is not None
        assert (received > 20) == (not numbered)
        assert (received == 0) == numbered
        counted, _ = await messages(peers.bob)
        assert counted is not None
        assert received <= counted <= received + 2
        nursery.cancel_scope.cancel()
