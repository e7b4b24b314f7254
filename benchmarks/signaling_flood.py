"""Latency of members while other clients flood the signaling server: ``python -m benchmarks.signaling_flood``.

A server, the flooding clients and two members that talk have a process each. The two members are in a room of their own
and send a message back and forth. Shown is how long that takes while others send, as fast as TCP takes it, empty
fragments, pings or messages, or open connections and say nothing. The beginning of the flood is included.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import trio

from trio_rtc import signaling
from trio_rtc.signaling.plain_errors import plain_errors

HANDSHAKE = (
    b"GET /?room=flood-%d HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = b"\0\0\0\0"
TEXT = b'{"data":{}}'
FLOODS = {
    "fragments": (b"\x01\x80" + MASK, (b"\x00\x80" + MASK) * 2000),
    "pings": (b"", (b"\x89\x80" + MASK) * 2000),
    "messages": (b"", (b"\x81" + bytes([0x80 | len(TEXT)]) + MASK + TEXT) * 1000),
    "idle": (b"", b""),
}


async def serve() -> None:
    """Run a server with its defaults, and print its port."""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(signaling.serve)
        print(server.port, flush=True)


async def flood(kind: str, port: int, count: int) -> None:
    """Send the same again and again, in many connections."""

    async def send() -> None:
        first, again = FLOODS[kind]
        with suppress(trio.BrokenResourceError, OSError):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            if not again:
                await stream.receive_some()  # never says anything, until the server has had enough
                return
            await stream.send_all(HANDSHAKE % os.getpid())
            await stream.receive_some()
            await stream.send_all(first)
            with plain_errors():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_discard, stream)
                    while True:
                        await stream.send_all(again)

    async def send_again() -> None:
        while True:
            await send()

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(send_again)


async def _discard(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass


async def measure(port: int, seconds: float, flooding: tuple[str, ...]) -> list[float]:
    """Return round trips between two members, in milliseconds."""
    times: list[float] = []
    async with pair(f"ws://127.0.0.1:{port}/") as (one, other), trio.open_nursery() as nursery:

        async def echo() -> None:
            async for message in other:
                await other.send(message)

        nursery.start_soon(echo)
        with process("--role", "flood", *flooding):
            await trio.sleep(1.0)  # so long an interpreter takes to start
            end = trio.current_time() + seconds
            while trio.current_time() < end:
                started = trio.current_time()
                await one.send({})
                await one.receive()
                times.append((trio.current_time() - started) * 1000)
                await trio.sleep(0.02)  # under the rate that members are allowed
        nursery.cancel_scope.cancel()
    return times


@asynccontextmanager
async def pair(url: str) -> AsyncIterator[tuple[signaling.Peer, signaling.Peer]]:
    """Enter a room twice."""
    async with signaling.connect(url, room="pair") as first, signaling.connect(url, room="pair") as second:
        yield await first.receive(), await second.receive()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a part of this program during the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.signaling_flood", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of those who are ended in the middle
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def main() -> None:
    """Show a line for each flood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--role", nargs="*", default=[])
    arguments = parser.parse_args()
    match arguments.role:
        case ["serve"]:
            trio.run(serve)
        case ["flood", kind, port, count]:
            trio.run(flood, kind, int(port), int(count))
        case _:
            print(f"{'clients that flood':25} {'median':>9} {'95 of 100':>12} {'longest':>12}")
            for kind, count in (
                ("idle", 0),
                *((kind, count) for kind in FLOODS for count in (1, 20)),
                ("idle", 300),
            ):
                with process("--role", "serve") as server:
                    assert server.stdout is not None
                    port = server.stdout.readline().strip()
                    flooding = (kind, port, str(count))
                    times = trio.run(measure, int(port), arguments.seconds, flooding)
                figures = (statistics.median(times), statistics.quantiles(times, n=20)[-1], max(times))
                print(f"{count:4} {kind:17}", *(f"{figure:9.1f} ms" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
