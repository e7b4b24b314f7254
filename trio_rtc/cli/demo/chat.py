"""The demo's chat: relays each page's text to all others, and answers it."""

import json
from collections.abc import Callable
from contextlib import suppress

import trio

from trio_rtc import ProtocolError, RTCDataChannel

from .services import parse

MAX_TEXT = 2000


class Chat:
    """The pages in the chat; ``on_message`` is called with the page's name and the text of each message."""

    def __init__(self, on_message: Callable[[str, str], None]) -> None:
        self._on_message = on_message
        self._channels: dict[RTCDataChannel, str] = {}

    async def serve(self, channel: RTCDataChannel, name: str) -> None:
        self._channels[channel] = name
        try:
            await _send_text(
                channel,
                "trio",
                f"Hello, {name}. Your messages are sent to every other page, and to this program.",
            )
            async for message in channel:
                await self._handle(channel, name, message)
        finally:
            del self._channels[channel]

    async def _handle(self, channel: RTCDataChannel, name: str, message: str | bytes) -> None:
        text = parse(message).get("text")
        if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
            raise ProtocolError(f"text of a chat message must be a string of 1 to {MAX_TEXT} characters")
        self._on_message(name, text)
        others = [other for other in self._channels if other is not channel]
        for other in others:
            await _send_text(other, name, text)
        receivers = f"{len(others)} other page{'s' if len(others) > 1 else ''}" if others else "no other page"
        await _send_text(channel, "trio", f"{len(text)} characters, received by {receivers}: {text.upper()}")


async def _send_text(channel: RTCDataChannel, speaker: str, text: str) -> None:
    # The task that serves the channel handles its end.
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await channel.send(json.dumps({"from": speaker, "text": text}))
