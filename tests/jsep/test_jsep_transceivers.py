"""The values of local transceivers."""

import attrs
import pytest

from tests.strategies.transceivers import (
    transceiver,
)
from trio_rtc.jsep import LocalTransceiver
from trio_rtc.protocols.rtp import Encoding


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_ids": ("a b",)},
        {"stream_ids": ("",)},
        {"track_id": "a\r\nb"},
        {"cname": "a b"},
        {"stream_ids": ("x" * 256,)},
    ],
)
def test_values_that_would_break_a_description_are_rejected(changes: dict[str, object]) -> None:
    plain: LocalTransceiver = transceiver(1, "audio")
    with pytest.raises(ValueError, match="must be"):
        attrs.evolve(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rid", ["", "a b", "a;b", "~a", "a" * 256])
def test_syntax_of_rids(rid: str) -> None:
    plain: LocalTransceiver = transceiver(1, "video")
    with pytest.raises(ValueError, match=r"rid .* must be"):
        attrs.evolve(plain, encodings=(Encoding(1, rid=rid),))
