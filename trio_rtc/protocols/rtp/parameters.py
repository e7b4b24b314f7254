"""The negotiated parameters of RTP: plain values from the offer/answer exchange."""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs

from .codec import Codec

FEEDBACK_NACK = "nack"
FEEDBACK_PLI = "nack pli"
FEEDBACK_FIR = "ccm fir"
FEEDBACK_REMB = "goog-remb"
FEEDBACK_TRANSPORT = "transport-cc"
FEEDBACK_CCFB = "ack ccfb"


@attrs.frozen
class ReceiveParameters:
    """The receive parameters of one section.

    Attributes:
        mid: The MID.
        kind: ``"audio"`` or ``"video"``.
        codecs: The codecs that the peer may send, with our payload types.
        extensions: Header extensions: id → URI.
        ssrcs: The announced SSRCs of the peer: SSRC → RID of the layer, or ``None``.
        rtx_ssrcs: RTX SSRC → SSRC that it retransmits.
        fec_ssrcs: FlexFEC SSRC → SSRC that it protects.
        active: Whether the direction lets the peer send.
        sync_group: The name of the group of sections that are played in sync; ``None`` for none.
    """

    mid: str
    kind: str
    codecs: tuple[Codec, ...]
    extensions: Mapping[int, str] = attrs.field(factory=dict)
    ssrcs: Mapping[int, str | None] = attrs.field(factory=dict)
    rtx_ssrcs: Mapping[int, int] = attrs.field(factory=dict)
    fec_ssrcs: Mapping[int, int] = attrs.field(factory=dict)
    active: bool = True
    sync_group: str | None = None


@attrs.frozen
class Encoding:
    """A stream that a section sends: the only one, or a layer of simulcast.

    Attributes:
        ssrc: Its SSRC.
        rtx_ssrc: The SSRC of its retransmissions.
        rid: The RID of the layer.
        active: Whether it is sent at present.
        max_bitrate: The maximum bitrate in bits per second; ``None`` for the default of its kind.
        priority: W3C's priority, by which streams share the bandwidth.
        fec_ssrc: The SSRC of its FlexFEC packets, ``None`` for none.
        scale_down_by: The factor by which width and height are smaller than those of the track.
        max_framerate: The maximum frame rate in frames per second; ``None`` for no limit.
    """

    ssrc: int
    rtx_ssrc: int | None = None
    rid: str | None = None
    active: bool = True
    max_bitrate: int | None = None
    priority: str = "low"
    fec_ssrc: int | None = None
    scale_down_by: float = 1.0
    max_framerate: float | None = None


@attrs.frozen
class SendParameters:
    """The send parameters of one section.

    Attributes:
        mid: The MID.
        kind: ``"audio"`` or ``"video"``.
        codecs: The codecs that the peer receives, with its payload types, the preferred one first.
        encodings: The streams.
        extensions: Header extensions: id → URI.
        reduced_size_rtcp: Whether reduced-size RTCP (RFC 5506) was negotiated.
        active: Whether the direction lets us send.
        max_bitrate: The peer's limit of the section (``b=``), in bits per second.
    """

    mid: str
    kind: str
    codecs: tuple[Codec, ...]
    encodings: tuple[Encoding, ...]
    extensions: Mapping[int, str] = attrs.field(factory=dict)
    reduced_size_rtcp: bool = False
    active: bool = True
    max_bitrate: float | None = None
