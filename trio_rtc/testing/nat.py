"""Network address translators in the classic kinds (RFC 3489), told in the terms of RFC 4787.

=================== ============================== ===============================
kind                mapping                        filtering
=================== ============================== ===============================
full cone           endpoint-independent           endpoint-independent
restricted cone     endpoint-independent           address-dependent
port restricted     endpoint-independent           address and port-dependent
symmetric           address and port-dependent     address and port-dependent
=================== ============================== ===============================

A hole stays open for ``mapping_lifetime`` after the last packet from inside. Only IPv4 is translated: the
IPv6 addresses of hosts behind a NAT are reachable from outside.
"""

import random
from enum import StrEnum

import attrs

from trio_rtc.protocols._contract import Address

from .packet import DropReason, Packet
from .segment import Segment

_FIRST_PORT = 1024
_LAST_PORT = 65_535
_MAX_CONTACTED = 4096  # per mapping; the least recently contacted address is forgotten first


class NatKind(StrEnum):
    """How a NAT maps and filters."""

    FULL_CONE = "full_cone"
    RESTRICTED_CONE = "restricted_cone"
    PORT_RESTRICTED = "port_restricted"
    SYMMETRIC = "symmetric"


@attrs.define
class _Mapping:
    """An outside port on loan to an inside address."""

    inside: Address
    key: tuple[Address, Address | None]
    expires_at: float
    contacted: dict[Address, float] = attrs.Factory(dict)


@attrs.define(kw_only=True, eq=False)
class Nat:
    """A router that lends its public address to the hosts behind it.

    Attributes:
        name: The NAT's name on the network.
        kind: How it maps and filters.
        public: Its numeric IPv4 address on the outside.
        outside: The segment that its public address is in.
        inside: The segment of the hosts behind it.
        hairpin: Whether hosts behind it reach each other by the public address (RFC 4787 section 6).
        mapping_lifetime: Seconds that a mapping lives on after the last packet from inside.
        max_mappings: How many mappings it keeps; packets that would need a further one are dropped.
    """

    name: str
    kind: NatKind
    public: str
    outside: Segment
    inside: Segment
    rng: random.Random
    hairpin: bool = False
    mapping_lifetime: float = 120.0
    max_mappings: int = 4096
    _by_port: dict[int, _Mapping] = attrs.field(factory=dict, init=False)
    _by_key: dict[tuple[Address, Address | None], int] = attrs.field(factory=dict, init=False)

    def translate_outbound(self, packet: Packet, now: float) -> Packet | DropReason:
        """Return the packet as it leaves the NAT, with a mapping made or kept alive for it."""
        key = (packet.source, packet.destination if self.kind is NatKind.SYMMETRIC else None)
        port = self._by_key.get(key)
        if port is None or self._by_port[port].expires_at <= now:
            port = self._open(key, now)
            if port is None:
                return DropReason.NAT_TABLE_FULL
        mapping = self._by_port[port]
        expires_at = mapping.expires_at = now + self.mapping_lifetime
        mapping.contacted.pop(packet.destination, None)
        if len(mapping.contacted) >= _MAX_CONTACTED:
            del mapping.contacted[next(iter(mapping.contacted))]
        mapping.contacted[packet.destination] = expires_at
        return packet._replace(source=Address(self.public, port))

    def translate_inbound(self, packet: Packet, now: float) -> Packet | DropReason:
        """Return the packet as it goes on to the inside, or why it may not."""
        mapping = self._by_port.get(packet.destination.port)
        if mapping is None or mapping.expires_at <= now or not self._admits(mapping, packet.source, now):
            return DropReason.NAT_FILTERED
        if packet.source.host == self.public and not self.hairpin:
            return DropReason.NAT_FILTERED
        return packet._replace(destination=mapping.inside)

    def inside_address(self, public: Address) -> Address | None:
        """Return to whom a public address is on loan, if to anybody."""
        mapping = self._by_port.get(public.port) if public.host == self.public else None
        return mapping.inside if mapping else None

    def forget_mappings(self) -> None:
        """Lose all mappings, as a router does that is switched off and on."""
        self._by_port.clear()
        self._by_key.clear()

    def _admits(self, mapping: _Mapping, source: Address, now: float) -> bool:
        contacted = mapping.contacted
        match self.kind:
            case NatKind.FULL_CONE:
                return True
            case NatKind.RESTRICTED_CONE:
                return any(
                    address.host == source.host and until > now for address, until in contacted.items()
                )
            case NatKind.PORT_RESTRICTED | NatKind.SYMMETRIC:
                return contacted.get(source, now) > now

    def _open(self, key: tuple[Address, Address | None], now: float) -> int | None:
        if len(self._by_port) >= self.max_mappings:
            self._forget_expired(now)
            if len(self._by_port) >= self.max_mappings:
                return None
        old = self._by_key.pop(key, None)
        if old is not None:
            del self._by_port[old]
        port = self.rng.randint(_FIRST_PORT, _LAST_PORT)
        while port in self._by_port:
            port = port + 1 if port < _LAST_PORT else _FIRST_PORT
        self._by_port[port] = _Mapping(key[0], key, now + self.mapping_lifetime)
        self._by_key[key] = port
        return port

    def _forget_expired(self, now: float) -> None:
        for port, mapping in list(self._by_port.items()):
            if mapping.expires_at <= now:
                del self._by_port[port]
                del self._by_key[mapping.key]
