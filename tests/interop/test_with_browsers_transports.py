"""Browsers without BUNDLE, whose sections have transports of their own, and calls that are handed over."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, THEIR_START, THEIR_TONE, Call
from tests.interop.drivers.rpc import JsonObject
from tests.interop.opening import Peers
from tests.interop.own_peer import open_own_peer
from tests.interop.remote_peer import RemoteChannel, RemotePeer
from trio_rtc import RTCConfiguration, RTCDataChannel

BROWSERS = pytest.mark.parametrize("name", ["chromium", "firefox"])
OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
LATER = 1_000_000
"""Distinguishes the numbers of the second endpoint's video frames from those of the first."""


@asynccontextmanager
async def calling_with(remote: RemotePeer, bundle_policy: str = "balanced") -> AsyncIterator[Call]:
    """Open our peer for a call with a time limit."""
    configuration = RTCConfiguration(bundle_policy=bundle_policy)
    with trio.fail_after(CALL_SECONDS):
        async with open_own_peer(configuration=configuration) as own, trio.open_nursery() as nursery:
            yield Call(own, remote, nursery)
            nursery.cancel_scope.cancel()


def without_bundle(description: JsonObject) -> JsonObject:
    """Return a description without BUNDLE group."""
    return {**description, "sdp": re.sub(r"a=group:BUNDLE.*\r\n", "", description["sdp"])}


async def open_channels(call: Call, number: int = 0) -> tuple[RTCDataChannel, RemoteChannel]:
    """Create a negotiated channel."""
    theirs = await call.remote.create_data_channel("chat", negotiated=True, id=number)
    return call.own.pc.create_data_channel("chat", negotiated=True, id=number), theirs


async def assert_call(call: Call, ours: RTCDataChannel, theirs: RemoteChannel, start: int = 0) -> None:
    """Wait until messages, video and tones pass in both directions."""
    await ours.opened()
    await theirs.opened.wait()
    await ours.send("to")
    await theirs.send("fro")
    assert (await theirs.receive(), await ours.receive()) == ("to", "fro")
    await call.assert_video_received(their_least=THEIR_START + start)
    await call.assert_tones_received()
    assert call.own.pc.connection_state == "connected"


def count_transports(call: Call) -> int:
    """Return the number of our transports."""
    pc = call.own.pc
    assert pc.sctp is not None
    return len({pc.sctp.transport, *(each.sender.transport for each in pc.get_transceivers())})


@pytest.mark.parametrize(("we_offer", "bundle_policy"), [(True, "balanced"), (False, "max-compat")])
@BROWSERS
async def test_each_section_has_its_transport_without_bundle(
    peers: Peers, name: str, we_offer: bool, bundle_policy: str
) -> None:
    """Our later offer keeps the transports."""
    async with (
        peers.open(name, {"bundlePolicy": bundle_policy}) as remote,
        calling_with(remote, bundle_policy) as call,
    ):
        await call.add_all()
        ours, theirs = await open_channels(call)
        offerer, answerer = (call.own, remote) if we_offer else (remote, call.own)
        offer = without_bundle(await offerer.create_offer(trickle=False))
        answer = await answerer.create_answer(offer, trickle=False)
        assert "a=group:BUNDLE" not in answer["sdp"]
        await offerer.set_answer(answer)
        await assert_call(call, ours, theirs)
        assert count_transports(call) == 3
        states = [each["dtlsState"] for each in await remote.get_stats() if each["type"] == "transport"]
        assert states == ["connected"] * 3
        await call.negotiate(we_offer=True, trickle=False)
        assert count_transports(call) == 3
        await assert_call(call, ours, theirs)


@pytest.mark.parametrize(("first", "second"), [("chromium", "firefox"), ("firefox", "chromium")])
async def test_a_call_is_handed_over_to_another_browser(peers: Peers, first: str, second: str) -> None:
    """The other browser answers our next offer."""
    async with peers.open(first) as one, peers.open(second) as other, calling_with(one) as call:
        await call.add_all()
        channels = await open_channels(call)
        await call.negotiate(we_offer=True, trickle=False)
        await assert_call(call, *channels)
        handed = Call(call.own, other, call.nursery)
        await add_theirs(handed)
        theirs = await other.create_data_channel("chat", negotiated=True, id=1)
        call.own.pc.restart_ice()
        await handed.negotiate(we_offer=True, trickle=False)
        await call.own.connection_state("connected")
        # Channels of the former association are closed.
        assert channels[0].ready_state == "closed"
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=1)
        await assert_call(handed, ours, theirs, LATER)


async def add_theirs(call: Call) -> None:
    """Add the sources of a second endpoint."""
    await call.theirs.add_audio(frequency=THEIR_TONE)
    await call.theirs.add_video(start=THEIR_START + LATER)


@OFFERING
@BROWSERS
async def test_a_call_is_handed_over_to_another_connection_that_offers(
    peers: Peers, name: str, we_offer: bool
) -> None:
    """The page continues with another connection, whose offer has the same sections."""
    async with peers.open(name) as remote, calling_with(remote) as call:
        await call.add_all()
        channels = await open_channels(call)
        await call.negotiate(we_offer=we_offer, trickle=False)
        await assert_call(call, *channels)
        await remote.replace()
        await add_theirs(call)
        theirs = await remote.create_data_channel("chat", negotiated=True, id=1)
        await call.negotiate(we_offer=False, trickle=False)
        await call.own.connection_state("connected")
        assert channels[0].ready_state == "closed"
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=1)
        await assert_call(call, ours, theirs, LATER)


async def test_chromium_continues_a_call_with_another_connection_of_ours(peers: Peers) -> None:
    """Our second connection answers Chromium's offer with another fingerprint. Firefox keeps the first association."""
    async with (
        peers.open("chromium") as remote,
        calling_with(remote) as call,
        calling_with(remote) as handed,
    ):
        await call.add_all()
        channels = await open_channels(call)
        await call.negotiate(we_offer=False, trickle=False)
        await assert_call(call, *channels)
        handed.ours.add_audio(frequency=OUR_TONE)
        handed.ours.add_video()
        ours = handed.own.pc.create_data_channel("chat", negotiated=True, id=1)
        await remote.restart_ice()
        await handed.negotiate(we_offer=False, trickle=False)
        theirs = await remote.create_data_channel("chat", negotiated=True, id=1)
        await assert_call(handed, ours, theirs)
