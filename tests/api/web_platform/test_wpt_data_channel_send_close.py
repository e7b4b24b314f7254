"""Messages sent before ``close`` are delivered (W3C webrtc section 6.2, closing procedure)."""

import itertools

import pytest
import trio

from tests.api.web_platform.peers import channel_between, each_kind
from trio_rtc import RTCDataChannel

pytestmark = pytest.mark.usefixtures("autojump_clock")


def fill(channel: RTCDataChannel, message: str | bytes) -> int:
    """Send a message until the buffer is full; return how often it was sent."""
    for sent in itertools.count():
        try:
            channel.send_nowait(message)
        except trio.WouldBlock:
            return sent
    raise AssertionError


@each_kind
@pytest.mark.parametrize("message", [" " * 65536, bytes(65536)], ids=["text", "bytes"])
async def test_a_full_buffer_is_delivered_before_the_channel_closes(
    negotiated: bool, message: str | bytes
) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        sizes: list[int] = []
        closed: list[int] = []
        theirs.on_message = lambda event: sizes.append(len(event.data))
        theirs.on_close = lambda _: closed.append(len(sizes))
        sent = fill(mine, message)
        await mine.aclose()
        await trio.sleep(1)
        assert sent > 1
        assert closed == [sent]
        assert set(sizes) == {65536}
