"""UDP sockets of this host, over loopback."""

import contextlib
import errno
import itertools
import logging
import os
import socket
import struct
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import ifaddr
import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.wires import LOOPBACK, NarrowIpv6Socket, NarrowSocket, RefusingSocket, ScriptedSocket
from trio_rtc.protocols._contract import Address
from trio_rtc.transports import udp
from trio_rtc.transports.network import InterfaceAddress
from trio_rtc.transports.udp import (
    SystemDatagramSocket,
    SystemNetwork,
    UdpTransport,
    _equal_sized_runs,
    usable_addresses,
)

REMOTE = Address("10.0.0.2", 7)

both_families = pytest.mark.parametrize("host", LOOPBACK)
only_ipv6 = pytest.mark.parametrize("host", [host for host in LOOPBACK if ":" in host])


@asynccontextmanager
async def open_sockets(host: str, count: int = 2) -> AsyncIterator[list[SystemDatagramSocket]]:
    """Open sockets on a loopback address."""
    network = SystemNetwork()
    opened = [await network.bind_udp(InterfaceAddress("lo", host)) for _ in range(count)]
    try:
        yield opened
    finally:
        for datagram_socket in opened:
            datagram_socket.close()


@asynccontextmanager
async def refusing_sockets(
    refusals: dict[str, OSError],
) -> AsyncIterator[tuple[RefusingSocket, SystemDatagramSocket, SystemDatagramSocket]]:
    """Open a socket without segmentation and a receiver: yields the raw socket, the socket and the receiver."""
    async with open_sockets("127.0.0.1", 1) as [receiver]:
        refusing = RefusingSocket(refusals)
        refusing.bind(("127.0.0.1", 0))
        sender = SystemDatagramSocket(refusing, Address(*refusing.getsockname()))
        try:
            yield refusing, sender, receiver
        finally:
            sender.close()


@asynccontextmanager
async def narrow_socket(
    kind: type[NarrowSocket] = NarrowSocket, **options: int
) -> AsyncIterator[tuple[NarrowSocket, SystemDatagramSocket, socket.socket]]:
    """Open a socket that can be full: yields the raw socket, the socket and the other end."""
    end, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    narrow = kind(end)
    datagram_socket = SystemDatagramSocket(narrow, Address("10.0.0.1", 5), **options)
    with far_end:
        far_end.setblocking(False)
        try:
            yield narrow, datagram_socket, far_end
        finally:
            datagram_socket.close()


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(start, start + count)]


def fill(datagram_socket: SystemDatagramSocket) -> list[bytes]:
    """Send until the socket is full; return the datagrams, the last of which is queued."""
    sent: list[bytes] = []
    while True:
        sent += numbered(1, len(sent))
        if not datagram_socket.send_nowait(sent[-1:], REMOTE):
            return sent


def read(end: socket.socket) -> list[bytes]:
    """Read all received datagrams."""
    found = []
    while True:
        try:
            found.append(end.recv(2000))
        except BlockingIOError:
            return found


async def receive(datagram_socket: SystemDatagramSocket, count: int) -> list[tuple[Address, bytes]]:
    """Receive this number of datagrams, however they are batched."""
    received: list[tuple[Address, bytes]] = []
    while len(received) < count:
        runs = await datagram_socket.receive_batch()
        assert all(one[0] != other[0] for one, other in itertools.pairwise(runs)), "one run in two"
        received += [(remote, packet) for remote, packets in runs for packet in packets]
    return received


async def send_and_receive(
    sender: SystemDatagramSocket, receiver: SystemDatagramSocket, batch: Sequence[bytes]
) -> list[bytes]:
    assert sender.send_nowait(batch, receiver.local_address)
    received = await receive(receiver, len(batch))
    assert {remote for remote, _ in received} <= {sender.local_address}
    return [packet for _, packet in received]


# -- sending and receiving --------------------------------------------------------------------------------------


@both_families
async def test_a_socket_is_bound_to_the_address_and_has_a_port(host: str) -> None:
    async with open_sockets(host) as [one, other]:
        assert one.local_address.host == other.local_address.host == host
        assert 0 < one.local_address.port != other.local_address.port


@both_families
async def test_a_batch_arrives_complete_and_in_order(host: str) -> None:
    async with open_sockets(host) as [sender, receiver]:
        batch = numbered(200)
        assert await send_and_receive(sender, receiver, batch) == batch
        assert sender.unsendable == 0


@given(st.lists(st.integers(0, 40) | st.sampled_from([1180, 1200]), min_size=1, max_size=40))
@example([5, 5, 5])
@example([5, 5, 3])
@example([5, 5, 3, 3, 5])
@example([3, 5, 5])
@example([1200] * 40)
@example([0, 0, 5, 5, 0])
async def test_datagrams_of_any_sizes_keep_their_boundaries(sizes: list[int]) -> None:
    batch = [bytes([index]) * size for index, size in enumerate(sizes)]
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        assert await send_and_receive(sender, receiver, batch) == batch


