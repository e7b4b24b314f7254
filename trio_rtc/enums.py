"""W3C's enumerations. Every member is a string and equals its W3C spelling: ``state == "connected"``."""

from enum import StrEnum
from typing import TypeVar

MemberT = TypeVar("MemberT", bound=StrEnum)


def member_of(enumeration: type[MemberT], value: str) -> MemberT:
    """Return the member with a W3C spelling, or raise ``TypeError``, which is WebIDL's error."""
    try:
        return enumeration(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in enumeration)
        raise TypeError(f"{value!r} is no {enumeration.__name__}; there are {known}") from None


class RTCErrorDetailType(StrEnum):
    """The kind of failure of an ``RTCError`` (W3C webrtc section 11.2)."""

    DATA_CHANNEL_FAILURE = "data-channel-failure"
    DTLS_FAILURE = "dtls-failure"
    FINGERPRINT_FAILURE = "fingerprint-failure"
    SCTP_FAILURE = "sctp-failure"
    SDP_SYNTAX_ERROR = "sdp-syntax-error"
    HARDWARE_ENCODER_NOT_AVAILABLE = "hardware-encoder-not-available"
    HARDWARE_ENCODER_ERROR = "hardware-encoder-error"


class RTCErrorDetailTypeIdp(StrEnum):
    """The kind of failure of an identity provider in an ``RTCError`` (W3C webrtc-identity section 7)."""

    IDP_BAD_SCRIPT_FAILURE = "idp-bad-script-failure"
    IDP_EXECUTION_FAILURE = "idp-execution-failure"
    IDP_LOAD_FAILURE = "idp-load-failure"
    IDP_NEED_LOGIN = "idp-need-login"
    IDP_TIMEOUT = "idp-timeout"
    IDP_TLS_FAILURE = "idp-tls-failure"
    IDP_TOKEN_EXPIRED = "idp-token-expired"  # noqa: S105 - no password
    IDP_TOKEN_INVALID = "idp-token-invalid"  # noqa: S105 - no password


class RTCSignalingState(StrEnum):
    """The state of the offer/answer exchange (W3C webrtc section 4.3.1)."""

    STABLE = "stable"
    HAVE_LOCAL_OFFER = "have-local-offer"
    HAVE_REMOTE_OFFER = "have-remote-offer"
    HAVE_LOCAL_PRANSWER = "have-local-pranswer"
    HAVE_REMOTE_PRANSWER = "have-remote-pranswer"
    CLOSED = "closed"


class RTCIceGatheringState(StrEnum):
    """The gathering state of all ICE transports (W3C webrtc section 4.3.2)."""

    NEW = "new"
    GATHERING = "gathering"
    COMPLETE = "complete"


class RTCPeerConnectionState(StrEnum):
    """The aggregate state of all transports (W3C webrtc section 4.3.3)."""

    CLOSED = "closed"
    FAILED = "failed"
    DISCONNECTED = "disconnected"
    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class RTCIceConnectionState(StrEnum):
    """The aggregate state of all ICE transports (W3C webrtc section 4.3.4)."""

    CLOSED = "closed"
    FAILED = "failed"
    DISCONNECTED = "disconnected"
    NEW = "new"
    CHECKING = "checking"
    COMPLETED = "completed"
    CONNECTED = "connected"


class RTCSdpType(StrEnum):
    """The role of a session description (W3C webrtc section 4.6.1)."""

    OFFER = "offer"
    PRANSWER = "pranswer"
    ANSWER = "answer"
    ROLLBACK = "rollback"


class RTCIceTransportPolicy(StrEnum):
    """Policy for the candidates to use (W3C webrtc section 4.2.3)."""

    RELAY = "relay"
    ALL = "all"


class RTCBundlePolicy(StrEnum):
    """Policy for bundling media on transports (W3C webrtc section 4.2.4)."""

    BALANCED = "balanced"
    MAX_COMPAT = "max-compat"
    MAX_BUNDLE = "max-bundle"


class RTCRtcpMuxPolicy(StrEnum):
    """Policy for multiplexing RTP and RTCP (W3C webrtc section 4.2.5)."""

    REQUIRE = "require"


class RTCQualityLimitationReason(StrEnum):
    """The reason for a reduced resolution or frame rate (W3C webrtc-stats section 7.6.1)."""

    NONE = "none"
    CPU = "cpu"
    BANDWIDTH = "bandwidth"
    OTHER = "other"


