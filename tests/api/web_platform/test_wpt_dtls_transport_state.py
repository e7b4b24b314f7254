"""The states of DTLS transports (W3C webrtc section 5.5)."""

import pytest
import trio

from tests.api.web_platform.peers import until
from tests.strategies.media import ENCODED, media_peers, only
from tests.strategies.peers import Peers, connect, two_peers
from trio_rtc import RTCConfiguration, RTCDtlsTransport, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def dtls_of(pc: RTCPeerConnection) -> RTCDtlsTransport:
    transport = pc.get_transceivers()[0].sender.transport
    assert isinstance(transport, RTCDtlsTransport)
    return transport


async def connected(peers: Peers) -> tuple[RTCDtlsTransport, RTCDtlsTransport]:
    """Connect with audio; return the DTLS transports, connected."""
    peers.alice.add_transceiver("audio")
    await connect(peers.alice, peers.bob)
    transports = dtls_of(peers.alice), dtls_of(peers.bob)
    for dtls in transports:
        await until(dtls, "state_change", lambda dtls=dtls: dtls.state == "connected")  # type: ignore[misc]
    return transports


async def test_both_become_connected() -> None:
    async with media_peers() as peers:
        one, other = await connected(peers)
        assert (one.state, other.state) == ("connected", "connected")


async def test_close_closes_the_transport_at_once_and_silently() -> None:
    async with media_peers() as peers:
        dtls, _ = await connected(peers)
        fired: list[object] = []
        dtls.on_state_change = fired.append
        dtls.add_event_listener("state_change", fired.append)
        peers.alice.close()
        assert dtls.state == "closed"
        await trio.sleep(1)
        assert fired == []


async def test_close_closes_the_peers_transport() -> None:
    async with media_peers() as peers:
        _, theirs = await connected(peers)
        peers.alice.close()
        await until(theirs, "state_change", lambda: theirs.state == "closed")


async def test_stopping_a_bundled_transceiver_changes_nothing() -> None:
    async with two_peers(
        configuration=RTCConfiguration(bundle_policy="max-bundle"), settings=ENCODED
    ) as peers:
        video = peers.alice.add_transceiver("video")
        dtls, _ = await connected(peers)
        _, audio = peers.alice.get_transceivers()
        assert video.sender.transport is video.receiver.transport is audio.sender.transport is dtls
        video.stop()
        await trio.sleep(1)
        assert audio.sender.transport is dtls
        assert dtls.state == "connected"


async def test_a_transceiver_has_no_transport_before_its_description() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        assert only(peers.alice.get_transceivers()).sender.transport is None
