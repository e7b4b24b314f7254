"""Statistics of sent RTP streams, and of the peer's reports of them."""

from typing import TYPE_CHECKING, Any

from trio_rtc._pipeline.send_pipeline import EncodingStats
from trio_rtc.enums import RTCQualityLimitationReason
from trio_rtc.protocols.rtp import SendParameters
from trio_rtc.stats.media_stats import RTCOutboundRtpStreamStats, RTCRemoteInboundRtpStreamStats
from trio_rtc.stats.moment import Moment
from trio_rtc.transceivers.transceiver import Transceiver

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp.send.sender import RemoteInboundReport
    from trio_rtc.protocols.rtp.send.stream import RtpSendStream


def _outbound_id(name: str) -> str:
    return f"outbound-rtp-{name}"


def outbound_stats(
    transceiver: Transceiver,
    stream: "RtpSendStream",
    name: str,
    parameters: SendParameters,
    encoding: EncodingStats | None,
    *,
    transport_id: str,
    codec_id: str | None,
    media_source_id: str | None,
    remote_id: str | None,
    moment: Moment,
) -> RTCOutboundRtpStreamStats:
    """Return the statistics of a sent stream; ``remote_id`` is that of the peer's report of it.

    Args:
        transceiver: The transceiver of the stream.
        stream: The stream.
        name: The part of its id that identifies it.
        parameters: Its negotiated parameters.
        encoding: Its encoding statistics; ``None`` if the application encodes it, or before the first frame.
        transport_id: Id of its transport.
        codec_id: Id of its codec.
        media_source_id: Id of its source.
        remote_id: Id of the peer's report of it.
        moment: The time of the statistics.
    """
    kind = transceiver.receive.track.kind
    counters, index = stream.counters, parameters.encodings.index(stream.encoding)
    of_kind = _video_members(stream, encoding, moment) if kind == "video" else dict.fromkeys(_VIDEO_ONLY)
    return RTCOutboundRtpStreamStats(
        id=_outbound_id(name),
        timestamp=moment.timestamp,
        ssrc=stream.encoding.ssrc,
        kind=kind,
        transport_id=transport_id,
        codec_id=codec_id,
        mid=stream.mid,
        rid=transceiver.send.rid_of(stream.encoding.ssrc),
        encoding_index=index,
        scalability_mode=None
        if kind == "audio"
        else transceiver.send.scalability_mode_of(stream.encoding.ssrc),
        media_source_id=media_source_id,
        remote_id=remote_id,
        rtx_ssrc=stream.encoding.rtx_ssrc if stream.retransmitter.uses_rtx else None,
        active=parameters.active and stream.encoding.active,
        packets_sent=counters.packets_sent
        + counters.retransmitted_packets_sent
        + counters.padding_packets_sent,
        bytes_sent=counters.bytes_sent + counters.retransmitted_bytes_sent + counters.padding_bytes_sent,
        header_bytes_sent=counters.header_bytes_sent,
        retransmitted_packets_sent=counters.retransmitted_packets_sent,
        retransmitted_bytes_sent=counters.retransmitted_bytes_sent,
        fec_packets_sent=counters.fec_packets_sent,
        fec_bytes_sent=counters.fec_bytes_sent,
        total_packet_send_delay=counters.packet_send_delay,
        target_bitrate=stream.target_bitrate,
        nack_count=counters.nacks_received,
        **of_kind,
    )


_VIDEO_ONLY = (
    "total_encoded_bytes_target",
    "fir_count",
    "pli_count",
    "frame_width",
    "frame_height",
    "frames_per_second",
    "frames_sent",
    "huge_frames_sent",
    "frames_encoded",
    "key_frames_encoded",
    "qp_sum",
    "total_encode_time",
    "encoder_implementation",
    "quality_limitation_reason",
    "quality_limitation_durations",
    "quality_limitation_resolution_changes",
)


def _video_members(stream: "RtpSendStream", encoding: EncodingStats | None, moment: Moment) -> dict[str, Any]:
    stats = encoding or EncodingStats()
    limitation = stream.limitation if encoding is None else encoding.limitation
    counters, encoded = stream.counters, stats.counters
    width, height = stream.size or (None, None)
    return {
        "total_encoded_bytes_target": int(stats.target_bytes),
        "fir_count": counters.firs_received,
        "pli_count": counters.plis_received,
        "frame_width": width,
        "frame_height": height,
        "frames_per_second": stream.rate.in_last_second(moment.now),
        "frames_sent": counters.frames_sent,
        "huge_frames_sent": counters.huge_frames_sent,
        "frames_encoded": encoded.frames,
        "key_frames_encoded": encoded.keyframes,
        "qp_sum": encoded.quantizers,
        "total_encode_time": encoded.seconds,
        "encoder_implementation": encoded.implementation,
        "quality_limitation_reason": RTCQualityLimitationReason(limitation.reason.value),
        "quality_limitation_durations": limitation.durations(moment.now),
        "quality_limitation_resolution_changes": stats.resolution_changes,
    }


def remote_inbound_stats(
    transceiver: Transceiver,
    stream: "RtpSendStream",
    report: "RemoteInboundReport",
    name: str,
    *,
    transport_id: str,
    codec_id: str | None,
    moment: Moment,
) -> RTCRemoteInboundRtpStreamStats | None:
    """Return the peer's last report of a sent stream; ``None`` before the first one."""
    if report.highest is None:
        return None
    return RTCRemoteInboundRtpStreamStats(
        id=f"remote-inbound-rtp-{name}",
        timestamp=moment.time_of_day(report.reported_at),
        ssrc=stream.encoding.ssrc,
        kind=transceiver.receive.track.kind,
        transport_id=transport_id,
        codec_id=codec_id,
        local_id=_outbound_id(name),
        packets_received=_reported_packets(stream, report),
        packets_lost=report.lost,
        jitter=None if stream.codec is None else report.jitter / stream.codec.clock_rate,
        fraction_lost=report.fraction_lost,
        round_trip_time=report.round_trip,
        total_round_trip_time=report.total_round_trip,
        round_trip_time_measurements=report.measurements,
    )


def _reported_packets(stream: "RtpSendStream", report: "RemoteInboundReport") -> int:
    """Return the packets that the peer has received, by its last report (webrtc-stats, ``packetsReceived``).

    RFC 3550 appendix A.3 counts those expected from the first number on, which the peer reports in 16 bits and its
    number of wraps.
    """
    assert report.highest is not None
    first = 0 if stream.first_number is None else stream.first_number
    return max(0, report.highest - first + 1 - report.lost)
