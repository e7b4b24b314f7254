"""Common parts of the asyncio peers: commands as JSON lines on standard input, answers and events on output.

A command is ``{"id": …, "method": …, "params": {…}}``, its answer ``{"id": …, "result": …}`` or
``{"id": …, "error": text}``. An event has no ``id``: ``{"event": …, …}``. ``peer.js`` has the same protocol in
a page, so that tests are independent of the kind of peer. Names and spellings are W3C's.
"""

import asyncio
import base64
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from tests.interop.peers.media import Media, MediaEngine

JsonObject = dict[str, Any]
LINE_LIMIT = 64 * 1024 * 1024


class Engine(MediaEngine, Protocol):
    """Interface of the two libraries.

    Attributes:
        trickles: Whether it has the event ``icecandidate``.
    """

    trickles: bool

    def peer_connection(self) -> Any:
        """Create a peer connection without ICE servers."""

    def data_channel(self, peer_connection: Any, label: str, options: JsonObject) -> Any:
        """Create a data channel; ``options`` is an ``RTCDataChannelInit`` in W3C's spelling."""

    def description(self, description: JsonObject) -> Any:
        """Return the argument of ``setRemoteDescription``."""

    def candidate(self, candidate: JsonObject | None) -> Any:
        """Return the argument of ``addIceCandidate``."""

    def announced_channel(self, event: Any) -> Any:
        """Return the channel of a ``datachannel`` event."""

    def message(self, event: Any) -> str | bytes:
        """Return the message of a ``message`` event."""

    async def close(self, peer_connection: Any) -> None:
        """Close the peer connection."""

    async def stats(self, peer_connection: Any) -> list[JsonObject]:
        """Return the available statistics of ``getStats``."""


def encode_message(message: str | bytes) -> JsonObject:
    """Encode a message as JSON."""
    if isinstance(message, str):
        return {"text": message}
    return {"base64": base64.b64encode(message).decode()}


def decode_message(encoded: Mapping[str, str]) -> str | bytes:
    """Reverse :func:`encode_message`."""
    return encoded["text"] if "text" in encoded else base64.b64decode(encoded["base64"])


