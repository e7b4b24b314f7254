"""trio_rtc's process of a measurement: ``await channel.send(...)`` in a loop, ``async for message in channel``."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

import trio_rtc
from benchmarks.peers.trio_forwarding import feed, forward
from benchmarks.peers.trio_signaling import CONTROL, End, Signaling
from benchmarks.peers.trio_streams import receive_streams, send_streams
from benchmarks.peers.trio_video import receive_call, send_call
from benchmarks.workload import (
    PAYLOADS,
    SETTLING_SECONDS,
    Sink,
    Workload,
    make_payloads,
    percentiles,
    private_memory,
    report_result,
)


@asynccontextmanager
async def offer(end: End, number: int = 0) -> AsyncIterator[trio_rtc.RTCDataChannel]:
    """Establish a connection; the block starts when its channel is open."""
    async with trio_rtc.RTCPeerConnection() as pc:
        channel = pc.create_data_channel("benchmark")
        async with end.negotiation(pc, number, offers=True):
            await channel.opened()
            yield channel


@asynccontextmanager
async def answer(end: End, number: int = 0) -> AsyncIterator[trio_rtc.RTCDataChannel]:
    """Answer a connection; the block starts when its channel is open."""
    async with (
        trio_rtc.RTCPeerConnection() as pc,
        pc.subscribe("data_channel") as channels,
        end.negotiation(pc, number, offers=False),
    ):
        channel: trio_rtc.RTCDataChannel = (await anext(aiter(channels))).channel
        await channel.opened()
        yield channel


@attrs.define
class Offerer:
    """The measuring end."""

    _end: End
    _result_fd: int

    async def throughput(self, workload: Workload) -> None:
        """Send for a while."""
        payloads = make_payloads(workload.message_size)
        async with offer(self._end) as channel:
            count = 0
            deadline = time.perf_counter() + workload.seconds
            while time.perf_counter() < deadline:
                await channel.send(payloads[count % PAYLOADS])
                count += 1
            await channel.send(f"sent {count}")
            await trio.sleep_forever()

    async def round_trip(self, workload: Workload) -> None:
        """Send a message and wait for its echo, repeatedly."""
        payloads = make_payloads(workload.message_size)
        durations = []
        async with offer(self._end) as channel:
            for number in range(workload.repetitions):
                payload = payloads[number % PAYLOADS]
                started = time.perf_counter()
                await channel.send(payload)
                echo = await channel.receive()
                durations.append(time.perf_counter() - started)
                if echo != payload:
                    raise ValueError(f"echo {number} differs")
            report_result(self._result_fd, percentiles(durations[len(durations) // 10 :]))

    async def set_up(self, workload: Workload) -> None:
        """Establish connections sequentially."""
        durations = []
        for number in range(workload.repetitions):
            started = time.perf_counter()
            async with offer(self._end, number) as channel:
                durations.append(time.perf_counter() - started)
                # The answerer reports that it has closed its end, and is ready for the next connection.
                await channel.send("opened")
                await self._end.signaling.receive(CONTROL)
        report_result(self._result_fd, percentiles(durations))

    async def memory(self, workload: Workload) -> None:
        """Establish connections and keep them open."""
        async with trio.open_nursery() as nursery:
            await nursery.start(_hold, offer, self._end, 0)
            await trio.sleep(SETTLING_SECONDS)
            before = private_memory()
            for number in range(1, workload.repetitions + 1):
                await nursery.start(_hold, offer, self._end, number)
            await trio.sleep(SETTLING_SECONDS)
            kibibytes = (private_memory() - before) / workload.repetitions / 1024
            report_result(self._result_fd, {"kibibytes": kibibytes})

    async def call(self, workload: Workload) -> None:
        """Send video frames."""
        await send_call(self._end, workload)

    async def forwarding(self, workload: Workload) -> None:
        """Send packets that are sent back."""
        await feed(self._end, workload)

    async def streams(self, workload: Workload) -> None:
        """Send many streams."""
        report_result(self._result_fd, await send_streams(self._end, workload))


@attrs.define
class Answerer:
    """The other end."""

    _end: End
    _result_fd: int

    async def throughput(self, workload: Workload) -> None:
        """Receive messages and compare them."""
        sink = Sink(workload.message_size)
        async with answer(self._end) as channel:
            async for message in channel:
                if isinstance(message, str):
                    report_result(self._result_fd, sink.result(int(message.removeprefix("sent "))))
                    return
                sink.receive(message)

    async def round_trip(self, _: Workload) -> None:
        """Echo from a handler, as the peers do that support only handlers."""
        async with answer(self._end) as channel:
            channel.on_message = lambda event: channel.send_nowait(event.data)
            await trio.sleep_forever()

    async def set_up(self, workload: Workload) -> None:
        """Answer connections sequentially."""
        for number in range(workload.repetitions):
            async with answer(self._end, number) as channel:
                await channel.receive()
            self._end.signaling.send(CONTROL, closed=number)

    async def memory(self, workload: Workload) -> None:
        """Answer connections and keep them open."""
        async with trio.open_nursery() as nursery:
            for number in range(workload.repetitions + 1):
                await nursery.start(_hold, answer, self._end, number)

    async def call(self, workload: Workload) -> None:
        """Receive video frames."""
        report_result(self._result_fd, await receive_call(self._end, workload))

    async def forwarding(self, workload: Workload) -> None:
        """Send all packets back."""
        report_result(self._result_fd, await forward(self._end, workload))

    async def streams(self, workload: Workload) -> None:
        """Receive many streams."""
        await receive_streams(self._end, workload)


async def _hold(connect: Any, end: End, number: int, *, task_status: trio.TaskStatus[None]) -> None:
    async with connect(end, number):
        task_status.started()
        await trio.sleep_forever()


async def _measure(role: str, workload: Workload, result_fd: int) -> None:
    async with trio.lowlevel.FdStream(0) as reader, trio.open_nursery() as nursery:
        end = End(Signaling(reader))

        async def end_with_the_other_process() -> None:
            await end.signaling.run()
            nursery.cancel_scope.cancel()

        nursery.start_soon(end_with_the_other_process)
        side = (Offerer if role == "offerer" else Answerer)(end, result_fd)
        await getattr(side, workload.kind)(workload)


def main() -> None:
    """Play a role until ended: arguments are the role, the workload, the result's descriptor."""
    trio.run(_measure, sys.argv[1], Workload.from_json(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
