"""All counters of all layers are in ``get_stats()``."""

import ast
import contextlib
import functools
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
import pytest
import trio

import trio_rtc
from tests.strategies.calls import call
from tests.strategies.peers import channel_pair, negotiate, settings_for, trickle
from tests.strategies.scenarios import layer_counters, messages_pass
from tests.strategies.wires import PassThroughNetwork, PassThroughSocket
from trio_rtc import LayerStats, RTCPeerConnection, RTCStatsReport
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import Link, SimulatedNetwork
from trio_rtc.transports.network import InterfaceAddress

pytestmark = pytest.mark.usefixtures("autojump_clock")

PACKAGE = Path(trio_rtc.__file__).parent
# Counters within one transaction, look-up, message or trend.
COUNTS_OF_ONE_THING = {"deltas", "queries", "size", "transmissions"}
LOW_BIT = 64
UNUSED_NAME = "candidate:1 1 udp 2130706431 0e0b2c3d-0000-4000-8000-000000000000.local 5000 typ host"


@attrs.define
class CountingSocket(PassThroughSocket):
    """A simulated socket with the counter of a system socket."""

    unsendable: int = 0


@attrs.define
class CountingHost(PassThroughNetwork):
    """A host's network that records all opened sockets in ``sockets``."""

    sockets: list[CountingSocket] = attrs.Factory(list)

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> CountingSocket:
        self.sockets.append(CountingSocket(await self.inner.bind_udp(interface, port)))
        return self.sockets[-1]

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> CountingSocket:
        self.sockets.append(CountingSocket(await self.inner.open_multicast(interface, group)))
        return self.sockets[-1]


@functools.cache
def names_of_counters() -> frozenset[str]:
    """Return the public attributes that the layers only increment."""
    counted: set[str] = set()
    changed: set[str] = set()
    layers = [
        *PACKAGE.glob("protocols/**/*.py"),
        *PACKAGE.glob("transports/*.py"),
        *PACKAGE.glob("_pipeline/*.py"),
        PACKAGE / "_connection/media_engine.py",
        PACKAGE / "data_channels/data_channel.py",
        PACKAGE / "tracks/frame_queue.py",
        PACKAGE / "tracks/media_stream_track.py",
    ]
    functions = [
        node
        for path in layers
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
                (counted if isinstance(node.op, ast.Add) else changed).add(node.target.attr)
            elif isinstance(node, ast.Assign) and function.name != "__init__":
                stored = (each for target in node.targets for each in ast.walk(target))
                changed.update(each.attr for each in stored if isinstance(each, ast.Attribute))
    return frozenset(name for name in counted - changed - COUNTS_OF_ONE_THING if not name.startswith("_"))


def parts_of(whole: object) -> Iterator[object]:
    """Yield all objects of the package, and all ``Counter`` objects, within an object."""
    seen: dict[int, object] = {}
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, Counter):
            yield part
        elif isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple | set | frozenset | deque):
            waiting += part
        elif type(part).__module__.startswith("trio_rtc.testing"):
            # The network is not part of the connection.
            continue
        elif type(part).__module__.startswith("trio_rtc.") or isinstance(part, CountingSocket | CountingHost):
            yield part
            slots = [name for each in type(part).__mro__ for name in getattr(each, "__slots__", ())]
            waiting += [
                getattr(part, name) for name in slots if name != "__weakref__" and hasattr(part, name)
            ]
            waiting += getattr(part, "__dict__", {}).values()


def numbers_of(report: RTCStatsReport) -> Iterator[int]:
    for stats in report.values():
        layers = stats.counters.values() if isinstance(stats, LayerStats) else ()
        for values in (attrs.asdict(stats, recurse=False), *layers):
            yield from (value for value in values.values() if isinstance(value, int))


