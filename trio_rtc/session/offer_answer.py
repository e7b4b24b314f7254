"""Building offers and answers (RFC 9429 sections 5.2 and 5.3), as functions of what was negotiated before."""

import itertools
from collections.abc import Iterable, Sequence

import attrs

from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.protocols.sdp import (
    Attribute,
    Group,
    MediaDescription,
    Origin,
    SessionDescription,
    groups,
    is_bundle_only,
    is_data_section,
    media_mid,
)

from .description import Description, LocalMedia
from .exchange import Exchange, section_mids
from .formats import section_formats
from .media_sections import (
    BundleNumbers,
    announces_media_alone,
    answer_media_section,
    lists_flexfec,
    offer_media_section,
)
from .options import SessionOptions
from .plan import TransportPlan, bundled_transport, fingerprint_pairs, standing_dtls_role
from .sections import (
    bundle_only_section,
    mirrored_data_section,
    offer_data_section,
    rejected_section,
    with_transport,
)


@attrs.frozen
class Built:
    """A description, and for each of its sections the transceiver that it was built from."""

    description: SessionDescription
    keys: tuple[int | None, ...]


@attrs.define
class _Draft:
    """An offer while it is built: its sections, without the transport of those for media."""

    sections: list[MediaDescription]
    keys: list[int | None]
    free: list[int]
    numbers: BundleNumbers
    announce_flexfec: bool

    def place(self, section: MediaDescription, key: int | None) -> None:
        """Put a new section in the first place that is free, else at the end."""
        if self.free:
            index = self.free.pop(0)
            self.sections[index], self.keys[index] = section, key
        else:
            self.sections.append(section)
            self.keys.append(key)


def build_offer(
    origin: Origin,
    base: Exchange | None,
    current: Exchange | None,
    local: LocalMedia,
    *,
    next_mid: int,
    options: SessionOptions,
) -> Built:
    """Return an offer.

    Every section of ``base`` keeps its place and its mid. New sections, those of transceivers in their order and
    then that for data channels, take the places that were rejected, under new mids (RFC 9429 section 5.2.2), else
    new ones at the end.

    Args:
        origin: The ``o=`` line.
        base: The exchange to go on from: our offer under way if there is one, else ``current``.
        current: The exchange that was completed last. What it carries keeps its place even if ``base`` gives it up.
        local: What our side has.
        next_mid: The least number that was never a mid.
        options: Preferences.
    """
    last = None if base is None or base.local is None else base.local.parsed
    known = () if base is None else base.mids()
    live = () if base is None else base.carried()
    kept = {*live, *(() if current is None else current.carried())}
    draft = _Draft(
        sections=[] if last is None else [rejected_section(section) for section in last.media],
        keys=[None] * len(known),
        free=[index for index in range(len(known)) if index not in kept],
        numbers=_numbers_in_use(base, current),
        announce_flexfec=options.announce_flexfec or _peer_lists_flexfec(base, current),
    )
    if base is not None and last is not None:
        _continue_sections(draft, base, last, live, local)
    mids = map(str, itertools.count(next_mid))
    for transceiver in local.transceivers:
        if transceiver.is_live and (transceiver.mid is None or transceiver.mid not in known):
            mid = transceiver.mid or next(mids)
            section = offer_media_section(
                mid, transceiver, (), draft.numbers, announce_flexfec=draft.announce_flexfec
            )
            draft.place(section, transceiver.key)
    if local.data_channels and (base is None or base.data_section() is None):
        draft.place(offer_data_section(next(mids), local), None)
    established = () if current is None else current.carried_mids()
    sections = _offer_transports(draft.sections, local, established)
    bundled = _offered_bundle(sections, established)
    return Built(_description(origin, sections, bundled or None, local), tuple(draft.keys))


def _offered_bundle(
    sections: Iterable[MediaDescription], established: Sequence[str]
) -> list[MediaDescription]:
    """Return the sections that an offer bundles, in the order of the group."""
    bundled = [
        section
        for section in sections
        if (section.port != 0 or is_bundle_only(section)) and media_mid(section) is not None
    ]
    # The section whose transport all use goes on to be the first of the bundle, wherever it stands.
    return sorted(bundled, key=lambda section: media_mid(section) not in established[:1])


def _numbers_in_use(base: Exchange | None, current: Exchange | None) -> BundleNumbers:
    numbers = BundleNumbers()
    for exchange in (base, current):
        if exchange is not None:
            for description in (exchange.local, exchange.remote):
                if description is not None:
                    numbers.reserve(description.parsed, exchange.carried())
    return numbers


def _peer_lists_flexfec(*exchanges: Exchange | None) -> bool:
    remotes = [exchange.remote for exchange in exchanges if exchange is not None]
    return any(remote is not None and lists_flexfec(remote.parsed) for remote in remotes)


