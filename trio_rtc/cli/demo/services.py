"""What the demo's peer does on the channels that the other side creates: one service for each label.

========================  ==============================================================================================
``ping``                  Every message comes back as it is.
``throughput``            ``{"download": SECONDS}``: binary messages come for so long, then ``{"sent": BYTES}``.
                          ``{"upload": BYTES}`` after binary messages: ``{"received": BYTES}`` comes back.
``file``                  ``{"name": NAME, "size": BYTES}``, then the content in binary messages; what comes back is
                          ``{"name": NAME, "size": BYTES, "sha256": HEX}``. Nothing is kept.
``chat``                  A text goes to the chat of all others, and gets an answer.
``call``                  Video and audio: see :mod:`.call`. Where the extra ``media`` is not installed, what comes is
                          ``{"missing": REASON}``.
========================  ==============================================================================================

A page is not trusted: what does not fit closes that channel.
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

NO_MEDIA = 'Video and audio need PyAV: python -m pip install "trio-rtc[media]"'

Service = Callable[[RTCDataChannel], Awaitable[None]]


def media_is_installed() -> bool:
    """Return whether there are codecs, and with them :mod:`.call`."""
    return importlib.util.find_spec("av") is not None


async def serve_channels(
    peer_connection: RTCPeerConnection,
    services: Mapping[str, Service],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve every channel that the peer creates, until the connection is closed."""
    async with peer_connection.subscribe("data_channel") as arriving, trio.open_nursery() as nursery:
        task_status.started()
        async for event in arriving:
            nursery.start_soon(_serve, event.channel, services)


async def _serve(channel: RTCDataChannel, services: Mapping[str, Service]) -> None:
    try:
        service = services.get(channel.label)
        if service is None:
            raise ProtocolError(f"there is no service {channel.label!r}")
        await service(channel)
    except ProtocolError as error:
        logger.warning("closed the channel %r: %s", channel.label, error)
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        logger.debug("the channel %r ended: %s", channel.label, error)
    except Exception:
        # The boundary of one channel: what a page sends ends neither the demo nor the other pages.
        logger.warning("closed the channel %r", channel.label, exc_info=True)
    channel.close()


async def echo(channel: RTCDataChannel) -> None:
    """Send every message back."""
    async for message in channel:
        await channel.send(message)


async def refuse_call(channel: RTCDataChannel) -> None:
    """Say why there is no video and no audio."""
    await channel.send(json.dumps({"missing": NO_MEDIA}))
    async for _ in channel:
        pass


async def throughput(channel: RTCDataChannel) -> None:
    """Send for as long as asked, or count what comes."""
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
                raise ProtocolError("neither a download nor an upload")


async def send_for(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None] = lambda sent: None
) -> int:
    """Send as much as goes in so many seconds, and return how many bytes that was."""
    sent, end = 0, trio.current_time() + seconds
    while trio.current_time() < end:
        await channel.send(PIECE)
        sent += len(PIECE)
        progress(sent)
    return sent


async def check_files(channel: RTCDataChannel) -> None:
    """Take files, keep nothing of them but the checksum, and send that back."""
    while True:
        try:
            head = await channel.receive()
        except trio.EndOfChannel:
            return
        match parse(head):
            case {"name": str(name), "size": int(size)} if 0 <= size <= MAX_FILE_SIZE:
                checksum = await _digest(channel, size)
            case _:
                raise ProtocolError("not the head of a file")
        await channel.send(json.dumps({"name": name, "size": size, "sha256": checksum}))


async def _digest(channel: RTCDataChannel, size: int) -> str:
    digest, missing = hashlib.sha256(), size
    while missing:
        try:
            piece = await channel.receive()
        except trio.EndOfChannel:
            raise ProtocolError("a file ended early") from None
        if not isinstance(piece, bytes) or len(piece) > missing:
            raise ProtocolError("a file is not what its head said")
        digest.update(piece)
        missing -= len(piece)
    return digest.hexdigest()


def parse(message: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a message.

    Raises:
        ProtocolError: There is none.
    """
    try:
        value = json.loads(message)
    except Exception as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError("not a JSON object")
    return value