# -- memory of receiving ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_arrivals", [False, True])
async def test_receiving_allocates_only_the_received_bytes(keeps_arrivals: bool) -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        if keeps_arrivals:
            receiver.enable_arrival_times()
        await send_and_receive(sender, receiver, numbered(1))
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            assert await send_and_receive(sender, receiver, numbered(20)) == numbered(20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # A buffer for the largest datagram would have 64 KiB.
        assert peak - before < 32 << 10


async def test_receiving_without_segmentation_allocates_only_the_received_bytes() -> None:
    async with narrow_socket() as (_, datagram_socket, far_end):
        datagram_socket._segmentation = False
        far_end.send(b"first")
        await receive(datagram_socket, 1)
        tracemalloc.start()
        try:
            far_end.send(b"second")
            assert await receive(datagram_socket, 1) == [(REMOTE, b"second")]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 32 << 10


async def test_sockets_of_different_threads_have_different_buffers() -> None:
    """Two trio runs may receive simultaneously: the system call releases the GIL."""

    def buffer_of_this_thread() -> memoryview:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            return SystemDatagramSocket(end, REMOTE)._buffer

    here = buffer_of_this_thread()
    assert buffer_of_this_thread() is here
    assert await trio.to_thread.run_sync(buffer_of_this_thread) is not here


# -- arrival times ------------------------------------------------------------------------------------------------


async def arrivals_of(
    sender: SystemDatagramSocket, receiver: SystemDatagramSocket, count: int
) -> list[float]:
    """Send datagrams one by one and return their arrival times."""
    for datagram in numbered(count):
        sender.send_nowait([datagram], receiver.local_address)
    arrivals: list[float] = []
    while len(arrivals) < count:
        await receive(receiver, 1)
        arrivals += receiver.arrival_times
    return arrivals


@both_families
async def test_each_datagram_of_a_batch_has_a_kernel_timestamp(host: str) -> None:
    async with open_sockets(host) as [sender, receiver]:
        assert receiver.arrival_times == ()
        receiver.enable_arrival_times()
        receiver.enable_arrival_times()
        # The kernel enables timestamps asynchronously: until then, the arrival time is now.
        with trio.fail_after(60):
            while True:
                before = trio.current_time()
                arrivals = await arrivals_of(sender, receiver, 3)
                # The two clocks are read one after the other, and another task may run in between.
                assert all(before - 1 < at <= trio.current_time() for at in arrivals)
                if not sys.platform.startswith("linux") or len(set(arrivals)) == 3:
                    break
        assert len(arrivals) == 3
        assert arrivals == sorted(arrivals)


async def test_packets_of_one_run_share_its_arrival_time() -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        receiver.enable_arrival_times()
        assert await send_and_receive(sender, receiver, [bytes(100)] * 5) == [bytes(100)] * 5
        assert len(receiver.arrival_times) == 5
        first = receiver.arrival_times[-1]
        # The two clocks are read one after the other, and another task may run in between.
        with trio.fail_after(60):
            while receiver.arrival_times[-1] <= first:
                assert await send_and_receive(sender, receiver, [b"later"]) == [b"later"]
                assert len(receiver.arrival_times) == 1


@pytest.mark.parametrize(
    "stamp",
    [None, b"", bytes(15), bytes(16), struct.pack("@ll", 1 << 40, 0), struct.pack("@ll", -5, -5)],
    ids=["none", "empty", "short", "1970", "far ahead", "negative"],
)
async def test_implausible_kernel_timestamps_are_replaced_by_now(stamp: bytes | None) -> None:
    async with narrow_socket() as (narrow, datagram_socket, far_end):
        if stamp is not None:
            narrow.ancillary = [[(socket.SOL_SOCKET, 35, stamp)]]
        datagram_socket.enable_arrival_times()
        far_end.send(b"without a time")
        before = trio.current_time()
        assert len(await receive(datagram_socket, 1)) == 1
        assert all(before <= at <= trio.current_time() for at in datagram_socket.arrival_times)
        assert len(datagram_socket.arrival_times) == (1 if sys.platform.startswith("linux") else 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel notes no arrivals")
async def test_the_arrival_time_is_the_kernel_timestamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second before the read, on a socket without segmentation."""
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    async with narrow_socket() as (narrow, datagram_socket, far_end):
        datagram_socket.enable_arrival_times()
        far_end.send(b"with a time")
        narrow.ancillary = [[(socket.SOL_SOCKET, 35, struct.pack("@ll", 999, 500_000_000))]]
        before = trio.current_time()
        await receive(datagram_socket, 1)
        (at,) = datagram_socket.arrival_times
        assert before <= at + 0.5 <= trio.current_time()


@example([None, 2, 1])
@example([3, None, 2, None])
@example([1, 2, 3, None])
@given(st.lists(st.none() | st.integers(1, 900), min_size=1, max_size=6))
async def test_arrival_times_of_a_batch_do_not_decrease(milliseconds: list[int | None]) -> None:
    # The kernel may enable timestamps after some datagrams have arrived, and its clock may be set.
    async with narrow_socket() as (narrow, datagram_socket, far_end):
        clock = time.time()
        narrow.ancillary = [
            []
            if ago is None
            else [(socket.SOL_SOCKET, 35, struct.pack("@ll", *stamp_of(clock - ago / 1000)))]
            for ago in milliseconds
        ]
        datagram_socket.enable_arrival_times()
        arrivals: list[float] = []
        for _ in milliseconds:
            far_end.send(b"one")
            far_end.send(b"and the next")
            await receive(datagram_socket, 1)
            arrivals += datagram_socket.arrival_times
        assert arrivals == sorted(arrivals)
        assert all(at <= trio.current_time() for at in arrivals[-1:])
        assert bool(arrivals) == sys.platform.startswith("linux")


def stamp_of(clock: float) -> tuple[int, int]:
    """Return seconds and nanoseconds."""
    return int(clock), int(clock % 1 * 1e9)


async def test_a_closed_socket_has_no_arrival_times() -> None:
    async with open_sockets("127.0.0.1", 1) as [closed]:
        closed.close()
        closed.enable_arrival_times()
        assert closed.arrival_times == ()


@both_families
async def test_large_datagrams_pass_singly_and_in_runs(host: str) -> None:
    async with open_sockets(host) as [sender, receiver]:
        batch = [bytes([number]) * 20_000 for number in range(4)]
        assert await send_and_receive(sender, receiver, batch) == batch


async def test_an_empty_batch_is_sent_immediately() -> None:
    async with open_sockets("127.0.0.1", 1) as [sender]:
        assert sender.send_nowait([], REMOTE)


@both_families
async def test_datagrams_of_several_senders_are_grouped_in_the_order_of_arrival(host: str) -> None:
    async with open_sockets(host, 3) as [alice, bob, receiver]:
        expected = []
        for sender, batch in (
            (alice, numbered(3)),
            (bob, numbered(1)),
            (alice, numbered(2)),
            (bob, numbered(9)),
        ):
            sender.send_nowait(batch, receiver.local_address)
            expected += [(sender.local_address, packet) for packet in batch]
        assert await receive(receiver, len(expected)) == expected


async def test_after_several_datagrams_the_next_batch_reads_on() -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        for _ in range(3):
            for packet in numbered(2):
                sender.send_nowait([packet], receiver.local_address)
            assert await receiver.receive_batch() == [(sender.local_address, numbered(2))]


@pytest.mark.parametrize("keeps_arrivals", [False, True])
async def test_after_single_datagrams_every_fourth_batch_reads_on(keeps_arrivals: bool) -> None:
    """A read of an empty socket costs as much as one that returns a datagram."""
    async with narrow_socket() as (narrow, receiver, far_end):
        if keeps_arrivals:
            receiver.enable_arrival_times()

        async def reads_for(count: int) -> int:
            for datagram in numbered(count):
                far_end.send(datagram)
            before = narrow.reads
            assert await receiver.receive_batch() == [(REMOTE, numbered(count))]
            return narrow.reads - before

        assert [await reads_for(1) for _ in range(9)] == [2, 1, 1, 1, 2, 1, 1, 1, 2]
        # Later datagrams are read with the next batch. After several, a further read follows immediately.
        assert [await reads_for(1) for _ in range(3)] == [1, 1, 1]
        assert [await reads_for(2), await reads_for(1), await reads_for(1)] == [3, 2, 1]


def gro(size: int) -> tuple[int, int, bytes]:
    """Return the control message of a run: <linux/udp.h>."""
    return 17, 104, size.to_bytes(4, sys.byteorder)


@pytest.mark.parametrize(
    ("size", "datagrams"),
    [(0, [b"abcde"]), (1, [b"a", b"b", b"c", b"d", b"e"]), (2, [b"ab", b"cd", b"e"]), (5, [b"abcde"])],
)
async def test_a_joined_run_is_split(size: int, datagrams: list[bytes]) -> None:
    async with narrow_socket() as (narrow, receiver, far_end):
        receiver.enable_arrival_times()
        narrow.ancillary = [[gro(size)]]
        far_end.send(b"abcde")
        assert await receiver.receive_batch() == [(REMOTE, datagrams)]


async def test_other_control_messages_are_ignored() -> None:
    """Each has another level or type."""
    async with narrow_socket() as (narrow, receiver, far_end):
        receiver.enable_arrival_times()
        size, stamp = (1).to_bytes(4, sys.byteorder), struct.pack("@ll", *stamp_of(time.time()))
        narrow.ancillary = [
            [(17, 35, stamp), (socket.SOL_SOCKET, 29, stamp), (17, 103, size), (0, 104, size)]
        ]
        far_end.send(b"one")
        before = trio.current_time()
        assert await receiver.receive_batch() == [(REMOTE, [b"one"])]
        assert all(at >= before for at in receiver.arrival_times)


async def test_after_a_joined_run_the_batch_reads_on() -> None:
    async with narrow_socket() as (narrow, receiver, far_end):
        receiver.enable_arrival_times()
        narrow.ancillary = [[], [gro(4)], []]
        far_end.send(b"alone")
        assert await receiver.receive_batch() == [(REMOTE, [b"alone"])]
        far_end.send(b"111122")
        far_end.send(b"3333")
        assert await receiver.receive_batch() == [(REMOTE, [b"1111", b"22", b"3333"])]


async def test_a_batch_is_bounded() -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        for packet in numbered(150):
            sender.send_nowait([packet], receiver.local_address)
        sizes: list[int] = []
        while sum(sizes) < 150:
            sizes.append(sum(len(packets) for _, packets in await receiver.receive_batch()))
        assert max(sizes) <= 64


@both_families
async def test_sending_to_a_closed_port_raises_no_error(host: str) -> None:
    async with open_sockets(host, 3) as [sender, receiver, absent]:
        absent.close()
        assert sender.send_nowait(numbered(3), absent.local_address)
        assert sender.send_nowait(numbered(3), absent.local_address)
        receiver.send_nowait([b"still here"], sender.local_address)
        assert await receive(sender, 1) == [(receiver.local_address, b"still here")]


@pytest.mark.parametrize("keeps_arrivals", [False, True])
async def test_an_error_of_an_earlier_send_is_logged_without_delay(
    keeps_arrivals: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The system reports ICMP errors when the socket is read."""
    caplog.set_level(logging.DEBUG, "trio_rtc.udp")
    async with narrow_socket() as (narrow, receiver, far_end):
        if keeps_arrivals:
            receiver.enable_arrival_times()
        far_end.send(b"first")
        far_end.send(b"second")
        narrow.failures = [OSError(errno.EHOSTUNREACH, "no route")]
        assert await receive(receiver, 2) == [(REMOTE, b"first"), (REMOTE, b"second")]
        assert [record.getMessage() for record in caplog.records] == [
            f"receiving on {receiver.local_address} failed: [Errno {errno.EHOSTUNREACH}] no route"
        ]


# -- kernels without segmentation --------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="segmentation is Linux's")
@pytest.mark.parametrize("call", ["setsockopt", "getsockopt"])
async def test_without_kernel_segmentation_datagrams_are_sent_singly(call: str) -> None:
    """UDP_GRO is in Linux since 5.0, UDP_SEGMENT since 4.18; a kernel may have one of them."""
    unknown = OSError(errno.ENOPROTOOPT, "unknown")
    async with refusing_sockets({call: unknown, "sendmsg": unknown}) as [refusing, sender, receiver]:
        assert await send_and_receive(sender, receiver, numbered(10)) == numbered(10)
        assert await send_and_receive(receiver, sender, numbered(10)) == numbered(10)
        assert refusing.refused == [call]


async def test_segmentation_is_not_requested_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "freebsd14")
    unknown = OSError(errno.ENOPROTOOPT, "unknown")
    refusals = dict.fromkeys(("setsockopt", "getsockopt", "sendmsg"), unknown)
    async with refusing_sockets(refusals) as [refusing, sender, receiver]:
        assert await send_and_receive(sender, receiver, numbered(10)) == numbered(10)
        assert refusing.refused == []


@pytest.mark.parametrize("reason", [errno.EIO, errno.EINVAL, errno.EOPNOTSUPP])
async def test_segmentation_refused_by_the_device_is_not_tried_again(reason: int) -> None:
    async with refusing_sockets({"sendmsg": OSError(reason, "refused")}) as [refusing, sender, receiver]:
        # Two runs: the refusal is within a batch.
        batch = [b"12", b"34", b"567", b"890"]
        assert await send_and_receive(sender, receiver, batch) == batch
        assert await send_and_receive(sender, receiver, batch) == batch
        assert refusing.refused == ["sendmsg"]
        assert sender.unsendable == 0


async def test_a_refused_run_is_counted_and_segmentation_kept() -> None:
    async with refusing_sockets({"sendmsg": OSError(errno.ENETUNREACH, "no route")}) as parts:
        refusing, sender, receiver = parts
        assert sender.send_nowait(numbered(3), receiver.local_address)
        assert sender.send_nowait(numbered(3), receiver.local_address)
        assert sender.unsendable == 6
        assert refusing.refused == ["sendmsg", "sendmsg"]


async def test_an_unsendable_datagram_is_counted_and_the_others_are_sent() -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        assert sender.send_nowait([b"one", bytes(70_000), b"two"], receiver.local_address)
        assert sender.unsendable == 1
        assert [packet for _, packet in await receive(receiver, 2)] == [b"one", b"two"]


@only_ipv6
async def test_a_destination_of_another_family_is_counted(host: str) -> None:
    async with open_sockets(host, 1) as [sender]:
        assert sender.send_nowait([b"one"], Address("127.0.0.1", 9))
        assert sender.unsendable == 1


# -- a full socket -----------------------------------------------------------------------------------------------


async def test_a_full_socket_queues_the_rest_and_drain_sends_it_in_order() -> None:
    async with narrow_socket() as [narrow, sender, far_end], trio.open_nursery() as nursery:
        sent = fill(sender)
        sent += numbered(20, len(sent))
        assert not sender.send_nowait(sent[-20:], REMOTE)
        nursery.start_soon(sender.drain)
        received: list[bytes] = []
        while len(received) < len(sent):
            await trio.testing.wait_all_tasks_blocked()
            received += read(far_end)
        assert received == sent
        assert narrow.destinations == [REMOTE] * len(sent)
        assert sender.unsendable == 0


async def test_later_datagrams_do_not_overtake_queued_ones() -> None:
    async with narrow_socket() as [narrow, sender, far_end]:
        sent = fill(sender)
        received = read(far_end)
        # The socket is writable now, but one datagram is queued.
        assert not sender.send_nowait([b"last"], Address("10.0.0.3", 8))
        await sender.drain()
        assert received + read(far_end) == [*sent, b"last"]
        assert narrow.destinations[-1] == ("10.0.0.3", 8)


async def test_sending_is_direct_again_after_the_queue_is_empty() -> None:
    async with narrow_socket() as [_, sender, far_end]:
        fill(sender)
        read(far_end)
        await sender.drain()
        read(far_end)
        assert sender.send_nowait([b"direct"], REMOTE)
        assert read(far_end) == [b"direct"]


async def test_the_queue_is_bounded_and_drops_the_newest() -> None:
    async with narrow_socket() as [_, sender, far_end], trio.open_nursery() as nursery:
        sent = fill(sender)
        later = numbered(1000, len(sent))
        assert not sender.send_nowait(later[:900], REMOTE)
        assert not sender.send_nowait(later[900:], REMOTE)
        lost = sender.unsendable
        # The first refused datagram is one of the 256 queued ones.
        assert lost == 1000 - 255
        nursery.start_soon(sender.drain)
        received: list[bytes] = []
        while len(received) < len(sent) + 1000 - lost:
            await trio.testing.wait_all_tasks_blocked()
            received += read(far_end)
        assert received == (sent + later)[: len(received)]


async def test_any_number_of_tasks_can_wait_for_a_full_socket() -> None:
    async with narrow_socket() as [_, sender, far_end]:
        sent = fill(sender)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(sender.drain)
            await trio.testing.wait_all_tasks_blocked()
            received = read(far_end)
        assert received + read(far_end) == sent


async def test_a_cancelled_drain_loses_nothing() -> None:
    async with narrow_socket() as [_, sender, far_end]:
        sent = fill(sender)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.drain)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        received = read(far_end)
        await sender.drain()
        assert received + read(far_end) == sent


