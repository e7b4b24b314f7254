"""Two SCTP transports over wires, each with its data channels' control, and readers of their streams."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from trio_rtc.protocols.datachannel import (
    ChannelAnnounced,
    ChannelControl,
    ChannelOpened,
    ChannelParameters,
    DataChannelEvent,
    StreamIdAssigned,
)
from trio_rtc.protocols.datachannel.messages import PPID_BINARY
from trio_rtc.protocols.sctp import Association, SctpEvent, SctpOptions
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.sctp import SctpTransport, StreamReader

from .wires import DeliveryTask, Wire


class RecordingReader:
    """Receives the messages of a stream as they arrive if ``eager``, otherwise on request."""

    def __init__(self, sctp: SctpTransport, stream_id: int, *, eager: bool = True) -> None:
        self._sctp = sctp
        self._stream_id = stream_id
        self._eager = eager
        self.messages: list[bytes] = []
        self.calls = 0
        self.low = 0

    def messages_available(self) -> None:
        self.calls += 1
        if self._eager:
            self.receive_all()

    def receive_all(self) -> None:
        while (message := self._sctp.receive_message(self._stream_id)) is not None:
            self.messages.append(message[1])

    def buffered_amount_low(self) -> None:
        self.low += 1


class ChannelEvents(list[DataChannelEvent]):
    """The channel events of a transport; ``react`` is called with each.

    Attributes:
        react: Replaced by tests that act on an event.
    """

    react: Callable[[DataChannelEvent], object] = staticmethod(lambda event: None)

    def record(self, event: DataChannelEvent) -> None:
        self.append(event)
        self.react(event)


@attrs.define
class SctpSide:
    """One side: its transport, the wire below, and its events."""

    sctp: SctpTransport
    wire: Wire
    inbox: Inbox[list[bytes]]
    events: list[SctpEvent]
    channel_events: ChannelEvents

    def events_of(self, kind: type[DataChannelEvent]) -> list[DataChannelEvent]:
        return [event for event in self.channel_events if isinstance(event, kind)]

    def create_channel(self, label: str = "chat", *, negotiated_id: int | None = None) -> int:
        """Create a channel and return its key."""
        control = self.sctp.control
        key = control.create_channel(
            ChannelParameters(label=label), negotiated=negotiated_id is not None, stream_id=negotiated_id
        )
        self.sctp.flush_channel_control()
        return key

    def stream_of(self, key: int) -> int:
        """Return the stream of a channel, opened by either peer."""
        return next(
            event.stream_id
            for event in self.channel_events
            if isinstance(event, StreamIdAssigned | ChannelAnnounced) and event.key == key
        )

    def is_open(self, key: int) -> bool:
        return any(
            isinstance(event, ChannelOpened | ChannelAnnounced) and event.key == key
            for event in self.channel_events
        )

    def read(self, stream_id: int, *, eager: bool = True) -> RecordingReader:
        reader = RecordingReader(self.sctp, stream_id, eager=eager)
        self.sctp.set_reader(stream_id, StreamReader(reader.messages_available, reader.buffered_amount_low))
        return reader

    def send(self, stream_id: int, data: bytes) -> None:
        self.sctp.association.send(stream_id, PPID_BINARY, data, trio.current_time())
        self.sctp.flush_nowait(trio.current_time())


def make_sctp_side(
    *, is_client: bool, options: SctpOptions | None = None, high_water_mark: int = 1 << 20
) -> SctpSide:
    control = ChannelControl()
    control.set_role(is_dtls_client=is_client)
    wire, inbox = Wire(), Inbox[list[bytes]]()
    events: list[SctpEvent] = []
    channel_events = ChannelEvents()
    sctp = SctpTransport(
        Association(options or SctpOptions(), rng=random.Random(is_client)),
        control,
        inbox,
        wire,
        high_water_mark=high_water_mark,
        report=events.append,
        report_channel_event=channel_events.record,
    )
    return SctpSide(sctp, wire, inbox, events, channel_events)


@asynccontextmanager
async def two_sctp_sides(
    *,
    connected: bool = True,
    options: SctpOptions | None = None,
    server_options: SctpOptions | None = None,
    high_water_mark: int = 1 << 20,
) -> AsyncIterator[tuple[SctpSide, SctpSide]]:
    """Run the DTLS client's and the DTLS server's side, connected to each other if ``connected``."""
    sides = tuple(
        make_sctp_side(is_client=is_client, options=own, high_water_mark=high_water_mark)
        for is_client, own in ((True, options), (False, server_options or options))
    )
    client, server = sides
    delivery = DeliveryTask()
    client.wire.deliver, server.wire.deliver = delivery.to(server.inbox), delivery.to(client.inbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.run)
        for side in sides:
            await nursery.start(side.sctp.run)
            if connected:
                side.sctp.association.connect(trio.current_time())
                side.sctp.wake()
        await trio.testing.wait_all_tasks_blocked()
        yield client, server
        nursery.cancel_scope.cancel()
