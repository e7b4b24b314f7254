"""Links and partitions between hosts."""

import pytest

from trio_rtc.testing import Link
from trio_rtc.testing.conditions import NetworkConditions
from trio_rtc.testing.link import LOOPBACK

DEFAULT, SLOW, FAST = Link(delay=0.1), Link(delay=1.0), Link(delay=0.001)


def test_links_are_of_one_direction_and_a_host_reaches_itself_at_once() -> None:
    conditions = NetworkConditions(1, DEFAULT)
    conditions.set_link("a", "b", SLOW)
    assert conditions.link_state("a", "b").link == SLOW
    assert conditions.link_state("b", "a").link == DEFAULT
    assert conditions.link_state("a", "a").link == LOOPBACK


def test_a_changed_link_keeps_its_state() -> None:
    conditions = NetworkConditions(1, DEFAULT)
    own, other = conditions.link_state("a", "b"), conditions.link_state("b", "a")
    conditions.set_link("a", "b", SLOW)
    assert conditions.link_state("a", "b") is own
    assert own.link == SLOW
    conditions.set_default_link(FAST)
    assert (own.link, other.link) == (SLOW, FAST)
    assert conditions.link_state("a", "c").link == FAST


def test_randomness_depends_on_the_seed_and_the_direction_only() -> None:
    def numbers(seed: int, *directions: str) -> list[int]:
        conditions = NetworkConditions(seed, DEFAULT)
        return [conditions.link_state(*direction).rng.getrandbits(64) for direction in directions]

    assert numbers(1, "ab", "ba") == numbers(1, "ba", "ab")[::-1]
    assert len({*numbers(1, "ab", "ba"), *numbers(2, "ab", "ba")}) == 4


@pytest.mark.parametrize(
    ("partition", "lost"),
    [
        (("a", "b"), {"ab"}),
        (("a", None), {"ab", "ac"}),
        ((None, "a"), {"ba", "ca"}),
        ((None, None), set()),
    ],
)
def test_partitions_of_one_direction(partition: tuple[str | None, str | None], lost: set[str]) -> None:
    conditions = NetworkConditions(1, DEFAULT)
    conditions.partition(*partition)
    pairs = [first + second for first in "abc" for second in "abc" if first != second]
    assert {pair for pair in pairs if conditions.is_partitioned(*pair)} == lost


def test_partitions_are_removed_as_they_were_added() -> None:
    conditions = NetworkConditions(1, DEFAULT)
    conditions.partition("a", "b")
    conditions.partition("b", "a")
    conditions.partition("c", None)
    conditions.heal("b", "a")
    assert not conditions.is_partitioned("a", "b")
    assert not conditions.is_partitioned("b", "a")
    conditions.heal("c", "a")
    assert conditions.is_partitioned("c", "a")
    conditions.heal("c", None)
    assert not conditions.is_partitioned("c", "a")
    conditions.partition(None, "b")
    conditions.heal_all()
    assert not conditions.is_partitioned("a", "b")
