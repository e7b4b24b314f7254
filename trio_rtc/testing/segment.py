"""A piece of network in which every address is reachable from every other: the internet, or a home."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from trio_rtc.protocols._contract import Address

if TYPE_CHECKING:
    from .host import SimulatedHost, SimulatedSocket
    from .nat import Nat


@attrs.define(eq=False)
class Segment:
    """Who owns which address, who listens to which multicast group, and the way out.

    Attributes:
        gateway: The NAT that leads outside; ``None`` in the outermost segment.
        owners: The host or NAT that has an address in this segment.
        groups: The sockets that are members of a multicast group.
    """

    gateway: Nat | None = None
    owners: dict[str, SimulatedHost | Nat] = attrs.Factory(dict)
    groups: dict[Address, list[SimulatedSocket]] = attrs.Factory(dict)

    def require_free(self, addresses: Iterable[str]) -> None:
        """Raise ``ValueError`` if one of the addresses has an owner already."""
        for address in addresses:
            for segment in self._reached_by(address):
                if address in segment.owners:
                    raise ValueError(f"{address} is taken by {segment.owners[address].name}")

    def claim(self, address: str, owner: SimulatedHost | Nat) -> None:
        """Let packets to an address go to a host or NAT.

        Raises:
            ValueError: The address is taken.
        """
        self.require_free([address])
        for segment in self._reached_by(address):
            segment.owners[address] = owner

    def release(self, address: str) -> None:
        """Let packets to an address find nobody."""
        for segment in self._reached_by(address):
            del segment.owners[address]

    def _reached_by(self, address: str) -> list[Segment]:
        """Return the segments in which an address of this one is known: an IPv6 one in all up to the outermost."""
        segments = [self]
        while ":" in address and segments[-1].gateway is not None:
            segments.append(segments[-1].gateway.outside)
        return segments
