"""Firefox without a window, driven over WebDriver BiDi: JSON messages on a WebSocket of its own."""

import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

from tests.interop.drivers.beside import run_beside
from tests.interop.drivers.browser import BrowserError, as_json, find_browser, run_browser
from tests.interop.drivers.rpc import JsonObject, PeerGoneError, Rpc

LAUNCH_SECONDS = 90
MAX_MESSAGE_SIZE = 64 * 1024 * 1024

PreferenceValue = bool | int | str

_PREFERENCES: Mapping[str, PreferenceValue] = {
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "remote.active-protocols": 1,
    "browser.startup.homepage": "about:blank",
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    # Nothing that a browser does on its own behalf shall be seen on the network.
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
        """Read what the browser says, until it ends."""
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
            BrowserError: Firefox refused.
            PeerGoneError: Firefox is gone.
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


@asynccontextmanager
async def open_firefox(
    preferences: Mapping[str, PreferenceValue] | None = None, *, log: Path | None = None
) -> AsyncIterator[Firefox]:
    """Run Firefox for as long as the block lasts, with a profile that is thrown away.

    Args:
        preferences: Preferences beyond or instead of ours.
        log: Where its output goes; nowhere without.

    Raises:
        MissingBrowserError: It is not installed.
        trio.TooSlowError: It did not come up.
    """
    executable = find_browser("firefox-esr", ("firefox-esr", "firefox"))
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        _write_preferences(Path(profile), {**_PREFERENCES, **(preferences or {})})
        arguments = [executable, "--headless", "--no-remote", "--profile", profile]
        arguments += ["--remote-debugging-port", "0", "about:blank"]
        async with run_browser(arguments, log=log) as process:
            port = await _wait_for_port(Path(profile), process)
            # The connection is closed with the browser, so its closing handshake would wait for nobody.
            async with open_websocket_url(
                f"ws://127.0.0.1:{port}/session", max_message_size=MAX_MESSAGE_SIZE, disconnect_timeout=0.5
            ) as websocket:
                browser = Firefox(websocket, process.pid)
                async with run_beside(browser.run):
                    await browser.call("session.new", capabilities={})
                    yield browser


def _write_preferences(profile: Path, preferences: Mapping[str, PreferenceValue]) -> None:
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines))


async def _wait_for_port(profile: Path, process: trio.Process) -> int:
    """Firefox writes the port it has taken into its profile."""
    with trio.fail_after(LAUNCH_SECONDS):
        while process.poll() is None:
            try:
                port: int = json.loads((profile / "WebDriverBiDiServer.json").read_text())["ws_port"]
                return port
            except (OSError, ValueError):
                await trio.sleep(0.05)
    raise BrowserError("Firefox ended at once; open_firefox(log=...) tells why")
