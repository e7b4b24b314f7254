"""The SCTP transport: back-pressure, readers of streams and data channel control."""

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.sctp_sides import SctpSide, make_sctp_side, two_sctp_sides
from trio_rtc.protocols.datachannel import (
    AllChannelsClosed,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelControl,
    ChannelOpened,
    DataChannelEvent,
)
from trio_rtc.protocols.datachannel.messages import PPID_BINARY
from trio_rtc.protocols.sctp import Association, AssociationClosed, AssociationEstablished, SctpOptions
from trio_rtc.transports.sctp import StreamReader

pytestmark = pytest.mark.usefixtures("autojump_clock")

ONE_STREAM_EACH = SctpOptions(inbound_streams=2, outbound_streams=2)
"""Options with which the second channel has the id of the first."""


async def settle() -> None:
    """Run for a time without loss or retransmission, so that delayed SACKs are sent."""
    await trio.sleep(0.1)


async def open_pair(mine: SctpSide, theirs: SctpSide, label: str = "chat") -> tuple[int, int, int]:
    """Open a channel; return its keys on both sides and its stream."""
    key = mine.create_channel(label)
    await settle()
    assert mine.is_open(key)
    announced = theirs.events_of(ChannelAnnounced)[-1]
    assert isinstance(announced, ChannelAnnounced)
    assert announced.stream_id == mine.stream_of(key)
    return key, announced.key, announced.stream_id


# -- setting up --------------------------------------------------------------------------------------------------


async def test_the_association_is_reported_before_the_channels_that_waited_for_it() -> None:
    order: list[str] = []
    async with two_sctp_sides(connected=False) as [client, server]:
        client.channel_events.react = lambda event: order.append(
            f"{type(event).__name__} {len(client.events)}"
        )
        key = client.create_channel()
        assert not client.is_open(key)
        client.sctp.association.connect(trio.current_time())
        client.sctp.wake()
        await settle()
        assert client.is_open(key)
        assert isinstance(client.events[0], AssociationEstablished)
        assert order == ["StreamIdAssigned 0", "ChannelOpened 1"]
        assert len(server.events_of(ChannelAnnounced)) == 1


async def test_a_channel_needs_a_stream_in_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(
        ChannelControl, "association_established", lambda control, streams: counts.append(streams)
    )
    few = SctpOptions(inbound_streams=4)
    async with two_sctp_sides(server_options=few) as [client, server]:
        (established,) = client.events
        assert established == AssociationEstablished(65535, 4)
        assert server.events == [AssociationEstablished(4, 65535)]
    assert counts == [4, 4]


async def test_each_side_opens_channels_on_its_own_streams() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, even = await open_pair(client, server)
        *_, odd = await open_pair(server, client)
        assert (even % 2, odd % 2) == (0, 1)


# -- readers -----------------------------------------------------------------------------------------------------


async def test_a_reader_gets_every_message_except_control_messages() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        for number in range(5):
            client.send(stream, b"%d" % number)
        await settle()
        assert reading.messages == [b"0", b"1", b"2", b"3", b"4"]


@attrs.define
class Echo:
    """A reader that replies in ``messages_available``, and again when the reply was sent."""

    side: SctpSide
    stream_id: int
    answered: int = 0
    again: int = 0

    @property
    def reader(self) -> StreamReader:
        return StreamReader(self.messages_available, self.buffered_amount_low)

    def messages_available(self) -> None:
        while (message := self.side.sctp.receive_message(self.stream_id)) is not None:
            self.answered += 1
            self.answer(message[1])

    def buffered_amount_low(self) -> None:
        if self.again:
            self.again -= 1
            self.answer(b"again")

    def answer(self, data: bytes) -> None:
        self.side.sctp.association.send(self.stream_id, PPID_BINARY, data, trio.current_time())
        self.side.sctp.schedule_flush()


@pytest.mark.parametrize("again", [0, 3])
async def test_a_reply_from_a_handler_is_sent_in_the_same_step(again: int) -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        echo = Echo(server, stream, again=again)
        server.sctp.set_reader(stream, echo.reader)
        heard = client.read(stream)
        await settle()
        now = trio.current_time()
        for number in range(3):
            client.sctp.association.send(stream, PPID_BINARY, b"%d" % number, now)
        packets = client.sctp.association.datagrams_to_send(now)
        before = len(server.wire.packets)
        server.inbox.push(packets, len(packets), now)
        assert echo.answered == 3
        # All three in one packet, which is sent after all handlers.
        assert len(server.wire.packets) == before + 1
        await trio.sleep(0.1)
        assert heard.messages == [b"0", b"1", b"2"] + [b"again"] * again
        assert echo.again == 0