class RTCStatsType(StrEnum):
    """The type of a statistics object (W3C webrtc-stats section 8.1)."""

    CODEC = "codec"
    INBOUND_RTP = "inbound-rtp"
    OUTBOUND_RTP = "outbound-rtp"
    REMOTE_INBOUND_RTP = "remote-inbound-rtp"
    REMOTE_OUTBOUND_RTP = "remote-outbound-rtp"
    MEDIA_SOURCE = "media-source"
    MEDIA_PLAYOUT = "media-playout"
    PEER_CONNECTION = "peer-connection"
    DATA_CHANNEL = "data-channel"
    TRANSPORT = "transport"
    CANDIDATE_PAIR = "candidate-pair"
    LOCAL_CANDIDATE = "local-candidate"
    REMOTE_CANDIDATE = "remote-candidate"
    CERTIFICATE = "certificate"


class RTCStatsIceCandidatePairState(StrEnum):
    """The state of a candidate pair (W3C webrtc-stats section 8.22; RFC 8445 section 6.1.2.6)."""

    FROZEN = "frozen"
    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class RTCIceProtocol(StrEnum):
    """The transport protocol of a candidate (W3C webrtc section 4.8.1.2)."""

    UDP = "udp"
    TCP = "tcp"


class RTCIceTcpCandidateType(StrEnum):
    """The kind of a TCP candidate, RFC 6544 section 4.5."""

    ACTIVE = "active"
    PASSIVE = "passive"
    SO = "so"


class RTCIceCandidateType(StrEnum):
    """The type of a candidate (RFC 8445 section 5.1.1)."""

    HOST = "host"
    SRFLX = "srflx"
    PRFLX = "prflx"
    RELAY = "relay"


class RTCIceServerTransportProtocol(StrEnum):
    """The protocol between client and TURN server."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class RTCIceRole(StrEnum):
    """The role of an ICE agent; the controlling one nominates (RFC 8445 section 6.1.1)."""

    UNKNOWN = "unknown"
    CONTROLLING = "controlling"
    CONTROLLED = "controlled"


class RTCIceComponent(StrEnum):
    """The component of an ICE transport."""

    RTP = "rtp"
    RTCP = "rtcp"


class RTCIceGathererState(StrEnum):
    """The gathering state of one ICE transport (W3C webrtc section 5.6.3)."""

    NEW = "new"
    GATHERING = "gathering"
    COMPLETE = "complete"


class RTCIceTransportState(StrEnum):
    """The state of one ICE transport (W3C webrtc section 5.6.4)."""

    CLOSED = "closed"
    FAILED = "failed"
    DISCONNECTED = "disconnected"
    NEW = "new"
    CHECKING = "checking"
    COMPLETED = "completed"
    CONNECTED = "connected"


class RTCDtlsTransportState(StrEnum):
    """The state of a DTLS transport (W3C webrtc section 5.5.1)."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class RTCDtlsRole(StrEnum):
    """The role in the DTLS handshake (W3C webrtc section 5.5)."""

    CLIENT = "client"
    SERVER = "server"
    UNKNOWN = "unknown"


class RTCSctpTransportState(StrEnum):
    """The state of an SCTP transport (W3C webrtc section 6.1.2)."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


class RTCDataChannelState(StrEnum):
    """The state of a data channel (W3C webrtc section 6.2)."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class BinaryType(StrEnum):
    """The type of received binary messages; in Python both are ``bytes``."""

    BLOB = "blob"
    ARRAYBUFFER = "arraybuffer"


class RTCPriorityType(StrEnum):
    """Priority of a channel or stream (W3C webrtc-priority section 3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class RTCRtpTransceiverDirection(StrEnum):
    """The direction of a transceiver (W3C webrtc section 5.4)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"
    STOPPED = "stopped"

    @property
    def sends(self) -> bool:
        """Whether the direction includes sending."""
        return self in (RTCRtpTransceiverDirection.SENDRECV, RTCRtpTransceiverDirection.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the direction includes receiving."""
        return self in (RTCRtpTransceiverDirection.SENDRECV, RTCRtpTransceiverDirection.RECVONLY)


class RTCDegradationPreference(StrEnum):
    """The preference between frame rate and resolution under low bandwidth (W3C mst-content-hint section 5)."""

    BALANCED = "balanced"
    MAINTAIN_FRAMERATE = "maintain-framerate"
    MAINTAIN_RESOLUTION = "maintain-resolution"
    MAINTAIN_FRAMERATE_AND_RESOLUTION = "maintain-framerate-and-resolution"


class MediaStreamTrackState(StrEnum):
    """The state of a track; an ended one provides no more frames (W3C mediacapture-main section 4.3.1)."""

    LIVE = "live"
    ENDED = "ended"
