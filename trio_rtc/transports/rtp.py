"""The RTP transport: SRTP and SRTCP packets to and from ICE. DTLS provides the keys only.

Received media is passed by a synchronous call to the receiver of its section, into the bounded queues of tracks and
forwarders; a full queue drops its oldest item. All other events are reported.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import trio

from trio_rtc.protocols.rtp import (
    Concealment,
    EncodedFrame,
    FramesReceived,
    PacketsReceived,
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


class MediaReceiver(Protocol):
    """Receiver of the media of a section. A Protocol, because its one implementer is in a higher layer."""

    def push_frames(self, rid: str | None, frames: Sequence[EncodedFrame | Concealment]) -> None:
        """Process received frames of a layer."""

    def push_packets(self, rid: str | None, packets: list[RtpPacket]) -> None:
        """Process received packets of a layer."""


class Section(NamedTuple):
    """A media section: the parameters of both directions, and the receiver of its media."""

    send: SendParameters
    receive: ReceiveParameters
    receiver: MediaReceiver


class RtpTransport(Transport[ReceivedRtp, bytes, RtpEvent]):
    """Drives the RTP session of a bundle.

    Args:
        inbox: Received packets.
        lower: ICE.
        report: Called with each event except received frames and packets.
        share_path: Called when the bitrate that media leaves for data has changed.

    Attributes:
        left_for_data: The bits per second that data may use beside media, as last reported; ``None`` while no media is
            sent.
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
        self.left_for_data: float | None = None

    def set_sections(self, sections: Mapping[str, Section]) -> None:
        """Replace all sections, by MID."""
        self._sections = dict(sections)
        values = self._sections.values()
        self.call(
            self.session.set_sections, [each.send for each in values], [each.receive for each in values]
        )

    def replace_section(self, mid: str, section: Section | None) -> None:
        if section is not None and mid in self._sections:
            self._sections[mid] = section
        elif section is None:
            self._sections.pop(mid, None)
        self.set_sections(self._sections)

    async def send_frame(
        self, mid: str, frame: EncodedFrame, rid: str | None = None, captured: float | None = None
    ) -> None:
        """Send a frame, and wait while the socket is full.

        Its capture time is by trio's clock, by default now.

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
        """Flush the session, and report a change of the bitrate that it leaves for data."""
        all_sent = super().flush_nowait(now)
        left = self.session.left_for_data(now)
        if left != self.left_for_data:
            self.left_for_data = left
            self._share_path(left)
        return all_sent

    def _receive(self, item: ReceivedRtp, now: float) -> None:
        packets, arrivals = item
        self.session.receive(packets, now, arrivals)

    def _handle(self, event: RtpEvent, now: float) -> None:
        match event:
            case FramesReceived() | PacketsReceived():
                section = self._sections.get(event.mid)
                if section is None:
                    pass  # removed since
                elif isinstance(event, FramesReceived):
                    section.receiver.push_frames(event.rid, event.frames)
                else:
                    section.receiver.push_packets(event.rid, event.packets)
            case _:
                self._report(event)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self._lower.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self._lower.drain()

    def _close_upper_inboxes(self) -> None:
        """No inbox is above: received media is passed on by events."""
