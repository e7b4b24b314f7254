"""DTLS with certificates of both algorithms (W3C webrtc section 4.9.1)."""

from typing import Any

import pytest

from tests.strategies.peers import connect, settings_for
from tests.strategies.scenarios import state_reached
from trio_rtc import RTCConfiguration, RTCPeerConnection
from trio_rtc.testing import SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

ALGORITHMS: dict[str, dict[str, Any]] = {
    "ECDSA": {"name": "ECDSA", "namedCurve": "P-256"},
    "RSA": {
        "name": "RSASSA-PKCS1-v1_5",
        "modulusLength": 2048,
        "publicExponent": bytes([1, 0, 1]),
        "hash": "SHA-256",
    },
}


@pytest.mark.parametrize("theirs", ALGORITHMS)
@pytest.mark.parametrize("ours", ALGORITHMS)
async def test_peers_connect(ours: str, theirs: str) -> None:
    certificates = [await RTCPeerConnection.generate_certificate(ALGORITHMS[each]) for each in (ours, theirs)]
    async with SimulatedNetwork() as network:
        hosts = [network.add_host(name, [f"10.0.0.{n}"]) for n, name in enumerate(("alice", "bob"), 1)]
        configurations = [RTCConfiguration(certificates=[each]) for each in certificates]
        async with (
            RTCPeerConnection(configurations[0], settings=settings_for(hosts[0], 0)) as alice,
            RTCPeerConnection(configurations[1], settings=settings_for(hosts[1], 1)) as bob,
        ):
            alice.create_data_channel("chat")
            await connect(alice, bob)
            await state_reached(alice, "connected")
            assert alice.sctp is not None
            assert len(alice.sctp.transport.get_remote_certificates()) == 1
