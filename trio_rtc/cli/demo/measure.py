"""The measuring side of a connection: stages of connecting, round trips, throughput."""

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import trio

from trio_rtc import Event, ProtocolError, RTCDataChannel, RTCPeerConnection
from trio_rtc import _attrs as attrs

from .services import parse, send_for

PING_TIMEOUT = 1.0
UNANSWERED_PINGS = 5
"""Number of initial pings after which, if all were unanswered, the measurement stops."""
ANSWER_TIMEOUT = 20.0
"""Seconds after the measurement within which the peer must have sent or received everything."""


class StageTimer:
    """Records when a peer connection reaches each stage, in seconds from now."""

    def __init__(self, peer_connection: RTCPeerConnection, reached: Callable[[str, float], None]) -> None:
        self._peer_connection = peer_connection
        self._reached = reached
        self._started = trio.current_time()
        self._stages: set[str] = set()
        for event in ("ice_gathering_state_change", "ice_connection_state_change", "connection_state_change"):
            peer_connection.add_event_listener(event, self._check_states)

    def record(self, stage: str) -> None:
        if stage not in self._stages:
            self._stages.add(stage)
            self._reached(stage, trio.current_time() - self._started)

    def _check_states(self, event: Event) -> None:
        connection = self._peer_connection
        if connection.ice_gathering_state == "complete":
            self.record("candidates gathered")
        if connection.ice_connection_state in ("connected", "completed"):
            self.record("ICE connected")
        if connection.connection_state == "connected":
            self.record("DTLS connected")


@attrs.frozen
class RoundTrips:
    times: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * 0.99))]


async def measure_round_trips(channel: RTCDataChannel, count: int) -> RoundTrips:
    """Send messages one at a time and wait for each to be returned; ``ProtocolError`` if none was."""
    times = []
    for number in range(count):
        started = trio.current_time()
        with trio.move_on_after(PING_TIMEOUT):
            await channel.send(str(number))
            # A late answer to an earlier ping is not the answer to this one.
            while await channel.receive() != str(number):
                pass
            times.append(trio.current_time() - started)
        if not times and number + 1 >= UNANSWERED_PINGS:
            break
    if not times:
        raise ProtocolError("no ping was answered")
    return RoundTrips(times)


@attrs.frozen
class Throughput:
    transferred: int
    seconds: float

    @property
    def megabits_per_second(self) -> float:
        """Goodput: payload bits over the time from the first message to the last one's arrival."""
        return self.transferred * 8 / self.seconds / 1e6


async def measure_sending(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None]
) -> Throughput:
    """Send for ``seconds`` seconds; ``ProtocolError`` unless the peer answers that it has received everything."""
    started = trio.current_time()
    with _answer_within(seconds):
        sent = await send_for(channel, seconds, progress)
        await channel.send(json.dumps({"upload": sent}))
        received = parse(await channel.receive()).get("received")
    if received != sent:
        raise ProtocolError(f"peer received {received} of {sent} bytes")
    return _require_bytes(Throughput(sent, trio.current_time() - started))


async def measure_receiving(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None]
) -> Throughput:
    """Request data for ``seconds`` seconds; ``ProtocolError`` unless everything has arrived."""
    started = trio.current_time()
    received = 0
    with _answer_within(seconds):
        await channel.send(json.dumps({"download": seconds}))
        while isinstance(message := await channel.receive(), bytes):
            received += len(message)
            progress(received)
    sent = parse(message).get("sent")
    if received != sent:
        raise ProtocolError(f"received {received} of {sent} bytes")
    return _require_bytes(Throughput(received, trio.current_time() - started))


@contextmanager
def _answer_within(seconds: float) -> Iterator[None]:
    try:
        with trio.fail_after(seconds + ANSWER_TIMEOUT):
            yield
    except trio.TooSlowError:
        raise ProtocolError(f"no answer within {seconds + ANSWER_TIMEOUT:.0f} s") from None


def _require_bytes(throughput: Throughput) -> Throughput:
    if not throughput.transferred:
        raise ProtocolError("not a single byte was transferred")
    return throughput
