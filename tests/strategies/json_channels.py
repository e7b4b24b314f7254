"""Two ends of a channel of JSON objects in memory, with a delay and a record of what was sent."""

import json
import random
from collections.abc import Callable
from typing import Any

import trio


class JsonChannel(trio.abc.Channel[dict[str, Any]]):
    """One end: ``sent`` records its messages; ``delay`` returns the seconds until each one arrives."""

    def __init__(
        self,
        into: trio.MemorySendChannel[tuple[float, str]],
        out: trio.MemoryReceiveChannel[tuple[float, str]],
        other_into: trio.MemorySendChannel[tuple[float, str]],
        delay: Callable[[], float],
    ) -> None:
        self._into = into
        self._out = out
        self._other_into = other_into
        self._delay = delay
        self._arrival = 0.0
        self._broken: str | None = None
        self.sent: list[dict[str, Any]] = []

    async def send(self, value: dict[str, Any]) -> None:
        # In order, as over TCP.
        self._arrival = max(self._arrival, trio.current_time() + self._delay())
        await self._into.send((self._arrival, json.dumps(value)))
        self.sent.append(value)

    async def receive(self) -> dict[str, Any]:
        try:
            arrival, text = await self._out.receive()
        except trio.EndOfChannel:
            if self._broken is not None:
                raise trio.BrokenResourceError(self._broken) from None
            raise
        with trio.CancelScope(shield=True):  # a message that was received is not lost to a cancellation
            await trio.sleep_until(max(arrival, trio.current_time()))
        value: dict[str, Any] = json.loads(text)
        return value

    def end_sending(self) -> None:
        """End the stream that the other side receives."""
        self._into.close()

    def break_off(self, reason: str) -> None:
        """Break this end."""
        self._broken = reason
        self._other_into.close()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self._into.close()
        self._out.close()


def json_channel_pair(
    *, delay: float = 0.0, jitter: float = 0.0, rng: random.Random | None = None
) -> tuple[JsonChannel, JsonChannel]:
    """Return the two ends."""
    chance = rng or random.Random(0)

    def draw() -> float:
        return delay + chance.uniform(0.0, jitter)

    a_into, b_out = trio.open_memory_channel[tuple[float, str]](1000)
    b_into, a_out = trio.open_memory_channel[tuple[float, str]](1000)
    return JsonChannel(a_into, a_out, b_into, draw), JsonChannel(b_into, b_out, a_into, draw)
