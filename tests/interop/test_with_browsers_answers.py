"""Provisional answers with browsers, and ICE restarts through which messages and media go on."""

from itertools import pairwise

import pytest
import trio

from tests.interop.calling import Call, calling, wait_until
from tests.interop.drivers.rpc import JsonObject
from tests.interop.opening import Peers
from tests.interop.own_media import read_counters
from tests.interop.remote_peer import RemoteChannel
from trio_rtc import RTCDataChannel, RTCSessionDescription

BROWSERS = pytest.mark.parametrize("name", ["chromium", "firefox"])
OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
VIDEO_FRAMES, LONGEST_STEP = 40, 12
"""Number of frames read through a restart, and the largest step between the numbers of two."""


def of_type(description: JsonObject, kind: str) -> JsonObject:
    """Return a description with another type."""
    return {**description, "type": kind}


async def answer_provisionally(call: Call, *, we_offer: bool) -> None:
    """Negotiate up to a provisional answer, with all candidates in both descriptions."""
    own, theirs = call.own, call.remote.negotiation
    if we_offer:
        await theirs.set_remote_description(await own.create_offer(trickle=False))
        await theirs.set_local_description(of_type(await theirs.create_description("answer"), "pranswer"))
        await wait_until(lambda: gathered(call))
        await own.pc.set_remote_description((await theirs.descriptions())["local"])
    else:
        await own.pc.set_remote_description(await call.remote.create_offer(trickle=False))
        answer = await own.pc.create_answer()
        await own.pc.set_local_description(RTCSessionDescription("pranswer", answer.sdp))
        await own.pc.gathering_complete()
        assert own.pc.local_description is not None
        await theirs.set_remote_description(dict(own.pc.local_description.to_json()))
    states = {own.pc.signaling_state, (await theirs.states())["signalingState"]}
    assert states == {"have-local-pranswer", "have-remote-pranswer"}


async def gathered(call: Call) -> bool:
    """Return whether the browser has gathered its candidates."""
    states = await call.remote.negotiation.states()
    return bool(states["iceGatheringState"] == "complete")


async def answer_finally(call: Call, *, we_offer: bool) -> None:
    """Answer the offer of a provisional answer."""
    own, theirs = call.own, call.remote.negotiation
    if we_offer:
        answer = await theirs.set_local_description()
        assert answer is not None
        await own.pc.set_remote_description(answer)
    else:
        await own.pc.set_local_description()
        assert own.pc.local_description is not None
        await theirs.set_remote_description(dict(own.pc.local_description.to_json()))
    states = {own.pc.signaling_state, (await theirs.states())["signalingState"]}
    assert states == {"stable"}


@OFFERING
async def test_provisional_answers(peers: Peers, we_offer: bool) -> None:
    """Media and messages pass as soon as the provisional answer is set, and after the answer. Firefox has none."""
    async with calling(peers, "chromium") as call:
        await call.add_all()
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
        theirs = await call.remote.create_data_channel("chat", negotiated=True, id=0)
        await answer_provisionally(call, we_offer=we_offer)
        await ours.opened()
        await theirs.opened.wait()
        await call.assert_media_received()
        await answer_finally(call, we_offer=we_offer)
        await call.assert_media_received()
        await ours.send("answered")
        assert await theirs.receive() == "answered"
        # A later offer is answered in two steps as well.
        if we_offer:
            call.ours.add_audio(frequency=700)
        else:
            await call.theirs.add_audio(frequency=700)
        await answer_provisionally(call, we_offer=we_offer)
        await answer_finally(call, we_offer=we_offer)
        assert len(await call.theirs.transceivers()) == len(call.own.pc.get_transceivers())
        assert call.own.pc.connection_state == "connected"


async def send_numbers(channel: RTCDataChannel | RemoteChannel, stop: trio.Event) -> int:
    """Send the numbers from 0 on until an event, and return how many."""
    number = 0
    while not stop.is_set():
        await channel.send(str(number))
        number += 1
        await trio.sleep(0.003)
    await channel.send("end")
    return number


async def receive_numbers(channel: RTCDataChannel | RemoteChannel) -> int:
    """Receive the numbers from 0 on to the end, and return how many."""
    number = 0
    while (message := await channel.receive()) != "end":
        assert message == str(number)
        number += 1
    return number


def assert_continuous(counters: list[int]) -> None:
    """Require video frames without a long gap."""
    assert max(later - sooner for sooner, later in pairwise(counters)) <= LONGEST_STEP


@OFFERING
@BROWSERS
async def test_messages_and_video_go_on_through_ice_restarts(peers: Peers, name: str, we_offer: bool) -> None:
    """No message of either side is lost, and no video frames are missing, while each side restarts ICE."""
    async with calling(peers, name) as call:
        await call.add_all("video")
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
        theirs = await call.remote.create_data_channel("chat", negotiated=True, id=0)
        await call.negotiate(we_offer=we_offer, trickle=False)
        await ours.opened()
        await call.assert_video_received()
        (video,) = call.ours.of_kind("video")
        assert video.mid is not None
        counters, counters_there = list[int](), list[int]()
        sent, received = dict[str, int](), dict[str, int]()
        restarted = trio.Event()

        async def watch() -> None:
            counters.extend(await read_counters(video.receiver.track, count=VIDEO_FRAMES))

        async def watch_there() -> None:
            counters_there.extend(await call.theirs.read_counters(str(video.mid), count=VIDEO_FRAMES))

        async def send(side: str, channel: RTCDataChannel | RemoteChannel) -> None:
            sent[side] = await send_numbers(channel, restarted)

        async def receive(side: str, channel: RTCDataChannel | RemoteChannel) -> None:
            received[side] = await receive_numbers(channel)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            nursery.start_soon(watch_there)
            for side, sending, receiving in (("we", ours, theirs), ("they", theirs, ours)):
                nursery.start_soon(send, side, sending)
                nursery.start_soon(receive, side, receiving)
            for we_restart in (we_offer, not we_offer):
                if we_restart:
                    call.own.pc.restart_ice()
                else:
                    await call.remote.restart_ice()
                await call.negotiate(we_offer=we_restart, trickle=False)
                await trio.sleep(0.7)
            restarted.set()
        assert sent == received
        assert min(sent.values()) > 50
        assert_continuous(counters)
        assert_continuous(counters_there)
        assert call.own.pc.connection_state == "connected"
