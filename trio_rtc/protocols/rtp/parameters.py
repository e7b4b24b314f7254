"""What was negotiated for RTP: plain values that the session of the offers and answers hands down."""

import enum
from collections.abc import Mapping

import attrs

FEEDBACK_NACK = "nack"
FEEDBACK_PLI = "nack pli"
FEEDBACK_FIR = "ccm fir"
FEEDBACK_REMB = "goog-remb"
FEEDBACK_TRANSPORT = "transport-cc"
FEEDBACK_CCFB = "ack ccfb"
RTX = "rtx"
RED = "red"
ULPFEC = "ulpfec"
FLEXFEC = "flexfec-03"
TELEPHONE_EVENT = "telephone-event"
COMFORT_NOISE = "cn"


class CodecRole(enum.Enum):
    """What packets of a payload type are for."""

    MEDIA = "media"
    BETWEEN = "between"
    """Telephone events and comfort noise, in the stream of the sound but not part of it."""
    RTX = RTX
    RED = RED
    ULPFEC = ULPFEC
    FLEXFEC = FLEXFEC


_ROLES = {
    RTX: CodecRole.RTX,
    RED: CodecRole.RED,
    ULPFEC: CodecRole.ULPFEC,
    FLEXFEC: CodecRole.FLEXFEC,
    TELEPHONE_EVENT: CodecRole.BETWEEN,
    COMFORT_NOISE: CodecRole.BETWEEN,
}


@attrs.frozen
class Codec:
    """A payload type and what it stands for in one section.

    Attributes:
        payload_type: 0 to 127.
        name: Name of the encoding, as in SDP.
        clock_rate: Units of the RTP timestamp in a second.
        channels: For audio.
        parameters: Of ``a=fmtp``, by name.
        feedback: The kinds of ``a=rtcp-fb``, such as ``"nack pli"``.
        rtx_payload_type: Under which retransmissions of it are sent; ``None`` for none.
        role: What its packets are for.
        is_media: Whether it carries media itself, and not repair of other packets, events or noise.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    feedback: frozenset[str] = frozenset()
    rtx_payload_type: int | None = None
    role: CodecRole = attrs.field(init=False, eq=False, repr=False)
    is_media: bool = attrs.field(init=False, eq=False, repr=False)

    # Asked with every packet.
    @role.default
    def _find_role(self) -> CodecRole:
        return _ROLES.get(self.name.lower(), CodecRole.MEDIA)

    @is_media.default
    def _find_is_media(self) -> bool:
        return self.role is CodecRole.MEDIA


@attrs.frozen
class ReceiveParameters:
    """One section, as far as we receive in it.

    Attributes:
        mid: Its name.
        kind: ``"audio"`` or ``"video"``.
        codecs: What the peer may send, by our payload types.
        extensions: Header extensions: number → URI.
        ssrcs: Sources that the peer has announced: SSRC → the layer's RID or ``None``.
        rtx_ssrcs: RTX SSRC → SSRC that it retransmits.
        fec_ssrcs: FlexFEC SSRC → SSRC that it protects.
        active: Whether the direction lets the peer send.
        sync_group: Sections of the same group are played together; ``None`` for one that is played by itself.
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
    """One outgoing stream of a section: the only one, or a layer of simulcast.

    Attributes:
        ssrc: Its source.
        rtx_ssrc: The source of its retransmissions.
        rid: The layer's name.
        active: Whether it is to be sent at present.
        max_bitrate: Bits a second at most; ``None`` for what its kind needs.
        priority: W3C's priority, by which streams share what there is.
        fec_ssrc: The source of its FlexFEC, ``None`` for none.
        scale_down_by: Divides the width and the height of the source's video frames.
        max_framerate: Video frames a second at most; ``None`` for all.
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
    """One section, as far as we send in it.

    Attributes:
        mid: Its name.
        kind: ``"audio"`` or ``"video"``.
        codecs: What the peer takes, by its payload types, the preferred one first.
        encodings: The streams.
        extensions: Header extensions: number → URI.
        reduced_size_rtcp: Whether the peer takes feedback that stands alone (RFC 5506).
        active: Whether the direction lets us send.
        max_bitrate: What the peer takes at most in this section (``b=``), in bits a second.
    """

    mid: str
    kind: str
    codecs: tuple[Codec, ...]
    encodings: tuple[Encoding, ...]
    extensions: Mapping[int, str] = attrs.field(factory=dict)
    reduced_size_rtcp: bool = False
    active: bool = True
    max_bitrate: float | None = None
