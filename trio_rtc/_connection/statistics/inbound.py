"""Statistics of received RTP streams, and of the peer's reports of them."""

from typing import TYPE_CHECKING, Any

from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc.stats.media_stats import RTCInboundRtpStreamStats, RTCRemoteOutboundRtpStreamStats
from trio_rtc.stats.moment import Moment
from trio_rtc.transceivers.transceiver import Transceiver

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream


def _inbound_id(name: str) -> str:
    return f"inbound-rtp-{name}"


def inbound_stats(
    transceiver: Transceiver,
    stream: "RtpReceiveStream",
    name: str,
    pipeline: ReceivePipeline | None,
    *,
    transport_id: str,
    codec_id: str | None,
    remote_id: str | None,
    moment: Moment,
) -> RTCInboundRtpStreamStats:
    """Return the statistics of a received stream.

    Args:
        transceiver: The transceiver of the stream.
        stream: The stream.
        name: The part of its id that identifies it.
        pipeline: The pipeline that decodes it.
        transport_id: Id of its transport.
        codec_id: Id of its codec.
        remote_id: Id of the peer's report of it.
        moment: The time of the statistics.
    """
    track = transceiver.receive.track
    decoded = None if pipeline is None else pipeline.decoded.get(stream.ssrc)
    counters, reception, fec = stream.counters, stream.reception, stream.fec_counters
    uses_rtx = stream.codec is not None and stream.codec.rtx_payload_type is not None
    of_kind = (
        _video_members(stream, pipeline, moment)
        if track.kind == "video"
        else _audio_members(stream, transceiver)
    )
    return RTCInboundRtpStreamStats(
        id=_inbound_id(name),
        timestamp=moment.timestamp,
        ssrc=stream.ssrc,
        kind=track.kind,
        transport_id=transport_id,
        codec_id=codec_id,
        track_identifier=track.id,
        mid=stream.mid,
        rid=stream.rid,
        remote_id=remote_id,
        rtx_ssrc=stream.rtx_ssrc,
        packets_received=reception.packets + counters.retransmitted_packets + fec.own_packets,
        packets_lost=reception.lost,
        jitter=reception.jitter_seconds,
        bytes_received=reception.bytes + counters.retransmitted_bytes + (fec.bytes if fec.own_packets else 0),
        header_bytes_received=counters.header_bytes + fec.own_header_bytes,
        last_packet_received_timestamp=moment.time_of_day(stream.last_received_at),
        retransmitted_packets_received=counters.retransmitted_packets if uses_rtx else None,
        retransmitted_bytes_received=counters.retransmitted_bytes if uses_rtx else None,
        fec_ssrc=stream.fec_ssrc,
        fec_packets_received=fec.packets,
        fec_bytes_received=fec.bytes,
        fec_packets_discarded=fec.discarded,
        nack_count=counters.nacks_sent,
        total_processing_delay=0.0 if decoded is None else decoded.processing,
        decoder_implementation=None if pipeline is None else pipeline.implementation,
        **of_kind,
    )


_VIDEO_ONLY = (
    "fir_count",
    "pli_count",
    "frames_received",
    "frames_decoded",
    "key_frames_decoded",
    "qp_sum",
    "frames_dropped",
    "frames_rendered",
    "frame_width",
    "frame_height",
    "frames_per_second",
    "total_decode_time",
    "total_inter_frame_delay",
    "total_squared_inter_frame_delay",
    "freeze_count",
    "total_freezes_duration",
    "pause_count",
    "total_pauses_duration",
    "frames_assembled_from_multiple_packets",
    "total_assembly_time",
)
_AUDIO_ONLY = (
    "total_samples_received",
    "total_samples_duration",
    "concealed_samples",
    "silent_concealed_samples",
    "concealment_events",
    "inserted_samples_for_deceleration",
    "removed_samples_for_acceleration",
    "audio_level",
    "total_audio_energy",
)


