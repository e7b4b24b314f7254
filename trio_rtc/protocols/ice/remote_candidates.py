"""The peer's candidates: those it told, those that wait for a name, those learnt from its checks."""

import attrs

from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address

from .candidate import Candidate, normalize_host
from .state import RemoteCandidate

_MAX_HOSTS_PER_NAME = 4


class RemoteCandidates:
    """The candidates of the peer in one generation, bounded in number."""

    def __init__(self, max_candidates: int, max_peer_reflexive: int) -> None:
        self._max_candidates = max_candidates
        self._max_peer_reflexive = max_peer_reflexive
        self._by_address: dict[Address, RemoteCandidate] = {}
        self._unpaired: list[Candidate] = []
        self._by_name: dict[str, list[Candidate]] = {}
        self._signaled_count = 0
        self._peer_reflexive = 0
        self.complete = False

    @property
    def paired(self) -> tuple[RemoteCandidate, ...]:
        """Those that have a numeric UDP address."""
        return tuple(self._by_address.values())

    @property
    def signaled(self) -> tuple[Candidate, ...]:
        """All that the peer told and we keep, whether of use to us or not."""
        known = [remote.candidate for remote in self._by_address.values()]
        waiting = [candidate for candidates in self._by_name.values() for candidate in candidates]
        signaled = (*known, *waiting, *self._unpaired)
        return tuple(dict.fromkeys(item for item in signaled if item.type is not RTCIceCandidateType.PRFLX))

    @property
    def names(self) -> tuple[str, ...]:
        """Names that are being looked up."""
        return tuple(self._by_name)

    def find(self, address: Address) -> RemoteCandidate | None:
        """Return the candidate at an address."""
        return self._by_address.get(address)

    def has_room(self) -> bool:
        """Whether another candidate that the peer tells is kept."""
        return self._signaled_count < self._max_candidates

    def add_unpaired(self, candidate: Candidate) -> None:
        """Keep a candidate that cannot be used (TCP), so that it shows in statistics."""
        if candidate not in self._unpaired:
            self._signaled_count += 1
            self._unpaired.append(candidate)

    def add_unresolved(self, candidate: Candidate) -> bool:
        """Keep a candidate until its name is resolved; return whether the name is a new one."""
        is_new = candidate.address not in self._by_name
        waiting = self._by_name.setdefault(candidate.address, [])
        if candidate not in waiting:
            self._signaled_count += 1
            waiting.append(candidate)
        return is_new

    def resolve_name(self, name: str, hosts: list[str]) -> list[RemoteCandidate]:
        """Return the candidates that waited for a name, once for each of its hosts."""
        resolved: list[RemoteCandidate] = []
        for candidate in self._by_name.pop(name, ()):
            for host in hosts[:_MAX_HOSTS_PER_NAME]:
                try:
                    address = Address(normalize_host(host), candidate.port)
                except ProtocolError:
                    continue
                resolved.append(RemoteCandidate(candidate, address))
        return resolved

    def add(self, remote: RemoteCandidate) -> bool:
        """Keep a candidate; return whether it takes the place of a peer-reflexive one at its address."""
        known = self._by_address.get(remote.address)
        if known is not None and known.candidate.type is not RTCIceCandidateType.PRFLX:
            return False
        if not remote.candidate.is_name:
            self._signaled_count += 1
        self._by_address[remote.address] = remote
        return known is not None

    def remove(self, remote: RemoteCandidate) -> None:
        """Forget a candidate that is refused."""
        del self._by_address[remote.address]
        if not remote.candidate.is_name and remote.candidate.type is not RTCIceCandidateType.PRFLX:
            self._signaled_count -= 1

    def add_peer_reflexive(self, address: Address, priority: int) -> RemoteCandidate | None:
        """Make a candidate of the source of a check (RFC 8445 section 7.3.1.3); None when there are too many."""
        if self._peer_reflexive >= self._max_peer_reflexive:
            return None
        self._peer_reflexive += 1
        candidate = Candidate(
            # An arbitrary foundation that no other has: the ICE characters cannot spell this one twice.
            foundation=f"prflx{self._peer_reflexive}",
            component=1,
            protocol=RTCIceProtocol.UDP,
            priority=priority,
            address=address.host,
            port=address.port,
            type=RTCIceCandidateType.PRFLX,
        )
        remote = RemoteCandidate(candidate, address)
        self._by_address[address] = remote
        return remote


@attrs.frozen
class EarlyCheck:
    """A check that came before the parameters of the peer (RFC 8445 section 7.3): answered, and remembered.

    Attributes:
        base: The local address that it came to.
        remote: Where it came from.
        username_fragment: The peer's, as the check has it.
        priority: Of the peer-reflexive candidate that the source may be.
        use_candidate: Whether it nominates.
    """

    base: Address
    remote: Address
    username_fragment: str
    priority: int
    use_candidate: bool
