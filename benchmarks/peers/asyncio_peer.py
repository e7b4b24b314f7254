"""One of the two processes of a measurement, for the asyncio libraries.

They are used as their documentation shows: handlers for events, and a sender that stops above a mark of
``bufferedAmount`` until ``bufferedamountlow``, since their ``send`` never waits.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.asyncio_end import End, VideoEngine
from benchmarks.peers.asyncio_signaling import CONTROL, Signaling
from benchmarks.peers.asyncio_streams import receive_streams, send_streams
from benchmarks.peers.asyncio_video import receive_call, relay_call, send_call
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
from tests.interop.peers.program import Engine, JsonObject


class Connection:
    """A peer connection with one channel."""

    def __init__(self, end: End, number: int) -> None:
        self._engine = end.engine
        self._negotiation = end.negotiation(number)
        self._opened = asyncio.Event()
        self.channel: Any = None
        self.handle_message: Callable[[str | bytes], None] = self._keep
        self._told: asyncio.Queue[str] = asyncio.Queue()

    def _adopt(self, channel: Any) -> None:
        self.channel = channel
        channel.on("message", lambda event: self.handle_message(self._engine.message(event)))
        channel.on("open", lambda *_: self._opened.set())
        if channel.readyState == "open":
            self._opened.set()

    def _keep(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._told.put_nowait(message)

    async def told(self) -> str:
        """Wait for a control message of the other end, which is a string; payloads are binary."""
        return await self._told.get()

    async def offer(self) -> None:
        """Send an offer and return when the channel is open."""
        self._adopt(self._engine.data_channel(self._negotiation.pc, "benchmark", {}))
        await self._negotiation.offer()
        await self._opened.wait()

    async def answer(self) -> None:
        """Wait for an offer, answer it and return when the channel is open."""
        self._negotiation.pc.on(
            "datachannel", lambda event: self._adopt(self._engine.announced_channel(event))
        )
        self._negotiation.answer()
        await self._opened.wait()

    async def close(self) -> None:
        """Close it."""
        await self._negotiation.close()


class Offerer:
    """The measuring end."""

    def __init__(self, end: End, least_high_water: int) -> None:
        self._end = end
        self._least_high_water = least_high_water

    async def connect(self, number: int = 0) -> Connection:
        """Establish a connection."""
        connection = Connection(self._end, number)
        await connection.offer()
        return connection

    async def throughput(self, workload: Workload) -> None:
        """Send for a while."""
        connection = await self.connect()
        channel = connection.channel
        drained = asyncio.Event()
        high_water = max(self._least_high_water, 2 * workload.message_size)
        channel.bufferedAmountLowThreshold = high_water // 2
        channel.on("bufferedamountlow", lambda *_: drained.set())
        payloads = make_payloads(workload.message_size)
        count = 0
        deadline = time.perf_counter() + workload.seconds
        while time.perf_counter() < deadline:
            channel.send(payloads[count % PAYLOADS])
            count += 1
            if channel.bufferedAmount > high_water:
                drained.clear()
                await drained.wait()
        channel.send(f"sent {count}")

    async def round_trip(self, workload: Workload) -> JsonObject:
        """Send a message and wait for its echo, repeatedly."""
        connection = await self.connect()
        channel = connection.channel
        payloads = make_payloads(workload.message_size)
        echoed = asyncio.Event()
        echo: str | bytes = b""

        def handle_echo(message: str | bytes) -> None:
            nonlocal echo
            echo = message
            echoed.set()

        connection.handle_message = handle_echo
        durations = []
        for number in range(workload.repetitions):
            payload = payloads[number % PAYLOADS]
            started = time.perf_counter()
            channel.send(payload)
            await echoed.wait()
            durations.append(time.perf_counter() - started)
            echoed.clear()
            if echo != payload:
                raise ValueError(f"echo {number} differs")
        return percentiles(durations[len(durations) // 10 :])

    async def set_up(self, workload: Workload) -> JsonObject:
        """Establish connections sequentially."""
        durations = []
        for number in range(workload.repetitions):
            started = time.perf_counter()
            connection = await self.connect(number)
            durations.append(time.perf_counter() - started)
            # The answerer reports that it has closed its end, and is ready for the next connection.
            connection.channel.send("opened")
            await self._end.signaling.inbox(CONTROL).get()
            await connection.close()
        return percentiles(durations)

    async def memory(self, workload: Workload) -> JsonObject:
        """Establish connections and keep them open."""
        connections = [await self.connect(0)]
        await asyncio.sleep(SETTLING_SECONDS)
        before = private_memory()
        connections += [await self.connect(number) for number in range(1, workload.repetitions + 1)]
        await asyncio.sleep(SETTLING_SECONDS)
        after = private_memory()
        return {"kibibytes": (after - before) / workload.repetitions / 1024}

    async def call(self, workload: Workload) -> None:
        """Send video frames."""
        await send_call(self._end, workload)

    async def forwarding(self, workload: Workload) -> None:
        """Send video frames that are sent back."""
        await send_call(self._end, workload)

    async def streams(self, workload: Workload) -> JsonObject:
        """Send many streams."""
        return await send_streams(self._end, workload)


class Answerer:
    """The other end."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._connections: list[Connection] = []

    async def connect(self, number: int = 0) -> Connection:
        """Answer a connection."""
        connection = Connection(self._end, number)
        await connection.answer()
        return connection

    async def throughput(self, workload: Workload) -> JsonObject:
        """Receive messages and compare them."""
        connection = Connection(self._end, 0)
        sink = Sink(workload.message_size)
        finished: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()

        def handle_message(message: str | bytes) -> None:
            try:
                if isinstance(message, str):
                    finished.set_result(sink.result(int(message.removeprefix("sent "))))
                else:
                    sink.receive(message)
            except ValueError as error:
                finished.set_exception(error)

        connection.handle_message = handle_message
        await connection.answer()
        return await finished

    async def round_trip(self, _: Workload) -> None:
        """Echo messages."""
        connection = Connection(self._end, 0)
        connection.handle_message = lambda message: connection.channel.send(message)  # noqa: PLW0108
        await connection.answer()

    async def set_up(self, workload: Workload) -> None:
        """Answer connections sequentially."""
        for number in range(workload.repetitions):
            connection = await self.connect(number)
            await connection.told()
            await connection.close()
            self._end.signaling.send(CONTROL, closed=number)

    async def memory(self, workload: Workload) -> None:
        """Answer connections and keep them open."""
        for number in range(workload.repetitions + 1):
            self._connections.append(await self.connect(number))

    async def call(self, workload: Workload) -> JsonObject:
        """Receive video frames."""
        return await receive_call(self._end, workload)

    async def forwarding(self, workload: Workload) -> JsonObject:
        """Send all frames back."""
        return await relay_call(self._end, workload)

    async def streams(self, workload: Workload) -> None:
        """Receive many streams."""
        await receive_streams(self._end, workload)


async def _measure(
    engine: Engine, video: VideoEngine, least_high_water: int, role: str, workload: Workload, result_fd: int
) -> None:
    end = End(engine, video, await Signaling.open())
    other_process = asyncio.create_task(end.signaling.run())
    side = Offerer(end, least_high_water) if role == "offerer" else Answerer(end)
    measuring: asyncio.Task[JsonObject | None] = asyncio.create_task(getattr(side, workload.kind)(workload))
    await asyncio.wait({measuring, other_process}, return_when=asyncio.FIRST_COMPLETED)
    if measuring.done():
        if (result := measuring.result()) is not None:
            report_result(result_fd, result)
        await other_process


def main(engine: Engine, video: VideoEngine, *, least_high_water: int) -> None:
    """Play a role until the other process ends: arguments are the role, the workload, the result's descriptor.

    Args:
        engine: The library.
        video: Its video.
        least_high_water: The mark of ``bufferedAmount`` at which the sender pauses, at least two messages.
    """
    role, workload, result_fd = sys.argv[1], Workload.from_json(sys.argv[2]), int(sys.argv[3])
    asyncio.run(_measure(engine, video, least_high_water, role, workload, result_fd))
