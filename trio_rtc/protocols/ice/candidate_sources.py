"""Gathering: our own candidates, from local addresses and STUN servers (RFC 8445 section 5.1.1).

Every server is asked from every local address of its family, all at once but for the pacing. A server that
does not answer delays nobody: its URL's failure is told when its last query has ended.
"""

from collections import deque
from collections.abc import Sequence

import attrs

from trio_rtc.enums import RTCIceCandidateType, RTCIceGathererState, RTCIceProtocol
from trio_rtc.protocols._contract import Address

from .candidate import (
    Candidate,
    compute_foundation,
    compute_priority,
    is_ipv6,
    is_link_local,
)
from .destinations import is_loopback
from .events import CandidateErrorOccurred, GatheringCompleted, GatheringStateChanged, LocalCandidateGathered
from .options import IceOptions
from .state import LocalCandidate

SERVER_NOT_REACHABLE = 701  # W3C webrtc section 4.8.2.1

GatheringEvent = LocalCandidateGathered | GatheringStateChanged | GatheringCompleted | CandidateErrorOccurred

GATHERING_EVENTS = (LocalCandidateGathered, GatheringCompleted)
"""The events that belong to one generation."""


@attrs.frozen
class StunServer:
    """One address of a STUN server."""

    url: str
    address: Address


@attrs.frozen
class Query:
    """A Binding request to a server from one local address."""

    server: StunServer
    base: Address


@attrs.define
class _UrlProgress:
    """What has come of the queries to the addresses of one URL.

    Attributes:
        pending: Queries that are waiting or under way.
        resolved: It gave a candidate, or its failure was told.
        failure: Why it has failed if it gives no candidate.
    """

    pending: int = 0
    resolved: bool = False
    failure: str = "STUN server is not reachable from any address"


