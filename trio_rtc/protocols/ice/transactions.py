"""STUN transactions of an agent: connectivity checks, consent checks and queries to STUN servers."""

import math
import random

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.stun import (
    AttributeType,
    Client,
    Message,
    ResponseReceived,
    StunAttribute,
    TransactionFailed,
    TransactionOptions,
    binding_request,
)

from .candidate import compute_priority
from .candidate_sources import Query
from .generation import Generation
from .options import IceOptions
from .role import RoleConflictResolver
from .state import CheckedPair, IceRole

_TRANSACTION_ID_SIZE = 12
_MAX_OPEN_CHECKS = 4
"""Open checks of one pair: the newest one, and earlier ones whose response may still arrive."""


@attrs.frozen(eq=False)
class ConnectivityCheck:
    """A connectivity check, which nominates if it has USE-CANDIDATE.

    Its request has the credentials of ``generation``; ``role`` is that of this agent when it was sent.
    """

    generation: Generation
    pair: CheckedPair
    role: IceRole
    nominates: bool


@attrs.frozen(eq=False)
class ConsentCheck:
    """A check that renews consent on a pair; attributes as in ``ConnectivityCheck``."""

    generation: Generation
    pair: CheckedPair
    nominates: bool


Purpose = ConnectivityCheck | ConsentCheck | Query


class TransactionManager:
    """Starts transactions and records the purpose of each."""

    def __init__(self, options: IceOptions, roles: RoleConflictResolver, rng: random.Random) -> None:
        self._options = options
        self._roles = roles
        self._rng = rng
        # The open checks of each pair, all queries, and the consent checks in flight: of the selected pair, of the
        # previously selected one, and of the backup pairs.
        queries = options.max_sockets * options.max_stun_servers
        consent_checks = math.ceil(options.consent_timeout / options.consent_retry_interval)
        limit = (
            _MAX_OPEN_CHECKS * options.max_pairs + queries + (2 + options.max_backup_pairs) * consent_checks
        )
        self.client = Client(
            TransactionOptions(max_transmissions=options.max_transmissions, max_transactions=limit)
        )
        self._purposes: dict[bytes, Purpose] = {}

    def send_check(self, generation: Generation, pair: CheckedPair, *, nominates: bool, now: float) -> None:
        """Send a check of a pair. Earlier ones stay open for their responses, except the oldest above the limit."""
        if pair.transaction_id is not None:
            self.client.stop_retransmitting(pair.transaction_id, now)
            pair.superseded_ids.append(pair.transaction_id)
        pair.superseded_ids = [each for each in pair.superseded_ids if each in self._purposes]
        if len(pair.superseded_ids) >= _MAX_OPEN_CHECKS:
            self._cancel(pair.superseded_ids.pop(0))
        purpose = ConnectivityCheck(generation, pair, self._roles.role, nominates)
        rto = max(
            self._options.minimum_rto, self._options.pacing_interval * generation.check_list.active_count
        )
        pair.transaction_id = self._start_check(purpose, now, rto=rto)
        pair.checked_at = now
        pair.statistics.requests_sent += 1

    def send_consent_check(
        self, generation: Generation, pair: CheckedPair, *, nominates: bool, now: float
    ) -> None:
        """Send a consent check, which is never retransmitted (RFC 7675 section 5.1).

        A late response counts, too: a queue may be many seconds long.
        """
        self._start_check(
            ConsentCheck(generation, pair, nominates),
            now,
            # The transaction ends when the first retransmission would be due.
            rto=self._options.consent_timeout,
            timeout=self._options.consent_timeout,
        )
        pair.checked_at = now
        pair.statistics.consent_requests_sent += 1

    def send_query(self, query: Query, query_count: int, now: float) -> None:
        request = binding_request(self._rng.randbytes(_TRANSACTION_ID_SIZE))
        self._purposes[request.transaction_id] = query
        self.client.start(
            request,
            query.base,
            query.server.address,
            now=now,
            rto=max(self._options.minimum_rto, self._options.pacing_interval * query_count),
            timeout=self._options.gathering_timeout,
        )

    def pop_results(self) -> list[tuple[Purpose, ResponseReceived | TransactionFailed]]:
        """Return and clear the results of ended transactions."""
        results = []
        for event in self.client.events():
            purpose = self._purposes.pop(event.transaction_id, None)
            if purpose is not None:
                results.append((purpose, event))
        return results

    def has_room_for_check(self, pair: CheckedPair) -> bool:
        """Return whether a pair can be checked again without cancelling a check that may still be answered."""
        open_checks = [each for each in (*pair.superseded_ids, pair.transaction_id) if each in self._purposes]
        return len(open_checks) < _MAX_OPEN_CHECKS

    def stop_retransmitting(self, pair: CheckedPair, now: float) -> None:
        """Stop retransmitting the check of a pair; its response still counts."""
        if pair.transaction_id is not None:
            self.client.stop_retransmitting(pair.transaction_id, now)

    def cancel_checks(self) -> None:
        """Cancel the connectivity checks, which belong to one generation; consent checks continue."""
        self._cancel_all(ConnectivityCheck)

    def cancel_queries(self) -> None:
        self._cancel_all(Query)

    def _cancel_all(self, kind: type[Purpose]) -> None:
        for transaction_id, purpose in list(self._purposes.items()):
            if isinstance(purpose, kind):
                self._cancel(transaction_id)

    def cancel_from(self, base: Address) -> None:
        self.client.cancel_from(base)
        for transaction_id, purpose in list(self._purposes.items()):
            source = purpose.base if isinstance(purpose, Query) else purpose.pair.local.base
            if source == base:
                del self._purposes[transaction_id]

    def close(self, now: float) -> None:
        self.client.close(now)
        self._purposes.clear()

    def datagrams_to_send(self, now: float) -> list[Datagram]:
        return self.client.datagrams_to_send(now)

    def _cancel(self, transaction_id: bytes) -> None:
        self.client.cancel(transaction_id)
        self._purposes.pop(transaction_id, None)

    def _start_check(
        self,
        purpose: ConnectivityCheck | ConsentCheck,
        now: float,
        *,
        rto: float,
        timeout: float = math.inf,
    ) -> bytes:
        remote = purpose.generation.remote
        assert remote is not None  # pairs are only made once the peer's parameters are known
        request = self._make_request(purpose.generation, purpose.pair, purpose.nominates)
        self._purposes[request.transaction_id] = purpose
        self.client.start(
            request,
            purpose.pair.local.base,
            purpose.pair.remote.address,
            now=now,
            key=remote.password.encode(),
            rto=rto,
            timeout=timeout,
        )
        return request.transaction_id

    def _make_request(self, generation: Generation, pair: CheckedPair, nominates: bool) -> Message:
        assert generation.remote is not None
        username = f"{generation.remote.username_fragment}:{generation.local.username_fragment}"
        # The priority of the local address as a peer-reflexive candidate (RFC 8445 section 7.1.1).
        priority = compute_priority(RTCIceCandidateType.PRFLX, pair.local.local_preference)
        attributes = [
            StunAttribute(AttributeType.USERNAME, username.encode()),
            StunAttribute(AttributeType.PRIORITY, priority.to_bytes(4, "big")),
            self._roles.attribute,
        ]
        if nominates:
            attributes.append(StunAttribute(AttributeType.USE_CANDIDATE, b""))
        return binding_request(self._rng.randbytes(_TRANSACTION_ID_SIZE), attributes)