@attrs.define
class Program:
    """One peer connection and the commands for it."""

    _engine: Engine
    _emit: Callable[[JsonObject], None]
    _pc: Any = None
    _channels: list[Any] = attrs.Factory(list)
    _media: Media = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._media = Media(self._engine, lambda: self._pc)

    async def execute(self, method: str, parameters: JsonObject) -> Any:
        """Execute a command."""
        commands: dict[str, Callable[..., Awaitable[Any]]] = {
            "create": self._create,
            "createDataChannel": self._create_data_channel,
            "createOffer": self._create_offer,
            "createAnswer": self._create_answer,
            "setAnswer": self._set_answer,
            "addIceCandidate": self._add_ice_candidate,
            "restartIce": self._restart_ice,
            "addTransceivers": self._add_transceivers,
            "maxMessageSize": self._max_message_size,
            "send": self._send,
            "sendNumbers": self._send_numbers,
            "closeChannel": self._close_channel,
            "getStats": self._get_stats,
            "close": self._close,
            **self._media.commands,
        }
        return await commands[method](**parameters)

    async def _create(self) -> None:
        self._pc = self._engine.peer_connection()
        self._pc.on("datachannel", self._handle_data_channel)
        self._pc.on("connectionstatechange", self._handle_connection_state)

    def _handle_connection_state(self, *_: Any) -> None:
        self._emit({"event": "connectionstate", "state": str(self._pc.connectionState)})

    def _handle_data_channel(self, event: Any) -> None:
        self._adopt(self._engine.announced_channel(event), announced=True)

    def _adopt(self, channel: Any, *, announced: bool) -> int:
        number = len(self._channels)
        self._channels.append(channel)
        if announced:
            self._emit({"event": "datachannel", "channel": number, "members": _describe(channel)})

        def opened(*_: Any) -> None:
            self._emit({"event": "open", "channel": number, "members": _describe(channel)})

        def received(event: Any) -> None:
            self._emit({"event": "message", "channel": number, **encode_message(self._engine.message(event))})

        def closed(*_: Any) -> None:
            self._emit({"event": "close", "channel": number})

        channel.on("message", received)
        channel.on("close", closed)
        channel.on("open", opened)
        if channel.readyState == "open":  # aiortc announces channels that are already open
            opened()
        return number

    async def _create_data_channel(self, label: str, options: JsonObject) -> int:
        return self._adopt(self._engine.data_channel(self._pc, label, options), announced=False)

    async def _create_offer(self, *, trickle: bool) -> JsonObject:
        return await self._set_local_description(await self._pc.createOffer(), trickle=trickle)

    async def _create_answer(self, offer: JsonObject, *, trickle: bool) -> JsonObject:
        await self._pc.setRemoteDescription(self._engine.description(offer))
        return await self._set_local_description(await self._pc.createAnswer(), trickle=trickle)

    async def _set_local_description(self, description: Any, *, trickle: bool) -> JsonObject:
        gathered = asyncio.Event()

        def gathering_changed(*_: Any) -> None:
            if self._pc.iceGatheringState == "complete":
                gathered.set()

        if trickle and self._engine.trickles:
            self._pc.on("icecandidate", self._handle_ice_candidate)
        self._pc.on("icegatheringstatechange", gathering_changed)
        await self._pc.setLocalDescription(description)
        if not trickle and self._pc.iceGatheringState != "complete":
            await gathered.wait()
        local = self._pc.localDescription
        return {"type": str(local.type), "sdp": local.sdp}

    def _handle_ice_candidate(self, event: Any) -> None:
        candidate = event.candidate
        self._emit({"event": "icecandidate", "candidate": candidate and candidate.to_json()})

    async def _set_answer(self, answer: JsonObject) -> None:
        await self._pc.setRemoteDescription(self._engine.description(answer))

    async def _add_ice_candidate(self, candidate: JsonObject | None) -> None:
        await self._pc.addIceCandidate(self._engine.candidate(candidate))

    async def _restart_ice(self) -> None:
        self._pc.restartIce()

    async def _add_transceivers(self, kinds: Sequence[str]) -> None:
        for kind in kinds:
            self._pc.addTransceiver(kind)

    async def _max_message_size(self) -> float:
        size: float = self._pc.sctp.maxMessageSize
        return size

    async def _send_numbers(self, channel: int, count: int) -> None:
        for number in range(count):
            self._channels[channel].send(str(number))

    async def _send(self, channel: int, message: JsonObject) -> None:
        self._channels[channel].send(decode_message(message))

    async def _close_channel(self, channel: int) -> None:
        self._channels[channel].close()

    async def _get_stats(self) -> list[JsonObject]:
        return await self._engine.stats(self._pc)

    async def _close(self) -> None:
        await self._engine.close(self._pc)


def _describe(channel: Any) -> JsonObject:
    return {
        "label": channel.label,
        "protocol": channel.protocol,
        "ordered": channel.ordered,
        "maxPacketLifeTime": channel.maxPacketLifeTime,
        "maxRetransmits": channel.maxRetransmits,
        "negotiated": channel.negotiated,
        "id": channel.id,
    }


def _write(message: JsonObject) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def _answer(program: Program, command: JsonObject) -> None:
    try:
        result = await program.execute(command["method"], command["params"])
    except Exception:
        _write({"id": command["id"], "error": traceback.format_exc()})
    else:
        _write({"id": command["id"], "result": result})


async def _serve(engine: Engine) -> None:
    lines = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    program = Program(engine, _write)
    # Commands run concurrently, as in a page, since one may wait for the result of another.
    async with asyncio.TaskGroup() as tasks:
        while line := await lines.readline():
            tasks.create_task(_answer(program, json.loads(line)))


def main(engine: Engine) -> None:
    """Serve until standard input ends."""
    asyncio.run(_serve(engine))
    # Threads of the libraries must not delay the end.
    sys.stdout.flush()
    os._exit(0)