def _continue_sections(
    draft: _Draft, base: Exchange, last: SessionDescription, live: Iterable[int], local: LocalMedia
) -> None:
    """Write anew the sections that carry something: what a live transceiver has, and the data channels."""
    mids = base.mids()
    associated = {each.mid: each for each in local.transceivers if each.mid is not None}
    for index in live:
        section = draft.sections[index]
        transceiver = associated.get(mids[index])
        if is_data_section(last.media[index]):
            draft.sections[index] = mirrored_data_section(last.media[index], local)
        elif transceiver is not None and transceiver.kind == section.kind:
            draft.keys[index] = transceiver.key
            if transceiver.is_live:
                draft.sections[index] = offer_media_section(
                    mids[index],
                    transceiver,
                    section_formats(last, index),
                    draft.numbers,
                    section.protocol,
                    announce_flexfec=draft.announce_flexfec
                    and not announces_media_alone(base.local, index, transceiver),
                )


def _offer_transports(
    sections: Sequence[MediaDescription], local: LocalMedia, bundled: Sequence[str]
) -> list[MediaDescription]:
    """Return the sections of an offer with their transport, or marked as having none outside of the bundle.

    Args:
        sections: All of them; those with port 0 are rejected.
        local: Our end of the transport, and the bundle policy.
        bundled: The mids that the peer has bundled already.
    """
    policy = local.bundle_policy
    offered = [section for section in sections if section.port != 0]
    # What stands by itself, under RFC 9429 section 4.1.1: everything, the first of each kind, or the first alone.
    standing = {media_mid(section) for section in offered if media_mid(section) in bundled}
    kinds = {section.kind for section in offered if media_mid(section) in standing}
    completed = []
    for section in sections:
        mid = media_mid(section)
        if section.port == 0:
            completed.append(section)
            continue
        if policy is RTCBundlePolicy.MAX_BUNDLE:
            stands_alone = not kinds
        else:
            stands_alone = policy is RTCBundlePolicy.MAX_COMPAT or section.kind not in kinds
        if mid is None or mid in standing or stands_alone:
            kinds.add(section.kind)
            completed.append(with_transport(section, local.transport(mid or ""), "actpass"))
        else:
            completed.append(bundle_only_section(section, local))
    return completed


def build_answer(
    origin: Origin,
    exchange: Exchange,
    established: TransportPlan | None,
    local: LocalMedia,
    *,
    options: SessionOptions,
    previous: Description | None,
) -> Built:
    """Return the answer to a remote offer.

    ``previous`` is our last description.

    Data channels are accepted in one section, audio and video where a transceiver is associated (by its mid) with
    which something is in common. Of these only what is bundled with the first can stay, since there is one
    transport: every other section is rejected.
    """
    offer = exchange.offer.parsed
    associated = {each.mid: each for each in local.transceivers if each.mid is not None and each.is_live}
    keys = {each.mid: each.key for each in local.transceivers if each.mid is not None}
    mids = section_mids(offer)
    numbers = BundleNumbers()
    accepted: dict[int, MediaDescription] = {}
    bundle: frozenset[str] = frozenset(mids)
    for index in exchange.usable():
        if mids[index] not in bundle:
            continue
        transceiver = associated.get(mids[index])
        section = None
        if is_data_section(offer.media[index]):
            section = mirrored_data_section(offer.media[index], local)
        elif transceiver is not None and transceiver.kind == offer.media[index].kind:
            section = answer_media_section(
                offer,
                index,
                transceiver,
                numbers,
                announce_flexfec=not announces_media_alone(previous, index, transceiver),
            )
        if section is not None:
            accepted[index] = section
            bundle &= _bundle_of(offer, mids[index])
    sections = [rejected_section(section) for section in offer.media]
    order = _bundle_order(offer, tuple(accepted))
    if accepted:
        setup = _answer_setup(offer, next(iter(order or accepted)), established, options)
        for index, section in accepted.items():
            sections[index] = with_transport(section, local.transport(mids[index]), setup)
    bundled = [sections[index] for index in order] if groups(offer, "BUNDLE") else None
    return Built(_description(origin, sections, bundled, local), tuple(keys.get(mid) for mid in mids))


def _bundle_of(offer: SessionDescription, mid: str) -> frozenset[str]:
    """Return the mids that may share the transport of one, itself alone if it is in no bundle."""
    bundles = (frozenset(group.mids) for group in groups(offer, "BUNDLE") if mid in group.mids)
    return next(bundles, frozenset({mid}))


def _bundle_order(offer: SessionDescription, accepted: Sequence[int]) -> tuple[int, ...]:
    """Return accepted sections of one bundle in the bundle's order; ``()`` if they are in none."""
    mids = section_mids(offer)
    for group in groups(offer, "BUNDLE"):
        if accepted and mids[accepted[0]] in group.mids:
            return tuple(sorted(accepted, key=lambda index: group.mids.index(mids[index])))
    return ()


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
