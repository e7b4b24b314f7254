"""WebRTC for trio: W3C's RTCPeerConnection under structured concurrency.

Everything public is here; ``trio_rtc.signaling`` and ``trio_rtc.testing`` are imported by themselves.
"""

import attrs as _attrs

from ._strict_names.checks import check_method_arguments as _check_method_arguments
from ._strict_names.checks import check_public_arguments as _check_public_arguments
from ._strict_names.checks import strict_names as _strict_names
from .certificate import RTCCertificate, RTCDtlsFingerprint
from .configuration import RTCConfiguration, RTCIceServer
from .data_channels.channel_stream import ChannelStream
from .data_channels.data_channel import RTCDataChannel, RTCDataChannelEvent
from .descriptions import RTCIceCandidate, RTCSessionDescription
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
    RTCQualityLimitationReason,
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
    MessageEvent,
    RTCDTMFToneChangeEvent,
    RTCErrorEvent,
    RTCPeerConnectionIceErrorEvent,
    RTCPeerConnectionIceEvent,
)
from .jsep import OpusParameters, SessionOptions
from .peer_connection import RTCPeerConnection
from .protocols._contract import Address
from .protocols.datachannel import DataChannelOptions
from .protocols.dtls import DtlsOptions
from .protocols.ice import IceOptions
from .protocols.rtp import Concealment, EncodedFrame, ReceivedTelephoneEvent, RtpOptions, RtpPacket
from .protocols.sctp import SctpOptions
from .protocols.sdp import SdpOptions
from .stats import (
    LayerStats,
    RTCAudioSourceStats,
    RTCCertificateStats,
    RTCCodecStats,
    RTCDataChannelStats,
    RTCIceCandidatePairStats,
    RTCIceCandidateStats,
    RTCInboundRtpStreamStats,
    RTCMediaSourceStats,
    RTCOutboundRtpStreamStats,
    RTCPeerConnectionStats,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCStats,
    RTCStatsReport,
    RTCTransportStats,
    RTCVideoSourceStats,
)
from .tracks.constraints import MediaTrackCapabilities, MediaTrackConstraints, MediaTrackSettings
from .tracks.media_stream import MediaStream, MediaStreamEvent, MediaStreamTrackEvent
from .tracks.media_stream_track import MediaStreamTrack, MediaStreamTrackSource, open_media_track
from .transceivers.dtmf_sender import RTCDTMFSender
from .transceivers.packet_channel import RtpPacketChannel
from .transceivers.rtp_parameters import (
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
from .transceivers.rtp_receiver import RTCRtpReceiver
from .transceivers.rtp_sender import RTCRtpSender
from .transceivers.rtp_transceiver import RTCRtpTransceiver, RTCTrackEvent
from .transports.network import DatagramSocket, InterfaceAddress, Network
from .transports.rtc_transports import (
    RTCDtlsTransport,
    RTCIceCandidatePair,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpTransport,
)
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
    "ReceivedTelephoneEvent",
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
    "OpusParameters",
    "ProtocolError",
    "RTCAudioSourceStats",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCCertificateStats",
    "RTCCodecStats",
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
    "RTCInboundRtpStreamStats",
    "RTCMediaSourceStats",
    "RTCOutboundRtpStreamStats",
    "RTCPeerConnection",
    "RTCPeerConnectionIceErrorEvent",
    "RTCPeerConnectionIceEvent",
    "RTCPeerConnectionState",
    "RTCPeerConnectionStats",
    "RTCPriorityType",
    "RTCQualityLimitationReason",
    "RTCRemoteInboundRtpStreamStats",
    "RTCRemoteOutboundRtpStreamStats",
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
    "RTCVideoSourceStats",
    "RtpOptions",
    "RtpPacket",
    "RtpPacketChannel",
    "SctpOptions",
    "SdpOptions",
    "SessionOptions",
    "Settings",
    "SyntaxError",
    "SystemNetwork",
    "__version__",
    "open_media_track",
]


def _refuse_wrong_names() -> None:
    """Let objects, and what they are made with, answer for wrong names and types with the right ones."""
    # What there is one of for each packet has no time for it; protocols are not for making objects.
    for_each_packet = {Address, Concealment, EncodedFrame, ReceivedTelephoneEvent, RtpPacket}
    left_out = for_each_packet | {ChannelStream, DatagramSocket, Network, RtpPacketChannel}
    for name in __all__:
        cls = globals()[name]
        if isinstance(cls, type) and not issubclass(cls, BaseException | str) and cls not in left_out:
            _strict_names(cls)
            if not _attrs.has(cls):
                _check_method_arguments(cls)
    _check_public_arguments(globals(), for_each_packet)


_refuse_wrong_names()
