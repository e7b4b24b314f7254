"""Hostile SCTP packets of an authenticated peer, which may end only its own association."""

import pytest
import trio
import trio.testing

from tests.strategies.sctp_sides import SctpSide, two_sctp_sides
from trio_rtc.protocols.datachannel import (
    PPID_DCEP,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelParameters,
)
from trio_rtc.protocols.datachannel.messages import encode_open
from trio_rtc.protocols.sctp import AssociationClosed, SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import Shutdown
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, add_checksum

pytestmark = pytest.mark.usefixtures("autojump_clock")

OPEN = encode_open(ChannelParameters(label="chat"))


def data(tsn: int, stream_id: int, ssn: int, payload: bytes) -> bytes:
    header = DATA_HEADER.pack(0, BEGIN | END, 16 + len(payload), tsn, stream_id, ssn, PPID_DCEP)
    return header + payload + bytes(-len(payload) % 4)


async def take_over(client: SctpSide) -> tuple[bytes, int]:
    """Send one message from the client; return the header of its packets and the next TSN."""
    packets: list[bytes] = []
    deliver = client.wire.deliver

    def watch(batch: list[bytes]) -> None:
        packets.extend(batch)
        deliver(batch)

    client.wire.deliver = watch
    client.send(100, b"message")
    await trio.sleep(0.1)
    (packet,) = [packet for packet in packets if packet[HEADER_SIZE] == 0]
    return packet[:8] + bytes(4), int.from_bytes(packet[HEADER_SIZE + 4 : HEADER_SIZE + 8], "big") + 1


def send_chunks(server: SctpSide, header: bytes, *chunks: bytes) -> None:
    server.inbox.push([add_checksum(header + b"".join(chunks))], 1, trio.current_time())


async def test_a_channel_opened_after_shutdown() -> None:
    async with two_sctp_sides() as [client, server]:
        header, tsn = await take_over(client)
        # Unacknowledged data delays the server's SHUTDOWN ACK.
        client.wire.deliver = lambda batch: None
        server.send(1, b"never acknowledged")
        send_chunks(server, header, Shutdown(0).encode(), data(tsn, 102, 0, OPEN))
        await trio.sleep(0.1)
        assert not server.sctp.association.closed
        assert len(server.events_of(ChannelAnnounced)) == 1


async def test_channels_opened_while_the_send_buffer_is_full() -> None:
    options = SctpOptions(send_buffer_size=1000, initial_window_packets=1)
    async with two_sctp_sides(options=options) as [client, server]:
        header, tsn = await take_over(client)
        client.wire.deliver = lambda batch: None
        server.wire.deliver = lambda batch: None
        while server.sctp.association.total_buffered < 1000:
            server.send(1, bytes(500))
            await trio.sleep(0.01)
        send_chunks(server, header, data(tsn, 102, 0, OPEN))
        await trio.sleep(0.1)
        assert server.sctp.association.closed
        assert isinstance(server.events[-1], AssociationClosed)


async def test_a_stream_reset_and_opened_repeatedly() -> None:
    """The peer never answers outgoing resets: the queue behind them is bounded."""
    from trio_rtc.protocols.sctp.packet.chunks import ReConfig
    from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest

    async with two_sctp_sides() as [client, server]:
        header, tsn = await take_over(client)
        client.wire.deliver = lambda batch: None
        sequence = tsn - 1
        for _ in range(200):
            send_chunks(server, header, data(tsn, 102, 0, OPEN))
            request = OutgoingResetRequest(sequence, 0, tsn, (102,))
            send_chunks(server, header, ReConfig((request.encode(),)).encode())
            tsn, sequence = tsn + 1, sequence + 1
            await trio.sleep(0.01)
        assert 1 < len(server.events_of(ChannelAnnounced)) < 20
        assert server.sctp.association.buffered_amount(102) < 20
        assert not server.sctp.association.closed


async def test_a_reset_of_hundreds_of_channels_is_spread_over_turns_of_the_scheduler() -> None:
    from trio_rtc.protocols.sctp.packet.chunks import ReConfig
    from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest

    async with two_sctp_sides() as [client, server]:
        header, tsn = await take_over(client)
        for index in range(600):
            send_chunks(server, header, data(tsn + index, 200 + 2 * index, 0, OPEN))
        await trio.sleep(0.1)
        assert len(server.events_of(ChannelAnnounced)) == 600
        request = OutgoingResetRequest(tsn - 1, 0, tsn + 599, ())
        send_chunks(server, header, ReConfig((request.encode(),)).encode())
        await trio.lowlevel.checkpoint()
        assert 0 < len(server.events_of(ChannelClosing)) < 150
        for _ in range(40):
            await trio.lowlevel.checkpoint()
        assert len(server.events_of(ChannelClosing)) == 600


async def test_resets_without_a_channel_delay_others_by_a_bounded_number_of_turns() -> None:
    from trio_rtc.protocols.sctp.packet.chunks import ReConfig
    from trio_rtc.protocols.sctp.packet.reconfiguration import OutgoingResetRequest

    async with two_sctp_sides() as [client, server]:
        header, tsn = await take_over(client)
        send_chunks(server, header, data(tsn, 200, 0, OPEN))
        await trio.sleep(0.1)
        unknown = range(1000, 1300)
        request = OutgoingResetRequest(tsn - 1, 0, tsn, (*unknown[:100], 200, *unknown[100:]))
        send_chunks(server, header, ReConfig((request.encode(),)).encode())
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.events_of(ChannelClosing)) == 1
        assert not server.sctp.control.has_unhandled_resets


async def test_a_peer_that_denies_resets_cannot_keep_a_channel_open() -> None:
    """The channel is then closed locally."""
    from trio_rtc.protocols.sctp.packet.chunks import ReConfig
    from trio_rtc.protocols.sctp.packet.reconfiguration import ReconfigurationResponse, Result

    async with two_sctp_sides() as [client, server]:
        header, tsn = await take_over(client)
        send_chunks(server, header, data(tsn, 200, 0, OPEN))
        await trio.sleep(1)
        client.wire.deliver = server.wire.deliver = lambda batch: None
        (announced,) = server.events_of(ChannelAnnounced)
        assert isinstance(announced, ChannelAnnounced)
        server.sctp.control.close_channel(announced.key)
        server.sctp.flush_channel_control()
        await trio.testing.wait_all_tasks_blocked()
        request = server.wire.packets[-1][HEADER_SIZE + 4 :]
        sequence = int.from_bytes(request[4:8], "big")
        denied = ReconfigurationResponse(sequence, Result.DENIED).encode()
        send_chunks(server, header, ReConfig((denied,)).encode())
        await trio.testing.wait_all_tasks_blocked()
        assert server.events_of(ChannelClosed) == [ChannelClosed(announced.key)]
