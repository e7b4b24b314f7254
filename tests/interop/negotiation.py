"""Negotiation between peers of any implementation: an offer, an answer, and candidates in both directions."""

from typing import Protocol

import trio

from tests.interop.drivers.rpc import JsonObject, PeerGoneError


class Negotiator(Protocol):
    """Interface of a peer in a negotiation. Descriptions and candidates are in W3C's JSON."""

    async def create_offer(self, *, trickle: bool) -> JsonObject:
        """Set and return an offer, with all candidates in it unless ``trickle``."""

    async def create_answer(self, offer: JsonObject, *, trickle: bool) -> JsonObject:
        """Set an offer, set and return an answer, with all candidates in it unless ``trickle``."""

    async def set_answer(self, answer: JsonObject) -> None:
        """Set an answer."""

    async def add_ice_candidate(self, candidate: JsonObject | None) -> None:
        """Add a candidate of the other side, or ``None`` at the end of candidates."""

    async def next_candidate(self) -> JsonObject | None:
        """Wait for a local candidate, or ``None`` at the end of candidates."""


async def connect(
    offerer: Negotiator,
    answerer: Negotiator,
    *,
    trickle: bool,
    nursery: trio.Nursery,
) -> tuple[JsonObject, JsonObject]:
    """Negotiate, and if trickling signal candidates in the nursery from then on.

    Returns:
        The offer and the answer.
    """
    offer = await offerer.create_offer(trickle=trickle)
    answer = await answerer.create_answer(offer, trickle=trickle)
    # The answerer has its remote description, so that the offerer's candidates may arrive before the answer.
    if trickle:
        nursery.start_soon(_trickle, offerer, answerer)
    await offerer.set_answer(answer)
    if trickle:
        nursery.start_soon(_trickle, answerer, offerer)
    return offer, answer


async def _trickle(source: Negotiator, sink: Negotiator) -> None:
    try:
        while True:
            candidate = await source.next_candidate()
            await sink.add_ice_candidate(candidate)
            if candidate is None:
                return
    except (PeerGoneError, trio.EndOfChannel):
        return
