"""Builders of local sections: for data channels, transports and rejected sections."""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.sdp import (
    DATA_CHANNEL_FORMAT,
    Attribute,
    Field,
    Fingerprint,
    MediaDescription,
    application_attributes,
    media_mid,
)

from .candidates import add_candidate, end_candidates
from .description import LocalMedia, LocalTransport

# Port 9 and the unspecified address replace the default candidate until there is one (RFC 8840 section 4.1.1).
PLACEHOLDER_PORT = 9
UNSPECIFIED_HOST = "0.0.0.0"  # noqa: S104 (written into descriptions, never bound to)
UNSPECIFIED_CONNECTION = Field("c", f"IN IP4 {UNSPECIFIED_HOST}")
_DATA_CHANNEL_STREAMS = 65535
_CODEC_ATTRIBUTES = frozenset({"rtpmap", "fmtp"})


def offer_data_section(mid: str, local: LocalMedia) -> MediaDescription:
    """Return the section that offers data channels (RFC 8841 section 7), without its transport."""
    return MediaDescription(
        kind="application",
        port=PLACEHOLDER_PORT,
        protocol="UDP/DTLS/SCTP",
        formats=(DATA_CHANNEL_FORMAT,),
        fields=(UNSPECIFIED_CONNECTION,),
        attributes=(Attribute("mid", mid), *_sctp_attributes(local)),
    )


def mirrored_data_section(counterpart: MediaDescription, local: LocalMedia) -> MediaDescription:
    """Return a section for data channels in the form of ``counterpart``, without its transport.

    ``counterpart`` is the remote section in an answer, the last local one in a subsequent offer.
    """
    application = application_attributes(counterpart)
    legacy = application is not None and application.legacy
    mid = media_mid(counterpart)
    attributes = [] if mid is None else [Attribute("mid", mid)]
    if legacy:
        sctp_map = f"{local.sctp_port} {DATA_CHANNEL_FORMAT} {_DATA_CHANNEL_STREAMS}"
        attributes.append(Attribute("sctpmap", sctp_map))
        attributes.append(Attribute("max-message-size", str(local.max_message_size)))
    else:
        attributes.extend(_sctp_attributes(local))
    return MediaDescription(
        kind=counterpart.kind,
        port=PLACEHOLDER_PORT,
        protocol=counterpart.protocol,
        formats=(str(local.sctp_port),) if legacy else (DATA_CHANNEL_FORMAT,),
        fields=(UNSPECIFIED_CONNECTION,),
        attributes=tuple(attributes),
    )


def bundle_only_section(section: MediaDescription, transport: LocalTransport) -> MediaDescription:
    """Return a bundle-only section (RFC 9143 section 6) for an offer.

    RFC 9143 section 7.1.3 excludes attributes of the transport. But libwebrtc rejects an offer with a section without
    ``a=rtcp-mux``, and aiortc one without ICE credentials; so all are repeated except candidates, as in Chromium.
    """
    attributes = (*section.attributes, Attribute("bundle-only"))
    transport = attrs.evolve(transport, candidates=(), candidates_complete=False)
    return with_transport(attrs.evolve(section, port=0, attributes=attributes), transport, "actpass")


def rejected_section(counterpart: MediaDescription) -> MediaDescription:
    """Return the rejected form of a section.

    Port 0 rejects. The codecs are repeated because some peers look for common codecs before they check the port.
    """
    mid = media_mid(counterpart)
    attributes = [] if mid is None else [Attribute("mid", mid)]
    if counterpart.kind in ("audio", "video"):
        attributes.append(Attribute("inactive"))
        attributes.extend(
            attribute for attribute in counterpart.attributes if attribute.name in _CODEC_ATTRIBUTES
        )
    return MediaDescription(
        kind=counterpart.kind,
        port=0,
        protocol=counterpart.protocol,
        formats=counterpart.formats,
        fields=(UNSPECIFIED_CONNECTION,),
        attributes=tuple(attributes),
    )


def _sctp_attributes(local: LocalMedia) -> tuple[Attribute, ...]:
    return (
        Attribute("sctp-port", str(local.sctp_port)),
        Attribute("max-message-size", str(local.max_message_size)),
    )


def with_transport(media: MediaDescription, transport: LocalTransport, setup: str) -> MediaDescription:
    """Return a section with the local end of its transport.

    Args:
        media: The section without transport.
        transport: The local end.
        setup: The DTLS role. RFC 8842 section 5.2 requires ``actpass`` in every offer, subsequent ones included; the
            negotiated roles stay.
    """
    attributes = (
        *media.attributes,
        Attribute("ice-ufrag", transport.username_fragment),
        Attribute("ice-pwd", transport.password),
        *(Attribute("fingerprint", Fingerprint(*pair).to_value()) for pair in transport.fingerprints),
        Attribute("setup", setup),
    )
    media = attrs.evolve(media, attributes=attributes)
    for candidate in transport.candidates:
        media = add_candidate(media, candidate)
    return end_candidates(media) if transport.candidates_complete else media
