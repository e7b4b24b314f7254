"""One direction of the path between two hosts."""

import random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.testing import (
    DropReason,
    Link,
)
from trio_rtc.testing.link import IPV4_AND_UDP_HEADERS, LOOPBACK, LinkState

HEADERS = IPV4_AND_UDP_HEADERS
SENT_AT = st.lists(st.floats(0, 100), max_size=30).map(sorted)


def state(seed: int = 1, **properties: Any) -> LinkState:
    return LinkState(Link(**properties), random.Random(seed))


@pytest.mark.parametrize("name", ["loss", "duplicate", "reorder", "corrupt"])
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_probabilities_are_between_0_and_1(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a probability"):
        Link(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["delay", "jitter", "reorder_delay", "queue", "mtu"])
def test_durations_and_sizes_are_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative, but is -1"):
        Link(**{name: -1})  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, -1.0])
def test_rate_is_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="'rate' must be > 0"):
        Link(rate=rate)


@given(SENT_AT)
def test_packets_arrive_after_the_delay(times: list[float]) -> None:
    link = state(delay=0.25)
    assert [link.arrivals(100, HEADERS, now) for now in times] == [[now + 0.25] for now in times]


@pytest.mark.parametrize(("size", "fits"), [(1500 - 28, True), (1501 - 28, False)])
def test_headers_count_towards_the_mtu(size: int, fits: bool) -> None:
    assert state(delay=1.0).arrivals(size, HEADERS, 0.0) == ([1.0] if fits else DropReason.OVERSIZED)


def test_packets_leave_a_bottleneck_one_after_another() -> None:
    link = state(delay=0.0, rate=8_000, queue=3_000)
    assert [link.arrivals(1000 - HEADERS, HEADERS, 0.0) for _ in range(5)] == [
        [1.0],
        [2.0],
        [3.0],
        DropReason.QUEUE_FULL,
        DropReason.QUEUE_FULL,
    ]
    assert link.queueing_delay(0.0) == 3.0
    assert link.queueing_delay(2.5) == 0.5
    assert link.queueing_delay(9.0) == 0.0
    assert link.arrivals(1000 - HEADERS, HEADERS, 1.0) == [4.0]
    assert link.arrivals(1000 - HEADERS, HEADERS, 9.0) == [10.0]


def test_an_idle_bottleneck_carries_a_packet_larger_than_its_queue() -> None:
    link = state(delay=0.0, rate=8_000, queue=0)
    assert link.arrivals(1000 - HEADERS, HEADERS, 0.0) == [1.0]
    assert link.arrivals(1000 - HEADERS, HEADERS, 0.5) is DropReason.QUEUE_FULL
    assert link.arrivals(1000 - HEADERS, HEADERS, 1.0) == [2.0]


def test_a_replaced_link_applies_to_further_packets() -> None:
    link = state(delay=1.0)
    assert link.arrivals(1, HEADERS, 0.0) == [1.0]
    link.link = attrs.evolve(link.link, delay=5.0)
    assert link.arrivals(1, HEADERS, 0.0) == [5.0]


@pytest.mark.parametrize(("name", "share"), [("loss", 0.3), ("duplicate", 0.3), ("reorder", 0.3)])
def test_shares_of_packets(name: str, share: float) -> None:
    changes: dict[str, Any] = {name: share}
    link = state(**changes, delay=0.0, reorder_delay=9.0)
    results = [link.arrivals(1, HEADERS, 0.0) for _ in range(5000)]
    special: dict[str, list[float] | DropReason] = {
        "loss": DropReason.LOSS,
        "duplicate": [0.0, 0.0],
        "reorder": [9.0],
    }
    assert results.count(special[name]) / 5000 == pytest.approx(share, abs=0.03)


@given(SENT_AT, st.floats(0, 3), st.integers(0, 9))
def test_jitter_keeps_the_order_and_is_bounded(times: list[float], jitter: float, seed: int) -> None:
    link = state(seed, delay=1.0, jitter=jitter)
    arrivals = []
    for now in times:
        result = link.arrivals(1, HEADERS, now)
        assert not isinstance(result, DropReason)
        arrivals += result
    assert arrivals == sorted(arrivals)
    for now, arrival in zip(times, arrivals, strict=True):
        assert now + 1.0 <= arrival <= now + 1.0 + jitter + 1e-9


def test_jitter_that_reorders() -> None:
    link = state(delay=1.0, jitter=1.0, jitter_reorders=True)
    arrivals = [link.arrivals(1, HEADERS, index / 1000) for index in range(100)]
    assert arrivals != sorted(arrivals, key=str)


@given(st.binary(max_size=20), st.integers(0, 99))
def test_corruption_flips_exactly_one_bit(data: bytes, seed: int) -> None:
    corrupted = state(seed, corrupt=1.0).corrupted(data)
    assert len(corrupted) == len(data)
    differences = sum((one ^ other).bit_count() for one, other in zip(data, corrupted, strict=True))
    assert differences == (1 if data else 0)
    assert state(seed).corrupted(data) == data


def test_loopback_carries_the_largest_datagram_at_once() -> None:
    assert LinkState(LOOPBACK, random.Random(1)).arrivals(65_507, HEADERS, 3.0) == [3.0]


@pytest.mark.parametrize("value", [-0.1, 1.5])
async def test_links_reject_invalid_probabilities(value: float) -> None:
    with pytest.raises(ValueError, match="loss must be a probability"):
        Link(loss=value)
