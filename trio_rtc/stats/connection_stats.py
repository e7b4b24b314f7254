"""W3C's statistics dictionaries of transports, candidates, certificates and data channels."""

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import (
    RTCDataChannelState,
    RTCDtlsRole,
    RTCDtlsTransportState,
    RTCIceCandidateType,
    RTCIceRole,
    RTCIceServerTransportProtocol,
    RTCIceTransportState,
    RTCStatsIceCandidatePairState,
    RTCStatsType,
)


@strict_class
@attrs.frozen(kw_only=True)
class RTCPeerConnectionStats:
    """Statistics of the peer connection (RTCPeerConnectionStats)."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.PEER_CONNECTION
    data_channels_opened: int
    data_channels_closed: int


@strict_class
@attrs.frozen(kw_only=True)
class RTCTransportStats:
    """Statistics of an ICE and DTLS transport.

    Bytes and packets are those of DTLS, SRTP and SRTCP, without IP and UDP headers.
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.TRANSPORT
    bytes_sent: int
    bytes_received: int
    packets_sent: int
    packets_received: int
    ice_role: RTCIceRole
    ice_local_username_fragment: str
    ice_state: RTCIceTransportState
    dtls_state: RTCDtlsTransportState
    dtls_role: RTCDtlsRole
    tls_version: str | None
    dtls_cipher: str | None
    srtp_cipher: str | None
    local_certificate_id: str
    remote_certificate_id: str | None
    selected_candidate_pair_id: str | None
    selected_candidate_pair_changes: int
    ccfb_messages_sent: int | None
    ccfb_messages_received: int | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCIceCandidateStats:
    """Statistics of an ICE candidate; ``type`` is ``local-candidate`` or ``remote-candidate``."""

    id: str
    timestamp: float
    type: RTCStatsType
    transport_id: str
    address: str | None
    port: int | None
    protocol: str | None
    candidate_type: RTCIceCandidateType | None
    priority: int | None
    foundation: str | None
    username_fragment: str | None
    related_address: str | None
    related_port: int | None
    tcp_type: str | None
    url: str | None
    relay_protocol: RTCIceServerTransportProtocol | None


@strict_class
@attrs.frozen(kw_only=True)
class RTCIceCandidatePairStats:
    """Statistics of a candidate pair. Times are in seconds.

    Bytes and packets are those of the layers above ICE while the pair was selected; the timestamps of the last ones are
    in milliseconds since 1970. Both bitrates are in bits per second and those of the selected pair.
    ``available_outgoing_bitrate`` is the bandwidth estimate; ``None`` before the peer has sent feedback.
    ``available_incoming_bitrate`` is the estimate that was sent to the peer; ``None`` if REMB is not negotiated.
    Datagrams that the socket has discarded are not counted as sent.
    """

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.CANDIDATE_PAIR
    transport_id: str
    local_candidate_id: str
    remote_candidate_id: str
    state: RTCStatsIceCandidatePairState
    nominated: bool
    bytes_sent: int
    bytes_received: int
    packets_sent: int
    packets_received: int
    last_packet_sent_timestamp: float | None
    last_packet_received_timestamp: float | None
    requests_sent: int
    requests_received: int
    responses_sent: int
    responses_received: int
    consent_requests_sent: int
    current_round_trip_time: float | None
    total_round_trip_time: float
    available_outgoing_bitrate: float | None
    available_incoming_bitrate: float | None
    packets_discarded_on_send: int
    bytes_discarded_on_send: int


@strict_class
@attrs.frozen(kw_only=True)
class RTCCertificateStats:
    """Statistics of a certificate of either side."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.CERTIFICATE
    fingerprint: str
    fingerprint_algorithm: str
    base64_certificate: str = attrs.field(repr=False)


@strict_class
@attrs.frozen(kw_only=True)
class RTCDataChannelStats:
    """Statistics of a data channel. Bytes are those of message payloads."""

    id: str
    timestamp: float
    type: RTCStatsType = RTCStatsType.DATA_CHANNEL
    label: str
    protocol: str
    data_channel_identifier: int | None
    state: RTCDataChannelState
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int