class CandidateSources:
    """Keeps local candidates and the queries to STUN servers."""

    def __init__(self, options: IceOptions, username_fragment: str) -> None:
        self._options = options
        self._username_fragment = username_fragment
        self._candidates: list[LocalCandidate] = []
        self._bases: dict[Address, LocalCandidate] = {}
        self._servers: list[StunServer] = []
        self._queries: deque[Query] = deque()
        self._progress: dict[str, _UrlProgress] = {}
        self._in_flight: dict[Query, None] = {}  # a set that keeps its order
        self._addresses_complete = False
        self._events: list[GatheringEvent] = []
        self.state = RTCIceGathererState.NEW

    @property
    def candidates(self) -> Sequence[LocalCandidate]:
        """All local candidates of this generation."""
        return self._candidates

    @property
    def has_query(self) -> bool:
        """Whether ``pop_query`` would return one."""
        return bool(self._queries)

    @property
    def lacks_loopback(self) -> bool:
        """Whether all local addresses are known, and none is a loopback one."""
        return self._addresses_complete and not any(is_loopback(base.host) for base in self._bases)

    @property
    def complete(self) -> bool:
        """Whether no further candidates will come."""
        return self.state is RTCIceGathererState.COMPLETE

    @property
    def query_count(self) -> int:
        """How many queries are waiting or under way, for the RTO of RFC 8445 section 14.3."""
        return len(self._queries) + len(self._in_flight)

    def events(self) -> list[GatheringEvent]:
        """Take what has happened."""
        events, self._events = self._events, []
        return events

    def find_base(self, address: Address) -> LocalCandidate | None:
        """Return the candidate that is the socket bound to ``address``."""
        return self._bases.get(address)

    def find_mapped(self, base: Address, mapped: Address) -> LocalCandidate | None:
        """Return the candidate that the peer sees as ``mapped`` when we send from ``base``."""
        for local in self._candidates:
            if local.base == base and local.candidate.transport_address == mapped:
                return local
        return None

    def add_address(
        self, address: Address, local_preference: int, extensions: tuple[tuple[str, str], ...]
    ) -> LocalCandidate | None:
        """Make a host candidate; None if there is one at the address, or there are too many."""
        if address in self._bases or len(self._bases) >= self._options.max_local_addresses:
            return None
        local = self._make_host(address, local_preference, extensions)
        self._set_state(RTCIceGathererState.GATHERING)
        self._register_host(local)
        return local

    def remove_address(self, address: Address) -> None:
        """Forget a local address with its candidates and queries."""
        self._bases.pop(address, None)
        self._candidates = [local for local in self._candidates if local.base != address]
        for query in [query for query in (*self._queries, *self._in_flight) if query.base == address]:
            if query in self._in_flight:
                del self._in_flight[query]
            else:
                self._queries.remove(query)
            self._progress[query.server.url].pending -= 1

    def add_server(self, url: str, address: Address) -> None:
        """Ask a server from every local address of its family, those that come later included."""
        server = StunServer(url, address)
        if server in self._servers or len(self._servers) >= self._options.max_stun_servers:
            return
        self._servers.append(server)
        self._progress.setdefault(url, _UrlProgress())
        self._set_state(RTCIceGathererState.GATHERING)
        for base in self._bases:
            self._add_query(server, base)

    def fail_server(self, url: str, error_code: int, error_text: str) -> None:
        """Tell that a server could not even be asked."""
        progress = self._progress.setdefault(url, _UrlProgress())
        if not progress.resolved:
            progress.resolved = True
            self._events.append(CandidateErrorOccurred(None, None, url, error_code, error_text))

    def refuse_server(self, url: str, reason: str) -> None:
        """Mark a URL as failed unless another of its addresses gives a candidate."""
        progress = self._progress.setdefault(url, _UrlProgress())
        progress.failure = reason

    def expect_addresses(self) -> None:
        """Hear that further addresses or servers may be added."""
        self._addresses_complete = False

    def finish_addresses(self) -> None:
        """Hear that all local addresses and servers were added."""
        self._addresses_complete = True

    def restart(self, username_fragment: str) -> list[LocalCandidate]:
        """Begin anew for a new generation, with the addresses and servers known so far; return the hosts."""
        self._username_fragment = username_fragment
        old_bases = list(self._bases.values())
        self._candidates, self._bases = [], {}
        self._queries.clear()
        self._in_flight.clear()
        self._progress = {server.url: _UrlProgress() for server in self._servers}
        if old_bases or self._servers:
            self._set_state(RTCIceGathererState.GATHERING)
        else:
            self.state = RTCIceGathererState.NEW
        for old in old_bases:
            self._register_host(self._make_host(old.base, old.local_preference, old.candidate.extensions))
        return list(self._bases.values())

    def pop_query(self) -> Query | None:
        """Take the query to send next."""
        if not self._queries:
            return None
        query = self._queries.popleft()
        self._in_flight[query] = None
        return query

    def complete_query(self, query: Query, mapped: Address) -> None:
        """Record what a server saw: a server-reflexive candidate if it is a new one. It makes no pair."""
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
        """Note that a query ended without an address."""
        if query not in self._in_flight:
            return
        self._remove_query(query)
        if error_code != SERVER_NOT_REACHABLE:
            host, port = query.base
            self._progress[query.server.url].resolved = True
            self._events.append(CandidateErrorOccurred(host, port, query.server.url, error_code, error_text))

    def _remove_query(self, query: Query) -> None:
        del self._in_flight[query]
        self._progress[query.server.url].pending -= 1

    def _register_host(self, local: LocalCandidate) -> None:
        self._bases[local.base] = local
        self._candidates.append(local)
        self._events.append(LocalCandidateGathered(local.candidate))
        for server in self._servers:
            self._add_query(server, local.base)

    def _add_query(self, server: StunServer, base: Address) -> None:
        host, target = base.host, server.address.host
        if (
            is_ipv6(host) == is_ipv6(target)
            and is_loopback(host) == is_loopback(target)
            and is_link_local(host) == is_link_local(target)
        ):
            self._queries.append(Query(server, base))
            self._progress[server.url].pending += 1

    def _make_host(
        self, address: Address, local_preference: int, extensions: tuple[tuple[str, str], ...]
    ) -> LocalCandidate:
        candidate = Candidate(
            foundation=compute_foundation(RTCIceCandidateType.HOST, address.host),
            component=1,
            protocol=RTCIceProtocol.UDP,
            priority=compute_priority(RTCIceCandidateType.HOST, local_preference),
            address=address.host,
            port=address.port,
            type=RTCIceCandidateType.HOST,
            username_fragment=self._username_fragment,
            extensions=extensions,
        )
        return LocalCandidate(candidate, address, local_preference)

    def _make_reflexive(self, base: LocalCandidate, mapped: Address, server: StunServer) -> LocalCandidate:
        kind = RTCIceCandidateType.SRFLX
        candidate = attrs.evolve(
            base.candidate,
            foundation=compute_foundation(kind, base.base.host, server.address.host),
            priority=compute_priority(kind, base.local_preference),
            address=mapped.host,
            port=mapped.port,
            type=kind,
            related_address=base.base.host,
            related_port=base.base.port,
        )
        return LocalCandidate(candidate, base.base, base.local_preference)

    def update_state(self) -> None:
        """Tell failures and the end, once nothing more can change them. To be called after any change."""
        if not self._addresses_complete:
            return
        for url, progress in self._progress.items():
            if progress.pending == 0 and not progress.resolved:
                progress.resolved = True
                self._events.append(
                    CandidateErrorOccurred(None, None, url, SERVER_NOT_REACHABLE, progress.failure)
                )
        if not self._queries and not self._in_flight:
            self._set_state(RTCIceGathererState.COMPLETE)

    def _set_state(self, state: RTCIceGathererState) -> None:
        if state is self.state:
            return
        self.state = state
        if state is RTCIceGathererState.COMPLETE:
            self._events.append(GatheringCompleted())
        self._events.append(GatheringStateChanged(state))
