"""The measuring side of a connection: the stages of getting connected, round trips, throughput."""

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs
import trio

from trio_rtc import Event, ProtocolError, RTCDataChannel, RTCPeerConnection

from .services import parse, send_for

PING_TIMEOUT = 1.0
UNANSWERED_PINGS = 5
"""Pings at the beginning after which, if none was answered, no more are sent."""
ANSWER_TIMEOUT = 20.0
"""Seconds after the measured ones in which the peer must have sent or received everything."""


class StageClock:
    """Notes when a peer connection reaches each stage.

    Args:
        peer_connection: What to watch; the clock starts now.
        reached: Called with the name of each stage and the seconds since the start.
    """

    def __init__(self, peer_connection: RTCPeerConnection, reached: Callable[[str, float], None]) -> None:
        self._peer_connection = peer_connection
        self._reached = reached
        self._started = trio.current_time()
        self._stages: set[str] = set()
        for event in ("ice_gathering_state_change", "ice_connection_state_change", "connection_state_change"):
            peer_connection.add_event_listener(event, self._look)

    def note(self, stage: str) -> None:
        """Note that a stage has been reached, if it has not been before."""
        if stage not in self._stages:
            self._stages.add(stage)
            self._reached(stage, trio.current_time() - self._started)

    def _look(self, event: Event) -> None:
        connection = self._peer_connection
        if connection.ice_gathering_state == "complete":
            self.note("candidates gathered")
        if connection.ice_connection_state in ("connected", "completed"):
            self.note("ICE connected")
        if connection.connection_state == "connected":
            self.note("DTLS connected")


@attrs.frozen
class RoundTrips:
    """Round-trip times in seconds."""

    times: Sequence[float]

    @property
    def median(self) -> float:
        """Half of them were quicker."""
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        """99 of 100 were quicker."""
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * 0.99))]


async def measure_round_trips(channel: RTCDataChannel, count: int) -> RoundTrips:
    """Send messages one at a time and wait for each to come back.

    Raises:
        ProtocolError: None came back.
    """
    times = []
    for number in range(count):
        started = trio.current_time()
        with trio.move_on_after(PING_TIMEOUT):
            await channel.send(str(number))
            # An answer that comes after its time is up is not the answer to the next one.
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
    """What went through in one direction."""

    transferred: int
    seconds: float

    @property
    def megabits_per_second(self) -> float:
        """Goodput: payload bits in the time from the first message to the last one's arrival."""
        return self.transferred * 8 / self.seconds / 1e6


async def measure_sending(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None]
) -> Throughput:
    """Send for so many seconds, until the peer says that it has got it all.

    Raises:
        ProtocolError: The peer did not get everything, or did not answer.
    """
    started = trio.current_time()
    with _answer_within(seconds):
        sent = await send_for(channel, seconds, progress)
        await channel.send(json.dumps({"upload": sent}))
        received = parse(await channel.receive()).get("received")
    if received != sent:
        raise ProtocolError(f"the peer got {received} of {sent} bytes")
    return _something(Throughput(sent, trio.current_time() - started))


async def measure_receiving(
    channel: RTCDataChannel, seconds: float, progress: Callable[[int], None]
) -> Throughput:
    """Let the peer send for so many seconds, until all has arrived.

    Raises:
        ProtocolError: Not everything arrived, or nothing.
    """
    started = trio.current_time()
    received = 0
    with _answer_within(seconds):
        await channel.send(json.dumps({"download": seconds}))
        while isinstance(message := await channel.receive(), bytes):
            received += len(message)
            progress(received)
    sent = parse(message).get("sent")
    if received != sent:
        raise ProtocolError(f"got {received} of {sent} bytes")
    return _something(Throughput(received, trio.current_time() - started))


@contextmanager
def _answer_within(seconds: float) -> Iterator[None]:
    try:
        with trio.fail_after(seconds + ANSWER_TIMEOUT):
            yield
    except trio.TooSlowError:
        raise ProtocolError(f"no answer within {seconds + ANSWER_TIMEOUT:.0f} s") from None


def _something(throughput: Throughput) -> Throughput:
    if not throughput.transferred:
        raise ProtocolError("not a single byte was transferred")
    return throughput
