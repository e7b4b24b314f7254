"""Statistics of both certificates (W3C webrtc-stats, RTCCertificateStats)."""

import base64
import hashlib

import pytest

from tests.strategies.peers import connect, two_peers
from tests.strategies.scenarios import state_reached
from trio_rtc import RTCConfiguration, RTCPeerConnection
from trio_rtc.stats import RTCCertificateStats, RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_transport_refers_to_them() -> None:
    certificate = await RTCPeerConnection.generate_certificate("ECDSA")
    (fingerprint,) = certificate.get_fingerprints()
    async with two_peers(configuration=RTCConfiguration(certificates=[certificate])) as peers:
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        report = await peers.alice.get_stats()
        transport = report["transport"]
        assert isinstance(transport, RTCTransportStats)
        for name in (transport.local_certificate_id, transport.remote_certificate_id):
            assert name is not None
            stats = report[name]
            assert isinstance(stats, RTCCertificateStats)
            assert stats.fingerprint_algorithm == fingerprint.algorithm == "sha-256"
            assert stats.fingerprint.lower() == fingerprint.value.lower()
            digest = hashlib.sha256(base64.b64decode(stats.base64_certificate)).hexdigest()
            assert digest == fingerprint.value.replace(":", "").lower()
