"""Candidate gathering (RFC 8445 section 5.1.1): the sources of local candidates.

A source is a socket of the transport layer, or a STUN server that is queried from one. Each kind of candidate has one:

=================  ==================================================  ===================================
candidate          source                                              added by
=================  ==================================================  ===================================
host               UDP socket of this host                             ``Agent.add_socket``
server-reflexive   STUN server, queried from every host socket of its  ``Agent.add_stun_server``
                   address family
relayed            allocation on a TURN server (RFC 8656): a socket    ``Agent.add_relayed_socket``
                   whose local address is the relayed one
peer-reflexive     a connectivity check                                :mod:`.connectivity`, not here
=================  ==================================================  ===================================

All STUN servers are queried in parallel, apart from pacing. A server that does not respond delays no other; its failure
is reported when its last query has ended.

The ICE transport policy decides which sources are used. With ``relay``, only relayed sockets give candidates: host
sockets are kept for a later generation, STUN servers are not queried, and related addresses are hidden. A changed
policy applies from the next generation on, and so do changed servers.

Candidates of the pool (RFC 9429 section 3.5.5) are gathered before a description needs them. Their events are held
until then.

Gathering goes from *new* to *gathering* with the first source, and to *complete* when no source follows
(``finish_sources``) and every query has ended.

Left out: TCP candidates (RFC 6544). Their sources are sockets too; what is missing is a ``tcp_type`` in
:class:`LocalSocket`, the rules of RFC 6544 section 6.2 in :func:`.check_list.can_be_paired`, and a transport protocol
in the keys of :class:`.remote_candidates.RemoteCandidates`.
"""

import ipaddress
from collections import deque
from collections.abc import Collection, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType, RTCIceGathererState, RTCIceProtocol, RTCIceTransportPolicy
from trio_rtc.protocols._contract import Address

from .candidate import Candidate, compute_foundation, compute_priority, is_ipv6, is_link_local
from .destinations import is_loopback
from .events import CandidateErrorOccurred, GatheringCompleted, GatheringStateChanged, LocalCandidateGathered
from .options import IceOptions
from .server import IceServer
from .state import LocalCandidate

SERVER_NOT_REACHABLE = 701
"""The error code of a server that does not respond (W3C webrtc section 4.8.3)."""

_HIDDEN_IPV4 = Address("0.0.0.0", 9)  # noqa: S104 - RFC 8839 section 5.1: a related address that is not revealed
_HIDDEN_IPV6 = Address("::", 9)

GatheringEvent = LocalCandidateGathered | GatheringStateChanged | GatheringCompleted | CandidateErrorOccurred

GATHERING_EVENTS = (LocalCandidateGathered, GatheringCompleted)
"""The events that belong to one generation."""


def _canonical_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(ipaddress.ip_address(host)) for host in hosts))


@attrs.frozen
class LocalSocket:
    """A socket that candidates are made from.

    Attributes:
        address: Local address; of a relayed socket, the relayed transport address.
        local_preference: From 0 to 65535, unique among all sockets (RFC 8445 section 5.1.2.1).
        server: TURN server of a relayed socket, ``None`` for a host socket.
        mapped_address: The client's address as the TURN server sees it, ``None`` for a host socket.
        announced_hosts: Addresses that are signaled in place of the local one: those of a NAT that maps each port of
            this host to the same port. Empty: the local one.
    """

    address: Address
    local_preference: int
    extensions: tuple[tuple[str, str], ...] = ()
    server: IceServer | None = None
    mapped_address: Address | None = None
    announced_hosts: Sequence[str] = attrs.field(default=(), converter=_canonical_hosts)

    def __attrs_post_init__(self) -> None:
        if any(is_ipv6(host) is not is_ipv6(self.address.host) for host in self.announced_hosts):
            announced = ", ".join(self.announced_hosts)
            raise ValueError(f"announced addresses {announced} must be of the family of {self.address.host}")

    @property
    def candidate_type(self) -> RTCIceCandidateType:
        return RTCIceCandidateType.HOST if self.server is None else RTCIceCandidateType.RELAY


@attrs.frozen
class StunServer:
    """One address of a STUN server."""

    server: IceServer
    address: Address

    @property
    def url(self) -> str:
        return self.server.url


@attrs.frozen
class Query:
    """A Binding request to a STUN server from one local address."""

    server: StunServer
    base: Address


@attrs.define
class _UrlProgress:
    """Queries to the addresses of one URL.

    It is resolved when it gave a candidate, or its failure was reported.
    """

    pending: int = 0
    resolved: bool = False
    failure: str = "STUN server is not reachable from any address"


