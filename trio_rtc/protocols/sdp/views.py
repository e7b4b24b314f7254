"""What JSEP asks of a section, with the session's attributes inherited (RFC 9429 sections 5.8.1 and 5.8.2).

The views read descriptions that ``parse`` returned or that the session built: their values follow the grammar.
"""

import attrs

from .description import (
    MediaDescription,
    Section,
    SessionDescription,
    attribute_value,
    attribute_values,
    has_attribute,
)
from .values import (
    DIRECTIONS,
    Bandwidth,
    ExtMap,
    Fingerprint,
    Fmtp,
    Group,
    Msid,
    Rid,
    Rtcp,
    RtcpFeedback,
    RtpMap,
    SctpMap,
    Simulcast,
    Ssrc,
    SsrcGroup,
    parse_ice_options,
)

DEFAULT_SCTP_PORT = 5000
DEFAULT_MAX_MESSAGE_SIZE = 65536
"""What a peer that states no ``a=max-message-size`` can take, RFC 8841 section 6.1, in bytes."""
DATA_CHANNEL_FORMAT = "webrtc-datachannel"
DATA_CHANNEL_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"})


@attrs.frozen
class TransportAttributes:
    """What a section says about its transport. ICE and DTLS attributes fall back to the session's."""

    ice_ufrag: str | None
    ice_pwd: str | None
    ice_options: frozenset[str]
    ice_lite: bool
    candidates: tuple[str, ...]
    end_of_candidates: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: str | None
    tls_id: str | None


@attrs.frozen
class ApplicationAttributes:
    """What a data-channel section says about SCTP.

    Attributes:
        sctp_port: The SCTP port of its author; 0 closes the association (RFC 8841 section 5.1).
        max_message_size: Bytes that its author can take in one message; 0 is any size.
        legacy: Whether it is in the form before RFC 8841: ``DTLS/SCTP 5000`` with ``a=sctpmap``.
    """

    sctp_port: int
    max_message_size: int
    legacy: bool


@attrs.frozen
class RtpAttributes:
    """What a section of RTP media says."""

    direction: str
    rtcp_mux: bool
    rtcp_mux_only: bool
    rtcp_rsize: bool
    rtcp: Rtcp | None
    msids: tuple[Msid, ...]
    extmap_allow_mixed: bool
    extmaps: tuple[ExtMap, ...]
    rtpmaps: tuple[RtpMap, ...]
    fmtps: tuple[Fmtp, ...]
    rtcp_feedback: tuple[RtcpFeedback, ...]
    ssrcs: tuple[Ssrc, ...]
    ssrc_groups: tuple[SsrcGroup, ...]
    rids: tuple[Rid, ...]
    simulcast: Simulcast | None
    bandwidths: tuple[Bandwidth, ...]


def groups(description: SessionDescription, semantics: str) -> tuple[Group, ...]:
    """Return the groups of one kind: ``BUNDLE`` (RFC 9143) or ``LS`` (RFC 5888)."""
    parsed = (Group.parse(value) for value in attribute_values(description, "group"))
    return tuple(group for group in parsed if group.semantics == semantics)


def media_mid(media: MediaDescription) -> str | None:
    """Return the section's mid, ``None`` if it has none (peers older than BUNDLE)."""
    return attribute_value(media, "mid")


def ice_username_fragment(description: SessionDescription, index: int) -> str | None:
    """Return the ICE username fragment of the section at ``index``, ``None`` if it states none."""
    return _inherited(description, description.media[index], "ice-ufrag")


