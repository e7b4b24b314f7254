"""Local sections of audio and video (RFC 9429 sections 5.2.1, 5.2.2 and 5.3.1)."""

from collections.abc import Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.protocols.rtp.codec import FLEXFEC, RTX, Codec
from trio_rtc.protocols.sdp import (
    Attribute,
    ExtMap,
    MediaDescription,
    SessionDescription,
    make_attribute,
    media_mid,
    rtp_attributes,
)

from .capabilities import TRANSPORT_SEQUENCE_NUMBER_URI
from .description import Description
from .directions import intersect, reverse
from .extensions import ExtensionIds, answered_extensions, offered_extensions
from .formats import PayloadTypes, answered_formats, format_attributes, offered_formats, section_formats
from .sections import PLACEHOLDER_PORT, UNSPECIFIED_CONNECTION
from .simulcast import answered_layers, layer_attributes, offered_layers
from .transceivers import LocalTransceiver

_PROFILE = "UDP/TLS/RTP/SAVPF"


@attrs.define
class BundleNumbers:
    """Payload types and extension ids, which are the same in all sections of a bundle."""

    payload_types: PayloadTypes = attrs.field(factory=PayloadTypes)
    extension_ids: ExtensionIds = attrs.field(factory=ExtensionIds)

    def reserve(self, description: SessionDescription, indexes: Sequence[int]) -> None:
        """Reserve the numbers of some sections of a description."""
        for index in indexes:
            self.payload_types.reserve(section_formats(description, index))
            for extmap in rtp_attributes(description, index).extmaps:
                if self.extension_ids.allows(extmap):
                    self.extension_ids.reserve(extmap)


def offer_media_section(
    mid: str,
    transceiver: LocalTransceiver,
    previous: Sequence[Codec],
    numbers: BundleNumbers,
    protocol: str = _PROFILE,
    *,
    announce_flexfec: bool = False,
) -> MediaDescription:
    """Return the section that offers a transceiver, without its transport.

    ``previous`` are the formats of the section in the last local description, ``protocol`` is its protocol so far.
    ``announce_flexfec`` announces the SSRC of FlexFEC beside the media's.
    """
    codecs = _codecs_of_direction(transceiver)
    formats = offered_formats(codecs, previous, numbers.payload_types, preferred=transceiver.codecs_preferred)
    extmaps = offered_extensions(transceiver.header_extensions, numbers.extension_ids)
    layers = offered_layers(transceiver)
    attributes = (
        Attribute("mid", mid),
        *_extension_attributes(extmaps, mixed=True),
        Attribute(transceiver.direction.value),
        *_msid_attributes(transceiver),
        Attribute("rtcp-mux"),
        # RFC 9429 section 5.2.1: with the policy "require" there is no separate port for RTCP.
        Attribute("rtcp-mux-only"),
        Attribute("rtcp-rsize"),
        *format_attributes(formats),
        *_ptime_attributes(transceiver),
        *_source_attributes(transceiver, transceiver.direction, formats, announce_flexfec=announce_flexfec),
        *layer_attributes(layers),
    )
    return _section(transceiver.kind, protocol, formats, attributes)


def _codecs_of_direction(transceiver: LocalTransceiver) -> tuple[Codec, ...]:
    """Return a transceiver's codecs that can be used in its direction; all if none for media can.

    W3C webrtc section 4.4.1.5, "codec preferences": a direction that sends excludes codecs that cannot be sent.
    """
    if not transceiver.direction.sends:
        return transceiver.codecs
    codecs = tuple(codec for codec in transceiver.codecs if not codec.receive_only)
    return codecs if any(codec.is_media for codec in codecs) else transceiver.codecs


def answer_media_section(
    offer: SessionDescription,
    index: int,
    transceiver: LocalTransceiver,
    numbers: BundleNumbers,
    *,
    announce_flexfec: bool = True,
) -> MediaDescription | None:
    """Return the section that accepts an offered one, without its transport; ``None`` without a common codec.

    ``announce_flexfec`` announces the SSRC of FlexFEC, if FlexFEC was offered.
    """
    offered = offer.media[index]
    attributes = rtp_attributes(offer, index)
    extension_ids = numbers.extension_ids.copy()
    extmaps = answered_extensions(transceiver.header_extensions, attributes.extmaps, extension_ids)
    # Of two kinds of congestion feedback, one remains: transport-wide feedback if its extension is negotiated. Without
    # it only RFC 8888 feedback works, and Chromium sends that only if transport-cc is rejected.
    is_numbered = any(extmap.uri == TRANSPORT_SEQUENCE_NUMBER_URI for extmap in extmaps)
    # Without preferences the answer accepts what can be received, whatever its direction.
    codecs = _codecs_of_direction(transceiver) if transceiver.codecs_preferred else transceiver.codecs
    formats = answered_formats(
        codecs,
        section_formats(offer, index),
        numbers.payload_types,
        preferred=transceiver.codecs_preferred,
        any_profile=transceiver.any_profile,
        refused_feedback="ack ccfb" if is_numbered else "transport-cc",
    )
    if not formats:
        return None
    numbers.extension_ids = extension_ids
    direction = intersect(transceiver.direction, reverse(RTCRtpTransceiverDirection(attributes.direction)))
    layers = answered_layers(transceiver, attributes, direction, formats)
    mid = media_mid(offered)
    answered = (
        *(() if mid is None else (Attribute("mid", mid),)),
        *_extension_attributes(extmaps, mixed=attributes.extmap_allow_mixed),
        Attribute(direction.value),
        *_msid_attributes(transceiver),
        Attribute("rtcp-mux"),
        *_if(attributes.rtcp_rsize, Attribute("rtcp-rsize")),
        *format_attributes(formats),
        *_ptime_attributes(transceiver),
        *_source_attributes(transceiver, direction, formats, announce_flexfec=announce_flexfec),
        *layer_attributes(layers),
    )
    return _section(offered.kind, offered.protocol, formats, answered)


