"""What JSEP asks of a section, with the session's attributes inherited (RFC 9429 sections 5.8.1 and 5.8.2).

The views read descriptions that ``parse`` returned or that the session built. A malformed attribute counts as absent.
"""

import itertools
from typing import TypeVar

import attrs

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
"""What a peer that states no ``a=max-message-size`` can take, RFC 8841 section 6.1, in bytes."""
DATA_CHANNEL_FORMAT = "webrtc-datachannel"
DATA_CHANNEL_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"})
RTP_KINDS = ("audio", "video")
# The names without DTLS are what old peers write, who mean the same as long as a fingerprint comes with it.
_RTP_PROTOCOLS = frozenset(
    [f"{transport}/RTP/{profile}" for transport in ("UDP/TLS", "TCP/DTLS") for profile in ("SAVPF", "SAVP")]
    + [f"RTP/{profile}" for profile in ("SAVPF", "SAVP", "AVPF", "AVP")]
)


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
    ptime: float | None
    maxptime: float | None


def groups(description: SessionDescription, semantics: str) -> tuple[Group, ...]:
    """Return the groups of one kind: ``BUNDLE`` (RFC 9143) or ``LS`` (RFC 5888)."""
    parsed = parsed_values(description, "group", Group)
    return tuple(group for group in parsed if group.semantics == semantics)


def media_mid(media: MediaDescription) -> str | None:
    """Return the section's mid, ``None`` if it has none (peers older than BUNDLE)."""
    return parsed_value(media, "mid", str)


def ice_username_fragment(description: SessionDescription, index: int) -> str | None:
    """Return the ICE username fragment of the section at ``index``, ``None`` if it states none."""
    return _inherited(description, description.media[index], "ice-ufrag", str)


def transport_attributes(description: SessionDescription, index: int) -> TransportAttributes:
    """Return what the section at ``index`` says about its transport."""
    return view(_read_transport_attributes, description, index)


def _read_transport_attributes(description: SessionDescription, index: int) -> TransportAttributes:
    media = description.media[index]
    options = (parsed_values(part, "ice-options", tuple) for part in (description, media))
    # The credentials are taken from one level together: a ufrag of the section and a password of the session are
    # not a pair that anyone generated.
    credentials: Section = media if has_attribute(media, "ice-ufrag") else description
    fingerprints = tuple(parsed_values(media, "fingerprint", Fingerprint)) or tuple(
        parsed_values(description, "fingerprint", Fingerprint)
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


def application_attributes(media: MediaDescription) -> ApplicationAttributes | None:
    """Return what a data-channel section says about SCTP, ``None`` if it is not one.

    A section without ``a=sctp-port`` is taken to mean port 5000, as libwebrtc does.
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
    """Return whether the section is one for data channels, in the form of today or of before RFC 8841."""
    return application_attributes(media) is not None


def is_rtp_section(media: MediaDescription) -> bool:
    """Return whether the section is one for audio or video in a form that can be secured (RFC 9429 section 5.1.2)."""
    return media.kind in RTP_KINDS and media.protocol in _RTP_PROTOCOLS


def is_rejected_offer(media: MediaDescription) -> bool:
    """Return whether port 0 rejects the section: it does, unless it is bundle-only (RFC 9143 section 6)."""
    return media.port == 0 and not is_bundle_only(media)


def rtp_attributes(description: SessionDescription, index: int) -> RtpAttributes:
    """Return what the section at ``index`` says about RTP."""
    return view(_read_rtp_attributes, description, index)


def _read_rtp_attributes(description: SessionDescription, index: int) -> RtpAttributes:
    media = description.media[index]
    return RtpAttributes(
        direction=_direction(media) or _direction(description) or "sendrecv",
        rtcp_mux=has_attribute(media, "rtcp-mux"),
        rtcp_mux_only=has_attribute(media, "rtcp-mux-only"),
        rtcp_rsize=has_attribute(media, "rtcp-rsize"),
        rtcp=parsed_value(media, "rtcp", Rtcp),
        msids=tuple(parsed_values(media, "msid", Msid)),
        extmap_allow_mixed=any(has_attribute(part, "extmap-allow-mixed") for part in (description, media)),
        extmaps=tuple(parsed_values(media, "extmap", ExtMap)),
        rtpmaps=tuple(parsed_values(media, "rtpmap", RtpMap)),
        fmtps=tuple(parsed_values(media, "fmtp", Fmtp)),
        rtcp_feedback=tuple(parsed_values(media, "rtcp-fb", RtcpFeedback)),
        ssrcs=tuple(parsed_values(media, "ssrc", Ssrc)),
        ssrc_groups=tuple(parsed_values(media, "ssrc-group", SsrcGroup)),
        rids=tuple(parsed_values(media, "rid", Rid)),
        simulcast=parsed_value(media, "simulcast", Simulcast),
        bandwidths=tuple(field.bandwidth for field in media.fields if field.bandwidth is not None),
        ptime=parsed_value(media, "ptime", float),
        maxptime=parsed_value(media, "maxptime", float),
    )


def is_bundle_only(media: MediaDescription) -> bool:
    """Return whether the section is one that exists only inside its bundle: port 0 does not reject it (RFC 9143)."""
    return has_attribute(media, "bundle-only")


def _direction(section: Section) -> str | None:
    return next((attribute.name for attribute in section.attributes if attribute.name in DIRECTIONS), None)


def _inherited(
    description: SessionDescription, media: MediaDescription, name: str, kind: type[_T]
) -> _T | None:
    value = parsed_value(media, name, kind)
    return parsed_value(description, name, kind) if value is None else value
