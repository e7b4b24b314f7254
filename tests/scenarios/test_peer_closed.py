"""``peer_closed`` returns at once after the peer's ABORT or close_notify, otherwise when the connection fails."""

import re

import pytest
import trio
import trio.testing

from tests.strategies.media import connect_track, media_peers, send_frames
from tests.strategies.peers import connect, description_of, negotiate, open_channel, settings_for
from tests.strategies.scenarios import state_reached
from trio_rtc import RTCPeerConnection, Settings, open_media_track
from trio_rtc.testing import Drop, Link, Packet, Pass, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

CONSENT_TIMEOUT = Settings().ice.consent_timeout


async def seconds_until_peer_closed(pc: RTCPeerConnection, *, within: float) -> float:
    """Wait until the peer has closed, and return the seconds waited."""
    before = trio.current_time()
    with trio.fail_after(within):
        await pc.peer_closed()
    return trio.current_time() - before


@pytest.mark.parametrize("media", ["data", "audio", "both"])
async def test_an_orderly_close_is_noticed_after_the_network_delay(media: str) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        alice, bob = peers.alice, peers.bob
        peers.network.set_default_link(Link(delay=0.05))
        if media != "audio":
            alice.create_data_channel("chat")
        if media != "data":
            source, track = open_media_track("audio")
            alice.add_track(track)
            await connect_track(alice, bob)
            nursery.start_soon(send_frames, source, "audio")
        else:
            await connect(alice, bob)
            await state_reached(bob, "connected")
        await trio.sleep(1)
        alice.close()
        assert await seconds_until_peer_closed(bob, within=0.2) > 0
        await trio.testing.wait_all_tasks_blocked()
        assert all(receiver.track.muted for receiver in bob.get_receivers())
        # In W3C's states only ICE detects that the peer has left, and only close() leads to "closed".
        assert (bob.connection_state, bob.signaling_state) == ("connected", "stable")
        await state_reached(bob, "disconnected")
        await bob.peer_closed()
        nursery.cancel_scope.cancel()


async def test_the_dtls_state_is_closed_when_the_peer_has_closed() -> None:
    async with open_channel() as (_, _, peers):
        await peers.alice.aclose()
        await peers.bob.peer_closed()
        assert peers.bob.sctp is not None
        await trio.testing.wait_all_tasks_blocked()
        assert (peers.bob.sctp.state, peers.bob.sctp.transport.state) == ("closed", "closed")


class Lose:
    """Drops a peer's DTLS records of one type (RFC 6347 section 4.1)."""

    def __init__(self, sender: str, content_type: int) -> None:
        self._sender = sender
        self._content_type = content_type
        self.lost = 0

    def __call__(self, packet: Packet) -> Pass | Drop:
        if packet.sender != self._sender or packet.data[0] != self._content_type:
            return Pass()
        self.lost += 1
        return Drop()


ALERT, APPLICATION_DATA = 21, 23


@pytest.mark.parametrize("lost", [ALERT, APPLICATION_DATA], ids=["close_notify", "ABORT"])
async def test_abort_or_close_notify_suffices_with_only_data_channels(lost: int) -> None:
    async with open_channel() as (_, _, peers):
        await trio.sleep(1)
        loser = Lose("alice", lost)
        peers.network.add_filter(loser)
        await peers.alice.aclose()
        assert await seconds_until_peer_closed(peers.bob, within=1) < 1
        assert loser.lost > 0


async def test_an_ended_association_is_no_close_beside_audio() -> None:
    async with media_peers() as peers:
        peers.alice.create_data_channel("chat")
        peers.alice.add_track(open_media_track("audio")[1])
        await connect_track(peers.alice, peers.bob)
        await trio.sleep(1)
        peers.network.add_filter(Lose("alice", ALERT))
        await peers.alice.aclose()
        assert CONSENT_TIMEOUT - 7 < await seconds_until_peer_closed(peers.bob, within=60) <= CONSENT_TIMEOUT
        assert peers.bob.sctp is not None
        assert peers.bob.sctp.state == "closed"