async def test_closing_a_full_socket_wakes_all_waiting_tasks() -> None:
    async with narrow_socket() as [_, sender, _], trio.open_nursery() as nursery:
        fill(sender)

        async def drain() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await sender.drain()

        for _ in range(2):
            nursery.start_soon(drain)
        await trio.testing.wait_all_tasks_blocked()
        sender.close()


# -- closing -----------------------------------------------------------------------------------------------------


@both_families
async def test_closing_wakes_the_receiver(host: str) -> None:
    async with open_sockets(host, 1) as [receiver], trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await receiver.receive_batch()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        receiver.close()
        receiver.close()


async def test_a_closed_socket_neither_receives_nor_sends() -> None:
    async with open_sockets("127.0.0.1") as [closed, other]:
        closed.close()
        assert closed.send_nowait(numbered(1), other.local_address)
        assert closed.send_nowait(numbered(3), other.local_address)
        assert closed.unsendable == 4
        with pytest.raises(trio.ClosedResourceError):
            await closed.receive_batch()


async def test_datagrams_queued_at_close_are_counted_once() -> None:
    async with narrow_socket() as [_, sender, _]:
        fill(sender)
        before = len(numbered(5))
        assert not sender.send_nowait(numbered(5), REMOTE)
        lost = sender.unsendable
        sender.close()
        sender.close()
        assert sender.unsendable >= lost + before
        lost = sender.unsendable
        assert sender.send_nowait(numbered(3), REMOTE)
        assert sender.unsendable == lost + 3


