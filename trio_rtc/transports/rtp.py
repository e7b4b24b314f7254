"""The RTP transport: SRTP and SRTCP packets to and from ICE. DTLS provides the keys only.

Received media is passed on by a synchronous call, into the bounded queues of tracks and forwarders; a full queue drops
its oldest item.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from trio_rtc.protocols.rtp import (
    EncodedFrame,
    ReceiveParameters,
    RtpEvent,
    RtpPacket,
    SendParameters,
)

from .base import Inbox, Lower, Transport
from .ice import ReceivedRtp

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp import RtpSession

logger = logging.getLogger("trio_rtc.rtp")

Section: TypeAlias = tuple[SendParameters, ReceiveParameters]
"""Both directions of a media section."""


class RtpTransport(Transport[ReceivedRtp, bytes, RtpEvent]):
    """Drives the RTP session of a bundle.

    Attributes:
        session: The core.
    """

    def __init__(
        self,
        session: "RtpSession",
        inbox: Inbox[ReceivedRtp],
        lower: Lower,
        report: Callable[[RtpEvent], None],
        share_path: Callable[[float | None], None],
    ) -> None:
        super().__init__(session, inbox)
        self.session = session
        self._lower = lower
        self._report = report
        self._share_path = share_path
        self._sections: dict[str, Section] = {}

    def set_sections(self, sections: Mapping[str, Section]) -> None:
        """Replace all sections, by MID."""
        self._sections = dict(sections)
        values = self._sections.values()
        sending, receiving = [section[0] for section in values], [section[1] for section in values]
        self.call(self.session.set_sections, sending, receiving)

    def replace_section(self, mid: str, section: Section | None) -> None:
        """Replace one section, or remove it."""
        if section is not None and mid in self._sections:
            self._sections[mid] = section
        elif section is None:
            self._sections.pop(mid, None)
        self.set_sections(self._sections)

    async def send_frame(
        self, mid: str, frame: EncodedFrame, rid: str | None = None, captured: float | None = None
    ) -> None:
        """Send a frame, and wait while the socket is full.

        Args:
            mid: MID of the media section.
            frame: The frame.
            rid: RID of the simulcast layer.
            captured: Capture time on trio's clock, by default now.

        Raises:
            ValueError: The frame does not have the negotiated codec.
        """
        self.session.send_frame(mid, frame, trio.current_time(), rid=rid, captured=captured)
        await self.flush()

    async def send_packets(self, mid: str, packets: Sequence[RtpPacket], rid: str | None = None) -> None:
        """Forward packets of another stream, and wait while the socket is full."""
        self.session.send_packets(mid, packets, trio.current_time(), rid=rid)
        await self.flush()

    def call(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the session with the current time appended, and schedule a flush."""
        result = verb(*arguments, trio.current_time())
        self.wake()
        return result

    def flush_nowait(self, now: float) -> bool:
        """Flush the session, and report the bitrate that it leaves for data."""
        all_sent = super().flush_nowait(now)
        self._share_path(self.session.left_for_data(now))
        return all_sent

    def _receive(self, item: ReceivedRtp, now: float) -> None:
        packets, arrivals = item
        self.session.receive(packets, now, arrivals)

    def _handle(self, event: RtpEvent, now: float) -> None:
        self._report(event)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self._lower.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self._lower.drain()

    def _close_upper_inboxes(self) -> None:
        """No inbox is above: received media is passed on by events."""
