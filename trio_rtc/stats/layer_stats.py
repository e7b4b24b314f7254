"""Not W3C's: the counters of our own layers, what was dropped where, and why."""

from collections.abc import Mapping

import attrs

from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen(kw_only=True)
class LayerStats:
    """Not W3C's: the counters of our layers, by their own names.

    Attributes:
        counters: Layer → counter → number, or reason → number for what was dropped.
    """

    id: str
    timestamp: float
    type: str = "layers"
    counters: Mapping[str, Mapping[str, float]]
