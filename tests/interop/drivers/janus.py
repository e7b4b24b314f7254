"""A local Janus server and its WebSocket API: sessions, plugin handles, messages with descriptions."""

import json
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.rpc import JsonObject, PeerGoneError
from tests.netns.private_network import may_make_namespaces

START_SECONDS = 20
PLUGINS = ("libjanus_echotest.so", "libjanus_videoroom.so")
ROOM = 1234

_CONFIGURATION = {
    "janus.jcfg": """
general: {{ plugins_folder = "{folder}/plugins"  transports_folder = "{folder}/transports"
  events_folder = "/nonexistent"  loggers_folder = "/nonexistent"  debug_level = 4  admin_secret = "unused" }}
media: {{ ipv6 = false }}
nat: {{ full_trickle = false  {nat} }}
""",
    "janus.plugin.videoroom.jcfg": """
room-{room}: {{ description = "test"  publishers = 6  bitrate = 1024000  fir_freq = 10
  audiocodec = "opus"  videocodec = "vp8"  notify_joining = true }}
""",
    "janus.transport.websockets.jcfg": """
general: {{ json = "compact"  ws = true  ws_port = {port}  ws_ip = "127.0.0.1"  wss = false }}
""",
}


class JanusError(Exception):
    """Janus failed a request."""


@attrs.define
class Handle:
    """A plugin handle; Janus has a peer connection for each.

    Attributes:
        number: Id of the handle at Janus.
        events: Unsolicited events: ``{"janus": "event", ...}``, ``webrtcup``, ``media`` and ``hangup``.
    """

    _client: "JanusClient"
    number: int
    _sender: trio.MemorySendChannel[JsonObject]
    events: trio.MemoryReceiveChannel[JsonObject]

    async def message(self, body: JsonObject, jsep: JsonObject | None = None) -> JsonObject:
        """Send a message to the plugin, and return the answering event with ``plugindata`` and maybe ``jsep``.

        Raises:
            JanusError: The plugin failed the message.
        """
        request: JsonObject = {"janus": "message", "handle_id": self.number, "body": body}
        answer = await self._client.request({**request, "jsep": jsep} if jsep else request)
        data = answer["plugindata"]["data"]
        if "error" in data:
            raise JanusError(f"{body}: {data['error']}")
        return answer

    async def trickle(self, candidate: JsonObject | None) -> None:
        """Send a local candidate; ``None`` ends the candidates."""
        data = {"completed": True} if candidate is None else candidate
        await self._client.request({"janus": "trickle", "handle_id": self.number, "candidate": data})

    async def wait_for(self, kind: str) -> JsonObject:
        """Return the next event of a kind, such as ``webrtcup``; others before it are dropped."""
        while True:
            event = await self.events.receive()
            if event["janus"] == kind:
                return event

    def handle(self, event: JsonObject) -> None:
        """Queue an event of this handle."""
        self._sender.send_nowait(event)


class JanusClient:
    """A session with a Janus server."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._session: int | None = None
        self._last_transaction = 0
        self._waiting: dict[str, trio.MemorySendChannel[JsonObject]] = {}
        self._handles: dict[int, Handle] = {}

    async def run(self) -> None:
        """Read the server's messages until it ends."""
        try:
            while True:
                self._handle(json.loads(await self._socket.get_message()))
        except ConnectionClosed:
            for waiting in self._waiting.values():
                waiting.close()

    def _handle(self, message: JsonObject) -> None:
        if message["janus"] == "ack" and message.get("transaction") in self._waiting:
            # The plugin's answer follows later; trickled candidates have only the acknowledgement.
            if message["transaction"].startswith("trickle"):
                self._waiting.pop(message["transaction"]).send_nowait(message)
        elif message.get("transaction") in self._waiting:
            self._waiting.pop(message["transaction"]).send_nowait(message)
        elif message.get("sender") in self._handles:
            self._handles[message["sender"]].handle(message)

    async def create(self) -> None:
        """Open the session."""
        self._session = (await self.request({"janus": "create"}))["data"]["id"]

    async def attach(self, plugin: str) -> Handle:
        """Attach to a plugin, such as ``"janus.plugin.echotest"``."""
        number = (await self.request({"janus": "attach", "plugin": plugin}))["data"]["id"]
        handle = self._handles[number] = Handle(self, number, *trio.open_memory_channel[JsonObject](1000))
        return handle

    async def request(self, message: JsonObject) -> JsonObject:
        """Send a request and return its response.

        Raises:
            JanusError: The server failed the request.
            PeerGoneError: The server has ended.
        """
        self._last_transaction += 1
        transaction = f"{message['janus']} {self._last_transaction}"
        sender, receiver = trio.open_memory_channel[JsonObject](1)
        self._waiting[transaction] = sender
        session = {} if self._session is None else {"session_id": self._session}
        await self._socket.send_message(json.dumps({**message, **session, "transaction": transaction}))
        try:
            answer = await receiver.receive()
        except trio.EndOfChannel as error:
            raise PeerGoneError(f"no answer to {message}") from error
        if answer["janus"] == "error":
            raise JanusError(f"{message}: {answer['error']}")
        return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configure(folder: Path, port: int) -> None:
    """Write a server's configuration, with only the plugins linked here."""
    # In our network namespace, Janus must use the same interface.
    nat = 'ice_enforce_list = "h0"' if may_make_namespaces() else ""
    for name, text in _CONFIGURATION.items():
        (folder / name).write_text(text.format(folder=folder, nat=nat, port=port, room=ROOM))
    (installed,) = Path("/usr/lib").glob("*/janus")
    for kind, names in (("plugins", PLUGINS), ("transports", ("libjanus_websockets.so",))):
        (folder / kind).mkdir()
        for name in names:
            (folder / kind / name).symlink_to(installed / kind / name)


@contextmanager
def _running_server() -> Iterator[tuple[int, Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), _free_port()
        _configure(folder, port)
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["janus", "--configs-folder", str(folder)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield port, log
            finally:
                process.kill()
                process.wait()


async def _wait_for_server(port: int) -> bool:
    """Wait until the server listens; return whether it does."""
    with trio.move_on_after(START_SECONDS):
        while True:
            with suppress(OSError):
                await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                return True
            await trio.sleep(0.05)
    return False


@asynccontextmanager
async def open_janus() -> AsyncIterator[JanusClient]:
    """Run a server and open a session on it until the end of the block."""
    with _running_server() as (port, log):
        if not await _wait_for_server(port):
            raise PeerGoneError(
                f"Janus does not come up:\n{await trio.Path(log).read_text(errors='replace')}"
            )
        url = f"ws://127.0.0.1:{port}"
        async with open_websocket_url(url, subprotocols=["janus-protocol"]) as connection:
            client = JanusClient(connection)
            async with run_beside(client.run):
                await client.create()
                yield client


def data_of(event: JsonObject) -> Any:
    """Return the plugin's data in an event."""
    return event["plugindata"]["data"]
