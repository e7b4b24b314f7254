"""Names that the code blocks of each page presuppose, and peers that do their part.

A stage yields the namespace in which the blocks of its page run. ``trio_rtc.RTCPeerConnection`` in it is on the
simulated network, unless the stage is in real time.
"""

import json
import logging
import os
import re
import runpy
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import trio_rtc
from tests.strategies.json_channels import json_channel_pair
from tests.strategies.media import until_connected
from tests.strategies.pages import ROOT
from tests.strategies.peers import connect, settings_for
from tests.strategies.running_examples import free_port
from tests.strategies.tls_server import self_signed
from trio_rtc import media, signaling
from trio_rtc.identity import SignedIdentityProvider
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import AttributeType, StunAttribute, binding_request
from trio_rtc.testing import SimulatedHost, SimulatedNetwork

Namespace = dict[str, Any]


@attrs.frozen
class Stage:
    """Conditions under which the blocks of a page run.

    Attributes:
        open: Yields the namespace.
        seconds: How long a block may run, and in virtual time also how long the next one waits after it.
        real_time: Whether the blocks use sockets of this machine.
        replaced: Texts in the blocks that are replaced, such as ports that others may use.
        until: Whether a block has done enough, by the namespace; a block that serves forever is cancelled then.
        needs: A module that not every installation has.
    """

    open: Callable[[], AbstractAsyncContextManager[Namespace]]
    seconds: float = 3.0
    real_time: bool = False
    replaced: Mapping[str, str] = attrs.field(factory=dict)
    until: Callable[[Namespace], bool] | None = None
    needs: str | None = None


@contextmanager
def working_directory() -> Iterator[Path]:
    """Change to an empty directory."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try:
            yield Path(directory)
        finally:
            os.chdir(before)


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo what blocks change of logging."""
    root, ice = logging.getLogger(), logging.getLogger("trio_rtc.ice")
    before = root.level, list(root.handlers), ice.level
    try:
        yield
    finally:
        root.level, root.handlers, ice.level = before
        logging.getLogger("trio_rtc").manager._clear_cache()  # type: ignore[attr-defined]


def example(name: str) -> Namespace:
    """Return the names of an example."""
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"))


def on_network(host: SimulatedHost) -> Any:
    """Return ``trio_rtc`` with peer connections on a simulated network."""
    count = iter(range(100))

    def peer_connection(
        configuration: trio_rtc.RTCConfiguration | None = None, *, settings: trio_rtc.Settings | None = None
    ) -> trio_rtc.RTCPeerConnection:
        return trio_rtc.RTCPeerConnection(configuration, settings=settings_for(host, next(count), settings))

    public = {name: getattr(trio_rtc, name) for name in trio_rtc.__all__}
    return SimpleNamespace(**{**public, "RTCPeerConnection": peer_connection})


async def feed(source: trio.abc.ReceiveChannel[Any], frames: trio_rtc.MediaStreamTrackSource) -> None:
    async for frame in source:
        await frames.send(frame)


async def always(action: Callable[[], object], *, every: float = 0.5) -> None:
    """Do something again and again."""
    while True:
        await trio.sleep(every)
        action()


@attrs.define
class Scene:
    """Two peers on a simulated network, alice on the page's side."""

    network: SimulatedNetwork
    trio_rtc: Any
    alice: trio_rtc.RTCPeerConnection
    bob: trio_rtc.RTCPeerConnection
    nursery: trio.Nursery

    @property
    def names(self) -> Namespace:
        return {
            "trio": trio,
            "trio_rtc": self.trio_rtc,
            "media": media,
            "signaling": signaling,
            "partial": partial,
            "nursery": self.nursery,
            "pc": self.alice,
        }

    async def negotiate(self) -> None:
        """Begin to negotiate."""
        channels = json_channel_pair()
        for pc, channel in zip((self.alice, self.bob), channels, strict=True):
            polite = pc is self.alice
            await self.nursery.start(partial(signaling.negotiate, channel, pc, polite=polite))

    def send(self, pc: trio_rtc.RTCPeerConnection, kind: str, **options: Any) -> trio_rtc.RTCRtpTransceiver:
        """Send a small video, or a tone, from a peer."""
        frames, track = trio_rtc.open_media_track(kind)
        source = media.test_pattern(64, 48, 10) if kind == "video" else media.tone(440)
        self.nursery.start_soon(feed, source, frames)
        return pc.add_transceiver(track, **options)

    async def connected(self) -> None:
        """Wait until both are connected."""
        for pc in (self.alice, self.bob):
            await until_connected(pc)


