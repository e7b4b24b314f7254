"""What the resolver and the responder keep per name."""

import math

import attrs

from trio_rtc.protocols.timer import Timer

from .message import Name


@attrs.define
class Lookup:
    """A name that is being asked for.

    Attributes:
        text: The name as the caller wrote it.
        timer: When to ask again, or to give up.
        queries: How often it has been asked for.
    """

    text: str
    timer: Timer
    queries: int = 0


@attrs.define
class Publication:
    """A name of our own.

    Attributes:
        name: The name.
        hosts: Its numeric addresses.
        answered_at: When an answer was sent last.
        due: When the next answer is to be sent; ``math.inf`` when nobody has asked.
    """

    name: Name
    hosts: tuple[str, ...]
    answered_at: float = -math.inf
    due: float = math.inf
