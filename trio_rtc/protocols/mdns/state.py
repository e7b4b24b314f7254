"""State of the resolver and the responder per name."""

import math

import attrs

from trio_rtc.protocols.timer import Timer

from .message import Name


@attrs.define
class Lookup:
    """A name that is being resolved.

    Attributes:
        text: The name passed by the caller.
        timer: Time of the next query or of the failure.
        queries: Number of queries sent.
    """

    text: str
    timer: Timer
    queries: int = 0


@attrs.define
class Publication:
    """A published name.

    Attributes:
        name: The name.
        hosts: Numeric addresses.
        answered_at: Time of the last response.
        due: Time of the next response; ``math.inf`` without a query.
    """

    name: Name
    hosts: tuple[str, ...]
    answered_at: float = -math.inf
    due: float = math.inf
