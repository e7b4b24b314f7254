"""W3C's statistics dictionaries of codecs, media sources, and RTP streams at both ends.

Times are in seconds, timestamps in milliseconds since 1970, bitrates in bits per second. ``None`` stands for a member
that W3C omits: it does not exist for the kind, or is unknown.
"""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCQualityLimitationReason, RTCStatsType


@strict_class
@attrs.frozen(kw_only=True)
class RTCCodecStats:
    """Statistics of a codec in use; one for both directions if their format parameters are equal."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.CODEC
    payload_type: int
    transport_id: str
    mime_type: str
    clock_rate: int
    channels: int | None
    sdp_fmtp_line: str | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCAudioSourceStats:
    """Statistics of an audio source of a sender.

    Levels are those of the samples, or the ``audio_level`` of encoded frames; ``None`` if these have none.
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.MEDIA_SOURCE
    track_identifier: str
    kind: str
    audio_level: float | None
    total_audio_energy: float | None
    total_samples_duration: float


@strict_class
@attrs.frozen(kw_only=True)
class RTCVideoSourceStats:
    """Statistics of a video source of a sender; its rate is ``None`` in the first second."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.MEDIA_SOURCE
    track_identifier: str
    kind: str
    width: int | None
    height: int | None
    frames: int
    frames_per_second: float | None


RTCMediaSourceStats = RTCAudioSourceStats | RTCVideoSourceStats
"""Statistics of a media source of a sender."""


@strict_class
@attrs.frozen(kw_only=True)
class RTCOutboundRtpStreamStats:
    """Statistics of a sent RTP stream, including its retransmissions and padding that repeats packets as probes.

    Frames that the application has encoded count as sent, not as encoded. The quality limitation is the reason for a
    reduced resolution or frame rate of the encoder; for a stream that the application encodes, it is ``bandwidth``
    while the available bitrate is less than the stream may use.

    Attributes:
        fec_packets_sent: FEC packets (FlexFEC, ULPFEC); those of ULPFEC are also in ``packets_sent``. Not W3C's.
        fec_bytes_sent: Their payload bytes; those of ULPFEC are also in ``bytes_sent``. Not W3C's.
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.OUTBOUND_RTP
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    mid: str
    rid: str | None
    encoding_index: int
    scalability_mode: str | None
    media_source_id: str | None
    remote_id: str | None
    rtx_ssrc: int | None
    active: bool
    packets_sent: int
    bytes_sent: int
    header_bytes_sent: int
    retransmitted_packets_sent: int
    retransmitted_bytes_sent: int
    fec_packets_sent: int
    fec_bytes_sent: int
    total_packet_send_delay: float
    target_bitrate: float | None
    total_encoded_bytes_target: int | None
    nack_count: int
    fir_count: int | None
    pli_count: int | None
    frame_width: int | None
    frame_height: int | None
    frames_per_second: float | None
    frames_sent: int | None
    huge_frames_sent: int | None
    frames_encoded: int | None
    key_frames_encoded: int | None
    qp_sum: int | None
    total_encode_time: float | None
    encoder_implementation: str | None
    quality_limitation_reason: RTCQualityLimitationReason | None
    quality_limitation_durations: Mapping[str, float] | None
    quality_limitation_resolution_changes: int | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCRemoteInboundRtpStreamStats:
    """Statistics of a sent stream at its receiver; the timestamp is the arrival time of the peer's last report."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.REMOTE_INBOUND_RTP
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    local_id: str
    packets_received: int
    packets_lost: int
    jitter: float | None
    fraction_lost: float
    round_trip_time: float | None
    total_round_trip_time: float
    round_trip_time_measurements: int


@strict_class
@attrs.frozen(kw_only=True)
class RTCInboundRtpStreamStats:
    """Statistics of a received RTP stream, including its retransmissions and padding that repeats packets.

    Without a consumer of decoded or encoded frames, a video frame counts as received when its first packet arrives,
    and only the rate of frames is measured besides. Otherwise a frame counts as rendered when it leaves the jitter
    buffer for the decoder or the consumer; frame rate, freezes and pauses are measured then. FEC packets with an
    SSRC of their own count as received. Concealed audio counts as silent if the peer sent nothing on purpose. As in
    libwebrtc, a lost frame that is restored by Opus in-band FEC is not concealed.

    Attributes:
        rid: The RID of the simulcast layer. Not W3C's.
        total_processing_delay: Of decoded media; 0 while nothing is decoded.
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.INBOUND_RTP
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    track_identifier: str
    mid: str
    rid: str | None
    remote_id: str | None
    rtx_ssrc: int | None
    packets_received: int
    packets_lost: int
    jitter: float
    packets_discarded: int
    bytes_received: int
    header_bytes_received: int
    last_packet_received_timestamp: float
    retransmitted_packets_received: int | None
    retransmitted_bytes_received: int | None
    fec_ssrc: int | None
    fec_packets_received: int
    fec_bytes_received: int
    fec_packets_discarded: int
    nack_count: int
    fir_count: int | None
    pli_count: int | None
    jitter_buffer_delay: float
    jitter_buffer_target_delay: float | None
    jitter_buffer_minimum_delay: float | None
    jitter_buffer_emitted_count: int
    decoder_implementation: str | None
    frames_received: int | None
    frames_decoded: int | None
    key_frames_decoded: int | None
    qp_sum: int | None
    frames_dropped: int | None
    frames_rendered: int | None
    frame_width: int | None
    frame_height: int | None
    frames_per_second: float | None
    total_decode_time: float | None
    total_processing_delay: float
    total_inter_frame_delay: float | None
    total_squared_inter_frame_delay: float | None
    freeze_count: int | None
    total_freezes_duration: float | None
    pause_count: int | None
    total_pauses_duration: float | None
    frames_assembled_from_multiple_packets: int | None
    total_assembly_time: float | None
    total_samples_received: int | None
    total_samples_duration: float | None
    concealed_samples: int | None
    silent_concealed_samples: int | None
    concealment_events: int | None
    inserted_samples_for_deceleration: int | None
    removed_samples_for_acceleration: int | None
    audio_level: float | None
    total_audio_energy: float | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCRemoteOutboundRtpStreamStats:
    """Statistics of a received stream at its sender; the timestamp is the arrival time of the peer's last report.

    Round-trip times are measured if nothing is sent to the peer, and it answers receiver reference times (RFC 3611).
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.REMOTE_OUTBOUND_RTP
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    local_id: str
    packets_sent: int
    bytes_sent: int
    remote_timestamp: float
    reports_sent: int
    round_trip_time: float | None
    total_round_trip_time: float
    round_trip_time_measurements: int
