"""W3C's dictionaries of codecs, header extensions and encodings (W3C webrtc section 5.2)."""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCDegradationPreference, RTCPriorityType, RTCRtpTransceiverDirection


@strict_class
@attrs.frozen
class RTCRtpCodec:
    """A codec with its parameters (W3C webrtc section 5.2.9).

    Attributes:
        mime_type: Kind and name, such as ``"video/VP8"``; compared case-insensitively.
        clock_rate: RTP timestamp units per second.
        channels: Number of audio channels; ``None`` for video or one channel.
        sdp_fmtp_line: The format parameters of SDP; ``None`` for none.
    """

    mime_type: str
    clock_rate: int
    channels: int | None = None
    sdp_fmtp_line: str | None = None

    @property
    def kind(self) -> str:
        """``"audio"`` or ``"video"``."""
        return self.mime_type.partition("/")[0].lower()

    @property
    def name(self) -> str:
        """The encoding name, as in SDP."""
        return self.mime_type.partition("/")[2]

    def matches(self, other: "RTCRtpCodec") -> bool:
        """Return whether both are the same codec (W3C webrtc section 5.2, "codec match algorithm")."""
        return (
            self.mime_type.lower() == other.mime_type.lower()
            and self.clock_rate == other.clock_rate
            and (self.channels or 1) == (other.channels or 1)
            and _fmtp(self.sdp_fmtp_line) == _fmtp(other.sdp_fmtp_line)
        )


@strict_class
@attrs.frozen
class RTCRtpCodecParameters(RTCRtpCodec):
    """A negotiated codec.

    Attributes:
        payload_type: The RTP payload type.
    """

    payload_type: int = attrs.field(kw_only=True)


@strict_class
@attrs.frozen
class RTCRtpHeaderExtensionCapability:
    """A header extension that can be negotiated.

    Attributes:
        uri: The URI of the header extension.
        direction: The directions in which it is used (W3C webrtc-extensions section 5.1).
    """

    uri: str
    direction: RTCRtpTransceiverDirection = RTCRtpTransceiverDirection.SENDRECV


@strict_class
@attrs.frozen
class RTCRtpHeaderExtensionParameters:
    """A negotiated header extension."""

    uri: str
    id: int
    encrypted: bool = False


@strict_class
@attrs.frozen
class RTCRtpCapabilities:
    """Capabilities for sending or receiving one kind (W3C webrtc section 5.2.11)."""

    codecs: tuple[RTCRtpCodec, ...]
    header_extensions: tuple[RTCRtpHeaderExtensionCapability, ...]


@strict_class
@attrs.frozen
class RTCRtcpParameters:
    """The negotiated RTCP parameters.

    Attributes:
        cname: RTCP's canonical name of our streams; ``None`` in the parameters of a receiver.
        reduced_size: Whether reduced-size RTCP was negotiated (RFC 5506).
    """

    cname: str | None = None
    reduced_size: bool = False


@strict_class
@attrs.define
class RTCRtpEncodingParameters:
    """An encoding (simulcast layer) of a sender (W3C webrtc section 5.2.8).

    Attributes:
        rid: The RID of the RTP stream, 1 to 16 letters and digits; cannot be changed after creation.
        active: Whether the encoding is sent.
        codec: The codec to send, one of the negotiated ones; ``None`` for the first.
        max_bitrate: Maximum bits per second.
        max_framerate: Maximum frames per second.
        scale_resolution_down_by: Divisor of width and height, at least 1.
        priority: Priority of the encoding in bandwidth allocation.
        network_priority: Priority of its packets in the network (DSCP).
        adaptive_ptime: Whether the duration of audio packets may vary.
        scalability_mode: The layers in the stream (W3C webrtc-svc); ``"L1T1"``, which is one layer, or ``None`` for the
            default, which is the same. The encoders have no other mode.
    """

    rid: str | None = None
    active: bool = True
    codec: RTCRtpCodec | None = None
    max_bitrate: int | None = None
    max_framerate: float | None = None
    scale_resolution_down_by: float | None = None
    priority: RTCPriorityType = RTCPriorityType.LOW
    network_priority: RTCPriorityType = RTCPriorityType.LOW
    adaptive_ptime: bool = False
    scalability_mode: str | None = None


@strict_class
@attrs.frozen
class RTCEncodingOptions:
    """Options of ``set_parameters`` for an encoding, which apply once (W3C webrtc-extensions).

    Attributes:
        key_frame: Whether the next video frame of the encoding is a keyframe.
    """

    key_frame: bool = False


@strict_class
@attrs.frozen
class RTCRtpReceiveParameters:
    """The parameters of a receiver (W3C webrtc section 5.2.7)."""

    header_extensions: Sequence[RTCRtpHeaderExtensionParameters] = ()
    rtcp: RTCRtcpParameters = attrs.field(factory=RTCRtcpParameters)
    codecs: Sequence[RTCRtpCodecParameters] = ()


@strict_class
@attrs.define
class RTCRtpSendParameters:
    """The parameters of a sender, which can be changed and passed to ``set_parameters`` (W3C webrtc section 5.2.6).

    Attributes:
        transaction_id: Identifies the ``get_parameters`` call that returned this object.
        encodings: The encodings; changed in place.
        header_extensions: The negotiated header extensions.
        rtcp: The negotiated RTCP parameters.
        codecs: The negotiated codecs, the preferred one first.
        degradation_preference: Whether resolution or frame rate is reduced when the bandwidth is insufficient.
    """

    transaction_id: str
    encodings: list[RTCRtpEncodingParameters]
    header_extensions: Sequence[RTCRtpHeaderExtensionParameters] = ()
    rtcp: RTCRtcpParameters = attrs.field(factory=RTCRtcpParameters)
    codecs: Sequence[RTCRtpCodecParameters] = ()
    degradation_preference: RTCDegradationPreference | None = None


@strict_class
@attrs.frozen
class RTCRtpContributingSource:
    """A contributing source of played media (W3C webrtc section 5.3.1).

    Attributes:
        timestamp: Time of playout, in milliseconds since 1970.
        source: The CSRC or SSRC.
        audio_level: The audio level from 0 (silence) to 1; ``None`` if it was not signaled.
        rtp_timestamp: The RTP timestamp of the media.
    """

    timestamp: float
    source: int
    audio_level: float | None
    rtp_timestamp: int


@strict_class
@attrs.frozen
class RTCRtpSynchronizationSource(RTCRtpContributingSource):
    """A synchronization source of played media (W3C webrtc section 5.3.1)."""


def _fmtp(line: str | None) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in (line or "").split(";") if part.strip())
    return {name.lower(): value for name, _, value in parts}
