"""ICE (RFC 8445), with trickle (RFC 8838) and consent freshness (RFC 7675)."""

from .agent import Agent
from .candidate import Candidate, UnusableCandidate, compute_foundation, compute_priority
from .candidate_sources import SERVER_NOT_REACHABLE
from .events import (
    CandidateErrorOccurred,
    GatheringCompleted,
    GatheringStateChanged,
    IceClosed,
    IceEvent,
    LocalCandidateGathered,
    NameResolutionRequested,
    RoleChanged,
    SelectedPairChanged,
    StateChanged,
)
from .generation import check_credentials
from .options import IceOptions
from .server import IceServer
from .state import CandidatePair, CheckedPair, CheckState, IceParameters, IceRole, PairStatistics

__all__ = [
    "SERVER_NOT_REACHABLE",
    "Agent",
    "Candidate",
    "CandidateErrorOccurred",
    "CandidatePair",
    "CheckState",
    "CheckedPair",
    "IceClosed",
    "GatheringCompleted",
    "GatheringStateChanged",
    "IceEvent",
    "IceOptions",
    "IceParameters",
    "IceRole",
    "IceServer",
    "LocalCandidateGathered",
    "NameResolutionRequested",
    "PairStatistics",
    "RoleChanged",
    "SelectedPairChanged",
    "StateChanged",
    "UnusableCandidate",
    "check_credentials",
    "compute_foundation",
    "compute_priority",
]
