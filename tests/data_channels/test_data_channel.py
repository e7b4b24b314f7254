"""RTCDataChannel: messages, back-pressure, closing and misuse."""

import functools
import gc
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import connect, open_channel, two_peers
from tests.strategies.scenarios import layer_counters
from trio_rtc import (
    InvalidStateError,
    MessageEvent,
    RTCDataChannel,
    RTCDataChannelState,
    RTCError,
    RTCErrorEvent,
    RTCPeerConnection,
    SctpOptions,
    Settings,
)
from trio_rtc.event_target import AnyEvent
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.sctp import Association
from trio_rtc.testing.host import SimulatedSocket

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_too_large_a_message_is_rejected_before_any_byte_is_sent() -> None:
    async with open_channel() as (mine, theirs, _):
        with pytest.raises(TypeError, match="262145"):
            await mine.send(bytes(262145))
        with pytest.raises(TypeError, match="262145"):
            mine.send_nowait("x" * 262145)
        await mine.send("fits")
        assert await theirs.receive() == "fits"


async def test_the_peers_limit_counts() -> None:
    async with open_channel(settings=Settings(max_message_size=1000)) as (mine, _, peers):
        assert peers.alice.sctp is not None
        assert peers.alice.sctp.max_message_size == 1000
        with pytest.raises(TypeError):
            await mine.send(bytes(1001))
        await mine.send(bytes(1000))


async def test_the_announced_message_size_is_accepted() -> None:
    size = 6 << 20
    async with open_channel(settings=Settings(max_message_size=size)) as (mine, theirs, _):
        await mine.send(bytes(size))
        assert await theirs.receive() == bytes(size)


async def test_sending_before_the_channel_is_open() -> None:
    pc = RTCPeerConnection()
    channel = pc.create_data_channel("chat")
    with pytest.raises(InvalidStateError, match="opened"):
        await channel.send("too early")


async def test_attributes_are_the_same_on_both_sides() -> None:
    options: dict[str, Any] = {"ordered": False, "max_retransmits": 3, "protocol": "p", "priority": "high"}
    async with open_channel(label="läbel", **options) as (mine, theirs, _):
        for channel in (mine, theirs):
            assert channel.label == "läbel"
            assert (channel.ordered, channel.max_retransmits, channel.max_packet_life_time) == (
                False,
                3,
                None,
            )
            assert (channel.protocol, channel.priority, channel.negotiated) == ("p", "high", False)
            assert channel.ready_state == "open"
            assert not channel.reliable
        assert mine.id == theirs.id == mine.stream


async def test_negotiated_channels_connect_without_an_event() -> None:
    async with two_peers() as peers:
        announced: list[object] = []
        peers.bob.on_data_channel = announced.append
        mine = peers.alice.create_data_channel("mine", negotiated=True, id=7)
        theirs = peers.bob.create_data_channel("theirs", negotiated=True, id=7)
        await connect(peers.alice, peers.bob)
        await mine.opened()
        await mine.send("hello")
        assert await theirs.receive() == "hello"
        assert announced == []


async def test_a_threshold_from_before_the_opening_counts() -> None:
    async with two_peers() as peers:
        mine = peers.alice.create_data_channel("mine", negotiated=True, id=7)
        peers.bob.create_data_channel("theirs", negotiated=True, id=7)
        assert mine.buffered_amount_low_threshold == 0
        mine.buffered_amount_low_threshold = 100_000
        await connect(peers.alice, peers.bob)
        await mine.opened()
        amounts: list[int] = []
        mine.on_buffered_amount_low = lambda _: amounts.append(mine.buffered_amount)
        mine.send_nowait(bytes(200_000))
        await trio.sleep(1)
        assert len(amounts) == 1
        assert 0 < amounts[0] <= 100_000


async def test_messages_are_queued_for_a_late_negotiated_channel() -> None:
    async with two_peers() as peers:
        mine = peers.alice.create_data_channel("mine", negotiated=True, id=7)
        await connect(peers.alice, peers.bob)
        await mine.opened()
        await mine.send("early")
        await trio.sleep(1)
        theirs = peers.bob.create_data_channel("theirs", negotiated=True, id=7)
        await theirs.opened()
        assert await theirs.receive() == "early"


async def test_a_channel_created_in_a_handler_has_an_id_at_once() -> None:
    async with two_peers() as peers:
        ids: list[int | None] = []
        peers.bob.on_data_channel = lambda event: ids.append(peers.bob.create_data_channel("reply").id)
        mine = peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await mine.opened()
        await trio.sleep(1)
        assert mine.id is not None
        assert ids == [1 - mine.id]


