"""Headless Chromium, driven over the Chrome DevTools Protocol on a pair of pipes.

The protocol is JSON messages, each ended by a NUL byte. Chromium reads descriptor 3 and writes 4.
"""

import base64
import itertools
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio

from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.browser import BrowserError, as_json, find_browser, launch_browser
from tests.interop.drivers.rpc import JsonObject, PeerGoneError, Rpc

LAUNCH_SECONDS = 60
CLEANING_SECONDS = 5

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root, and containers have no user namespaces to build it from
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    # The browser must not send traffic of its own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Pages in the background run at full speed.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
_PLAIN_ADDRESSES = "--disable-features=WebRtcHideLocalIpsWithMdns"
_DOCUMENT_COMPLETE = (
    "new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', () => done()))"
)
# The debugging descriptors are fixed numbers, which Popen cannot map, but bash can.
_MAP_DESCRIPTORS = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'


@attrs.define
class ChromiumPage:
    """A tab of Chromium."""

    _browser: "Chromium"
    _target: str
    _session: str

    async def call(self, method: str, **parameters: Any) -> JsonObject:
        """Call a method of the DevTools protocol on this tab."""
        return await self._browser.call(method, session=self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """See :class:`tests.interop.drivers.browser.Page`."""
        answer = await self.call(
            "Runtime.evaluate", expression=as_json(expression), awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details.get("text"))
        return json.loads(answer["result"]["value"])

    async def screenshot(self, path: Path, *, width: int = 1280, height: int = 800) -> None:
        """Write a PNG of the page at a viewport of the given size in CSS pixels."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        answer = await self.call("Page.captureScreenshot", format="png")
        await trio.Path(path).write_bytes(base64.b64decode(answer["data"]))

    async def set_file_input(self, selector: str, paths: Sequence[Path]) -> None:
        """Choose files in an ``<input type=file>``, like a user."""
        document = await self.call("DOM.getDocument")
        node = await self.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(path) for path in paths])

    async def emulate_color_scheme(self, scheme: str) -> None:
        """Emulate the user's color scheme, ``"light"`` or ``"dark"``."""
        await self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def close(self) -> None:
        """See :class:`tests.interop.drivers.browser.Page`."""
        await self._browser.call("Target.closeTarget", targetId=self._target)


class Chromium:
    """A running Chromium.

    Attributes:
        console: Console messages and exceptions of pages, as DevTools events, oldest first.
        pid: Process id.
    """

    def __init__(
        self, running: "RunningChromium", reader: trio.abc.ReceiveStream, writer: trio.abc.SendStream
    ) -> None:
        self._running = running
        self._reader = reader
        self._writer = writer
        self._rpc = Rpc(self._send, running.ids)
        self._context = ""
        self.console: list[JsonObject] = []
        self.pid = running.pid

    async def _send(self, message: JsonObject) -> None:
        await self._writer.send_all(json.dumps(message).encode() + b"\0")

    async def run(self) -> None:
        """Read the browser's messages until it ends."""
        try:
            async for chunk in self._reader:
                *messages, self._running.rest = (self._running.rest + chunk).split(b"\0")
                for message in messages:
                    self._handle(json.loads(message))
        except trio.BrokenResourceError:
            pass
        finally:
            self._rpc.close()

    def _handle(self, message: JsonObject) -> None:
        if not self._rpc.handle(message) and message["method"] in {
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
        }:
            self.console.append(message["params"])

    async def call(self, method: str, *, session: str | None = None, **parameters: Any) -> JsonObject:
        """Call a method of the DevTools protocol.

        Raises:
            BrowserError: Chromium failed the method.
            PeerGoneError: Chromium has ended.
        """
        request: JsonObject = {"method": method, "params": parameters}
        if session is not None:
            request["sessionId"] = session
        answer = await self._rpc.request(request)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: JsonObject = answer["result"]
        return result

    @asynccontextmanager
    async def separate(self) -> AsyncIterator[None]:
        """Open all pages in a browser context of their own, until the end of the block."""
        try:
            with trio.fail_after(LAUNCH_SECONDS):
                answer = await self.call("Target.createBrowserContext")
        except PeerGoneError as error:
            raise BrowserError("Chromium ended at once; open_chromium(log=...) tells why") from error
        self._context = answer["browserContextId"]
        try:
            yield
        finally:
            # Its answer is the last message about those pages.
            with trio.move_on_after(CLEANING_SECONDS, shield=True), suppress(PeerGoneError):
                await self.call("Target.disposeBrowserContext", browserContextId=self._context)

    async def open(self, url: str = "about:blank") -> ChromiumPage:
        """See :class:`tests.interop.drivers.browser.Browser`."""
        created = await self.call("Target.createTarget", url="about:blank", browserContextId=self._context)
        target = created["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = ChromiumPage(self, target, session)
        await page.call("Runtime.enable")
        await page.call("Page.enable")
        if url != "about:blank":
            navigation = await page.call("Page.navigate", url=url)
            if error := navigation.get("errorText"):
                raise BrowserError(f"{url}: {error}")
            await page.evaluate(_DOCUMENT_COMPLETE)
        return page


@attrs.define
class RunningChromium:
    """A process that is not driven yet.

    Attributes:
        pid: Process id.
        reads: Our descriptor of the pipe that it reads from.
        writes: Our descriptor of the pipe that it writes to.
        ids: Ids of requests, unique among all drivers.
        rest: Beginning of a message that the last driver has read partially.
    """

    pid: int
    reads: int
    writes: int
    ids: Iterator[int] = attrs.Factory(lambda: itertools.count(1))
    rest: bytes = b""


@contextmanager
def launch_chromium(*flags: str, mdns: bool = False, log: Path | None = None) -> Iterator[RunningChromium]:
    """Run Chromium until the end of the block, with a temporary profile.

    Args:
        flags: Further command line flags.
        mdns: Whether host candidates have ``.local`` names, as for users, instead of addresses.
        log: File of its output; ``None`` to discard it.

    Raises:
        MissingBrowserError: It is not installed.
    """
    executable = find_browser(
        "chromium", ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    )
    bash = find_browser("bash", ("bash",))
    with ExitStack() as stack:
        profile = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        )
        we_read, child_writes = os.pipe()
        child_reads, we_write = os.pipe()
        for descriptor in (we_read, we_write):
            stack.callback(os.close, descriptor)
        arguments = [bash, "-c", _MAP_DESCRIPTORS, "bash", str(child_reads), str(child_writes)]
        arguments += [executable, *_FLAGS, *(() if mdns else (_PLAIN_ADDRESSES,)), *flags]
        arguments += [f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        try:
            launched = launch_browser(arguments, pass_fds=(child_reads, child_writes), log=log)
            process = stack.enter_context(launched)
        finally:
            # With our copies open, its end would not end the pipe.
            os.close(child_reads)
            os.close(child_writes)
        yield RunningChromium(process.pid, we_write, we_read)


@asynccontextmanager
async def attach_chromium(running: RunningChromium) -> AsyncIterator[Chromium]:
    """Drive a Chromium until the end of the block, in a new browser context. Only one driver at a time is possible.

    Raises:
        BrowserError: Chromium ended.
        trio.TooSlowError: Chromium did not start.
    """
    reader = trio.lowlevel.FdStream(os.dup(running.writes))
    writer = trio.lowlevel.FdStream(os.dup(running.reads))
    async with reader, writer:
        browser = Chromium(running, reader, writer)
        async with run_beside(browser.run), browser.separate():
            yield browser


@asynccontextmanager
async def open_chromium(*flags: str, mdns: bool = False, log: Path | None = None) -> AsyncIterator[Chromium]:
    """Run Chromium and drive it until the end of the block; see :func:`launch_chromium`."""
    with launch_chromium(*flags, mdns=mdns, log=log) as running:
        async with attach_chromium(running) as browser:
            yield browser