async def test_a_socket_closed_as_a_datagram_arrives() -> None:
    """Both tasks are scheduled in one turn; in either order, the receiver is notified of the end."""
    ended: list[bool] = []
    async with open_sockets("127.0.0.1") as [sender, receiver], trio.open_nursery() as nursery:

        async def receive_until_closed() -> None:
            with contextlib.suppress(trio.ClosedResourceError):
                while True:
                    await receiver.receive_batch()
            ended.append(True)

        async def close_when_readable(waiting: SystemDatagramSocket) -> None:
            await waiting.receive_batch()
            receiver.close()

        nursery.start_soon(receive_until_closed)
        nursery.start_soon(close_when_readable, sender)
        await trio.testing.wait_all_tasks_blocked()
        receiver.send_nowait([b"to the one who closes"], sender.local_address)
        sender.send_nowait([b"to the one who is closed"], receiver.local_address)
    assert ended


async def test_the_transport_passes_packets_on_until_its_socket_is_closed() -> None:
    async with open_sockets("127.0.0.1") as [sender, receiver]:
        into, out = trio.open_memory_channel[tuple[Address, Address, list[bytes]]](10)
        transport = UdpTransport(receiver, lambda *what: into.send_nowait(what[:3]))
        async with trio.open_nursery() as nursery:
            await nursery.start(transport.run)
            sender.send_nowait([b"ping"], receiver.local_address)
            assert await out.receive() == (receiver.local_address, sender.local_address, [b"ping"])
            receiver.close()
        with pytest.raises(trio.ClosedResourceError):
            await receiver.receive_batch()


