"""Headless Firefox, driven over WebDriver BiDi: JSON messages on its WebSocket."""

import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.browser import BrowserError, as_json, find_browser, launch_browser
from tests.interop.drivers.rpc import JsonObject, PeerGoneError, Rpc

LAUNCH_SECONDS = 90
SESSION_END_SECONDS = 2
MAX_MESSAGE_SIZE = 64 * 1024 * 1024

PreferenceValue = bool | int | str

_PREFERENCES: Mapping[str, PreferenceValue] = {
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Audio is played and captured also without an audio device.
    "media.cubeb.force_mock_context": True,
    "remote.active-protocols": 1,
    "browser.startup.homepage": "about:blank",
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    # The browser must not send traffic of its own.
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "extensions.update.enabled": False,
    "media.gmp-manager.url": "data:,",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}


@attrs.define
class FirefoxPage:
    """A tab of Firefox."""

    _browser: "Firefox"
    _context: str

    async def evaluate(self, expression: str) -> Any:
        """See :class:`tests.interop.drivers.browser.Page`."""
        answer = await self._browser.call(
            "script.evaluate",
            expression=as_json(expression),
            awaitPromise=True,
            target={"context": self._context},
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise BrowserError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    async def close(self) -> None:
        """See :class:`tests.interop.drivers.browser.Page`."""
        await self._browser.call("browsingContext.close", context=self._context)


class Firefox:
    """A running Firefox.

    Attributes:
        pid: Process id.
    """

    def __init__(self, websocket: WebSocketConnection, pid: int) -> None:
        self._websocket = websocket
        self._rpc = Rpc(self._send)
        self.pid = pid

    async def _send(self, message: JsonObject) -> None:
        try:
            await self._websocket.send_message(json.dumps(message))
        except ConnectionClosed as error:
            raise PeerGoneError("Firefox is gone") from error

    async def run(self) -> None:
        """Read the browser's messages until it ends."""
        try:
            while True:
                self._rpc.handle(json.loads(await self._websocket.get_message()))
        except ConnectionClosed:
            pass
        finally:
            self._rpc.close()

    async def call(self, method: str, **parameters: Any) -> JsonObject:
        """Call a method of WebDriver BiDi.

        Raises:
            BrowserError: Firefox failed the method.
            PeerGoneError: Firefox has ended.
        """
        answer = await self._rpc.request({"method": method, "params": parameters})
        if answer["type"] == "error":
            raise BrowserError(f"{method}: {answer['error']}: {answer['message']}")
        result: JsonObject = answer["result"]
        return result

    async def open(self, url: str = "about:blank") -> FirefoxPage:
        """See :class:`tests.interop.drivers.browser.Browser`."""
        context = (await self.call("browsingContext.create", type="tab"))["context"]
        await self.call("browsingContext.navigate", context=context, url=url, wait="complete")
        return FirefoxPage(self, context)


@attrs.frozen
class RunningFirefox:
    """A process that is not driven yet.

    Attributes:
        pid: Process id.
        port: Port of its WebSocket server on loopback.
    """

    pid: int
    port: int


@contextmanager
def launch_firefox(
    preferences: Mapping[str, PreferenceValue] | None = None, *, log: Path | None = None
) -> Iterator[RunningFirefox]:
    """Run Firefox until the end of the block, with a temporary profile.

    It needs seconds to start, during which this blocks: call it in a thread.

    Args:
        preferences: Additional or overriding preferences.
        log: File of its output; ``None`` to discard it.

    Raises:
        MissingBrowserError: It is not installed.
        BrowserError: Firefox did not start.
    """
    executable = find_browser("firefox-esr", ("firefox-esr", "firefox"))
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        _write_preferences(Path(profile), {**_PREFERENCES, **(preferences or {})})
        arguments = [executable, "--headless", "--no-remote", "--profile", profile]
        arguments += ["--remote-debugging-port", "0", "about:blank"]
        with launch_browser(arguments, log=log) as process:
            yield RunningFirefox(process.pid, _wait_for_port(Path(profile), process))


@asynccontextmanager
async def attach_firefox(running: RunningFirefox) -> AsyncIterator[Firefox]:
    """Drive a Firefox until the end of the block. Only one driver at a time is possible."""
    async with _open_websocket(running.port) as websocket:
        browser = Firefox(websocket, running.pid)
        async with run_beside(browser.run):
            await browser.call("session.new", capabilities={})
            try:
                yield browser
            finally:
                # A session outlives its connection, and only one can exist.
                with trio.move_on_after(SESSION_END_SECONDS, shield=True), suppress(PeerGoneError):
                    await browser.call("session.end")


@asynccontextmanager
async def _open_websocket(port: int) -> AsyncIterator[WebSocketConnection]:
    """Connect on our own stream, since trio-websocket leaves its stream open when the browser closes the connection."""
    block_error: Exception | None = None
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(
            nursery, stream, f"127.0.0.1:{port}", "/session", max_message_size=MAX_MESSAGE_SIZE
        )
        try:
            yield websocket
        except Exception as error:
            block_error = error
        nursery.cancel_scope.cancel()
    if block_error is not None:
        raise block_error


@asynccontextmanager
async def open_firefox(
    preferences: Mapping[str, PreferenceValue] | None = None, *, log: Path | None = None
) -> AsyncIterator[Firefox]:
    """Run Firefox and drive it until the end of the block; see :func:`launch_firefox`."""
    with ExitStack() as stack:
        running = await trio.to_thread.run_sync(stack.enter_context, launch_firefox(preferences, log=log))
        async with attach_firefox(running) as browser:
            yield browser


def _write_preferences(profile: Path, preferences: Mapping[str, PreferenceValue]) -> None:
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines))


def _wait_for_port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Return the port, which Firefox writes into its profile."""
    deadline = time.monotonic() + LAUNCH_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            port: int = json.loads((profile / "WebDriverBiDiServer.json").read_text())["ws_port"]
            return port
        except (OSError, ValueError):
            time.sleep(0.05)  # another process writes the file without further notice
    raise BrowserError("Firefox did not come up; launch_firefox(log=...) tells why")
