"""Slow readers: the sender waits, memory is bounded, no message is lost, and other traffic continues."""

import pytest
import trio

from tests.strategies.peers import open_channel
from tests.strategies.scenarios import layer_counters
from trio_rtc import MessageEvent, RTCDataChannel, SctpOptions, Settings

pytestmark = pytest.mark.usefixtures("autojump_clock")

MESSAGE_SIZE = 10_000
RECEIVE_BUFFER = 200_000
HIGH_WATER_MARK = 100_000
SMALL = Settings(
    max_message_size=65536,
    send_high_water_mark=HIGH_WATER_MARK,
    sctp=SctpOptions(receive_buffer_size=RECEIVE_BUFFER, max_message_size=65536),
)
MAX_IN_FLIGHT = (RECEIVE_BUFFER + HIGH_WATER_MARK) // MESSAGE_SIZE + 2


class Sender:
    """Sends numbered messages until cancelled."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        self.sent = 0

    async def run(self, count: int) -> None:
        for number in range(count):
            await self._channel.send(f"{number}".encode().ljust(MESSAGE_SIZE))
            self.sent += 1


async def test_the_sender_waits_and_nothing_is_lost() -> None:
    async with open_channel(settings=SMALL) as (mine, theirs, peers), trio.open_nursery() as nursery:
        sender = Sender(mine)
        nursery.start_soon(sender.run, 200)
        await trio.sleep(60)
        stalled_at = sender.sent
        assert HIGH_WATER_MARK // MESSAGE_SIZE < stalled_at <= MAX_IN_FLIGHT
        window = (await layer_counters(peers.bob, "sctp"))["receive_window"]
        assert window < MESSAGE_SIZE
        assert mine.buffered_amount <= HIGH_WATER_MARK + MESSAGE_SIZE
        for number in range(200):
            with trio.fail_after(5):
                assert int(await theirs.receive()) == number
            await trio.sleep(0.5)
            assert sender.sent <= number + 1 + MAX_IN_FLIGHT
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_a_window_that_was_closed_for_minutes_opens_again() -> None:
    async with open_channel(settings=SMALL) as (mine, theirs, _), trio.open_nursery() as nursery:
        nursery.start_soon(Sender(mine).run, 60)
        await trio.sleep(600)
        with trio.fail_after(30):
            for number in range(60):
                assert int(await theirs.receive()) == number


async def test_the_other_direction_continues() -> None:
    async with open_channel(settings=SMALL) as (mine, theirs, _), trio.open_nursery() as nursery:
        nursery.start_soon(Sender(mine).run, 200)
        await trio.sleep(10)
        with trio.fail_after(2):
            for number in range(50):
                await theirs.send(f"{number}")
                assert await mine.receive() == f"{number}"
        nursery.cancel_scope.cancel()


async def test_other_channels_are_read_when_the_slow_one_is() -> None:
    """All channels share the window of their association: a full one blocks them, without loss."""
    async with open_channel(settings=SMALL) as (mine, theirs, peers), trio.open_nursery() as nursery:
        async with peers.bob.subscribe("data_channel") as announced:
            quick = peers.alice.create_data_channel("quick")
            quick_end = (await announced.receive()).channel
        nursery.start_soon(Sender(mine).run, 100)
        await trio.sleep(10)
        nursery.start_soon(Sender(quick).run, 100)
        await trio.sleep(10)

        async def read(channel: RTCDataChannel) -> None:
            for number in range(100):
                assert int(await channel.receive()) == number

        with trio.fail_after(20):
            async with trio.open_nursery() as readers:
                readers.start_soon(read, theirs)
                readers.start_soon(read, quick_end)


async def test_a_slow_handler_slows_the_sender() -> None:
    received: list[int] = []

    async def handle(event: MessageEvent) -> None:
        await trio.sleep(1)
        received.append(int(event.data))

    async with open_channel(settings=SMALL) as (mine, theirs, _), trio.open_nursery() as nursery:
        theirs.on_message = handle
        sender = Sender(mine)
        nursery.start_soon(sender.run, 60)
        await trio.sleep(10)
        assert sender.sent <= 10 + MAX_IN_FLIGHT
        await trio.sleep(60)
        assert received == list(range(60))


async def test_messages_are_queued_for_a_late_reader() -> None:
    async with open_channel(settings=SMALL) as (mine, theirs, peers):
        await mine.send("kept")
        await mine.send("kept, too")
        await mine.aclose()
        await trio.sleep(60)
        assert [message async for message in theirs] == ["kept", "kept, too"]
        assert peers.bob.connection_state == "connected"
