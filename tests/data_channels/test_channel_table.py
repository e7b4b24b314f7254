"""Many channels that end at once: a few on each turn of the scheduler, in W3C's order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import Peers, channel_pair, connect, open_channel, two_peers
from trio_rtc import RTCDataChannel, RTCPeerConnection, RTCPeerConnectionStats, SctpOptions, Settings
from trio_rtc.data_channels.data_channel import RTCDataChannelEvent
from trio_rtc.events import Event, MessageEvent
from trio_rtc.transports.sctp import SctpTransport, StreamReader

COUNT = 300
CLOSED_AT_ONCE = 32


@attrs.define
class Ends:
    """The channels of one peer in the order of their creation, and their close events.

    Attributes:
        channels: The channels.
        closed: Channels that had their ``close`` event, in that order.
        turns: Numbers of channels closed in each task step that has closed some.
    """

    channels: list[RTCDataChannel] = attrs.field(factory=list)
    closed: list[RTCDataChannel] = attrs.field(factory=list)
    turns: list[int] = attrs.field(factory=list)

    def watch(self, channel: RTCDataChannel) -> None:
        self.channels.append(channel)
        channel.on_close = self._record_closed

    def _record_closed(self, event: Event) -> None:
        assert isinstance(event.target, RTCDataChannel)
        assert event.target.ready_state == "closed"
        self.closed.append(event.target)


class StepCounter(trio.abc.Instrument):
    """Counts the channels that each task step closes."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._before = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._before = len(self._ends.closed)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if closed := len(self._ends.closed) - self._before:
            self._ends.turns.append(closed)


@asynccontextmanager
async def many_channels() -> AsyncIterator[tuple[Peers, Ends]]:
    """Connect two peers with many channels that Alice has opened; return Bob's ends."""
    async with two_peers() as peers:
        ends = Ends()

        def announced(event: RTCDataChannelEvent) -> None:
            ends.watch(event.channel)

        peers.bob.on_data_channel = announced
        opened = [peers.alice.create_data_channel(str(number)) for number in range(COUNT)]
        await connect(peers.alice, peers.bob)
        await opened[-1].opened()
        await trio.sleep(5)
        assert len(ends.channels) == COUNT
        counter = StepCounter(ends)
        trio.lowlevel.add_instrument(counter)
        yield peers, ends
        trio.lowlevel.remove_instrument(counter)


pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_an_association_that_ends_closes_a_few_channels_on_each_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with many_channels() as (peers, ends):
        peers.alice.close()
        await trio.sleep(1)
        assert ends.closed == ends.channels
        # DTLS and the association end in the same step, and each closes a few channels.
        assert sum(ends.turns) == COUNT
        assert max(ends.turns) <= 3 * CLOSED_AT_ONCE
        assert {turn % CLOSED_AT_ONCE for turn in ends.turns[:-1]} == {0}
        assert peers.bob.sctp is not None
        assert peers.bob.sctp.state == "closed"


async def test_tasks_waiting_on_the_last_of_many_channels_are_woken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outcomes: list[str] = []
    async with many_channels() as (peers, ends):
        last = ends.channels[-1]

        async def fill() -> None:
            try:
                while True:
                    await last.send(b"x" * 100_000)
            except trio.BrokenResourceError:
                outcomes.append("sender")

        async def read() -> None:
            with pytest.raises(trio.EndOfChannel):
                await last.receive()
            outcomes.append("reader")

        async with trio.open_nursery() as nursery:
            peers.network.partition("alice")
            nursery.start_soon(fill)
            nursery.start_soon(read)
            await trio.sleep(0.2)
            peers.network.heal()
            peers.alice.close()
        assert sorted(outcomes) == ["reader", "sender"]


