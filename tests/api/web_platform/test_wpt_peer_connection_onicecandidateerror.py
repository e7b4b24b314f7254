"""``ice_candidate_error`` for servers that cannot be reached (W3C webrtc section 4.8.3)."""

import pytest
import trio

from tests.strategies.peers import two_peers
from trio_rtc import RTCConfiguration, RTCIceServer, RTCPeerConnectionIceErrorEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")

URLS = (
    "turn:turn1.invalid:3478",
    "turn:turn2.invalid:3478?transport=tcp",
    "turns:turn3.invalid:5349",
    "stun:stun1.invalid:3478",
)


async def test_it_fires_for_each() -> None:
    servers = [RTCIceServer(url, "user", "password") for url in URLS]
    async with two_peers(configuration=RTCConfiguration(ice_servers=servers)) as peers:
        events: list[RTCPeerConnectionIceErrorEvent] = []
        peers.alice.on_ice_candidate_error = events.append
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        await peers.alice.gathering_complete()
        await trio.sleep(60)
        assert {event.url.removesuffix("?transport=tcp") for event in events} == {
            url.removesuffix("?transport=tcp") for url in URLS
        }
        for event in events:
            assert 300 <= event.error_code <= 799
            assert (event.address is None) == (event.port is None)
