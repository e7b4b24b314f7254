"""Detecting a dead connection, and closing in bounded time."""

from typing import cast

import pytest
import trio
import trio.testing

from trio_rtc.signaling.connection_end import closing, keep_alive
from trio_rtc.signaling.websocket import WebSocket, WebSocketClosed


class AnsweredPings:
    """A WebSocket whose pings are answered after these delays; then the connection ends."""

    def __init__(self, *delays: float) -> None:
        self.delays = list(delays)
        self.times: list[float] = []

    async def ping(self) -> None:
        self.times.append(trio.current_time())
        if not self.delays:
            raise WebSocketClosed(1000, "")
        await trio.sleep(self.delays.pop(0))


@pytest.mark.usefixtures("autojump_clock")
async def test_pings_follow_their_answers_at_the_interval() -> None:
    websocket = AnsweredPings(1.0, 0.0, 4.9)
    begun = trio.current_time()
    with pytest.raises(WebSocketClosed):
        await keep_alive(cast(WebSocket, websocket), interval=20, timeout=5)
    assert [time - begun for time in websocket.times] == pytest.approx([20, 41, 61, 85.9])


@pytest.mark.usefixtures("autojump_clock")
async def test_an_unanswered_ping_raises_after_the_timeout() -> None:
    begun = trio.current_time()
    with pytest.raises(trio.TooSlowError):
        await keep_alive(cast(WebSocket, AnsweredPings(1.0, 5.1)), interval=20, timeout=5)
    assert trio.current_time() - begun == pytest.approx(46)


class ClosingStream(trio.abc.Stream):
    """A stream that needs some seconds to close, or fails."""

    def __init__(self, seconds: float, error: type[Exception] | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.log: list[str] = []

    async def aclose(self) -> None:
        try:
            await trio.sleep(self.seconds)
        except trio.Cancelled:
            self.log.append("forcefully")
            raise
        self.log.append("closed")
        if self.error is not None:
            raise self.error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        raise NotImplementedError

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        raise NotImplementedError

    async def wait_send_all_might_not_block(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(("seconds", "log", "took"), [(1.0, "closed", 1.0), (9.0, "forcefully", 2.0)])
@pytest.mark.usefixtures("autojump_clock")
async def test_closing_is_forced_after_the_timeout(seconds: float, log: str, took: float) -> None:
    stream = ClosingStream(seconds)
    begun = trio.current_time()
    async with closing(stream, timeout=2.0):
        assert stream.log == []
    assert stream.log == [log]
    assert trio.current_time() - begun == pytest.approx(took)


@pytest.mark.parametrize("error", [trio.BrokenResourceError, trio.ClosedResourceError])
@pytest.mark.usefixtures("autojump_clock")
async def test_a_broken_connection_is_closed(error: type[Exception]) -> None:
    stream = ClosingStream(0.0, error)
    async with closing(stream, timeout=2.0):
        pass
    assert stream.log == ["closed"]


@pytest.mark.usefixtures("autojump_clock")
async def test_an_error_of_the_block_is_raised_after_closing() -> None:
    stream = ClosingStream(1.0)

    async def use() -> None:
        async with closing(stream, timeout=2.0):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await use()
    assert stream.log == ["closed"]
