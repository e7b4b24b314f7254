"""The DTLS transport: records to and from ICE, application data to and from SCTP."""

import logging
from collections.abc import Callable, Sequence

import trio

from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.protocols.dtls import ApplicationDataReceived, Connection, DtlsEvent

from .base import Inbox, Lower, Transport

logger = logging.getLogger("trio_rtc.dtls")


class DtlsTransport(Transport[list[bytes], bytes, DtlsEvent]):
    """Drives a DTLS connection.

    Attributes:
        unsent: Number of packets from the layer above that were dropped because DTLS was not connected.
    """

    def __init__(
        self,
        connection: Connection,
        inbox: Inbox[list[bytes]],
        lower: Lower,
        sctp_inbox: Inbox[list[bytes]],
        report: Callable[[DtlsEvent], None],
    ) -> None:
        super().__init__(connection, inbox)
        self.connection = connection
        self.unsent = 0
        self._lower = lower
        self._sctp_inbox = sctp_inbox
        self._report = report

    def set_sctp_inbox(self, inbox: Inbox[list[bytes]]) -> None:
        self._sctp_inbox = inbox

    def abandon(self) -> None:
        """End the association without an event or an effect on SCTP (see ``replace_dtls``)."""
        self._sctp_inbox, self._report = Inbox[list[bytes]](), lambda event: None
        now = trio.current_time()
        if self.connection.state is RTCDtlsTransportState.CONNECTED:
            self.connection.close(now)
            self.flush_nowait(now)
        else:
            self.connection.lower_closed(now)
        self.wake()

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        """Send application data, one record per item."""
        if self.connection.state is not RTCDtlsTransportState.CONNECTED:
            self.unsent += len(batch)
            return True
        self.connection.send(batch, now)
        return self.flush_nowait(now)

    async def drain(self) -> None:
        await self._lower.drain()

    def _receive(self, item: list[bytes], now: float) -> None:
        self.connection.receive(item, now)

    def _handle(self, event: DtlsEvent, now: float) -> None:
        if isinstance(event, ApplicationDataReceived):
            self._sctp_inbox.push(event.batch, len(event.batch), now)
        else:
            self._report(event)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self._lower.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self._lower.drain()

    def _close_upper_inboxes(self) -> None:
        self._sctp_inbox.close()
