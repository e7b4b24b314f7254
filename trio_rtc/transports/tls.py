"""TLS on a TCP connection, written without waiting."""

import contextlib
import ssl
from collections.abc import Sequence

from trio_rtc.protocols._contract import Address

from .network import StreamSocket

_READ_SIZE = 64 * 1024
_RECORD_OVERHEAD = 64
"""Header, nonce, tag and padding of a record, rounded up; a message is at most one record of 16 KiB."""


class TlsStream:
    """TLS on a connection, which belongs to it (see :class:`trio_rtc.transports.network.StreamSocket`).

    Args:
        context: Trusted certificates and protocol versions.
        server_name: Host name that the certificate must have, or a numeric address.
    """

    def __init__(self, connection: StreamSocket, context: ssl.SSLContext, server_name: str) -> None:
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._dropped = 0

    @property
    def local_address(self) -> Address:
        return self._connection.local_address

    @property
    def room(self) -> int:
        return self._connection.room - _RECORD_OVERHEAD

    @property
    def unsendable(self) -> int:
        return self._dropped + self._connection.unsendable

    async def handshake(self) -> None:
        """Complete the handshake, and verify the server's certificate.

        Raises:
            OSError: The handshake has failed; ``ssl.SSLCertVerificationError`` if the certificate is not trusted.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._connection.receive_some()
                if not data:
                    raise ConnectionResetError(
                        "the server has closed the connection during the TLS handshake"
                    ) from None
                self._incoming.write(data)
            except ssl.SSLError:
                await self._flush()  # the alert
                raise
            else:
                await self._flush()
                return

    async def receive_some(self) -> bytes:
        while True:
            try:
                received = self._tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                # A key update of TLS 1.3 may require an answer.
                await self._flush()
                data = await self._connection.receive_some()
                if not data:
                    return b""
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                return b""
            else:
                return received

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        records: list[bytes] = []
        room = self._connection.room
        for message in batch:
            # A record that is dropped would break the stream, so room is checked before encryption.
            if len(message) + _RECORD_OVERHEAD > room:
                self._dropped += 1
                continue
            self._tls.write(message)
            record = self._outgoing.read()
            room -= len(record)
            records.append(record)
        return self._connection.send_nowait(records)

    async def drain(self) -> None:
        await self._connection.drain()

    def close(self) -> None:
        """Send close_notify, as far as that is possible without waiting, and close the connection."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        alert = self._outgoing.read()
        if alert:
            self._connection.send_nowait([alert])
        self._connection.close()

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self._connection.send_nowait([data]):
            await self._connection.drain()