class StampedSocket(ScriptedSocket):
    """A scripted socket whose datagrams arrive every second, from 100 on."""

    @property
    def arrival_times(self) -> Sequence[float]:
        return range(100, 106)


async def test_the_transport_assigns_arrival_times_to_the_packets_of_each_sender() -> None:
    stamped = StampedSocket(Address("10.0.0.1", 5))
    received: list[tuple[Address, list[bytes], list[float]]] = []

    def receive(
        local: Address, remote: Address, packets: list[bytes], now: float, arrivals: Sequence[float]
    ) -> None:
        received.append((remote, packets, [*arrivals]))

    async with trio.open_nursery() as nursery:
        await nursery.start(UdpTransport(stamped, receive).run)
        others = [Address("10.0.0.2", port) for port in (7, 8, 9)]
        stamped.arrive(*[(other, numbered(count)) for other, count in zip(others, (2, 3, 1), strict=True)])
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert received == [
        (others[0], numbered(2), [100, 101]),
        (others[1], numbered(3), [102, 103, 104]),
        (others[2], numbered(1), [105]),
    ]
    assert stamped.closed


async def test_a_cancelled_transport_closes_its_socket() -> None:
    async with open_sockets("127.0.0.1", 1) as [receiver]:
        async with trio.open_nursery() as nursery:
            await nursery.start(UdpTransport(receiver, lambda *what: None).run)
            nursery.cancel_scope.cancel()
        with pytest.raises(trio.ClosedResourceError):
            await receiver.receive_batch()


