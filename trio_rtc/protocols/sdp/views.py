"""Views: a section's attributes as JSEP interprets them (RFC 9429 sections 5.8.1 and 5.8.2).

Attributes are inherited from the session level. Views read descriptions that ``parse`` returned or the local session
built. A malformed attribute is treated as absent.
"""

import itertools
from typing import TypeVar

from trio_rtc import _attrs as attrs

from .description import (
    MediaDescription,
    Section,
    SessionDescription,
    attribute_values,
    has_attribute,
    parsed_value,
    parsed_values,
    view,
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
)

_T = TypeVar("_T")
DEFAULT_SCTP_PORT = 5000
DEFAULT_MAX_MESSAGE_SIZE = 65536
"""Maximum message size in bytes of a peer without ``a=max-message-size``, RFC 8841 section 6.1."""
DATA_CHANNEL_FORMAT = "webrtc-datachannel"
DATA_CHANNEL_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"})
RTP_KINDS = ("audio", "video")
# Old peers write the names without DTLS; with a fingerprint they mean the same.
_RTP_PROTOCOLS = frozenset(
    [f"{transport}/RTP/{profile}" for transport in ("UDP/TLS", "TCP/DTLS") for profile in ("SAVPF", "SAVP")]
    + [f"RTP/{profile}" for profile in ("SAVPF", "SAVP", "AVPF", "AVP")]
)


@attrs.frozen
class TransportAttributes:
    """The transport attributes of a section. ICE and DTLS attributes are inherited from the session level."""

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
    """The SCTP attributes of a data-channel section.

    Attributes:
        sctp_port: The author's SCTP port; 0 closes the association (RFC 8841 section 5.1).
        max_message_size: The maximum size in bytes of a message that the author accepts; 0 means any size.
        legacy: Whether the section has the form before RFC 8841: ``DTLS/SCTP 5000`` with ``a=sctpmap``.
    """

    sctp_port: int
    max_message_size: int
    legacy: bool


@attrs.frozen
class RtpAttributes:
    """The RTP attributes of an audio or video section."""

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
    ptime: float | None
    maxptime: float | None


def groups(description: SessionDescription, semantics: str) -> tuple[Group, ...]:
    """Return the groups with the given semantics: ``BUNDLE`` (RFC 9143) or ``LS`` (RFC 5888)."""
    parsed = parsed_values(description, "group", Group)
    return tuple(group for group in parsed if group.semantics == semantics)


def media_mid(media: MediaDescription) -> str | None:
    """Return the section's mid, ``None`` without one (peers older than BUNDLE)."""
    return parsed_value(media, "mid", str)


def ice_username_fragment(description: SessionDescription, index: int) -> str | None:
    """Return the ICE username fragment of the section at ``index``, ``None`` without one."""
    return _inherited(description, description.media[index], "ice-ufrag", str)


def transport_attributes(description: SessionDescription, index: int) -> TransportAttributes:
    """Return the transport attributes of the section at ``index``."""
    return view(_read_transport_attributes, description, index)


def _read_transport_attributes(description: SessionDescription, index: int) -> TransportAttributes:
    media = description.media[index]
    options = (parsed_values(part, "ice-options", tuple) for part in (description, media))
    # Both credentials come from one level: a media-level ufrag and a session-level password do not belong together.
    credentials: Section = media if has_attribute(media, "ice-ufrag") else description
    fingerprints = parsed_values(media, "fingerprint", Fingerprint) or parsed_values(
        description, "fingerprint", Fingerprint
    )
    return TransportAttributes(
        ice_ufrag=ice_username_fragment(description, index),
        ice_pwd=parsed_value(credentials, "ice-pwd", str),
        ice_options=frozenset().union(*itertools.chain.from_iterable(options)),
        ice_lite=has_attribute(description, "ice-lite"),
        candidates=tuple(f"candidate:{value}" for value in attribute_values(media, "candidate")),
        end_of_candidates=any(has_attribute(part, "end-of-candidates") for part in (description, media)),
        fingerprints=fingerprints,
        setup=_inherited(description, media, "setup", str),
        tls_id=_inherited(description, media, "tls-id", str),
    )


