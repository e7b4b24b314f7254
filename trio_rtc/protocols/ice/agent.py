"""The ICE agent: a full agent for one data stream with one component, with trickling in both directions.

Standards: RFC 8445 (ICE), RFC 8838 (trickle), RFC 7675 (consent), RFC 8863 (patience before failure).

**Gathering** goes from *new* to *gathering* with the first socket or server and to *complete* when the caller has
reported that no more follow and every query has ended; see :mod:`.candidate_sources`. The ICE transport policy is
applied there.

**Checking** belongs to a :class:`.generation.Generation`. Its pairs go from *frozen* or *waiting* to *in-progress* to
*succeeded* or *failed*; one new transaction starts every Ta. Checks of the peer are answered as soon as it knows our
password, even before its own parameters have arrived; each one triggers a check in the other direction. See
:mod:`.connectivity`.

**Nomination** is regular: the controlling agent repeats the check of the best valid pair with USE-CANDIDATE.
Before that, data is already sent on the best valid pair, which RFC 8445 section 12 allows and which saves a round
trip. The controlled agent follows the nomination once its own check has succeeded. If checks of the nominated pair
remain unanswered while those of another pair are answered, the controlling agent nominates the other one (as
libwebrtc does; not in RFC 8445), and the controlled agent sends on it without waiting for the nomination; see
:mod:`.backup`.

**The selected pair** is kept alive by :mod:`.consent`. Missing responses make the transport *disconnected*, expired
consent ends checking, and makes it *failed*. A few other valid pairs are checked too, and one of them replaces the
selected pair with the consent that its own responses have given; the state stays *disconnected* until a response
arrives. After a restart, the old pair carries data until the new generation has a nominated pair.

**States** (W3C): *new* until there is a pair to check, *checking* until a pair is valid, then *connected*, and always
after it *completed*, when a pair is nominated and both sides' candidates are complete. Checking ends when every pair
has failed and no candidate can follow, or after a time without a usable pair. Then the state is *failed* if both sides'
candidates are complete; otherwise it is *disconnected*, and *failed* after a time in this state, for peers that never
signal their end of candidates. A new candidate, a check of the peer or a restart leaves both.

Left out: more than one component, the lite role, and TCP candidates (the peer's are stored, not paired).
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import (
    RTCIceCandidateType,
    RTCIceGathererState,
    RTCIceTransportPolicy,
    RTCIceTransportState,
)
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address, Datagram, QueuedCore
from trio_rtc.protocols.stun import Message, MessageClass, Method, ResponseReceived, TransactionFailed

from .candidate import Candidate
from .candidate_sources import GATHERING_EVENTS, SERVER_NOT_REACHABLE, CandidateSources, LocalSocket, Query
from .connectivity import Connectivity
from .destinations import is_loopback, refuse_destination, refuse_source
from .events import IceClosed, IceEvent, SelectedPairChanged, StateChanged
from .generation import Generation
from .options import IceOptions
from .responder import ErrorResponse, authenticate_request
from .role import RoleConflictResolver
from .selection import SelectedPath
from .server import IceServer
from .state import CandidatePair, CheckedPair, IceParameters, IceRole
from .transactions import ConnectivityCheck, ConsentCheck, TransactionManager

_logger = logging.getLogger("trio_rtc.ice")


class Agent(QueuedCore[Datagram, IceEvent]):
    """ICE agent of one transport.

    Args:
        options: Times and limits.
        rng: Source of credentials, transaction IDs and the tie-breaker; ``random.SystemRandom`` in production.
        role: Initial role; a role conflict may change it.
        remote_candidate_filter: Returns whether packets may be sent to a numeric address and port of the peer.
        local_parameters: Credentials of the first generation, ``None`` for new ones. The agents of one connection
            share them.

    Attributes:
        identifier_key: Secret of this agent, for identifiers from which addresses cannot be computed.
    """

    def __init__(
        self,
        options: IceOptions,
        *,
        rng: random.Random,
        role: IceRole,
        remote_candidate_filter: Callable[[str, int], bool] | None = None,
        local_parameters: IceParameters | None = None,
    ) -> None:
        super().__init__()
        self._options = options
        self._rng = rng
        self._roles = RoleConflictResolver(role, rng)
        self.identifier_key = self._roles.attribute.value
        generation = Generation(options, rng, local_parameters)
        self._sources = CandidateSources(options, generation.local.username_fragment)
        self._transactions = TransactionManager(options, self._roles, rng)
        self._connectivity = Connectivity(
            options,
            roles=self._roles,
            sources=self._sources,
            transactions=self._transactions,
            generation=generation,
            remote_candidate_filter=remote_candidate_filter,
        )
        self._path = SelectedPath(
            options, rng=rng, connectivity=self._connectivity, transactions=self._transactions
        )
        self._dropped: Counter[str] = Counter()
        self._state = RTCIceTransportState.NEW
        self._disconnected_since: float | None = None
        self._started = False
        self._next_transaction = -math.inf
        self._query_is_next = False
        self._prepared: Generation | None = None

    # -- state -----------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._state is RTCIceTransportState.CLOSED

    @property
    def role(self) -> IceRole:
        """Role of this agent."""
        return self._roles.role

    @property
    def local_parameters(self) -> IceParameters:
        """Local credentials, replaced by each restart."""
        return self._connectivity.generation.local

    @property
    def remote_parameters(self) -> IceParameters | None:
        """The peer's credentials, ``None`` until those of this generation are known."""
        return self._connectivity.generation.remote

    @property
    def state(self) -> RTCIceTransportState:
        """State of the transport (W3C webrtc section 5.6.4)."""
        return self._state

    @property
    def gathering_state(self) -> RTCIceGathererState:
        """Gathering state (W3C webrtc section 5.6.3)."""
        return self._sources.state

    @property
    def local_candidates(self) -> Sequence[Candidate]:
        """Local candidates that were reported by events in this generation."""
        return tuple(local.candidate for local in self._sources.candidates)

    @property
    def remote_candidates(self) -> Sequence[Candidate]:
        """Candidates that the peer has signaled in this generation."""
        return self._connectivity.generation.remote_candidates.signaled

    @property
    def selected_pair(self) -> CandidatePair | None:
        """Pair on which data is sent, ``None`` if there is none."""
        return None if self._path.current is None else self._path.current.pair.pair

    @property
    def selected_entry(self) -> CheckedPair | None:
        """Selected pair with its state and statistics. Read-only."""
        return None if self._path.current is None else self._path.current.pair

    @property
    def selected_in_generation(self) -> bool:
        """Whether the selected pair was checked with the present credentials of both sides."""
        current = self._path.current
        return current is not None and current.generation is self._connectivity.generation

    @property
    def pairs(self) -> Sequence[CheckedPair]:
        """Pairs of this generation, and the selected one if it belongs to the previous generation. Read-only."""
        pairs = tuple(self._connectivity.generation.check_list)
        selected = self.selected_entry
        return pairs if selected is None or selected in pairs else (selected, *pairs)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Numbers of dropped datagrams and candidates by reason."""
        return self._dropped + self._connectivity.dropped + Counter(self._transactions.client.dropped)

    @property
    def accepted_paths(self) -> Collection[tuple[Address, Address]]:
        """Live view of the paths from which data is accepted: local and remote address of an authentic check.

        A view rather than a method, because it is read for every batch of received data.
        """
        return self._connectivity.accepted_paths

    def gathers(self, candidate_type: RTCIceCandidateType) -> bool:
        """Return whether the ICE transport policy permits local candidates of a type in this generation."""
        return self._sources.permits(candidate_type)

    # -- input -----------------------------------------------------------------------------------------------

    def set_transport_policy(self, policy: RTCIceTransportPolicy) -> None:
        """Set the ICE transport policy (W3C webrtc section 4.2.3) of the next generation.

        Before gathering has begun, it applies to the current one.
        """
        self._sources.set_policy(policy)

    def set_servers(self, servers: Collection[IceServer]) -> None:
        """Set the STUN and TURN servers of the next generation (W3C webrtc section 4.4.1.6).

        Before gathering has begun, they apply to the current one. Former servers that are not among them are no longer
        used. Each must be added nevertheless.
        """
        self._sources.set_servers(servers)

    def hold_candidates(self) -> None:
        """Hold the events of gathering until ``release_candidates``: the candidates are in the pool (RFC 9429)."""
        self._sources.hold()

    def release_candidates(self, now: float) -> None:
        """Report the held events of gathering."""
        if not self.closed:
            self._sources.release()
            self._advance(now)

    def gather_again(self, now: float) -> None:
        """Discard the candidates of the pool, and gather with the policy and the servers set last."""
        if not self.closed:
            self._transactions.cancel_queries()
            self._sources.restart(self.local_parameters.username_fragment)
            self._advance(now)

    def set_role(self, role: IceRole, now: float) -> None:
        """Set the role that offer and answer have decided. With a lite peer it stays controlling."""
        if not self.closed:
            self._connectivity.set_role(role)
            self._advance(now)

    def add_socket(
        self,
        address: Address,
        *,
        local_preference: int,
        now: float,
        network_id: int | None = None,
        network_cost: int | None = None,
        announced_hosts: Sequence[str] = (),
    ) -> None:
        """Gather from a bound UDP socket: a host candidate, and queries to every STUN server of its address family.

        An address that is already known or exceeds ``max_sockets`` is ignored. One that the ICE transport
        policy does not permit is kept for later generations.

        Args:
            address: Numeric address that the socket is bound to.
            local_preference: From 0 to 65535, higher is better; unique for each address (RFC 8421 has
                advice on IPv4 and IPv6).
            now: Monotonic seconds.
            network_id: Sent to the peer as ``network-id``, as browsers do.
            network_cost: Sent to the peer as ``network-cost``, from 0 to 999.
            announced_hosts: Numeric addresses of the same family, signaled in place of the socket's own; for a host
                behind a NAT that maps each port to the same port of these addresses.

        Raises:
            ValueError: ``local_preference`` is out of range, or an announced address is not numeric or of the other
                family.
        """
        extensions = (("network-id", network_id), ("network-cost", network_cost))
        given = tuple((name, str(value)) for name, value in extensions if value is not None)
        local_socket = LocalSocket(address, local_preference, given, announced_hosts=announced_hosts)
        self._gather_from(local_socket, now)

    def add_relayed_socket(
        self,
        address: Address,
        *,
        server: IceServer,
        mapped_address: Address,
        local_preference: int,
        now: float,
    ) -> None:
        """Gather from an allocation on a TURN server: a relayed candidate (RFC 8445 section 5.1.1.2).

        Datagrams whose ``local`` is the relayed address must be sent and received through the allocation.

        Args:
            address: Relayed transport address (XOR-RELAYED-ADDRESS), numeric.
            server: The TURN server.
            mapped_address: Our address as the server sees it (XOR-MAPPED-ADDRESS): the related address.
            local_preference: As for ``add_socket``.
            now: Monotonic seconds.

        Raises:
            ValueError: ``local_preference`` is out of range.
        """
        local_socket = LocalSocket(address, local_preference, server=server, mapped_address=mapped_address)
        self._gather_from(local_socket, now)

    def _gather_from(self, local_socket: LocalSocket, now: float) -> None:
        if not 0 <= local_socket.local_preference <= 65535:
            raise ValueError(f"local_preference must be from 0 to 65535, not {local_socket.local_preference}")
        if self.closed:
            return
        local = self._sources.add_socket(local_socket)
        if local is not None:
            self._connectivity.add_local(local, now)
        self._advance(now)

    def remove_socket(self, address: Address, now: float) -> None:
        """Remove the candidates and pairs of a socket that was closed."""
        if self.closed:
            return
        self._outgoing = [datagram for datagram in self._outgoing if datagram.local != address]
        self._sources.remove_socket(address)
        self._connectivity.remove_local(address)
        self._path.remove_base(address, now)
        self._advance(now)

    def add_stun_server(self, server: IceServer, address: Address, now: float) -> None:
        """Query a STUN server for server-reflexive candidates from every host socket of its address family.

        ``address`` is one of its numeric addresses. A refused destination (see :mod:`.destinations`) fails.
        """
        if self.closed:
            return
        reason = refuse_destination(address)
        if reason is None:
            self._sources.add_server(server, address)
        else:
            self._dropped["stun-server-refused"] += 1
            _logger.debug("refused the address %s of %s: %s", address, server.url, reason)
            self._sources.refuse_server(
                server, f"STUN server at {address.host}:{address.port} is refused: {reason}"
            )
        self._advance(now)

    def fail_server(self, server: IceServer, error_text: str, now: float) -> None:
        """Report a server that cannot be contacted, with :data:`SERVER_NOT_REACHABLE`; once for each URL."""
        if not self.closed:
            self._sources.fail_server(server, error_text)
            self._advance(now)

    def report_server_error(
        self, server: IceServer, local: Address, error_code: int, error_text: str, now: float
    ) -> None:
        """Report an error response of a TURN server to a request from ``local``."""
        if not self.closed:
            self._sources.report_server_error(server.url, local, error_code, error_text)
            self._advance(now)

    def finish_sources(self, now: float) -> None:
        """Mark the sockets and servers as complete: gathering ends with the last query."""
        if not self.closed:
            self._sources.finish_sources()
            self._connectivity.refuse_loopback()
            self._advance(now)

    def expect_sources(self) -> None:
        """Keep gathering open until ``finish_sources``.

        Must be called before a ``restart`` for which the host's addresses are enumerated again.
        """
        self._sources.expect_sources()

    def set_remote_parameters(
        self, parameters: IceParameters, now: float, *, keep_local: bool = False
    ) -> None:
        """Set the peer's credentials. Changed credentials are an ICE restart by the peer.

        A restart by the peer begins a new generation, unless ``restart`` has just done so: read ``local_parameters``
        afterwards for the answer. Credentials that ``restart`` has just replaced are outdated and ignored, since the
        answer to a restart always has new ones (RFC 8445 section 9).

        Args:
            parameters: The peer's credentials.
            now: Monotonic seconds.
            keep_local: Whether a new generation keeps the local credentials and candidates, because another endpoint
                has answered the offer that has them.
        """
        current = self.remote_parameters or self._connectivity.replaced_parameters
        if self.closed or parameters == current:
            return
        if self.remote_parameters is not None and keep_local:
            self._replace_generation(Generation(self._options, self._rng, self.local_parameters))
        elif self.remote_parameters is not None:
            self._begin_generation()
        self._connectivity.set_remote_parameters(parameters, now)
        self._advance(now)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Add a candidate of the peer; it may arrive before the parameters."""
        if not self.closed:
            self._connectivity.add_remote_candidate(candidate, now)
            self._advance(now)

    def ignore_remote_candidate(self, line: str, reason: str) -> None:
        """Count a candidate of the peer that is not supported."""
        self._dropped["candidate-ignored"] += 1
        _logger.debug("ignored the candidate %r: %s", line, reason)

    def remote_name_resolved(self, name: str, hosts: Sequence[str], now: float) -> None:
        """Set the numeric addresses of a name from ``NameResolutionRequested``; none if it does not resolve."""
        if not self.closed:
            self._connectivity.resolve_name(name, hosts, now)
            self._advance(now)

    def remote_candidates_complete(self, now: float) -> None:
        """Handle the peer's end-of-candidates."""
        if self.closed:
            return
        generation = self._connectivity.generation
        generation.remote_candidates.complete = True
        if generation.checking_since is None and generation.remote is not None:
            generation.checking_since = now
        self._advance(now)

    def prepare_restart(self, parameters: IceParameters | None = None) -> IceParameters:
        """Return the credentials of the next ``restart``. Nothing else changes until then.

        An offer that requests a restart contains them before it is known whether it will be applied.

        Args:
            parameters: Credentials that another agent has chosen.
        """
        prepared = self._prepared
        if prepared is None or parameters not in (None, prepared.local):
            self._prepared = Generation(self._options, self._rng, parameters)
        assert self._prepared is not None
        return self._prepared.local

    def restart(self, now: float) -> None:
        """Begin a new generation with new credentials (RFC 8445 section 9). The selected pair stays in use.

        Every local address is reported again as a candidate and every STUN server is queried again.
        """
        if not self.closed:
            self._begin_generation()
            self._advance(now)

    def roll_back_restart(self, now: float) -> None:
        """Return to the generation before ``restart``: the offer that began the new one was rolled back.

        Possible until the peer's parameters of the new generation are known; later calls have no effect. Local
        candidates are restored if gathering was complete; otherwise they are reported again, with the restored
        credentials.
        """
        if not self.closed and self._connectivity.return_to_replaced_generation():
            self._transactions.cancel_queries()
            self._drop_unreported_candidates()
            self._sources.return_to(self.local_parameters.username_fragment)
            self._advance(now)

    # -- contract of a core ----------------------------------------------------------------------------------

    def receive(self, batch: Sequence[Datagram], now: float) -> None:
        """Process STUN datagrams."""
        if self.closed:
            return
        for datagram in batch:
            try:
                self._receive_message(Message.parse(datagram.data), datagram, now)
            except ProtocolError as error:
                self._dropped["malformed"] += 1
                _logger.debug("dropped a datagram from %s: %s", datagram.remote, error)
        self._advance(now)

    def handle_timer(self, now: float) -> None:
        if not self.closed:
            self._transactions.client.handle_timer(now)
            self._advance(now)

    def next_timer(self) -> float:
        if self.closed:
            return math.inf
        return min(
            self._transactions.client.next_timer(),
            self._next_transaction if self._has_transaction else math.inf,
            self._connectivity.nomination_due,
            self._path.next_timer,
            self._checking_end_due,
            math.inf if self._state is RTCIceTransportState.FAILED else self._failure_due,
        )

    def close(self, now: float) -> None:
        """Close the agent. ICE has no close message: the peer's consent checks remain unanswered."""
        self._end(None, now)

    def lower_closed(self, now: float) -> None:
        """Close the agent because all sockets are closed."""
        self._end(ConnectionError("the sockets below ICE are closed"), now)

    # -- internal --------------------------------------------------------------------------------------------

    def _end(self, error: Exception | None, now: float) -> None:
        if self.closed:
            return
        self._transactions.close(now)
        self._outgoing.clear()
        self._path.current = None
        self._set_state(RTCIceTransportState.CLOSED, now)
        self._events.append(IceClosed(error))

    def _replace_generation(self, generation: Generation) -> None:
        selected = self.selected_in_generation
        self._path.lost = False
        self._connectivity.begin_generation(generation, keep_previous=selected)

    def _begin_generation(self) -> None:
        generation, self._prepared = self._prepared or Generation(self._options, self._rng), None
        self._replace_generation(generation)
        self._transactions.cancel_queries()
        self._drop_unreported_candidates()
        self._sources.restart(self.local_parameters.username_fragment)

    def _drop_unreported_candidates(self) -> None:
        # Their credentials are no longer valid.
        self._events = [event for event in self._events if not isinstance(event, GATHERING_EVENTS)]

    def _receive_message(self, message: Message, datagram: Datagram, now: float) -> None:
        if message.message_class is MessageClass.REQUEST and message.method == Method.BINDING:
            self._receive_request(message, datagram, now)
        elif message.message_class in (MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE):
            self._transactions.client.receive_response(message, datagram.local, datagram.remote, now)
        elif message.message_class is MessageClass.REQUEST:
            self._dropped["unknown-method"] += 1
        # An indication only keeps NAT bindings alive (RFC 8445 section 11).

    def _receive_request(self, message: Message, datagram: Datagram, now: float) -> None:
        local, remote = datagram.local, datagram.remote
        generations = self._connectivity.generations_at(local)
        if not generations:
            self._dropped["unknown-address"] += 1
            return
        if (local, remote) not in self.accepted_paths and refuse_source(local, remote) is not None:
            self._dropped["source-refused"] += 1
            return
        check = authenticate_request(message, generations)
        if isinstance(check, ErrorResponse):
            self._dropped[f"refused-{check.error.code}"] += 1
            response = check.response
            if len(response) > len(datagram.data) and not check.is_authentic:
                # The source may be forged, so that a response must not amplify. A real check with a wrong password is
                # longer than this.
                return
        elif not self._connectivity.permits(remote):
            self._dropped["source-refused"] += 1
            return
        elif self._connectivity.has_expired_consent(check.generation, local, remote):
            # RFC 7675 section 5.1: the credentials MUST NOT be used on this 5-tuple again. Without a response, the peer
            # loses consent, too, and nominates another pair instead of sending data that is dropped here.
            self._dropped["consent-expired"] += 1
            return
        else:
            response = self._connectivity.respond_to_check(check, local, remote, now)
            self._path.record_peer_check(local, remote, now)
        self._outgoing.append(Datagram(response, local, remote))

    def _advance(self, now: float) -> None:
        """Process results of transactions, update all states, and start what is due."""
        for purpose, event in self._transactions.pop_results():
            match purpose:
                case ConnectivityCheck():
                    if self._connectivity.handle_check_result(purpose, event, now):
                        self._path.renew(purpose.pair, now)
                case ConsentCheck():
                    self._path.handle_consent_result(purpose, event, now)
                case Query():
                    self._handle_query_result(purpose, event)
        self._sources.update_state()
        if self._path.update_consent(now):
            # Recently sent data is lost: the layers above must be notified even if another pair replaces this one now.
            self._set_state(RTCIceTransportState.DISCONNECTED, now)
        self._path.update(now)
        self._connectivity.nominate_if_due(now)
        self._start_transaction(now)
        if now >= self._checking_end_due:
            self._connectivity.stop_checking(now)
        self._path.schedule_backups()
        self._outgoing += self._transactions.datagrams_to_send(now)
        self._events += self._sources.events()
        self._events += self._connectivity.events()
        state = self._find_state(now)
        self._events += self._selections(state)
        self._set_state(state, now)

    @property
    def _has_transaction(self) -> bool:
        return self._sources.has_query or self._connectivity.has_next_check

    def _start_transaction(self, now: float) -> None:
        """Start one transaction if Ta has passed since the last one; checks and queries alternate."""
        if now < self._next_transaction or not self._has_transaction:
            return
        self._next_transaction = now + self._options.pacing_interval
        check = self._connectivity.has_next_check
        if check and not (self._query_is_next and self._sources.has_query):
            self._query_is_next = True
            self._connectivity.send_next_check(now)
            return
        self._query_is_next = False
        count = self._sources.query_count
        query = self._sources.pop_query()
        if query is not None:
            self._transactions.send_query(query, count, now)

    def _handle_query_result(self, query: Query, event: ResponseReceived | TransactionFailed) -> None:
        if isinstance(event, TransactionFailed):
            self._sources.fail_query(query, SERVER_NOT_REACHABLE, "no response")
            return
        try:
            error, mapped = event.response.error_code, event.response.mapped_address
        except ProtocolError:
            error = mapped = None
        if mapped is not None and error is None:
            if self._refuse_mapped(query, mapped):
                self._sources.fail_query(
                    query, SERVER_NOT_REACHABLE, "the server reports an address that is refused"
                )
                return
            self._sources.complete_query(query, mapped)
        elif error is not None:
            self._sources.fail_query(query, error.code, error.reason)
        else:
            self._sources.fail_query(query, SERVER_NOT_REACHABLE, "malformed response")

    def _refuse_mapped(self, query: Query, mapped: Address) -> bool:
        """Return whether a server reports a mapped address that must not be signaled to a peer."""
        reason = refuse_destination(mapped)
        if reason is None and is_loopback(mapped.host) and not is_loopback(query.base.host):
            reason = "a loopback address"
        if reason is None:
            return False
        self._dropped["mapped-address-refused"] += 1
        _logger.debug("refused the address %s that %s reports: %s", mapped, query.server.url, reason)
        return True

    # -- transport state -------------------------------------------------------------------------------------

    @property
    def _checking_end_due(self) -> float:
        """Time at which checking ends unless a pair becomes valid."""
        connectivity = self._connectivity
        since = connectivity.generation.checking_since
        if self._path.current is not None or connectivity.ended_at is not None or since is None:
            return math.inf
        return since + (self._options.patience if connectivity.exhausted else self._options.failure_timeout)

    @property
    def _failure_due(self) -> float:
        """Time at which the transport fails after the end of checking (W3C webrtc section 5.6.4)."""
        ended_at, timeout = self._connectivity.ended_at, self._options.late_candidate_timeout
        if ended_at is None or self._path.current is not None:
            return math.inf
        if self._connectivity.candidates_complete or self._state is RTCIceTransportState.FAILED:
            return ended_at
        if timeout is None:
            return math.inf
        since = ended_at if self._disconnected_since is None else self._disconnected_since
        return max(ended_at, since + timeout)

    def _find_state(self, now: float) -> RTCIceTransportState:
        selection = self._path.current
        connectivity = self._connectivity
        if selection is not None:
            if selection.consent.missed:
                return RTCIceTransportState.DISCONNECTED
            complete = (
                selection.pair.nominated
                and selection.generation is connectivity.generation
                and self._sources.complete
                and connectivity.generation.remote_candidates.complete
            )
            return RTCIceTransportState.COMPLETED if complete else RTCIceTransportState.CONNECTED
        if now >= self._failure_due:
            return RTCIceTransportState.FAILED
        self._started = self._started or connectivity.generation.checking_since is not None
        if self._path.lost or connectivity.ended_at is not None:
            return RTCIceTransportState.DISCONNECTED
        if not self._started:
            return RTCIceTransportState.NEW
        return RTCIceTransportState.CHECKING

    def _selections(self, state: RTCIceTransportState) -> list[SelectedPairChanged]:
        """Return the events of the selected pair, the last one with the state that belongs to it."""
        selections = self._path.events()
        if selections:
            skipped = state is RTCIceTransportState.COMPLETED and self._path_is_new
            first = RTCIceTransportState.CONNECTED if skipped else state
            selections[-1] = attrs.evolve(selections[-1], state=first)
        return selections

    def _set_state(self, state: RTCIceTransportState, now: float) -> None:
        if state is self._state:
            return
        if state is RTCIceTransportState.COMPLETED and self._path_is_new:
            # The nomination may arrive together with the first success; the state "connected" must not be skipped.
            self._events.append(StateChanged(RTCIceTransportState.CONNECTED))
        self._state = state
        self._disconnected_since = now if state is RTCIceTransportState.DISCONNECTED else None
        self._events.append(StateChanged(state))

    @property
    def _path_is_new(self) -> bool:
        return self._state in (RTCIceTransportState.NEW, RTCIceTransportState.CHECKING)
