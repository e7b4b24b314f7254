"""A foreign peer of any implementation: an asyncio program or a page in a browser."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.browser import BrowserError, Page
from tests.interop.drivers.rpc import JsonObject, PeerGoneError, Rpc
from tests.interop.link import Link, PeerError
from tests.interop.peers.program import decode_message, encode_message
from tests.interop.remote_media import RemoteMedia
from tests.interop.remote_negotiation import RemoteNegotiation

ROOT = Path(__file__).parents[2]
PEER_SCRIPTS = [
    Path(__file__).with_name("peers") / name for name in ("peer.js", "media.js", "negotiating.js")
]


@attrs.define
class PageLink:
    """Link to a page with ``peer.js``."""

    _page: Page

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """See :class:`Link`."""
        try:
            return await self._page.evaluate(f"peer.execute({json.dumps(method)}, {json.dumps(parameters)})")
        except BrowserError as error:
            raise PeerError(f"{method}: {error}") from error

    async def next_events(self) -> Sequence[JsonObject]:
        """See :class:`Link`."""
        try:
            events: Sequence[JsonObject] = await self._page.evaluate("peer.nextEvents()")
        except BrowserError as error:  # the page was closed
            raise PeerGoneError(str(error)) from error
        return events


class ProcessLink:
    """Link to a program of ``peers``."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input = process.stdin
        self._output = process.stdout
        self._rpc = Rpc(self._send)
        self._event_sender, self._event_receiver = trio.open_memory_channel[JsonObject](100_000)

    async def _send(self, message: JsonObject) -> None:
        await self._input.send_all(json.dumps(message).encode() + b"\n")

    async def run(self) -> None:
        """Read the program's messages until it ends."""
        buffer = bytearray()
        try:
            async for chunk in self._output:
                buffer += chunk
                *lines, rest = buffer.split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    message = json.loads(line)
                    if not self._rpc.handle(message):
                        self._event_sender.send_nowait(message)
        finally:
            self._rpc.close()
            self._event_sender.close()

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """See :class:`Link`."""
        answer = await self._rpc.request({"method": method, "params": dict(parameters)})
        if "error" in answer:
            raise PeerError(f"{method}: {answer['error']}")
        return answer["result"]

    async def next_events(self) -> Sequence[JsonObject]:
        """See :class:`Link`."""
        try:
            return [await self._event_receiver.receive()]
        except trio.EndOfChannel as error:
            raise PeerGoneError("the program has ended") from error


class RemoteChannel:
    """A data channel of the peer.

    Attributes:
        opened: Set when the channel is open at the peer.
        closed: Set when the channel is closed at the peer.
        members: Members of the peer's ``RTCDataChannel`` in W3C's spelling; complete once open.
    """

    def __init__(self, link: Link, number: int, members: JsonObject) -> None:
        self._link = link
        self._number = number
        self._message_sender, self._messages = trio.open_memory_channel[str | bytes](100_000)
        self.opened = trio.Event()
        self.closed = trio.Event()
        self.members = members

    def handle(self, event: JsonObject) -> None:
        """Handle an event of this channel."""
        match event["event"]:
            case "open":
                self.members = event["members"]
                self.opened.set()
            case "message":
                self._message_sender.send_nowait(decode_message(event))
            case "close":
                self.closed.set()
                self._message_sender.close()
            case other:
                raise ValueError(f"unknown event {other!r}")

    async def send(self, message: str | bytes) -> None:
        """Send a message from the peer."""
        await self._link.execute("send", {"channel": self._number, "message": encode_message(message)})

    async def receive(self) -> str | bytes:
        """Return the next message that the peer received.

        Raises:
            trio.EndOfChannel: The channel is closed at the peer and no message is left.
        """
        return await self._messages.receive()

    async def send_numbers(self, count: int) -> None:
        """Send the numbers from 0 on in decimal from the peer, as fast as it can."""
        await self._link.execute("sendNumbers", {"channel": self._number, "count": count})

    async def close(self) -> None:
        """Close the channel at the peer."""
        await self._link.execute("closeChannel", {"channel": self._number})