@attrs.frozen
class _Gathered:
    """The complete result of gathering for a generation, and its sources."""

    username_fragment: str
    policy: RTCIceTransportPolicy
    candidates: list[LocalCandidate]
    bases: dict[Address, LocalCandidate]
    progress: dict[str, _UrlProgress]
    sockets: frozenset[Address]
    servers: tuple[StunServer, ...]
    configured: frozenset[IceServer] | None


class CandidateSources:
    """The sockets and STUN servers of an agent, and the candidates gathered from them in this generation."""

    def __init__(self, options: IceOptions, username_fragment: str) -> None:
        self._options = options
        self._username_fragment = username_fragment
        self._policy = self._next_policy = RTCIceTransportPolicy.ALL
        self._sockets: dict[Address, LocalSocket] = {}
        self._candidates: list[LocalCandidate] = []
        self._bases: dict[Address, LocalCandidate] = {}
        self._servers: list[StunServer] = []
        self._configured: frozenset[IceServer] | None = None
        self._next_configured: frozenset[IceServer] | None = None
        self._held = False
        self._queries: deque[Query] = deque()
        self._progress: dict[str, _UrlProgress] = {}
        self._in_flight: dict[Query, None] = {}  # an ordered set
        self._sources_complete = False
        self._replaced: _Gathered | None = None
        self._events: list[GatheringEvent] = []
        self.state = RTCIceGathererState.NEW

    @property
    def candidates(self) -> Sequence[LocalCandidate]:
        return self._candidates

    @property
    def has_query(self) -> bool:
        return bool(self._queries)

    @property
    def lacks_loopback(self) -> bool:
        """Whether all local addresses are known, and none is a loopback one."""
        return self._sources_complete and not any(is_loopback(base.host) for base in self._bases)

    @property
    def complete(self) -> bool:
        return self.state is RTCIceGathererState.COMPLETE

    @property
    def query_count(self) -> int:
        """Number of queries that are waiting or in flight, for the RTO of RFC 8445 section 14.3."""
        return len(self._queries) + len(self._in_flight)

    def hold(self) -> None:
        """Hold all events until ``release``."""
        self._held = True

    def release(self) -> None:
        """Report the held events, and further ones at once."""
        self._held = False

    def events(self) -> list[GatheringEvent]:
        if self._held:
            return []
        events, self._events = self._events, []
        return events

    def set_policy(self, policy: RTCIceTransportPolicy) -> None:
        """Set the ICE transport policy of the next generation, or of this one before gathering begins."""
        self._next_policy = policy
        if self.state is RTCIceGathererState.NEW:
            self._policy = policy

    def set_servers(self, servers: Collection[IceServer]) -> None:
        """Set the servers of the next generation, or of this one before gathering begins; others are not used."""
        self._next_configured = frozenset(servers)
        if self.state is RTCIceGathererState.NEW:
            self._configured = self._next_configured

    def is_configured(self, server: IceServer) -> bool:
        """Return whether a server may be used; all may until ``set_servers`` is called."""
        return self._configured is None or server in self._configured

    def permits(self, candidate_type: RTCIceCandidateType) -> bool:
        """Return whether the policy of this generation permits local candidates of a type."""
        return self._policy is RTCIceTransportPolicy.ALL or candidate_type is RTCIceCandidateType.RELAY

    def find_base(self, address: Address) -> LocalCandidate | None:
        """Return the candidate whose base is the socket bound to ``address``."""
        return self._bases.get(address)

    def find_mapped(self, base: Address, mapped: Address) -> LocalCandidate | None:
        """Return the candidate with the transport address ``mapped`` and this base."""
        for local in self._candidates:
            if local.base == base and local.candidate.transport_address == mapped:
                return local
        return None

    def add_socket(self, local_socket: LocalSocket) -> LocalCandidate | None:
        """Gather from a socket; ``None`` if it is known, one too many, or the policy does not permit its candidate."""
        if local_socket.address in self._sockets or len(self._sockets) >= self._options.max_sockets:
            return None
        self._sockets[local_socket.address] = local_socket
        self._set_state(RTCIceGathererState.GATHERING)
        return self._gather_from(local_socket)

    def remove_socket(self, address: Address) -> None:
        self._sockets.pop(address, None)
        self._bases.pop(address, None)
        self._candidates = [local for local in self._candidates if local.base != address]
        for query in [query for query in (*self._queries, *self._in_flight) if query.base == address]:
            if query in self._in_flight:
                del self._in_flight[query]
            else:
                self._queries.remove(query)
            self._progress[query.server.url].pending -= 1

    def add_server(self, server: IceServer, address: Address) -> None:
        """Query a STUN server from every host socket of its address family, including those added later."""
        stun_server = StunServer(server, address)
        if not self.is_configured(server):
            return
        if stun_server in self._servers or len(self._servers) >= self._options.max_stun_servers:
            return
        self._servers.append(stun_server)
        if not self.permits(RTCIceCandidateType.SRFLX):
            return
        self._progress.setdefault(server.url, _UrlProgress())
        self._set_state(RTCIceGathererState.GATHERING)
        for base in self._bases.values():
            self._add_query(stun_server, base)

    def fail_server(self, server: IceServer, error_text: str) -> None:
        """Report a server that cannot be contacted, unless its URL is resolved."""
        if not self.is_configured(server):
            return
        progress = self._progress.setdefault(server.url, _UrlProgress())
        if not progress.resolved:
            progress.failure = error_text
            self._report_failure(server.url, progress)

    def report_server_error(self, url: str, local: Address, error_code: int, error_text: str) -> None:
        """Report an error response to a request from ``local``."""
        self._progress.setdefault(url, _UrlProgress()).resolved = True
        self._events.append(CandidateErrorOccurred(*local, url, error_code, error_text))

    def refuse_server(self, server: IceServer, reason: str) -> None:
        """Set the error text of a server that fails unless another of its addresses gives a candidate."""
        progress = self._progress.setdefault(server.url, _UrlProgress())
        progress.failure = reason

    def expect_sources(self) -> None:
        """Keep gathering open: sockets or servers may follow."""
        self._sources_complete = False

    def finish_sources(self) -> None:
        """Mark the sockets and servers as complete: gathering ends with the last query."""
        self._sources_complete = True

    def restart(self, username_fragment: str) -> None:
        """Gather for a new generation from the known sockets and servers."""
        if self.complete:
            self._replaced = _Gathered(
                self._username_fragment,
                self._policy,
                self._candidates,
                self._bases,
                self._progress,
                frozenset(self._sockets),
                tuple(self._servers),
                self._configured,
            )
        self._username_fragment = username_fragment
        self._policy = self._next_policy
        self._configured = self._next_configured
        self._servers = [each for each in self._servers if self.is_configured(each.server)]
        if self._held:
            self._events.clear()
            self.state = RTCIceGathererState.NEW
        self._candidates, self._bases = [], {}
        self._queries.clear()
        self._in_flight.clear()
        self._progress = {}
        if self.permits(RTCIceCandidateType.SRFLX):
            self._progress = {stun_server.url: _UrlProgress() for stun_server in self._servers}
        if self._sockets or self._servers:
            self._set_state(RTCIceGathererState.GATHERING)
        else:
            self.state = RTCIceGathererState.NEW
        for local_socket in self._sockets.values():
            self._gather_from(local_socket)

    def return_to(self, username_fragment: str) -> None:
        """Undo a restart: restore the result of the generation before, or gather again if sources have changed."""
        replaced, self._replaced = self._replaced, None
        if (
            replaced is None
            or replaced.username_fragment != username_fragment
            or replaced.sockets != frozenset(self._sockets)
            or not set(replaced.servers).issuperset(self._servers)
        ):
            self.restart(username_fragment)
            return
        self._username_fragment = username_fragment
        self._policy, self._configured = replaced.policy, replaced.configured
        self._servers = list(replaced.servers)
        self._candidates, self._bases, self._progress = replaced.candidates, replaced.bases, replaced.progress
        self._queries.clear()
        self._in_flight.clear()
        self._set_state(RTCIceGathererState.COMPLETE)

    def pop_query(self) -> Query | None:
        if not self._queries:
            return None
        query = self._queries.popleft()
        self._in_flight[query] = None
        return query

    def complete_query(self, query: Query, mapped: Address) -> None:
        """Handle a response: a new mapped address is a server-reflexive candidate, which makes no pair."""
        if query not in self._in_flight:
            return
        base = self._bases[query.base]
        self._progress[query.server.url].resolved = True
        self._remove_query(query)
        if self.find_mapped(query.base, mapped) is None and is_ipv6(mapped.host) == is_ipv6(query.base.host):
            local = self._make_reflexive(base, mapped, query.server)
            self._candidates.append(local)
            self._events.append(LocalCandidateGathered(local.candidate, query.server.url))

    def fail_query(self, query: Query, error_code: int, error_text: str) -> None:
        """Handle a query that ended without an address."""
        if query not in self._in_flight:
            return
        self._remove_query(query)
        if error_code != SERVER_NOT_REACHABLE:
            self.report_server_error(query.server.url, query.base, error_code, error_text)

    def update_state(self) -> None:
        """Report failed servers and the end of gathering. Must be called after any change."""
        if not self._sources_complete:
            return
        for url, progress in self._progress.items():
            if progress.pending == 0 and not progress.resolved:
                self._report_failure(url, progress)
        if not self._queries and not self._in_flight:
            self._set_state(RTCIceGathererState.COMPLETE)

    def _report_failure(self, url: str, progress: _UrlProgress) -> None:
        progress.resolved = True
        self._events.append(CandidateErrorOccurred(None, None, url, SERVER_NOT_REACHABLE, progress.failure))

    def _remove_query(self, query: Query) -> None:
        del self._in_flight[query]
        self._progress[query.server.url].pending -= 1

    def _gather_from(self, local_socket: LocalSocket) -> LocalCandidate | None:
        server = local_socket.server
        if not self.permits(local_socket.candidate_type):
            return None
        if server is not None and not self.is_configured(server):
            return None
        local = self._make_base(local_socket)
        self._bases[local.base] = local
        self._candidates.append(local)
        if server is None:
            self._announce(local, local_socket.announced_hosts)
        else:
            self._events.append(LocalCandidateGathered(local.candidate, server.url, server.relay_protocol))
        for stun_server in self._servers:
            self._add_query(stun_server, local)
        return local

    def _announce(self, base: LocalCandidate, hosts: Sequence[str]) -> None:
        """Report a host candidate, or those with the announced addresses in its place, which make no pairs."""
        own = base.candidate.address
        for host in hosts or (own,):
            local = base
            if host != own:
                local = attrs.evolve(base, candidate=attrs.evolve(base.candidate, address=host))
                self._candidates.append(local)
            self._events.append(LocalCandidateGathered(local.candidate))

    def _add_query(self, stun_server: StunServer, base: LocalCandidate) -> None:
        host, target = base.base.host, stun_server.address.host
        if (
            base.candidate.type is RTCIceCandidateType.HOST
            and is_ipv6(host) == is_ipv6(target)
            and is_loopback(host) == is_loopback(target)
            and is_link_local(host) == is_link_local(target)
        ):
            self._queries.append(Query(stun_server, base.base))
            self._progress[stun_server.url].pending += 1

    def _make_base(self, local_socket: LocalSocket) -> LocalCandidate:
        kind, address, server = local_socket.candidate_type, local_socket.address, local_socket.server
        related = self._related_address(local_socket)
        candidate = Candidate(
            foundation=compute_foundation(kind, address.host, "" if server is None else server.host),
            component=1,
            protocol=RTCIceProtocol.UDP,
            priority=compute_priority(kind, local_socket.local_preference),
            address=address.host,
            port=address.port,
            type=kind,
            related_address=None if related is None else related.host,
            related_port=None if related is None else related.port,
            username_fragment=self._username_fragment,
            extensions=local_socket.extensions,
        )
        return LocalCandidate(candidate, address, local_socket.local_preference)

    def _related_address(self, local_socket: LocalSocket) -> Address | None:
        mapped = local_socket.mapped_address
        if mapped is not None and self._policy is RTCIceTransportPolicy.RELAY:
            return _HIDDEN_IPV6 if is_ipv6(mapped.host) else _HIDDEN_IPV4
        return mapped

    def _make_reflexive(
        self, base: LocalCandidate, mapped: Address, stun_server: StunServer
    ) -> LocalCandidate:
        kind = RTCIceCandidateType.SRFLX
        candidate = attrs.evolve(
            base.candidate,
            foundation=compute_foundation(kind, base.base.host, stun_server.address.host),
            priority=compute_priority(kind, base.local_preference),
            address=mapped.host,
            port=mapped.port,
            type=kind,
            related_address=base.base.host,
            related_port=base.base.port,
        )
        return LocalCandidate(candidate, base.base, base.local_preference)

    def _set_state(self, state: RTCIceGathererState) -> None:
        if state is self.state:
            return
        self.state = state
        if state is RTCIceGathererState.COMPLETE:
            self._events.append(GatheringCompleted())
        self._events.append(GatheringStateChanged(state))
