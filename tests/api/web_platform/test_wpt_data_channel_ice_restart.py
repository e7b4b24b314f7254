"""A channel stays usable in each step of an ICE restart (W3C webrtc section 4.4.2, restartIce)."""

import pytest
import trio

from tests.api.web_platform.peers import channel_between
from tests.strategies.peers import description_of, negotiate
from tests.strategies.scenarios import messages_pass

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_after_a_restart() -> None:
    async with channel_between(negotiated=False) as (mine, theirs, peers):
        events: list[str] = []
        for channel in (mine, theirs):
            for event in ("error", "closing", "close"):
                channel.add_event_listener(event, lambda fired: events.append(fired.type))
        await messages_pass(mine, theirs)
        peers.alice.restart_ice()
        await negotiate(peers.alice, peers.bob)
        await messages_pass(mine, theirs)
        await trio.sleep(60)
        await messages_pass(theirs, mine)
        assert events == []


async def test_between_the_steps_of_a_restart() -> None:
    async with channel_between(negotiated=False) as (mine, theirs, peers):
        alice, bob = peers.alice, peers.bob
        alice.on_ice_candidate = bob.on_ice_candidate = None
        alice.restart_ice()
        await messages_pass(mine, theirs)
        await alice.set_local_description()
        await messages_pass(mine, theirs)
        await bob.set_remote_description(description_of(alice))
        await messages_pass(mine, theirs)
        await bob.set_local_description()
        await messages_pass(mine, theirs)
        await alice.set_remote_description(description_of(bob))
        await messages_pass(mine, theirs)