def _video_members(
    stream: "RtpReceiveStream", pipeline: ReceivePipeline | None, moment: Moment
) -> dict[str, Any]:
    stats = stream.frame_stats
    assembler, intervals = stats.assembler, stats.intervals
    decoded = None if pipeline is None else pipeline.decoded.get(stream.ssrc)
    dropped = 0 if pipeline is None else pipeline.dropped_of(stream.ssrc)
    return {
        **dict.fromkeys(_AUDIO_ONLY),
        # W3C counts neither padding that repeats received packets, nor retransmissions that were not needed any more.
        "packets_discarded": max(0, assembler.late - stream.counters.repairs_unneeded),
        "fir_count": stream.counters.firs_sent,
        "pli_count": stream.counters.plis_sent,
        "jitter_buffer_delay": stats.video_delay,
        "jitter_buffer_target_delay": stats.video_target_delay,
        "jitter_buffer_minimum_delay": stats.video_minimum_delay,
        "jitter_buffer_emitted_count": stats.video_frames_emitted,
        "frames_received": assembler.frames + stats.unassembled,
        "frames_decoded": 0 if decoded is None else decoded.decoded,
        "key_frames_decoded": 0 if decoded is None else decoded.keyframes,
        "qp_sum": decoded.quantizers if decoded is not None and decoded.quantized else None,
        "frames_dropped": assembler.dropped + assembler.malformed + dropped,
        "frames_rendered": intervals.frames,
        "frame_width": stats.width,
        "frame_height": stats.height,
        "frames_per_second": stats.rate.in_last_second(moment.now),
        "total_decode_time": 0.0 if decoded is None else decoded.seconds,
        "total_inter_frame_delay": intervals.total,
        "total_squared_inter_frame_delay": intervals.total_squared,
        "freeze_count": intervals.freezes,
        "total_freezes_duration": intervals.frozen,
        "pause_count": intervals.pauses,
        "total_pauses_duration": intervals.paused,
        "frames_assembled_from_multiple_packets": stats.assembled,
        "total_assembly_time": stats.assembly_time,
    }


def _audio_members(stream: "RtpReceiveStream", transceiver: Transceiver) -> dict[str, Any]:
    stats = stream.frame_stats
    playout, level = stats.playout, stats.audio_level
    if level.level is None:
        # Without the sender's level (RFC 6464), it is that of the decoded audio.
        level = transceiver.receive.source.stats.audio_level
    played = playout.played + playout.repeated
    samples = played + playout.concealed + playout.silence + playout.inserted
    return {
        **dict.fromkeys(_VIDEO_ONLY),
        "packets_discarded": playout.late + playout.overflows,
        "jitter_buffer_delay": playout.delay,
        "jitter_buffer_target_delay": stats.audio_target_delay,
        "jitter_buffer_minimum_delay": stats.audio_minimum_delay,
        "jitter_buffer_emitted_count": playout.played,
        "total_samples_received": samples,
        "total_samples_duration": 0.0 if stream.codec is None else samples / stream.codec.clock_rate,
        "concealed_samples": playout.concealed + playout.silence,
        "silent_concealed_samples": playout.silence,
        "concealment_events": playout.concealment_events,
        "inserted_samples_for_deceleration": playout.inserted,
        "removed_samples_for_acceleration": playout.removed,
        "audio_level": level.level,
        "total_audio_energy": None if level.level is None else level.energy,
    }


def remote_outbound_stats(
    transceiver: Transceiver,
    stream: "RtpReceiveStream",
    name: str,
    *,
    transport_id: str,
    codec_id: str | None,
    moment: Moment,
) -> RTCRemoteOutboundRtpStreamStats | None:
    """Return the peer's last report of a received stream; ``None`` before the first one."""
    last = stream.last_report
    if last is None:
        return None
    return RTCRemoteOutboundRtpStreamStats(
        id=f"remote-outbound-rtp-{name}",
        timestamp=moment.time_of_day(last.arrived_at),
        ssrc=stream.ssrc,
        kind=transceiver.receive.track.kind,
        transport_id=transport_id,
        codec_id=codec_id,
        local_id=_inbound_id(name),
        packets_sent=last.report.packet_count,
        bytes_sent=last.report.octet_count,
        remote_timestamp=last.sent_at * 1000,
        reports_sent=last.count,
        round_trip_time=stream.round_trips.last,
        total_round_trip_time=stream.round_trips.total,
        round_trip_time_measurements=stream.round_trips.measurements,
    )