async def test_a_handler_that_closes_the_connection_ends_the_events_of_the_other_channels(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with many_channels() as (peers, ends):
        fourth = ends.channels[3]
        fourth.add_event_listener("close", lambda _event: peers.bob.close())
        peers.alice.close()
        await trio.sleep(1)
        assert ends.closed == ends.channels[:4]
        assert {channel.ready_state for channel in ends.channels} == {"closed"}


async def test_a_channel_created_while_others_close_closes_after_them(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with many_channels() as (peers, ends):

        def make_one(_event: Event) -> None:
            ends.watch(peers.bob.create_data_channel("late"))

        ends.channels[0].add_event_listener("close", make_one)
        peers.alice.close()
        await trio.sleep(1)
        assert ends.closed == ends.channels
        assert [channel.label for channel in ends.closed[-2:]] == [str(COUNT - 1), "late"]


async def test_closing_the_connection_closes_all_channels_at_once_and_silently(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[StreamReader] = []
    set_reader = SctpTransport.set_reader

    def record_reader(transport: SctpTransport, stream_id: int, reader: StreamReader) -> None:
        readers.append(reader)
        set_reader(transport, stream_id, reader)

    monkeypatch.setattr(SctpTransport, "set_reader", record_reader)
    async with many_channels() as (peers, ends):
        last = ends.channels[-1]
        messages: list[MessageEvent] = []
        woken: list[RTCDataChannel] = []

        async def read(channel: RTCDataChannel) -> None:
            with pytest.raises(trio.ClosedResourceError):
                await channel.receive()
            woken.append(channel)

        ends.channels[-2].on_message = messages.append
        async with trio.open_nursery() as nursery:
            for channel in ends.channels:
                if channel is not ends.channels[-2]:
                    nursery.start_soon(read, channel)
            await trio.testing.wait_all_tasks_blocked()
            peers.bob.close()
            assert {channel.ready_state for channel in ends.channels} == {"closed"}
            with pytest.raises(trio.ClosedResourceError):
                last.send_nowait("x")
            last.close()
            last.dispatch_event(Event("close", last))
            for reader in readers:
                reader.messages_available()
        assert len(woken) == COUNT - 1
        assert ends.closed == []
        assert messages == []


async def test_counters_of_opened_and_closed_channels() -> None:
    async def counts(pc: RTCPeerConnection) -> tuple[int, int]:
        stats = (await pc.get_stats())["peer-connection"]
        assert isinstance(stats, RTCPeerConnectionStats)
        return stats.data_channels_opened, stats.data_channels_closed

    async with two_peers() as peers:
        never = peers.alice.create_data_channel("never open")
        never.close()
        assert await counts(peers.alice) == (0, 0)
        mine, _ = await channel_pair(peers.alice, peers.bob)
        await channel_pair(peers.bob, peers.alice, "second")
        assert await counts(peers.alice) == await counts(peers.bob) == (2, 0)
        await mine.aclose()
        await trio.sleep(1)
        assert await counts(peers.alice) == await counts(peers.bob) == (2, 1)
        await peers.bob.aclose()
        await trio.sleep(1)
        assert await counts(peers.alice) == (2, 2)


async def test_ids_are_reused_after_all_others() -> None:
    settings = Settings(sctp=SctpOptions(inbound_streams=4, outbound_streams=4))
    async with open_channel(settings=settings) as (mine, _, peers):
        first = mine.id
        assert first is not None
        await mine.aclose()
        for label, stream_id in (("unused", first + 2), ("again", first)):
            async with peers.bob.subscribe("data_channel") as announced:
                another = peers.alice.create_data_channel(label)
                assert another.id == stream_id
                theirs: RTCDataChannel = (await announced.receive()).channel
            await another.send("hello")
            assert (theirs.label, await theirs.receive()) == (label, "hello")


async def test_many_channels_at_once() -> None:
    async with two_peers() as peers, peers.bob.subscribe("data_channel") as announced:
        mine = [peers.alice.create_data_channel(f"{number}") for number in range(50)]
        await connect(peers.alice, peers.bob)
        theirs = {(event := await announced.receive()).channel.label: event.channel for _ in range(50)}
        for channel in mine:
            await channel.opened()
            await channel.send(channel.label)
        for label, channel in theirs.items():
            assert await channel.receive() == label
        assert len({channel.id for channel in mine}) == 50
