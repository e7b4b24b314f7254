"""Types of descriptions after a provisional answer and the answer (W3C webrtc section 4.4.1.5)."""

from trio_rtc import RTCPeerConnection, RTCSessionDescription


async def offered(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> str:
    """Offer audio, and return the text of the answer."""
    offerer.add_transceiver("audio")
    offer = await offerer.create_offer()
    await offerer.set_local_description(offer)
    await answerer.set_remote_description(offer)
    return (await answerer.create_answer()).sdp


def types(*descriptions: RTCSessionDescription | None) -> list[str | None]:
    return [None if each is None else each.type for each in descriptions]


async def test_local_ones() -> None:
    async with RTCPeerConnection() as offerer, RTCPeerConnection() as pc:
        sdp = await offered(offerer, pc)
        await pc.set_local_description({"type": "pranswer", "sdp": sdp})
        assert types(pc.local_description, pc.remote_description) == ["pranswer", "offer"]
        assert types(pc.pending_local_description, pc.pending_remote_description) == ["pranswer", "offer"]
        assert types(pc.current_local_description, pc.current_remote_description) == [None, None]
        await pc.set_local_description({"type": "answer", "sdp": sdp})
        assert types(pc.local_description, pc.remote_description) == ["answer", "offer"]
        assert types(pc.pending_local_description, pc.pending_remote_description) == [None, None]
        assert types(pc.current_local_description, pc.current_remote_description) == ["answer", "offer"]


async def test_remote_ones() -> None:
    async with RTCPeerConnection() as pc, RTCPeerConnection() as answerer:
        sdp = await offered(pc, answerer)
        await pc.set_remote_description({"type": "pranswer", "sdp": sdp})
        assert types(pc.local_description, pc.remote_description) == ["offer", "pranswer"]
        assert types(pc.pending_local_description, pc.pending_remote_description) == ["offer", "pranswer"]
        assert types(pc.current_local_description, pc.current_remote_description) == [None, None]
        await pc.set_remote_description({"type": "answer", "sdp": sdp})
        assert types(pc.local_description, pc.remote_description) == ["offer", "answer"]
        assert types(pc.pending_local_description, pc.pending_remote_description) == [None, None]
        assert types(pc.current_local_description, pc.current_remote_description) == ["offer", "answer"]