def transport_attributes(description: SessionDescription, index: int) -> TransportAttributes:
    """Return what the section at ``index`` says about its transport."""
    media = description.media[index]
    options = (
        parse_ice_options(text)
        for part in (description, media)
        for text in attribute_values(part, "ice-options")
    )
    # The credentials are taken from one level together: a ufrag of the section and a password of the session are
    # not a pair that anyone generated.
    credentials: Section = media if has_attribute(media, "ice-ufrag") else description
    fingerprints = tuple(attribute_values(media, "fingerprint")) or tuple(
        attribute_values(description, "fingerprint")
    )
    return TransportAttributes(
        ice_ufrag=ice_username_fragment(description, index),
        ice_pwd=attribute_value(credentials, "ice-pwd"),
        ice_options=frozenset(option for line in options for option in line),
        ice_lite=has_attribute(description, "ice-lite"),
        candidates=tuple(f"candidate:{value}" for value in attribute_values(media, "candidate")),
        end_of_candidates=_inherited(description, media, "end-of-candidates") is not None,
        fingerprints=tuple(Fingerprint.parse(value) for value in fingerprints),
        setup=_inherited(description, media, "setup"),
        tls_id=_inherited(description, media, "tls-id"),
    )


def application_attributes(media: MediaDescription) -> ApplicationAttributes | None:
    """Return what a data-channel section says about SCTP, ``None`` if it is not one.

    A section without ``a=sctp-port`` is taken to mean port 5000, as libwebrtc does.
    """
    if media.kind != "application" or media.protocol not in DATA_CHANNEL_PROTOCOLS:
        return None
    size = attribute_value(media, "max-message-size")
    max_message_size = DEFAULT_MAX_MESSAGE_SIZE if size is None else int(size)
    if media.formats == (DATA_CHANNEL_FORMAT,):
        port = attribute_value(media, "sctp-port")
        return ApplicationAttributes(
            DEFAULT_SCTP_PORT if port is None else int(port), max_message_size, legacy=False
        )
    for value in attribute_values(media, "sctpmap"):
        sctp_map = SctpMap.parse(value)
        if media.formats == (str(sctp_map.port),) and sctp_map.application == DATA_CHANNEL_FORMAT:
            return ApplicationAttributes(sctp_map.port, max_message_size, legacy=True)
    return None


def rtp_attributes(description: SessionDescription, index: int) -> RtpAttributes:
    """Return what the section at ``index`` says about RTP."""
    media = description.media[index]
    rtcp, simulcast = attribute_value(media, "rtcp"), attribute_value(media, "simulcast")
    return RtpAttributes(
        direction=_direction(media) or _direction(description) or "sendrecv",
        rtcp_mux=has_attribute(media, "rtcp-mux"),
        rtcp_mux_only=has_attribute(media, "rtcp-mux-only"),
        rtcp_rsize=has_attribute(media, "rtcp-rsize"),
        rtcp=None if rtcp is None else Rtcp.parse(rtcp),
        msids=tuple(map(Msid.parse, attribute_values(media, "msid"))),
        extmap_allow_mixed=_inherited(description, media, "extmap-allow-mixed") is not None,
        extmaps=tuple(map(ExtMap.parse, attribute_values(media, "extmap"))),
        rtpmaps=tuple(map(RtpMap.parse, attribute_values(media, "rtpmap"))),
        fmtps=tuple(map(Fmtp.parse, attribute_values(media, "fmtp"))),
        rtcp_feedback=tuple(map(RtcpFeedback.parse, attribute_values(media, "rtcp-fb"))),
        ssrcs=tuple(map(Ssrc.parse, attribute_values(media, "ssrc"))),
        ssrc_groups=tuple(map(SsrcGroup.parse, attribute_values(media, "ssrc-group"))),
        rids=tuple(map(Rid.parse, attribute_values(media, "rid"))),
        simulcast=None if simulcast is None else Simulcast.parse(simulcast),
        bandwidths=tuple(Bandwidth.parse(field.value) for field in media.fields if field.type == "b"),
    )


def is_bundle_only(media: MediaDescription) -> bool:
    """Return whether the section is one that exists only inside its bundle: port 0 does not reject it (RFC 9143)."""
    return has_attribute(media, "bundle-only")


def _direction(section: Section) -> str | None:
    return next((attribute.name for attribute in section.attributes if attribute.name in DIRECTIONS), None)


def _inherited(description: SessionDescription, media: MediaDescription, name: str) -> str | None:
    value = attribute_value(media, name)
    return attribute_value(description, name) if value is None else value
