"""The RTP sessions of a peer connection: one on each transport, configured for the negotiated media sections.

RTP starts when the first media section of a transport is negotiated. The events of a session are dispatched to the
transceivers of their media sections; received media goes from the transport to its receive pipeline directly.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache, partial

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp import (
    BitratesChanged,
    FramesReceived,
    KeyframeRequested,
    PacketsReceived,
    RtpClosed,
    RtpEvent,
    RtpOpened,
    StreamEnded,
    StreamStarted,
    TelephoneEventReceived,
)
from trio_rtc.transceivers.connection_context import ConnectionContext
from trio_rtc.transceivers.transceiver import Transceiver
from trio_rtc.transceivers.transceiver_table import TransceiverTable
from trio_rtc.transports.rtp import RtpTransport, Section
from trio_rtc.transports.stack import TransportStack


@cache
def can_decode() -> bool:
    """Return whether the extra ``media`` is installed."""
    return importlib.util.find_spec("av") is not None


@attrs.frozen
class BundleSections:
    """The media sections of one transport.

    Attributes:
        number: The number of the transport (``TransportPlan.number``).
    """

    number: int
    stack: TransportStack
    mids: frozenset[str]


class MediaEngine:
    """Configures the RTP sessions of a peer connection, and dispatches their events."""

    def __init__(self, table: TransceiverTable, context: ConnectionContext) -> None:
        self._table = table
        self._context = context
        self._transports: dict[int, RtpTransport] = {}

    def configure(self, bundles: Sequence[BundleSections]) -> None:
        """Start RTP on transports with their first media section, and assign transports to the transceivers."""
        negotiated = {each.mid for each in self._table.records if each.plan is not None}
        if not self._transports and not negotiated:
            return
        used = [each for each in bundles if each.stack.rtp is not None or each.mids & negotiated]
        self._transports = {
            each.number: each.stack.start_rtp(self._context.cname, partial(self.handle_event, each.number))
            for each in used
        }
        by_mid = {mid: self._transports[bundle.number] for bundle in used for mid in bundle.mids}
        for transceiver in self._table.records:
            transceiver.set_rtp(by_mid.get(transceiver.mid or ""))

    def update_sections(self) -> None:
        """Configure all RTP sessions and send pipelines for the present media sections."""
        sections: dict[RtpTransport, dict[str, Section]] = {rtp: {} for rtp in self._transports.values()}
        for transceiver in self._table.records:
            rtp, section = transceiver.rtp, transceiver.section()
            if rtp is not None and transceiver.mid is not None and section is not None:
                sections[rtp][transceiver.mid] = section
        for rtp, by_mid in sections.items():
            rtp.set_sections(by_mid)
        for transceiver in self._table.records:
            transceiver.update_sending()

    # -- events of RTP -----------------------------------------------------------------------------------------------

    def handle_event(self, number: int, event: RtpEvent) -> None:
        """Dispatch an event of an RTP session to the transceivers of its sections; ``number`` is its transport's."""
        if self._context.is_closed:
            return
        match event:
            case RtpOpened():
                for transceiver in self._transceivers_on(number):
                    if transceiver.send.pipeline is not None:
                        transceiver.send.pipeline.open()
            case BitratesChanged():
                for transceiver in self._transceivers_on(number):
                    transceiver.send.handle_bitrates(event.bitrates)
            case StreamStarted() | StreamEnded() | KeyframeRequested() | TelephoneEventReceived():
                section = self._table.by_mid(event.mid)
                if section is not None:
                    _handle_section_event(section, event)
            case FramesReceived() | PacketsReceived() | RtpClosed():
                pass  # received media goes to its receive pipeline; the end of RTP changes no transceiver

    def _transceivers_on(self, number: int) -> list[Transceiver]:
        rtp = self._transports.get(number)
        return [] if rtp is None else [each for each in self._table.records if each.rtp is rtp]


def _handle_section_event(
    transceiver: Transceiver,
    event: StreamStarted | StreamEnded | KeyframeRequested | TelephoneEventReceived,
) -> None:
    match event:
        case TelephoneEventReceived():
            transceiver.receive.push_telephone_event(event.event)
        case KeyframeRequested():
            transceiver.send.handle_keyframe_request(event.rid)
        case StreamStarted():
            transceiver.receive.mute_later(False)
        case StreamEnded():
            transceiver.mute_without_streams()
