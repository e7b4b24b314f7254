"""TLS on connections in memory."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.strategies.tls_server import write_certificate
from trio_rtc.protocols._contract import Address
from trio_rtc.transports.tls import TlsStream

NAME = "turn.example"


class MemoryStream:
    """A connection to a trio stream in memory, with a limit of queued bytes."""

    local_address = Address("192.0.2.1", 40000)
    unsendable = 0

    def __init__(
        self,
        stream: trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream],
        room: int,
    ) -> None:
        self._stream = stream
        self.limit = room
        self._queue = bytearray()
        self.closed = False

    @property
    def room(self) -> int:
        return self.limit - len(self._queue)

    async def receive_some(self) -> bytes:
        return bytes(await self._stream.receive_some(1 << 16))

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        self._queue += b"".join(batch)
        return False

    async def drain(self) -> None:
        data, self._queue = bytes(self._queue), bytearray()
        await self._stream.send_all(data)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a self-signed certificate for ``NAME``."""
    return write_certificate(tmp_path_factory.mktemp("tls"), NAME)


def connect(
    certificate: Path, *, name: str = NAME, trusted: bool = True
) -> tuple[TlsStream, MemoryStream, trio.SSLStream[trio.abc.Stream]]:
    ours, theirs = trio.testing.memory_stream_pair()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(certificate)
    context = ssl.create_default_context(cafile=certificate if trusted else None)
    connection = MemoryStream(ours, 100_000)
    return (
        TlsStream(connection, context, name),
        connection,
        trio.SSLStream(theirs, server_context, server_side=True),
    )


async def test_messages_pass_both_ways_until_the_server_closes(certificate: Path) -> None:
    client, connection, server = connect(certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.handshake)
        await server.do_handshake()
    assert not client.send_nowait([b"one", b"two"])
    await client.drain()
    assert await server.receive_some() == b"one"
    assert await server.receive_some() == b"two"
    await server.send_all(b"answer")
    assert await client.receive_some() == b"answer"
    assert client.local_address == connection.local_address
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.aclose)
        assert await client.receive_some() == b""
        client.close()
        nursery.cancel_scope.cancel()
    assert connection.closed


async def test_a_message_without_room_is_dropped_before_encryption(certificate: Path) -> None:
    """Otherwise the records that follow could not be decrypted."""
    client, connection, server = connect(certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.handshake)
        await server.do_handshake()
    connection.limit = 1000
    assert client.room == 1000 - 64
    client.send_nowait([b"a" * 500, b"b" * 500, b"c" * 100])
    assert client.unsendable == 1
    connection.limit = 100_000
    await client.drain()
    assert await server.receive_some() == b"a" * 500
    assert await server.receive_some() == b"c" * 100


@pytest.mark.parametrize(("name", "trusted"), [("other.example", True), (NAME, False)])
async def test_a_certificate_that_is_not_trusted_or_of_another_host_fails(
    certificate: Path, name: str, trusted: bool
) -> None:
    client, _, server = connect(certificate, name=name, trusted=trusted)
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await server.do_handshake()

        nursery.start_soon(serve)
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.handshake()


async def test_a_server_that_closes_during_the_handshake(certificate: Path) -> None:
    client, _, server = connect(certificate)
    await server.transport_stream.aclose()
    with pytest.raises((ConnectionResetError, trio.BrokenResourceError)):
        await client.handshake()


async def test_another_protocol_is_an_ssl_error(certificate: Path) -> None:
    client, _, server = connect(certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.transport_stream.send_all, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            await client.handshake()
        nursery.cancel_scope.cancel()