@pytest.mark.parametrize("media", ["data", "audio"])
async def test_a_silent_peer_has_closed_when_the_connection_fails(media: str) -> None:
    async with media_peers() as peers:
        if media == "data":
            peers.alice.create_data_channel("chat")
            await connect(peers.alice, peers.bob)
            await state_reached(peers.bob, "connected")
        else:
            peers.alice.add_track(open_media_track("audio")[1])
            await connect_track(peers.alice, peers.bob)
        peers.network.partition("alice")
        assert CONSENT_TIMEOUT - 7 < await seconds_until_peer_closed(peers.bob, within=60) <= CONSENT_TIMEOUT
        assert peers.bob.connection_state == "failed"


async def test_a_recovered_failure_is_no_close() -> None:
    async with open_channel() as (mine, theirs, peers):
        peers.network.partition("alice")
        await peers.alice.peer_closed()
        assert peers.alice.connection_state == "failed"
        await peers.alice.peer_closed()
        peers.network.heal()
        peers.alice.restart_ice()
        await negotiate(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await does_not_close(peers.alice)
        await mine.send("still here")
        assert await theirs.receive() == "still here"
        peers.bob.close()
        assert await seconds_until_peer_closed(peers.alice, within=1) < 1


async def test_a_new_association_revokes_the_close() -> None:
    """On a connection with only data channels, the end of the first association looks like the peer's closing."""
    async with open_channel() as (mine, _, peers):
        alice, bob = peers.alice, peers.bob
        await bob.set_remote_description(await offer_without_channels(alice))
        await bob.set_local_description()
        await seconds_until_peer_closed(alice, within=1)
        # On the side that has ended it, the peer has not closed.
        await does_not_close(bob)
        await alice.set_remote_description(description_of(bob))
        assert mine.ready_state == "closed"
        again = alice.create_data_channel("again")
        await negotiate(alice, bob)
        await again.opened()
        await does_not_close(alice)


async def does_not_close(pc: RTCPeerConnection) -> None:
    with trio.move_on_after(3) as waiting:
        await pc.peer_closed()
    assert waiting.cancelled_caught


async def offer_without_channels(pc: RTCPeerConnection) -> dict[str, str]:
    """Return an offer in which the media section of data channels is closed."""
    offer = await pc.create_offer()
    await pc.set_local_description(offer)
    return {"type": "offer", "sdp": re.sub(r"m=application \d+ ", "m=application 0 ", offer.sdp)}


async def test_closing_locally_raises_in_the_waiting_task() -> None:
    async with open_channel() as (_, _, peers):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_later, peers.alice)
            with pytest.raises(trio.ClosedResourceError):
                await peers.alice.peer_closed()
        with pytest.raises(trio.ClosedResourceError):
            await peers.alice.peer_closed()


async def close_later(pc: RTCPeerConnection) -> None:
    await trio.sleep(1)
    pc.close()


async def test_peer_closed_returns_after_both_have_closed() -> None:
    async with open_channel() as (_, _, peers):
        peers.bob.close()
        await peers.alice.peer_closed()
        await peers.alice.aclose()
        await peers.alice.peer_closed()


async def test_it_is_a_checkpoint_and_can_be_cancelled() -> None:
    async with open_channel() as (_, _, peers):
        with trio.move_on_after(1) as waiting:
            await peers.alice.peer_closed()
        assert waiting.cancelled_caught
        peers.bob.close()
        await peers.alice.peer_closed()
        with trio.testing.assert_checkpoints():
            await peers.alice.peer_closed()
        with trio.CancelScope() as scope:
            scope.cancel()
            await peers.alice.peer_closed()
        assert scope.cancelled_caught


async def test_it_needs_the_block() -> None:
    with pytest.raises(RuntimeError, match="peer_closed"):
        await RTCPeerConnection().peer_closed()


async def test_leaving_the_block_when_the_peer_closes() -> None:
    """The example of the how-to page."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        async with RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice:
            async with (
                RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(trio.sleep_forever)
                alice.create_data_channel("chat")
                await connect(alice, bob)
                await state_reached(bob, "connected")
                alice.close()
                await bob.peer_closed()
                nursery.cancel_scope.cancel()
            assert bob.connection_state == "closed"