# -- scopes of IPv6 addresses ------------------------------------------------------------------------------------


async def test_a_link_local_socket_sends_within_its_scope() -> None:
    async with narrow_socket(NarrowIpv6Socket, scope_id=7) as [narrow, sender, _]:
        sender.send_nowait([b"x"], Address("fe80::2", 9))
        assert narrow.destinations == [("fe80::2", 9, 0, 7)]


async def test_other_sockets_of_ipv6_send_without_a_scope() -> None:
    async with narrow_socket(NarrowIpv6Socket) as [narrow, sender, _]:
        sender.send_nowait([b"x"], Address("2001:db8::2", 9))
        assert narrow.destinations == [("2001:db8::2", 9, 0, 0)]


async def test_the_scope_of_a_sender_is_not_part_of_its_address() -> None:
    async with narrow_socket(NarrowIpv6Socket, scope_id=7) as [narrow, receiver, far_end]:
        narrow.source = ("fe80::2%eth0", 9, 0, 7)
        far_end.send(b"x")
        assert await receiver.receive_batch() == [(Address("fe80::2", 9), [b"x"])]


# -- the network of this host ------------------------------------------------------------------------------------


def test_this_host_has_a_loopback_address() -> None:
    addresses = SystemNetwork().interface_addresses()
    assert "127.0.0.1" in [address.host for address in addresses]
    assert all(address.name for address in addresses)
    assert not any("%" in address.host for address in addresses)


def test_addresses_of_all_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPv6 ones have flow information, which is not used, and a scope."""
    ips: list[tuple[str | tuple[str, int, int], int]]
    ips = [("10.0.0.1", 8), (("fe80::1", 5, 3), 64), (("2001:db8::1", 6, 0), 64)]
    adapters = [
        ifaddr.Adapter(name, name, [ifaddr.IP(ip, prefix, name) for ip, prefix in ips], index=3)
        for name in ("eth0", "wlan0")
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    monkeypatch.setattr(udp, "_interface_addresses", udp._interface_addresses.__wrapped__)
    assert SystemNetwork().interface_addresses() == [
        InterfaceAddress(name, *address)
        for name in ("eth0", "wlan0")
        for address in (("10.0.0.1", 0), ("fe80::1", 3), ("2001:db8::1", 0))
    ]


@both_families
async def test_a_port_can_be_chosen_and_bound_once(host: str) -> None:
    network, interface = SystemNetwork(), InterfaceAddress("lo", host)
    async with open_sockets(host, 1) as [freed]:
        port = freed.local_address.port
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            await network.bind_udp(interface, port)
        freed.close()
        again = await network.bind_udp(interface, port)
        assert again.local_address == (host, port)
        again.close()


@only_ipv6
async def test_an_ipv6_socket_leaves_the_port_to_ipv4(host: str) -> None:
    """Even if the system's default is one socket for both."""
    network = SystemNetwork()
    of_ipv6 = await network.bind_udp(InterfaceAddress("any", "::"))
    try:
        of_ipv4 = await network.bind_udp(InterfaceAddress("any", "0.0.0.0"), of_ipv6.local_address.port)
        of_ipv4.close()
    finally:
        of_ipv6.close()


async def test_an_address_of_another_host_cannot_be_bound() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
        await SystemNetwork().bind_udp(InterfaceAddress("lo", "198.51.100.1"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "198.51.100.7"])
async def test_numeric_addresses_resolve_to_themselves(host: str) -> None:
    assert await SystemNetwork().resolve(host, 3478) == [Address(host, 3478)]


@pytest.mark.parametrize("host", ["a\0b", "a" * 64, "a..b", "\ud800"])
async def test_an_invalid_name_raises_os_error(host: str) -> None:
    with pytest.raises(OSError, match=r"."):
        await SystemNetwork().resolve(host, 3478)


async def test_localhost_resolves_to_loopback_without_repetition() -> None:
    found = await SystemNetwork().resolve("localhost", 1)
    assert {address.host for address in found} <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".invalid", "\N{SNOWMAN}.."])
async def test_an_impossible_name_does_not_resolve(name: str) -> None:
    with pytest.raises(OSError, match="not a host name"):
        await SystemNetwork().resolve(name, 3478)


async def test_members_of_a_multicast_group_receive_from_each_other() -> None:
    network, interface = SystemNetwork(), InterfaceAddress("lo", "127.0.0.1")
    async with open_sockets("127.0.0.1", 1) as [unused]:
        group = Address("239.255.77.77", unused.local_address.port)
    members = [await network.open_multicast(interface, group) for _ in range(2)]
    try:
        assert [member.local_address for member in members] == [Address("127.0.0.1", group.port)] * 2
        assert members[0].send_nowait([b"anybody?"], group)
        for member in members:
            assert await receive(member, 1) == [(members[0].local_address, b"anybody?")]
    finally:
        for member in members:
            member.close()


@only_ipv6
async def test_a_multicast_socket_of_ipv6_opens_on_an_interface_by_its_name(host: str) -> None:
    network = SystemNetwork()
    loopback = next(address for address in network.interface_addresses() if address.host == host)
    async with open_sockets(host, 1) as [sender]:
        member = await network.open_multicast(loopback, Address("ff02::fb", sender.local_address.port + 1))
        try:
            sender.send_nowait([b"to you alone"], member.local_address)
            assert await receive(member, 1) == [(sender.local_address, b"to you alone")]
        finally:
            member.close()


