"""Our own process of a measurement: ``await channel.send(...)`` in a loop, ``async for message in channel``."""

import json
import math
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

import trio_rtc
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

JsonObject = dict[str, Any]
CONTROL = -1
"""What is said between the processes about no connection."""


class Signaling:
    """JSON lines to and from the other process, each for one connection by number."""

    def __init__(self, reader: trio.abc.ReceiveStream) -> None:
        self._reader = reader
        self._inboxes: dict[
            int, tuple[trio.MemorySendChannel[JsonObject], trio.MemoryReceiveChannel[JsonObject]]
        ] = {}

    def _inbox(
        self, connection: int
    ) -> tuple[trio.MemorySendChannel[JsonObject], trio.MemoryReceiveChannel[JsonObject]]:
        if connection not in self._inboxes:
            self._inboxes[connection] = trio.open_memory_channel[JsonObject](math.inf)
        return self._inboxes[connection]

    async def receive(self, connection: int) -> JsonObject:
        """Wait for what the other process says about a connection."""
        return await self._inbox(connection)[1].receive()

    async def run(self) -> None:
        """Sort what comes, until the other process ends."""
        buffer = b""
        async for chunk in self._reader:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                message = json.loads(line)
                self._inbox(message.pop("connection"))[0].send_nowait(message)

    def send(self, connection: int, **message: Any) -> None:
        """Say something about a connection."""
        sys.stdout.write(json.dumps({"connection": connection, **message}) + "\n")
        sys.stdout.flush()


@attrs.define
class End:
    """What both ends do: negotiate."""

    signaling: Signaling

    @asynccontextmanager
    async def offer(self, number: int = 0) -> AsyncIterator[trio_rtc.RTCDataChannel]:
        """Make a connection; the block begins when its channel is open."""
        async with (
            trio_rtc.RTCPeerConnection() as pc,
            pc.subscribe("ice_candidate") as candidates,
            trio.open_nursery() as nursery,
        ):
            channel = pc.create_data_channel("benchmark")
            nursery.start_soon(self._tell_candidates, candidates, number)
            await self._tell_description(pc, number)
            nursery.start_soon(self._apply, pc, number)
            await channel.opened()
            yield channel
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def answer(self, number: int = 0) -> AsyncIterator[trio_rtc.RTCDataChannel]:
        """Answer a connection; the block begins when its channel is open."""
        async with (
            trio_rtc.RTCPeerConnection() as pc,
            pc.subscribe("ice_candidate") as candidates,
            pc.subscribe("data_channel") as channels,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._tell_candidates, candidates, number)
            nursery.start_soon(self._apply, pc, number)
            channel: trio_rtc.RTCDataChannel = (await anext(aiter(channels))).channel
            await channel.opened()
            yield channel
            nursery.cancel_scope.cancel()

    async def _tell_candidates(self, candidates: Any, number: int) -> None:
        async for event in candidates:
            candidate = event.candidate
            self.signaling.send(number, candidate=candidate and candidate.to_json())

    async def _tell_description(self, pc: trio_rtc.RTCPeerConnection, number: int) -> None:
        await pc.set_local_description()
        assert pc.local_description is not None
        self.signaling.send(number, description=pc.local_description.to_json())

    async def _apply(self, pc: trio_rtc.RTCPeerConnection, number: int) -> None:
        while True:
            match await self.signaling.receive(number):
                case {"description": description}:
                    await pc.set_remote_description(trio_rtc.RTCSessionDescription.from_json(description))
                    if description["type"] == "offer":
                        await self._tell_description(pc, number)
                case {"candidate": candidate}:
                    parsed = candidate and trio_rtc.RTCIceCandidate.from_json(candidate)
                    await pc.add_ice_candidate(parsed)
                case other:
                    raise ValueError(f"cannot make sense of {other}")


@attrs.define
class Offerer:
    """The measuring end."""

    _end: End
    _result_fd: int

    async def throughput(self, workload: Workload) -> None:
        """Send for a while."""
        payloads = make_payloads(workload.message_size)
        async with self._end.offer() as channel:
            count = 0
            deadline = time.perf_counter() + workload.seconds
            while time.perf_counter() < deadline:
                await channel.send(payloads[count % PAYLOADS])
                count += 1
            await channel.send(f"sent {count}")
            await trio.sleep_forever()

    async def round_trip(self, workload: Workload) -> None:
        """Send a message and wait for its echo, again and again."""
        payloads = make_payloads(workload.message_size)
        durations = []
        async with self._end.offer() as channel:
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
        """Make connections one after the other."""
        durations = []
        for number in range(workload.repetitions):
            started = time.perf_counter()
            async with self._end.offer(number) as channel:
                durations.append(time.perf_counter() - started)
                # The answerer has closed its end, and is ready for the next, when it says so.
                await channel.send("opened")
                await self._end.signaling.receive(CONTROL)
        report_result(self._result_fd, percentiles(durations))

    async def memory(self, workload: Workload) -> None:
        """Make connections that stay."""
        async with trio.open_nursery() as nursery:
            await nursery.start(_hold, self._end.offer, 0)
            await trio.sleep(SETTLING_SECONDS)
            before = private_memory()
            for number in range(1, workload.repetitions + 1):
                await nursery.start(_hold, self._end.offer, number)
            await trio.sleep(SETTLING_SECONDS)
            kibibytes = (private_memory() - before) / workload.repetitions / 1024
            report_result(self._result_fd, {"kibibytes": kibibytes})


@attrs.define
class Answerer:
    """The other end."""

    _end: End
    _result_fd: int

    async def throughput(self, workload: Workload) -> None:
        """Receive and compare."""
        sink = Sink(workload.message_size)
        async with self._end.answer() as channel:
            async for message in channel:
                if isinstance(message, str):
                    report_result(self._result_fd, sink.result(int(message.removeprefix("sent "))))
                    return
                sink.receive(message)

    async def round_trip(self, _: Workload) -> None:
        """Echo."""
        async with self._end.answer() as channel:
            async for message in channel:
                await channel.send(message)

    async def set_up(self, workload: Workload) -> None:
        """Answer connections one after the other."""
        for number in range(workload.repetitions):
            async with self._end.answer(number) as channel:
                await channel.receive()
            self._end.signaling.send(CONTROL, closed=number)

    async def memory(self, workload: Workload) -> None:
        """Answer connections that stay."""
        async with trio.open_nursery() as nursery:
            for number in range(workload.repetitions + 1):
                await nursery.start(_hold, self._end.answer, number)


async def _hold(connect: Any, number: int, *, task_status: trio.TaskStatus[None]) -> None:
    async with connect(number):
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
