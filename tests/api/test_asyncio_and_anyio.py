"""Under asyncio all entry points raise an error that names trio; with anyio on trio all of them work."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
import trio.testing

from tests.strategies.calls import opus_frame
from tests.strategies.json_channels import json_channel_pair
from tests.strategies.peers import connect
from trio_rtc import (
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
    Settings,
    media,
    open_media_track,
    signaling,
)
from trio_rtc.testing import SimulatedNetwork


def enter(manager: AbstractAsyncContextManager[object]) -> Awaitable[object]:
    return manager.__aenter__()


def peer_connection() -> RTCPeerConnection:
    return RTCPeerConnection()


def channel() -> RTCDataChannel:
    return RTCPeerConnection().create_data_channel("x")


def sender() -> RTCRtpSender:
    return RTCPeerConnection().add_transceiver("video").sender


def receiver() -> RTCRtpReceiver:
    return RTCPeerConnection().add_transceiver("video").receiver


def track() -> MediaStreamTrack:
    return open_media_track("audio")[1]


def source() -> MediaStreamTrackSource:
    return open_media_track("audio")[0]


async def called(function: Callable[[], object]) -> object:
    """Call a synchronous function inside an asynchronous one."""
    return function()


ENTRIES: dict[str, Callable[[], Awaitable[object]]] = {
    "async with RTCPeerConnection": lambda: enter(peer_connection()),
    "RTCPeerConnection.create_offer": lambda: peer_connection().create_offer(),
    "RTCPeerConnection.create_answer": lambda: peer_connection().create_answer(),
    "RTCPeerConnection.set_local_description": lambda: peer_connection().set_local_description(),
    "RTCPeerConnection.set_remote_description": lambda: peer_connection().set_remote_description(
        RTCSessionDescription("offer", "")
    ),
    "RTCPeerConnection.add_ice_candidate": lambda: peer_connection().add_ice_candidate(),
    "RTCPeerConnection.get_stats": lambda: peer_connection().get_stats(),
    "RTCPeerConnection.aclose": lambda: peer_connection().aclose(),
    "RTCPeerConnection.get_identity_assertion": lambda: peer_connection().get_identity_assertion(),
    "RTCPeerConnection.gathering_complete": lambda: peer_connection().gathering_complete(),
    "RTCPeerConnection.peer_closed": lambda: peer_connection().peer_closed(),
    "RTCPeerConnection.generate_certificate": RTCPeerConnection.generate_certificate,
    "EventTarget.subscribe": lambda: enter(peer_connection().subscribe("track")),
    "RTCDataChannel.opened": lambda: channel().opened(),
    "RTCDataChannel.receive": lambda: channel().receive(),
    "RTCDataChannel.send": lambda: channel().send("x"),
    "RTCDataChannel.aclose": lambda: channel().aclose(),
    "RTCDataChannel.wait_for_room": lambda: channel().wait_for_room(),
    "RTCRtpSender.set_parameters": lambda: sender().set_parameters(sender().get_parameters()),
    "RTCRtpSender.replace_track": lambda: sender().replace_track(None),
    "RTCRtpSender.generate_key_frame": lambda: sender().generate_key_frame(),
    "RTCRtpSender.get_stats": lambda: sender().get_stats(),
    "RTCRtpSender.send_rtp": lambda: sender().send_rtp(),
    "RTCRtpSender.keyframe_requests": lambda: enter(sender().keyframe_requests()),
    "RTCRtpSender.bitrate_changes": lambda: enter(sender().bitrate_changes()),
    "RTCRtpReceiver.send_key_frame_request": lambda: receiver().send_key_frame_request(),
    "RTCRtpReceiver.get_stats": lambda: receiver().get_stats(),
    "RTCRtpReceiver.rtp_packets": lambda: enter(receiver().rtp_packets()),
    "RTCRtpReceiver.encoded_frames": lambda: enter(receiver().encoded_frames()),
    "RTCRtpReceiver.telephone_events": lambda: enter(receiver().telephone_events()),
    "MediaStreamTrack.receive": lambda: track().receive(),
    "MediaStreamTrack.aclose": lambda: track().aclose(),
    "MediaStreamTrack.apply_constraints": lambda: track().apply_constraints(),
    "MediaStreamTrackSource.send": lambda: source().send(opus_frame(0)),
    "MediaStreamTrackSource.drain": lambda: source().drain(),
    "MediaStreamTrackSource.queued": lambda: called(lambda: source().queued),
    "MediaStreamTrackSource.drop_queued": lambda: called(lambda: source().drop_queued()),
    "MediaStreamTrackSource.aclose": lambda: source().aclose(),
    "signaling.connect": lambda: enter(signaling.connect("ws://127.0.0.1:1/", room="x")),
    "signaling.serve": lambda: signaling.serve(port=0),
    "signaling.negotiate": lambda: signaling.negotiate(
        json_channel_pair()[0], peer_connection(), polite=True
    ),
    "media.open_player": lambda: enter(media.open_player("x.webm")),
    "media.open_recorder": lambda: enter(media.open_recorder("x.webm")),
    "media.list_devices": media.list_devices,
    "PatternSource.receive": lambda: media.test_pattern(16, 16).receive(),
    "ToneSource.receive": lambda: media.tone(440).receive(),
    "async with SimulatedNetwork": lambda: enter(SimulatedNetwork()),
    "SimulatedNetwork.run": lambda: SimulatedNetwork().run(),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_asyncio_is_told_that_trio_is_needed(entry: str) -> None:
    async def main() -> None:
        with pytest.raises(
            RuntimeError, match=f"^{entry} needs trio, and no trio run is active here: .*trio.run"
        ):
            await ENTRIES[entry]()

    asyncio.run(main())


def test_all_asynchronous_methods_are_covered() -> None:
    classes = [
        RTCPeerConnection,
        RTCDataChannel,
        RTCRtpSender,
        RTCRtpReceiver,
        MediaStreamTrack,
        MediaStreamTrackSource,
    ]
    methods = {
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, member in vars(cls).items()
        if not name.startswith("_") and is_asynchronous(member)
    }
    assert methods - ENTRIES.keys() == set()
    assert len(methods) > 25


def is_asynchronous(member: Any) -> bool:
    function = inspect.unwrap(getattr(member, "__func__", member))
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def test_anyio_on_trio_works(tmp_path: Path) -> None:
    async def main() -> str | bytes:
        network = SimulatedNetwork()
        hosts = [
            network.add_host(name, [address]) for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2"))
        ]
        async with (
            network,
            RTCPeerConnection(settings=Settings(network=hosts[0])) as alice,
            RTCPeerConnection(settings=Settings(network=hosts[1])) as bob,
            bob.subscribe("data_channel") as announced,
            anyio.create_task_group() as tasks,
        ):
            mine = alice.create_data_channel("chat")
            await connect(alice, bob)
            with anyio.fail_after(30):
                await mine.opened()
                tasks.start_soon(mine.send, "hello")
                event = await announced.receive()
                message: str | bytes = await event.channel.receive()
            await anyio.sleep(1)
        return message

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert anyio.run(main, backend="trio", backend_options={"clock": clock}) == "hello"
    with pytest.raises(RuntimeError, match="async with SimulatedNetwork needs trio"):
        anyio.run(main, backend="asyncio")
