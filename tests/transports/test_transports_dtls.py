"""The DTLS transport: records below, application data above."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.dtls_pair import make_connection
from tests.strategies.wires import DeliveryTask, Wire
from trio_rtc.protocols.dtls import Connection, DtlsClosed, DtlsEvent, DtlsRole, HandshakeCompleted
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.dtls import DtlsTransport

pytestmark = pytest.mark.usefixtures("autojump_clock")


@attrs.define
class Side:
    """One side: its transport, its wire, and the received data."""

    dtls: DtlsTransport
    wire: Wire
    inbox: Inbox[list[bytes]]
    upper: Inbox[list[bytes]]
    events: list[DtlsEvent]

    def received(self) -> list[bytes]:
        packets: list[bytes] = []
        while (batch := self.upper.receive_nowait()) is not None:
            packets += batch
        return packets


def make_side(connection: Connection) -> Side:
    wire, inbox, upper = Wire(), Inbox[list[bytes]](), Inbox[list[bytes]]()
    events: list[DtlsEvent] = []
    return Side(DtlsTransport(connection, inbox, wire, upper, events.append), wire, inbox, upper, events)


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def two_sides(*, started: bool = True) -> AsyncIterator[tuple[Side, Side]]:
    """Run a client and a server that trust each other, connected if they were started."""
    client, server = (make_side(make_connection(role)) for role in (DtlsRole.CLIENT, DtlsRole.SERVER))
    courier = DeliveryTask()
    client.wire.deliver, server.wire.deliver = courier.to(server.inbox), courier.to(client.inbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(courier.run)
        for side in (client, server):
            await nursery.start(side.dtls.run)
            if started:
                side.dtls.connection.start(trio.current_time())
                side.dtls.wake()
        await settle()
        if started:
            assert [side.dtls.connection.state for side in (client, server)] == ["connected"] * 2
        yield client, server
        nursery.cancel_scope.cancel()


async def test_the_handshake_is_reported_and_not_passed_up() -> None:
    async with two_sides() as sides:
        for side in sides:
            [event] = side.events
            assert isinstance(event, HandshakeCompleted)
            assert side.received() == []


async def test_application_data_passes_in_batches_encrypted() -> None:
    async with two_sides() as [client, server]:
        client.wire.sent.clear()
        assert client.dtls.send_nowait([b"one secret", b"another"], trio.current_time())
        await settle()
        assert server.received() == [b"one secret", b"another"]
        [batch] = client.wire.sent
        assert len(batch) == 2
        assert not any(b"secret" in packet for packet in batch)
        assert len(server.events) == 1


async def test_data_before_the_handshake_is_lost_and_counted() -> None:
    async with two_sides(started=False) as [client, _]:
        assert client.dtls.send_nowait([b"a", b"b"], trio.current_time())
        assert client.dtls.unsent == 2
        assert client.wire.sent == []


async def test_data_after_the_end_is_lost_and_counted() -> None:
    async with two_sides() as [client, server]:
        await server.dtls.close()
        await settle()
        assert client.dtls.send_nowait([b"late"], trio.current_time())
        assert client.dtls.unsent == 1
        assert server.dtls.send_nowait([b"late", b"later"], trio.current_time())
        assert server.dtls.unsent == 2


async def test_a_lost_flight_is_retransmitted_by_the_timer() -> None:
    async with two_sides(started=False) as [client, server]:
        deliver, client.wire.deliver = client.wire.deliver, lambda batch: None
        for side in (client, server):
            side.dtls.connection.start(trio.current_time())
            side.dtls.wake()
        await settle()
        client.wire.deliver = deliver
        await trio.sleep(1)
        assert [side.dtls.connection.state for side in (client, server)] == ["connected"] * 2


async def test_the_sender_is_notified_of_a_full_wire() -> None:
    async with two_sides() as [client, server]:
        client.wire.gate.shut()
        assert not client.dtls.send_nowait([b"a"], trio.current_time())
        with trio.move_on_after(1) as waited:
            await client.dtls.drain()
        assert waited.cancelled_caught
        client.wire.gate.open()
        await client.dtls.drain()
        await settle()
        assert server.received() == [b"a"]


async def test_a_full_wire_blocks_the_task() -> None:
    async with two_sides() as [client, server]:
        server.wire.gate.shut()
        # The answer fills the wire.
        client.dtls.connection.close(trio.current_time())
        client.dtls.wake()
        await settle()
        assert server.dtls.connection.closed
        with trio.move_on_after(1) as waited:
            await server.upper.receive()
        assert waited.cancelled_caught
        server.wire.gate.open()
        with pytest.raises(trio.EndOfChannel):
            await server.upper.receive()


async def test_data_for_a_full_inbox_is_dropped_and_counted() -> None:
    async with two_sides() as [client, server]:
        for _ in range(100):
            client.dtls.send_nowait([b"a", b"b"], trio.current_time())
            await settle()
        taken = server.received()
        assert len(taken) + server.upper.dropped == 200
        assert server.upper.dropped > 0


async def test_garbage_and_replays_are_dropped() -> None:
    async with two_sides() as [client, server]:
        client.dtls.send_nowait([b"once"], trio.current_time())
        [batch] = client.wire.sent[-1:]
        for hostile in (batch, [b"\x17" * 60], [b""], [batch[0][:-1] + bytes([batch[0][-1] ^ 1])]):
            server.inbox.push(hostile, len(hostile), trio.current_time())
        client.dtls.send_nowait([b"go on"], trio.current_time())
        await settle()
        assert server.received() == [b"once", b"go on"]


async def test_close_notify_ends_the_other_side_and_the_layers_above() -> None:
    async with two_sides() as [client, server]:
        await client.dtls.close()
        await client.dtls.close()
        client.dtls.wake()
        await settle()
        for side in (client, server):
            with pytest.raises(trio.EndOfChannel):
                await side.upper.receive()
            assert [event for event in side.events if isinstance(event, DtlsClosed)] == side.events[-1:]


async def test_data_before_close_notify_is_received() -> None:
    async with two_sides() as [client, server]:
        client.dtls.send_nowait([b"last words"], trio.current_time())
        await client.dtls.close()
        await settle()
        assert await server.upper.receive() == [b"last words"]
        with pytest.raises(trio.EndOfChannel):
            await server.upper.receive()


async def test_the_end_of_ice_closes_the_connection_without_an_alert() -> None:
    async with two_sides() as [client, _]:
        client.wire.sent.clear()
        client.inbox.close()
        await settle()
        assert client.wire.sent == []
        assert isinstance(client.events[-1], DtlsClosed)
        with pytest.raises(trio.EndOfChannel):
            await client.upper.receive()


async def test_the_sender_is_notified_if_the_wire_accepts_all() -> None:
    async with two_sides() as [client, server]:
        assert client.dtls.send_nowait([b"a"], trio.current_time())
        await settle()
        assert server.received() == [b"a"]