def add_marks(part: object, names: Sequence[str], bit: int) -> Iterator[str]:
    """Add a distinct power of two, from ``bit`` on, to each counter of a part, and yield the counters."""
    kind = type(part).__qualname__
    if isinstance(part, Counter):
        part["the test's reason"] += 1 << bit
        yield kind
        return
    for name in names:
        # Views and values only show counters of other objects.
        if type(value := getattr(part, name, None)) is int:
            with contextlib.suppress(AttributeError):
                setattr(part, name, value + (1 << bit))
                bit += 1
                yield f"{kind}.{name}"


async def mark_counters(pc: RTCPeerConnection) -> tuple[list[str], set[str]]:
    """Add a distinct number to each counter of a connection.

    Returns:
        The counters, and those whose numbers are missing in the statistics.
    """
    marked: dict[int, str] = {}
    names = sorted(names_of_counters())
    for part in parts_of(pc):
        for counter in add_marks(part, names, LOW_BIT + len(marked)):
            marked[LOW_BIT + len(marked)] = counter
    numbers = list(numbers_of(await pc.get_stats()))
    missing = {name for bit, name in marked.items() if not any(number >> bit & 1 for number in numbers)}
    return list(marked.values()), missing


async def test_every_counter_of_the_media_layers_is_reported() -> None:
    expected = {"Counter", "FrameSource.frames", "Pacer.refused", "PacketCounters.protected"}
    async with call(link=Link(loss=0.05)) as running:
        # Long enough for reports on audio, which come every five seconds.
        await running.send_audio_and_video(8)
        async with running.receiver.encoded_frames(), running.receiver.rtp_packets():
            await running.send_audio_and_video(1)
            marked, missing = await mark_counters(running.peers.alice)
            assert missing == set()
            assert expected | {"SendCounters.packets_sent", "SendPipeline.frames_failed"} <= set(marked)
            marked, missing = await mark_counters(running.peers.bob)
            assert missing == set()
            assert expected | {"ReceiveStats.video_frames_emitted", "AssemblerCounters.late"} <= set(marked)


async def test_every_counter_of_every_layer_is_reported() -> None:
    """Add a distinct number to each counter of a connection, and find all numbers in the statistics."""
    async with SimulatedNetwork() as network:
        hosts = [network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])]
        counting = CountingHost(hosts[0])
        settings = attrs.evolve(settings_for(hosts[0], 1), network=counting)
        async with (
            RTCPeerConnection(settings=settings) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 2)) as bob,
        ):
            mine, theirs = await channel_pair(alice, bob)
            await messages_pass(mine, theirs)
            await alice.add_ice_candidate({"candidate": UNUSED_NAME, "sdpMid": "0"})
            await trio.sleep(0.1)
            marked, missing = await mark_counters(alice)
    assert missing == set()
    kinds = {name.partition(".")[0] for name in marked}
    layers = {
        "IceTransport",
        "Inbox",
        "DtlsTransport",
        "Receiver",
        "Reassembly",
        "Transmitter",
        "CountingSocket",
    }
    assert layers < kinds, "the walk over the parts has lost its way"
    assert len(counting.sockets) == 2, "there is one for mDNS"
    assert len(marked) > 40


async def test_unsendable_datagrams_of_closed_sockets_stay_counted() -> None:
    async with SimulatedNetwork() as network:
        hosts = [network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])]
        counting = CountingHost(hosts[0])
        settings = attrs.evolve(settings_for(hosts[0], 1), network=counting)
        async with (
            RTCPeerConnection(settings=settings) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 2)) as bob,
        ):
            await channel_pair(alice, bob)
            assert (await layer_counters(alice, "ice"))["unsendable"] == 0
            counting.sockets[0].unsendable += 3
            assert (await layer_counters(alice, "ice"))["unsendable"] == 3
            hosts[0].remove_address("10.0.0.1")
            hosts[0].add_address("wlan0", "10.1.0.1")
            alice.restart_ice()
            trickle(alice, bob)
            await negotiate(alice, bob)
            await trio.sleep(1)
            assert len(counting.sockets) == 2
            counting.sockets[1].unsendable += 4
            assert (await layer_counters(alice, "ice"))["unsendable"] == 7
