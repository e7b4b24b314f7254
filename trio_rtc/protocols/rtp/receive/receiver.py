"""The receive half of an RTP session: it routes packets to their streams, and collects frames, events and feedback.

A packet goes down through its stream to the pipeline of its codec, and the results come back as values: packets to
forward, packets recovered by error correction, telephone events. Frames are collected once per batch and by timer,
only from the streams that received something or whose deadline has passed (:class:`StreamDeadlines`).

The section and layer of a packet, and the stream of its SSRC, are found in one table (:mod:`..demux.ssrc_table`).

A section has one stream for each simulcast layer. When an SSRC that was not announced takes the place of another one,
the old stream ends: peers change their SSRC without BYE, and both would be played.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtcp import ReportBlock, RtcpPacket, SenderReport
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.codec import Codec, CodecRole
from trio_rtc.protocols.rtp.demux.demuxer import Demuxer
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections, Route
from trio_rtc.protocols.rtp.demux.ssrc_table import SsrcEntry, SsrcState
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
from trio_rtc.protocols.rtp.fec.red import fec_counters
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import unwrap
from trio_rtc.protocols.rtp.parameters import ReceiveParameters
from trio_rtc.protocols.rtp.stats import Totals, add_to

from .audio.telephone_events import TelephoneEventReceiver
from .av_sync import AvSync
from .bandwidth_feedback import BandwidthFeedback
from .stream import RtpReceiveStream, receive_totals

_MAX_LEAVING = 32
"""Streams that the BYEs of a batch end at once; more, of which a datagram can name hundreds, end by timer."""
_LEAVING_INTERVAL = 0.005

_Entry = SsrcEntry[RtpReceiveStream]


@attrs.frozen
class StreamFeedback:
    """RTCP feedback about one stream, sent in one compound packet.

    Attributes:
        stream: The stream; ``None`` if no stream is received.
    """

    stream: RtpReceiveStream | None
    packets: list[RtcpPacket]


@attrs.define
class Demand:
    """The demand of the application for a section.

    Attributes:
        min_delay: The minimum playout delay of frames, in seconds.
        decoded: Whether frames are only decoded, by a decoder that lengthens and shortens audio.
    """

    frames: bool = False
    packets: bool = False
    min_delay: float = 0.0
    decoded: bool = False


class StreamDeadlines:
    """The schedule by which streams are polled for frames and requests.

    A session may receive a hundred streams. To poll all of them with every packet of one costs more than the packet.
    So a stream is polled when it was touched, or when its deadline has passed. The streams of the session bound it.

    Args:
        timeout: The silence in seconds after which a stream is polled in any case.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._touched: dict[RtpReceiveStream, None] = {}
        self._due: dict[RtpReceiveStream, float] = {}
        self._next = math.inf
        self._must_recompute = False

    def touch(self, stream: RtpReceiveStream) -> None:
        """Mark a stream whose state has changed."""
        self._touched[stream] = None

    def remove(self, stream: RtpReceiveStream) -> None:
        self._touched.pop(stream, None)
        # Whether it had the earliest deadline is determined once for all streams that end together.
        self._must_recompute |= self._due.pop(stream, None) is not None

    def due_streams(self, now: float) -> list[RtpReceiveStream]:
        """Return the streams to poll. Their deadlines are recomputed by the next call of ``next_timer``."""
        if self._next <= now:
            for stream, due in self._due.items():
                if due <= now:
                    self._touched[stream] = None
        return list(self._touched)

    def next_timer(self) -> float:
        if self._touched or self._must_recompute:
            timeout, deadlines = self._timeout, self._due
            for stream in self._touched:
                deadlines[stream] = min(stream.next_timer(), stream.last_received_at + timeout)
            self._touched.clear()
            self._next = min(deadlines.values(), default=math.inf)
            self._must_recompute = False
        return self._next


