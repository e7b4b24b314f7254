"""The receiving half of an RTP session: which stream a packet belongs to, and what is asked and told of the streams."""

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

from trio_rtc.protocols.congestion import FeedbackGenerator
from trio_rtc.protocols.rtcp import (
    GenericNack,
    PictureLossIndication,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
)
from trio_rtc.protocols.serial import Unwrapper

from .events import FramesReceived, PacketsReceived, RtpEvent, StreamEnded, StreamStarted
from .extensions import ExtensionMap
from .incoming import Arrival, IncomingStream
from .options import RtpOptions
from .packet import RtpPacket
from .parameters import FEEDBACK_TRANSPORT, RTX, ReceiveParameters
from .router import Route, Router
from .rtx import unwrap
from .totals import Totals, add_to, incoming_totals

_MAX_RTCP = 1150
_PACKET_OVERHEAD = 60


@attrs.define
class Demand:
    """What is wanted of a section.

    Attributes:
        frames: Whether frames are.
        packets: Whether packets are.
    """

    frames: bool = False
    packets: bool = False


class ReceivingSide:
    """The peer's streams.

    Args:
        options: Of the session.

    Attributes:
        dropped: Packets that went nowhere, by reason.
        events: What has happened; the session takes it.
    """

    def __init__(self, options: RtpOptions) -> None:
        self._options = options
        self._router = Router(2 * options.max_streams)
        self._streams: dict[int, IncomingStream] = {}
        self._maps: dict[str, ExtensionMap] = {}
        self._any_map = ExtensionMap()
        self._demands: dict[str, Demand] = {}
        self._rtx: dict[int, int] = {}
        self._ready: dict[int, list[RtpPacket]] = {}
        self._feedback = FeedbackGenerator(options.congestion)
        self._transport_numbers: Unwrapper | None = None
        self._transport_wide = False
        self._last_media_ssrc = 0
        self.dropped: Counter[str] = Counter()
        self._ended: Totals = {}
        self.events: list[RtpEvent] = []

    @property
    def streams(self) -> Iterable[IncomingStream]:
        """The streams there are."""
        return self._streams.values()

    # -- what is negotiated and wanted ---------------------------------------------------------------------------

    def set_sections(self, sections: Iterable[ReceiveParameters]) -> None:
        """Replace what may be received."""
        active = [section for section in sections if section.active]
        self._router.set_sections(active)
        self._maps = {section.mid: ExtensionMap(section.extensions) for section in active}
        merged: dict[int, str] = {}
        for section in active:
            merged.update(section.extensions)
        # Numbers mean the same in the whole bundle (RFC 9143 section 9.2 relies on it).
        self._any_map = ExtensionMap(merged)
        self._rtx = {repair: repaired for section in active for repair, repaired in section.repairs.items()}
        self._transport_wide = any(
            FEEDBACK_TRANSPORT in codec.feedback for section in active for codec in section.codecs
        )
        for stream in [stream for stream in self._streams.values() if stream.mid not in self._maps]:
            self._end(stream)

    def set_demand(self, mid: str, *, frames: bool, packets: bool) -> None:
        """Say what is wanted of a section."""
        self._demands[mid] = Demand(frames, packets)
        for stream in self._streams.values():
            if stream.mid == mid:
                stream.want_frames(frames)

    def request_keyframe(self, mid: str, rid: str | None) -> None:
        """Ask for a keyframe of a section, or of one of its layers."""
        for stream in self._streams.values():
            if stream.mid == mid and rid in (None, stream.rid):
                stream.request_keyframe()

    # -- packets -------------------------------------------------------------------------------------------------

    def receive(self, packet: RtpPacket, size: int, now: float) -> None:
        """Take a packet that is authentic."""
        values = self._any_map.read(packet.extensions)
        if values.transport_sequence_number is not None and self._transport_wide:
            self._note_arrival(values.transport_sequence_number, size, now)
        rid = values.rid or values.repaired_rid
        route = self._router.route(packet.ssrc, packet.payload_type, values.mid, rid)
        if route is None:
            self._drop("no section")
            return
        codec = self._router.codec(route.section.mid, packet.payload_type)
        if codec is None:
            self._drop("unknown payload type")
        elif codec.name.lower() == RTX:
            self._receive_retransmission(Arrival(packet, values, codec, size, now), route)
        else:
            self._receive_media(Arrival(packet, values, codec, size, now), route)

    def finish_batch(self, now: float) -> None:
        """Do what is done once for a batch of packets."""
        for ssrc, packets in self._ready.items():
            stream = self._streams.get(ssrc)
            if stream is not None:
                self.events.append(PacketsReceived(stream.mid, stream.rid, packets))
        self._ready.clear()
        self._collect_frames(now)

    def _receive_media(self, arrival: Arrival, route: Route, *, repaired: bool = False) -> None:
        packet = arrival.packet
        stream = self._stream(packet.ssrc, route)
        if stream is None:
            self._drop("too many streams")
            return
        if not stream.receive(arrival, repaired=repaired):
            self._drop("sequence number")
            return
        demand = self._demands.get(stream.mid)
        if demand is not None and demand.packets and packet.payload:
            self._ready.setdefault(packet.ssrc, []).append(packet)

    def _receive_retransmission(self, arrival: Arrival, route: Route) -> None:
        ssrc = self._repaired_ssrc(arrival.packet.ssrc, route)
        apt = arrival.codec.parameters.get("apt", "")
        original = self._router.codec(route.section.mid, int(apt)) if apt.isdecimal() else None
        if ssrc is None or original is None:
            self._drop("retransmission of nothing")
            return
        repaired = unwrap(arrival.packet, ssrc=ssrc, payload_type=original.payload_type)
        if repaired is not None:
            again = Arrival(repaired, arrival.values, original, arrival.size, arrival.now)
            self._receive_media(again, route, repaired=True)
            stream = self._streams.get(ssrc)
            if stream is not None:
                stream.rtx_ssrc = arrival.packet.ssrc

    def _repaired_ssrc(self, ssrc: int, route: Route) -> int | None:
        """Return which source a repair stream repairs: announced, else by the layer, else the only one there is."""
        announced = self._rtx.get(ssrc)
        if announced is not None:
            return announced
        candidates = [
            stream.ssrc
            for stream in self._streams.values()
            if stream.mid == route.section.mid and stream.rid == route.rid
        ]
        return candidates[0] if len(candidates) == 1 else None

    def _stream(self, ssrc: int, route: Route) -> IncomingStream | None:
        stream = self._streams.get(ssrc)
        if stream is not None and stream.mid == route.section.mid:
            if stream.rid is None and route.rid is not None:
                stream.rid = route.rid
            return stream
        if len(self._streams) >= self._options.max_streams:
            return None
        stream = IncomingStream(route.section.mid, ssrc, route.rid, self._options)
        demand = self._demands.get(stream.mid)
        stream.want_frames(demand is not None and demand.frames)
        stream.rtx_ssrc = next((repair for repair, repaired in self._rtx.items() if repaired == ssrc), None)
        self._streams[ssrc] = stream
        self.events.append(StreamStarted(stream.mid, ssrc, stream.rid))
        return stream

    def _collect_frames(self, now: float) -> None:
        for stream in self._streams.values():
            frames = stream.frames(now)
            if frames:
                self.events.append(FramesReceived(stream.mid, stream.rid, frames))

    def _note_arrival(self, number: int, size: int, now: float) -> None:
        if self._transport_numbers is None:
            self._transport_numbers = Unwrapper(16, number)
        self._feedback.packet_arrived(
            self._transport_numbers.unwrap(number), now, size + _PACKET_OVERHEAD, now
        )

    def _drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    # -- what the sources say of themselves ------------------------------------------------------------------------

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of a source's own."""
        stream = self._streams.get(report.ssrc)
        if stream is not None:
            stream.sender_report(report, now)

    def goodbye(self, ssrcs: Iterable[int]) -> None:
        """Hear that sources leave."""
        for ssrc in ssrcs:
            stream = self._streams.get(ssrc)
            if stream is not None:
                self._end(stream)

    def set_round_trip(self, round_trip: float) -> None:
        """Tell the round-trip time in seconds."""
        for stream in self._streams.values():
            stream.set_round_trip(round_trip)

    def note_round_trip(self, round_trip: float) -> None:
        """Take what the peer's answer to our reference time has shown (RFC 3611 section 4.5)."""
        self.set_round_trip(round_trip)
        for stream in self._streams.values():
            stream.round_trips.note(round_trip)

    def _end(self, stream: IncomingStream) -> None:
        del self._streams[stream.ssrc]
        add_to(self._ended, incoming_totals(stream))
        self._router.forget(stream.ssrc)
        self.events.append(StreamEnded(stream.mid, stream.ssrc, stream.rid))

    # -- what we tell and ask --------------------------------------------------------------------------------------

    def report_blocks(self, now: float) -> list[ReportBlock]:
        """Return what we tell of the sources that were heard."""
        return [stream.report_block(now) for stream in self._streams.values()]

    def requests(self, own_ssrc: int, now: float) -> list[RtcpPacket]:
        """Return what is asked of sources now, and what is told of the transport."""
        packets: list[RtcpPacket] = []
        for stream in self._streams.values():
            missing = stream.take_nacks(now)
            if missing:
                nacks = GenericNack.build(own_ssrc, stream.ssrc, missing, _MAX_RTCP)
                stream.counters.nacks_sent += len(nacks)
                packets += nacks
            if stream.take_keyframe_request(now):
                stream.counters.plis_sent += 1
                packets.append(PictureLossIndication(own_ssrc, stream.ssrc))
        for told in self._feedback.feedback_to_send(now):
            arrivals = [(number, time) for number, time in told.arrivals if time is not None]
            media_ssrc = next(iter(self._streams), 0)
            packets += TransportFeedback.build(
                own_ssrc,
                media_ssrc,
                arrivals,
                told.feedback_count,
                _MAX_RTCP,
                begin=told.arrivals[0][0] if told.arrivals else None,
            )
        return packets

    # -- time ----------------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        """Act on what is due: frames that become ready by time, sources that are silent for long."""
        self._collect_frames(now)
        horizon = now - self._options.source_timeout
        for stream in [stream for stream in self._streams.values() if stream.last_heard < horizon]:
            self._end(stream)

    def next_timer(self) -> float:
        """Return the next deadline."""
        deadline = self._feedback.next_timer()
        for stream in self._streams.values():
            deadline = min(
                deadline, stream.next_timer(), stream.last_heard + self._options.source_timeout + 0.001
            )
        return deadline

    def counters(self) -> Mapping[str, float]:
        """Return what all streams have counted together, and what was dropped, by reason."""
        totals: Totals = {
            "feedback_forgotten": self._feedback.forgotten,
            "feedback_jumps": self._feedback.jumps,
        }
        add_to(totals, self._ended)
        for stream in self._streams.values():
            add_to(totals, incoming_totals(stream))
        return {**totals, **self.dropped}
