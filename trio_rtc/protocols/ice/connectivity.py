"""Connectivity checks of both sides and their effect on candidate pairs (RFC 8445 section 7).

Candidates of both sides form pairs in the check list of the current generation. A pair is *frozen* or *waiting* until
its check is sent (*in-progress*); a success response makes it *succeeded* (valid), a timeout or an error *failed*. An
authentic check of the peer triggers a check of the same pair, also of a failed one. A role conflict switches the role
of one side and repeats the check. Without a usable pair, checking *ends* after a time; a new pair resumes it.

A success in either direction also makes a path *accepted*: only data from accepted paths is passed to the layers above.
Expired consent removes a path, and fails its pair until an ICE restart.
"""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import MessageClass, ResponseReceived, TransactionFailed

from .candidate import Candidate, compute_foundation, compute_priority, normalize_host
from .candidate_sources import CandidateSources
from .check_list import can_be_paired
from .destinations import is_loopback, refuse_destination
from .events import NameResolutionRequested, RoleChanged
from .generation import Generation
from .nomination import Nomination, next_nomination
from .options import IceOptions
from .remote_candidates import EarlyCheck
from .responder import ROLE_CONFLICT, PeerCheck
from .role import ConflictOutcome, RoleConflictResolver
from .state import CheckedPair, CheckState, IceParameters, IceRole, LocalCandidate, RemoteCandidate
from .transactions import ConnectivityCheck, TransactionManager

_logger = logging.getLogger("trio_rtc.ice")
_MAX_ACCEPTED_PATHS = 256
_NO_LOOPBACK = "a loopback address, and there is no local one"

ConnectivityEvent = NameResolutionRequested | RoleChanged