async def test_a_full_wire_is_reported_although_the_reply_did_not_fill_it() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        server.sctp.set_reader(stream, StreamReader(server.sctp.schedule_flush, lambda: None))
        await settle()
        now = trio.current_time()
        client.sctp.association.send(stream, PPID_BINARY, b"ping", now)
        server.wire.gate.shut()
        server.sctp.association.send(stream, PPID_BINARY, b"pong", now)
        server.sctp.association.receive(client.sctp.association.datagrams_to_send(now), now)
        assert not server.sctp.flush_nowait(now)


async def test_only_a_flush_with_a_reply_from_a_handler_flushes_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0
    look = Association.datagrams_to_send

    def count(association: Association, now: float) -> list[bytes]:
        nonlocal looks
        looks += association is server.sctp.association
        return look(association, now)

    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        server.sctp.set_reader(stream, Echo(server, stream).reader)
        await settle()
        monkeypatch.setattr(Association, "datagrams_to_send", count)
        now = trio.current_time()
        client.sctp.association.send(stream, PPID_BINARY, b"ping", now)
        server.sctp.association.receive(client.sctp.association.datagrams_to_send(now), now)
        counts = []
        for _ in range(3):
            looks = 0
            server.sctp.flush_nowait(now)
            counts.append(looks)
        assert counts == [2, 1, 1]


async def test_messages_queued_outside_a_handler_are_sent_by_the_task() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        heard = server.read(stream)
        client.sctp.association.send(stream, PPID_BINARY, b"later", trio.current_time())
        before = len(client.wire.packets)
        client.sctp.schedule_flush()
        assert len(client.wire.packets) == before
        await settle()
        assert heard.messages == [b"later"]


async def test_messages_before_the_reader_are_kept() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        client.send(stream, b"early")
        await settle()
        assert server.read(stream).messages == [b"early"]


async def test_messages_wait_for_a_negotiated_channel() -> None:
    async with two_sctp_sides() as [client, server]:
        client.create_channel(negotiated_id=100)
        client.send(100, b"early")
        await settle()
        server.create_channel(negotiated_id=100)
        assert server.read(100).messages == [b"early"]


async def test_a_slow_reader_reduces_the_window_and_receiving_reopens_it() -> None:
    options = SctpOptions(receive_buffer_size=40_000, max_message_size=20_000)
    async with two_sctp_sides(options=options) as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream, eager=False)
        for number in range(40):
            client.send(stream, bytes([number]) * 5_000)
        await trio.sleep(1)
        assert client.sctp.association.total_buffered > 100_000
        buffered = client.sctp.association.total_buffered
        reading.receive_all()
        # Immediately, long before the peer's next window probe.
        await trio.sleep(0.01)
        assert client.sctp.association.total_buffered < buffered
        for _ in range(40):
            reading.receive_all()
            await settle()
        assert [message[0] for message in reading.messages] == list(range(40))
        assert client.sctp.association.total_buffered == 0


async def test_a_removed_reader_is_not_called() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        calls = reading.calls
        server.sctp.remove_reader(stream)
        server.sctp.remove_reader(stream)
        client.send(stream, b"to nobody")
        await settle()
        assert reading.calls == calls


async def test_the_remaining_messages_of_a_stream_can_be_retained() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        for message in (b"a", b"b"):
            client.send(stream, message)
        await settle()
        assert server.sctp.retain_messages(stream) == [(PPID_BINARY, b"a"), (PPID_BINARY, b"b")]
        assert server.sctp.retain_messages(stream) == []


# -- room --------------------------------------------------------------------------------------------------------


