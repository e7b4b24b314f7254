"""What the demo does, in order: a server, a second process, the figures, then the page."""

import socket
import subprocess
import sys
import webbrowser
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio
from rich.console import Console

from trio_rtc import ProtocolError, RTCDataChannel, RTCPeerConnection, RTCTransportStats
from trio_rtc.signaling import Peer, ServerOptions, SignalingServer, connect, negotiate, serve
from trio_rtc.signaling.ungrouped_errors import ungrouped_errors

from .chat import Chat
from .display import Display
from .measure import StageClock, measure_receiving, measure_round_trips, measure_sending
from .pages import load_pages
from .services import (
    NO_MEDIA,
    Service,
    check_files,
    echo,
    media_is_installed,
    refuse_call,
    serve_channels,
    throughput,
)

if TYPE_CHECKING:
    from .call import Received, Studio

PINGS = 300
REPORT_EVERY = 10  # seconds, of what comes of a camera
CONNECT_TIMEOUT = 30.0
ROOM_OF_PROCESSES = "processes"
ROOM_OF_BROWSERS = "browsers"
_LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to, looked up


class DemoFailed(Exception):
    """The demo could not do what it is to show; the message says what and why."""


@attrs.frozen
class DemoOptions:
    """What the command line says.

    Attributes:
        host: Where to serve the page.
        port: On which port; 0 for a free one.
        seconds: How long to measure the throughput in each direction.
        once: Whether to end after the figures.
        open_browser: Whether to open the page.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seconds: float = 3.0
    once: bool = True
    open_browser: bool = False


async def run_demo(options: DemoOptions, console: Console) -> None:
    """Run the demo.

    Raises:
        DemoFailed: The address is taken, the second process ended, the two could not be connected, or a part failed.
    """
    display = Display(console)
    with ungrouped_errors():
        async with trio.open_nursery() as nursery:
            try:
                # By its name, as page_url shows it.
                allowed = ServerOptions(hosts=frozenset({socket.gethostname()}))
                server = await nursery.start(
                    partial(serve, options.host, options.port, pages=load_pages(), options=allowed)
                )
            except OSError as error:
                raise DemoFailed(f"cannot serve on {options.host}, port {options.port}: {error}") from error
            await show_figures(display, local_url(server), options.seconds)
            if not options.once:
                await serve_browsers(display, server, open_browser=options.open_browser)
            nursery.cancel_scope.cancel()


def local_url(server: SignalingServer) -> str:
    """Return where the server can be reached from this machine."""
    host = server.addresses[0][0]
    return f"ws://{_bracketed(_LOOPBACK_OF_WILDCARD.get(host, host))}:{server.port}/"


def page_url(server: SignalingServer) -> str:
    """Return where a browser finds the page, also one on another machine if the server listens for those."""
    host = server.addresses[0][0]
    return (
        f"http://{socket.gethostname() if host in _LOOPBACK_OF_WILDCARD else _bracketed(host)}:{server.port}/"
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# -- two processes ---------------------------------------------------------------------------------------------------


async def show_figures(display: Display, url: str, seconds: float) -> None:
    """Connect to a second process, and show how long that takes and what the connection can do."""
    display.heading("Two processes")
    with ungrouped_errors():
        async with connect(url, room=ROOM_OF_PROCESSES) as room, second_process(url):
            try:
                with trio.fail_after(CONNECT_TIMEOUT):
                    peer = await room.receive()
                await measure(display, peer, seconds)
            except trio.TooSlowError:
                raise DemoFailed(f"no connection within {CONNECT_TIMEOUT:.0f} s") from None
            except (ProtocolError, trio.BrokenResourceError, trio.EndOfChannel) as error:
                raise DemoFailed(f"the connection ended early: {error}") from error


@asynccontextmanager
async def second_process(url: str) -> AsyncGenerator[None, None]:
    """Run the second process during the block.

    Raises:
        DemoFailed: It ended before.
    """

    async def watch() -> None:
        result = await trio.run_process(
            [sys.executable, "-m", f"{__package__}.second_peer", url, ROOM_OF_PROCESSES],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            capture_stderr=True,
            check=False,
        )
        raise DemoFailed(f"the second process ended ({result.returncode})\n{result.stderr.decode()[-2000:]}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield
        nursery.cancel_scope.cancel()


async def measure(display: Display, peer: Peer, seconds: float) -> None:
    """Connect to a peer that offers the services, and show the figures."""
    async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        clock = StageClock(pc, display.stage)
        pings = pc.create_data_channel("ping", ordered=False, max_retransmits=0)
        bulk = pc.create_data_channel("throughput")
        await nursery.start(negotiate, peer, pc)
        with trio.fail_after(CONNECT_TIMEOUT):
            await bulk.opened()
            clock.note("channel open")
            await pings.opened()
        display.line(f"  {await _describe_path(pc)}", "dim")
        failures = await measure_parts(display, pc, pings, bulk, seconds)
        nursery.cancel_scope.cancel()
    if failures:
        raise DemoFailed(f"{' and '.join(failures)} failed")


async def measure_parts(
    display: Display, pc: RTCPeerConnection, pings: RTCDataChannel, bulk: RTCDataChannel, seconds: float
) -> list[str]:
    """Show the figures of a connection that is open, and return the names of the parts that failed."""
    failures: list[str] = []

    def fail(part: str, reason: object) -> None:
        failures.append(part)
        display.failure(part, str(reason))

    try:
        display.round_trips(await measure_round_trips(pings, PINGS))
    except ProtocolError as error:
        fail("round trip", error)
    for part, run in (("throughput out", measure_sending), ("throughput in", measure_receiving)):
        try:
            with display.progress(part, seconds) as progress:
                result = await run(bulk, seconds, progress)
            display.throughput(part, result)
        except ProtocolError as error:
            fail(part, error)
    if media_is_installed():
        await show_call(display, pc, seconds, fail)
    else:
        display.line(f"  {NO_MEDIA}", "dim")
    return failures


async def show_call(
    display: Display, pc: RTCPeerConnection, seconds: float, fail: Callable[[str, object], None]
) -> None:
    """Call the peer, and show what came of its video and audio."""
    from .call import measure_call  # noqa: PLC0415 - only now it is known that it can be imported

    received = await measure_call(pc, seconds)
    for part, fault, show in (
        ("video in", received.video_fault, display.video),
        ("audio in", received.audio_fault, display.audio),
    ):
        if fault is None:
            show(received)
        else:
            fail(part, fault)


async def _describe_path(pc: RTCPeerConnection) -> str:
    """Say which way the connection goes, and how it is encrypted."""
    sctp = pc.sctp
    pair = None if sctp is None else sctp.transport.ice_transport.get_selected_candidate_pair()
    ways = "" if pair is None else f"{pair.local.address} to {pair.remote.address} ({pair.remote.type}), "
    stats = [each for each in (await pc.get_stats()).values() if isinstance(each, RTCTransportStats)]
    return ways + ", ".join(f"{each.dtls_cipher}" for each in stats)


# -- browsers --------------------------------------------------------------------------------------------------------


async def serve_browsers(display: Display, server: SignalingServer, *, open_browser: bool) -> None:
    """Serve every browser that opens the page, until cancelled."""
    chat = Chat(lambda name, text: display.line(f"  {name}: {text}"))
    async with (
        connect(local_url(server), room=ROOM_OF_BROWSERS) as room,
        trio.open_nursery() as nursery,
    ):
        studio = _open_studio(nursery)
        display.heading(f"Open {page_url(server)} in a browser, in several tabs if you like. Ctrl+C ends.")
        if open_browser:
            await trio.to_thread.run_sync(webbrowser.open, page_url(server))
        async for peer in room:
            nursery.start_soon(serve_browser, display, chat, studio, peer)


def _open_studio(nursery: trio.Nursery) -> "Studio | None":
    """Return what all pages are to see and hear, if there are codecs for it."""
    if not media_is_installed():
        return None
    from .call import Studio  # noqa: PLC0415 - only now it is known that it can be imported

    studio = Studio()
    nursery.start_soon(studio.run)
    return studio


def _call_service(display: Display, name: str, pc: RTCPeerConnection, studio: "Studio | None") -> Service:
    """Return what serves the calls of a page, and shows now and then what comes of it."""
    if studio is None:
        return refuse_call
    from .call import Call  # noqa: PLC0415 - only now it is known that it can be imported

    seconds = 0

    def report(received: "Received") -> None:
        nonlocal seconds
        if received.pictures and seconds % REPORT_EVERY == 0:
            display.line(f"  {name}: camera {received.describe()}", "dim")
        seconds = seconds + 1 if received.pictures else 0

    return Call(pc, studio, report).serve


async def serve_browser(display: Display, chat: Chat, studio: "Studio | None", peer: Peer) -> None:
    """Serve one page until it is closed."""
    name = f"page {peer.id}"
    try:
        with ungrouped_errors():
            async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
                services = {
                    "ping": echo,
                    "throughput": throughput,
                    "file": check_files,
                    "chat": partial(chat.serve, name=name),
                    "call": _call_service(display, name, pc, studio),
                }
                StageClock(pc, lambda stage, seconds: display.line(f"  {name}: {stage}", "dim"))
                await nursery.start(serve_channels, pc, services)
                await negotiate(peer, pc)
                nursery.cancel_scope.cancel()
    except trio.BrokenResourceError as error:
        display.line(f"  {name}: {error}", "red")
    display.line(f"  {name}: left", "dim")
