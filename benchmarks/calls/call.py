"""Makes one call: opens the two peers and the relay between them, and records what happens."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import attrs
import trio

from benchmarks.calls.candidates import address_of, through_relay
from benchmarks.calls.figures import Bulk, Moment, Recording
from benchmarks.calls.network import NETWORKS
from benchmarks.calls.scene import FRAMERATE, Scene
from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.chromium import Chromium
from tests.interop.drivers.rpc import JsonObject
from tests.interop.remote_peer import ProcessLink

ROOT = Path(__file__).parents[2]
SET_UP_SECONDS = 25
"""How long a call may take beside the time for which it is connected."""

PRIORITY = -15
PROGRAMS = ("trio_rtc", "wrtc", "aiortc")
BROWSER = "chromium"
PAIRS = [*((name, BROWSER) for name in (*PROGRAMS, BROWSER)), *((BROWSER, name) for name in PROGRAMS)]
"""Pairs of sender and receiver."""


class Peer(Protocol):
    """A peer of a call, or the relay; the commands are those of ``trio_rtc_peer.py``."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Execute a command and return its result."""


@attrs.frozen
class Page:
    """The peer in a page of Chromium."""

    _evaluate: Any

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """See :class:`Peer`."""
        return await self._evaluate(f"peer.execute({json.dumps(method)}, {json.dumps(parameters)})")


@attrs.frozen
class Caller:
    """Makes calls in one Chromium.

    Attributes:
        chromium: The browser; its camera shows the scene.
        scene: The file of the scene.
        page: The file of an empty page: there has to be one, since ``about:blank`` has no cameras.
    """

    chromium: Chromium
    scene: Path
    page: Path

    async def call(self, pair: tuple[str, str], network: str, *, seconds: float, seed: int) -> Recording:
        """Make a call.

        Args:
            pair: The names of sender and receiver.
            network: One of ``NETWORKS``.
            seconds: How long it is connected.
            seed: Of the network.

        Raises:
            trio.TooSlowError: It was not connected in time.
        """
        with trio.fail_after(SET_UP_SECONDS + seconds):
            async with AsyncExitStack() as stack:
                relay = await stack.enter_async_context(_program("relay", network, str(seed)))
                sender, receiver = [await stack.enter_async_context(self._open(name)) for name in pair]
                bulk = NETWORKS[network].bulk
                scene = Scene.open(self.scene)
                await sender.execute(
                    "send",
                    {
                        "width": scene.width,
                        "height": scene.height,
                        "framerate": FRAMERATE,
                        "bulk": bulk is not None,
                    }
                    if pair[0] == BROWSER
                    else {"scene": str(self.scene), "bulk": bulk is not None},
                )
                await _negotiate(sender, receiver, relay)
                await sender.execute("connected", {})
                connected_at = await receiver.execute("connected", {})
                await relay.execute("begin", {})
                recording = await _record(sender, receiver, relay, connected_at, seconds, bulk)
                return attrs.evolve(recording, counts_freezes=pair[1] == BROWSER)

    @asynccontextmanager
    async def _open(self, name: str) -> AsyncIterator[Peer]:
        if name != BROWSER:
            async with _program(f"{name}_peer") as program:
                yield program
            return
        page = await self.chromium.open(self.page.as_uri())
        try:
            await page.evaluate(
                f"(() => {{ {await trio.Path(__file__).with_name('page.js').read_text()} }})()"
            )
            yield Page(page.evaluate)
        finally:
            with trio.move_on_after(5, shield=True):
                await page.close()


async def _negotiate(sender: Peer, receiver: Peer, relay: Peer) -> None:
    ports = (await relay.execute("ports", {}))["ports"]
    offer = await sender.execute("createOffer", {})
    answer = await receiver.execute("createAnswer", {"offer": _relayed(offer, ports[1])})
    addresses = [address_of(offer["sdp"]), address_of(answer["sdp"])]
    await relay.execute("peers", {"addresses": addresses})
    await sender.execute("setAnswer", {"answer": _relayed(answer, ports[0])})


def _relayed(description: JsonObject, port: int) -> JsonObject:
    return {"type": description["type"], "sdp": through_relay(description["sdp"], port)}


async def _record(
    sender: Peer,
    receiver: Peer,
    relay: Peer,
    connected_at: float,
    seconds: float,
    bulk: tuple[float, float] | None,
) -> Recording:
    moments: list[Moment] = []
    drained: list[float] = []
    processor = _processor_times()
    began = trio.current_time()

    async def send_bulk(begin: float, end: float) -> None:
        await trio.sleep(begin)
        await sender.execute("bulk", {"seconds": end - begin})
        drained.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        if bulk is not None:
            nursery.start_soon(send_bulk, *bulk)
        while (passed := trio.current_time() - began) < seconds:
            received, sent = await receiver.execute("stats", {}), await sender.execute("stats", {})
            moments.append(Moment(passed, received, sent))
            await trio.sleep_until(began + len(moments))
        moments.append(Moment(passed, await receiver.execute("stats", {}), await sender.execute("stats", {})))
        nursery.cancel_scope.cancel()
    busy = _busy(*processor, *_processor_times())
    arrivals = [at - connected_at for at in await receiver.execute("arrivals", {})]
    times = None if bulk is None else Bulk(bulk[0], drained[0] if drained else seconds)
    return Recording(moments, arrivals, await relay.execute("figures", {}), busy, times)


def raise_priority(pid: int) -> None:
    """Raise the priority of the session of a process over the others of this machine; only root may (Linux).

    Where the kernel groups processes by session, a priority of a process counts only within its session.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, PRIORITY)
        Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY))


def _processor_times() -> tuple[int, int]:
    """Return for how long all processors together were busy, and idle (Linux), in ticks."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, idle, waiting, *others = map(int, line.split()[1:])
    return user + nice + system + sum(others), idle + waiting


def _busy(busy: int, idle: int, busy_later: int, idle_later: int) -> float:
    return (busy_later - busy) / max(1, busy_later - busy + idle_later - idle)


@asynccontextmanager
async def _program(module: str, *arguments: str) -> AsyncIterator[Peer]:
    """Run a program of this package for as long as the block lasts."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", f"benchmarks.calls.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    raise_priority(process.pid)
    try:
        link = ProcessLink(process)
        async with run_beside(link.run):
            yield link
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.aclose()
            await process.stdout.aclose()
