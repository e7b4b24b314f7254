"""Rollbacks, provisional answers and ICE restarts with browsers, from either side, before and during a call."""

import re

import pytest

from tests.interop.calling import THEIR_START, THEIR_TONE, Call, calling
from tests.interop.drivers.rpc import JsonObject
from tests.interop.opening import Peers
from tests.interop.own_media import read_counters, wait_for_tone
from tests.interop.remote_peer import RemoteChannel
from trio_rtc import RTCDataChannel

BROWSERS = pytest.mark.parametrize("name", ["chromium", "firefox"])
OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
ROLLBACK: JsonObject = {"type": "rollback"}


def fragments(call: Call) -> set[str]:
    """Return our ICE username fragments and the browser's."""
    local, remote = call.own.pc.local_description, call.own.pc.remote_description
    assert local is not None
    assert remote is not None
    return set(re.findall(r"a=ice-ufrag:(\S+)", local.sdp + remote.sdp))


async def roll_back(call: Call, *, we_offer: bool) -> None:
    """Send an offer that both sides roll back."""
    theirs = call.remote.negotiation
    if we_offer:
        await theirs.set_remote_description(await call.own.create_offer(trickle=False))
        assert (await theirs.states())["signalingState"] == "have-remote-offer"
        await theirs.set_remote_description(ROLLBACK)
        await call.own.pc.set_local_description(ROLLBACK)
    else:
        await call.own.pc.set_remote_description(await call.remote.create_offer(trickle=False))
        assert call.own.pc.signaling_state == "have-remote-offer"
        await call.own.pc.set_remote_description(ROLLBACK)
        await theirs.set_local_description(ROLLBACK)
    assert call.own.pc.signaling_state == "stable"
    assert (await theirs.states())["signalingState"] == "stable"


async def roll_back_implicitly(call: Call, *, we_offer: bool) -> None:
    """Create an offer on both sides, of which one is answered."""
    ours, theirs = await call.own.create_offer(trickle=False), await call.remote.create_offer(trickle=False)
    if we_offer:
        await call.own.set_answer(await call.remote.create_answer(ours, trickle=False))
    else:
        await call.remote.set_answer(await call.own.create_answer(theirs, trickle=False))


async def open_channels(call: Call) -> tuple[RTCDataChannel, RemoteChannel]:
    """Create a negotiated channel, so that the offers of both sides contain its section."""
    ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
    return ours, await call.remote.create_data_channel("chat", negotiated=True, id=0)


async def assert_messages(ours: RTCDataChannel, theirs: RemoteChannel) -> None:
    """Exchange a message in each direction."""
    await ours.opened()
    await theirs.opened.wait()
    await ours.send("still there")
    assert await theirs.receive() == "still there"
    await theirs.send("here, too")
    assert await ours.receive() == "here, too"


async def assert_we_receive(call: Call) -> None:
    """Wait until we receive the browser's audio and video."""
    (video,), (audio,) = call.ours.of_kind("video"), call.ours.of_kind("audio")
    await read_counters(video.receiver.track, least=THEIR_START)
    await wait_for_tone(audio.receiver.track, THEIR_TONE)


@OFFERING
@BROWSERS
async def test_a_call_after_offers_that_were_rolled_back(peers: Peers, name: str, we_offer: bool) -> None:
    """Browsers receive badly after rollbacks, also from each other, so that we check less of what they receive.

    After a rollback Chromium renders no video any more, which it decodes, and after one of its own offer Firefox
    decodes nothing until the next offer.
    """
    async with calling(peers, name) as call:
        await call.add_all()
        for we_roll_back in (True, False):
            await roll_back(call, we_offer=we_roll_back)
        channel, theirs = await open_channels(call)
        await call.negotiate(we_offer=we_offer, trickle=False)
        await call.assert_media_received()
        # During the call, with ICE restarts that are rolled back and then made.
        for we_roll_back in (True, False):
            call.own.pc.restart_ice()
            await call.remote.restart_ice()
            await roll_back(call, we_offer=we_roll_back)
            await assert_messages(channel, theirs)
            await assert_we_receive(call)
        before = fragments(call)
        await call.negotiate(we_offer=we_offer, trickle=False)
        assert not before & fragments(call)
        await assert_messages(channel, theirs)
        await call.assert_media_received()
        assert call.own.pc.connection_state == "connected"


@OFFERING
@BROWSERS
async def test_a_call_after_an_implicit_rollback(peers: Peers, name: str, we_offer: bool) -> None:
    """Both sides set an offer, first before the call, then with new media in it; the polite side rolls back its own."""
    async with calling(peers, name) as call:
        await call.add_all("audio")
        channel, theirs = await open_channels(call)
        await roll_back_implicitly(call, we_offer=we_offer)
        await assert_messages(channel, theirs)
        await call.add_all("video")
        await roll_back_implicitly(call, we_offer=not we_offer)
        await call.assert_media_received()
        await assert_messages(channel, theirs)
        # Our tracks have one section each: the rolled back offers left none behind.
        sections = [each["mid"] for each in await call.theirs.transceivers()]
        assert [each.mid for each in call.own.pc.get_transceivers()] == sections
        assert len(sections) == 2