async def test_above_the_high_water_mark_senders_wait_and_are_woken_when_it_falls() -> None:
    woken: list[int] = []
    async with two_sctp_sides(high_water_mark=50_000) as [client, server], trio.open_nursery() as nursery:
        *_, stream = await open_pair(client, server)
        server.read(stream)
        server.wire.gate.shut()
        assert not client.sctp.is_full()
        client.send(stream, bytes(100_000))
        assert client.sctp.is_full()

        async def wait(number: int) -> None:
            while client.sctp.is_full():
                await client.sctp.wait_for_room()
            woken.append(number)

        for number in range(3):
            nursery.start_soon(wait, number)
        await trio.sleep(0.1)
        assert woken == []
        server.wire.gate.open()
        await trio.sleep(5)
        assert sorted(woken) == [0, 1, 2]
        assert not client.sctp.is_full()


async def test_the_high_water_mark_is_full() -> None:
    async with two_sctp_sides(high_water_mark=1000) as [client, server]:
        *_, stream = await open_pair(client, server)
        client.sctp.association.send(stream, PPID_BINARY, bytes(999), trio.current_time())
        assert not client.sctp.is_full()
        client.sctp.association.send(stream, PPID_BINARY, bytes(1), trio.current_time())
        assert client.sctp.is_full()


async def test_senders_are_woken_only_below_the_high_water_mark() -> None:
    woken_at: list[float] = []
    async with two_sctp_sides(high_water_mark=50_000) as [client, server], trio.open_nursery() as nursery:
        *_, stream = await open_pair(client, server)
        server.wire.gate.shut()
        client.send(stream, bytes(100_000))

        async def wait() -> None:
            await client.sctp.wait_for_room()
            woken_at.append(trio.current_time())
            assert not client.sctp.is_full()

        nursery.start_soon(wait)
        # It retransmits.
        await trio.sleep(3)
        assert woken_at == []
        server.wire.gate.open()
        await trio.sleep(5)
        assert len(woken_at) == 1


async def test_retained_messages_fill_the_window() -> None:
    options = SctpOptions(receive_buffer_size=40_000, max_message_size=20_000)
    async with two_sctp_sides(options=options) as [client, server]:
        *_, stream = await open_pair(client, server)
        for number in range(12):
            client.send(stream, bytes([number]) * 5_000)
        await trio.sleep(1)
        taken = server.sctp.retain_messages(stream)
        assert len(taken) >= 7
        await trio.sleep(1)
        waiting = client.sctp.association.total_buffered
        assert server.sctp.retain_messages(stream) == []
        server.sctp.release_messages(taken)
        server.sctp.wake()
        await trio.sleep(0.05)
        assert client.sctp.association.total_buffered < waiting
        rest = server.sctp.retain_messages(stream)
        assert [message[1][0] for message in [*taken, *rest]] == list(range(12))


async def test_an_opening_window_is_announced_immediately() -> None:
    options = SctpOptions(receive_buffer_size=40_000, max_message_size=20_000)
    async with two_sctp_sides(options=options) as [client, server]:
        *_, stream = await open_pair(client, server)
        for number in range(12):
            client.send(stream, bytes([number]) * 5_000)
        await trio.sleep(1)
        before = len(server.wire.packets)
        while not server.sctp.association.acknowledgement_due:
            await trio.testing.wait_all_tasks_blocked()
            before = len(server.wire.packets)
            assert server.sctp.receive_message(stream) is not None
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.wire.packets) > before


