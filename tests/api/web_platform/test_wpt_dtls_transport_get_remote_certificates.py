"""``get_remote_certificates`` (W3C webrtc section 5.5)."""

import hashlib

import pytest

from tests.api.web_platform.peers import until
from tests.strategies.media import media_peers
from tests.strategies.peers import connect, trickle, two_peers
from trio_rtc import RTCDtlsTransport, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def offered_fingerprint(pc: RTCPeerConnection) -> str:
    assert pc.local_description is not None
    return pc.local_description.sdp.split("a=fingerprint:sha-256 ")[1].split("\r\n")[0]


async def check(dtls: RTCDtlsTransport | None, peer: RTCPeerConnection) -> None:
    assert dtls is not None
    if dtls.state != "connected":
        assert dtls.get_remote_certificates() == []
    await until(dtls, "state_change", lambda: dtls.state == "connected")
    (certificate,) = dtls.get_remote_certificates()
    assert isinstance(certificate, bytes)
    assert hashlib.sha256(certificate).hexdigest() == offered_fingerprint(peer).replace(":", "").lower()


async def test_with_audio() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        for pc, peer in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            (transceiver,) = pc.get_transceivers()
            await check(transceiver.sender.transport, peer)
            await check(transceiver.receiver.transport, peer)


async def test_with_data() -> None:
    async with two_peers() as peers:
        trickle(peers.alice, peers.bob)
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        for pc, peer in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            assert pc.sctp is not None
            await check(pc.sctp.transport, peer)
