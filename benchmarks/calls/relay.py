"""The relay between the two peers of a call: one process with a UDP socket for each peer.

It is a plain loop around ``select`` and not a trio program, since its timing is part of every measurement. It ends when
its standard input does. Commands are lines of JSON, and so are the answers.

The first datagrams of a connection are never lost: in STUN and the DTLS handshake, timers of whole seconds would
determine when a call starts.
"""

import heapq
import json
import os
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs

from benchmarks.calls.network import NETWORKS, Direction, make_directions

HEADERS = 28
"""Bytes of the IPv4 and UDP headers, which the bottleneck transmits too."""

BATCH = 64
BUFFER_BYTES = 4 * 1024 * 1024
_DTLS_APPLICATION_DATA = 23

Sample = tuple[float, float]


def can_be_lost(datagram: bytes) -> bool:
    """Return whether this is media or data: RTP, RTCP (RFC 7983 section 7) or DTLS application data."""
    return bool(datagram) and (128 <= datagram[0] < 192 or _is_application_data(datagram))


def _is_application_data(datagram: bytes) -> bool:
    # In DTLS 1.3 encrypted records begin with 001 (RFC 9147 section 4), the last handshake messages too.
    return datagram[0] == _DTLS_APPLICATION_DATA or 32 <= datagram[0] < 64


def is_rtp(datagram: bytes) -> bool:
    """Return whether this is RTP and not RTCP (RFC 5761 section 4)."""
    return len(datagram) > 1 and 128 <= datagram[0] < 192 and not 192 <= datagram[1] < 224


@attrs.define
class Side:
    """The socket that a peer sends to, and the treatment of its datagrams.

    Attributes:
        socket: The socket that the peer sends to.
        direction: From this peer to the other.
        peer: Its address; other sources are ignored.
        counts: "packets", "bytes", "lost", "full".
        media: Bytes of RTP by second of the call.
        data: All other bytes.
        waits: The time of each packet, and how long it waits for the bottleneck.
    """

    socket: socket.socket
    direction: Direction
    peer: tuple[str, int] | None = None
    counts: Counter[str] = attrs.Factory(Counter)
    media: Counter[int] = attrs.Factory(Counter)
    data: Counter[int] = attrs.Factory(Counter)
    waits: list[Sample] = attrs.Factory(list)
    _began: float = 0.0

    def begin(self, now: float) -> None:
        """Start the call, and reset the counters."""
        self._began = now
        self.direction.begin(now)
        self.counts.clear()
        self.media.clear()
        self.data.clear()
        self.waits.clear()

    def figures(self) -> dict[str, Any]:
        """Return the counters."""
        return {
            "counts": self.counts,
            "media_bytes_of_second": self.media,
            "data_bytes_of_second": self.data,
            "waits": self.waits,
        }

    def account(self, datagram: bytes, now: float) -> None:
        """Count a received datagram."""
        self.counts["packets"] += 1
        self.counts["bytes"] += len(datagram) + HEADERS
        (self.media if is_rtp(datagram) else self.data)[int(now - self._began)] += len(datagram) + HEADERS
        self.waits.append((round(now - self._began, 4), round(self.direction.wait(now), 5)))


def _open_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sock.bind(("0.0.0.0", 0))
    sock.setblocking(False)
    return sock


@attrs.define
class Relay:
    """Forwards datagrams according to the model of the network."""

    _sides: Sequence[Side]
    _due: list[tuple[float, int, int, bytes]] = attrs.Factory(list)
    _count: int = 0
    _began: float | None = None
    _lateness: float = 0.0

    @classmethod
    def open(cls, network: str, seed: int) -> "Relay":
        """Open one; its first side is that of the sender."""
        return cls([Side(_open_socket(), each) for each in make_directions(NETWORKS[network], seed)])

    def execute(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Execute a command."""
        match method:
            case "ports":
                return {"ports": [side.socket.getsockname()[1] for side in self._sides]}
            case "peers":
                for side, (host, port) in zip(self._sides, parameters["addresses"], strict=True):
                    side.peer = host, port
            case "begin":
                self._began = time.monotonic()
                for side in self._sides:
                    side.begin(self._began)
                self._lateness = 0.0
            case "figures":
                return {"sides": [side.figures() for side in self._sides], "lateness": self._lateness}
            case other:
                raise ValueError(f"unknown command {other!r}")
        return {}

    def receive(self, index: int) -> None:
        """Read the datagrams that have arrived at a socket and forward them."""
        side, began = self._sides[index], self._began is not None
        for _ in range(BATCH):
            try:
                datagram, source = side.socket.recvfrom(65535)
            except BlockingIOError:
                return
            if source != side.peer:
                continue
            now = time.monotonic()
            side.account(datagram, now)
            if can_be_lost(datagram) and (began or is_rtp(datagram)) and side.direction.loses():
                side.counts["lost"] += 1
                continue
            due = side.direction.enter(len(datagram) + HEADERS, now)
            if due is None:
                side.counts["full"] += 1
                continue
            self._count += 1
            heapq.heappush(self._due, (due, self._count, 1 - index, datagram))

    def send(self) -> float | None:
        """Send the datagrams that are due, and return the time until the next one."""
        while self._due:
            late = time.monotonic() - self._due[0][0]
            if late < 0:
                return -late
            self._lateness = max(self._lateness, late)
            _, _, index, datagram = heapq.heappop(self._due)
            side = self._sides[index]
            if side.peer is not None:
                with suppress(OSError):
                    side.socket.sendto(datagram, side.peer)
        return None

    def run(self) -> None:
        """Run until standard input ends."""
        commands = b""
        sockets = [side.socket for side in self._sides]
        inputs: list[int | socket.socket] = [0, *sockets]
        while True:
            readable, _, _ = select.select(inputs, [], [], self.send())
            for index, sock in enumerate(sockets):
                if sock in readable:
                    self.receive(index)
            if 0 in readable:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                *lines, commands = (commands + chunk).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    result = self.execute(command["method"], command["params"])
                    answer = {"id": command["id"], "result": result}
                    sys.stdout.write(json.dumps(answer) + "\n")
                    sys.stdout.flush()


def main() -> None:
    """Relay: arguments are the name of the network and the seed."""
    # As root, the relay has a higher priority than everything that is measured.
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    Relay.open(sys.argv[1], int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
