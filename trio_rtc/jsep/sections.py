"""The sections that we write: one builder for each kind, and the one for what is refused."""

import attrs

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

# Port 9 and the unspecified address stand in the place of the default candidate until there is one,
# RFC 8840 section 4.1.1.
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
    """Return the section for data channels that goes in the place of ``counterpart`` and in its form.

    It is without its transport.

    ``counterpart`` is the peer's section when we answer, our own last one when we offer again.
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
    """Return a section that exists only inside its bundle (RFC 9143 section 6), for an offer.

    RFC 9143 section 7.1.3 wants nothing of the transport in it. But libwebrtc refuses an offer whose sections do not
    all say ``a=rtcp-mux``, aiortc one where ICE credentials are missing; so it repeats all but the candidates, as
    Chromium does.
    """
    attributes = (*section.attributes, Attribute("bundle-only"))
    transport = attrs.evolve(transport, candidates=(), candidates_complete=False)
    return with_transport(attrs.evolve(section, port=0, attributes=attributes), transport, "actpass")


def rejected_section(counterpart: MediaDescription) -> MediaDescription:
    """Return the section that refuses another one, or keeps the place of one that was refused.

    Port 0 alone says it. The codecs are repeated because some peers look for common ones before they look at the
    port.
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
    """Return a section with our end of its transport.

    Args:
        media: The section without.
        transport: Our end.
        setup: The DTLS role. ``actpass`` stands in every offer, those after the first included: RFC 8842 section
            5.2 requires it and the roles that were negotiated stay.
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
