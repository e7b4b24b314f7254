"""Trickled candidates (RFC 8838, W3C webrtc sections 4.4.1.8 and 4.4.2.1).

A candidate belongs to one ICE generation, identified by its username fragment. It is added to every description of that
generation: the pending one, the current one, or both if an exchange does not restart ICE.
"""

import re
from collections.abc import Callable, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.errors import OperationError
from trio_rtc.protocols.sdp import (
    MediaDescription,
    SessionDescription,
    attribute_values,
    transport_attributes,
)

from .candidates import add_candidate, append_candidate, end_candidates
from .description import Description
from .offer_answer_exchange import OfferAnswerExchange, Slots, shared_sections
from .plan import TransportPlan, bundled_transport
from .signaling import Side

SectionUpdate = Callable[[MediaDescription], MediaDescription]
# Text in a description must not contain line breaks.
_CANDIDATE_LINE = re.compile(r"(a=)?candidate:[ -~]{1,1000}")


@attrs.frozen
class TrickledCandidate:
    """A candidate of the peer, or with the line ``None`` the end of candidates, with its section and generation."""

    mid: str | None
    m_line_index: int | None
    username_fragment: str | None
    line: str | None


@attrs.frozen
class CandidateRoute:
    """The transport that receives a candidate of the peer.

    Attributes:
        number: The transport (``TransportPlan.number``).
        mid: Its section (``TransportPlan.mid``); with bundling perhaps not the section of the candidate.
        username_fragment: The peer's ICE generation of the candidate.
        line: The candidate line, ``None`` for the end of candidates.
    """

    number: int
    mid: str
    username_fragment: str | None
    line: str | None


def carry_candidates(
    description: Description, created: SessionDescription, previous: Description | None
) -> Description:
    """Return a local description with the candidates of ``previous`` that are of the same generation.

    They were gathered between creating and applying the description. Those that it was created with are not added: the
    application has removed them if they are missing.
    """
    if previous is None:
        return description
    for index, (new, old) in enumerate(zip(description.parsed.media, previous.parsed.media, strict=False)):
        if new.port == 0 or _username_fragment(description, index) != _username_fragment(previous, index):
            continue
        updated, known = new, set(attribute_values(created.media[index], "candidate"))
        for value in attribute_values(old, "candidate"):
            if value not in known:
                updated = add_candidate(updated, value)
        was_complete = transport_attributes(created, index).end_of_candidates
        if not was_complete and transport_attributes(previous.parsed, index).end_of_candidates:
            updated = end_candidates(updated)
        description = description.with_candidates(index, updated)
    return description


def add_local_candidate(slots: Slots, mid: str, line: str, generation: str | None, limit: int) -> Slots:
    """Return the descriptions, with a local candidate added to those of its generation."""
    return _update(
        slots, Side.LOCAL, mid, generation, lambda media: _bounded(media, line, limit, add_candidate)
    )


def end_local_candidates(slots: Slots, mid: str, generation: str | None) -> Slots:
    """Return the descriptions, with the end of local candidates added to those of the generation."""
    return _update(slots, Side.LOCAL, mid, generation, end_candidates)


def add_remote_candidate(
    slots: Slots, candidate: TrickledCandidate, plans: Sequence[TransportPlan], limit: int
) -> tuple[Slots, tuple[CandidateRoute, ...]]:
    """Return the descriptions with a remote candidate added, and the transports that receive it.

    Raises:
        OperationError: The section or the generation is unknown, or the line is not a candidate line.
        TypeError: A candidate came with neither mid nor index.
    """
    if candidate.line is not None and _CANDIDATE_LINE.fullmatch(candidate.line) is None:
        raise OperationError(
            f"a candidate must begin with 'candidate:', or be '' for the end of candidates, not {candidate.line!r:.100}"
        )
    mids = addressed_mids(slots, candidate)

    def update(media: MediaDescription) -> MediaDescription:
        if candidate.line is None:
            return end_candidates(media)
        return _bounded(media, candidate.line, limit, append_candidate)

    updated = slots
    for mid in mids:
        updated = _update(updated, Side.REMOTE, mid, candidate.username_fragment, update)
    routes = (_route(slots, candidate, mids, plan, limit) for plan in plans)
    return updated, tuple(route for route in routes if route is not None)


