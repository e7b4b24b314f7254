"""The session: JSEP (RFC 9429), pure. What to offer, what an answer means, and the signaling state table."""

from .description import Description, LocalMedia, LocalTransport
from .options import SessionOptions
from .plan import Applied, DtlsRole, TransportPlan
from .session import Session
from .signaling import TRANSITIONS, Side, mermaid
from .trickle import CandidateRoute

__all__ = [
    "TRANSITIONS",
    "Applied",
    "CandidateRoute",
    "Description",
    "DtlsRole",
    "LocalMedia",
    "LocalTransport",
    "Session",
    "SessionOptions",
    "Side",
    "TransportPlan",
    "mermaid",
]
