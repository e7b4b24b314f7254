"""The conditions between hosts: which link, and whether they are cut off from each other."""

import random

import attrs

from .link import LOOPBACK, Link, Pipe

_ANYONE = "*"


@attrs.define
class Conditions:
    """Links and partitions, by the names of hosts.

    Attributes:
        seed: What all chance on the network comes from.
        default: The link between hosts for which none is set.
    """

    seed: int
    default: Link
    _links: dict[tuple[str, str], Link] = attrs.field(factory=dict, init=False)
    _pipes: dict[tuple[str, str], Pipe] = attrs.field(factory=dict, init=False)
    _severed: set[tuple[str, str]] = attrs.field(factory=set, init=False)

    def rng(self, purpose: str) -> random.Random:
        """Return the source of chance for one purpose: no purpose changes the luck of another."""
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311 - the chance of a simulation

    def set_link(self, source: str, destination: str, link: Link) -> None:
        """Set the link of one direction."""
        self._links[source, destination] = link
        if (source, destination) in self._pipes:
            self._pipes[source, destination].link = link

    def set_default_link(self, link: Link) -> None:
        """Set the link where no other is set."""
        self.default = link
        for (source, destination), pipe in self._pipes.items():
            pipe.link = self._link(source, destination)

    def pipe(self, source: str, destination: str) -> Pipe:
        """Return the state of the way in one direction."""
        pipe = self._pipes.get((source, destination))
        if pipe is None:
            pipe = Pipe(self._link(source, destination), self.rng(f"{source}>{destination}"))
            self._pipes[source, destination] = pipe
        return pipe

    def sever(self, source: str | None, destination: str | None) -> None:
        """Cut one direction; ``None`` is everybody."""
        self._severed.add((source or _ANYONE, destination or _ANYONE))

    def mend(self, first: str, second: str | None) -> None:
        """Take back what was cut between two hosts, or (``None``) between one and everybody."""
        other = second or _ANYONE
        self._severed -= {(first, other), (other, first)}

    def mend_all(self) -> None:
        """Take back all that was cut."""
        self._severed.clear()

    def is_severed(self, source: str, destination: str) -> bool:
        """Return whether packets from one host to the other are lost."""
        return bool(self._severed) and not self._severed.isdisjoint(
            ((source, destination), (source, _ANYONE), (_ANYONE, destination))
        )

    def _link(self, source: str, destination: str) -> Link:
        return self._links.get((source, destination), LOOPBACK if source == destination else self.default)
