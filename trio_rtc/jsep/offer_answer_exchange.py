"""Offer/answer exchanges: an offer with its answer, and the sections in use."""

import functools
from collections.abc import Iterator, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.sdp import (
    MediaDescription,
    SessionDescription,
    application_attributes,
    groups,
    has_attribute,
    ice_username_fragment,
    is_data_section,
    is_rejected_offer,
    is_rtp_section,
    media_mid,
    view,
)

from .description import Description
from .signaling import Side


@attrs.frozen
class OfferAnswerExchange:
    """An offer, and its answer or provisional answer once there is one."""

    offerer: Side
    offer: Description
    answer: Description | None = None

    @property
    def local(self) -> Description | None:
        """The local description."""
        return self.of(Side.LOCAL)

    @property
    def remote(self) -> Description | None:
        """The remote description."""
        return self.of(Side.REMOTE)

    def of(self, side: Side) -> Description | None:
        """Return the description of one side."""
        return self.offer if self.offerer is side else self.answer

    def with_description(self, side: Side, description: Description) -> "OfferAnswerExchange":
        """Return the exchange with another description of one side; itself if it is unchanged."""
        if description is self.of(side):
            return self
        if self.offerer is side:
            return attrs.evolve(self, offer=description)
        return attrs.evolve(self, answer=description)

    def without_answer(self) -> "OfferAnswerExchange":
        """Return the exchange without its answer."""
        return self if self.answer is None else attrs.evolve(self, answer=None)

    def mids(self) -> tuple[str, ...]:
        """Return the mid of every section of the offer.

        A section without a mid (peers older than BUNDLE) gets a generated one, RFC 9429 section 5.10, which is always
        the same and never sent: the answer has none either.
        """
        return section_mids(self.offer.parsed)

    def key(self, index: int) -> int | None:
        """Return the local transceiver of a section, ``None`` without one."""
        for description in (self.local, self.offer):
            if description is not None and description.keys:
                return description.keys[index]
        return None

    @functools.cached_property
    def bundles(self) -> tuple[tuple[int, ...], ...]:
        """The sections in use, grouped by transport, each group in the order of its bundle.

        A section outside of a bundle has a transport of its own (RFC 9143 section 7.2). But where the local offer has
        several sections on one transport, an answer that takes them out of the bundle rejects all but the first: a
        transport cannot be divided.
        """
        usable, mids, transports = tuple(self._usable()), self.mids(), self.offer.transports
        if transports and self.answer is None:
            numbers = dict.fromkeys(transports[index] for index in usable)
            apart = [[index for index in usable if transports[index] == number] for number in numbers]
            grouped = [self._in_bundle_order([mids[index] for index in each]) for each in apart]
        else:
            grouped = [group.mids for group in groups((self.answer or self.offer).parsed, "BUNDLE")]
        bundles: list[tuple[int, ...]] = []
        placed: set[int] = set()
        offered: set[int] = set()
        for index in usable:
            if index in placed:
                continue
            group = next((each for each in grouped if mids[index] in each), (mids[index],))
            places = {mid: place for place, mid in enumerate(group)}
            members = [each for each in usable if mids[each] in places]
            bundle = tuple(sorted(members, key=lambda each: places[mids[each]]))
            placed.update(bundle)
            if transports:
                if transports[bundle[0]] in offered:
                    continue
                offered.add(transports[bundle[0]])
            bundles.append(bundle)
        return tuple(bundles)

    def _in_bundle_order(self, mids: Sequence[str]) -> tuple[str, ...]:
        """Return mids in the order of the offer's bundles, those in none last."""
        order = [mid for group in groups(self.offer.parsed, "BUNDLE") for mid in group.mids]
        return tuple(sorted(mids, key=lambda mid: order.index(mid) if mid in order else len(order)))

    @property
    def peer_bundles(self) -> bool:
        """Whether the peer's description has bundles."""
        return self.remote is not None and any(True for _ in groups(self.remote.parsed, "BUNDLE"))

    def carried(self) -> tuple[int, ...]:
        """Return the sections in use, those of one transport together."""
        return tuple(index for bundle in self.bundles for index in bundle)

    def carried_mids(self) -> tuple[str, ...]:
        """Return the mids of the sections in use, those of one transport together."""
        mids = self.mids()
        return tuple(mids[index] for index in self.carried())

    def data_section(self) -> int | None:
        """Return the index of the section in use for data channels, ``None`` without one."""
        media = self.offer.parsed.media
        return next((index for index in self.carried() if is_data_section(media[index])), None)

    def data_mid(self) -> str | None:
        """Return the mid of the section in use for data channels, ``None`` without one."""
        index = self.data_section()
        return None if index is None else self.mids()[index]

    def _usable(self) -> Iterator[int]:
        """Yield the sections that neither side has rejected; of those for data channels only the first."""
        data_found = False
        bundled = {mid for group in groups(self.offer.parsed, "BUNDLE") for mid in group.mids}
        for index, offered in enumerate(self.offer.parsed.media):
            if is_rejected(offered) or index in self.offer.refused:
                continue
            # RFC 9143 section 6: outside of a bundle, bundle-only has no meaning, and port 0 rejects.
            if offered.port == 0 and media_mid(offered) not in bundled:
                continue
            if self.answer is not None and _is_refused(self.answer.parsed.media[index]):
                continue
            if is_data_section(offered):
                if data_found:
                    continue
                data_found = True
            elif not is_rtp_section(offered):
                continue
            yield index

    def rejected_mids(self) -> tuple[str, ...]:
        """Return the mids of the sections not in use."""
        carried = self.carried()
        return tuple(mid for index, mid in enumerate(self.mids()) if index not in carried)