@asynccontextmanager
async def scene(*, negotiating: bool = True) -> AsyncIterator[Scene]:
    """Open two peers, between which perfect negotiation does the rest."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", {"eth0": ["10.0.0.1"]}), network.add_host("bob", ["10.0.0.2"])
        async with (
            trio_rtc.RTCPeerConnection(settings=settings_for(hosts[0], 1000)) as alice,
            trio_rtc.RTCPeerConnection(settings=settings_for(hosts[1], 1001)) as bob,
            trio.open_nursery() as nursery,
        ):
            peers = Scene(network, on_network(hosts[0]), alice, bob, nursery)
            if negotiating:
                await peers.negotiate()
            yield peers
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def tutorial() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        frames, track = trio_rtc.open_media_track("video")
        peers.nursery.start_soon(feed, media.test_pattern(64, 48, 10), frames)
        yield {**peers.names, "alice": peers.alice, "feed": feed, "track": track}
        assert {receiver.track.kind for receiver in peers.bob.get_receivers()} == {"audio", "video"}


@asynccontextmanager
async def debug() -> AsyncIterator[Namespace]:
    async with scene(negotiating=False) as peers:
        for pc in (peers.alice, peers.bob):
            peers.send(pc, "video")
            pc.on_track = lambda event: peers.nursery.start_soon(watch, event.track)

        async def connect_later() -> None:
            await trio.sleep(1)
            await peers.negotiate()

        peers.nursery.start_soon(connect_later)
        with logging_as_before():
            yield peers.names


async def watch(track: trio_rtc.MediaStreamTrack) -> None:
    async for _ in track:
        pass


@asynccontextmanager
async def encrypt_end_to_end() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        transceiver = peers.send(peers.alice, "video")
        encryption = example("encrypted_call")["Encryption"]("words")
        ends = {"sender": transceiver.sender, "receiver": transceiver.receiver}
        yield {**peers.names, **ends, "encryption": encryption}
        assert transceiver.sender.transform == encryption.encrypt


@asynccontextmanager
async def identity() -> AsyncIterator[Namespace]:
    bob_key = Ed25519PrivateKey.generate()
    async with SimulatedNetwork() as network, trio.open_nursery() as nursery:
        hosts = network.add_host("alice", {"eth0": ["10.0.0.1"]}), network.add_host("bob", ["10.0.0.2"])
        names: Namespace = {"trio_rtc": on_network(hosts[0]), "bob_public_key": bob_key.public_key()}

        async def find_alice(_: str) -> list[Ed25519PublicKey]:
            return [names["alice_public_key"]]

        async def find_bob(_: str) -> list[Ed25519PublicKey]:
            return [names["bob_public_key"]]

        provider = SignedIdentityProvider(
            "example.org", identity="bob@example.org", signing_key=bob_key, keys=find_alice
        )
        options = trio_rtc.IdentityOptions(providers={("example.org", "default"): provider})

        async def negotiate(pc: trio_rtc.RTCPeerConnection) -> None:
            settings = settings_for(hosts[1], 1001, trio_rtc.Settings(identity=options))
            bob = await nursery.start(open_connection, settings)
            bob.set_identity_provider("example.org")
            await connect(pc, bob)

        names |= {"negotiate": negotiate, "directory": SimpleNamespace(keys_of=find_bob)}
        yield names
        assert names["caller"] == "bob@example.org"
        nursery.cancel_scope.cancel()


async def open_connection(
    settings: trio_rtc.Settings, *, task_status: trio.TaskStatus[trio_rtc.RTCPeerConnection]
) -> None:
    async with trio_rtc.RTCPeerConnection(settings=settings) as pc:
        task_status.started(pc)
        await trio.sleep_forever()


@asynccontextmanager
async def files() -> AsyncIterator[Namespace]:
    with working_directory() as directory:
        async with media.open_recorder("film.mp4") as recorder:
            await record_pattern(recorder)
        async with scene() as peers:
            tracks = [peers.send(peers.bob, kind).sender.track for kind in ("audio", "video")]
            names = {"audio_track": tracks[0], "video_track": tracks[1]}
            yield {**peers.names, **names}
        assert (directory / "call.webm").stat().st_size > 1000


async def record_pattern(recorder: media.Recorder) -> None:
    """Record a video of a second."""
    frames, channel = trio.open_memory_channel[Any](0)
    recorder.add(channel)
    source = media.test_pattern(64, 48, 10, realtime=False)
    async with frames:
        for _ in range(10):
            await frames.send(await source.receive())
    await recorder.wait()


@asynccontextmanager
async def forward() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        peers.send(peers.bob, "audio")
        sender = peers.alice.add_transceiver("video", direction="sendonly").sender
        async with peers.alice.subscribe("track") as tracks:
            event = await tracks.receive()
        await peers.connected()
        peers.nursery.start_soon(always, lambda: request_keyframes(peers.bob))
        yield {**peers.names, "receiver": event.receiver, "sender": sender}


def request_keyframes(pc: trio_rtc.RTCPeerConnection) -> None:
    for receiver in pc.get_receivers():
        if receiver.track.kind == "video":
            receiver.request_keyframe()


@asynccontextmanager
async def change_descriptions() -> AsyncIterator[Namespace]:
    async with scene(negotiating=False) as peers:
        peers.alice.add_transceiver("audio")
        namespace = {**peers.names, "re": re}
        yield namespace
        assert peers.alice.local_description is not None
        assert "stereo=1" in peers.alice.local_description.sdp
        assert f"a=ice-pwd:{namespace['text']}" in namespace["client"].local_description.sdp


@asynccontextmanager
async def ice_servers() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        namespace = peers.names
        yield namespace
        is_public = namespace["settings"].remote_candidate_filter
        assert is_public("8.8.8.8", 3478)
        assert not is_public("10.0.0.1", 3478)


@asynccontextmanager
async def one_port() -> AsyncIterator[Namespace]:
    """Send checks of an unknown peer to the port."""
    async with SimulatedNetwork() as network, trio.open_nursery() as nursery:
        host, client = network.add_host("server", ["192.0.2.1"]), network.add_host("client", ["192.0.2.2"])
        check = binding_request(
            bytes(12), [StunAttribute(AttributeType.USERNAME, b"expected:theirs")]
        ).encode()
        socket = await client.bind_udp(client.interface_addresses()[0])

        async def send_checks() -> None:
            while True:
                socket.send_nowait([check], Address("192.0.2.1", 3478))
                await trio.sleep(0.5)

        nursery.start_soon(send_checks)
        namespace: Namespace = {"trio_rtc": trio_rtc, "host": host}
        yield namespace
        assert namespace["check"].username_fragment == "expected"
        socket.close()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def rooms() -> AsyncIterator[Namespace]:
    async with trio.open_nursery() as nursery:
        await nursery.start(signaling.serve, "127.0.0.1", ROOMS_PORT)

        async def other_member() -> None:
            async with (
                signaling.connect(f"ws://127.0.0.1:{ROOMS_PORT}/", room="lobby") as room,
                trio_rtc.RTCPeerConnection() as pc,
            ):
                await signaling.negotiate(await room.receive(), pc)

        nursery.start_soon(other_member)
        namespace = {"trio": trio, "trio_rtc": trio_rtc}
        yield namespace
        assert namespace["channel"].ready_state == "closed"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def peer_leaves() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        channel = peers.alice.create_data_channel("chat")
        ended = trio.Event()

        async def work(pc: trio_rtc.RTCPeerConnection) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.set()

        namespace = {**peers.names, "channel": channel, "work": work}
        yield namespace
        # The function of the page serves a connection of its own, whose peer leaves.
        served = peers.trio_rtc.RTCPeerConnection()
        peers.nursery.start_soon(namespace["serve"], served)
        await trio.testing.wait_all_tasks_blocked()
        async with peers.trio_rtc.RTCPeerConnection() as other:
            other.create_data_channel("chat")
            await connect(other, served)
            await until_connected(served)
        await ended.wait()


@asynccontextmanager
async def own_signaling() -> AsyncIterator[Namespace]:
    async with trio_rtc.RTCPeerConnection() as alice, trio_rtc.RTCPeerConnection() as bob:
        async with alice.subscribe("ice_candidate") as candidates:
            alice.create_data_channel("chat")
            await alice.set_local_description()
            candidate = (await candidates.receive()).candidate
        names = {"trio": trio, "trio_rtc": trio_rtc, "signaling": signaling}
        namespace = {**names, "alice": alice, "bob": bob, "candidate": candidate}
        yield namespace
        json_lines = namespace["JsonLines"]
        await hostile_lines(json_lines)


async def hostile_lines(json_lines: Any) -> None:
    """Send what is no JSON to the page's channel."""
    for data in (b"{\n", b"[" * 100_000 + b"\n", b" " * 1_000_001):
        ours, theirs = trio.testing.memory_stream_pair()
        async with json_lines(theirs) as channel, trio.open_nursery() as nursery:
            nursery.start_soon(ours.send_all, data)
            with pytest.raises(trio.BrokenResourceError):
                await channel.receive()
    ours, theirs = trio.testing.memory_stream_pair()
    async with json_lines(theirs) as channel:
        await ours.aclose()
        with pytest.raises(trio.EndOfChannel):
            await channel.receive()


