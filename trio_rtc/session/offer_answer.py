"""Building offers and answers (RFC 9429 sections 5.2 and 5.3), as functions of what was negotiated before."""

from collections.abc import Sequence

from trio_rtc.protocols.sdp import (
    Attribute,
    Group,
    MediaDescription,
    Origin,
    SessionDescription,
    groups,
    media_mid,
)

from .description import LocalMedia
from .exchange import Exchange
from .options import SessionOptions
from .plan import TransportPlan, bundled_transport, fingerprint_pairs, standing_dtls_role
from .sections import mirrored_data_section, offer_data_section, rejected_section


def build_offer(origin: Origin, base: Exchange | None, local: LocalMedia) -> SessionDescription:
    """Return an offer.

    Every section of ``base``, our last exchange, keeps its place and its mid. If data channels are wanted and no
    section carries them, they take the first place that was rejected, under a new mid (RFC 9429 section 5.2.2),
    else a new one at the end.
    """
    last = () if base is None or base.local is None else base.local.parsed.media
    data_index = None if base is None else base.data_section()
    sections = [rejected_section(section) for section in last]
    if data_index is None and local.data_channels:
        mids = () if base is None else base.mids()
        data_index = 0
        sections[:1] = [offer_data_section(_new_mid(mids), local)]
    elif data_index is not None:
        sections[data_index] = mirrored_data_section(last[data_index], local, "actpass")
    bundled = [section for section in sections if section.port != 0 and media_mid(section) is not None]
    return _description(origin, sections, bundled or None, local)


def build_answer(
    origin: Origin,
    exchange: Exchange,
    established: TransportPlan | None,
    local: LocalMedia,
    options: SessionOptions,
) -> SessionDescription:
    """Return the answer to a remote offer: data channels accepted in one section, every other one rejected."""
    offer = exchange.offer.parsed
    data_index = exchange.data_section()
    sections = [rejected_section(section) for section in offer.media]
    bundled: list[MediaDescription] | None = [] if groups(offer, "BUNDLE") else None
    if data_index is not None:
        setup = _answer_setup(offer, data_index, established, options)
        sections[data_index] = mirrored_data_section(offer.media[data_index], local, setup)
        mid = media_mid(offer.media[data_index])
        if bundled is not None and any(mid in group.mids for group in groups(offer, "BUNDLE")):
            bundled.append(sections[data_index])
    return _description(origin, sections, bundled, local)


def _description(
    origin: Origin,
    sections: Sequence[MediaDescription],
    bundled: Sequence[MediaDescription] | None,
    local: LocalMedia,
) -> SessionDescription:
    attributes = []
    if bundled is not None:
        # An answer that rejects everything still says that it knows of bundling: libwebrtc insists.
        mids = tuple(mid for section in bundled if (mid := media_mid(section)) is not None)
        attributes.append(Attribute("group", Group("BUNDLE", mids).to_value()))
    attributes.append(Attribute("ice-options", "trickle ice2"))
    if local.ice_lite:
        attributes.append(Attribute("ice-lite"))
    attributes.append(Attribute("msid-semantic", "WMS *"))
    return SessionDescription(origin, attributes=tuple(attributes), media=tuple(sections))


def _new_mid(used: Sequence[str]) -> str:
    return next(mid for number in range(len(used) + 1) if (mid := str(number)) not in used)


def _answer_setup(
    offer: SessionDescription, index: int, established: TransportPlan | None, options: SessionOptions
) -> str:
    """Return our ``a=setup``: what the offer leaves, then the role that we already have, then the option."""
    transport = bundled_transport(offer, index)
    if transport.setup == "active":
        return "passive"
    if transport.setup == "passive":
        return "active"
    standing = standing_dtls_role(fingerprint_pairs(transport.fingerprints), established)
    if standing is not None:
        return "active" if standing == "client" else "passive"
    return options.answer_setup
