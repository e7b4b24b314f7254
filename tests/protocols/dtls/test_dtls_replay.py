"""The anti-replay window."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.dtls.record.replay import ReplayWindow


@given(size=st.integers(32, 100), sequences=st.lists(st.integers(0, 300), max_size=200))
def test_the_window_agrees_with_a_set(size: int, sequences: list[int]) -> None:
    window = ReplayWindow(size)
    seen: set[int] = set()
    for sequence in sequences:
        too_old = bool(seen) and sequence <= max(seen) - size
        assert window.is_fresh(sequence) is (sequence not in seen and not too_old)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)


@pytest.mark.parametrize("size", [32, 33, 100])
def test_the_window_after_every_record(size: int) -> None:
    rng = random.Random(size)
    window = ReplayWindow(size)
    seen: set[int] = set()
    highest = -1
    steps = [1, 2, size - 1, size, size + 1, 3 * size]
    for _ in range(150):
        ahead = rng.choice(steps) if rng.random() < 0.3 else -rng.randrange(size)
        sequence = max(0, highest + ahead)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)
            highest = max(highest, sequence)
        around = range(max(0, highest - size - 2), highest + 3)
        fresh = [number for number in around if window.is_fresh(number)]
        assert fresh == [number for number in around if number > highest - size and number not in seen]


def test_the_memory_of_a_window_does_not_grow() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    tracemalloc.start()
    try:
        for sequence in range(1, 100_000, 50):
            window.mark(sequence)
        remembered, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remembered < 1000


def test_a_jump_beyond_the_window_clears_it() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    window.mark((1 << 48) - 1)
    assert not window.is_fresh((1 << 48) - 1)
    assert not window.is_fresh(0)
    assert window.is_fresh((1 << 48) - 2)