@pytest.mark.parametrize("is_larger", [True, False])
async def test_data_continues_immediately_when_media_leaves_more_bitrate(
    is_larger: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def share_path(association: Association, max_bitrate: float | None, now: float) -> bool:
        limits.append(max_bitrate)
        return is_larger

    monkeypatch.setattr(Association, "share_path", share_path)
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        client.sctp.association.send(stream, PPID_BINARY, b"waiting", trio.current_time())
        client.sctp.share_path(1e6)
        await trio.testing.wait_all_tasks_blocked()
        assert limits == [1e6]
        assert reading.messages == ([b"waiting"] if is_larger else [])


async def test_data_lost_in_an_outage_is_retransmitted_when_the_path_is_restored() -> None:
    """Not only when T3-rtx expires, which has backed off by then."""
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        deliver, client.wire.deliver = client.wire.deliver, lambda batch: None
        client.send(stream, b"lost")
        await trio.sleep(20)
        client.wire.deliver = deliver
        client.sctp.path_restored()
        await trio.testing.wait_all_tasks_blocked()
        assert reading.messages == [b"lost"]


@pytest.mark.parametrize("by_peer", [False, True])
async def test_the_end_of_the_association_wakes_waiting_senders(by_peer: bool) -> None:
    async with two_sctp_sides(high_water_mark=50_000) as [client, server], trio.open_nursery() as nursery:
        *_, stream = await open_pair(client, server)
        server.wire.gate.shut()
        client.send(stream, bytes(100_000))
        nursery.start_soon(client.sctp.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        if by_peer:
            server.wire.gate.open()
            await server.sctp.close()
        else:
            await client.sctp.close()
    assert client.sctp.association.closed
    # Senders no longer wait: sending raises.
    assert not client.sctp.is_full()


async def test_the_end_of_dtls_wakes_waiting_senders() -> None:
    async with two_sctp_sides(high_water_mark=50_000) as [client, server], trio.open_nursery() as nursery:
        *_, stream = await open_pair(client, server)
        server.wire.gate.shut()
        client.send(stream, bytes(100_000))
        nursery.start_soon(client.sctp.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        client.inbox.close()
    [*_, closed] = client.events
    assert isinstance(closed, AssociationClosed)
    assert closed.error is not None


async def test_a_transport_that_is_cancelled_wakes_waiting_senders() -> None:
    side = make_sctp_side(is_client=True)
    async with trio.open_nursery() as waiting, trio.open_nursery() as running:
        await running.start(side.sctp.run)
        waiting.start_soon(side.sctp.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        running.cancel_scope.cancel()


async def test_the_reader_is_notified_of_a_low_buffered_amount() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = client.read(stream)
        client.sctp.association.set_buffered_amount_low_threshold(stream, 1000)
        low = reading.low
        client.send(stream, bytes(200_000))
        assert reading.low == low
        await trio.sleep(1)
        assert reading.low == low + 1


# -- a full wire -------------------------------------------------------------------------------------------------


async def test_a_sender_waits_for_a_full_wire_for_a_limited_time() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        client.wire.gate.shut()
        client.send(stream, b"late")
        start = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.sctp.drain_shielded()
        assert 0 < trio.current_time() - start <= 2
        client.wire.gate.open()
        await client.wire.drain()
        await settle()
        assert reading.messages == [b"late"]


async def test_a_full_wire_blocks_the_task() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        server.wire.gate.shut()
        client.send(stream, b"a")
        # The SACK is due.
        await trio.sleep(0.5)
        client.send(stream, b"b")
        await trio.sleep(0.1)
        assert reading.messages == [b"a"]
        server.wire.gate.open()
        await settle()
        assert reading.messages == [b"a", b"b"]


# -- channels ----------------------------------------------------------------------------------------------------


async def test_closing_resets_both_sides_after_the_queued_messages() -> None:
    async with two_sctp_sides() as [client, server]:
        key, their_key, stream = await open_pair(client, server)
        reading = server.read(stream)
        client.send(stream, bytes(100_000))
        client.sctp.control.close_channel(key)
        client.sctp.flush_channel_control()
        await trio.sleep(1)
        assert len(reading.messages) == 1
        assert server.events_of(ChannelClosing) == [ChannelClosing(their_key)]
        assert client.events_of(ChannelClosed) == [ChannelClosed(key)]
        assert server.events_of(ChannelClosed) == [ChannelClosed(their_key)]


async def test_a_reused_stream_does_not_get_remaining_messages() -> None:
    async with two_sctp_sides(options=ONE_STREAM_EACH) as [client, server]:
        key, _, stream = await open_pair(client, server, "first")
        server.read(stream, eager=False)
        client.send(stream, b"of the first")
        client.sctp.control.close_channel(key)
        client.sctp.flush_channel_control()
        await settle()
        assert not client.sctp.control.channel_keys()
        # The DATA_CHANNEL_OPEN of the second channel waits behind the unread message.
        client.create_channel("second")
        client.send(stream, b"of the second")
        await settle()
        assert len(server.events_of(ChannelAnnounced)) == 1
        assert server.sctp.retain_messages(stream) == [(PPID_BINARY, b"of the first")]
        server.sctp.remove_reader(stream)
        await settle()
        assert [event.parameters.label for event in server.events_of(ChannelAnnounced)] == ["first", "second"]  # type: ignore[union-attr]
        assert server.read(stream).messages == [b"of the second"]


async def test_receiving_all_messages_opens_the_next_channel() -> None:
    async with two_sctp_sides(options=ONE_STREAM_EACH) as [client, server]:
        key, _, stream = await open_pair(client, server, "first")
        reading = server.read(stream, eager=False)
        client.send(stream, b"of the first")
        client.sctp.control.close_channel(key)
        client.sctp.flush_channel_control()
        await settle()
        client.create_channel("second")
        await settle()
        reading.receive_all()
        assert reading.messages == [b"of the first"]
        # Not within the call of the reader.
        assert len(server.events_of(ChannelAnnounced)) == 1
        await settle()
        assert len(server.events_of(ChannelAnnounced)) == 2


async def test_a_handler_may_open_and_close_channels() -> None:
    """Calls from event handlers take effect once and in order."""
    async with two_sctp_sides() as [client, server]:

        def react(event: DataChannelEvent) -> None:
            if isinstance(event, ChannelAnnounced) and event.parameters.label == "first":
                server.create_channel("answer")
                server.create_channel("second answer")
                server.sctp.control.close_channel(event.key)
                server.sctp.flush_channel_control()

        server.channel_events.react = react
        key = client.create_channel("first")
        await trio.sleep(1)
        announced = client.events_of(ChannelAnnounced)
        assert [event.parameters.label for event in announced] == ["answer", "second answer"]  # type: ignore[union-attr]
        assert ChannelClosed(key) in client.channel_events
        assert len(server.events_of(ChannelOpened)) == 2
        assert len(server.events_of(ChannelClosed)) == 1


async def test_events_caused_by_a_handler_follow_earlier_ones() -> None:
    async with two_sctp_sides(connected=False) as [client, _]:
        keys = [client.create_channel(), client.create_channel()]
        client.channel_events.react = lambda event: (
            keys.append(client.create_channel()) if event == ChannelOpened(keys[0]) else None
        )
        client.sctp.association.connect(trio.current_time())
        client.sctp.wake()
        await settle()
        assert len(keys) == 3
        assert client.events_of(ChannelOpened) == [ChannelOpened(key) for key in keys]


async def test_channels_created_in_the_handler_of_the_association_open() -> None:
    async with two_sctp_sides(connected=False) as [client, server]:
        client.create_channel("first")
        client.channel_events.react = lambda event: (
            client.create_channel("second") if event == ChannelOpened(1) else None
        )
        client.sctp.association.connect(trio.current_time())
        client.sctp.wake()
        await settle()
        announced = server.events_of(ChannelAnnounced)
        assert [event.parameters.label for event in announced] == ["first", "second"]  # type: ignore[union-attr]


async def test_garbage_is_ignored() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        reading = server.read(stream)
        for hostile in (b"", b"\0" * 11, bytes(100), b"\xff" * 1200):
            server.inbox.push([hostile], 1, trio.current_time())
        client.send(stream, b"go on")
        await settle()
        assert reading.messages == [b"go on"]


# -- the end -----------------------------------------------------------------------------------------------------


async def test_closing_aborts_once_and_closes_the_channels_of_both_sides() -> None:
    async with two_sctp_sides() as [client, server]:
        key, their_key, _ = await open_pair(client, server)
        await client.sctp.close()
        await client.sctp.close()
        await settle()
        assert client.events_of(AllChannelsClosed) == [AllChannelsClosed(None, (key,))]
        assert server.events_of(AllChannelsClosed) == [AllChannelsClosed(None, (their_key,))]
        for side in (client, server):
            assert [event for event in side.events if isinstance(event, AssociationClosed)] == side.events[
                -1:
            ]


async def test_arrived_messages_can_be_received_after_the_end() -> None:
    async with two_sctp_sides() as [client, server]:
        *_, stream = await open_pair(client, server)
        client.send(stream, b"last words")
        await settle()
        await client.sctp.close()
        await settle()
        assert server.sctp.association.closed
        assert server.sctp.receive_message(stream) == (PPID_BINARY, b"last words")


async def test_after_the_end_channels_can_still_be_closed() -> None:
    async with two_sctp_sides() as [client, server]:
        key, *_ = await open_pair(client, server)
        await client.sctp.close()
        client.sctp.control.close_channel(key)
        client.sctp.flush_channel_control()
        assert client.events_of(AllChannelsClosed) == [AllChannelsClosed(None, (key,))]
        assert client.events_of(ChannelClosed) == []
        assert len(server.events_of(ChannelAnnounced)) == 1
