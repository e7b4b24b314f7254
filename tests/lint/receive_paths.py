"""The files of the package that received data pass, from the socket to the application.

``python -m tests.lint.receive_paths frame`` (or ``message``) lists them. It makes a call on the simulated network and
records, with :func:`sys.setprofile`, the files of the functions that run in the tasks of the receiving peer between the
arrival of a datagram and the frame or message that the application receives. All functions count, also those that keep
statistics, read a timer's deadline or see that no feedback is due. Of several frames the one with the fewest files
counts: with others, feedback was sent or a timer expired, and in the first two seconds packets are kept for a later
consumer.
"""

import contextlib
import contextvars
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import trio

from tests.strategies.peers import description_of
from trio_rtc import RTCPeerConnection, Settings, open_media_track
from trio_rtc.codecs import VideoEncoderOptions, create_video_encoder
from trio_rtc.media import draw_pattern
from trio_rtc.testing import SimulatedHost, SimulatedNetwork, run

FRAME: Final = "frame"
MESSAGE: Final = "message"
COUNT: Final = 50
INTERVAL: Final = 0.1
_PACKAGE: Final = str(Path(sys.modules["trio_rtc"].__file__ or "").parent)
_receiving: contextvars.ContextVar[bool] = contextvars.ContextVar("receiving", default=False)


class Tracer:
    """Records the files that run in the context of the receiving peer."""

    def __init__(self) -> None:
        self.paths: list[frozenset[str]] = []
        self._files: set[str] = set()
        self._recording = False

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Record the file of a function that begins or goes on: a function for :func:`sys.setprofile`."""
        if event == "call" and self._recording and _receiving.get():
            self._files.add(frame.f_code.co_filename)

    def begin(self) -> None:
        """Begin a path, if none has begun."""
        self._recording = True

    def end(self) -> None:
        """End the path."""
        if self._recording:
            inside = {name.removeprefix(_PACKAGE) for name in self._files if name.startswith(_PACKAGE)}
            self.paths.append(frozenset(name for name in inside if not name.startswith("/testing/")))
        self._files.clear()
        self._recording = False


class _TracedNetwork:
    """A simulated host whose sockets begin a path when a datagram arrives."""

    def __init__(self, host: SimulatedHost, tracer: Tracer) -> None:
        self._host = host
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    async def bind_udp(self, *arguments: Any) -> Any:
        socket = await self._host.bind_udp(*arguments)
        receive_batch = socket.receive_batch

        async def traced() -> Any:
            batch = await receive_batch()
            self._tracer.begin()
            return batch

        socket.receive_batch = traced  # type: ignore[method-assign]
        return socket


@contextlib.contextmanager
def _as_receiver() -> Iterator[None]:
    token = _receiving.set(True)
    try:
        yield
    finally:
        _receiving.reset(token)


@contextlib.asynccontextmanager
async def _peers(tracer: Tracer) -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """Open a sending peer and one whose tasks are traced."""
    async with contextlib.AsyncExitStack() as stack:
        network = await stack.enter_async_context(SimulatedNetwork())
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        settings = Settings(network=hosts[0], rng=random.Random(0))
        alice = await stack.enter_async_context(RTCPeerConnection(settings=settings))
        with _as_receiver():
            settings = Settings(network=_TracedNetwork(hosts[1], tracer), rng=random.Random(1))
            bob = await stack.enter_async_context(RTCPeerConnection(settings=settings))
        yield alice, bob


async def _connect(alice: RTCPeerConnection, bob: RTCPeerConnection) -> None:
    async def candidate_for_bob(event: Any) -> None:
        with _as_receiver():
            await bob.add_ice_candidate(event.candidate)

    alice.on_ice_candidate = candidate_for_bob
    bob.on_ice_candidate = lambda event: alice.add_ice_candidate(event.candidate)
    await alice.set_local_description()
    with _as_receiver():
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
    await alice.set_remote_description(description_of(bob))


async def trace_frames(tracer: Tracer) -> None:
    """Trace video frames that fit into a packet each."""
    encoder = create_video_encoder("VP8", VideoEncoderOptions(bitrate=100_000))
    pattern = draw_pattern(0, 64, 48)
    encoded = []
    for index in range(COUNT):
        pattern.pts = round(index * INTERVAL * 90_000)
        encoded += encoder.encode(pattern)
    async with _peers(tracer) as (alice, bob):
        source, track = open_media_track("video")
        alice.add_track(track)
        async with bob.subscribe("track") as tracks:
            await _connect(alice, bob)
            received = (await tracks.receive()).track
        async with alice.subscribe("connection_state_change") as changes:
            while alice.connection_state != "connected":
                await changes.receive()

        async def send() -> None:
            for frame in encoded:
                await source.send(frame)
                await trio.sleep(INTERVAL)

        await _receive(tracer, send, received.receive)


async def trace_messages(tracer: Tracer) -> None:
    """Trace messages that fit into a packet each."""
    async with _peers(tracer) as (alice, bob):
        async with bob.subscribe("data_channel") as channels:
            sending = alice.create_data_channel("traced")
            await _connect(alice, bob)
            receiving = (await channels.receive()).channel
        await sending.opened()

        async def send() -> None:
            for _ in range(COUNT):
                await sending.send(b"message")
                await trio.sleep(INTERVAL)

        await _receive(tracer, send, receiving.receive)


async def _receive(
    tracer: Tracer, send: Callable[[], Awaitable[None]], receive: Callable[[], Awaitable[object]]
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        tracer.end()
        tracer.paths.clear()
        with _as_receiver(), trio.move_on_after(COUNT * INTERVAL):
            while len(tracer.paths) < COUNT:
                await receive()
                tracer.end()
        nursery.cancel_scope.cancel()


def shortest_path(trace: Callable[[Tracer], Awaitable[None]]) -> Sequence[str]:
    """Run a call, and return the files of the shortest path in it."""
    tracer = Tracer()
    sys.setprofile(tracer.profile)
    try:
        run(trace, tracer)
    finally:
        sys.setprofile(None)
    return sorted(name.lstrip("/") for name in min(tracer.paths, key=len))


def main(arguments: list[str]) -> int:
    """Print the files, and return the exit code."""
    print("\n".join(shortest_path(trace_frames if arguments == [FRAME] else trace_messages)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
