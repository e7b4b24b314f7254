"""Versions and cipher suites that every endpoint supports (RFC 8827 section 6.5)."""

import pytest

from tests.strategies.peers import connect, two_peers
from tests.strategies.scenarios import state_reached
from trio_rtc.stats import RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("contents", ["data", "video"])
async def test_the_transport_reports_secure_ones(contents: str) -> None:
    async with two_peers() as peers:
        if contents == "data":
            peers.alice.create_data_channel("chat")
        else:
            peers.alice.add_transceiver("video")
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        transport = (await peers.alice.get_stats())["transport"]
        assert isinstance(transport, RTCTransportStats)
        # DTLS 1.2 and 1.3 (RFC 6347 section 4.1, RFC 9147 section 5.3).
        assert transport.tls_version in ("FEFD", "FEFC")
        assert transport.dtls_cipher in ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256")
        assert transport.srtp_cipher in (
            "SRTP_AEAD_AES_256_GCM",
            "SRTP_AEAD_AES_128_GCM",
            "SRTP_AES128_CM_HMAC_SHA1_80",
        )
