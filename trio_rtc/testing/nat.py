"""Network segments and the NATs between them, of the classic kinds (RFC 3489), described in the terms of RFC 4787.

=================== ============================== ===============================
kind                mapping                        filtering
=================== ============================== ===============================
full cone           endpoint-independent           endpoint-independent
restricted cone     endpoint-independent           address-dependent
port restricted     endpoint-independent           address and port-dependent
symmetric           address and port-dependent     address and port-dependent
=================== ============================== ===============================

A mapping expires ``mapping_lifetime`` after the last packet from inside. Only IPv4 is translated: the IPv6 addresses of
hosts behind a NAT are reachable from outside.
"""

import random
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc.protocols._contract import Address

from .packet import DropReason, Packet

_FIRST_PORT = 1024
_LAST_PORT = 65_535
_MAX_CONTACTED = 4096  # per mapping; the least recently contacted address is removed first


class Endpoint(Protocol):
    """The end of a packet's path: a host, or a socket that is a member of a multicast group."""

    @property
    def name(self) -> str:
        """The host's name."""

    def deliver(self, packet: Packet) -> DropReason | None:
        """Deliver a packet; return the reason if it is dropped."""


@attrs.define(eq=False)
class Segment:
    """A network segment in which every address reaches every other: the internet, or a home network.

    Attributes:
        gateway: The NAT to the outside; ``None`` in the outermost segment.
        owners: The host or NAT of each address.
        groups: The members of each multicast group.
    """

    gateway: "Nat | None" = None
    owners: "dict[str, Endpoint | Nat]" = attrs.Factory(dict)
    groups: dict[Address, list[Endpoint]] = attrs.Factory(dict)

    def require_free(self, addresses: Iterable[str]) -> None:
        """Raise ``ValueError`` if an address is in use."""
        for address in addresses:
            for segment in self._reached_by(address):
                if address in segment.owners:
                    raise ValueError(f"address {address} is already used by {segment.owners[address].name}")

    def claim(self, address: str, owner: "Endpoint | Nat") -> None:
        """Assign an address to a host or NAT; ``ValueError`` if it is in use."""
        self.require_free([address])
        for segment in self._reached_by(address):
            segment.owners[address] = owner

    def release(self, address: str) -> None:
        for segment in self._reached_by(address):
            del segment.owners[address]

    def _reached_by(self, address: str) -> "list[Segment]":
        """Return the segments in which an address is reachable: for IPv6 all up to the outermost one."""
        segments = [self]
        while ":" in address and segments[-1].gateway is not None:
            segments.append(segments[-1].gateway.outside)
        return segments


class NatKind(StrEnum):
    """Mapping and filtering behavior of a NAT."""

    FULL_CONE = "full_cone"
    RESTRICTED_CONE = "restricted_cone"
    PORT_RESTRICTED = "port_restricted"
    SYMMETRIC = "symmetric"


@attrs.define
class _Mapping:
    inside: Address
    key: tuple[Address, Address | None]
    expires_at: float
    contacted: dict[Address, float] = attrs.Factory(dict)


@attrs.define(kw_only=True, eq=False)
class Nat:
    """A NAT with a public address for the hosts behind it.

    Attributes:
        name: The NAT's name on the network.
        kind: Mapping and filtering behavior.
        public: The numeric public IPv4 address.
        outside: The segment of the public address.
        inside: The segment of the hosts behind the NAT.
        rng: Source of port numbers.
        hairpin: Whether hosts behind the NAT reach each other by the public address (RFC 4787 section 6).
        mapping_lifetime: Seconds until a mapping expires after the last packet from inside.
        max_mappings: Maximum mappings; packets that would need another are dropped.
        one_to_one: Address of the inside host whose ports are the public ones with the same numbers, without filtering,
            as with a 1:1 NAT or published ports; ``None``: none.
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
    one_to_one: str | None = None
    _by_port: dict[int, _Mapping] = attrs.field(factory=dict, init=False)
    _by_key: dict[tuple[Address, Address | None], int] = attrs.field(factory=dict, init=False)

    def translate_outbound(self, packet: Packet, now: float) -> Packet | DropReason:
        """Translate a packet from inside, creating or refreshing its mapping.

        Returns:
            The packet with the public source address, or the reason if it is dropped.
        """
        if packet.source.host == self.one_to_one:
            return packet.with_source(Address(self.public, packet.source.port))
        key = (packet.source, packet.destination if self.kind is NatKind.SYMMETRIC else None)
        port = self._by_key.get(key)
        if port is None or self._by_port[port].expires_at <= now:
            port = self._create_mapping(key, now)
            if port is None:
                return DropReason.NAT_TABLE_FULL
        mapping = self._by_port[port]
        expires_at = mapping.expires_at = now + self.mapping_lifetime
        mapping.contacted.pop(packet.destination, None)
        if len(mapping.contacted) >= _MAX_CONTACTED:
            del mapping.contacted[next(iter(mapping.contacted))]
        mapping.contacted[packet.destination] = expires_at
        return packet.with_source(Address(self.public, port))

    def translate_inbound(self, packet: Packet, now: float) -> Packet | DropReason:
        """Translate a packet from outside.

        Returns:
            The packet with the inside destination address, or the reason if it is dropped.
        """
        mapping = self._by_port.get(packet.destination.port)
        if mapping is None and self.one_to_one is not None and self._may_pass(packet):
            return packet.with_destination(Address(self.one_to_one, packet.destination.port))
        if mapping is None or mapping.expires_at <= now or not self._allows(mapping, packet.source, now):
            return DropReason.NAT_FILTERED
        if not self._may_pass(packet):
            return DropReason.NAT_FILTERED
        return packet.with_destination(mapping.inside)

    def inside_address(self, public: Address) -> Address | None:
        """Return the inside address of a public address, ``None`` without a mapping."""
        check_fields(public, Address)
        mapping = self._by_port.get(public.port) if public.host == self.public else None
        if mapping is None and public.host == self.public and self.one_to_one is not None:
            return Address(self.one_to_one, public.port)
        return mapping.inside if mapping else None

    def forget_mappings(self) -> None:
        """Remove all mappings, as a restarted router does."""
        self._by_port.clear()
        self._by_key.clear()

    def _may_pass(self, packet: Packet) -> bool:
        return self.hairpin or packet.source.host != self.public

    def _allows(self, mapping: _Mapping, source: Address, now: float) -> bool:
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

    def _create_mapping(self, key: tuple[Address, Address | None], now: float) -> int | None:
        if len(self._by_port) >= self.max_mappings:
            self._remove_expired(now)
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

    def _remove_expired(self, now: float) -> None:
        for port, mapping in list(self._by_port.items()):
            if mapping.expires_at <= now:
                del self._by_port[port]
                del self._by_key[mapping.key]
