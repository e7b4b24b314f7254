"""The receiving half of an RTP session: the streams, what becomes of their packets, and what is asked and told of them.

Which section and layer a packet belongs to is known of its source (:mod:`.source_table`).

A section has one stream for each layer. When another source that was not announced takes the place of one, the old
stream ends: peers change their source without a word, and would else be heard twice.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import attrs

from trio_rtc.protocols.rtcp import ReportBlock, RtcpPacket, SenderReport
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.demux.demuxer import Route
from trio_rtc.protocols.rtp.demux.departed_sources import DepartedSources
from trio_rtc.protocols.rtp.demux.idle_sources import IdleSources
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections
from trio_rtc.protocols.rtp.demux.ssrc_table import Source, SourceTable
from trio_rtc.protocols.rtp.events import (
    FramesReceived,
    PacketsReceived,
    RtpEvent,
    StreamEnded,
    StreamStarted,
    TelephoneEventReceived,
)
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.flexfec import parse_flexfec
from trio_rtc.protocols.rtp.fec.red_decoder import fec_counters
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import unwrap
from trio_rtc.protocols.rtp.parameters import Codec, CodecRole, ReceiveParameters
from trio_rtc.protocols.rtp.reports import MAX_FEEDBACK
from trio_rtc.protocols.rtp.stats import Totals, add_to

from .audio.telephone_events import TelephoneEventReceiver
from .av_sync import AvSync
from .bandwidth_feedback import BandwidthFeedback
from .feedback_requests import take_requests
from .stream import RtpReceiveStream, receive_totals
from .stream_deadlines import StreamDeadlines

_MAX_LEAVING = 32
"""Streams that the goodbyes of a batch end at once; more, of which a datagram could tell hundreds, follow by timer."""
_LEAVING_INTERVAL = 0.005


@attrs.frozen
class SourceFeedback:
    """Feedback about one source, which leaves in one compound.

    Attributes:
        stream: The source's; ``None`` if no source is received any more.
        packets: What is asked and told.
    """

    stream: RtpReceiveStream | None
    packets: list[RtcpPacket]


@attrs.define
class Demand:
    """What is wanted of a section.

    Attributes:
        frames: Whether frames are.
        packets: Whether packets are.
        min_delay: How long frames have to wait at least, in seconds.
    """

    frames: bool = False
    packets: bool = False
    min_delay: float = 0.0


class RtpReceiver:
    """The peer's streams.

    Args:
        options: Of the session.
        events: Where to tell what has happened.

    Attributes:
        dropped: Packets that went nowhere, by reason.
        extension_map: The header extensions of all sections.
        forgotten: Sources that SRTP need not remember any more; the session takes them.
    """

    def __init__(self, options: RtpOptions, events: list[RtpEvent]) -> None:
        self._options = options
        self._events = events
        self._sections = ReceiveSections()
        self.extension_map = self._sections.all_extensions
        self._sources = SourceTable(2 * options.max_streams)
        self._streams: dict[int, RtpReceiveStream] = {}
        self._deadlines = StreamDeadlines(options.source_timeout)
        self._demands: dict[str, Demand] = {}
        self._flexfec: dict[str, FecDecoder] = {}
        self._ready: dict[int, list[RtpPacket]] = {}
        self._feedback = BandwidthFeedback(options.congestion, 2 * options.max_streams)
        self._synchronizer = AvSync(options.lip_sync)
        self._budgets = ReceiveBudgets(options)
        self._idle = IdleSources(options.max_idle_sources)
        self._departed = DepartedSources()
        self.dropped: Counter[str] = Counter()
        self.forgotten: list[int] = []
        self._ended: Totals = {}
        self._leaving: dict[int, None] = {}
        self._may_leave = _MAX_LEAVING
        self._next_leave = math.inf
        self._round_trip: float | None = None
        self._measured_round_trip: float | None = None

    @property
    def streams(self) -> Iterable[RtpReceiveStream]:
        """The streams there are."""
        return self._streams.values()

    @property
    def ccfb_sent(self) -> int:
        """How many packets of RFC 8888 were sent."""
        return self._feedback.ccfb_sent

    # -- what is negotiated and wanted ---------------------------------------------------------------------------

    def set_sections(self, sections: Iterable[ReceiveParameters]) -> None:
        """Replace what may be received."""
        sections = list(sections)
        active = [section for section in sections if section.active]
        negotiated = self._sections = ReceiveSections(active)
        self.extension_map = negotiated.all_extensions
        self._sources.set_sections(active, negotiated)
        self._feedback.configure(active, self.extension_map)
        self._synchronizer.set_groups(negotiated.sync_groups)
        mids = {section.mid for section in sections}
        self._demands = {mid: demand for mid, demand in self._demands.items() if mid in mids}
        extensions = negotiated.extensions
        for mid in [mid for mid in self._flexfec if mid not in extensions]:
            self._flexfec.pop(mid).discard()
        for stream in list(self._streams.values()):
            if stream.mid in extensions:
                stream.extensions = extensions[stream.mid]
            else:
                self._end(stream)

    def set_demand(self, mid: str, demand: Demand) -> None:
        """Say what is wanted of a section."""
        self._demands[mid] = demand
        for stream in self._streams.values():
            if stream.mid == mid:
                self._demand(stream, demand)
        self._tell_ready()

    def _demand(self, stream: RtpReceiveStream, demand: Demand) -> None:
        self._deadlines.touch(stream)
        early = stream.want(frames=demand.frames, packets=demand.packets, min_delay=demand.min_delay)
        for packet in early:
            self._hand_on(stream, packet)

    def request_keyframe(self, mid: str, rid: str | None) -> None:
        """Ask for a keyframe of a section, or of one of its layers."""
        for stream in self._streams.values():
            if stream.mid == mid and rid in (None, stream.rid):
                stream.request_keyframe()
                self._deadlines.touch(stream)

    # -- packets -------------------------------------------------------------------------------------------------

    def receive(self, packet: RtpPacket, data: bytes, now: float) -> None:
        """Take a packet that is authentic, and its bytes.

        Raises:
            ProtocolError: It is malformed within.
        """
        source = self._sources.known.get(packet.ssrc)
        feedback, names = self._feedback, self._sections.name_elements
        is_numbered = False
        for number, value in packet.extensions:
            if number == feedback.transport_element:
                feedback.numbered_arrived(value, len(data), now)
                is_numbered = True
            elif number == feedback.send_time_element:
                feedback.stamped_arrived(value, len(data), now)
            elif number in names and source is not None and source.names.get(number) != value:
                source = None
        if feedback.of_sources and not is_numbered:
            feedback.source_arrived(packet.ssrc, packet.sequence_number, now)
        if source is None:
            source = self._sources.route(packet)
            if source is None:
                self._drop("no section", packet.ssrc)
                return
            self.note_idle(packet.ssrc)
        codec = source.codecs.get(packet.payload_type)
        if codec is None:
            self._drop("unknown payload type", packet.ssrc)
            return
        role = codec.role
        if role is CodecRole.MEDIA or role is CodecRole.BETWEEN:
            self._receive_media(packet, data, codec, source, now)
        else:
            self._receive_repair(packet, data, codec, source, now)

    def _receive_repair(
        self, packet: RtpPacket, data: bytes, codec: Codec, source: Source, now: float
    ) -> None:
        match codec.role:
            case CodecRole.RED:
                self._receive_redundant(packet, data, source, now)
            case CodecRole.RTX:
                self._receive_retransmission(packet, data, codec, source, now)
            case CodecRole.FLEXFEC:
                self._receive_flexfec(packet, source, now)
            case _:
                # ULPFEC comes in RED, or not at all.
                self._drop("bare ulpfec", packet.ssrc)

    def finish_batch(self, now: float) -> None:
        """Do what is done once for a batch of packets."""
        self._spread_round_trip()
        if self._leaving or self._may_leave < _MAX_LEAVING:
            self._finish_leaving(now)
        self._tell_ready()
        self._collect_frames(now)

    def _tell_ready(self) -> None:
        for ssrc, packets in self._ready.items():
            stream = self._streams.get(ssrc)
            if stream is not None:
                self._events.append(PacketsReceived(stream.mid, stream.rid, packets))
        self._ready.clear()

    def note_idle(self, ssrc: int) -> None:
        """Hear of a source that is authentic and may have no stream."""
        if ssrc not in self._streams and (forgotten := self._idle.note(ssrc)) is not None:
            self.forgotten.append(forgotten)
            self._sources.forget(forgotten)

    def _receive_media(
        self, packet: RtpPacket, data: bytes, codec: Codec, source: Source, now: float
    ) -> None:
        stream = source.stream or self._stream(packet.ssrc, source, now)
        if stream is None:
            return
        self._deadlines.touch(stream)
        if not stream.receive(packet, codec, len(data), now):
            self._drop("sequence number")
            return
        self._hand_on(stream, packet)
        if stream.telephone is not None:
            self._tell_telephone_events(stream, stream.telephone)
        if self._flexfec and (fec := self._flexfec.get(stream.mid)) is not None:
            self._take_recovered(fec.media_received(data), stream.mid, now)

    def _receive_redundant(self, packet: RtpPacket, data: bytes, source: Source, now: float) -> None:
        stream = source.stream or self._stream(packet.ssrc, source, now)
        if stream is None:
            return
        self._deadlines.touch(stream)
        media = stream.receive_redundant(packet, source.codecs, data, now)
        if media is None:
            self._drop("sequence number")
        else:
            self._hand_on_unpacked(stream, packet, media)

    def _receive_retransmission(
        self, packet: RtpPacket, data: bytes, codec: Codec, source: Source, now: float
    ) -> None:
        ssrc = self._repaired_ssrc(packet.ssrc, source.route)
        stream = None if ssrc is None else self._streams.get(ssrc)
        apt = codec.parameters.get("apt", "")
        original = source.codecs.get(int(apt)) if apt.isascii() and apt.isdecimal() and len(apt) < 4 else None
        # An announcement may name a source of another section, whose payload types mean something else.
        if stream is None or original is None or stream.mid != source.route.section.mid:
            self._drop("retransmission of nothing", packet.ssrc)
            return
        self._deadlines.touch(stream)
        stream.rtx_ssrc = packet.ssrc
        repaired = unwrap(packet, ssrc=stream.ssrc, payload_type=original.payload_type)
        if repaired is None:
            return
        if original.role is CodecRole.RED:
            data = repaired.encode()
            media = stream.receive_redundant(repaired, source.codecs, data, now, repaired=True)
            if media is not None:
                self._hand_on_unpacked(stream, repaired, media)
                return
        elif stream.receive(repaired, original, len(data), now, repaired=True):
            self._hand_on(stream, repaired)
            return
        self._drop("sequence number")

    def _receive_flexfec(self, packet: RtpPacket, source: Source, now: float) -> None:
        mid = source.route.section.mid
        row = parse_flexfec(packet.payload)
        fec = self._flexfec.get(mid)
        if fec is None:
            # From now on; what came before its first repair packet was not kept.
            mutable = self._sections.extensions[mid].mutable_elements()
            fec = self._flexfec[mid] = FecDecoder(
                self._options.fec, mutable_extensions=mutable, budget=self._budgets.fec
            )
        # Nobody protects several sources together; of such a packet the first one's statistics tell.
        stream = self._streams.get(row.keys[0].ssrc)
        counters = None if stream is None or stream.mid != mid else stream.note_repair(packet)
        self._take_recovered(fec.repair_received(row, counters), mid, now)

    def _take_recovered(self, recovered: Iterable[bytes], mid: str, now: float) -> None:
        for data in recovered:
            packet = RtpPacket.parse(data, self.extension_map)
            stream = self._streams.get(packet.ssrc)
            codec = self._sections.codecs[mid].get(packet.payload_type)
            if stream is None or stream.mid != mid or codec is None:
                self._drop("recovered for nothing")
            elif stream.receive_recovered(packet, codec, now):
                self._deadlines.touch(stream)
                self._hand_on(stream, packet)

    def _tell_telephone_events(self, stream: RtpReceiveStream, telephone: TelephoneEventReceiver) -> None:
        for heard in telephone.take():
            self._events.append(TelephoneEventReceived(stream.mid, stream.rid, heard))

    def _hand_on_unpacked(
        self, stream: RtpReceiveStream, packet: RtpPacket, media: Iterable[RtpPacket]
    ) -> None:
        """Hand on what came in RED, in a packet that may have no media of its own."""
        is_empty = True
        for each in media:
            is_empty &= each.sequence_number != packet.sequence_number
            self._hand_on(stream, each)
        if is_empty:
            stream.note_without_media(packet)

    def _hand_on(self, stream: RtpReceiveStream, as_it_came: RtpPacket) -> None:
        packet = stream.hand_on(as_it_came)
        if packet is None:
            return
        if packet.extension_map is None:
            # It was taken out of redundancy, where nobody has said what the numbers mean.
            packet = attrs.evolve(packet, extension_map=self.extension_map)
        ready = self._ready.get(packet.ssrc)
        if ready is None:
            self._ready[packet.ssrc] = [packet]
        else:
            ready.append(packet)

    def _repaired_ssrc(self, ssrc: int, route: Route) -> int | None:
        """Return which source a repair stream repairs: announced, else by the layer, else the only one there is."""
        announced = self._sections.repaired.get(ssrc)
        if announced is not None:
            return announced
        candidates = [
            stream.ssrc
            for stream in self._streams.values()
            if stream.mid == route.section.mid and stream.rid == route.rid
        ]
        return candidates[0] if len(candidates) == 1 else None

    def _stream(self, ssrc: int, source: Source, now: float) -> RtpReceiveStream | None:
        """Return the stream of a source, a new one if it has none; ``None``, counted, if it is not to have one."""
        route = source.route
        stream = self._streams.get(ssrc)
        if stream is not None and stream.mid == route.section.mid:
            if stream.rid is None and route.rid is not None:
                stream.set_rid(route.rid)
            source.stream = stream
            return stream
        if self._departed.is_late(ssrc, now):
            self._drop("departed", ssrc)
            return None
        if stream is not None:
            self._end(stream)
        self._make_way(ssrc, route, now)
        if len(self._streams) >= self._options.max_streams:
            self._drop("too many streams", ssrc)
            return None
        # Ending a stream may have made the table forget this very source.
        self._sources.known[ssrc] = source
        source.stream = self._start(ssrc, route)
        return source.stream

    def _start(self, ssrc: int, route: Route) -> RtpReceiveStream:
        mid = route.section.mid
        extensions = self._sections.extensions[mid]
        stream = RtpReceiveStream(mid, ssrc, route.rid, self._options, extensions, budgets=self._budgets)
        demand = self._demands.get(mid, Demand())
        self._demand(stream, demand)
        stream.rtx_ssrc = self._sections.retransmits(ssrc)
        stream.fec_ssrc = self._sections.corrects(ssrc)
        self._streams[ssrc] = stream
        self._idle.discard(ssrc)
        self._departed.discard(ssrc)
        self._events.append(StreamStarted(mid, ssrc, stream.rid))
        return stream

    def _make_way(self, ssrc: int, route: Route, now: float) -> None:
        """End the stream whose place a new source takes, if there is one."""
        announced = route.section.ssrcs
        for old in list(self._streams.values()):
            if old.mid != route.section.mid or old.rid != route.rid:
                continue
            if old.rid is None and ssrc in announced and old.ssrc in announced:
                continue
            self._depart(old, now)

    def _depart(self, stream: RtpReceiveStream, now: float) -> None:
        """End a stream of which late packets may still come."""
        self._end(stream)
        self._departed.add(stream.ssrc, now)

    def _collect_frames(self, now: float) -> None:
        came = False
        for stream in self._deadlines.take(now):
            if stream.pipeline is not None:
                frames = stream.frames(now)
                if frames:
                    came = True
                    self._events.append(FramesReceived(stream.mid, stream.rid, frames))
        if came and self._synchronizer.update(self._streams.values(), now):
            self._touch_all()

    def _touch_all(self) -> None:
        for stream in self._streams.values():
            self._deadlines.touch(stream)

    def _drop(self, reason: str, ssrc: int | None = None) -> None:
        self.dropped[reason] += 1
        if ssrc is not None:
            self.note_idle(ssrc)

    # -- what the sources say of themselves ------------------------------------------------------------------------

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of a source's own."""
        stream = self._streams.get(report.ssrc)
        if stream is not None:
            stream.sender_report(report, now)
            clock = stream.clock_of(report)
            if clock is not None:
                self._synchronizer.sender_report(stream, *clock)

    def goodbye(self, ssrcs: Iterable[int], now: float) -> None:
        """End the streams of sources that leave: a few now, the others with the batches and timers that follow."""
        self._leaving.update((ssrc, None) for ssrc in ssrcs if ssrc in self._streams)
        self._let_leave(now)

    def _let_leave(self, now: float) -> None:
        """End the streams of sources that leave, as many as a batch or a timer may end."""
        leaving = list(itertools.islice(self._leaving, self._may_leave))
        self._may_leave -= len(leaving)
        for ssrc in leaving:
            self._depart(self._streams[ssrc], now)

    def _finish_leaving(self, now: float) -> None:
        self._may_leave = _MAX_LEAVING
        self._next_leave = now + _LEAVING_INTERVAL if self._leaving else math.inf

    def set_round_trip(self, round_trip: float) -> None:
        """Set the round-trip time in seconds, by which requests are repeated, with the end of the batch.

        It goes to every stream, so of many reports in a batch only the last is used. No deadline depends on it: it
        counts for the requests that are sent from now on.
        """
        self._round_trip = round_trip

    def note_round_trip(self, round_trip: float) -> None:
        """Take what the peer's answer to our reference time has shown (RFC 3611 section 4.5); of a batch the last."""
        self._round_trip = self._measured_round_trip = round_trip

    def _spread_round_trip(self) -> None:
        round_trip, measured = self._round_trip, self._measured_round_trip
        if round_trip is not None:
            for stream in self._streams.values():
                stream.set_round_trip(round_trip)
                if measured is not None:
                    stream.round_trips.note(measured)
            self._round_trip = self._measured_round_trip = None

    def _end(self, stream: RtpReceiveStream) -> None:
        del self._streams[stream.ssrc]
        stream.end()
        self._leaving.pop(stream.ssrc, None)
        self._deadlines.forget(stream.ssrc)
        add_to(self._ended, receive_totals(stream))
        self._sources.forget(stream.ssrc)
        self._feedback.forget(stream.ssrc)
        self._synchronizer.forget(stream.ssrc)
        self.note_idle(stream.ssrc)
        self._events.append(StreamEnded(stream.mid, stream.ssrc, stream.rid))

    # -- what we tell and ask --------------------------------------------------------------------------------------

    def report_blocks(self, now: float) -> dict[str, list[ReportBlock]]:
        """Return the report blocks of the sources that were received, by section."""
        blocks: dict[str, list[ReportBlock]] = {}
        for stream in self._streams.values():
            blocks.setdefault(stream.mid, []).append(stream.report_block(now))
        return blocks

    def requests(
        self, sender_of: Callable[[str | None], int], now: float, compact: Callable[[float], int]
    ) -> list[SourceFeedback]:
        """Return what is asked of sources now, and what is told of the path.

        Args:
            sender_of: Returns our SSRC in a section, or outside of all.
            now: Seconds.
            compact: Makes of a time the middle 32 bits of an NTP timestamp.
        """
        feedback: list[SourceFeedback] = []
        for stream in self._deadlines.take(now):
            if stream.next_request() <= now:
                packets = take_requests(stream, sender_of(stream.mid), now, MAX_FEEDBACK)
                if packets:
                    feedback.append(SourceFeedback(stream, packets))
        if self._feedback.has_to_tell(now):
            # What is told of the path is told of all sources; the latest is one that surely still sends.
            streams = sorted(self._streams.values(), key=lambda stream: stream.last_heard, reverse=True)
            latest = streams[0] if streams else None
            sender_ssrc = sender_of(None if latest is None else latest.mid)
            ssrcs = [stream.ssrc for stream in streams]
            packets = self._feedback.take(sender_ssrc, ssrcs, now, compact(now), MAX_FEEDBACK)
            if packets:
                feedback.append(SourceFeedback(latest, packets))
        return feedback

    # -- time ----------------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        """Act on what is due: frames that become ready by time, sources that are silent for long."""
        self._collect_frames(now)
        if now >= self._next_leave:
            self._let_leave(now)
            self._finish_leaving(now)
        timeout = self._options.source_timeout
        for stream in self._deadlines.take(now):
            if stream.telephone is not None:
                stream.telephone.handle_timer(now)
                self._tell_telephone_events(stream, stream.telephone)
            if now >= stream.last_heard + timeout:
                self._end(stream)

    def next_timer(self) -> float:
        """Return the next deadline."""
        return min(self._feedback.next_timer(), self._deadlines.next_timer(), self._next_leave)

    def counters(self) -> Mapping[str, float]:
        """Return what all streams have counted together, and what was dropped, by reason."""
        totals: Totals = {**self._feedback.counters(), **self._budgets.counters()}
        add_to(totals, self._ended)
        for receiver in self._flexfec.values():
            add_to(totals, fec_counters("flexfec", receiver))
        for stream in self._streams.values():
            add_to(totals, receive_totals(stream))
        add_to(totals, self.dropped)
        return totals