def with_candidates(
    description: SessionDescription, index: int, section: MediaDescription
) -> SessionDescription:
    """Return a description with candidates added to the section at ``index``; all other views remain cached."""
    media = description.media
    changed = attrs.evolve(description, media=(*media[:index], section, *media[index + 1 :]))
    changed.views.update(description.views)
    changed.views.pop((_read_transport_attributes, index), None)
    return changed


def application_attributes(media: MediaDescription) -> ApplicationAttributes | None:
    """Return the SCTP attributes of a data-channel section, ``None`` for another section.

    Without ``a=sctp-port``, the port is 5000, as in libwebrtc.
    """
    if media.kind != "application" or media.protocol not in DATA_CHANNEL_PROTOCOLS:
        return None
    size = parsed_value(media, "max-message-size", int)
    max_message_size = DEFAULT_MAX_MESSAGE_SIZE if size is None else size
    if media.formats == (DATA_CHANNEL_FORMAT,):
        port = parsed_value(media, "sctp-port", int)
        return ApplicationAttributes(
            DEFAULT_SCTP_PORT if port is None else port, max_message_size, legacy=False
        )
    for sctp_map in parsed_values(media, "sctpmap", SctpMap):
        if media.formats == (str(sctp_map.port),) and sctp_map.application == DATA_CHANNEL_FORMAT:
            return ApplicationAttributes(sctp_map.port, max_message_size, legacy=True)
    return None


def is_data_section(media: MediaDescription) -> bool:
    """Return whether the section is for data channels, in the form of RFC 8841 or older."""
    return application_attributes(media) is not None


def is_rtp_section(media: MediaDescription) -> bool:
    """Return whether the section is for audio or video over a secure profile (RFC 9429 section 5.1.2)."""
    return media.kind in RTP_KINDS and media.protocol in _RTP_PROTOCOLS


def is_rejected_offer(media: MediaDescription) -> bool:
    """Return whether port 0 rejects the section: it does unless the section is bundle-only (RFC 9143 section 6)."""
    return media.port == 0 and not is_bundle_only(media)


def rtp_attributes(description: SessionDescription, index: int) -> RtpAttributes:
    """Return the RTP attributes of the section at ``index``."""
    return view(_read_rtp_attributes, description, index)


def _read_rtp_attributes(description: SessionDescription, index: int) -> RtpAttributes:
    media = description.media[index]
    return RtpAttributes(
        direction=_direction(media) or _direction(description) or "sendrecv",
        rtcp_mux=has_attribute(media, "rtcp-mux"),
        rtcp_mux_only=has_attribute(media, "rtcp-mux-only"),
        rtcp_rsize=has_attribute(media, "rtcp-rsize"),
        rtcp=parsed_value(media, "rtcp", Rtcp),
        msids=parsed_values(media, "msid", Msid),
        extmap_allow_mixed=any(has_attribute(part, "extmap-allow-mixed") for part in (description, media)),
        extmaps=parsed_values(media, "extmap", ExtMap),
        rtpmaps=parsed_values(media, "rtpmap", RtpMap),
        fmtps=parsed_values(media, "fmtp", Fmtp),
        rtcp_feedback=parsed_values(media, "rtcp-fb", RtcpFeedback),
        ssrcs=parsed_values(media, "ssrc", Ssrc),
        ssrc_groups=parsed_values(media, "ssrc-group", SsrcGroup),
        rids=parsed_values(media, "rid", Rid),
        simulcast=parsed_value(media, "simulcast", Simulcast),
        bandwidths=tuple(field.bandwidth for field in media.fields if field.bandwidth is not None),
        ptime=parsed_value(media, "ptime", float),
        maxptime=parsed_value(media, "maxptime", float),
    )


def is_bundle_only(media: MediaDescription) -> bool:
    """Return whether the section exists only within its bundle, so that port 0 does not reject it (RFC 9143)."""
    return has_attribute(media, "bundle-only")


def _direction(section: Section) -> str | None:
    return next((attribute.name for attribute in section.attributes if attribute.name in DIRECTIONS), None)


def _inherited(
    description: SessionDescription, media: MediaDescription, name: str, kind: type[_T]
) -> _T | None:
    value = parsed_value(media, name, kind)
    return parsed_value(description, name, kind) if value is None else value
