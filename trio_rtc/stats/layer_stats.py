"""Counters of the layers, such as dropped packets by reason. Not W3C's."""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen(kw_only=True)
class LayerStats:
    """Counters of the layers. Not W3C's.

    Attributes:
        counters: Layer → counter → number. Dropped packets are counted by reason.
    """

    id: str
    timestamp: float
    type: str = "layers"
    counters: Mapping[str, Mapping[str, float]]