async def test_messages_are_queued_until_there_is_a_listener() -> None:
    async with open_channel() as (mine, theirs, _):
        for number in range(3):
            await mine.send(str(number))
        await trio.sleep(1)
        received: list[str | bytes] = []
        theirs.on_message = lambda event: received.append(event.data)
        assert received == []
        await trio.testing.wait_all_tasks_blocked()
        assert received == ["0", "1", "2"]
        await mine.send("3")
        await trio.sleep(1)
        assert received[-1] == "3"


async def test_an_asynchronous_handler_gets_one_message_at_a_time() -> None:
    async with open_channel() as (mine, theirs, _):
        log: list[str | bytes] = []

        async def handle(event: MessageEvent) -> None:
            log.append(f"begin {event.data!s}")
            await trio.sleep(1)
            log.append(f"end {event.data!s}")

        theirs.on_message = handle
        for number in range(3):
            await mine.send(str(number))
        await trio.sleep(10)
        assert log == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]


async def test_an_asynchronous_handler_gets_all_messages_before_the_end() -> None:
    """The close event is fired after the call with the last message, regardless of the handler's duration."""
    async with open_channel() as (mine, theirs, _):
        log: list[str | bytes] = []

        async def handle(event: MessageEvent) -> None:
            await trio.sleep(1)
            log.append(event.data)

        theirs.on_message = handle
        for kind in ("closing", "close", "error"):
            theirs.add_event_listener(kind, lambda event: log.append(event.type))
        async with theirs.subscribe("close") as closed:
            for number in range(3):
                await mine.send(str(number))
            await mine.aclose()
            await trio.sleep(0.5)
            assert theirs.ready_state == "closed"
            assert [event.type async for event in closed] == ["close"]
        assert log == ["closing", "0", "1", "close"]
        await trio.sleep(1.5)
        assert log == ["closing", "0", "1", "close", "2"]


@pytest.mark.parametrize("how", ["removed", "closed", "connection closed"])
async def test_messages_after_closing_are_not_passed_to_an_asynchronous_handler(how: str) -> None:
    async with open_channel() as (mine, theirs, peers), theirs.subscribe("close") as closed:
        handled: list[str | bytes] = []

        async def handle(event: MessageEvent) -> None:
            await trio.sleep(1)
            handled.append(event.data)

        theirs.on_message = handle
        for number in range(4):
            await mine.send(str(number))
        await mine.aclose()
        await trio.sleep(1.5)
        assert handled == ["0"]
        if how == "removed":
            theirs.on_message = None
        elif how == "closed":
            theirs.close()
        else:
            peers.bob.close()
        assert len([event async for event in closed]) == (how != "connection closed")
        await trio.sleep(5)
        left = [message async for message in theirs]
        assert left == ([] if how == "closed" else ["2", "3"])
        assert handled == ["0", "1"]


async def test_a_handler_added_after_the_end_gets_unread_messages() -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.send("unread")
        await mine.aclose()
        await trio.sleep(1)
        theirs.on_message = lambda _: None
        await trio.sleep(1)
        assert await theirs.receive() == "unread"


async def test_a_slow_reader_blocks_the_sender_and_loses_nothing() -> None:
    settings = Settings(send_high_water_mark=50_000, sctp=SctpOptions(receive_buffer_size=600_000))
    async with open_channel(settings=settings) as (mine, theirs, _), trio.open_nursery() as nursery:
        sent = 0

        async def send() -> None:
            nonlocal sent
            for number in range(100):
                await mine.send(number.to_bytes(4, "big") * 5000)
                sent += 1

        nursery.start_soon(send)
        await trio.sleep(20)
        assert sent < 50
        for number in range(100):
            assert await theirs.receive() == number.to_bytes(4, "big") * 5000


async def test_send_nowait_stops_at_the_high_water_mark() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=10_000)) as (mine, theirs, _):
        for _ in range(10):
            mine.send_nowait(bytes(1000))
        with pytest.raises(trio.WouldBlock):
            mine.send_nowait(b"one too many")
        await mine.wait_for_room()
        mine.send_nowait("there is room again")
        for _ in range(10):
            await theirs.receive()
        assert await theirs.receive() == "there is room again"


async def test_send_nowait_sends_before_the_next_checkpoint_is_over() -> None:
    async with open_channel() as (mine, theirs, _):
        await trio.sleep(1)
        mine.send_nowait("now")
        with trio.fail_after(0.1):
            assert await theirs.receive() == "now"


