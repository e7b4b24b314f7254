"""The services of the demo's peer on channels that the other side creates, by label.

========================  ==============================================================================================
``ping``                  Every message is returned unchanged.
``throughput``            ``{"download": SECONDS}``: binary messages for so long, then ``{"sent": BYTES}``.
                          ``{"upload": BYTES}`` after binary messages: answered with ``{"received": BYTES}``.
``file``                  ``{"name": NAME, "size": BYTES}``, then the content in binary messages; answered with
                          ``{"name": NAME, "size": BYTES, "sha256": HEX}``. Nothing is stored.
``chat``                  Text is relayed to all other pages and answered.
``call``                  Video and audio: see :mod:`.call`. Without the extra ``media``, the only message is
                          ``{"missing": REASON}``.
========================  ==============================================================================================

A page is not trusted: an invalid message closes its channel.
"""

import hashlib
import importlib.util
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from trio_rtc import ProtocolError, RTCDataChannel, RTCPeerConnection

logger = logging.getLogger("trio_rtc.demo")

PIECE = bytes(65_536)
MAX_DOWNLOAD_SECONDS = 60.0
MAX_FILE_SIZE = 1 << 40

NO_MEDIA = 'Video and audio require PyAV: python -m pip install "trio-rtc[media]"'

Service = Callable[[RTCDataChannel], Awaitable[None]]


def media_is_installed() -> bool:
    return importlib.util.find_spec("av") is not None


async def serve_channels(
    peer_connection: RTCPeerConnection,
    services: Mapping[str, Service],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    async with peer_connection.subscribe("data_channel") as arriving, trio.open_nursery() as nursery:
        task_status.started()
        async for event in arriving:
            nursery.start_soon(_serve, event.channel, services)


async def _serve(channel: RTCDataChannel, services: Mapping[str, Service]) -> None:
    try:
        service = services.get(channel.label)
        if service is None:
            raise ProtocolError(f"label must be one of {', '.join(services)}, not {channel.label!r}")
        await service(channel)
    except ProtocolError as error:
        logger.warning("closed the channel %r: %s", channel.label, error)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        logger.debug("the channel %r ended: %s", channel.label, error)
    except Exception:
        # The boundary of one channel: a page can end neither the demo nor other pages.
        logger.warning("closed the channel %r", channel.label, exc_info=True)
    channel.close()


async def echo(channel: RTCDataChannel) -> None:
    async for message in channel:
        await channel.send(message)


async def reject_call(channel: RTCDataChannel) -> None:
    await channel.send(json.dumps({"missing": NO_MEDIA}))
    async for _ in channel:
        pass


async def throughput(channel: RTCDataChannel) -> None:
    """Send for the requested time, or count received bytes."""
    received = 0
    async for message in channel:
        if isinstance(message, bytes):
            received += len(message)
            continue
        match parse(message):
            case {"download": int() | float() as seconds} if 0 < seconds <= MAX_DOWNLOAD_SECONDS:
                await channel.send(json.dumps({"sent": await send_for(channel, seconds)}))
            case {"upload": int()}:
                await channel.send(json.dumps({"received": received}))
                received = 0
            case _:
                raise ProtocolError(
                    f"a throughput message must be a download of at most {MAX_DOWNLOAD_SECONDS:.0f} s or an upload"
                )


async def send_for(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None] = lambda sent: None
) -> int:
    """Send as much as possible in ``seconds`` seconds, and return the number of bytes."""
    sent, end = 0, trio.current_time() + seconds
    while trio.current_time() < end:
        await channel.send(PIECE)
        sent += len(PIECE)
        progress(sent)
    return sent


async def check_files(channel: RTCDataChannel) -> None:
    """Receive files, discard their content, and answer with their checksums."""
    while True:
        try:
            head = await channel.receive()
        except trio.EndOfChannel:
            return
        match parse(head):
            case {"name": str(name), "size": int(size)} if 0 <= size <= MAX_FILE_SIZE:
                checksum = await _digest(channel, size)
            case _:
                raise ProtocolError(f"a file must begin with its name and a size of 0 to {MAX_FILE_SIZE}")
        await channel.send(json.dumps({"name": name, "size": size, "sha256": checksum}))


async def _digest(channel: RTCDataChannel, size: int) -> str:
    digest, missing = hashlib.sha256(), size
    while missing:
        try:
            piece = await channel.receive()
        except trio.EndOfChannel:
            raise ProtocolError(f"file ended {missing} bytes early") from None
        if not isinstance(piece, bytes) or len(piece) > missing:
            raise ProtocolError(f"file has text or more bytes than its size {size}")
        digest.update(piece)
        missing -= len(piece)
    return digest.hexdigest()


def parse(message: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a message, or raise ``ProtocolError``."""
    try:
        value = json.loads(message)
    except Exception as error:
        raise ProtocolError(f"message is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError("message must be a JSON object")
    return value
