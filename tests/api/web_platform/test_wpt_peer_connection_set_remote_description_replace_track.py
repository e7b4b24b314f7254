"""``replace_track`` while descriptions are applied: it is an operation of the chain (W3C webrtc section 5.2)."""

import pytest
import trio

from tests.api.web_platform.negotiation import local_track, needs, settled_needs
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_track_changes_in_the_operation_and_not_in_the_call() -> None:
    async with two_peers() as peers:
        old, new = local_track(), local_track()
        sender = peers.alice.add_track(old)
        operation = sender.replace_track(new)
        assert sender.track is old
        await operation
        assert sender.track is new
        await sender.replace_track(None)
        assert sender.track is None


async def test_it_waits_for_the_operation_that_runs() -> None:
    async with two_peers() as peers:
        alice, new = peers.alice, local_track()
        sender = alice.add_track(local_track())
        finished: list[str] = []

        async def replace() -> None:
            await sender.replace_track(new)
            finished.append("track")

        async with trio.open_nursery() as nursery:
            alice.on_signaling_state_change = lambda _: nursery.start_soon(replace)
            await alice.set_local_description()
            finished.append("description")
        assert finished == ["description", "track"]
        assert sender.track is new


async def test_it_needs_no_negotiation() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        await sender.replace_track(local_track())
        await sender.replace_track(None)
        assert await settled_needs(log) == 0


async def test_a_closed_connection_or_stopped_sender_refuses() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        (transceiver,) = peers.alice.get_transceivers()
        transceiver.stop()
        with pytest.raises(InvalidStateError):
            await sender.replace_track(local_track())
        other = peers.bob.add_track(local_track())
        peers.bob.close()
        with pytest.raises(InvalidStateError):
            await other.replace_track(local_track())


async def test_a_sender_that_the_peer_stopped_refuses() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        peers.bob.get_transceivers()[0].stop()
        await negotiate(peers.bob, peers.alice)
        with pytest.raises(InvalidStateError):
            await sender.replace_track(local_track())
