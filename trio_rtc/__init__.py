"""WebRTC for trio: W3C's RTCPeerConnection under structured concurrency.

Everything public is here; ``trio_rtc.signaling`` and ``trio_rtc.testing`` are imported by themselves.
"""

from .certificate import RTCCertificate, RTCDtlsFingerprint
from .channel_stream import ChannelStream
from .configuration import RTCConfiguration, RTCIceServer
from .data_channel import RTCDataChannel
from .descriptions import RTCIceCandidate, RTCSessionDescription
from .dtmf import RTCDTMFSender
from .enums import (
    BinaryType,
    MediaStreamTrackState,
    RTCBundlePolicy,
    RTCDataChannelState,
    RTCDegradationPreference,
    RTCDtlsRole,
    RTCDtlsTransportState,
    RTCErrorDetailType,
    RTCIceCandidateType,
    RTCIceComponent,
    RTCIceConnectionState,
    RTCIceGathererState,
    RTCIceGatheringState,
    RTCIceProtocol,
    RTCIceRole,
    RTCIceServerTransportProtocol,
    RTCIceTcpCandidateType,
    RTCIceTransportPolicy,
    RTCIceTransportState,
    RTCPeerConnectionState,
    RTCPriorityType,
    RTCRtcpMuxPolicy,
    RTCRtpTransceiverDirection,
    RTCSctpTransportState,
    RTCSdpType,
    RTCSignalingState,
)
from .errors import (
    DOMException,
    InvalidAccessError,
    InvalidCharacterError,
    InvalidModificationError,
    InvalidStateError,
    NetworkError,
    NotSupportedError,
    OperationError,
    ProtocolError,
    RTCError,
    SyntaxError,
)
from .event_target import EventTarget
from .events import (
    Event,
    MediaStreamEvent,
    MediaStreamTrackEvent,
    MessageEvent,
    RTCDataChannelEvent,
    RTCDTMFToneChangeEvent,
    RTCErrorEvent,
    RTCPeerConnectionIceErrorEvent,
    RTCPeerConnectionIceEvent,
    RTCTrackEvent,
)
from .peer_connection import RTCPeerConnection
from .protocols._contract import Address
from .protocols.datachannel import DataChannelOptions
from .protocols.dtls import DtlsOptions
from .protocols.ice import IceOptions
from .protocols.rtp import Concealment, EncodedFrame, RtpOptions, RtpPacket
from .protocols.sctp import SctpOptions
from .protocols.sdp import SdpOptions
from .receiver import RTCRtpReceiver
from .rtp_parameters import (
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpCodec,
    RTCRtpCodecParameters,
    RTCRtpContributingSource,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
    RTCRtpSynchronizationSource,
)
from .sender import RTCRtpSender
from .session import SessionOptions
from .stats import (
    LayerStats,
    RTCCertificateStats,
    RTCDataChannelStats,
    RTCIceCandidatePairStats,
    RTCIceCandidateStats,
    RTCPeerConnectionStats,
    RTCStats,
    RTCStatsReport,
    RTCTransportStats,
)
from .track_settings import MediaTrackCapabilities, MediaTrackConstraints, MediaTrackSettings
from .tracks import MediaStream, MediaStreamTrack, MediaStreamTrackSource, open_media_track
from .transceiver import RTCRtpTransceiver
from .transport_objects import (
    RTCDtlsTransport,
    RTCIceCandidatePair,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpTransport,
)
from .transports.network import DatagramSocket, InterfaceAddress, Network
from .transports.settings import Settings
from .transports.udp import SystemNetwork

__version__ = "0.1.0"

__all__ = [
    "Address",
    "BinaryType",
    "ChannelStream",
    "Concealment",
    "DOMException",
    "DataChannelOptions",
    "DatagramSocket",
    "DtlsOptions",
    "EncodedFrame",
    "Event",
    "EventTarget",
    "IceOptions",
    "InterfaceAddress",
    "InvalidAccessError",
    "InvalidCharacterError",
    "InvalidModificationError",
    "InvalidStateError",
    "LayerStats",
    "MediaStream",
    "MediaStreamEvent",
    "MediaStreamTrack",
    "MediaStreamTrackEvent",
    "MediaStreamTrackSource",
    "MediaStreamTrackState",
    "MediaTrackCapabilities",
    "MediaTrackConstraints",
    "MediaTrackSettings",
    "MessageEvent",
    "Network",
    "NetworkError",
    "NotSupportedError",
    "OperationError",
    "ProtocolError",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCCertificateStats",
    "RTCConfiguration",
    "RTCDTMFSender",
    "RTCDTMFToneChangeEvent",
    "RTCDataChannel",
    "RTCDataChannelEvent",
    "RTCDataChannelState",
    "RTCDataChannelStats",
    "RTCDegradationPreference",
    "RTCDtlsFingerprint",
    "RTCDtlsRole",
    "RTCDtlsTransport",
    "RTCDtlsTransportState",
    "RTCError",
    "RTCErrorDetailType",
    "RTCErrorEvent",
    "RTCIceCandidate",
    "RTCIceCandidatePair",
    "RTCIceCandidatePairStats",
    "RTCIceCandidateStats",
    "RTCIceCandidateType",
    "RTCIceComponent",
    "RTCIceConnectionState",
    "RTCIceGathererState",
    "RTCIceGatheringState",
    "RTCIceParameters",
    "RTCIceProtocol",
    "RTCIceRole",
    "RTCIceServer",
    "RTCIceServerTransportProtocol",
    "RTCIceTcpCandidateType",
    "RTCIceTransport",
    "RTCIceTransportPolicy",
    "RTCIceTransportState",
    "RTCPeerConnection",
    "RTCPeerConnectionIceErrorEvent",
    "RTCPeerConnectionIceEvent",
    "RTCPeerConnectionState",
    "RTCPeerConnectionStats",
    "RTCPriorityType",
    "RTCRtcpMuxPolicy",
    "RTCRtcpParameters",
    "RTCRtpCapabilities",
    "RTCRtpCodec",
    "RTCRtpCodecParameters",
    "RTCRtpContributingSource",
    "RTCRtpEncodingParameters",
    "RTCRtpHeaderExtensionCapability",
    "RTCRtpHeaderExtensionParameters",
    "RTCRtpReceiveParameters",
    "RTCRtpReceiver",
    "RTCRtpSendParameters",
    "RTCRtpSender",
    "RTCRtpSynchronizationSource",
    "RTCRtpTransceiver",
    "RTCRtpTransceiverDirection",
    "RTCSctpTransport",
    "RTCSctpTransportState",
    "RTCSdpType",
    "RTCSessionDescription",
    "RTCSignalingState",
    "RTCStats",
    "RTCStatsReport",
    "RTCTrackEvent",
    "RTCTransportStats",
    "RtpOptions",
    "RtpPacket",
    "SctpOptions",
    "SdpOptions",
    "SessionOptions",
    "Settings",
    "SyntaxError",
    "SystemNetwork",
    "__version__",
    "open_media_track",
]