async def test_send_waits_while_the_socket_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """It returns when the datagrams are sent, so that queues below stay short."""
    async with open_channel() as (mine, theirs, _):
        await trio.sleep(1)
        room = trio.Event()
        send = SimulatedSocket.send_nowait

        def send_to_full(socket: SimulatedSocket, batch: Sequence[bytes], remote: Address) -> bool:
            return send(socket, batch, remote) and room.is_set()

        async def drain(socket: SimulatedSocket) -> None:
            await room.wait()

        monkeypatch.setattr(SimulatedSocket, "send_nowait", send_to_full)
        monkeypatch.setattr(SimulatedSocket, "drain", drain)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mine.send, "first")
            await trio.sleep(0.1)
            assert len(nursery.child_tasks) == 1
            room.set()
            await trio.testing.wait_all_tasks_blocked()
            assert not nursery.child_tasks
        monkeypatch.undo()
        await mine.send("second")
        assert [await theirs.receive() for _ in range(2)] == ["first", "second"]


class Steps(trio.abc.Instrument):
    """Counts the steps of each task."""

    def __init__(self) -> None:
        self.counts: Counter[trio.lowlevel.Task] = Counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.counts[task] += 1


async def test_a_waiting_reader_gets_the_message_in_the_step_that_wakes_it() -> None:
    async with open_channel() as (mine, theirs, _), trio.open_nursery() as nursery:
        steps = Steps()
        taken: list[int] = []

        async def read() -> None:
            task = trio.lowlevel.current_task()
            for _ in range(3):
                await theirs.receive()
                taken.append(steps.counts[task])

        trio.lowlevel.add_instrument(steps)
        nursery.start_soon(read)
        for _ in range(3):
            await trio.sleep(1)
            await mine.send("message")
        await trio.sleep(1)
        trio.lowlevel.remove_instrument(steps)
        assert taken == [2, 3, 4]


async def test_buffered_amount_and_its_event() -> None:
    async with open_channel() as (mine, _, _), mine.subscribe("buffered_amount_low") as low:
        assert mine.buffered_amount == 0
        mine.buffered_amount_low_threshold = 100_000
        for _ in range(10):
            mine.send_nowait(bytes(50_000))
        assert mine.buffered_amount == 500_000
        await low.receive()
        assert 0 < mine.buffered_amount <= 100_000


async def test_cancelled_send_has_not_sent() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=1)) as (mine, theirs, peers):
        peers.network.partition("alice", "bob")
        await mine.send(bytes(200_000))
        with trio.move_on_after(1) as scope:
            await mine.send("never")
        assert scope.cancelled_caught
        peers.network.heal("alice", "bob")
        await theirs.receive()
        await mine.send("after")
        assert await theirs.receive() == "after"


async def test_closing_delivers_what_was_sent() -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.send("last words")
        with trio.fail_after(5):
            await mine.aclose()
        assert mine.ready_state == "closed"
        assert [message async for message in theirs] == ["last words"]
        assert theirs.ready_state == "closed"


async def test_events_of_closing() -> None:
    async with open_channel() as (mine, theirs, _):
        events: list[str] = []

        def record(event: AnyEvent) -> None:
            events.append(f"{'mine' if event.target is mine else 'theirs'} {event.type}")

        for channel in (mine, theirs):
            for kind in ("closing", "close", "error"):
                channel.add_event_listener(kind, record)
        mine.close()
        assert mine.ready_state == "closing"
        await trio.sleep(5)
        assert sorted(events) == ["mine close", "theirs close", "theirs closing"]


async def test_using_a_closed_channel() -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.aclose()
        for operation in (mine.send("x"), mine.receive(), mine.opened()):
            with pytest.raises(trio.ClosedResourceError):
                await operation
        await trio.sleep(5)
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
        with pytest.raises(trio.BrokenResourceError, match=r"^the data channel is closed$"):
            await theirs.send("x")
        await mine.aclose()


async def test_a_channel_that_the_peer_has_closed_is_not_closed_again_with_the_connection() -> None:
    async with open_channel() as (mine, theirs, peers):
        await mine.send("last words")
        await mine.aclose()
        await trio.sleep(1)
        peers.bob.close()
        assert [message async for message in theirs] == ["last words"]
        with pytest.raises(trio.BrokenResourceError):
            await theirs.send("x")
        await peers.bob.aclose()
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()


