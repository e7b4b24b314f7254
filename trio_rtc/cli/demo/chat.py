"""The demo's chat: what one page says goes to all others, and the program has an answer for everyone."""

import json
from collections.abc import Callable
from contextlib import suppress

import trio

from trio_rtc import ProtocolError, RTCDataChannel

from .services import parse

MAX_TEXT = 2000


class Chat:
    """The pages that are in the chat.

    Args:
        overheard: Called with the name of the page and the text of everything that is said.
    """

    def __init__(self, overheard: Callable[[str, str], None]) -> None:
        self._overheard = overheard
        self._channels: dict[RTCDataChannel, str] = {}

    async def serve(self, channel: RTCDataChannel, name: str) -> None:
        """Let a page take part until its channel ends.

        Raises:
            ProtocolError: The page does not keep to the format.
        """
        self._channels[channel] = name
        try:
            await _say(
                channel, "trio", f"Hello, {name}. What you write goes to every other page here, and to me."
            )
            async for message in channel:
                await self._handle(channel, name, message)
        finally:
            del self._channels[channel]

    async def _handle(self, channel: RTCDataChannel, name: str, message: str | bytes) -> None:
        text = parse(message).get("text")
        if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
            raise ProtocolError("nothing that could be said")
        self._overheard(name, text)
        others = [other for other in self._channels if other is not channel]
        for other in others:
            await _say(other, name, text)
        heard_by = f"{len(others)} other page{'s' if len(others) > 1 else ''}" if others else "only me"
        await _say(channel, "trio", f"{len(text)} characters, heard by {heard_by}: {text.upper()}")


async def _say(channel: RTCDataChannel, speaker: str, text: str) -> None:
    # Whoever serves that channel notices its end.
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await channel.send(json.dumps({"from": speaker, "text": text}))