class RtpReceiver:
    """The peer's streams."""

    def __init__(self, options: RtpOptions, events: list[RtpEvent]) -> None:
        self._options = options
        self._events = events
        self._demuxer: Demuxer[RtpReceiveStream] = Demuxer(options.max_idle_sources)
        self._table = self._demuxer.table
        self._sections = self._demuxer.sections
        self.extension_map = self._sections.all_extensions
        self._deadlines = StreamDeadlines(options.source_timeout)
        self._demands: dict[str, Demand] = {}
        self._flexfec: dict[str, FecDecoder] = {}
        self._forwarded: dict[RtpReceiveStream, list[RtpPacket]] = {}
        self._feedback = BandwidthFeedback(options.bandwidth_estimation, 2 * options.max_streams)
        self._av_sync = AvSync(options.av_sync)
        self._budgets = ReceiveBudgets(options)
        self.dropped: Counter[str] = Counter()
        self._ended: Totals = {}
        self._leaving: dict[RtpReceiveStream, None] = {}
        self._may_leave = _MAX_LEAVING
        self._next_leave = math.inf
        self._round_trip: float | None = None
        self._measured_round_trip: float | None = None

    @property
    def streams(self) -> Iterable[RtpReceiveStream]:
        """The streams in the order in which they started."""
        return self._table.streams.values()

    @property
    def has_streams(self) -> bool:
        return bool(self._table.streams)

    @property
    def ccfb_sent(self) -> int:
        """The number of congestion control feedback packets (RFC 8888) that were sent."""
        return self._feedback.ccfb_sent

    @property
    def available_incoming_bitrate(self) -> float | None:
        """The last estimate that was sent as REMB, in bits a second; ``None`` if there is none."""
        return self._feedback.estimated_bitrate

    # -- negotiation and demand ----------------------------------------------------------------------------------

    def set_sections(self, sections: Iterable[ReceiveParameters]) -> None:
        """Replace the negotiated sections. Streams of removed sections end."""
        sections = list(sections)
        active = [section for section in sections if section.active]
        negotiated = self._sections = ReceiveSections(active)
        self.extension_map = negotiated.all_extensions
        self._demuxer.set_sections(negotiated)
        self._feedback.configure(active, self.extension_map)
        self._av_sync.set_groups(negotiated.sync_groups)
        mids = {section.mid for section in sections}
        self._demands = {mid: demand for mid, demand in self._demands.items() if mid in mids}
        extensions = negotiated.extensions
        for mid in [mid for mid in self._flexfec if mid not in extensions]:
            self._flexfec.pop(mid).discard()
        for stream in list(self.streams):
            if stream.mid in extensions:
                stream.extensions = extensions[stream.mid]
            else:
                self._end(stream)

    def set_demand(self, mid: str, demand: Demand) -> None:
        """Set what the application consumes of a section."""
        self._demands[mid] = demand
        for stream in self.streams:
            if stream.mid == mid:
                self._apply_demand(stream, demand)
        self._emit_packets()

    def _apply_demand(self, stream: RtpReceiveStream, demand: Demand) -> None:
        self._deadlines.touch(stream)
        early = stream.set_demand(
            frames=demand.frames,
            packets=demand.packets,
            min_delay=demand.min_delay,
            decoded=demand.decoded,
        )
        for packet in early:
            self._forward(stream, packet)

    def request_keyframe(self, mid: str, rid: str | None) -> None:
        for stream in self.streams:
            if stream.mid == mid and rid in (None, stream.rid):
                stream.request_keyframe()
                self._deadlines.touch(stream)

    # -- packets -------------------------------------------------------------------------------------------------

    def receive(self, packet: RtpPacket, data: bytes, now: float) -> None:
        """Receive an authentic packet, and its bytes.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        entry = self._table.entries.get(packet.ssrc)
        feedback, identifying = self._feedback, self._sections.identifying_elements
        is_numbered = False
        for number, value in packet.extensions:
            if number == feedback.transport_element:
                feedback.numbered_packet_received(value, len(data), now)
                is_numbered = True
            elif number == feedback.send_time_element:
                feedback.timed_packet_received(value, len(data), now)
            elif number in identifying and entry is not None and entry.identifiers.get(number) != value:
                entry = None
        if feedback.reports_arrivals and not is_numbered:
            feedback.packet_received(packet.ssrc, packet.sequence_number, now)
        if entry is None or entry.route is None:
            entry = self._demuxer.route(packet)
            if entry is None:
                self.dropped["no section"] += 1
                return
        codec = entry.codecs.get(packet.payload_type)
        if codec is None:
            self._drop("unknown payload type", packet.ssrc)
            return
        role = codec.role
        if role is CodecRole.MEDIA or role is CodecRole.BETWEEN:
            self._receive_media(packet, data, codec, entry, now)
        else:
            self._receive_repair(packet, data, codec, entry, now)

    def _receive_repair(
        self, packet: RtpPacket, data: bytes, codec: Codec, entry: _Entry, now: float
    ) -> None:
        match codec.role:
            case CodecRole.RED:
                self._receive_red(packet, data, entry, now)
            case CodecRole.RTX:
                self._receive_rtx(packet, data, codec, entry, now)
            case CodecRole.FLEXFEC:
                self._receive_flexfec(packet, len(data), entry, now)
            case _:
                # RFC 5109 ULPFEC is received in RED only.
                self._drop("bare ulpfec", packet.ssrc)

    def finish_batch(self, now: float) -> list[int]:
        """Collect the frames and events of a batch of packets.

        Returns:
            The SSRCs that were evicted from the table: SRTP can forget their replay windows.
        """
        self._apply_round_trip()
        if self._leaving or self._may_leave < _MAX_LEAVING:
            self._finish_leaving(now)
        if self._forwarded:
            self._emit_packets()
        self._collect_frames(now)
        if not self._table.evicted:
            return []
        evicted = self._table.take_evicted()
        for ssrc in evicted:
            self._feedback.forget(ssrc)
        return evicted

    def record_ssrc(self, ssrc: int) -> None:
        """Record an SSRC of which an authentic RTCP packet has arrived."""
        self._table.record_use(ssrc)

    def _emit_packets(self) -> None:
        for stream, packets in self._forwarded.items():
            self._events.append(PacketsReceived(stream.mid, stream.rid, packets))
        self._forwarded.clear()

    def _receive_media(self, packet: RtpPacket, data: bytes, codec: Codec, entry: _Entry, now: float) -> None:
        stream = entry.stream if entry.state is _ACTIVE else self._find_stream(entry, now)
        if stream is None:
            return
        self._deadlines.touch(stream)
        if not stream.receive(packet, codec, len(data), now):
            self._drop("sequence number")
            return
        if stream.wants_packets:
            self._forward(stream, packet)
        if stream.telephone is not None:
            self._emit_telephone_events(stream, stream.telephone)
        if self._flexfec and (decoder := self._flexfec.get(stream.mid)) is not None:
            self._receive_recovered(decoder.media_received(data), stream.mid, now)

    def _receive_red(self, packet: RtpPacket, data: bytes, entry: _Entry, now: float) -> None:
        stream = entry.stream if entry.state is _ACTIVE else self._find_stream(entry, now)
        if stream is None:
            return
        self._deadlines.touch(stream)
        media = stream.receive_red(packet, entry.codecs, data, now)
        if media is None:
            self._drop("sequence number")
        else:
            self._forward_unpacked(stream, packet, media)

    def _receive_rtx(self, packet: RtpPacket, data: bytes, codec: Codec, entry: _Entry, now: float) -> None:
        assert entry.route is not None
        ssrc = self._find_retransmitted(packet.ssrc, entry.route)
        stream = None if ssrc is None else self._table.streams.get(ssrc)
        apt = codec.parameters.get("apt", "")
        original = entry.codecs.get(int(apt)) if apt.isascii() and apt.isdecimal() and len(apt) < 4 else None
        # An announcement may name an SSRC of another section, whose payload types mean something else.
        if stream is None or original is None or stream.mid != entry.route.section.mid:
            self._drop("retransmission of nothing", packet.ssrc)
            return
        self._deadlines.touch(stream)
        stream.rtx_ssrc = packet.ssrc
        repaired = unwrap(packet, ssrc=stream.ssrc, payload_type=original.payload_type)
        if repaired is None:
            return
        if original.role is CodecRole.RED:
            data = repaired.encode()
            media = stream.receive_red(repaired, entry.codecs, data, now, retransmitted=True)
            if media is not None:
                self._forward_unpacked(stream, repaired, media)
                return
        elif stream.receive(repaired, original, len(data), now, retransmitted=True):
            self._forward(stream, repaired)
            return
        self._drop("sequence number")

    def _receive_flexfec(self, packet: RtpPacket, size: int, entry: _Entry, now: float) -> None:
        assert entry.route is not None
        mid = entry.route.section.mid
        fec_packet = parse_flexfec(packet.payload)
        decoder = self._flexfec.get(mid)
        if decoder is None:
            # Media packets are kept from the first FEC packet of a section on.
            mutable = self._sections.extensions[mid].mutable_elements()
            decoder = self._flexfec[mid] = FecDecoder(
                self._options.fec, mutable_extensions=mutable, budget=self._budgets.fec
            )
        # No known sender protects several SSRCs together; such a packet counts for the first of them.
        stream = self._table.streams.get(fec_packet.keys[0].ssrc)
        counters = None if stream is None or stream.mid != mid else stream.record_fec_packet(packet, size)
        self._receive_recovered(decoder.fec_received(fec_packet, counters), mid, now)

    def _receive_recovered(self, recovered: Iterable[bytes], mid: str, now: float) -> None:
        for data in recovered:
            packet = RtpPacket.parse(data, self.extension_map)
            stream = self._table.streams.get(packet.ssrc)
            codec = self._sections.codecs[mid].get(packet.payload_type)
            if stream is None or stream.mid != mid or codec is None:
                self._drop("recovered for nothing")
            elif stream.receive_recovered(packet, codec, now):
                self._deadlines.touch(stream)
                self._forward(stream, packet)

    def _emit_telephone_events(self, stream: RtpReceiveStream, telephone: TelephoneEventReceiver) -> None:
        for event in telephone.take_events():
            self._events.append(TelephoneEventReceived(stream.mid, stream.rid, event))

    def _forward_unpacked(
        self, stream: RtpReceiveStream, packet: RtpPacket, media: Iterable[RtpPacket]
    ) -> None:
        """Forward the packets of a RED packet, which may have no media of its own."""
        is_empty = True
        for each in media:
            is_empty &= each.sequence_number != packet.sequence_number
            self._forward(stream, each)
        if is_empty:
            stream.skip_forwarded(packet)

    def _forward(self, stream: RtpReceiveStream, received: RtpPacket) -> None:
        packet = stream.remap_forwarded(received)
        if packet is None:
            return
        if packet.extension_map is None:
            # Packets unpacked from RED were parsed without an extension map.
            packet = attrs.evolve(packet, extension_map=self.extension_map)
        packets = self._forwarded.get(stream)
        if packets is None:
            self._forwarded[stream] = [packet]
        else:
            packets.append(packet)

    def _find_retransmitted(self, ssrc: int, route: Route) -> int | None:
        """Return the SSRC that an RTX SSRC retransmits: as announced, else the only one of its section and layer."""
        announced = self._sections.rtx_ssrcs.get(ssrc)
        if announced is not None:
            return announced
        candidates = [
            stream.ssrc
            for stream in self.streams
            if stream.mid == route.section.mid and stream.rid == route.rid
        ]
        return candidates[0] if len(candidates) == 1 else None

    # -- streams -------------------------------------------------------------------------------------------------

    def _find_stream(self, entry: _Entry, now: float) -> RtpReceiveStream | None:
        """Return the stream for the media of an SSRC, a new one if necessary; ``None``, counted, if it gets none."""
        route, stream = entry.route, entry.stream
        assert route is not None
        if stream is not None and stream.mid == route.section.mid:
            if stream.rid is None and route.rid is not None:
                stream.set_rid(route.rid)
            entry.state = _ACTIVE
            return stream
        if entry.is_late(now):
            self._drop("departed", entry.ssrc)
            return None
        codecs, identifiers, learned = entry.codecs, entry.identifiers, entry.learned
        if stream is not None:
            self._end(stream)
        self._end_replaced(entry.ssrc, route, now)
        if len(self._table.streams) >= self._options.max_streams:
            self._drop("too many streams", entry.ssrc)
            return None
        # The end of the stream before has cleared the route of its SSRC.
        entry.route, entry.codecs, entry.identifiers, entry.learned = route, codecs, identifiers, learned
        return self._start(entry, route)

    def _start(self, entry: _Entry, route: Route) -> RtpReceiveStream:
        ssrc, mid = entry.ssrc, route.section.mid
        extensions = self._sections.extensions[mid]
        stream = RtpReceiveStream(mid, ssrc, route.rid, self._options, extensions, budgets=self._budgets)
        self._apply_demand(stream, self._demands.get(mid, Demand()))
        stream.rtx_ssrc = self._sections.rtx_ssrc_of(ssrc)
        stream.fec_ssrc = self._sections.fec_ssrc_of(ssrc)
        self._table.activate(entry, stream)
        self._events.append(StreamStarted(mid, ssrc, stream.rid))
        return stream

    def _end_replaced(self, ssrc: int, route: Route, now: float) -> None:
        """End the stream whose place a new SSRC takes, if there is one."""
        announced = route.section.ssrcs
        for old in list(self.streams):
            if old.mid != route.section.mid or old.rid != route.rid:
                continue
            if old.rid is None and ssrc in announced and old.ssrc in announced:
                continue
            self._end(old, departed_at=now)

    def _end(self, stream: RtpReceiveStream, *, departed_at: float | None = None) -> None:
        """End a stream, of which late packets may arrive if it has departed."""
        stream.end()
        self._leaving.pop(stream, None)
        self._forwarded.pop(stream, None)
        self._deadlines.remove(stream)
        add_to(self._ended, receive_totals(stream))
        self._feedback.forget(stream.ssrc)
        self._av_sync.remove(stream)
        self._table.release(stream.ssrc, departed_at)
        self._events.append(StreamEnded(stream.mid, stream.ssrc, stream.rid))

    def _collect_frames(self, now: float) -> None:
        has_frames = False
        for stream in self._deadlines.due_streams(now):
            if stream.pipeline is not None:
                frames = stream.frames(now)
                if frames:
                    has_frames = True
                    self._events.append(FramesReceived(stream.mid, stream.rid, frames))
        av_sync = self._av_sync
        if has_frames and av_sync.members and now >= av_sync.next_update:
            av_sync.update(self.streams, now)
            for stream in self.streams:
                self._deadlines.touch(stream)

    def _drop(self, reason: str, ssrc: int | None = None) -> None:
        self.dropped[reason] += 1
        if ssrc is not None:
            self._table.record_use(ssrc)

    # -- RTCP of the sources -------------------------------------------------------------------------------------

    def handle_sender_report(self, report: SenderReport, now: float) -> None:
        stream = self._table.streams.get(report.ssrc)
        if stream is not None:
            stream.handle_sender_report(report, now)
            clock = stream.clock_of(report)
            if clock is not None:
                self._av_sync.handle_sender_report(stream, *clock)

    def handle_bye(self, ssrcs: Iterable[int], now: float) -> None:
        """End the streams that a BYE names: some now, the others with the batches and timers that follow."""
        streams = self._table.streams
        self._leaving.update((streams[ssrc], None) for ssrc in ssrcs if ssrc in streams)
        self._end_leaving(now)

    def _end_leaving(self, now: float) -> None:
        """End as many leaving streams as a batch or a timer may end."""
        leaving = list(itertools.islice(self._leaving, self._may_leave))
        self._may_leave -= len(leaving)
        for stream in leaving:
            self._end(stream, departed_at=now)

    def _finish_leaving(self, now: float) -> None:
        self._may_leave = _MAX_LEAVING
        self._next_leave = now + _LEAVING_INTERVAL if self._leaving else math.inf

    def set_round_trip(self, round_trip: float) -> None:
        """Set the round-trip time in seconds that paces requests, with the end of the batch.

        It is set for every stream, so only the last of a batch is used. No deadline depends on it: it applies to the
        requests that are sent from now on.
        """
        self._round_trip = round_trip

    def record_round_trip(self, round_trip: float) -> None:
        """Record the round-trip time of a DLRR block (RFC 3611 section 4.5); the last of a batch is used."""
        self._round_trip = self._measured_round_trip = round_trip

    def _apply_round_trip(self) -> None:
        round_trip, measured = self._round_trip, self._measured_round_trip
        if round_trip is not None:
            for stream in self.streams:
                stream.set_round_trip(round_trip)
                if measured is not None:
                    stream.round_trips.record(measured)
            self._round_trip = self._measured_round_trip = None

    # -- reports and feedback ------------------------------------------------------------------------------------

    def report_blocks(self, kinds: Collection[str], now: float) -> dict[str, list[ReportBlock]]:
        blocks: dict[str, list[ReportBlock]] = {}
        for stream in self.streams:
            section = self._sections.by_mid.get(stream.mid)
            if section is None or section.kind in kinds:
                blocks.setdefault(stream.mid, []).append(stream.report_block(now))
        return blocks

    def take_feedback(
        self,
        sender_of: Callable[[str | None], int],
        now: float,
        compact: Callable[[float], int],
        max_size: int,
    ) -> list[StreamFeedback]:
        """Return the feedback to send now: NACKs, keyframe requests and bandwidth feedback.

        Args:
            sender_of: Returns our SSRC in a section, or outside of all sections.
            now: Seconds.
            compact: Converts ``now`` to the middle 32 bits of an NTP timestamp.
            max_size: The maximum size of a packet in bytes.
        """
        feedback: list[StreamFeedback] = []
        for stream in self._deadlines.due_streams(now):
            if stream.next_request() <= now:
                packets = stream.take_requests(sender_of(stream.mid), now, max_size)
                if packets:
                    feedback.append(StreamFeedback(stream, packets))
        if self._feedback.is_due(now):
            # Bandwidth feedback is about all streams; the one received last is one that surely still sends.
            streams = sorted(self.streams, key=lambda stream: stream.last_received_at, reverse=True)
            latest = streams[0] if streams else None
            sender_ssrc = sender_of(None if latest is None else latest.mid)
            ssrcs = [stream.ssrc for stream in streams]
            packets = self._feedback.take_packets(sender_ssrc, ssrcs, now, compact(now), max_size)
            if packets:
                feedback.append(StreamFeedback(latest, packets))
        return feedback

    # -- time ----------------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        """Collect the frames that are due, and end the streams that were silent for ``source_timeout``."""
        self._collect_frames(now)
        if now >= self._next_leave:
            self._end_leaving(now)
            self._finish_leaving(now)
        timeout = self._options.source_timeout
        for stream in self._deadlines.due_streams(now):
            if stream.telephone is not None:
                stream.telephone.handle_timer(now)
                self._emit_telephone_events(stream, stream.telephone)
            if now >= stream.last_received_at + timeout:
                self._end(stream)

    def next_timer(self) -> float:
        return min(self._feedback.next_timer(), self._deadlines.next_timer(), self._next_leave)

    def counters(self) -> Mapping[str, float]:
        """Return the counters of all streams together, and the dropped packets by reason."""
        totals: Totals = {**self._feedback.counters(), **self._budgets.counters()}
        add_to(totals, self._ended)
        for decoder in self._flexfec.values():
            add_to(totals, fec_counters("flexfec", decoder))
        for stream in self.streams:
            add_to(totals, receive_totals(stream))
        add_to(totals, self.dropped)
        return totals


_ACTIVE = SsrcState.ACTIVE
"""A module attribute: it is read with every packet."""
