"""Builders of offers and answers (RFC 9429 sections 5.2 and 5.3)."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCBundlePolicy, RTCRtpTransceiverDirection
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
from .extensions import ExtensionIds
from .formats import section_formats
from .media_sections import (
    BundleNumbers,
    announces_media_alone,
    answer_media_section,
    lists_flexfec,
    offer_media_section,
)
from .offer_answer_exchange import OfferAnswerExchange, section_mids
from .options import SessionOptions
from .plan import (
    TransportPlan,
    bundled_transport,
    fingerprint_pairs,
    plan_of,
    standing_dtls_role,
    transport_numbers,
)
from .sections import (
    bundle_only_section,
    mirrored_data_section,
    offer_data_section,
    rejected_section,
    with_transport,
)


@attrs.frozen
class Built:
    """A description with the transceiver of each section, and for an offer the transport of each."""

    description: SessionDescription
    keys: tuple[int | None, ...]
    transports: tuple[int, ...] = ()


@attrs.define
class _Draft:
    """An incomplete offer: its sections, those of media without their transport."""

    sections: list[MediaDescription]
    keys: list[int | None]
    free: list[int]
    numbers: dict[int, BundleNumbers]
    announce_flexfec: bool

    def place(self, section: MediaDescription, key: int | None) -> None:
        """Insert a new section at the first free index, else at the end."""
        if self.free:
            index = self.free.pop(0)
            self.sections[index], self.keys[index] = section, key
        else:
            self.sections.append(section)
            self.keys.append(key)


def build_offer(
    origin: Origin,
    base: OfferAnswerExchange | None,
    current: OfferAnswerExchange | None,
    planned: Sequence[TransportPlan],
    local: LocalMedia,
    *,
    next_mid: int,
    options: SessionOptions,
    former_ids: ExtensionIds,
) -> Built:
    """Return an offer.

    Every section of ``base`` keeps its index and mid. New sections, first those of the transceivers in order, then the
    one for data channels, recycle rejected sections, with new mids (RFC 9429 section 5.2.2), or are added at the end.

    Args:
        origin: The ``o=`` line.
        base: The exchange to continue: the pending local offer if there is one, else ``current``.
        current: The exchange completed last. Its sections in use keep their index even if ``base`` rejects them.
        planned: The transports. Sections keep theirs. A new section has its own if the bundle policy asks for it and
            the peer may not bundle, else it joins the first.
        local: Local contents.
        next_mid: The least number that was never a mid.
        options: Preferences.
        former_ids: The ids of header extensions in all completed exchanges.
    """
    last = None if base is None or base.local is None else base.local.parsed
    known = () if base is None else base.mids()
    live = () if base is None else base.carried()
    kept = {*live, *(() if current is None else current.carried())}
    places = _Places.of(planned, [known[index] for index in live])
    draft = _Draft(
        sections=[] if last is None else [rejected_section(section) for section in last.media],
        keys=[None] * len(known),
        free=[index for index in range(len(known)) if index not in kept],
        numbers=_numbers_in_use(places, base, current, former_ids),
        announce_flexfec=options.announce_flexfec or _peer_lists_flexfec(base, current),
    )
    if base is not None and last is not None:
        _continue_sections(draft, places, base, last, local)
    mids = map(str, itertools.count(next_mid))
    for transceiver in local.transceivers:
        if transceiver.is_live and (transceiver.mid is None or transceiver.mid not in known):
            mid = transceiver.mid or next(mids)
            section = offer_media_section(
                mid, transceiver, (), draft.numbers[places.joined], announce_flexfec=draft.announce_flexfec
            )
            draft.place(section, transceiver.key)
    if local.data_channels and (base is None or base.data_section() is None):
        draft.place(offer_data_section(next(mids), local), None)
    established = () if current is None else current.carried_mids()
    apart = offers_apart(current, local.bundle_policy)
    offered = _offer_transports(draft.sections, places, local, established, apart=apart)
    sections, numbers = [section for section, _ in offered], tuple(number for _, number in offered)
    bundles = _offered_bundles(sections, places, established)
    return Built(_description(origin, sections, bundles, local), tuple(draft.keys), numbers)


def offers_apart(current: OfferAnswerExchange | None, policy: RTCBundlePolicy) -> bool:
    """Return whether new sections get their own transports: until the peer is known to bundle."""
    return policy is not RTCBundlePolicy.MAX_BUNDLE and (current is None or not current.peer_bundles)


@attrs.frozen
class _Places:
    """The transport of each section of an offer.

    Attributes:
        numbers: Number of the transport by mid, for sections that have one.
        joined: Number of the transport that all other sections join.
    """

    numbers: Mapping[str, int]
    joined: int

    @classmethod
    def of(cls, standing: Sequence[TransportPlan], live: Sequence[str]) -> "_Places":
        carrying = [plan.number for plan in standing if set(plan.mids).intersection(live)]
        numbers = {mid: plan.number for plan in standing for mid in plan.mids}
        return cls(numbers, next(iter(carrying), 0))

    def number(self, mid: str | None) -> int:
        return self.joined if mid is None else self.numbers.get(mid, self.joined)


def _offered_bundles(
    sections: Iterable[MediaDescription], places: _Places, established: Sequence[str]
) -> list[list[MediaDescription]]:
    """Return the bundles of an offer, each in the order of its group."""
    bundles: dict[int, list[MediaDescription]] = {places.joined: []}
    for section in sections:
        mid = media_mid(section)
        if mid is not None and (section.port != 0 or is_bundle_only(section)):
            # Only an answer separates sections: those of an offer that this one replaces may still be bundled.
            number = places.number(mid) if mid in established else places.joined
            bundles.setdefault(number, []).append(section)
    # The section that carries the transport stays the first of the bundle, at any index.
    order = {mid: place for place, mid in enumerate(established)}
    for bundle in bundles.values():
        first = min(bundle, key=lambda section: order.get(media_mid(section) or "", len(order)), default=None)
        bundle.sort(key=lambda section: section is not first)
    # A bundle of one section is not offered again to a peer that has not bundled it.
    return [bundle for number, bundle in bundles.items() if len(bundle) > (number != places.joined)]


def _numbers_in_use(
    places: _Places,
    base: OfferAnswerExchange | None,
    current: OfferAnswerExchange | None,
    former_ids: ExtensionIds,
) -> dict[int, BundleNumbers]:
    """Return the payload types and extension ids in use on each transport.

    The ids of sections that have ended keep their extensions (RFC 8285 section 5): Firefox refuses others.
    """
    numbers = defaultdict[int, BundleNumbers](BundleNumbers)
    for exchange in (base, current):
        if exchange is None:
            continue
        mids = exchange.mids()
        for bundle in exchange.bundles:
            for description in (exchange.local, exchange.remote):
                if description is not None:
                    numbers[places.number(mids[bundle[0]])].reserve(description.parsed, bundle)
    numbers[places.joined].extension_ids.keep(former_ids)
    return numbers


def _peer_lists_flexfec(*exchanges: OfferAnswerExchange | None) -> bool:
    remotes = [exchange.remote for exchange in exchanges if exchange is not None]
    return any(remote is not None and lists_flexfec(remote.parsed) for remote in remotes)


def _continue_sections(
    draft: _Draft, places: _Places, base: OfferAnswerExchange, last: SessionDescription, local: LocalMedia
) -> None:
    """Build the sections in use again, from the live transceivers and the data channels."""
    mids = base.mids()
    associated = {each.mid: each for each in local.transceivers if each.mid is not None}
    for index in base.carried():
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
                    draft.numbers[places.number(mids[index])],
                    section.protocol,
                    announce_flexfec=draft.announce_flexfec
                    and not announces_media_alone(base.local, index, transceiver),
                )


def _offer_transports(
    sections: Sequence[MediaDescription],
    places: _Places,
    local: LocalMedia,
    bundled: Sequence[str],
    *,
    apart: bool,
) -> list[tuple[MediaDescription, int]]:
    """Return the sections of an offer with their transport and its number; some are bundle-only.

    Args:
        sections: All sections; those with port 0 are rejected.
        places: The transport of each section.
        local: Local ends of the transports, and the bundle policy.
        bundled: The mids that the peer has bundled already.
        apart: Whether new sections get their own transports.
    """
    policy = local.bundle_policy
    offered = [section for section in sections if section.port != 0]
    # RFC 9429 section 4.1.1: not bundle-only are all sections, the first of each kind, or only the first.
    standing = {media_mid(section) for section in offered if media_mid(section) in bundled}
    kinds = {section.kind for section in offered if media_mid(section) in standing}
    numbers = {
        number for mid, number in places.numbers.items() if mid in {media_mid(each) for each in offered}
    }
    completed: list[tuple[MediaDescription, int]] = []
    for section in sections:
        mid = media_mid(section)
        if section.port == 0:
            completed.append((section, places.joined))
            continue
        if policy is RTCBundlePolicy.MAX_BUNDLE:
            stands_alone = not kinds
        else:
            stands_alone = policy is RTCBundlePolicy.MAX_COMPAT or section.kind not in kinds
        number = places.number(mid)
        if mid is None or mid in standing or stands_alone:
            kinds.add(section.kind)
            if apart and mid not in places.numbers and number in numbers:
                number = _free_number(numbers, local) or number
            numbers.add(number)
            completed.append((with_transport(section, local.transport(number), "actpass"), number))
        else:
            completed.append((bundle_only_section(section, local.transport(number)), number))
    return completed


def _free_number(numbers: Container[int], local: LocalMedia) -> int | None:
    """Return a further transport without a section, ``None`` if there is none."""
    return next((number for number in local.further if number not in numbers), None)


def build_answer(
    origin: Origin,
    exchange: OfferAnswerExchange,
    standing: Sequence[TransportPlan],
    local: LocalMedia,
    *,
    options: SessionOptions,
    previous: Description | None,
) -> Built:
    """Return the answer to a remote offer.

    ``previous`` is the last local description.

    Data channels are accepted in one section, audio and video in sections whose associated transceiver (by mid) has a
    common codec; all only on transports that exist here (``LocalMedia.has_transport``).
    """
    offer = exchange.offer.parsed
    # One that was stopped on this side is answered as inactive; only an offer can remove its section (webrtc 5.4).
    associated = {
        each.mid: each if each.is_live else attrs.evolve(each, direction=RTCRtpTransceiverDirection.INACTIVE)
        for each in local.transceivers
        if each.mid is not None and not each.stopped
    }
    keys = {each.mid: each.key for each in local.transceivers if each.mid is not None}
    mids = section_mids(offer)
    transports = transport_numbers(exchange, standing)
    numbers = defaultdict[int, BundleNumbers](BundleNumbers)
    accepted: dict[int, MediaDescription] = {}
    permitted = _permitted_sections(exchange, transports, local.bundle_policy)
    for index, number in sorted(transports.items()):
        if index not in permitted or not local.has_transport(number):
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
                numbers[number],
                announce_flexfec=not announces_media_alone(previous, index, transceiver),
            )
        if section is not None:
            accepted[index] = section
    sections = [rejected_section(section) for section in offer.media]
    for bundle in exchange.bundles:
        remaining = [index for index in bundle if index in accepted]
        if remaining:
            number = transports[bundle[0]]
            setup = _answer_setup(offer, remaining[0], plan_of(standing, number), options)
            for index in remaining:
                sections[index] = with_transport(accepted[index], local.transport(number), setup)
    bundles = [
        [sections[mids.index(mid)] for mid in group.mids if mid in mids and mids.index(mid) in accepted]
        for group in groups(offer, "BUNDLE")
    ]
    return Built(_description(origin, sections, bundles, local), tuple(keys.get(mid) for mid in mids))


def _permitted_sections(
    exchange: OfferAnswerExchange, usable: Collection[int], policy: RTCBundlePolicy
) -> Collection[int]:
    """Return the sections that the bundle policy permits an answer to accept.

    RFC 9429 section 5.3.1: with max-bundle, only the first section and those bundled with it.
    """
    if policy is not RTCBundlePolicy.MAX_BUNDLE or not usable:
        return usable
    first = min(usable)
    return next((bundle for bundle in exchange.bundles if first in bundle), (first,))


def _description(
    origin: Origin,
    sections: Sequence[MediaDescription],
    bundles: Sequence[Sequence[MediaDescription]],
    local: LocalMedia,
) -> SessionDescription:
    attributes = []
    # libwebrtc requires a BUNDLE group also in an answer that rejects all sections.
    for bundle in [each for each in bundles if each] or bundles[:1]:
        mids = tuple(mid for section in bundle if (mid := media_mid(section)) is not None)
        attributes.append(Attribute("group", Group("BUNDLE", mids).to_value()))
    attributes.append(Attribute("ice-options", "trickle ice2"))
    if local.ice_lite:
        attributes.append(Attribute("ice-lite"))
    attributes.append(Attribute("msid-semantic", "WMS *"))
    if local.identity is not None:
        attributes.append(Attribute("identity", local.identity))
    return SessionDescription(origin, attributes=tuple(attributes), media=tuple(sections))


def _answer_setup(
    offer: SessionDescription, index: int, established: TransportPlan | None, options: SessionOptions
) -> str:
    """Return the local ``a=setup``: the one that the offer leaves, else the established role, else the option."""
    transport = bundled_transport(offer, index)
    if transport.setup == "active":
        return "passive"
    if transport.setup == "passive":
        return "active"
    standing = standing_dtls_role(fingerprint_pairs(transport.fingerprints), established)
    if standing is not None:
        return "active" if standing == "client" else "passive"
    return options.answer_setup
