"""Latency of members while other clients flood the signaling server: ``python -m benchmarks.signaling_flood``.

The server, the flooding clients and two members have a process each. The two members are in their own room and send a
message back and forth. The round trip is measured while others send empty fragments, pings or messages at the rate of
TCP, open idle connections, or open and close connections. The start of the flood is included. All is measured without
and with TLS.

The program ends with exit code 1 if a flood raises the round trip above its bounds: half of the round trips, and 95 of
100, with one client and with more. On two cores at a load of 6 they were at most 11 and 56 ms with one client, 14 and
157 ms with twenty. A server without rates for frames exceeds them: there empty fragments raised the round trip to
115 ms with one client, and to 1.2 s with twenty. Where it takes longer than 5 ms even without a flood, the bounds grow
by that factor. The longest round trip has no bound: on a busy machine it is the scheduler's.
"""

import argparse
import math
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import trio

from tests.strategies.tls_server import self_signed
from trio_rtc import signaling
from trio_rtc._error_filters import ungrouped_errors

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
    "connections": (b"", b""),
}


async def serve(certificate: str) -> None:
    """Run a server with its defaults, and print its port.

    Args:
        certificate: The file with the key and certificate for TLS; empty for none.
    """
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, ssl_context=context))
        print(server.port, flush=True)


@attrs.frozen
class RoundTrips:
    """Round trips between two members, or bounds of them, in milliseconds.

    Attributes:
        median: Half of them are no longer.
        most: 95 of 100 are no longer.
        longest: The longest one.
    """

    median: float
    most: float
    longest: float = math.inf

    @classmethod
    def of(cls, times: Sequence[float]) -> "RoundTrips":
        """Return the figures of measured round trips."""
        return cls(statistics.median(times), statistics.quantiles(times, n=20)[-1], max(times))


ONE_CLIENT = RoundTrips(25.0, 150.0)
MANY_CLIENTS = RoundTrips(60.0, 500.0)
QUIET_MEDIAN = 5.0
"""Median without a flood up to which the bounds are not scaled, in milliseconds."""


def faults_of(clients: int, kind: str, flooded: RoundTrips, quiet: RoundTrips) -> list[str]:
    """Return in words which bounds a flood exceeds; ``quiet`` was measured without one."""
    bounds = ONE_CLIENT if clients == 1 else MANY_CLIENTS
    factor = max(1.0, quiet.median / QUIET_MEDIAN)
    figures = (("half", flooded.median, bounds.median), ("95 of 100", flooded.most, bounds.most))
    return [
        f"{clients} {kind}: {part} of the round trips take up to {measured:.0f} ms, more than {bound * factor:.0f} ms"
        for part, measured, bound in figures
        if measured > bound * factor
    ]


class Flood:
    """A client that floods the server until it is cancelled.

    Args:
        kind: One of ``FLOODS``.
        port: Where the server listens.
        certificate: The server's, for TLS; empty for none.
    """

    def __init__(self, kind: str, port: int, certificate: str) -> None:
        self._first, self._again = FLOODS[kind]
        self._port = port
        self._context = client_context(certificate)
        self._run = {"idle": self._idle, "connections": self._connect}.get(kind, self._send)
        self._hello = HANDSHAKE % 0 if self._context is None else client_hello(self._context)

    async def run(self) -> None:
        """Flood until cancelled."""
        while True:
            with suppress(trio.BrokenResourceError, OSError):
                async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
                    await self._run(stream)

    async def _idle(self, stream: trio.SocketStream) -> None:
        await stream.receive_some()  # sends nothing until the server closes it

    async def _connect(self, stream: trio.SocketStream) -> None:
        await stream.send_all(self._hello)
        await stream.receive_some()  # so that the server has computed its response

    async def _send(self, transport: trio.abc.Stream) -> None:
        stream = transport
        if self._context is not None:
            stream = trio.SSLStream(transport, self._context, server_hostname="127.0.0.1")
        await stream.send_all(HANDSHAKE % os.getpid())
        await stream.receive_some()
        await stream.send_all(self._first)
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_discard, stream)
                while True:
                    await stream.send_all(self._again)


async def flood(kind: str, port: int, count: int, certificate: str) -> None:
    """Run flooding clients until cancelled."""
    flooding = Flood(kind, port, certificate)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(flooding.run)


async def _discard(stream: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass


def client_context(certificate: str) -> ssl.SSLContext | None:
    """Return the context of a client that trusts the certificate in a file; ``None`` without a file."""
    return ssl.create_default_context(cafile=certificate) if certificate else None


def client_hello(context: ssl.SSLContext) -> bytes:
    """Return a ClientHello to send repeatedly: it costs the server a signature and its sender nothing."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def measure(port: int, seconds: float, certificate: str, flooding: tuple[str, ...]) -> list[float]:
    """Return round trips between two members, in milliseconds."""
    times: list[float] = []
    async with pair(port, certificate) as (one, other), trio.open_nursery() as nursery:

        async def echo() -> None:
            async for message in other:
                await other.send(message)

        nursery.start_soon(echo)
        with process("--role", "flood", *flooding):
            await trio.sleep(1.0)  # time for an interpreter to start
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
async def pair(port: int, certificate: str) -> AsyncIterator[tuple[signaling.Peer, signaling.Peer]]:
    """Enter a room twice."""
    context = client_context(certificate)
    url = f"{'ws' if context is None else 'wss'}://127.0.0.1:{port}/"
    enter = partial(signaling.connect, url, room="pair", ssl_context=context)
    async with enter() as first, enter() as second:
        yield await first.receive(), await second.receive()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a part of this program during the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.signaling_flood", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # of processes that are terminated
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def measure_floods(seconds: float, certificate: str) -> list[str]:
    """Print a line for each flood; return in words which bounds are exceeded."""
    protocol = ", TLS" if certificate else ""
    print(f"{f'clients that flood{protocol}':25} {'median':>9} {'95 of 100':>12} {'longest':>12}")
    quiet, faults = None, list[str]()
    kinds = [(kind, count) for kind in FLOODS for count in (1, 20)]
    for kind, count in (("idle", 0), *kinds, ("idle", 300)):
        with process("--role", "serve", certificate) as server:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            flooding = (kind, port, str(count), certificate)
            times = RoundTrips.of(trio.run(measure, int(port), seconds, certificate, flooding))
        figures = (times.median, times.most, times.longest)
        print(f"{count:4} {kind:17}", *(f"{figure:9.1f} ms" for figure in figures), flush=True)
        quiet = quiet or times
        if count:
            faults += faults_of(count, kind + protocol, times, quiet)
    return faults


def main() -> int:
    """Show a table without TLS and one with it, and return 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each flood")
    parser.add_argument("--role", nargs="*", default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.role:
        case ["serve", certificate]:
            trio.run(serve, certificate)
        case ["flood", kind, port, count, certificate]:
            trio.run(flood, kind, int(port), int(count), certificate)
        case _:
            return _report(arguments.seconds)
    return 0


def _report(seconds: float) -> int:
    faults = measure_floods(seconds, "")
    with tempfile.TemporaryDirectory() as directory:
        self_signed(Path(directory))
        faults += measure_floods(seconds, str(Path(directory, "server.pem")))
    for fault in faults:
        print(f"BROKEN: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
