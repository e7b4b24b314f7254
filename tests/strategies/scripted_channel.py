"""A data channel in memory, for services that need no connection."""

from typing import cast

import trio

from trio_rtc import RTCDataChannel


class ScriptedChannel:
    """One end of a pair of channels."""

    def __init__(
        self,
        sending: "trio.MemorySendChannel[str | bytes]",
        receiving: "trio.MemoryReceiveChannel[str | bytes]",
    ) -> None:
        self._sending = sending
        self._receiving = receiving

    async def send(self, message: str | bytes) -> None:
        await self._sending.send(message)

    async def receive(self) -> str | bytes:
        return await self._receiving.receive()

    def __aiter__(self) -> "ScriptedChannel":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self._receiving.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def close(self) -> None:
        self._sending.close()
        self._receiving.close()


def channel_pair(queued: int = 100) -> tuple[RTCDataChannel, ScriptedChannel]:
    """Return a channel for the tested function, and its other end."""
    to_other, other_receives = trio.open_memory_channel[str | bytes](queued)
    to_tested, tested_receives = trio.open_memory_channel[str | bytes](queued)
    tested = ScriptedChannel(to_other, tested_receives)
    return cast(RTCDataChannel, tested), ScriptedChannel(to_tested, other_receives)
