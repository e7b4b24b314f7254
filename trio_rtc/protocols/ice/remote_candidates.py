"""The peer's candidates: signaled, waiting for name resolution, and peer-reflexive ones."""

from trio_rtc import _attrs as attrs
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
        """Candidates with a numeric UDP address."""
        return tuple(self._by_address.values())

    @property
    def signaled(self) -> tuple[Candidate, ...]:
        """All signaled candidates that are stored, including those that cannot be paired."""
        known = [remote.candidate for remote in self._by_address.values()]
        waiting = [candidate for candidates in self._by_name.values() for candidate in candidates]
        signaled = (*known, *waiting, *self._unpaired)
        return tuple(dict.fromkeys(item for item in signaled if item.type is not RTCIceCandidateType.PRFLX))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def find(self, address: Address) -> RemoteCandidate | None:
        return self._by_address.get(address)

    def has_room(self) -> bool:
        return self._signaled_count < self._max_candidates

    def add_unpaired(self, candidate: Candidate) -> None:
        """Store a candidate that cannot be paired (TCP), for statistics."""
        if candidate not in self._unpaired:
            self._signaled_count += 1
            self._unpaired.append(candidate)

    def add_unresolved(self, candidate: Candidate) -> bool:
        """Store a candidate until its name is resolved; return whether the name is new."""
        is_new = candidate.address not in self._by_name
        waiting = self._by_name.setdefault(candidate.address, [])
        if candidate not in waiting:
            self._signaled_count += 1
            waiting.append(candidate)
        return is_new

    def resolve_name(self, name: str, hosts: list[str]) -> list[RemoteCandidate]:
        """Remove the candidates that wait for a name; return them once per address of the name."""
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
        """Store a candidate; return whether it replaces a peer-reflexive one at its address."""
        known = self._by_address.get(remote.address)
        if known is not None and known.candidate.type is not RTCIceCandidateType.PRFLX:
            return False
        if not remote.candidate.is_name:
            self._signaled_count += 1
        self._by_address[remote.address] = remote
        return known is not None

    def remove(self, remote: RemoteCandidate) -> None:
        del self._by_address[remote.address]
        if not remote.candidate.is_name and remote.candidate.type is not RTCIceCandidateType.PRFLX:
            self._signaled_count -= 1

    def add_peer_reflexive(self, address: Address, priority: int) -> RemoteCandidate | None:
        """Add the source of a check as a candidate (RFC 8445 section 7.3.1.3); ``None`` if there are too many."""
        if self._peer_reflexive >= self._max_peer_reflexive:
            return None
        self._peer_reflexive += 1
        candidate = Candidate(
            # An arbitrary foundation that no other candidate has.
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
    """A check that arrived before the peer's parameters (RFC 8445 section 7.3): answered, and stored."""

    base: Address
    remote: Address
    username_fragment: str
    priority: int
    use_candidate: bool
