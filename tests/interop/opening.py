"""Opens a foreign peer by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.interop.drivers.chromium import open_chromium
from tests.interop.drivers.firefox import open_firefox
from tests.interop.remote_peer import RemotePeer, page_peer, program_peer

PEERS = ("aiortc", "wrtc", "chromium", "firefox")


@asynccontextmanager
async def open_peer(name: str) -> AsyncIterator[RemotePeer]:
    """Open a peer for as long as the block lasts: one of ``PEERS``, or ``"chromium-mdns"``."""
    match name:
        case "aiortc" | "wrtc":
            async with program_peer(name) as peer:
                yield peer
        case "chromium" | "chromium-mdns":
            async with (
                open_chromium(
                    "--allow-loopback-in-peer-connection", mdns=name == "chromium-mdns"
                ) as chromium,
                page_peer(name, await chromium.open()) as peer,
            ):
                yield peer
        case "firefox":
            async with open_firefox() as firefox, page_peer(name, await firefox.open()) as peer:
                yield peer
        case _:
            raise ValueError(name)
