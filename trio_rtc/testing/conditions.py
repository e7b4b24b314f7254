"""Links and partitions between hosts."""

import random

from trio_rtc import _attrs as attrs

from .link import LOOPBACK, Link, LinkState

_ALL = "*"


@attrs.define
class NetworkConditions:
    """Links and partitions, by the names of hosts. All randomness on the network is from ``seed``."""

    seed: int
    default: Link
    _links: dict[tuple[str, str], Link] = attrs.field(factory=dict, init=False)
    _states: dict[tuple[str, str], LinkState] = attrs.field(factory=dict, init=False)
    _partitions: set[tuple[str, str]] = attrs.field(factory=set, init=False)

    def rng(self, purpose: str) -> random.Random:
        """Return a random number generator for one purpose, independent of all others."""
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311 - a simulation

    def set_link(self, source: str, destination: str, link: Link) -> None:
        self._links[source, destination] = link
        if (source, destination) in self._states:
            self._states[source, destination].link = link

    def set_default_link(self, link: Link) -> None:
        self.default = link
        for (source, destination), state in self._states.items():
            state.link = self._link(source, destination)

    def link_state(self, source: str, destination: str) -> LinkState:
        state = self._states.get((source, destination))
        if state is None:
            state = LinkState(self._link(source, destination), self.rng(f"{source}>{destination}"))
            self._states[source, destination] = state
        return state

    def partition(self, source: str | None, destination: str | None) -> None:
        """Partition one direction; ``None`` stands for all hosts."""
        self._partitions.add((source or _ALL, destination or _ALL))

    def heal(self, first: str, second: str | None) -> None:
        """Remove the partition between two hosts, or with ``None`` between one and all others."""
        other = second or _ALL
        self._partitions -= {(first, other), (other, first)}

    def heal_all(self) -> None:
        self._partitions.clear()

    def is_partitioned(self, source: str, destination: str) -> bool:
        return bool(self._partitions) and not self._partitions.isdisjoint(
            ((source, destination), (source, _ALL), (_ALL, destination))
        )

    def _link(self, source: str, destination: str) -> Link:
        return self._links.get((source, destination), LOOPBACK if source == destination else self.default)
