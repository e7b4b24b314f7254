"""Janus: its echo test, and subscribing, unsubscribing and resubscribing in its video room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, assert_counting
from tests.interop.drivers.janus import ROOM, Handle, JanusClient, data_of, open_janus
from tests.interop.own_media import OwnMedia, read_counters, wait_for_tone
from tests.interop.own_peer import OwnPeer, open_own_peer

VIDEO_ROOM = "janus.plugin.videoroom"


@asynccontextmanager
async def session() -> AsyncIterator[tuple[JanusClient, trio.Nursery]]:
    """Open a session with a nursery for sources, with a time limit."""
    async with open_janus() as janus:
        with trio.fail_after(CALL_SECONDS):
            async with trio.open_nursery() as nursery:
                yield janus, nursery
                nursery.cancel_scope.cancel()


async def offer(own: OwnPeer, handle: Handle, body: dict[str, object], *, trickle: bool = False) -> None:
    """Send an offer with a message, and set the answer of Janus."""
    described = await own.create_offer(trickle=trickle)
    answer = await handle.message(body, described)
    await own.set_answer(answer["jsep"])
    while trickle:
        candidate = await own.next_candidate()
        await handle.trickle(candidate)
        trickle = candidate is not None


async def answer_offer(own: OwnPeer, handle: Handle, event: dict[str, object]) -> None:
    """Answer an offer of the video room."""
    described = event["jsep"]
    assert isinstance(described, dict)
    answer = await own.create_answer(described, trickle=False)
    started = await handle.message({"request": "start"}, answer)
    assert data_of(started)["started"] == "ok"


async def assert_received(own: OwnPeer, *, least: int = 0) -> int:
    """Wait for numbered video and our tone in the receiving transceivers, and return the last number."""
    media = {
        each.receiver.track.kind: each.receiver.track
        for each in own.pc.get_transceivers()
        if each.current_direction in ("sendrecv", "recvonly")
    }
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_tone, media["audio"], OUR_TONE)
        counters = await read_counters(media["video"], count=8, least=least)
    assert_counting(counters)
    return counters[-1]


@pytest.mark.parametrize("trickle", [True, False], ids=["trickle", "vanilla"])
async def test_the_echo_test_returns_media_and_data(trickle: bool) -> None:
    async with session() as (janus, nursery), open_own_peer() as own:
        media = OwnMedia(own.pc, nursery)
        media.add_audio(frequency=OUR_TONE)
        media.add_video()
        channel = own.pc.create_data_channel("JanusDataChannel")
        handle = await janus.attach("janus.plugin.echotest")
        await offer(own, handle, {"audio": True, "video": True, "data": True}, trickle=trickle)
        await channel.opened()
        await channel.send("hello")
        assert "hello" in str(await channel.receive())
        await assert_received(own)


async def test_a_subscriber_of_the_video_room_leaves_and_returns() -> None:
    async with session() as (janus, nursery), open_own_peer() as publisher, open_own_peer() as subscriber:
        media = OwnMedia(publisher.pc, nursery)
        media.add_audio(frequency=OUR_TONE)
        media.add_video()
        publishing = await janus.attach(VIDEO_ROOM)
        joined = await publishing.message({"request": "join", "ptype": "publisher", "room": ROOM})
        feed = {"feed": data_of(joined)["id"]}
        await offer(publisher, publishing, {"request": "configure", "audio": True, "video": True})
        # Janus announces the feed only after the DTLS handshake.
        await publishing.wait_for("webrtcup")

        subscribing = await janus.attach(VIDEO_ROOM)
        join = {"request": "join", "ptype": "subscriber", "room": ROOM, "streams": [feed]}
        await answer_offer(subscriber, subscribing, await subscribing.message(join))
        last = await assert_received(subscriber)

        for _ in range(2):
            left = await subscribing.message({"request": "unsubscribe", "streams": [feed]})
            await answer_offer(subscriber, subscribing, left)
            directions = {each.current_direction for each in subscriber.pc.get_transceivers()}
            assert directions == {"inactive"}
            back = await subscribing.message({"request": "subscribe", "streams": [feed]})
            await answer_offer(subscriber, subscribing, back)
            last = await assert_received(subscriber, least=last + 1)