async def test_a_channel_closed_while_the_peer_sends_drops_the_rest() -> None:
    """More than the window is in flight: the peer closes its side only after all data is acknowledged."""
    settings = Settings(sctp=SctpOptions(receive_buffer_size=600_000))
    async with open_channel(settings=settings) as (mine, theirs, peers):
        for _ in range(10):
            mine.send_nowait(bytes(100_000))
        await trio.sleep(0.02)
        assert mine.buffered_amount > 600_000
        with trio.fail_after(10):
            await theirs.aclose()
        await trio.sleep(1)
        assert mine.ready_state == "closed"
        assert (await layer_counters(peers.bob, "sctp"))["bytes_received"] > 1_000_000


async def test_arguments_of_messages_to_the_association(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel is ordered until the peer has confirmed it (RFC 8832 section 6); lifetimes are in milliseconds."""
    sent: list[tuple[bytes, dict[str, object]]] = []
    send = Association.send

    def record(association: Association, *arguments: Any, **options: Any) -> None:
        if "ordered" in options:  # it is not a control message
            sent.append((arguments[2], options))
        send(association, *arguments, **options)

    async with two_peers() as peers:
        mine = peers.alice.create_data_channel("chat", ordered=False, max_packet_life_time=250)
        await connect(peers.alice, peers.bob)
        await mine.opened()
        monkeypatch.setattr(Association, "send", record)
        await mine.send(b"early")
        await trio.sleep(1)
        await mine.send(b"late")
        monkeypatch.undo()
    limits = {"max_retransmits": None, "lifetime": 0.25, "counted": True}
    assert sent == [(b"early", {"ordered": True, **limits}), (b"late", {"ordered": False, **limits})]


async def test_a_sender_that_has_waited_for_room_leaves_no_cancel_scope() -> None:
    settings = Settings(send_high_water_mark=10_000, sctp=SctpOptions(receive_buffer_size=600_000))
    async with open_channel(settings=settings) as (mine, theirs, _), trio.open_nursery() as nursery:

        async def read() -> None:
            async for _ in theirs:
                pass

        def scopes() -> int:
            gc.collect()
            return sum(type(each) is trio.CancelScope for each in gc.get_objects())

        nursery.start_soon(read)
        for _ in range(2):
            await mine.send(bytes(40_000))
        before = scopes()
        for _ in range(250):
            await mine.send(bytes(40_000))
        assert scopes() < before + 60
        nursery.cancel_scope.cancel()


async def test_closing_wakes_waiting_tasks() -> None:
    async with open_channel() as (mine, _, _):

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await mine.receive()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            mine.close()


@pytest.mark.parametrize("method", ["send", "wait_for_room"])
@pytest.mark.parametrize("by_peer", [True, False])
async def test_closing_wakes_tasks_waiting_for_room_used_by_other_channels(
    method: str, by_peer: bool
) -> None:
    settings = Settings(send_high_water_mark=10_000, sctp=SctpOptions(receive_buffer_size=600_000))
    async with open_channel(settings=settings) as (mine, theirs, peers):
        other = peers.alice.create_data_channel("other", negotiated=True, id=6)
        # This channel is not read, so that the window of the association closes.
        unread = peers.bob.create_data_channel("other", negotiated=True, id=6)
        await other.opened()
        with trio.move_on_after(5):
            while True:
                await other.send(bytes(50_000))
        expected = trio.BrokenResourceError if by_peer else trio.ClosedResourceError

        async def wait() -> None:
            with pytest.raises(expected):
                await (mine.send("never") if method == "send" else mine.wait_for_room())

        with trio.fail_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked()
                assert nursery.child_tasks
                (theirs if by_peer else mine).close()
        assert other.buffered_amount >= 10_000
        assert unread.ready_state == "open"


@pytest.mark.parametrize(
    ("options", "reliable"),
    [
        *(({}, True), ({"ordered": False}, False), ({"max_retransmits": 0}, False)),
        *(({"max_packet_life_time": 0}, False), ({"max_retransmits": 65535}, False)),
    ],
)
async def test_which_channels_are_reliable(options: dict[str, Any], reliable: bool) -> None:
    async with open_channel(**options) as (mine, theirs, _):
        assert mine.reliable is theirs.reliable is reliable
        assert mine.stream == mine.id == theirs.id


async def test_a_new_channel_has_sent_nothing_and_fires_only_its_opening() -> None:
    async with two_peers() as peers, peers.bob.subscribe("data_channel") as announced:
        events: list[str] = []

        def record(event: AnyEvent) -> None:
            events.append(event.type)

        mine = peers.alice.create_data_channel("chat")
        for kind in RTCDataChannel.EVENTS:
            mine.add_event_listener(kind, record)
        await connect(peers.alice, peers.bob)
        theirs = (await announced.receive()).channel
        for kind in RTCDataChannel.EVENTS - {"open"}:
            theirs.add_event_listener(kind, record)
        await trio.sleep(2)
        assert events == ["open"]
        for channel in (mine, theirs):
            assert attrs.astuple(channel._counters) == (0, 0, 0, 0)
            assert channel.buffered_amount == channel.buffered_amount_low_threshold == 0
        await mine.send("text")
        await trio.sleep(2)
        assert events == ["open", "buffered_amount_low", "message"]
        assert attrs.astuple(mine._counters) == (1, 4, 0, 0)
        assert attrs.astuple(theirs._counters) == (0, 0, 1, 4)


async def test_every_wait_is_a_checkpoint() -> None:
    """Also without anything to wait for: trio's rule for asynchronous functions."""
    async with open_channel() as (mine, theirs, _):
        for _ in range(2):
            await theirs.send("message")
        await trio.sleep(1)
        stream = mine.as_stream()
        for wait in (
            *(mine.opened, mine.wait_for_room, mine.receive, stream.wait_send_all_might_not_block),
            *(functools.partial(mine.send, "x"), functools.partial(stream.send_all, b"x")),
            *(functools.partial(stream.send_all, b""), functools.partial(stream.receive_some, 1)),
            *(functools.partial(stream.receive_some, 1), stream.send_eof, stream.send_eof),
            *(mine.aclose, mine.aclose, stream.aclose),
        ):
            with trio.testing.assert_checkpoints():
                await wait()


async def test_the_end_of_the_peer_ends_the_channel() -> None:
    async with open_channel() as (mine, theirs, peers):
        await theirs.send("bye")
        await mine.receive()
        await peers.bob.aclose()
        assert [message async for message in mine] == []
        assert mine.ready_state == RTCDataChannelState.CLOSED
        with pytest.raises(trio.ClosedResourceError):
            await theirs.receive()


async def test_a_peer_that_vanishes_breaks_the_channel() -> None:
    async with open_channel() as (mine, _, peers):
        states: list[str] = []
        peers.alice.on_connection_state_change = lambda _: states.append(peers.alice.connection_state.value)
        ends: list[AnyEvent] = []
        for kind in ("closing", "error", "close"):
            mine.add_event_listener(kind, ends.append)
        peers.network.partition("alice", "bob")
        await trio.sleep(60)
        assert states == ["disconnected", "failed"]
        assert ends == []
        await mine.send("into the void")
        await trio.sleep(120)
        with pytest.raises(trio.BrokenResourceError, match="the peer does not answer") as broken:
            await mine.receive()
        assert isinstance(broken.value.__cause__, RTCError)
        assert str(broken.value) == str(broken.value.__cause__)
        assert mine.ready_state == "closed"
        assert [event.type for event in ends] == ["error", "close"]
        assert isinstance(ends[0], RTCErrorEvent)
        assert ends[0].error is broken.value.__cause__


async def test_a_peer_that_closes_the_connection_is_an_error_only_for_the_event() -> None:
    """W3C webrtc section 6.2. Nothing is missing, so that reading ends as after the peer's ``close`` of the channel."""
    async with open_channel() as (mine, theirs, peers):
        ends: list[AnyEvent] = []
        for kind in ("closing", "error", "close"):
            mine.add_event_listener(kind, ends.append)
        await theirs.send("the last")
        await trio.sleep(1)
        peers.bob.close()
        await trio.sleep(1)
        assert [event.type for event in ends] == ["error", "close"]
        assert isinstance(ends[0], RTCErrorEvent)
        error = ends[0].error
        assert (error.name, error.error_detail, error.sctp_cause_code) == (
            "OperationError",
            "sctp-failure",
            12,
        )
        assert [message async for message in mine] == ["the last"]
        with pytest.raises(trio.BrokenResourceError, match="the data channel is closed") as broken:
            await mine.send("x")
        assert broken.value.__cause__ is error


async def test_the_two_ends_are_generic_channels() -> None:
    async def upper_case(channel: trio.abc.Channel[str | bytes]) -> None:
        async for message in channel:
            assert isinstance(message, str)
            await channel.send(message.upper())

    async with open_channel() as (mine, theirs, _), trio.open_nursery() as nursery:
        nursery.start_soon(upper_case, theirs)
        await mine.send("hello")
        assert await mine.receive() == "HELLO"
        await mine.aclose()