def addressed_mids(slots: Slots, candidate: TrickledCandidate) -> tuple[str, ...]:
    """Return the sections of a remote candidate.

    Raises:
        OperationError: The section or the generation is unknown.
        TypeError: A candidate came with neither mid nor index.
    """
    mids = _known_mids(slots, candidate)
    if candidate.username_fragment is not None and not any(
        candidate.username_fragment == _generation(exchange, Side.REMOTE, mid)
        for exchange in slots.exchanges()
        for mid in mids
    ):
        raise OperationError(
            f"username fragment must be that of the media section in a remote description, "
            f"not {candidate.username_fragment!r:.100}"
        )
    return mids


def _known_mids(slots: Slots, candidate: TrickledCandidate) -> tuple[str, ...]:
    exchange = slots.latest(Side.REMOTE)
    known = () if exchange is None else exchange.mids()
    # An empty mid beside an index counts as none: pion writes it.
    if candidate.mid or (candidate.mid is not None and candidate.m_line_index is None):
        if candidate.mid not in known:
            raise OperationError(
                f"mid must be one of the remote description ({', '.join(known):.100}), not {candidate.mid!r:.100}"
            )
        return (candidate.mid,)
    if candidate.m_line_index is not None:
        if not 0 <= candidate.m_line_index < len(known):
            raise OperationError(f"m-line index must be less than {len(known)}, not {candidate.m_line_index}")
        return (known[candidate.m_line_index],)
    if candidate.line is not None:
        raise TypeError("a candidate must have a mid or an m-line index")
    return known


def _route(
    slots: Slots, candidate: TrickledCandidate, mids: tuple[str, ...], plan: TransportPlan, limit: int
) -> CandidateRoute | None:
    exchange = slots.latest(Side.REMOTE)
    if exchange is None or exchange.remote is None or plan.mid not in exchange.mids():
        return None
    remote = exchange.remote.parsed
    if plan.mid in mids:
        addressed = exchange.mids().index(plan.mid)
    else:
        addressed = exchange.mids().index(mids[0]) if mids else -1
        if not _speaks_for(remote, addressed, exchange.mids().index(plan.mid), candidate):
            return None
    if candidate.line is not None and _is_full(remote.media[addressed], limit):
        return None
    generation = candidate.username_fragment or _generation(exchange, Side.REMOTE, plan.mid)
    return CandidateRoute(plan.number, plan.mid, generation, candidate.line)


def _speaks_for(remote: SessionDescription, index: int, carrier: int, candidate: TrickledCandidate) -> bool:
    """Return whether a candidate of one section is for the transport of another, ``carrier``.

    It is while ``carrier`` has no candidates: a browser that bundles from the start sends all candidates with the mid
    of its first section. The end of candidates is not, because a browser that does not bundle from the start sends it
    for each section.
    """
    if candidate.line is None or transport_attributes(remote, carrier).candidates:
        return False
    return index in shared_sections(remote, carrier)


def _update(slots: Slots, side: Side, mid: str, generation: str | None, update: SectionUpdate) -> Slots:
    """Update a section in both exchanges if it is of a generation (``None``: that of the last description)."""
    if generation is None:
        latest = slots.latest(side)
        generation = None if latest is None else _generation(latest, side, mid)
    return attrs.evolve(
        slots,
        current=slots.current and _update_exchange(slots.current, side, mid, generation, update),
        pending=slots.pending and _update_exchange(slots.pending, side, mid, generation, update),
    )


def _update_exchange(
    exchange: OfferAnswerExchange, side: Side, mid: str, generation: str | None, update: SectionUpdate
) -> OfferAnswerExchange:
    description = exchange.of(side)
    mids = exchange.mids()
    if description is None or mid not in mids or _generation(exchange, side, mid) != generation:
        return exchange
    index = mids.index(mid)
    return exchange.with_description(
        side, description.with_candidates(index, update(description.parsed.media[index]))
    )


def _generation(exchange: OfferAnswerExchange, side: Side, mid: str) -> str | None:
    description = exchange.of(side)
    mids = exchange.mids()
    if description is None or mid not in mids:
        return None
    return _username_fragment(description, mids.index(mid))


def _username_fragment(description: Description, index: int) -> str | None:
    return bundled_transport(description.parsed, index).ice_ufrag


def _bounded(
    media: MediaDescription, line: str, limit: int, add: Callable[[MediaDescription, str], MediaDescription]
) -> MediaDescription:
    return media if _is_full(media, limit) else add(media, line)


def _is_full(media: MediaDescription, limit: int) -> bool:
    return sum(1 for _ in attribute_values(media, "candidate")) >= limit