class Connectivity:
    """The checks of the current generation, and of the previous one while its pair is selected.

    Attributes:
        previous: Generation before a restart; checks with its credentials are still answered.
        replaced_parameters: The peer's parameters before the last restart; the answer to a restart has others.
        ended_at: When checking ended without a usable pair, ``None`` while it has not; a new pair resumes it.
        dropped: Numbers of dropped candidates by reason.
    """

    def __init__(
        self,
        options: IceOptions,
        *,
        roles: RoleConflictResolver,
        sources: CandidateSources,
        transactions: TransactionManager,
        generation: Generation,
        remote_candidate_filter: Callable[[str, int], bool] | None = None,
    ) -> None:
        self._options = options
        self._roles = roles
        self._sources = sources
        self._transactions = transactions
        self._remote_candidate_filter = remote_candidate_filter
        self._unassigned: deque[Candidate] = deque(maxlen=options.max_remote_candidates)
        self._accepted: dict[tuple[Address, Address], None] = {}
        self._events: list[ConnectivityEvent] = []
        self._replaced: Generation | None = None
        self.generation = generation
        self.previous: Generation | None = None
        self.replaced_parameters: IceParameters | None = None
        self.ended_at: float | None = None
        self.dropped: Counter[str] = Counter()

    def events(self) -> list[ConnectivityEvent]:
        events, self._events = self._events, []
        return events

    @property
    def accepted_paths(self) -> Collection[tuple[Address, Address]]:
        return self._accepted

    @property
    def generations(self) -> Sequence[Generation]:
        return (self.generation,) if self.previous is None else (self.generation, self.previous)

    def generations_at(self, base: Address) -> Sequence[Generation]:
        """Return the generations whose credentials are valid for checks to a local address.

        An address that the ICE transport policy excludes from the current generation may still carry the previous one.
        """
        if self._sources.find_base(base) is not None:
            return self.generations
        previous = self.previous
        if previous is not None and any(pair.local.base == base for pair in previous.check_list):
            return (previous,)
        return ()

    # -- roles and generations -------------------------------------------------------------------------------

    def set_role(self, role: IceRole) -> None:
        """Set the role; with a lite peer it is always controlling (RFC 8445 section 6.1.1)."""
        if self._roles.peer_is_lite:
            role = IceRole.CONTROLLING
        self._roles.role = role
        self._role_changed()

    def _role_changed(self) -> None:
        if self._roles.role is IceRole.CONTROLLED:
            self.generation.nominating = None
        for generation in self.generations:
            generation.check_list.set_role(self._roles.role)

    def begin_generation(self, generation: Generation, *, keep_previous: bool) -> None:
        """Replace the generation; the one whose pair is selected is kept while it carries data."""
        self._transactions.cancel_checks()
        if keep_previous:
            self.previous = self.generation
        # After several restarts, a rollback returns to the generation that the peer knows.
        if self._replaced is None:
            self._replaced = self.generation
        self.replaced_parameters = self.generation.remote or self.replaced_parameters
        self.generation = generation
        self.ended_at = None

    def return_to_replaced_generation(self) -> bool:
        """Undo ``begin_generation``; return whether that was possible."""
        replaced = self._replaced
        if replaced is None:
            return False
        self.generation, self._replaced = replaced, None
        if self.previous is replaced:
            self.previous = None
        # The restart has cancelled the checks.
        replaced.nominating = None
        for pair in replaced.check_list:
            if pair.state is CheckState.IN_PROGRESS:
                pair.state = CheckState.WAITING
        return True

    def set_remote_parameters(self, parameters: IceParameters, now: float) -> None:
        """Set the peer's credentials; candidates and checks that arrived earlier are processed now."""
        generation = self.generation
        generation.remote = parameters
        self._replaced = None
        if parameters.ice_lite:
            self._roles.peer_is_lite = True
            if self._roles.role is not IceRole.CONTROLLING:
                self.set_role(IceRole.CONTROLLING)
                self._events.append(RoleChanged(IceRole.CONTROLLING))
        waiting = list(self._unassigned)
        self._unassigned.clear()
        for candidate in waiting:
            self.add_remote_candidate(candidate, now)
        if generation.remote_candidates.complete:
            generation.checking_since = now
        for early in generation.pop_early_checks():
            if early.username_fragment == parameters.username_fragment:
                self._trigger_check(early, now)

    # -- candidates ------------------------------------------------------------------------------------------

    def add_local(self, local: LocalCandidate, now: float) -> None:
        """Pair a new local candidate with the peer's candidates."""
        for remote in self.generation.remote_candidates.paired:
            self._add_pair(local, remote, now)

    def remove_local(self, base: Address) -> None:
        """Remove the pairs of a local address; without the nominated one, checking continues."""
        self._transactions.cancel_from(base)
        for path in [path for path in self._accepted if path[0] == base]:
            del self._accepted[path]
        for generation in self.generations:
            removed = generation.check_list.remove_base(base)
            if generation.nominating in removed:
                generation.nominating = None
            if any(pair.nominated for pair in removed):
                generation.check_list.concluded = False

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Add a signaled candidate; one of another generation waits for its parameters."""
        generation = self.generation
        if generation.remote is None or candidate.username_fragment not in (
            None,
            generation.remote.username_fragment,
        ):
            self._unassigned.append(candidate)
            return
        table = generation.remote_candidates
        if candidate.component != 1 or not table.has_room():
            self.dropped["candidate"] += 1
        elif candidate.protocol is not RTCIceProtocol.UDP:
            table.add_unpaired(candidate)
        elif candidate.is_name:
            if table.add_unresolved(candidate):
                self._events.append(NameResolutionRequested(candidate.address))
        else:
            try:
                address = Address(normalize_host(candidate.address), candidate.port)
            except ProtocolError:
                self.dropped["candidate"] += 1
                return
            self._add_remote(RemoteCandidate(candidate, address), now)

    def resolve_name(self, name: str, hosts: Sequence[str], now: float) -> None:
        """Set the addresses of a name; none if it does not resolve."""
        for remote in self.generation.remote_candidates.resolve_name(name.lower(), list(hosts)):
            self._add_remote(remote, now)

    def permits(self, remote: Address) -> bool:
        return self._remote_candidate_filter is None or self._remote_candidate_filter(*remote)

    def refuse_loopback(self) -> None:
        """Remove loopback candidates once it is known that there is no local loopback address."""
        table = self.generation.remote_candidates
        for remote in table.paired:
            if self._sources.lacks_loopback and is_loopback(remote.address.host):
                table.remove(remote)
                self._count_refused(remote, _NO_LOOPBACK)

    def _refuse(self, remote: Address) -> str | None:
        reason = refuse_destination(remote)
        if reason is None and self._sources.lacks_loopback and is_loopback(remote.host):
            reason = _NO_LOOPBACK
        if reason is None and not self.permits(remote):
            reason = "remote_candidate_filter refuses it"
        return reason

    def _count_refused(self, remote: RemoteCandidate, reason: str) -> None:
        self.dropped["candidate-refused"] += 1
        _logger.debug("refused the candidate %s of the peer: %s", remote.address, reason)

    def _add_remote(self, remote: RemoteCandidate, now: float) -> None:
        reason = self._refuse(remote.address)
        if reason is not None:
            self._count_refused(remote, reason)
            return
        if self.generation.remote_candidates.add(remote):
            self.generation.check_list.replace_remote(remote, self._roles.role)
        for local in self._sources.candidates:
            self._add_pair(local, remote, now)

    def _add_pair(
        self, local: LocalCandidate, remote: RemoteCandidate, now: float, *, checked_by_peer: bool = False
    ) -> CheckedPair | None:
        if not can_be_paired(local, remote):
            return None
        pair = self.generation.check_list.add(
            local, remote, self._roles.role, checked_by_peer=checked_by_peer
        )
        if pair is not None:
            self._resume_checking(now)
        return pair

    def _resume_checking(self, now: float) -> None:
        """Start the time until checking ends if it is not running."""
        if self.ended_at is not None or self.generation.checking_since is None:
            self.generation.checking_since = now
        self.ended_at = None

    # -- checks of the peer ----------------------------------------------------------------------------------

    def respond_to_check(self, check: PeerCheck, base: Address, remote: Address, now: float) -> bytes:
        """Process an authentic check and return the response; a malformed role attribute is a ``ProtocolError``."""
        match self._roles.resolve(check.request):
            case ConflictOutcome.SEND_487:
                return check.refuse(ROLE_CONFLICT)
            case ConflictOutcome.SWITCH_ROLE:
                self._roles.role = self._roles.role.opposite
                self._role_changed()
                self._events.append(RoleChanged(self._roles.role))
            case ConflictOutcome.NO_CONFLICT:
                pass
        early = EarlyCheck(base, remote, check.remote_username_fragment, check.priority, check.use_candidate)
        if check.generation is self.generation:
            if self.generation.remote is None:
                self.generation.store_early_check(early)
            elif self.generation.remote.username_fragment == early.username_fragment:
                self._trigger_check(early, now)
        self._count_check(check.generation, base, remote)
        return check.accept(remote)

    def _count_check(self, generation: Generation, base: Address, remote: Address) -> None:
        pair = generation.check_list.find(base, remote)
        if pair is not None:
            pair.statistics.requests_received += 1
            pair.statistics.responses_sent += 1
        if pair is None or not pair.consent_expired:
            self._accept_path(base, remote)

    def _accept_path(self, base: Address, remote: Address) -> None:
        """Accept data from a path; above the limit, the least recently checked path is removed.

        Paths of valid pairs are kept: checks of the peer can be replayed from any number of addresses, which must not
        block data from the path in use.
        """
        path = (base, remote)
        self._accepted.pop(path, None)
        self._accepted[path] = None
        if len(self._accepted) > _MAX_ACCEPTED_PATHS:
            oldest = next((path for path in self._accepted if not self._is_valid(path)), path)
            del self._accepted[oldest]

    def _is_valid(self, path: tuple[Address, Address]) -> bool:
        pairs = (generation.check_list.find(*path) for generation in self.generations)
        return any(pair is not None and pair.state is CheckState.SUCCEEDED for pair in pairs)

    def _trigger_check(self, check: EarlyCheck, now: float) -> None:
        """Schedule a triggered check (RFC 8445 sections 7.3.1.3 to 7.3.1.5)."""
        pair = self._find_or_learn_pair(check, now)
        if pair is None or pair.consent_expired:
            return
        nominated = check.use_candidate and self._roles.role is IceRole.CONTROLLED
        if pair.replaced:
            # Our checks of it were unanswered. A nomination is effective again once one has been answered.
            if now >= pair.checked_at + self._options.consent_retry_interval:
                self._transactions.send_consent_check(self.generation, pair, nominates=False, now=now)
            return
        if pair.state is CheckState.SUCCEEDED and not (nominated and self._is_stale(pair, now)):
            if nominated:
                self._follow_nomination(pair, now)
            return
        pair.nominate_on_success = pair.nominate_on_success or nominated
        if pair.state is CheckState.IN_PROGRESS:
            if not self._transactions.has_room_for_check(pair):
                # The round trip exceeds the interval between the peer's checks: a response to each of ours may be in
                # flight, and the newest one is retransmitted.
                return
            self._transactions.stop_retransmitting(pair, now)
        self._resume_checking(now)
        self.generation.check_list.trigger(pair)

    def _is_stale(self, pair: CheckedPair, now: float) -> bool:
        """Return whether consent from the last response on a pair has expired (RFC 7675 section 5.1)."""
        # As Consent.expires: a difference may round to another side, and the agent would select a pair without consent.
        return now >= pair.answered_at + self._options.consent_timeout

    def check_stale_pairs(self, now: float) -> None:
        """Check valid pairs again whose last response is too old to select them."""
        for pair in self.generation.check_list:
            if pair.state is CheckState.SUCCEEDED and self._is_stale(pair, now):
                self.generation.check_list.trigger(pair)

    def _find_or_learn_pair(self, check: EarlyCheck, now: float) -> CheckedPair | None:
        generation = self.generation
        pair = generation.check_list.find(check.base, check.remote)
        if pair is not None:
            return pair
        local = self._sources.find_base(check.base)
        remote = generation.remote_candidates.find(check.remote)
        if remote is None:
            remote = generation.remote_candidates.add_peer_reflexive(check.remote, check.priority)
        if local is None or remote is None:
            self.dropped["peer-reflexive"] += 1
            return None
        return self._add_pair(local, remote, now, checked_by_peer=True)

    def _follow_nomination(self, pair: CheckedPair, now: float) -> None:
        """Nominate a pair as the controlling peer requests, unless a better one was nominated recently.

        An RFC 5245 agent with aggressive nomination nominates every pair that it checks; the best one counts. Other
        agents nominate a different pair deliberately, and repeat the nomination.
        """
        current = self.generation.check_list.nominated
        if current is not None:
            recent = now - current.nominated_at < self._options.renomination_wait
            if recent and pair.priority < current.priority:
                return
        self._nominate(pair, now)

    def _nominate(self, pair: CheckedPair, now: float) -> None:
        for other in self.generation.check_list:
            other.nominated = False
        pair.nominated = True
        pair.nominated_at = now
        pair.nominate_on_success = False
        self.generation.nominating = None
        self.generation.check_list.concluded = True
        for other in self.generation.check_list.unfinished:
            self._transactions.stop_retransmitting(other, now)

    # -- local checks ----------------------------------------------------------------------------------------

    @property
    def has_next_check(self) -> bool:
        return self.ended_at is None and self.generation.check_list.has_next_check

    def send_next_check(self, now: float) -> None:
        pair = self.generation.check_list.pop_next_check()
        if pair is not None:
            pair.state = CheckState.IN_PROGRESS
            self._transactions.send_check(self.generation, pair, nominates=False, now=now)

    def _next_nomination(self) -> Nomination | None:
        return next_nomination(self.generation, self._options) if self.is_controlling else None

    @property
    def nomination_due(self) -> float:
        """Time of the next nomination, infinite if there is none."""
        nomination = self._next_nomination()
        return math.inf if nomination is None else nomination.due

    def nominate_if_due(self, now: float) -> None:
        """Send the nominating check if it is due.

        It is not paced: it follows a response, so that the network has carried the check before it, and there is one
        per generation.
        """
        nomination = self._next_nomination()
        if nomination is not None and now >= nomination.due:
            self.generation.nominating = nomination.pair
            self._transactions.send_check(self.generation, nomination.pair, nominates=True, now=now)

    @property
    def is_controlling(self) -> bool:
        return self._roles.role is IceRole.CONTROLLING

    def renominate(self, pair: CheckedPair, now: float) -> None:
        """Nominate a valid pair in place of the nominated one, whose checks are unanswered.

        RFC 8445 section 8.1.1 permits one nomination per component. Peers that do not follow a later nomination of a
        worse pair (pion, Firefox) answer the check as usual, and accept data on every pair that has passed checks.
        """
        if self.generation.nominating is not pair:
            self.generation.nominating = pair
            self._transactions.send_check(self.generation, pair, nominates=True, now=now)

    def is_nominee(self, generation: Generation, pair: CheckedPair) -> bool:
        return generation is self.generation and pair.nominated and self.is_controlling

    def handle_check_result(
        self, check: ConnectivityCheck, event: ResponseReceived | TransactionFailed, now: float
    ) -> bool:
        """Process the end of a check; return whether it has succeeded."""
        pair = check.pair
        if isinstance(event, TransactionFailed):
            self._fail_check(check, event.transaction_id)
            return False
        if event.response.message_class is MessageClass.ERROR_RESPONSE:
            self._handle_error_response(check, event)
            return False
        try:
            mapped = event.response.mapped_address
        except ProtocolError:
            mapped = None
        if mapped is None:
            self._fail_check(check, event.transaction_id)
            return False
        pair.statistics.count_response(event.round_trip_time)
        self._succeed(check, mapped, now)
        return True

    def _succeed(self, check: ConnectivityCheck, mapped: Address, now: float) -> None:
        pair = check.pair
        pair.answered_at = now
        pair.replaced = False
        if pair.consent_expired:
            return
        self._accept_path(*pair.key)
        known = self._sources.find_mapped(pair.local.base, mapped)
        pair.valid_local = known.candidate if known else _make_peer_reflexive(pair.local, mapped)
        self.generation.check_list.succeed(pair)
        if check.nominates and check.role is self._roles.role:
            self._nominate(pair, now)
        elif pair.nominate_on_success and self._roles.role is IceRole.CONTROLLED:
            self._follow_nomination(pair, now)

    def _fail_check(self, check: ConnectivityCheck, transaction_id: bytes) -> None:
        pair = check.pair
        if transaction_id != pair.transaction_id:
            return
        if check.nominates:
            if self.generation.nominating is pair:
                self.generation.nominating = None
            if not pair.nominated:
                pair.state = CheckState.FAILED
        elif pair.state is CheckState.IN_PROGRESS:
            pair.state = CheckState.FAILED

    def _handle_error_response(self, check: ConnectivityCheck, event: ResponseReceived) -> None:
        try:
            error = event.response.error_code
        except ProtocolError:
            error = None
        if error is None or error.code != ROLE_CONFLICT.code:
            _logger.debug("check of %s was refused: %s", check.pair.remote.address, error)
            self._fail_check(check, event.transaction_id)
            return
        if check.role is self._roles.role and not self._roles.peer_is_lite:
            self._roles.switch()
            self._role_changed()
            self._events.append(RoleChanged(self._roles.role))
        if self.generation.nominating is check.pair:
            self.generation.nominating = None
        if check.pair.state is not CheckState.SUCCEEDED:
            self.generation.check_list.trigger(check.pair)

    # -- failure and consent ---------------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """Whether no further pair can become valid and no candidate can follow."""
        return (
            self.candidates_complete
            and not self.generation.remote_candidates.names
            and not self.generation.check_list.unfinished
        )

    @property
    def candidates_complete(self) -> bool:
        """Whether gathering has finished and the peer has signaled its end of candidates."""
        return self._sources.complete and self.generation.remote_candidates.complete

    def stop_checking(self, now: float) -> None:
        """Stop checking until a new pair or check arrives."""
        _logger.debug("no usable pair among %d", len(self.generation.check_list))
        self.ended_at = now
        self._transactions.cancel_checks()
        for pair in self.generation.check_list.unfinished:
            if pair.state is CheckState.IN_PROGRESS:
                pair.state = CheckState.FAILED
        self.generation.nominating = None

    def expire_consent(self, generation: Generation, pair: CheckedPair, now: float) -> None:
        """Expire consent for a pair, and for other valid pairs whose last response is as old.

        Their credentials must not be used on them again (RFC 7675 section 5.1): only a restart recovers them.
        """
        for other in generation.check_list:
            if other is pair or self._is_stale(other, now):
                other.nominated = False
                if other is pair or other.state is CheckState.SUCCEEDED:
                    self.revoke_consent(generation, other)
        generation.check_list.concluded = False

    def has_expired_consent(self, generation: Generation, base: Address, remote: Address) -> bool:
        pair = generation.check_list.find(base, remote)
        return pair is not None and pair.consent_expired

    def revoke_consent(self, generation: Generation, pair: CheckedPair) -> None:
        """Fail a pair until a restart, and drop data from its path."""
        pair.nominated = pair.replaced = False
        generation.check_list.fail(pair)
        pair.consent_expired = True
        self._accepted.pop(pair.key, None)


def _make_peer_reflexive(local: LocalCandidate, mapped: Address) -> Candidate:
    """Return the local peer-reflexive candidate of an unknown mapped address (RFC 8445 section 7.2.5.3.1)."""
    kind = RTCIceCandidateType.PRFLX
    return attrs.evolve(
        local.candidate,
        foundation=compute_foundation(kind, local.base.host),
        priority=compute_priority(kind, local.local_preference),
        address=mapped.host,
        port=mapped.port,
        type=kind,
        related_address=local.base.host,
        related_port=local.base.port,
    )
