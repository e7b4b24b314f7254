"""TCP candidates are accepted, and ignored by an agent without ICE-TCP (RFC 6544, W3C webrtc section 4.4.2)."""

import pytest
import trio

from tests.strategies.media import ENCODED
from tests.strategies.peers import description_of, two_peers
from trio_rtc import RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def line(port: int) -> str:
    return f"candidate:2983561038 1 tcp 1518214911 10.0.0.2 {port} typ host tcptype passive generation 0"


async def answer_without_candidates(
    alice: RTCPeerConnection, bob: RTCPeerConnection, extra: str = ""
) -> None:
    alice.add_transceiver("audio")
    offer = await alice.create_offer()
    await bob.set_remote_description({"type": "offer", "sdp": offer.sdp + extra})
    await bob.set_local_description()


@pytest.mark.parametrize("port", [8001, 9, 2049])
@pytest.mark.parametrize("trickled", [False, True])
async def test_a_tcp_candidate_starts_no_checks(port: int, trickled: bool) -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        await answer_without_candidates(alice, bob, "" if trickled else f"a={line(port)}\r\n")
        changes: list[str] = []
        bob.on_ice_connection_state_change = lambda _: changes.append(bob.ice_connection_state)
        if trickled:
            await bob.add_ice_candidate({"candidate": line(port), "sdpMid": "0"})
        assert bob.remote_description is not None
        assert f"a={line(port)}\r\n" in bob.remote_description.sdp
        assert description_of(bob).type == "answer"
        await trio.sleep(0.5)
        assert changes == []
