"""A local coturn server, the most widely used TURN server."""

import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from tests.interop.drivers.rpc import PeerGoneError
from tests.strategies.tls_server import write_certificate

START_SECONDS = 20
USERNAME, PASSWORD, REALM = "alice", "secret", "example.org"


@attrs.define
class Coturn:
    """A running server.

    Attributes:
        host: Its address.
        port: Port for UDP and TCP.
        tls_port: Port for TLS.
        trusted: Trusts its certificate.
    """

    host: str
    port: int
    tls_port: int
    trusted: ssl.SSLContext
    _log: Path

    def url(self, transport: str) -> str:
        """Return the URL for ``udp``, ``tcp`` or ``tls``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if transport == "tls":
            return f"turns:{host}:{self.tls_port}"
        return f"turn:{host}:{self.port}?transport={transport}"

    def count(self, pattern: str) -> int:
        """Return the number of lines of the log that match."""
        lines = self._log.read_text(errors="replace").splitlines()
        return sum(re.search(pattern, line) is not None for line in lines)

    async def wait_for(self, pattern: str, count: int) -> None:
        """Wait until this number of lines of the log match."""
        with trio.fail_after(10):
            while self.count(pattern) < count:  # noqa: ASYNC110 - another process writes the log
                await trio.sleep(0.05)


def _free_port(host: str) -> int:
    """Return a port that is free for UDP and TCP."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as tcp, socket.socket(family, socket.SOCK_DGRAM) as udp:
            tcp.bind((host, 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind((host, port))
            except OSError:
                continue
            return port


@asynccontextmanager
async def open_coturn(host: str, *options: str) -> AsyncIterator[Coturn]:
    """Run a server on an address until the end of the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate = write_certificate(folder, host)
        log = folder / "log"
        port, tls_port = _free_port(host), _free_port(host)
        command = [
            *(
                "turnserver",
                "-n",
                "--no-cli",
                "--log-file=stdout",
                "--verbose",
                "--pidfile",
                str(folder / "pid"),
            ),
            *("--listening-ip", host, "--relay-ip", host, "--allow-loopback-peers"),
            *("--listening-port", str(port), "--tls-listening-port", str(tls_port)),
            *("--lt-cred-mech", "--user", f"{USERNAME}:{PASSWORD}", "--realm", REALM),
            *("--cert", str(certificate), "--pkey", str(certificate), "--userdb", str(folder / "users")),
            *options,
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            await _wait_until_listening(host, tls_port, log)
            trusted = ssl.create_default_context(cafile=str(certificate))
            yield Coturn(host, port, tls_port, trusted, log)
        finally:
            process.kill()
            process.wait()


async def _wait_until_listening(host: str, port: int, log: Path) -> None:
    with trio.move_on_after(START_SECONDS):
        while True:
            try:
                await (await trio.open_tcp_stream(host, port)).aclose()
            except OSError:
                await trio.sleep(0.05)
            else:
                return
    raise PeerGoneError(f"coturn does not come up:\n{await trio.Path(log).read_text(errors='replace')}")
