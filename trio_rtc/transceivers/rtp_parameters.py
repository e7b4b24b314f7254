"""W3C's dictionaries of RTP: codecs, header extensions, encodings (W3C webrtc section 5.2)."""

from collections.abc import Sequence

import attrs

from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCDegradationPreference, RTCPriorityType, RTCRtpTransceiverDirection


@strict_class
@attrs.frozen
class RTCRtpCodec:
    """A codec with its settings (W3C webrtc section 5.2.9).

    Attributes:
        mime_type: Kind and name, such as ``"video/VP8"``; compared without regard to case.
        clock_rate: Units of the RTP timestamp in a second.
        channels: For audio with more than one channel, or ``None``.
        sdp_fmtp_line: The format's parameters as SDP has them, or ``None``.
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
        """The name of the encoding, as in SDP."""
        return self.mime_type.partition("/")[2]

    def matches(self, other: "RTCRtpCodec") -> bool:
        """Whether both mean the same (W3C webrtc, codec match algorithm)."""
        return (
            self.mime_type.lower() == other.mime_type.lower()
            and self.clock_rate == other.clock_rate
            and (self.channels or 1) == (other.channels or 1)
            and _fmtp(self.sdp_fmtp_line) == _fmtp(other.sdp_fmtp_line)
        )


@strict_class
@attrs.frozen
class RTCRtpCodecParameters(RTCRtpCodec):
    """A codec that was negotiated.

    Attributes:
        payload_type: By which number packets say it.
    """

    payload_type: int = attrs.field(kw_only=True)


@strict_class
@attrs.frozen
class RTCRtpHeaderExtensionCapability:
    """A header extension that can be negotiated.

    Attributes:
        uri: Its name.
        direction: In which directions it is used (W3C webrtc-extensions section 5.1).
    """

    uri: str
    direction: RTCRtpTransceiverDirection = RTCRtpTransceiverDirection.SENDRECV


@strict_class
@attrs.frozen
class RTCRtpHeaderExtensionParameters:
    """A header extension that was negotiated."""

    uri: str
    id: int
    encrypted: bool = False


@strict_class
@attrs.frozen
class RTCRtpCapabilities:
    """What this implementation can send or receive of one kind (W3C webrtc section 5.2.11)."""

    codecs: tuple[RTCRtpCodec, ...]
    header_extensions: tuple[RTCRtpHeaderExtensionCapability, ...]


@strict_class
@attrs.frozen
class RTCRtcpParameters:
    """What was negotiated for RTCP.

    Attributes:
        cname: The name that joins our streams.
        reduced_size: Whether feedback may stand alone (RFC 5506).
    """

    cname: str = ""
    reduced_size: bool = False


@strict_class
@attrs.define
class RTCRtpEncodingParameters:
    """One layer of what a sender sends (W3C webrtc section 5.2.8).

    Attributes:
        rid: Its name; fixed once it is made.
        active: Whether it is sent.
        codec: Which of the negotiated codecs; ``None`` for the first.
        max_bitrate: Bits a second at most.
        max_framerate: Frames a second at most.
        scale_resolution_down_by: By what to divide width and height, at least 1.
        priority: Its share of the bandwidth beside others.
        network_priority: The marking of its packets.
        adaptive_ptime: Whether the duration of audio packets may vary.
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


@strict_class
@attrs.frozen
class RTCRtpReceiveParameters:
    """What a receiver may get (W3C webrtc section 5.2.7)."""

    header_extensions: Sequence[RTCRtpHeaderExtensionParameters] = ()
    rtcp: RTCRtcpParameters = attrs.field(factory=RTCRtcpParameters)
    codecs: Sequence[RTCRtpCodecParameters] = ()


@strict_class
@attrs.define
class RTCRtpSendParameters:
    """What a sender sends; changed, it is given back to ``set_parameters`` (W3C webrtc section 5.2.6).

    Attributes:
        transaction_id: Ties it to the ``get_parameters`` that it came from.
        encodings: The layers, to be changed in place.
        header_extensions: What was negotiated.
        rtcp: What was negotiated.
        codecs: What was negotiated, the preferred one first.
        degradation_preference: What suffers when the bandwidth does not suffice.
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
    """Who was heard or seen in what was played (W3C webrtc section 5.3.1).

    Attributes:
        timestamp: When it was played, milliseconds of the wall clock.
        source: The CSRC or SSRC.
        audio_level: From 0, silence, to 1; ``None`` if it was not told.
        rtp_timestamp: Of the packet.
    """

    timestamp: float
    source: int
    audio_level: float | None
    rtp_timestamp: int


@strict_class
@attrs.frozen
class RTCRtpSynchronizationSource(RTCRtpContributingSource):
    """The source that the track is synchronized to."""


def _fmtp(line: str | None) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in (line or "").split(";") if part.strip())
    return {name.lower(): value for name, _, value in parts}