class RemotePeer:
    """A foreign peer connection, with the methods of ``negotiation.py``.

    Attributes:
        name: Name of the peer, such as ``"aiortc"``.
        connection_states: All states of ``connectionState`` since ``"new"``.
        vanish: Terminates the peer abruptly: closes the page or kills the program.
    """

    def __init__(self, name: str, link: Link, vanish: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self._link = link
        self.vanish = vanish
        self._channels: dict[int, RemoteChannel] = {}
        # Events of channels before the answer to "createDataChannel" had their numbers.
        self._early: deque[JsonObject] = deque()
        self._announced_sender, self._announced = trio.open_memory_channel[RemoteChannel](1000)
        self._candidate_sender, self._candidates = trio.open_memory_channel[JsonObject | None](1000)
        self._signal_sender, self._signals = trio.open_memory_channel[JsonObject](1000)
        self._state_changed = trio.Condition()
        self.connection_states: list[str] = []

    async def run(self) -> None:
        """Handle the peer's events until it has ended."""
        try:
            while True:
                for event in await self._link.next_events():
                    await self._handle(event)
        except PeerGoneError:
            pass

    async def _handle(self, event: JsonObject) -> None:
        match event["event"]:
            case "icecandidate":
                self._candidate_sender.send_nowait(event["candidate"])
            case "signal":
                self._signal_sender.send_nowait(event["message"])
            case "connectionstate":
                async with self._state_changed:
                    self.connection_states.append(event["state"])
                    self._state_changed.notify_all()
            case "datachannel":
                self._announced_sender.send_nowait(self._adopt(event["channel"], event["members"]))
            case _ if event["channel"] in self._channels:
                self._channels[event["channel"]].handle(event)
            case _:
                self._early.append(event)

    def _adopt(self, number: int, members: JsonObject) -> RemoteChannel:
        channel = self._channels[number] = RemoteChannel(self._link, number, members)
        for event in [event for event in self._early if event["channel"] == number]:
            self._early.remove(event)
            channel.handle(event)
        return channel

    async def create_data_channel(self, label: str, **options: Any) -> RemoteChannel:
        """Create a channel at the peer; options are those of ``RTCDataChannelInit`` in W3C's spelling."""
        parameters = {"label": label, "options": options}
        return self._adopt(await self._link.execute("createDataChannel", parameters), {"label": label})

    async def accept_channel(self) -> RemoteChannel:
        """Wait for a channel that the other side has created."""
        return await self._announced.receive()

    async def create_offer(self, *, trickle: bool) -> JsonObject:
        """Set and return an offer, with all candidates in it unless ``trickle``."""
        offer: JsonObject = await self._link.execute("createOffer", {"trickle": trickle})
        return offer

    async def create_answer(self, offer: JsonObject, *, trickle: bool) -> JsonObject:
        """Set an offer, set and return an answer, with all candidates in it unless ``trickle``."""
        answer: JsonObject = await self._link.execute("createAnswer", {"offer": offer, "trickle": trickle})
        return answer

    async def set_answer(self, answer: JsonObject) -> None:
        """Set an answer."""
        await self._link.execute("setAnswer", {"answer": answer})

    async def add_ice_candidate(self, candidate: JsonObject | None) -> None:
        """Add a candidate of the other side, or ``None`` at the end of candidates."""
        await self._link.execute("addIceCandidate", {"candidate": candidate})

    async def next_candidate(self) -> JsonObject | None:
        """Wait for a local candidate, or ``None`` at the end of candidates."""
        return await self._candidates.receive()

    async def add_transceivers(self, *kinds: str) -> None:
        """Add sendrecv transceivers at the peer: ``"audio"``, ``"video"``."""
        await self._link.execute("addTransceivers", {"kinds": kinds})

    @property
    def media(self) -> RemoteMedia:
        """The peer's audio and video."""
        return RemoteMedia(self._link)

    @property
    def negotiation(self) -> RemoteNegotiation:
        """The negotiation of a page."""
        return RemoteNegotiation(self._link)

    async def next_signal(self) -> JsonObject:
        """Wait for a message of the page's perfect negotiation."""
        return await self._signals.receive()

    async def replace(self) -> None:
        """Create another peer connection in the page: commands are for that one from now on."""
        await self._link.execute("create", {})

    async def restart_ice(self) -> None:
        """Restart ICE with the peer's next offer."""
        await self._link.execute("restartIce", {})

    async def max_message_size(self) -> float:
        """Return the peer's ``sctp.maxMessageSize``."""
        size: float = await self._link.execute("maxMessageSize", {})
        return size

    async def connection_state(self, state: str) -> None:
        """Wait until ``connectionState`` is or has been ``state``."""
        async with self._state_changed:
            while state not in self.connection_states:
                await self._state_changed.wait()

    async def get_stats(self) -> list[JsonObject]:
        """Return the peer's statistics."""
        stats: list[JsonObject] = await self._link.execute("getStats", {})
        return stats

    async def stats_of(self, kind: str) -> JsonObject:
        """Return the only entry of a type ("transport", "candidate-pair"...).

        Raises:
            LookupError: There is none.
        """
        for stat in await self.get_stats():
            if stat["type"] == kind:
                return stat
        raise LookupError(kind)

    async def close(self) -> None:
        """Close the peer connection."""
        await self._link.execute("close", {})


@asynccontextmanager
async def page_peer(
    name: str, page: Page, configuration: Mapping[str, Any] | None = None
) -> AsyncIterator[RemotePeer]:
    """Create a peer in a page until the end of the block."""
    for path in PEER_SCRIPTS:
        script = await trio.Path(path).read_text()
        await page.evaluate(f"(() => {{ {script} }})()")
    peer = RemotePeer(name, link := PageLink(page), page.close)
    await link.execute("create", {"configuration": configuration or {}})
    async with run_beside(peer.run):
        yield peer


def asyncio_program(name: str) -> list[str]:
    """Return the command of an asyncio peer, the module ``<name>_peer`` in ``peers``."""
    return [sys.executable, "-m", f"tests.interop.peers.{name}_peer"]


@asynccontextmanager
async def program_peer(name: str, command: Sequence[str], **options: str) -> AsyncIterator[RemotePeer]:
    """Run the program of a peer until the end of the block.

    Args:
        name: Name of the peer.
        command: The program and its arguments.
        options: Options of its command ``create``.
    """
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )

    async def kill() -> None:
        process.kill()
        await process.wait()

    try:
        link = ProcessLink(process)
        async with run_beside(link.run):
            await link.execute("create", options)
            peer = RemotePeer(name, link, kill)
            async with run_beside(peer.run):
                yield peer
    finally:
        with trio.CancelScope(shield=True):
            await kill()
            assert process.stdin is not None
            assert process.stdout is not None
            await process.stdin.aclose()
            await process.stdout.aclose()
