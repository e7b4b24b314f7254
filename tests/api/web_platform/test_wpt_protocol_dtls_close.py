"""The end of the transports and channels when the peer closes the connection (W3C webrtc section 5.5)."""

import pytest
import trio

from tests.api.web_platform.negotiation import event_log
from tests.api.web_platform.peers import channel_between

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_all_are_closed() -> None:
    async with channel_between(negotiated=False) as (_, theirs, peers):
        sctp = peers.bob.sctp
        assert sctp is not None
        dtls = sctp.transport
        logs = [event_log(sctp, "state_change"), event_log(dtls, "state_change"), event_log(theirs, "close")]
        peers.alice.close()
        await trio.sleep(1)
        assert (sctp.state, dtls.state, theirs.ready_state) == ("closed", "closed", "closed")
        assert logs == [["state_change"], ["state_change"], ["close"]]
