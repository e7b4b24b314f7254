"""One received stream: the packets of an SSRC, with its retransmissions and error correction, up to frames in order.

The stream unwraps sequence numbers, counts packets and requests lost ones in the same way for audio and video. The
payloads go to the receive pipeline of the codec (:mod:`.video.pipeline`, :mod:`.audio.pipeline`), which is replaced
when the payload type changes to another codec. There is a pipeline only while the application consumes frames, and
lost packets are requested only while it consumes frames or packets; until the first demand the first packets of video
are kept (:mod:`.early_media`).

Telephone events and comfort noise have sequence numbers of the audio stream but no place in its playout buffer: the
pipeline receives numbers from which they are subtracted. RED packets are unpacked to the packets that they carry, and
ULPFEC packets in them leave an empty packet in the pipeline, so that nothing is missing at their numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtcp import (
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    compact_from_seconds,
    compact_ntp,
    unix_from_ntp,
)
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.codec import TELEPHONE_EVENT, ULPFEC, Codec
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.red import RedDecoder, UlpfecDecoder, UnpackedPacket
from trio_rtc.protocols.rtp.forward.sequence_remapper import SequenceRemapper
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap, HeaderValues
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import MediaPacket, RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceUnwrapper, Unwrapper
from trio_rtc.protocols.rtp.parameters import FEEDBACK_FIR, FEEDBACK_NACK, FEEDBACK_PLI
from trio_rtc.protocols.rtp.payload import depacketizer
from trio_rtc.protocols.rtp.stats import (
    FecCounters,
    FrameRate,
    ReceiveCounters,
    ReceiveStats,
    ReceptionStatistics,
    RemoteOutboundReport,
    RoundTripStats,
    Totals,
    numbers_of,
)

from .audio.pipeline import AudioReceivePipeline
from .audio.telephone_events import TelephoneEventReceiver
from .early_media import EarlyMedia
from .requests import KeyframeRequestLimiter, NackGenerator
from .video.pipeline import VideoReceivePipeline

_VIDEO_CLOCK_RATE = 90_000
_NO_VALUES = HeaderValues()
_MAX_CONTRIBUTORS = 64
_FORWARD_WINDOW = 2048
"""Sequence numbers by which a forwarded packet may be late; more than the NACK generator waits for."""


class Contribution(NamedTuple):
    """The last packet that named a contributing source: its arrival in seconds, and its RTP timestamp."""

    at: float
    timestamp: int


class RtpReceiveStream:
    """Receives one SSRC.

    Args:
        rid: The simulcast layer.
        extensions: The header extensions of the section; replaced when they are negotiated again.
        budgets: Shared with the other streams of the session; ``None`` for a stream by itself.

    Attributes:
        fec_counters: Counters of the FEC or RED packets that protect it.
        round_trips: Round-trip times measured by DLRR blocks.
        rtx_ssrc: The SSRC of its retransmissions; ``None`` while that is not known.
        fec_ssrc: The SSRC of its FlexFEC packets; ``None`` while that is not known, or if it has none.
        codec: The codec of the last media packet; ``None`` before the first.
        last_received_at: When the last packet arrived.
        wants_packets: Whether the application consumes its packets.
        last_report: The last sender report; ``None`` before the first.
        last_packet: The last packet that was not a retransmission; ``None`` before the first.
        contributors: When each contributing source (CSRC) was last named, the latest last; at most 64.
        telephone: Receives its telephone events; ``None`` before the first.
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
        self.reception = ReceptionStatistics()
        self.counters = ReceiveCounters()
        self.fec_counters = FecCounters()
        self.frame_stats = ReceiveStats()
        self.round_trips = RoundTripStats()
        self.rtx_ssrc: int | None = None
        self.fec_ssrc: int | None = None
        self.codec: Codec | None = None
        self.last_received_at = -math.inf
        self.last_report: RemoteOutboundReport | None = None
        self.last_packet: RtpPacket | None = None
        self.contributors: dict[int, Contribution] = {}
        self.telephone: TelephoneEventReceiver | None = None
        self.wants_packets = False
        self._options = options
        self._numbers = SequenceUnwrapper()
        self._timestamps: Unwrapper | None = None
        self._nack: NackGenerator | None = None
        self._pipeline: VideoReceivePipeline | AudioReceivePipeline | None = None
        # How many packets were no media: telephone events and comfort noise.
        self._between = 0
        self._remapper = SequenceRemapper(_FORWARD_WINDOW)
        self._newest_frame = -math.inf
        self._wants_frames = False
        self._wants_retransmission = False
        self._requested_delay = 0.0
        self._decoded = False
        self._budgets = budgets or ReceiveBudgets(options)
        self._early = EarlyMedia(self._budgets.early_media, self._update_nack)
        self._red: RedDecoder | UlpfecDecoder | None = None
        self._keyframes = KeyframeRequestLimiter(options.keyframe_interval)

    def set_rid(self, rid: str) -> None:
        """Set the simulcast layer of a stream whose first packets did not name it."""
        self.rid = rid
        if self._pipeline is not None:
            self._pipeline.rid = rid

    @property
    def pipeline(self) -> VideoReceivePipeline | AudioReceivePipeline | None:
        """The pipeline from payloads to frames; ``None`` without demand for frames, or for an unsupported codec."""
        return self._pipeline

    @property
    def is_video(self) -> bool:
        return self.codec is not None and self.codec.clock_rate == _VIDEO_CLOCK_RATE

    # -- packets -------------------------------------------------------------------------------------------------

    def receive(
        self, packet: RtpPacket, codec: Codec, size: int, now: float, *, retransmitted: bool = False
    ) -> bool:
        """Receive a packet of media, telephone events or comfort noise.

        Args:
            packet: The packet.
            codec: The codec of its payload type.
            size: The size of the whole packet in bytes.
            now: Its arrival time.
            retransmitted: Whether it was received by RTX.

        Returns:
            Whether its sequence number was accepted.

        Raises:
            ProtocolError: It has malformed telephone events.
        """
        number = (self._numbers.nearest if retransmitted else self._numbers.unwrap)(packet.sequence_number)
        if number is None:
            return False
        if not codec.is_media:
            self._between += not retransmitted
        elif codec is not self.codec:
            self._set_codec(codec)
        timestamp = self._count(packet, number, codec.clock_rate, size, now, retransmitted=retransmitted)
        if self._red is not None and isinstance(self._red, RedDecoder):
            self._red.media_received(number, timestamp)
        if codec.is_media:
            self._insert(MediaPacket(number - self._between, timestamp, packet, now, retransmitted))
        elif codec.name.lower() == TELEPHONE_EVENT:
            if self.telephone is None:
                self.telephone = TelephoneEventReceiver()
            self.telephone.received(packet.payload, timestamp, codec.clock_rate, now)
        return True

    def receive_red(
        self,
        packet: RtpPacket,
        codecs: Mapping[int, Codec],
        data: bytes,
        now: float,
        *,
        retransmitted: bool = False,
    ) -> Sequence[RtpPacket] | None:
        """Receive a RED packet; return the media packets in it, ``None`` if its sequence number was not accepted.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        number = (self._numbers.nearest if retransmitted else self._numbers.unwrap)(packet.sequence_number)
        if number is None:
            return None
        clock_rate = codecs[packet.payload_type].clock_rate
        timestamp = self._count(packet, number, clock_rate, len(data), now, retransmitted=retransmitted)
        unpacked = self._unpack_red(packet, number, timestamp, codecs, data)
        if clock_rate == _VIDEO_CLOCK_RATE and (not unpacked or unpacked[0].recovered):
            # A ULPFEC packet has a sequence number of the media stream, at which no media is missing.
            filler = RtpPacket(packet.payload_type, packet.sequence_number, packet.timestamp, self.ssrc)
            self._insert(MediaPacket(number, timestamp, filler, now, False))
        for each in unpacked:
            self._receive_unpacked(each, codecs[each.packet.payload_type], now, retransmitted=retransmitted)
        return [each.packet for each in unpacked]

    def receive_recovered(self, packet: RtpPacket, codec: Codec, now: float) -> bool:
        """Receive a packet that FlexFEC has recovered; return whether it was accepted."""
        if codec.is_media:
            self._receive_unpacked(UnpackedPacket(packet, True), codec, now, retransmitted=False)
        return codec.is_media and self._numbers.highest is not None

    def record_fec_packet(self, packet: RtpPacket, size: int) -> FecCounters:
        """Record a FlexFEC packet of ``size`` bytes; return the counters in which it may become useless."""
        self.fec_ssrc = packet.ssrc
        counters = self.fec_counters
        counters.packets += 1
        counters.own_packets += 1
        counters.bytes += len(packet.payload)
        counters.own_header_bytes += size - len(packet.payload)
        if self._pipeline is not None:
            self._pipeline.expect_fec()
        return counters

    def _unpack_red(
        self, packet: RtpPacket, number: int, timestamp: int, codecs: Mapping[int, Codec], data: bytes
    ) -> list[UnpackedPacket]:
        red = self._red
        if red is None:
            red = self._red = self._make_red_decoder(packet.payload_type, codecs)
        if isinstance(red, RedDecoder):
            return red.unpack(packet, number, timestamp, codecs, self.fec_counters)
        unpacked = red.unpack(packet, data, codecs, self.fec_counters)
        if self._pipeline is not None and (not unpacked or unpacked[0].recovered):
            self._pipeline.expect_fec()
        return unpacked

    def _make_red_decoder(self, payload_type: int, codecs: Mapping[int, Codec]) -> RedDecoder | UlpfecDecoder:
        if codecs[payload_type].clock_rate != _VIDEO_CLOCK_RATE:
            return RedDecoder(self._options.red)
        ulpfec = next((number for number, codec in codecs.items() if codec.name.lower() == ULPFEC), -1)
        decoder = FecDecoder(
            self._options.fec,
            mutable_extensions=self.extensions.mutable_elements(),
            budget=self._budgets.fec,
        )
        return UlpfecDecoder(ulpfec, decoder)

    def _receive_unpacked(
        self, unpacked: UnpackedPacket, codec: Codec, now: float, *, retransmitted: bool
    ) -> None:
        packet, recovered = unpacked
        number = self._numbers.nearest(packet.sequence_number)
        if number is None or self._timestamps is None:
            return
        if codec is not self.codec:
            self._set_codec(codec)
        if recovered:
            self.counters.fec_recovered += 1
            if self._nack is not None:
                self._nack.packet_received(number, now, recovered=True)
        timestamp = self._timestamps.peek(packet.timestamp)
        # Audio recovered by redundancy is later than other audio each time: the jitter buffer must grow by that.
        self._insert(MediaPacket(number - self._between, timestamp, packet, now, retransmitted))

    def _count(
        self, packet: RtpPacket, number: int, clock_rate: int, size: int, now: float, *, retransmitted: bool
    ) -> int:
        """Count a received packet; return its unwrapped timestamp."""
        timestamps = self._timestamps
        if timestamps is None:
            timestamps = self._timestamps = Unwrapper(32, packet.timestamp)
        timestamp = timestamps.unwrap(packet.timestamp)
        self.last_received_at = now
        payload_size = len(packet.payload)
        self.counters.header_bytes += size - payload_size
        if retransmitted:
            self.counters.retransmitted_packets += 1
            self.counters.repairs_unneeded += self._nack is not None and not self._nack.is_missing(number)
            self.counters.retransmitted_bytes += payload_size
        else:
            self.reception.record(number, timestamp, now, clock_rate, payload_size)
            self.last_packet = packet
            if packet.csrcs:
                self._record_contributors(packet, now)
        if self._nack is not None:
            self._nack.packet_received(number, now, retransmitted=retransmitted)
        return timestamp

    def _record_contributors(self, packet: RtpPacket, now: float) -> None:
        for source in packet.csrcs:
            self.contributors.pop(source, None)
            self.contributors[source] = Contribution(now, packet.timestamp)
        while len(self.contributors) > _MAX_CONTRIBUTORS:
            del self.contributors[next(iter(self.contributors))]

    def _set_codec(self, codec: Codec) -> None:
        """Set the codec. The same one, negotiated again, leaves the pipeline and the kept packets as they are.

        Offers and answers list feedback in the order of either side, and the pipeline does not depend on it.
        """
        before, self.codec = self.codec, codec
        changed = before is None or attrs.evolve(codec, feedback=before.feedback) != before
        if changed:
            self._early.begin(is_video=self.is_video)
        self._update_nack()
        if changed:
            self._replace_pipeline()

    # -- forwarded packets ---------------------------------------------------------------------------------------

    def remap_forwarded(self, packet: RtpPacket) -> RtpPacket | None:
        """Return a packet as it is forwarded; ``None`` without demand, or if it was forwarded before or is padding.

        Retransmissions are also sent to probe the path, and may be overtaken by what they repeat.
        """
        number = self._numbers.nearest(packet.sequence_number) if self.wants_packets else None
        if number is None:
            return None
        if not packet.payload:
            self._remapper.skip(number)
            return None
        remapped = self._remapper.remap(number)
        if remapped is None or remapped == number:
            return None if remapped is None else packet
        return packet.with_sequence_number(remapped & 0xFFFF)

    def skip_forwarded(self, packet: RtpPacket) -> None:
        """Record that there is no media to forward at the sequence number of a packet."""
        number = self._numbers.nearest(packet.sequence_number) if self.wants_packets else None
        if number is not None:
            self._remapper.skip(number)

    # -- demand and frames ---------------------------------------------------------------------------------------

    def set_demand(
        self, *, frames: bool, packets: bool, min_delay: float = 0.0, decoded: bool = False
    ) -> list[RtpPacket]:
        """Set the demand for frames and packets. Without demand, packets are counted and never requested again.

        Returns:
            The first packets of the stream, to be forwarded, if packets are wanted for the first time.
        """
        for_frames, for_packets = self._early.set_demand(frames=frames, packets=packets)
        if packets and not self.wants_packets:
            # Earlier packets are not forwarded any more, nor their retransmissions.
            first = min((each.number + self._between for each in for_packets), default=None)
            self._remapper = SequenceRemapper(
                _FORWARD_WINDOW, self._numbers.highest if first is None else first - 1
            )
        self.wants_packets = packets
        self._requested_delay = min_delay
        self._decoded = decoded
        if self._pipeline is not None:
            self._apply_to_pipeline(self._pipeline)
        self._wants_retransmission = frames or packets
        self._update_nack()
        if frames is not self._wants_frames:
            self._wants_frames = frames
            self._replace_pipeline()
            self._insert_kept(for_frames)
            # The first packet that arrives may belong to a frame that refers to earlier ones.
            self._keyframes.is_wanted = frames and self.is_video and not self._has_beginning
        return [each.packet for each in for_packets]

    def _insert(self, packet: MediaPacket) -> None:
        """Insert a packet into the pipeline, and keep it for later demand."""
        if self._pipeline is not None:
            self._pipeline.insert(packet, self._header_values(packet.packet))
        elif packet.timestamp > self._newest_frame and packet.packet.payload and self.is_video:
            self._newest_frame = packet.timestamp
            self.frame_stats.unassembled += 1
            self.frame_stats.rate.record(packet.arrival)
        if self._early.packets is not None:
            self._early.add(packet)

    def _header_values(self, packet: RtpPacket) -> HeaderValues:
        """Return the values of the header extensions that describe frames; most packets have none."""
        frame_elements = self.extensions.frame_elements
        for number, _ in packet.extensions:
            if number in frame_elements:
                return self.extensions.read(packet.extensions)
        return _NO_VALUES

    def _insert_kept(self, early: Sequence[MediaPacket]) -> None:
        if self._pipeline is None:
            return
        if early and self.is_video:
            # The frames of these packets are counted again when they are complete.
            self.frame_stats.unassembled -= _count_frames(early)
            self.frame_stats.rate = FrameRate()
        for each in early:
            self._pipeline.insert(each, self._header_values(each.packet))
        if early and isinstance(self._pipeline, VideoReceivePipeline):
            self._pipeline.record_kept(max(each.number for each in early))

    def _update_nack(self) -> None:
        """Start or stop requesting lost packets, as the demand and the codec require."""
        if not self._wants_retransmission and self._early.packets is None:
            self._nack = None
        elif self._nack is None and self.codec is not None and FEEDBACK_NACK in self.codec.feedback:
            self._nack = NackGenerator(self._options.nack)
            if self._numbers.highest is not None:
                # The first packet in RED is counted before its codec is known.
                self._nack.packet_received(self._numbers.highest, self.last_received_at)

    def _replace_pipeline(self) -> None:
        if self._pipeline is not None:
            self._pipeline.end()
        self._pipeline = None
        if self._wants_frames and self.codec is not None:
            self._pipeline = self._make_pipeline(self.codec)
        if self._pipeline is not None:
            self._apply_to_pipeline(self._pipeline)

    def _apply_to_pipeline(self, pipeline: VideoReceivePipeline | AudioReceivePipeline) -> None:
        pipeline.set_min_delay(self._requested_delay)
        if isinstance(pipeline, AudioReceivePipeline):
            pipeline.set_decoded(self._decoded)

    def _make_pipeline(self, codec: Codec) -> VideoReceivePipeline | AudioReceivePipeline | None:
        opener = depacketizer(codec.name, codec.parameters)
        if opener is None or not codec.is_media:
            return None
        if codec.clock_rate == _VIDEO_CLOCK_RATE:
            return VideoReceivePipeline(
                codec,
                opener,
                self._options,
                self.frame_stats,
                ssrc=self.ssrc,
                rid=self.rid,
                budgets=self._budgets,
            )
        return AudioReceivePipeline(
            codec, opener, self._options, self.frame_stats, ssrc=self.ssrc, rid=self.rid
        )

    @property
    def _has_beginning(self) -> bool:
        return isinstance(self._pipeline, VideoReceivePipeline) and self._pipeline.assembler.has_beginning

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return the frames to decode, in decode order."""
        pipeline = self._pipeline
        if pipeline is None:
            return []
        if self._nack is not None and self._nack.missing:
            pipeline.set_retransmission_timeout(self._nack.retransmission_timeout, self._nack.first_answer)
        frames = pipeline.frames(now)
        if frames:
            self.counters.frames += len(frames)
            keyframes = sum(isinstance(each, EncodedFrame) and each.keyframe for each in frames)
            if keyframes:
                self.counters.keyframes += keyframes
                # A keyframe has arrived before its request was sent.
                self._keyframes.is_wanted = False
        if self._nack is not None and pipeline.next_expected is not None:
            # Even without frames: packets that the assembler has given up need not be requested.
            self._nack.forget_below(pipeline.next_expected + self._between)
        return frames

    # -- requests to the source ----------------------------------------------------------------------------------

    def request_keyframe(self) -> None:
        """Request a keyframe as soon as the interval since the last request is over."""
        self._keyframes.is_wanted = True

    def next_request(self) -> float:
        """Return when to call ``take_requests``: at once if there is a pipeline, which may need a keyframe."""
        return self._request_deadline() if self._pipeline is None else -math.inf

    def _request_deadline(self) -> float:
        """Return when a request is due of which the stream knows already."""
        deadline = self._keyframes.next_timer()
        return deadline if self._nack is None else min(deadline, self._nack.next_timer())

    def take_requests(self, own_ssrc: int, now: float, max_size: int) -> list[RtcpPacket]:
        """Return the RTCP packets, of at most ``max_size`` bytes, that request lost packets or a keyframe now.

        They are recorded as sent.
        """
        packets: list[RtcpPacket] = []
        missing = self.take_nacks(now)
        if missing:
            packets += GenericNack.build(own_ssrc, self.ssrc, missing, max_size)
            self.counters.nacks_sent += len(packets)
        if self.take_keyframe_request(now):
            if self.supports(FEEDBACK_PLI):
                self.counters.plis_sent += 1
                packets.append(PictureLossIndication(own_ssrc, self.ssrc))
            elif self.supports(FEEDBACK_FIR):
                packets.append(FullIntraRequest(own_ssrc, ((self.ssrc, self.counters.firs_sent & 0xFF),)))
                self.counters.firs_sent += 1
        return packets

    def take_nacks(self, now: float) -> list[int]:
        """Return the sequence numbers to request now, 16 bits each."""
        if self._nack is None:
            return []
        missing = [number & 0xFFFF for number in self._nack.due(now)]
        if self._nack.take_gave_up() and self._pipeline is not None:
            self._pipeline.retransmission_gave_up()
        return missing

    def take_keyframe_request(self, now: float) -> bool:
        if self._pipeline is not None and self._pipeline.take_keyframe_request():
            self._keyframes.is_wanted = True
        return self._keyframes.take_request(now)

    def supports(self, feedback: str) -> bool:
        return self.codec is not None and feedback in self.codec.feedback

    def set_round_trip(self, round_trip: float) -> None:
        """Set the round-trip time in seconds."""
        if self._nack is not None:
            self._nack.set_round_trip(round_trip)

    def loss_counters(self) -> dict[str, float]:
        """Return the counters of sequence numbers, requests and error correction."""
        counters: dict[str, float] = {
            "sequence_numbers_rejected": self._numbers.rejected,
            "sequence_restarts": self._numbers.restarts,
        }
        if self._nack is not None:
            counters["nack_requested"] = self._nack.requested
            counters["nack_given_up"] = self._nack.given_up
        if isinstance(self._pipeline, VideoReceivePipeline):
            counters["keyframes_wanted"] = self._pipeline.assembler.keyframe_requests
        if self._red is not None:
            counters |= self._red.counters()
        return counters

    # -- reports -------------------------------------------------------------------------------------------------

    def handle_sender_report(self, report: SenderReport, now: float) -> None:
        count = 1 if self.last_report is None else self.last_report.count + 1
        self.last_report = RemoteOutboundReport(
            report, now, count, sent_at=unix_from_ntp(report.ntp_timestamp)
        )
        # webrtc-stats: a sender report without a DLRR block in its packet gives no round-trip time.
        self.round_trips.last = None

    def clock_of(self, report: SenderReport) -> tuple[int, float] | None:
        """Return the unwrapped timestamp of a sender report, and its Unix time in the sender's clock."""
        if self._timestamps is None:
            return None
        return self._timestamps.peek(report.rtp_timestamp), unix_from_ntp(report.ntp_timestamp)

    def report_block(self, now: float) -> ReportBlock:
        values = self.reception.take_report()
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

    # -- time ----------------------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        deadline = self._request_deadline()
        if self._pipeline is not None:
            deadline = min(deadline, self._pipeline.next_timer())
        return deadline if self.telephone is None else min(deadline, self.telephone.next_timer())

    def end(self) -> None:
        self._early.release()
        if self._pipeline is not None:
            self._pipeline.end()
        if isinstance(self._red, UlpfecDecoder):
            self._red.end()


def _count_frames(packets: Sequence[MediaPacket]) -> int:
    """Return how many frames packets without a pipeline were counted as: those that began a new frame."""
    newest, frames = -math.inf, 0
    for each in packets:
        if each.timestamp > newest and each.packet.payload:
            newest = each.timestamp
            frames += 1
    return frames


def receive_totals(stream: RtpReceiveStream) -> Totals:
    stats = stream.frame_stats
    return {
        "incoming_packets": stream.reception.packets,
        "incoming_payload_bytes": stream.reception.bytes,
        **numbers_of(stream.counters, "incoming_"),
        **numbers_of(stream.fec_counters, "incoming_fec_"),
        **numbers_of(stats.assembler, "assembler_"),
        **numbers_of(stats.playout, "playout_"),
        "playout_malformed": stats.malformed,
        "frames_emitted": stats.video_frames_emitted,
        "frames_assembled": stats.assembled,
        "frames_rendered": stats.intervals.frames,
        "freezes": stats.intervals.freezes,
        "pauses": stats.intervals.pauses,
        **stream.loss_counters(),
    }
