"""An exception of the application leaves the block unchanged, after everything has been closed."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.strategies.peers import Peers, connect, settings_for, two_peers
from tests.strategies.scenarios import state_reached
from trio_rtc import RTCDataChannel, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


class BugError(Exception):
    """An exception that only the application raises."""


def raise_at_once(_: object) -> None:
    raise BugError


async def raise_later(_: object) -> None:
    await trio.sleep(0.01)
    raise BugError


async def raise_a_group(_: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(raise_later, None)


Install = Callable[[RTCPeerConnection, RTCDataChannel, Any], None]


def on_connection_state(pc: RTCPeerConnection, _: RTCDataChannel, handler: Any) -> None:
    pc.on_connection_state_change = handler


def on_ice_candidate(pc: RTCPeerConnection, _: RTCDataChannel, handler: Any) -> None:
    pc.add_event_listener("ice_candidate", handler)


def on_negotiation_needed(pc: RTCPeerConnection, _: RTCDataChannel, handler: Any) -> None:
    pc.on_negotiation_needed = handler


def on_signaling_state(pc: RTCPeerConnection, _: RTCDataChannel, handler: Any) -> None:
    pc.on_signaling_state_change = handler


def on_open(_: RTCPeerConnection, channel: RTCDataChannel, handler: Any) -> None:
    channel.on_open = handler


def on_message(_: RTCPeerConnection, channel: RTCDataChannel, handler: Any) -> None:
    channel.on_message = handler


def on_close(_: RTCPeerConnection, channel: RTCDataChannel, handler: Any) -> None:
    channel.on_close = handler


PLACES = [
    on_connection_state,
    on_ice_candidate,
    on_negotiation_needed,
    on_signaling_state,
    on_open,
    on_message,
    on_close,
]


async def cause_events_and_wait(alice: RTCPeerConnection, bob: RTCPeerConnection) -> None:
    """Cause every event, then wait."""
    await trio.sleep(0.01)
    async with bob.subscribe("data_channel") as announced:
        await connect(alice, bob)
        theirs = (await announced.receive()).channel
        await theirs.send("hello")
        await theirs.aclose()
    await trio.sleep_forever()


@pytest.mark.parametrize("handler", [raise_at_once, raise_later])
@pytest.mark.parametrize("install", PLACES)
async def test_an_exception_in_a_handler_leaves_the_block_unchanged(
    install: Install, handler: Callable[[object], Awaitable[None] | None]
) -> None:
    seen: list[RTCDataChannel] = []

    async def fail() -> None:
        async with two_peers() as peers:
            seen.append(peers.alice.create_data_channel("chat"))
            install(peers.alice, seen[0], handler)
            await cause_events_and_wait(peers.alice, peers.bob)

    with trio.fail_after(30), pytest.raises(BugError):
        await fail()
    assert seen[0].ready_state == "closed"


async def test_a_group_that_a_handler_raises_stays_a_group() -> None:
    async def fail() -> None:
        async with two_peers() as peers:
            peers.alice.create_data_channel("chat").on_open = raise_a_group
            await cause_events_and_wait(peers.alice, peers.bob)

    with trio.fail_after(30), pytest.raises(ExceptionGroup) as caught:
        await fail()
    assert [type(error) for error in caught.value.exceptions] == [BugError]


def another_peer(peers: Peers) -> RTCPeerConnection:
    """Return another connection on Alice's host, entered separately."""
    return RTCPeerConnection(settings=settings_for(peers.hosts[0], 99))


async def test_an_exception_in_the_block_is_unchanged_and_the_peer_is_closed() -> None:
    async with two_peers() as peers:
        theirs = peers.bob.create_data_channel("chat", negotiated=True, id=1)

        async def fail() -> None:
            async with another_peer(peers) as alice:
                mine = alice.create_data_channel("chat", negotiated=True, id=1)
                await connect(alice, peers.bob)
                await mine.opened()
                await theirs.opened()
                raise BugError

        with pytest.raises(BugError) as caught:
            await fail()
        assert caught.value.__context__ is None
        assert peers.hosts[0].open_sockets == ()
        with trio.fail_after(0.1), pytest.raises(trio.EndOfChannel):
            await theirs.receive()


@pytest.mark.parametrize("moment", ["before negotiation", "while connecting", "connected"])
async def test_an_exception_in_the_block_at_any_time(moment: str) -> None:
    async def fail() -> None:
        async with two_peers() as peers:
            peers.alice.create_data_channel("chat")
            if moment != "before negotiation":
                await connect(peers.alice, peers.bob)
            if moment == "connected":
                await state_reached(peers.alice, "connected")
            raise BugError

    with pytest.raises(BugError):
        await fail()


async def test_errors_in_the_block_and_in_a_handler_are_grouped() -> None:
    """Both exceptions are raised in a group."""

    async def fail() -> None:
        async with two_peers() as peers:
            peers.alice.on_signaling_state_change = raise_at_once
            peers.alice.create_data_channel("chat")
            try:
                await peers.alice.set_local_description()
                await trio.sleep_forever()
            finally:
                raise KeyError("in the block")

    with pytest.raises(ExceptionGroup) as caught:
        await fail()
    assert {type(error) for error in caught.value.exceptions} == {BugError, KeyError}


async def test_the_other_peer_continues() -> None:
    async with two_peers() as peers:
        peers.bob.on_data_channel = lambda event: None

        async def fail() -> None:
            async with another_peer(peers) as alice:
                alice.create_data_channel("chat").on_open = raise_later
                await connect(alice, peers.bob)
                await trio.sleep_forever()

        with pytest.raises(BugError):
            await fail()
        await trio.sleep(1)
        assert peers.bob.signaling_state == "stable"
        channel = peers.bob.create_data_channel("nobody hears")
        with pytest.raises(trio.BrokenResourceError, match="the SCTP association has ended"):
            await channel.opened()
