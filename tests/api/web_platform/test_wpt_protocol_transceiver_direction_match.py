"""The section that a transceiver of ``add_track`` is associated with (RFC 9429 section 5.10)."""

from tests.api.web_platform.negotiation import local_track
from trio_rtc import RTCPeerConnection


async def test_it_is_one_in_which_the_peer_receives() -> None:
    async with RTCPeerConnection() as peer, RTCPeerConnection() as pc:
        pc.add_track(local_track())
        (transceiver,) = pc.get_transceivers()
        for direction in ("sendonly", "recvonly"):
            peer.add_transceiver("audio", direction=direction)
        await pc.set_remote_description(await peer.create_offer())
        await pc.set_local_description()
        assert transceiver.mid == "1"
        assert [each.direction for each in pc.get_transceivers()] == ["sendrecv", "recvonly"]
