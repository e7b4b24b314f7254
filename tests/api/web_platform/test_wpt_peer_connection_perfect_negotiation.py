"""Perfect negotiation: both peers negotiate at any time (W3C webrtc section 10.7)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import two_peers
from trio_rtc import MediaStream, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")

Message = RTCSessionDescription | RTCIceCandidate | None


@attrs.define
class Negotiator:
    """One side: the impolite one ignores offers that collide with its own."""

    pc: RTCPeerConnection
    polite: bool
    outbox: trio.MemorySendChannel[Message]
    making_offer: bool = False
    ignores_offer: bool = False
    answering: bool = False

    def start(self) -> None:
        self.pc.on_negotiation_needed = lambda _: self.offer()
        self.pc.on_ice_candidate = lambda event: self.outbox.send_nowait(event.candidate)

    async def offer(self) -> None:
        self.making_offer = True
        try:
            await self.pc.set_local_description()
            assert self.pc.local_description is not None
            self.outbox.send_nowait(self.pc.local_description)
        finally:
            self.making_offer = False

    async def receive(self, message: Message) -> None:
        if isinstance(message, RTCSessionDescription):
            await self.receive_description(message)
            return
        try:
            await self.pc.add_ice_candidate(message)
        except Exception:
            if not self.ignores_offer:
                raise

    async def receive_description(self, description: RTCSessionDescription) -> None:
        free = not self.making_offer and (self.pc.signaling_state == "stable" or self.answering)
        self.ignores_offer = not self.polite and description.type == "offer" and not free
        if self.ignores_offer:
            return
        self.answering = description.type == "answer"
        await self.pc.set_remote_description(description)
        self.answering = False
        if description.type == "offer":
            await self.pc.set_local_description()
            assert self.pc.local_description is not None
            self.outbox.send_nowait(self.pc.local_description)


async def pump(inbox: trio.MemoryReceiveChannel[Message], side: Negotiator, delay: float) -> None:
    """Deliver messages in order, each after a delay."""
    async for message in inbox:
        await trio.sleep(delay)
        await side.receive(message)


@asynccontextmanager
async def negotiators(
    *, alice_is_polite: bool, delay: float = 0.05
) -> AsyncIterator[tuple[Negotiator, Negotiator]]:
    """Connect the signaling of two peers."""
    async with two_peers() as peers, trio.open_nursery() as nursery:
        to_bob, at_bob = trio.open_memory_channel[Message](100)
        to_alice, at_alice = trio.open_memory_channel[Message](100)
        alice = Negotiator(peers.alice, alice_is_polite, to_bob)
        bob = Negotiator(peers.bob, not alice_is_polite, to_alice)
        for side, inbox in ((alice, at_alice), (bob, at_bob)):
            side.start()
            nursery.start_soon(pump, inbox, side, delay)
        yield alice, bob
        nursery.cancel_scope.cancel()


ROLES = pytest.mark.parametrize("alice_is_polite", [True, False])


def directions(side: Negotiator) -> list[str]:
    return sorted(str(each.current_direction) for each in side.pc.get_transceivers())


@ROLES
async def test_one_side_adds_media(alice_is_polite: bool) -> None:
    async with negotiators(alice_is_polite=alice_is_polite) as (alice, bob):
        alice.pc.add_track(local_track(), MediaStream())
        await trio.sleep(3)
        assert alice.pc.connection_state == bob.pc.connection_state == "connected"
        assert (directions(alice), directions(bob)) == (["sendonly"], ["recvonly"])


@ROLES
async def test_both_sides_add_a_track_at_once(alice_is_polite: bool) -> None:
    async with negotiators(alice_is_polite=alice_is_polite) as (alice, bob):
        alice.pc.add_track(local_track(), MediaStream())
        bob.pc.add_track(local_track(), MediaStream())
        await trio.sleep(3)
        assert alice.pc.connection_state == bob.pc.connection_state == "connected"
        # The impolite side's offer is answered with the polite side's track in the same section.
        assert directions(alice) == directions(bob) == ["sendrecv"]


@ROLES
async def test_both_sides_add_a_transceiver_at_once(alice_is_polite: bool) -> None:
    async with negotiators(alice_is_polite=alice_is_polite) as (alice, bob):
        alice.pc.add_transceiver("audio")
        bob.pc.add_transceiver("audio")
        await trio.sleep(3)
        # Transceivers of add_transceiver are not associated with an offer of the peer: two sections.
        assert directions(alice) == directions(bob) == ["recvonly", "sendonly"]
        assert alice.pc.signaling_state == bob.pc.signaling_state == "stable"


@ROLES
async def test_both_sides_restart_ice_and_add_media_while_connected(alice_is_polite: bool) -> None:
    async with negotiators(alice_is_polite=alice_is_polite) as (alice, bob):
        channel = alice.pc.create_data_channel("chat")
        await channel.opened()
        for side in (alice, bob):
            side.pc.restart_ice()
            side.pc.add_transceiver("video")
        await trio.sleep(3)
        assert alice.pc.signaling_state == bob.pc.signaling_state == "stable"
        assert alice.pc.connection_state == bob.pc.connection_state == "connected"
        assert len(alice.pc.get_transceivers()) == len(bob.pc.get_transceivers()) == 2
        await channel.send("still there")


@ROLES
async def test_many_changes_in_a_row_settle(alice_is_polite: bool) -> None:
    async with negotiators(alice_is_polite=alice_is_polite, delay=0.01) as (alice, bob):
        for number in range(10):
            (alice if number % 2 else bob).pc.add_transceiver("audio" if number % 3 else "video")
            await trio.sleep(0.007)
        await trio.sleep(5)
        mids = [sorted(str(each.mid) for each in side.pc.get_transceivers()) for side in (alice, bob)]
        assert mids[0] == mids[1]
        assert len(mids[0]) == len(set(mids[0])) == 10