@attrs.frozen
class Slots:
    """The exchange completed last and the pending one: W3C's current and pending descriptions."""

    current: OfferAnswerExchange | None = None
    pending: OfferAnswerExchange | None = None

    @property
    def current_local(self) -> Description | None:
        """The local description of the exchange completed last."""
        return None if self.current is None else self.current.local

    @property
    def current_remote(self) -> Description | None:
        """The remote description of the exchange completed last."""
        return None if self.current is None else self.current.remote

    @property
    def pending_local(self) -> Description | None:
        """The local description of the pending exchange."""
        return None if self.pending is None else self.pending.local

    @property
    def pending_remote(self) -> Description | None:
        """The remote description of the pending exchange."""
        return None if self.pending is None else self.pending.remote

    @property
    def local(self) -> Description | None:
        """The last local description."""
        return self.pending_local or self.current_local

    @property
    def remote(self) -> Description | None:
        """The last remote description."""
        return self.pending_remote or self.current_remote

    def exchanges(self) -> tuple[OfferAnswerExchange, ...]:
        """Return the exchanges, the latest first."""
        return tuple(exchange for exchange in (self.pending, self.current) if exchange is not None)

    def latest(self, side: Side) -> OfferAnswerExchange | None:
        """Return the latest exchange with a description of one side."""
        return next((exchange for exchange in self.exchanges() if exchange.of(side) is not None), None)


def section_mids(description: SessionDescription) -> tuple[str, ...]:
    """Return the mid of every section; a section without one gets a generated mid."""
    return view(_find_mids, description, -1)


def _find_mids(description: SessionDescription, _index: int) -> tuple[str, ...]:
    present = {media_mid(media) for media in description.media}
    mids = []
    for index, media in enumerate(description.media):
        mid = media_mid(media)
        if mid is None:
            mid = str(index)
            while mid in present:
                mid = f"-{mid}"
        mids.append(mid)
    return tuple(mids)


def is_rejected(media: MediaDescription) -> bool:
    """Return whether an offered section is rejected or was closed.

    Port 0 rejects, unless the section is bundle-only; SCTP port 0 closes the association (RFC 8841 section 5.1).
    """
    return is_rejected_offer(media) or _is_sctp_closed(media)


def _is_refused(media: MediaDescription) -> bool:
    # In an answer bundle-only has no meaning (RFC 9143 section 6): port 0 always rejects.
    return media.port == 0 or _is_sctp_closed(media)


def _is_sctp_closed(media: MediaDescription) -> bool:
    application = application_attributes(media)
    return application is not None and application.sctp_port == 0


def shared_sections(description: SessionDescription, index: int) -> tuple[int, ...]:
    """Return the sections on the same transport as the one at ``index``, which is among them.

    Two sections share a transport if they are in one bundle and have the same ICE credentials. A browser that bundles
    from the start sends all candidates with the mid of the first section, even if that one is rejected here.
    """
    mids = section_mids(description)
    bundle = next((group.mids for group in groups(description, "BUNDLE") if mids[index] in group.mids), ())
    own = ice_username_fragment(description, index)
    shared = []
    for other, mid in enumerate(mids):
        if other == index:
            shared.append(other)
        elif mid in bundle:
            theirs = ice_username_fragment(description, other)
            # A bundle-only section may inherit the credentials of the bundle's tagged section.
            inherits = own is None and mid == bundle[0]
            if inherits or (theirs is not None and theirs == own):
                shared.append(other)
    return tuple(shared)


def has_rtcp_mux(description: SessionDescription, index: int) -> bool:
    """Return whether a section multiplexes RTCP with RTP (RFC 5761).

    Within a bundle ``a=rtcp-mux`` of the tagged section is enough, as the attribute belongs to the transport (RFC 9143
    section 7.1.3).
    """
    if has_attribute(description.media[index], "rtcp-mux"):
        return True
    mids = section_mids(description)
    for group in groups(description, "BUNDLE"):
        if mids[index] in group.mids and group.mids[0] in mids:
            tagged = description.media[mids.index(group.mids[0])]
            # A section for data channels has no RTCP and no such attribute.
            return is_data_section(tagged) or has_attribute(tagged, "rtcp-mux")
    return False