@asynccontextmanager
async def http_signaling() -> AsyncIterator[Namespace]:
    serve_call = example("http_offer")["serve_call"]
    async with trio.open_nursery() as nursery:

        async def post(path: str, body: Any) -> Any:
            assert path == "/offer"
            return json.loads(json.dumps(await nursery.start(serve_call, body)))

        yield {"trio": trio, "trio_rtc": trio_rtc, "post": post}
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def containers() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        namespace = peers.names
        yield namespace


@asynccontextmanager
async def numpy_opencv() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        namespace = peers.names
        yield namespace
        tasks = peers.nursery

        async def handle(event: trio_rtc.RTCTrackEvent) -> None:
            tasks.start_soon(namespace["detect" if event.track.kind == "video" else "measure"], event.track)

        peers.bob.on_track = handle
        drawn, drawing = trio_rtc.open_media_track("video")
        frames, filtered = trio_rtc.open_media_track("video")
        played, sound = trio_rtc.open_media_track("audio")
        for track in (filtered, sound):
            peers.alice.add_track(track)
        tasks.start_soon(namespace["filter_video"], drawing, frames)
        await peers.connected()
        await trio.sleep(0.5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(namespace["draw"], drawn)
            nursery.start_soon(namespace["play"], played)
        drawn.close()
        await trio.sleep(1)
        # Here as well, since lines that run in threads are not recorded.
        pattern = media.draw_pattern(7, 64, 48)
        pattern.pts, pattern.time_base = 1, Fraction(1, 30)
        outlined = namespace["outline"](pattern)
        assert (outlined.width, outlined.height, outlined.format.name) == (64, 48, "yuv420p")
        assert outlined.to_ndarray(format="gray").max() > 200


@asynccontextmanager
async def receive_frames() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        audio = peers.send(peers.bob, "audio")
        async with peers.alice.subscribe("track") as tracks:
            event = await tracks.receive()
        await peers.connected()

        async def add_video() -> None:
            await trio.sleep(1)
            peers.send(peers.bob, "video")

        def press_key() -> None:
            assert audio.sender.dtmf is not None
            audio.sender.dtmf.insert_dtmf("1")

        peers.nursery.start_soon(add_video)
        peers.nursery.start_soon(partial(always, press_key, every=1))
        yield {**peers.names, "receiver": event.receiver, "transceiver": event.transceiver}


@asynccontextmanager
async def send_track() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        made = trio.Event()
        peers.nursery.start_soon(always, lambda: request_keyframes(peers.bob))
        namespace = {**peers.names, "make_a_keyframe": made.set}
        yield namespace
        assert made.is_set()
        assert namespace["sender"].track is None


@asynccontextmanager
async def signaling_server() -> AsyncIterator[Namespace]:
    with tempfile.TemporaryDirectory() as directory:
        _, context = self_signed(Path(directory))
        yield {"trio": trio, "signaling": signaling, "partial": partial, "context": context}


@asynccontextmanager
async def voice_bots() -> AsyncIterator[Namespace]:
    async with scene() as peers:
        samples = b"\0\0" * 16_000
        yield {**peers.names, "say": example("voice_bot")["say"], "samples": samples}


ROOMS_PORT = free_port()

STAGES = {
    "docs/tutorial": Stage(tutorial),
    "docs/howto/change_descriptions": Stage(change_descriptions),
    "docs/howto/containers": Stage(containers, seconds=60, replaced={'"0.0.0.0", 8080': '"127.0.0.1", 0'}),
    "docs/howto/debug": Stage(debug),
    "docs/howto/encrypt_end_to_end": Stage(encrypt_end_to_end),
    "docs/howto/files": Stage(files),
    "docs/howto/forward": Stage(forward),
    "docs/howto/http_signaling": Stage(http_signaling, seconds=30, real_time=True),
    "docs/howto/ice_servers": Stage(ice_servers, seconds=60, replaced={'cafile="authority.pem"': ""}),
    "docs/howto/identity": Stage(identity),
    "docs/howto/one_port": Stage(one_port, replaced={"port=3478": "port=3478, network=host"}),
    "docs/howto/negotiate": Stage(
        rooms,
        seconds=30,
        until=lambda names: (
            "server" in names or ("channel" in names and names["channel"].ready_state == "open")
        ),
        real_time=True,
        replaced={":8080/": f":{ROOMS_PORT}/", '"0.0.0.0", 8080': '"127.0.0.1", 0'},
    ),
    "docs/howto/numpy_opencv": Stage(numpy_opencv, needs="cv2"),
    "docs/howto/own_signaling": Stage(own_signaling, seconds=30, real_time=True),
    "docs/howto/peer_leaves": Stage(peer_leaves),
    "docs/howto/receive_frames": Stage(receive_frames, seconds=2),
    "docs/howto/send_track": Stage(send_track, seconds=1),
    "docs/howto/signaling_server": Stage(
        signaling_server,
        seconds=30,
        until=lambda names: "server" in names,
        real_time=True,
        replaced={'"0.0.0.0", 443': '"127.0.0.1", 0'},
    ),
    "docs/howto/voice_bots": Stage(voice_bots),
}
"""By the page's name without its suffix."""

PYTEST_FILES = {
    "docs/howto/test": """
import trio
import trio_rtc
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import AttributeType, StunAttribute, binding_request
from trio_rtc.testing import run

async def my_call():
    await trio.sleep(1)
    return "done"
"""
}
"""The imports and helpers before the tests of a page."""