@only_ipv6
async def test_a_multicast_socket_of_ipv6_opens_on_the_interface_of_a_scope(host: str) -> None:
    """The name is not used."""
    by_scope = InterfaceAddress("no such name", host, socket.if_nametoindex("lo"))
    member = await SystemNetwork().open_multicast(by_scope, Address("ff02::fb", 0))
    member.close()


async def test_only_multicast_groups_can_be_joined() -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        await SystemNetwork().open_multicast(InterfaceAddress("lo", "127.0.0.1"), Address("10.0.0.1", 0))


class FullSocket(socket.socket):
    """A UDP socket that is full after some calls, until the test resets it.

    Attributes:
        room: Number of further calls that succeed.
        refused: Number of calls refused before.
        taken: Datagrams of each successful call.
        arguments: Other arguments of each call with several datagrams.
    """

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.room = 0
        self.refused = 0
        self.taken: list[list[bytes]] = []
        self.arguments: list[tuple[object, ...]] = []

    def _take(self, datagrams: list[bytes]) -> None:
        if not self.room or self.refused:
            self.refused = max(0, self.refused - 1)
            raise BlockingIOError(errno.EAGAIN, "full")
        self.room -= 1
        self.taken.append(datagrams)

    def sendto(self, data: bytes, destination: object) -> int:  # type: ignore[override]
        self._take([data])
        return len(data)

    def sendmsg(self, buffers: list[bytes], *args: object) -> int:  # type: ignore[override]
        self._take(list(buffers))
        self.arguments.append(args)
        return sum(map(len, buffers))


async def test_datagrams_after_a_refused_run_do_not_overtake_it() -> None:
    """A longer one is a separate run. The socket would be writable by then."""
    full = FullSocket()
    full.bind(("127.0.0.1", 0))
    sender = SystemDatagramSocket(full, Address(*full.getsockname()))
    batch = [*[bytes(900)] * 3, bytes(1000)]
    try:
        full.room, full.refused = 9, 1
        assert not sender.send_nowait(batch, REMOTE)
        assert full.taken == []
        await sender.drain()
        assert [datagram for call in full.taken for datagram in call] == batch
        assert sender.unsendable == 0
    finally:
        sender.close()


@pytest.mark.parametrize("room", range(9))
async def test_a_socket_that_is_full_between_two_runs_queues_the_second(room: int) -> None:
    """Each run of equal sizes is one call. Later runs must not overtake the first refused one."""
    batch = [*[b"a" * 30] * 3, b"b" * 20, b"b" * 10, b"c" * 30, *[b"d" * 40] * 2]
    full = FullSocket()
    full.bind(("127.0.0.1", 0))
    sender = SystemDatagramSocket(full, Address(*full.getsockname()))
    try:
        full.room = room
        all_sent = sender.send_nowait(batch, REMOTE)
        sent = [datagram for call in full.taken for datagram in call]
        assert sent == batch[: len(sent)]
        assert all_sent is (sent == batch)
        full.room = 100
        await sender.drain()
        assert [datagram for call in full.taken for datagram in call] == batch
        assert sender.unsendable == 0
    finally:
        sender.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="segmentation is Linux's")
async def test_segment_size_control_message() -> None:
    """<linux/udp.h>: a control message of level SOL_UDP and type UDP_SEGMENT with 16 bits."""
    full = FullSocket()
    full.bind(("127.0.0.1", 0))
    full.room = 2
    sender = SystemDatagramSocket(full, Address(*full.getsockname()))
    try:
        assert sender.send_nowait([bytes(300), bytes(300), bytes(7)], REMOTE)
        assert sender.send_nowait([bytes(20), bytes(20)], REMOTE)
        assert full.arguments == [([(17, 103, struct.pack("H", size))], 0, REMOTE) for size in (300, 20)]
    finally:
        sender.close()


class RecordingSocket(socket.socket):
    """A UDP socket that only records its options and its address.

    Attributes:
        options: Level, option and value of each call.
        bound: Address to which it was bound.
    """

    made: ClassVar[list["RecordingSocket"]] = []

    def __init__(self, family: int, kind: int, proto: int = 0, fileno: int | None = None) -> None:
        super().__init__(family, kind, proto, fileno)
        self.options: list[tuple[object, ...]] = []
        self.bound: object = None
        self.made.append(self)

    def setsockopt(self, *args: object) -> None:
        self.options.append(args)

    def bind(self, address: object) -> None:
        self.bound = address


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[RecordingSocket]:
    """Replace sockets by recording ones, and return them."""
    made: list[RecordingSocket] = []
    monkeypatch.setattr(RecordingSocket, "made", made)
    monkeypatch.setattr(socket, "socket", RecordingSocket)
    return made


BUFFERS = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20), (socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)]
"""Each socket asks for 4 MiB; the system may give less."""
GRO = (17, 104, 1)


def options_of(made: Sequence[RecordingSocket]) -> list[tuple[object, ...]]:
    # The event loop has its own sockets.
    [one] = [each for each in made if each.bound is not None]
    return [option for option in one.options if option != GRO]


def bound_of(made: Sequence[RecordingSocket]) -> object:
    return next(each.bound for each in made if each.bound is not None)


