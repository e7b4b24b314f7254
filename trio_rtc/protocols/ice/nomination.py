"""Nomination by the controlling agent (RFC 8445 section 8.1.1)."""

from typing import NamedTuple

from trio_rtc.enums import RTCIceCandidateType

from .generation import Generation
from .options import IceOptions
from .state import CheckedPair


class Nomination(NamedTuple):
    pair: CheckedPair
    due: float


def next_nomination(generation: Generation, options: IceOptions) -> Nomination | None:
    """Return the nomination that follows from the checks so far, ``None`` if there is none.

    The best valid pair is nominated immediately if no better one remains to be checked. Otherwise, a pair of host
    candidates does not wait; a reflexive or relayed one waits for the acceptance time of its kind.
    """
    check_list = generation.check_list
    best = check_list.best_valid
    if best is None or check_list.concluded or generation.nominating is not None:
        return None
    if not any(pair.priority > best.priority for pair in check_list.unfinished):
        return Nomination(best, best.answered_at)
    assert generation.checking_since is not None  # since the first pair was made
    return Nomination(best, generation.checking_since + _acceptance_wait(best, options))


def _acceptance_wait(pair: CheckedPair, options: IceOptions) -> float:
    types = {pair.pair.local.type, pair.pair.remote.type}
    if RTCIceCandidateType.RELAY in types:
        return options.relay_acceptance_wait
    if types == {RTCIceCandidateType.HOST}:
        return 0.0
    return options.reflexive_acceptance_wait
