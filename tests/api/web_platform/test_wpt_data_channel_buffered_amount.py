"""``buffered_amount`` and ``buffered_amount_low`` (W3C webrtc section 6.2)."""

import pytest
import trio

from tests.api.web_platform.peers import channel_between, each_kind
from trio_rtc import RTCDataChannel

pytestmark = pytest.mark.usefixtures("autojump_clock")

TEXT = "grüße"
"""A message of five characters and seven bytes."""


def lows(channel: RTCDataChannel) -> list[int]:
    """Return a list of the buffered amount at each ``buffered_amount_low``."""
    amounts: list[int] = []
    channel.on_buffered_amount_low = lambda _: amounts.append(channel.buffered_amount)
    return amounts


@each_kind
@pytest.mark.parametrize(
    ("message", "size"), [(TEXT, 7), (b"12345", 5), (bytearray(9), 9), (memoryview(b"12"), 2)]
)
async def test_it_is_the_size_in_bytes_until_the_message_is_sent(
    negotiated: bool, message: str | bytes | bytearray | memoryview, size: int
) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        assert mine.buffered_amount == theirs.buffered_amount == 0
        mine.send_nowait(message)
        assert mine.buffered_amount == size
        # The same value again: reading it changes nothing.
        assert mine.buffered_amount == size
        await theirs.receive()
        assert mine.buffered_amount == 0


@each_kind
async def test_messages_of_one_task_add_up(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        amounts = []
        for message in (TEXT, b"12345", TEXT):
            mine.send_nowait(message)
            amounts.append(mine.buffered_amount)
        assert amounts == [7, 12, 19]
        assert [await theirs.receive() for _ in range(3)] == [TEXT, b"12345", TEXT]
        assert mine.buffered_amount == 0


@each_kind
async def test_empty_messages_and_control_messages_do_not_count(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, peers):
        amounts = lows(mine)
        for message in ("", b"", b"1", ""):
            mine.send_nowait(message)
        assert mine.buffered_amount == 1
        assert [await theirs.receive() for _ in range(4)] == ["", b"", b"1", ""]
        assert amounts == [0]
        mine.send_nowait("")
        assert mine.buffered_amount == 0
        assert await theirs.receive() == ""
        assert amounts == [0]
        # DATA_CHANNEL_OPEN is queued when the channel opens.
        another = peers.alice.create_data_channel("another")
        opened = []
        another.on_open = lambda _: opened.append(another.buffered_amount)
        await another.opened()
        await trio.sleep(1)
        assert opened == [0]


@each_kind
async def test_closing_the_channel_does_not_reset_it(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, _, _):
        mine.send_nowait(TEXT)
        mine.close()
        assert mine.buffered_amount == 7


@each_kind
async def test_closing_the_connection_does_not_reset_it(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, _, peers):
        mine.send_nowait(TEXT)
        peers.alice.close()
        assert mine.buffered_amount == 7
        await trio.sleep(1)
        assert mine.buffered_amount == 7


@each_kind
async def test_the_event_is_fired_once_for_messages_of_one_task(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        amounts = lows(mine)
        mine.send_nowait(TEXT)
        mine.send_nowait(TEXT)
        assert amounts == []
        await theirs.receive()
        await theirs.receive()
        assert amounts == [0]


@each_kind
async def test_the_event_is_fired_after_each_message(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        amounts = lows(mine)
        for number in range(1, 4):
            mine.send_nowait(TEXT)
            await theirs.receive()
            assert amounts == [0] * number


@each_kind
@pytest.mark.parametrize("threshold", [30_000, 65_536, 100_000])
async def test_the_threshold(negotiated: bool, threshold: int) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        amounts = lows(mine)
        mine.buffered_amount_low_threshold = threshold
        for _ in range(3):
            mine.send_nowait(bytes(65_536))
        for _ in range(3):
            await theirs.receive()
        (amount,) = amounts
        assert 0 <= amount <= threshold
