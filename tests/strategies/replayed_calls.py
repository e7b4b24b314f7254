"""Programs that must send the same packets in every run with the same seed, with default settings.

``python -m tests.strategies.replayed_calls 7`` prints the digest of one run of each.
"""

import sys
from collections.abc import Awaitable, Callable

import trio

from tests.strategies.calls import opus_frame, vp8_frame
from tests.strategies.peers import connect
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import MediaStreamTrackSource, RTCPeerConnection, Settings, media, open_media_track
from trio_rtc.testing import Link, SimulatedNetwork, run

HOSTILE = Link(delay=0.02, jitter=0.01, loss=0.1, duplicate=0.05, reorder=0.1)


async def data() -> str:
    """Exchange messages on several channels; return the digest of the network's trace."""
    network = SimulatedNetwork(link=HOSTILE)
    network.add_stun_server("stun.example", ["9.9.9.9"])
    hosts = [network.add_host(name, [address, f"fd00::{n}"]) for n, (name, address) in enumerate(HOSTS, 1)]
    async with (
        network,
        RTCPeerConnection(settings=Settings(network=hosts[0])) as alice,
        RTCPeerConnection(settings=Settings(network=hosts[1])) as bob,
        bob.subscribe("data_channel") as announced,
    ):
        mine = [alice.create_data_channel(label) for label in ("one", "two", "three")]
        await connect(alice, bob)
        theirs = {event.channel.label: event.channel for event in [await announced.receive() for _ in mine]}
        async with trio.open_nursery() as nursery:
            for channel in mine:
                nursery.start_soon(messages_pass, channel, theirs[channel.label], 10)
        await mine[0].send(bytes(100_000))
        await theirs["one"].receive()
        await trio.sleep(20)
    return f"{network.trace.sent} {network.trace.digest()}"


async def encoded_media() -> str:
    """Send frames that need no codec on several tracks; return the digest of the network's trace."""
    network, alice, bob = _callers(decode=False)
    async with network, alice, bob, trio.open_nursery() as nursery:
        sources = [open_media_track(kind, nursery=nursery) for kind in ("audio", "video", "video")]
        for source, track in sources:
            alice.add_track(track)
            nursery.start_soon(_send_encoded, source, track.kind)
        await connect(alice, bob)
        await state_reached(bob, "connected")
        for receiver in bob.get_receivers():
            nursery.start_soon(_consume, receiver.track)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    return f"{network.trace.sent} {network.trace.digest()}"


async def coded_media() -> str:
    """Send video and audio through codecs; return the digest of the network's trace."""
    network, alice, bob = _callers(decode=True)
    async with network, alice, bob, trio.open_nursery() as nursery:
        for kind, frames in (("video", media.test_pattern(160, 120, 15)), ("audio", media.tone(440))):
            source, track = open_media_track(kind, nursery=nursery)
            alice.add_track(track)
            nursery.start_soon(_send_all, source, frames)
        await connect(alice, bob)
        await state_reached(bob, "connected")
        for receiver in bob.get_receivers():
            nursery.start_soon(_consume, receiver.track)
        await trio.sleep(3)
        nursery.cancel_scope.cancel()
    return f"{network.trace.sent} {network.trace.digest()}"


HOSTS = (("alice", "10.0.0.1"), ("bob", "10.0.0.2"))
PROGRAMS: dict[str, Callable[[], Awaitable[str]]] = {
    "data": data,
    "encoded_media": encoded_media,
    "coded_media": coded_media,
}


def digest_of(program: str, seed: int) -> str:
    """Run a program and return the number of packets and the digest of its trace."""
    return run(PROGRAMS[program], seed=seed)


def _callers(*, decode: bool) -> tuple[SimulatedNetwork, RTCPeerConnection, RTCPeerConnection]:
    network = SimulatedNetwork(link=Link(delay=0.02, jitter=0.005, loss=0.05, rate=2e6, queue=30_000))
    hosts = [network.add_host(name, [address]) for name, address in HOSTS]
    alice, bob = (RTCPeerConnection(settings=Settings(network=host, decode=decode)) for host in hosts)
    return network, alice, bob


async def _send_encoded(source: MediaStreamTrackSource, kind: str) -> None:
    index = 0
    while True:
        await source.send(
            opus_frame(index) if kind == "audio" else vp8_frame(index, keyframe=index % 50 == 0)
        )
        index += 1
        await trio.sleep(0.02 if kind == "audio" else 0.04)


async def _send_all(source: MediaStreamTrackSource, frames: trio.abc.ReceiveChannel[object]) -> None:
    async for frame in frames:
        await source.send(frame)


async def _consume(track: trio.abc.ReceiveChannel[object]) -> None:
    async for _ in track:
        pass


if __name__ == "__main__":
    for each in PROGRAMS:
        print(digest_of(each, int(sys.argv[1])))
