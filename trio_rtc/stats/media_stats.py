"""W3C's dictionaries of statistics for media: codecs, sources, and RTP streams seen from both ends.

Times are in seconds, timestamps in milliseconds since 1970, bitrates in bits a second. ``None`` is what W3C leaves out:
what there is not for the kind, is not known, or not known yet.
"""

from collections.abc import Mapping

import attrs

from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCQualityLimitationReason


@strict_class
@attrs.frozen(kw_only=True)
class RTCCodecStats:
    """A codec that a stream uses, by the payload type that it has in that direction."""

    id: str
    timestamp: float
    type: str = "codec"
    payload_type: int
    transport_id: str
    mime_type: str
    clock_rate: int
    channels: int | None
    sdp_fmtp_line: str | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCAudioSourceStats:
    """The source of a sender's track. Levels are known of frames that tell theirs."""

    id: str
    timestamp: float
    type: str = "media-source"
    track_identifier: str
    kind: str
    audio_level: float | None
    total_audio_energy: float | None
    total_samples_duration: float


@strict_class
@attrs.frozen(kw_only=True)
class RTCVideoSourceStats:
    """The source of a sender's track."""

    id: str
    timestamp: float
    type: str = "media-source"
    track_identifier: str
    kind: str
    width: int | None
    height: int | None
    frames: int
    frames_per_second: float


RTCMediaSourceStats = RTCAudioSourceStats | RTCVideoSourceStats
"""The source of a sender's track."""


@strict_class
@attrs.frozen(kw_only=True)
class RTCOutboundRtpStreamStats:
    """A stream that we send, its retransmissions included, and what repeats it to probe the path.

    Frames that the application has encoded itself count as sent, not as encoded. What limits the quality is what makes
    our encoder's pictures smaller or fewer; of a stream that the application encodes itself, whether the path has
    less than the stream may use.

    Attributes:
        fec_packets_sent: Repair packets (FlexFEC, ULPFEC); of ULPFEC also among the packets sent. Not W3C's.
        fec_bytes_sent: Their payloads, likewise. Not W3C's.
    """

    id: str
    timestamp: float
    type: str = "outbound-rtp"
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    mid: str
    rid: str | None
    encoding_index: int
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
    """How a stream of ours arrives, as the peer has last reported it; the timestamp is when that came."""

    id: str
    timestamp: float
    type: str = "remote-inbound-rtp"
    ssrc: int
    kind: str
    transport_id: str
    codec_id: str | None
    local_id: str
    packets_lost: int
    jitter: float | None
    fraction_lost: float
    round_trip_time: float | None
    total_round_trip_time: float
    round_trip_time_measurements: int


@strict_class
@attrs.frozen(kw_only=True)
class RTCInboundRtpStreamStats:
    """A stream that we receive, its retransmissions and what else repeats it included.

    Frames of a video count as soon as somebody wants frames, decoded or not; who forwards packets only has none. A
    frame counts for rate, freezes and pauses when it is handed on to be decoded. Whether concealed sound is silent is
    known where the peer has sent nothing on purpose. As in libwebrtc, a lost frame that the next one carries once more
    (Opus in-band FEC) is not concealed.

    Attributes:
        rid: The simulcast layer. Not W3C's.
    """

    id: str
    timestamp: float
    type: str = "inbound-rtp"
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
    jitter_buffer_emitted_count: int
    decoder_implementation: str | None
    frames_received: int | None
    frames_decoded: int | None
    key_frames_decoded: int | None
    qp_sum: int | None
    frames_dropped: int | None
    frame_width: int | None
    frame_height: int | None
    frames_per_second: float | None
    total_decode_time: float | None
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
    """A stream of the peer's, as it has last reported it; the timestamp is when that came.

    Round-trip times are there if we send nothing ourselves, and the peer answers our reference times (RFC 3611).
    """

    id: str
    timestamp: float
    type: str = "remote-outbound-rtp"
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