async def test_options_of_a_socket(recorded: list[RecordingSocket]) -> None:
    opened = await SystemNetwork().bind_udp(InterfaceAddress("lo", "127.0.0.1"), 77)
    assert options_of(recorded) == BUFFERS
    opened.enable_arrival_times()
    opened.close()
    # <asm-generic/socket.h>: SO_TIMESTAMPNS.
    stamps = [(socket.SOL_SOCKET, 35, 1)] if sys.platform.startswith("linux") else []
    assert options_of(recorded) == [*BUFFERS, *stamps]
    assert bound_of(recorded) == ("127.0.0.1", 77)


async def test_options_of_a_socket_of_ipv6(recorded: list[RecordingSocket]) -> None:
    opened = await SystemNetwork().bind_udp(InterfaceAddress("eth0", "fe80::1", 3), 77)
    opened.close()
    assert options_of(recorded) == [(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1), *BUFFERS]
    assert bound_of(recorded) == ("fe80::1", 77, 0, 3)


REUSED = [(socket.SOL_SOCKET, option, 1) for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT)]
"""Other programs on this host are members of the same group."""


async def test_options_of_a_multicast_socket(recorded: list[RecordingSocket]) -> None:
    opened = await SystemNetwork().open_multicast(
        InterfaceAddress("lo", "127.0.0.1"), Address("224.0.0.251", 5353)
    )
    opened.close()
    assert opened.local_address == Address("127.0.0.1", 5353)
    own = socket.inet_aton("127.0.0.1")
    assert options_of(recorded) == [
        *REUSED,
        (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + own),
        (socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own),
        (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1),
        (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255),
        *BUFFERS,
    ]
    assert bound_of(recorded) == ("", 5353)


async def test_options_of_a_multicast_socket_of_ipv6(recorded: list[RecordingSocket]) -> None:
    opened = await SystemNetwork().open_multicast(
        InterfaceAddress("eth0", "fe80::1", 3), Address("ff02::fb", 5353)
    )
    opened.close()
    member = socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", 3)
    assert options_of(recorded) == [
        (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1),
        *REUSED,
        (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member),
        (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 3),
        (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1),
        *BUFFERS,
    ]
    assert bound_of(recorded) == ("", 5353)


async def test_without_a_scope_the_interface_is_identified_by_its_name(
    recorded: list[RecordingSocket],
) -> None:
    group = Address("ff02::fb", 5353)
    opened = await SystemNetwork().open_multicast(InterfaceAddress("lo", "2001:db8::1"), group)
    opened.close()
    index = socket.if_nametoindex("lo")
    member = socket.inet_pton(socket.AF_INET6, "ff02::fb") + struct.pack("@I", index)
    options = options_of(recorded)
    assert (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member) in options
    assert (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index) in options


async def test_opening_a_socket_is_a_checkpoint() -> None:
    network, interface = SystemNetwork(), InterfaceAddress("lo", "127.0.0.1")
    for opening in (
        network.bind_udp(interface),
        network.open_multicast(interface, Address("239.255.7.7", 0)),
    ):
        with trio.testing.assert_checkpoints():
            opened = await opening
        opened.close()


@pytest.mark.parametrize(
    ("sizes", "runs"),
    [
        ([100] * 100, [48, 48, 4]),
        ([1000] * 48, [48]),
        ([1000] * 47 + [1], [48]),
        ([1000] * 48 + [1], [48, 1]),
        # 65,507 bytes are the largest datagram.
        *(([32_753] * 4, [2, 2]), ([32_754] * 3, [1, 1, 1]), ([65_507] * 2, [1, 1])),
        ([20_000, 20_000, 20_000, 1], [3, 1]),
        # Only the last may be shorter, and none is longer or empty.
        ([10, 9, 9, 10], [2, 1, 1]),
        ([10, 11], [1, 1]),
        ([10, 0, 0], [1, 1, 1]),
        ([0, 10], [1, 1]),
        ([], []),
    ],
)
def test_runs_of_equal_sizes(sizes: list[int], runs: list[int]) -> None:
    batch = [bytes(size) for size in sizes]
    found = list(_equal_sized_runs(batch))
    assert [len(run) for run in found] == runs
    assert [datagram for run in found for datagram in run] == batch


# -- addresses of this host --------------------------------------------------------------------------------------


def on_eth0(*hosts: str) -> list[InterfaceAddress]:
    return [InterfaceAddress("eth0", host) for host in hosts]


def test_unreachable_addresses_are_excluded() -> None:
    given = on_eth0("10.0.0.1", "fd00::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1")
    assert usable_addresses([*given, InterfaceAddress("lo", "127.0.0.1")]) == on_eth0("10.0.0.1", "fd00::1")


def test_only_link_local_addresses_have_a_scope() -> None:
    assert InterfaceAddress("eth0", "10.0.0.1") == InterfaceAddress("eth0", "10.0.0.1", 0)


def test_loopback_is_used_if_there_are_no_other_addresses() -> None:
    loopback = [InterfaceAddress("lo", "127.0.0.1"), InterfaceAddress("lo", "::1")]
    assert usable_addresses([*loopback, *on_eth0("fe80::1")]) == loopback
    assert usable_addresses([]) == []


def test_a_duplicate_address_is_used_once() -> None:
    assert usable_addresses(on_eth0("10.0.0.1", "10.0.0.1")) == on_eth0("10.0.0.1")
