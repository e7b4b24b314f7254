"""Directions of an answer that contradict the offer (RFC 9429 section 5.11, RFC 3264 section 6.1)."""

import pytest

from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidAccessError

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(
    ("offered", "answered", "wrong"),
    [("recvonly", "inactive", "recvonly"), ("sendonly", "recvonly", "sendrecv")],
)
async def test_they_are_refused(offered: str, answered: str, wrong: str) -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio").direction = offered
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        sdp = description_of(peers.bob).sdp
        assert f"a={answered}\r\n" in sdp
        with pytest.raises(InvalidAccessError):
            await peers.alice.set_remote_description(
                {"type": "answer", "sdp": sdp.replace(f"a={answered}\r\n", f"a={wrong}\r\n")}
            )
        assert peers.alice.signaling_state == "have-local-offer"
