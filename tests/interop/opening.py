"""Opens a foreign peer by name."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import trio

from tests.interop.drivers.browser import BrowserError
from tests.interop.drivers.chromium import open_chromium
from tests.interop.drivers.firefox import RunningFirefox, attach_firefox, launch_firefox
from tests.interop.remote_peer import RemotePeer, page_peer, program_peer

PEERS = ("aiortc", "wrtc", "chromium", "firefox")


class Peers:
    """Opens foreign peers, each fresh, but in one Firefox, which takes seconds to come up."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._firefox: RunningFirefox | None = None

    def close(self) -> None:
        """End what was started for all."""
        self._stack.close()

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[RemotePeer]:
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
                async with self._open_in_firefox() as peer:
                    yield peer
            case _:
                raise ValueError(name)

    @asynccontextmanager
    async def _open_in_firefox(self) -> AsyncIterator[RemotePeer]:
        if self._firefox is None:
            self._firefox = await trio.to_thread.run_sync(self._stack.enter_context, launch_firefox())
        async with attach_firefox(self._firefox) as firefox:
            page = await firefox.open()
            try:
                async with page_peer("firefox", page) as peer:
                    yield peer
            finally:
                with (
                    trio.move_on_after(5, shield=True),
                    suppress(BrowserError),
                ):  # the test may have closed it
                    await page.close()