def _section(
    kind: str, protocol: str, formats: Sequence[Codec], attributes: Sequence[Attribute]
) -> MediaDescription:
    return MediaDescription(
        kind=kind,
        # A section needs a format, also that of a transceiver without codecs, which is rejected.
        port=PLACEHOLDER_PORT if formats else 0,
        protocol=protocol,
        formats=tuple(str(entry.payload_type) for entry in formats) or ("0",),
        fields=(UNSPECIFIED_CONNECTION,),
        attributes=tuple(attributes),
    )


def _if(condition: bool, attribute: Attribute) -> tuple[Attribute, ...]:
    return (attribute,) if condition else ()


def _extension_attributes(extmaps: Sequence[ExtMap], *, mixed: bool) -> Iterator[Attribute]:
    if mixed:
        yield Attribute("extmap-allow-mixed")
    for extmap in extmaps:
        yield make_attribute("extmap", extmap.to_value())


def _stream_ids(transceiver: LocalTransceiver) -> tuple[str, ...]:
    # RFC 8830 section 2: a hyphen means a track without a stream.
    return transceiver.stream_ids or ("-",)


def _ptime_attributes(transceiver: LocalTransceiver) -> Iterator[Attribute]:
    if transceiver.ptime is not None:
        yield Attribute("ptime", str(transceiver.ptime))


def _msid_attributes(transceiver: LocalTransceiver) -> Iterator[Attribute]:
    # RFC 9429 section 5.2.1: the transceiver's direction decides, not the answered one.
    if transceiver.direction.sends:
        for stream_id in _stream_ids(transceiver):
            yield Attribute("msid", f"{stream_id} {transceiver.track_id}".strip())


def _source_attributes(
    transceiver: LocalTransceiver,
    direction: RTCRtpTransceiverDirection,
    formats: Sequence[Codec],
    *,
    announce_flexfec: bool,
) -> Iterator[Attribute]:
    """Yield the attributes of the local SSRCs (RFC 5576); none for simulcast, whose layers have rids."""
    if not (direction.sends or transceiver.has_sent) or transceiver.simulcast or not transceiver.encodings:
        return
    encoding = transceiver.encodings[0]
    names = {entry.key for entry in formats}
    if not announce_flexfec:
        names.discard(FLEXFEC)
    groups = [
        (semantics, repair) for semantics, repair in _repair_sources(encoding, names) if repair is not None
    ]
    for semantics, repair in groups:
        yield Attribute("ssrc-group", f"{semantics} {encoding.ssrc} {repair}")
    for ssrc in (encoding.ssrc, *(repair for _, repair in groups)):
        if transceiver.cname:
            yield Attribute("ssrc", f"{ssrc} cname:{transceiver.cname}")
        if transceiver.track_id and direction.sends:
            yield Attribute("ssrc", f"{ssrc} msid:{_stream_ids(transceiver)[0]} {transceiver.track_id}")


def _repair_sources(encoding: Encoding, names: set[str]) -> Iterator[tuple[str, int | None]]:
    if RTX in names:
        yield "FID", encoding.rtx_ssrc
    if FLEXFEC in names:
        yield "FEC-FR", encoding.fec_ssrc


def lists_flexfec(description: SessionDescription) -> bool:
    """Return whether a section of a description lists FlexFEC, so that its author understands such SSRCs."""
    return any(
        entry.is_called(FLEXFEC)
        for index, media in enumerate(description.media)
        if media.port != 0 and media.kind == "video"
        for entry in section_formats(description, index)
    )


def announces_media_alone(last: Description | None, index: int, transceiver: LocalTransceiver) -> bool:
    """Return whether the last local description announces a transceiver's SSRC without one for FlexFEC.

    Receivers create their streams when an SSRC is first announced: Chromium drops the packets of a FlexFEC SSRC that
    is added later. Such a stream continues without FlexFEC.
    """
    if last is None or index >= len(last.parsed.media) or not transceiver.encodings:
        return False
    ssrc = transceiver.encodings[0].ssrc
    attributes = rtp_attributes(last.parsed, index)
    return any(ssrc == each.ssrc for each in attributes.ssrcs) and not any(
        group.semantics == "FEC-FR" and group.ssrcs[:1] == (ssrc,) for group in attributes.ssrc_groups
    )
