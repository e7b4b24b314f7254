"""The sequence of the demo: a server, a second process, the figures, then the page."""

import socket
import subprocess
import sys
import webbrowser
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio
from rich.console import Console

from trio_rtc import ProtocolError, RTCDataChannel, RTCPeerConnection, RTCTransportStats, Settings
from trio_rtc import _attrs as attrs
from trio_rtc._error_filters import ungrouped_errors
from trio_rtc.signaling import Peer, ServerOptions, SignalingServer, connect, negotiate, serve

from .chat import Chat
from .display import Display
from .measure import StageTimer, measure_receiving, measure_round_trips, measure_sending
from .pages import load_pages
from .services import (
    NO_MEDIA,
    Service,
    check_files,
    echo,
    media_is_installed,
    reject_call,
    serve_channels,
    throughput,
)

if TYPE_CHECKING:
    from .call import ReceivedMedia, SyntheticMedia

PINGS = 300
REPORT_EVERY = 10  # seconds between reports of a camera
CONNECT_TIMEOUT = 30.0
ROOM_OF_PROCESSES = "processes"
ROOM_OF_BROWSERS = "browsers"
_LOOPBACK_OF_WILDCARD = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound


class DemoFailed(Exception):
    """The demo failed; the message has the part and the reason."""


@attrs.frozen
class DemoOptions:
    """Options of the command line; with ``once``, the demo ends after the figures."""

    host: str = "127.0.0.1"
    port: int = 0
    seconds: float = 3.0
    once: bool = True
    open_browser: bool = False


async def run_demo(options: DemoOptions, console: Console) -> None:
    """Run the demo, or raise ``DemoFailed``."""
    display = Display(console)
    with ungrouped_errors():
        async with trio.open_nursery() as nursery:
            try:
                # page_url uses this name.
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
    host = server.addresses[0][0]
    return f"ws://{_bracketed(_LOOPBACK_OF_WILDCARD.get(host, host))}:{server.port}/"


def page_url(server: SignalingServer) -> str:
    """Return the page's URL, reachable from other machines if the server listens for them."""
    host = server.addresses[0][0]
    return (
        f"http://{socket.gethostname() if host in _LOOPBACK_OF_WILDCARD else _bracketed(host)}:{server.port}/"
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# -- two processes ---------------------------------------------------------------------------------------------------


async def show_figures(display: Display, url: str, seconds: float) -> None:
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
    """Run the second process during the block; ``DemoFailed`` if it ends before."""

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
    async with (
        RTCPeerConnection(settings=Settings(expose_peer_reflexive=True)) as pc,
        trio.open_nursery() as nursery,
    ):
        timer = StageTimer(pc, display.stage)
        pings = pc.create_data_channel("ping", ordered=False, max_retransmits=0)
        bulk = pc.create_data_channel("throughput")
        await nursery.start(negotiate, peer, pc)
        with trio.fail_after(CONNECT_TIMEOUT):
            await bulk.opened()
            timer.record("channel open")
            await pings.opened()
        display.line(f"  {await _describe_path(pc)}", "dim")
        failures = await measure_parts(display, pc, pings, bulk, seconds)
        nursery.cancel_scope.cancel()
    if failures:
        raise DemoFailed(f"{' and '.join(failures)} failed")


async def measure_parts(
    display: Display, pc: RTCPeerConnection, pings: RTCDataChannel, bulk: RTCDataChannel, seconds: float
) -> list[str]:
    """Show the figures of an open connection, and return the names of failed parts."""
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
    from .call import measure_call  # noqa: PLC0415 - may be unavailable

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
    sctp = pc.sctp
    pair = None if sctp is None else sctp.transport.ice_transport.get_selected_candidate_pair()
    addresses = (
        "" if pair is None else f"{pair.local.address} to {pair.remote.address} ({pair.remote.type}), "
    )
    stats = [each for each in (await pc.get_stats()).values() if isinstance(each, RTCTransportStats)]
    return addresses + ", ".join(f"{each.dtls_cipher}" for each in stats)


# -- browsers --------------------------------------------------------------------------------------------------------


async def serve_browsers(display: Display, server: SignalingServer, *, open_browser: bool) -> None:
    chat = Chat(lambda name, text: display.line(f"  {name}: {text}"))
    async with (
        connect(local_url(server), room=ROOM_OF_BROWSERS) as room,
        trio.open_nursery() as nursery,
    ):
        media = _start_media(nursery)
        display.heading(f"Open {page_url(server)} in a browser, in several tabs if you like. Ctrl+C ends.")
        if open_browser:
            await trio.to_thread.run_sync(webbrowser.open, page_url(server))
        async for peer in room:
            nursery.start_soon(serve_browser, display, chat, media, peer)


def _start_media(nursery: trio.Nursery) -> "SyntheticMedia | None":
    """Start the media for all pages, if codecs are installed."""
    if not media_is_installed():
        return None
    from .call import SyntheticMedia  # noqa: PLC0415 - may be unavailable

    media = SyntheticMedia()
    nursery.start_soon(media.run)
    return media


def _call_service(
    display: Display, name: str, pc: RTCPeerConnection, media: "SyntheticMedia | None"
) -> Service:
    """Return the service of a page's calls, which reports their media from time to time."""
    if media is None:
        return reject_call
    from .call import Call  # noqa: PLC0415 - may be unavailable

    seconds = 0

    def report(received: "ReceivedMedia") -> None:
        nonlocal seconds
        if received.frames and seconds % REPORT_EVERY == 0:
            display.line(f"  {name}: camera {received.describe()}", "dim")
        seconds = seconds + 1 if received.frames else 0

    return Call(pc, media, report).serve


async def serve_browser(display: Display, chat: Chat, media: "SyntheticMedia | None", peer: Peer) -> None:
    name = f"page {peer.id}"
    try:
        with ungrouped_errors():
            async with (
                RTCPeerConnection(settings=Settings(expose_peer_reflexive=True)) as pc,
                trio.open_nursery() as nursery,
            ):
                services = {
                    "ping": echo,
                    "throughput": throughput,
                    "file": check_files,
                    "chat": partial(chat.serve, name=name),
                    "call": _call_service(display, name, pc, media),
                }
                StageTimer(pc, lambda stage, seconds: display.line(f"  {name}: {stage}", "dim"))
                await nursery.start(serve_channels, pc, services)
                await negotiate(peer, pc)
                nursery.cancel_scope.cancel()
    except trio.BrokenResourceError as error:
        display.line(f"  {name}: {error}", "red")
    display.line(f"  {name}: left", "dim")
