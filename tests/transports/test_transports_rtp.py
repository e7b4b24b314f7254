"""The RTP transport: input of the session, and the bitrate left for data."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from tests.strategies.toy_core import EchoCore
from tests.strategies.wires import Wire
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import ReceivedRtp
from trio_rtc.transports.rtp import RtpTransport

pytestmark = pytest.mark.usefixtures("autojump_clock")


class EchoSession(EchoCore):
    """An echo core in place of an RTP session.

    Attributes:
        arrivals: Arrival times passed to ``receive``.
        left: Bitrate that it leaves for data.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: list[Sequence[float]] = []
        self.left: float | None = None

    def receive(self, batch: Sequence[bytes], now: float, arrivals: Sequence[float] = ()) -> None:
        super().receive(batch, now)
        self.arrivals.append(arrivals)

    def left_for_data(self, now: float) -> float | None:
        return self.left


class RtpSide:
    """A transport over a wire, and its reports."""

    def __init__(self) -> None:
        self.session = EchoSession()
        self.inbox = Inbox[ReceivedRtp]()
        self.wire = Wire()
        self.events: list[object] = []
        self.shared: list[float | None] = []
        session: Any = self.session
        self.rtp = RtpTransport(session, self.inbox, self.wire, self.events.append, self.shared.append)

    def arrive(self, packets: list[bytes], arrivals: Sequence[float] = ()) -> None:
        self.inbox.push((packets, arrivals), len(packets), trio.current_time())


@asynccontextmanager
async def running_rtp() -> AsyncIterator[RtpSide]:
    side = RtpSide()
    async with trio.open_nursery() as nursery:
        await nursery.start(side.rtp.run)
        await trio.testing.wait_all_tasks_blocked()
        yield side
        nursery.cancel_scope.cancel()


async def test_packets_are_passed_with_their_arrival_times() -> None:
    async with running_rtp() as side:
        side.arrive([b"a", b"b"], [1.0, 2.0])
        side.arrive([b"c"])
        assert side.session.arrivals == [[1.0, 2.0], ()]
        assert side.wire.packets == [b"re: a", b"re: b", b"re: c"]
        assert len(side.events) == 3


async def test_packets_of_a_called_method_are_sent_by_the_task() -> None:
    async with running_rtp() as side:

        def verb(text: str, now: float) -> float:
            side.session.queue_packet(text.encode())
            return now

        assert side.rtp.call(verb, "said") == trio.current_time()
        assert side.wire.packets == []
        await trio.testing.wait_all_tasks_blocked()
        assert side.wire.packets == [b"said"]


async def test_a_change_of_the_bitrate_left_for_data_is_reported() -> None:
    async with running_rtp() as side:
        side.shared.clear()
        for left in (1e6, None, 2e6):
            side.session.left = left
            assert side.rtp.flush_nowait(trio.current_time())
        assert side.shared == [1e6, None, 2e6]


async def test_a_full_wire_blocks_the_task() -> None:
    async with running_rtp() as side:
        side.wire.gate.shut()
        side.arrive([b"a"])
        await trio.testing.wait_all_tasks_blocked()
        side.arrive([b"b"])
        await trio.testing.wait_all_tasks_blocked()
        assert [packet for _, packet in side.session.received] == [b"a"]
        side.wire.gate.open()
        await trio.testing.wait_all_tasks_blocked()
        assert side.wire.packets == [b"re: a", b"re: b"]
