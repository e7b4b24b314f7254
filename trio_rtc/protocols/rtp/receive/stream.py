"""One incoming stream: what comes from one source, with its repairs, up to whole frames in order.

The stream numbers, counts and asks for packets the same way for sound and pictures; what becomes of their payloads is
the matter of its path (:mod:`.paths`), which is another one when the payload type changes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from trio_rtc.protocols.rtcp import (
    ReportBlock,
    SenderReport,
    compact_from_seconds,
    compact_ntp,
    unix_from_ntp,
)
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.red_decoder import RedDecoder, UlpfecDecoder, Unpacked
from trio_rtc.protocols.rtp.forward.sequence_remapper import SequenceRemapper
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import FEEDBACK_NACK, TELEPHONE_EVENT, ULPFEC, Codec
from trio_rtc.protocols.rtp.payload import depacketizer
from trio_rtc.protocols.rtp.stats import FecCounters, ReceiveStats, RoundTripStats, Totals, numbers_of
from trio_rtc.protocols.serial import Unwrapper

from .audio.pipeline import AudioReceivePipeline
from .audio.telephone_events import TelephoneEventReceiver
from .early_media import EarlyMedia, MediaPacket
from .keyframe_request_limiter import KeyframeRequestLimiter
from .nack import NackGenerator
from .sequence_unwrapper import SequenceUnwrapper
from .statistics import ReceptionStatistics
from .video.pipeline import VideoReceivePipeline


@attrs.define
class ReceiveCounters:
    """What was received beyond :class:`.ReceptionStatistics` (W3C webrtc-stats, inbound-rtp)."""

    header_bytes: int = 0
    retransmitted_packets: int = 0
    retransmitted_bytes: int = 0
    repairs_unneeded: int = 0
    fec_recovered: int = 0
    nacks_sent: int = 0
    plis_sent: int = 0
    firs_sent: int = 0
    frames: int = 0
    keyframes: int = 0


@attrs.frozen
class RemoteOutboundReport:
    """The last sender report of the source (W3C webrtc-stats, remote-outbound-rtp).

    Attributes:
        report: As it came.
        arrived_at: Seconds.
        count: How many there have been.
    """

    report: SenderReport
    arrived_at: float
    count: int


class Contribution(NamedTuple):
    """When a contributing source was last named: in seconds, and by the RTP timestamp of the packet."""

    at: float
    timestamp: int


class RtpReceiveStream:
    """Receives one source.

    Args:
        mid: The section.
        ssrc: The source.
        rid: Its simulcast layer.
        options: Of the session.
        extensions: The header extensions of its section; set anew when they are negotiated anew.
        budgets: Shared with the other streams of the session; ``None`` for a stream by itself.

    Attributes:
        statistics: For reports.
        counters: What else was received.
        repairs: What was received to get packets back.
        meters: What is measured of its frames.
        round_trips: What the source's reports have told of the path.
        rtx_ssrc: The source of its retransmissions; ``None`` as long as that is not known.
        fec_ssrc: The source of its repair packets, likewise; ``None`` also where they come among the media.
        codec: Of the last packet; ``None`` before the first.
        last_heard: When the last packet came.
        wants_packets: Whether somebody wants its packets.
        last_report: The source's own, ``None`` before the first.
        last_packet: The last that came by itself, ``None`` before the first.
        contributors: When each contributing source was last named (CSRC), the latest last; of at most 64.
        telephone: Its telephone events; ``None`` before the first.
    """

    def __init__(
        self,
        mid: str,
        ssrc: int,
        rid: str | None,
        options: RtpOptions,
        extensions: ExtensionMap | None = None,
        *,
        budgets: ReceiveBudgets | None = None,
    ) -> None:
        self.extensions = extensions or ExtensionMap()
        self.mid = mid
        self.ssrc = ssrc
        self.rid = rid
        self.statistics = ReceptionStatistics()
        self.counters = ReceiveCounters()
        self.repairs = FecCounters()
        self.meters = ReceiveStats()
        self.round_trips = RoundTripStats()
        self.rtx_ssrc: int | None = None
        self.fec_ssrc: int | None = None
        self.codec: Codec | None = None
        self.last_heard = -math.inf
        self.last_report: RemoteOutboundReport | None = None
        self.last_packet: RtpPacket | None = None
        self.contributors: dict[int, Contribution] = {}
        self.telephone: TelephoneEventReceiver | None = None
        self._options = options
        self._numbers = SequenceUnwrapper()
        self._timestamps: Unwrapper | None = None
        self._nack: NackGenerator | None = None
        self._pipeline: VideoReceivePipeline | AudioReceivePipeline | None = None
        self._between = 0
        self._remapper = SequenceRemapper(_HANDED_ON)
        self._wanted = False
        self._min_delay = 0.0
        self.wants_packets = False
        self._wants_repair = False
        self._budgets = budgets or ReceiveBudgets(options)
        self._early = EarlyMedia(self._budgets.early_media, self._open_nack)
        self._redundant: RedDecoder | UlpfecDecoder | None = None
        self._keyframes = KeyframeRequestLimiter(options.keyframe_interval)

    def set_rid(self, rid: str) -> None:
        """Set the simulcast layer of a stream whose first packets did not name it."""
        self.rid = rid
        if self._pipeline is not None:
            self._pipeline.rid = rid

    @property
    def pipeline(self) -> VideoReceivePipeline | AudioReceivePipeline | None:
        """Where payloads become frames; ``None`` while nobody wants frames, or if the codec is not known."""
        return self._pipeline

    def receive(
        self, packet: RtpPacket, codec: Codec, size: int, now: float, *, repaired: bool = False
    ) -> bool:
        """Take a packet of this source, of media or between; return whether it is one to go on with.

        Args:
            packet: The packet.
            codec: What its payload type stands for.
            size: Bytes of the whole packet.
            now: When it came.
            repaired: Whether it came by retransmission.

        Raises:
            ProtocolError: It is of telephone events, and malformed.
        """
        number = (self._numbers.nearest if repaired else self._numbers.unwrap)(packet.sequence_number)
        if number is None:
            return False
        if not codec.is_media:
            # Telephone events and comfort noise stand between the packets of the sound, which miss nothing there.
            self._between += not repaired
        elif codec is not self.codec:
            self._take_codec(codec)
        timestamp = self._count(packet, number, codec.clock_rate, size, now, repaired=repaired)
        if self._redundant is not None and isinstance(self._redundant, RedDecoder):
            self._redundant.media_received(number, timestamp)
        if codec.is_media:
            self._insert(MediaPacket(number - self._between, timestamp, packet, now, repaired))
        elif codec.name.lower() == TELEPHONE_EVENT:
            if self.telephone is None:
                self.telephone = TelephoneEventReceiver()
            self.telephone.received(packet.payload, timestamp, codec.clock_rate, now)
        return True

    def hand_on(self, packet: RtpPacket) -> RtpPacket | None:
        """Return a packet for those who want packets: each once, as far as it is wanted and more than padding.

        Retransmissions are also sent to probe the path, and may be overtaken by what they repeat.
        """
        number = self._numbers.nearest(packet.sequence_number) if self.wants_packets else None
        if number is None:
            return None
        if not packet.payload:
            self._remapper.skip(number)
            return None
        ours = self._remapper.take(number)
        if ours is None or ours == number:
            return None if ours is None else packet
        return packet.with_sequence_number(ours & 0xFFFF)

    def note_without_media(self, packet: RtpPacket) -> None:
        """Hear that there is nothing to hand on at the number of a packet."""
        number = self._numbers.nearest(packet.sequence_number) if self.wants_packets else None
        if number is not None:
            self._remapper.skip(number)

    def receive_redundant(
        self,
        packet: RtpPacket,
        codecs: Mapping[int, Codec],
        data: bytes,
        now: float,
        *,
        repaired: bool = False,
    ) -> Sequence[RtpPacket] | None:
        """Take a packet of RED's payload type; return the media in it, ``None`` if it is not one to go on with.

        Args:
            packet: The packet.
            codecs: Of the section, by payload type.
            data: Its bytes.
            now: When it came.
            repaired: Whether it came by retransmission.

        Raises:
            ProtocolError: What it carries is malformed.
        """
        number = (self._numbers.nearest if repaired else self._numbers.unwrap)(packet.sequence_number)
        if number is None:
            return None
        clock_rate = codecs[packet.payload_type].clock_rate
        timestamp = self._count(packet, number, clock_rate, len(data), now, repaired=repaired)
        unpacked = self._unpack(packet, number, timestamp, codecs, data)
        if clock_rate == _VIDEO_CLOCK_RATE and (not unpacked or unpacked[0].recovered):
            # A repair packet has a number among those of the media, at which nothing is missing.
            filler = RtpPacket(packet.payload_type, packet.sequence_number, packet.timestamp, self.ssrc)
            self._insert(MediaPacket(number, timestamp, filler, now, False))
        for each in unpacked:
            self._take_unpacked(each, codecs[each.packet.payload_type], now, repaired=repaired)
        return [each.packet for each in unpacked]

    def receive_recovered(self, packet: RtpPacket, codec: Codec, now: float) -> bool:
        """Take a packet that forward error correction has got back; return whether it is one to go on with."""
        if codec.is_media:
            self._take_unpacked(Unpacked(packet, True), codec, now, repaired=False)
        return codec.is_media and self._numbers.highest is not None

    def _unpack(
        self, packet: RtpPacket, number: int, timestamp: int, codecs: Mapping[int, Codec], data: bytes
    ) -> list[Unpacked]:
        redundant = self._redundant
        if redundant is None:
            redundant = self._redundant = self._make_redundant(packet.payload_type, codecs)
        if isinstance(redundant, RedDecoder):
            return redundant.unpack(packet, number, timestamp, codecs, self.repairs)
        unpacked = redundant.unpack(packet, data, codecs, self.repairs)
        if self._pipeline is not None and (not unpacked or unpacked[0].recovered):
            self._pipeline.expect_repairs()
        return unpacked

    def note_repair(self, packet: RtpPacket) -> FecCounters:
        """Hear of a repair packet that is a packet of its own; return the counters in which it may become useless."""
        self.fec_ssrc = packet.ssrc
        self.repairs.packets += 1
        self.repairs.bytes += len(packet.payload)
        if self._pipeline is not None:
            self._pipeline.expect_repairs()
        return self.repairs

    def _make_redundant(self, red: int, codecs: Mapping[int, Codec]) -> RedDecoder | UlpfecDecoder:
        if codecs[red].clock_rate != _VIDEO_CLOCK_RATE:
            return RedDecoder(self._options.red)
        ulpfec = next((number for number, codec in codecs.items() if codec.name.lower() == ULPFEC), -1)
        decoder = FecDecoder(
            self._options.fec,
            mutable_extensions=self.extensions.mutable_elements(),
            budget=self._budgets.fec,
        )
        return UlpfecDecoder(ulpfec, decoder)

    def _take_unpacked(self, unpacked: Unpacked, codec: Codec, now: float, *, repaired: bool) -> None:
        packet, recovered = unpacked
        number = self._numbers.nearest(packet.sequence_number)
        if number is None or self._timestamps is None:
            return
        if codec is not self.codec:
            self._take_codec(codec)
        if recovered:
            self.counters.fec_recovered += 1
            if self._nack is not None:
                self._nack.received(number, now, recovered=True)
        timestamp = self._timestamps.peek(packet.timestamp)
        # The sound that redundancy gets back is later than other sound, each time: it is worth a longer buffer.
        self._insert(MediaPacket(number - self._between, timestamp, packet, now, repaired))

    def _count(
        self, packet: RtpPacket, number: int, clock_rate: int, size: int, now: float, *, repaired: bool
    ) -> int:
        """Count a packet as it came; return its timestamp, unwrapped."""
        timestamps = self._timestamps
        if timestamps is None:
            timestamps = self._timestamps = Unwrapper(32, packet.timestamp)
        timestamp = timestamps.unwrap(packet.timestamp)
        self.last_heard = now
        payload_size = len(packet.payload)
        self.counters.header_bytes += size - payload_size
        if repaired:
            self.counters.retransmitted_packets += 1
            self.counters.repairs_unneeded += self._nack is not None and not self._nack.is_missing(number)
            self.counters.retransmitted_bytes += payload_size
        else:
            self.statistics.received(number, timestamp, now, clock_rate, payload_size)
            self.last_packet = packet
            if packet.csrcs:
                self._note_contributors(packet, now)
        if self._nack is not None:
            self._nack.received(number, now, repeated=repaired)
        return timestamp

    def _note_contributors(self, packet: RtpPacket, now: float) -> None:
        for source in packet.csrcs:
            self.contributors.pop(source, None)
            self.contributors[source] = Contribution(now, packet.timestamp)
        while len(self.contributors) > _MAX_CONTRIBUTORS:
            del self.contributors[next(iter(self.contributors))]

    def want(self, *, frames: bool, packets: bool, min_delay: float = 0.0) -> list[RtpPacket]:
        """Set the demand for frames and packets. Without demand, packets are counted and never requested again.

        Returns:
            The first packets of the stream, to be handed on, if packets are wanted for the first time.
        """
        for_frames, for_packets = self._early.want(frames=frames, packets=packets)
        if packets and not self.wants_packets:
            # What came before is not wanted any more, nor what repeats it.
            first = min((each.number + self._between for each in for_packets), default=None)
            self._remapper = SequenceRemapper(
                _HANDED_ON, self._numbers.highest if first is None else first - 1
            )
        self.wants_packets = packets
        self._min_delay = min_delay
        if self._pipeline is not None:
            self._pipeline.set_min_delay(min_delay)
        self._wants_repair = frames or packets
        self._open_nack()
        if frames is not self._wanted:
            self._wanted = frames
            self._open_pipeline()
            self._insert_kept(for_frames)
            # The stream may be in the midst of what only a keyframe begins.
            self._keyframes.is_wanted = frames and self.is_video and not self._has_beginning
        return [each.packet for each in for_packets]

    def _insert(self, packet: MediaPacket) -> None:
        """Insert a packet into the pipeline, and keep it for who may want it soon."""
        self._insert_into_pipeline(packet)
        self._early.add(packet)

    def _insert_into_pipeline(self, packet: MediaPacket) -> None:
        if self._pipeline is not None:
            number, timestamp, media, arrival, recovered = packet
            values = self.extensions.read(media.extensions)
            self._pipeline.insert(number, timestamp, media, values, arrival, recovered=recovered)

    def _insert_kept(self, early: Sequence[MediaPacket]) -> None:
        """Insert packets that were kept into the path."""
        for each in early:
            self._insert_into_pipeline(each)
        if early and isinstance(self._pipeline, VideoReceivePipeline):
            self._pipeline.note_kept(max(each.number for each in early))

    def _open_nack(self) -> None:
        if not self._wants_repair and self._early.packets is None:
            self._nack = None
        elif self._nack is None and self.codec is not None and FEEDBACK_NACK in self.codec.feedback:
            self._nack = NackGenerator(self._options.nack)
            if self._numbers.highest is not None:
                # The first packet in RED is counted before it is known what is in it.
                self._nack.received(self._numbers.highest, self.last_heard)

    def _open_pipeline(self) -> None:
        if self._pipeline is not None:
            self._pipeline.end()
        self._pipeline = None
        if self._wanted and self.codec is not None:
            self._pipeline = self._make_pipeline(self.codec)
        if self._pipeline is not None:
            self._pipeline.set_min_delay(self._min_delay)

    def _make_pipeline(self, codec: Codec) -> VideoReceivePipeline | AudioReceivePipeline | None:
        """Return the pipeline of a codec, ``None`` if its payload format is not supported."""
        opener = depacketizer(codec.name, codec.parameters)
        if opener is None or not codec.is_media:
            return None
        if codec.clock_rate == _VIDEO_CLOCK_RATE:
            return VideoReceivePipeline(
                codec,
                opener,
                self._options,
                self.meters,
                ssrc=self.ssrc,
                rid=self.rid,
                budgets=self._budgets,
            )
        return AudioReceivePipeline(codec, opener, self._options, self.meters, ssrc=self.ssrc, rid=self.rid)

    @property
    def _has_beginning(self) -> bool:
        return isinstance(self._pipeline, VideoReceivePipeline) and self._pipeline.assembler.has_beginning

    @property
    def is_video(self) -> bool:
        """Whether keyframes mean something."""
        return self.codec is not None and self.codec.clock_rate == _VIDEO_CLOCK_RATE

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return what is to be decoded, in order."""
        pipeline = self._pipeline
        if pipeline is None:
            return []
        frames = pipeline.frames(now)
        if frames:
            self.counters.frames += len(frames)
            keyframes = sum(isinstance(each, EncodedFrame) and each.keyframe for each in frames)
            if keyframes:
                self.counters.keyframes += keyframes
                # What was to be asked for, as soon as that may be done again, is here.
                self._keyframes.is_wanted = False
        if self._nack is not None and pipeline.next_expected is not None:
            # Also while nothing comes out: what was given up need not be asked for.
            self._nack.forget_below(pipeline.next_expected + self._between)
        return frames

    # -- what is asked of the source ------------------------------------------------------------------------------

    def request_keyframe(self) -> None:
        """Ask for a keyframe, as soon as the last request is long enough ago."""
        self._keyframes.is_wanted = True

    def next_request(self) -> float:
        """Return when something is to be asked of the source: at once if what makes its frames may want something."""
        return self._request_deadline() if self._pipeline is None else -math.inf

    def _request_deadline(self) -> float:
        """Return when something is to be asked that is known already."""
        deadline = self._keyframes.next_timer()
        return deadline if self._nack is None else min(deadline, self._nack.next_timer())

    def take_nacks(self, now: float) -> list[int]:
        """Return the sequence numbers to ask for now, as on the wire."""
        if self._nack is None:
            return []
        missing = [number & 0xFFFF for number in self._nack.due(now)]
        if missing and self._pipeline is not None:
            self._pipeline.set_retransmission_timeout(
                self._nack.retransmission_timeout, self._nack.first_answer
            )
        if self._nack.take_gave_up() and self._pipeline is not None:
            self._pipeline.repair_gave_up()
        return missing

    def take_keyframe_request(self, now: float) -> bool:
        """Return whether to ask for a keyframe now."""
        if self._pipeline is not None and self._pipeline.take_keyframe_request():
            self._keyframes.is_wanted = True
        return self._keyframes.take(now)

    def takes(self, feedback: str) -> bool:
        """Return whether the source takes a kind of feedback."""
        return self.codec is not None and feedback in self.codec.feedback

    def set_round_trip(self, round_trip: float) -> None:
        """Tell the round-trip time in seconds."""
        if self._nack is not None:
            self._nack.set_round_trip(round_trip)

    def repair_counters(self) -> dict[str, float]:
        """Return what the parts have counted that number packets and ask for them."""
        counters: dict[str, float] = {
            "sequence_numbers_rejected": self._numbers.rejected,
            "sequence_restarts": self._numbers.restarts,
        }
        if self._nack is not None:
            counters["nack_requested"] = self._nack.requested
            counters["nack_given_up"] = self._nack.given_up
        if isinstance(self._pipeline, VideoReceivePipeline):
            counters["keyframes_wanted"] = self._pipeline.assembler.keyframe_requests
        if self._redundant is not None:
            counters |= self._redundant.counters()
        return counters

    # -- reports -----------------------------------------------------------------------------------------------

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of the source's own."""
        count = 1 if self.last_report is None else self.last_report.count + 1
        self.last_report = RemoteOutboundReport(report, now, count)

    def clock_of(self, report: SenderReport) -> tuple[int, float] | None:
        """Return what a report says of the source's clock: a timestamp, unwrapped, and the sender's time of it."""
        if self._timestamps is None:
            return None
        return self._timestamps.peek(report.rtp_timestamp), unix_from_ntp(report.ntp_timestamp)

    def report_block(self, now: float) -> ReportBlock:
        """Return what we tell of the source."""
        values = self.statistics.take_report()
        last, delay = 0, 0
        if self.last_report is not None:
            last = compact_ntp(self.last_report.report.ntp_timestamp)
            delay = compact_from_seconds(now - self.last_report.arrived_at)
        return ReportBlock(
            self.ssrc,
            values.fraction_lost,
            values.cumulative_lost,
            values.highest_sequence_number,
            values.jitter,
            last,
            delay,
        )

    # -- time --------------------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        """Return the next deadline."""
        deadline = self._request_deadline()
        if self._pipeline is not None:
            deadline = min(deadline, self._pipeline.next_timer())
        return deadline if self.telephone is None else min(deadline, self.telephone.next_timer())

    def end(self) -> None:
        """Release what the stream has kept, of which nothing will be used any more."""
        self._early.release()
        if self._pipeline is not None:
            self._pipeline.end()
        if isinstance(self._redundant, UlpfecDecoder):
            self._redundant.end()

    def _take_codec(self, codec: Codec) -> None:
        """Go on with another codec; the same one, negotiated once more, changes nothing of what is under way."""
        changed = codec != self.codec
        self.codec = codec
        if changed:
            self._early.begin(is_video=self.is_video)
        self._open_nack()
        if changed:
            self._open_pipeline()


_VIDEO_CLOCK_RATE = 90_000
_MAX_CONTRIBUTORS = 64
_HANDED_ON = 2048
"""Numbers of packets that may still come late, or twice; longer than what is missing is asked for."""


def receive_totals(stream: RtpReceiveStream) -> Totals:
    """Return what one incoming stream has counted."""
    meters = stream.meters
    return {
        "incoming_packets": stream.statistics.packets,
        "incoming_payload_bytes": stream.statistics.bytes,
        **numbers_of(stream.counters, "incoming_"),
        **numbers_of(stream.repairs, "incoming_fec_"),
        **numbers_of(meters.assembler, "assembler_"),
        **numbers_of(meters.playout, "playout_"),
        "playout_malformed": meters.malformed,
        "frames_emitted": meters.emitted,
        "frames_assembled": meters.assembled,
        "freezes": meters.intervals.freezes,
        "pauses": meters.intervals.pauses,
        **stream.repair_counters(),
    }
