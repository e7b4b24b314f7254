"""Foreign peers, opened by name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import trio

from tests.interop.drivers.browser import BrowserError
from tests.interop.drivers.chromium import RunningChromium, attach_chromium, launch_chromium
from tests.interop.drivers.firefox import RunningFirefox, attach_firefox, launch_firefox
from tests.interop.drivers.pion import build_pion
from tests.interop.remote_peer import RemotePeer, asyncio_program, page_peer, program_peer

PEERS = ("aiortc", "wrtc", "pion", "chromium", "firefox")

FIELD_TRIALS = {
    "chromium-flexfec": "WebRTC-FlexFEC-03/Enabled/WebRTC-FlexFEC-03-Advertised/Enabled/",
    "chromium-ccfb": "WebRTC-RFC8888CongestionControlFeedback/Enabled,force_send:true,offer:true/",
}
"""Field trials of Chromium, by the name of the peer that has them."""


class Peers:
    """Opens foreign peers in one browser of each kind, since browsers need seconds to start."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._firefox: RunningFirefox | None = None
        self._chromiums: dict[str, RunningChromium] = {}

    def close(self) -> None:
        """Close the shared browsers."""
        self._stack.close()

    @asynccontextmanager
    async def open(
        self, name: str, configuration: Mapping[str, Any] | None = None
    ) -> AsyncIterator[RemotePeer]:
        """Open a peer until the end of the block.

        Args:
            name: Name in ``PEERS`` or ``FIELD_TRIALS``, ``"chromium-mdns"``, or ``"pion-passive"`` (DTLS server).
            configuration: An ``RTCConfiguration`` in W3C's spelling, for browsers.
        """
        match name:
            case "aiortc" | "wrtc":
                async with program_peer(name, asyncio_program(name)) as peer:
                    yield peer
            case "pion" | "pion-passive":
                command = [str(await trio.to_thread.run_sync(build_pion))]
                options = {"answeringRole": "server"} if name == "pion-passive" else {}
                async with program_peer(name, command, **options) as peer:
                    yield peer
            case "chromium" | "chromium-mdns" | "chromium-flexfec" | "chromium-ccfb":
                async with (
                    attach_chromium(self._chromium(name)) as chromium,
                    page_peer(name, await chromium.open(), configuration) as peer,
                ):
                    yield peer
            case "firefox":
                async with self._open_in_firefox(configuration) as peer:
                    yield peer
            case _:
                raise ValueError(name)

    def _chromium(self, name: str) -> RunningChromium:
        if name not in self._chromiums:
            flags = ["--allow-loopback-in-peer-connection"]
            if name in FIELD_TRIALS:
                flags.append(f"--force-fieldtrials={FIELD_TRIALS[name]}")
            launched = launch_chromium(*flags, mdns=name == "chromium-mdns")
            self._chromiums[name] = self._stack.enter_context(launched)
        return self._chromiums[name]

    @asynccontextmanager
    async def _open_in_firefox(self, configuration: Mapping[str, Any] | None) -> AsyncIterator[RemotePeer]:
        if self._firefox is None:
            self._firefox = await trio.to_thread.run_sync(self._stack.enter_context, launch_firefox())
        async with attach_firefox(self._firefox) as firefox:
            page = await firefox.open()
            try:
                async with page_peer("firefox", page, configuration) as peer:
                    yield peer
            finally:
                # The test may have closed the page.
                with trio.move_on_after(5, shield=True), suppress(BrowserError):
                    await page.close()
