"""A received track ends only when its transceiver stops or the connection closes (W3C webrtc section 5.3)."""

import pytest
import trio.testing

from tests.api.web_platform.negotiation import local_track
from tests.strategies.media import connect_track
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_lives_through_changes_of_direction() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        track = (await connect_track(peers.alice, peers.bob)).track
        (transceiver,) = peers.alice.get_transceivers()
        transceiver.direction = "inactive"
        await peers.alice.set_local_description()
        lines = description_of(peers.alice).sdp.splitlines(keepends=True)
        without = "".join(line for line in lines if not line.startswith("a=ssrc"))
        await peers.bob.set_remote_description({"type": "offer", "sdp": without})
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert track.ready_state == "live"
        transceiver.direction = "sendonly"
        await negotiate(peers.alice, peers.bob)
        assert track.ready_state == "live"
        peers.bob.close()
        await trio.testing.wait_all_tasks_blocked()
        assert track.ready_state == "ended"
