"""``dtmf`` of senders (W3C webrtc section 7)."""

from trio_rtc import RTCPeerConnection


async def test_only_audio_has_it() -> None:
    pc = RTCPeerConnection()
    assert pc.add_transceiver("audio").sender.dtmf is not None
    assert pc.add_transceiver("video").sender.dtmf is None
