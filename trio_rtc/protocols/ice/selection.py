"""The selected pair: selection, failover and loss.

Data is sent on the nominated pair, or before a nomination on the best valid pair. The selected pair is *connected*,
*disconnected* while its consent checks are unanswered, and *lost* when its consent expires or its socket closes. A
disconnected pair is replaced by an answered backup pair (:mod:`.backup`): a controlling agent nominates that, a
controlled one fails over to it until the nominated pair is answered or another one is nominated.
"""

import logging
import math
import random

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import MessageClass, ResponseReceived, TransactionFailed

from .backup import BackupPairs
from .connectivity import Connectivity
from .consent import Consent
from .events import SelectedPairChanged
from .generation import Generation
from .options import IceOptions
from .state import CheckedPair, CheckState
from .transactions import ConsentCheck, TransactionManager

_logger = logging.getLogger("trio_rtc.ice")


@attrs.frozen(eq=False)
class Selection:
    """A selected pair. After a restart, its consent checks have the credentials of the previous generation."""

    pair: CheckedPair
    generation: Generation
    consent: Consent


@attrs.frozen(eq=False)
class Failover:
    """A pair on which a controlled agent sends in place of the nominated one, whose checks were unanswered."""

    pair: CheckedPair
    nominated: CheckedPair | None
    since: float


class SelectedPath:
    """Selects a valid pair and keeps its consent. ``lost``: a selected pair was lost in this generation."""

    def __init__(
        self,
        options: IceOptions,
        *,
        rng: random.Random,
        connectivity: Connectivity,
        transactions: TransactionManager,
    ) -> None:
        self._options = options
        self._rng = rng
        self._connectivity = connectivity
        self._transactions = transactions
        self._backups = BackupPairs(options, connectivity=connectivity, transactions=transactions)
        self._backups_due = math.inf
        self._failover: Failover | None = None
        self._events: list[SelectedPairChanged] = []
        self.current: Selection | None = None
        self.lost = False

    def events(self) -> list[SelectedPairChanged]:
        events, self._events = self._events, []
        return events

    @property
    def next_timer(self) -> float:
        current = self.current
        if current is None:
            return math.inf
        return min(current.consent.next_timer, self._backups_due)

    def schedule_backups(self) -> None:
        """Compute the timer of the backup pairs once per change, since it is read with every datagram sent."""
        current = self.current
        if current is not None and self._is_of_this_generation(current):
            self._backups_due = self._backups.next_timer(current.pair, current.consent)
        else:
            self._backups_due = math.inf

    def update_consent(self, now: float) -> bool:
        """Return whether the selected pair is disconnected."""
        if self.current is None:
            return False
        self.current.consent.update(now)
        return self.current.consent.missed

    def update(self, now: float) -> None:
        """Handle expired consent, select a pair, and send due checks."""
        if self.current is not None and now >= self.current.consent.expires:
            self._expire(self.current, now)
        self._replace_unanswered(now)
        chosen = self._choose_pair(now)
        if chosen is not None and (self.current is None or self.current.pair is not chosen):
            disconnected = self.current is not None and self.current.consent.missed
            silent = self.current is not None and self.current.consent.is_silent(now)
            if self.current is not None:
                self.current.pair.replaced = silent
            self._select(chosen, now, disconnected=disconnected, after_silence=silent)
        if self.current is not None and now >= self.current.consent.check_due:
            self._send_consent_check(self.current, now)
        if self.current is not None and self._is_of_this_generation(self.current):
            self._backups.update(self.current.pair, self.current.consent, now)

    def _is_of_this_generation(self, selection: Selection) -> bool:
        return selection.generation is self._connectivity.generation

    def _replace_unanswered(self, now: float) -> None:
        """Replace a disconnected pair by an answered one: nominate it, or as the controlled agent fail over to it.

        A controlled agent does not wait for a nomination, since not every peer nominates twice.
        """
        current = self.current
        if current is None or not current.consent.missed:
            return
        replacement = self._backups.find_replacement(current.pair, now)
        if replacement is None:
            return
        if self._connectivity.is_controlling:
            self._connectivity.renominate(replacement, now)
        else:
            self._failover = Failover(replacement, self._connectivity.generation.check_list.nominated, now)

    def _find_failover(self) -> CheckedPair | None:
        """Return the failover pair, until the nominated one is nominated and answered again."""
        failover = self._failover
        if failover is None:
            return None
        check_list = self._connectivity.generation.check_list
        nominated = failover.nominated
        if (
            self._connectivity.is_controlling
            or check_list.nominated not in (None, nominated)
            or check_list.find(*failover.pair.key) is not failover.pair
            or failover.pair.state is not CheckState.SUCCEEDED
            or (nominated is not None and min(nominated.nominated_at, nominated.answered_at) > failover.since)
        ):
            self._failover = None
            return None
        return failover.pair

    def _choose_pair(self, now: float) -> CheckedPair | None:
        """Return the failover pair, else the nominated one, else the best valid pair with consent."""
        failover = self._find_failover()
        if failover is not None:
            return failover
        check_list = self._connectivity.generation.check_list
        if check_list.nominated is None and self._may_select_before_nomination:
            self._connectivity.check_stale_pairs(now)
            return check_list.best_valid
        return check_list.nominated

    @property
    def _may_select_before_nomination(self) -> bool:
        # After a restart, the old pair is used until there is a nominated one, unless it is disconnected.
        current = self.current
        return (
            current is None or current.generation is self._connectivity.generation or current.consent.missed
        )

    def _select(
        self, chosen: CheckedPair, now: float, *, disconnected: bool, after_silence: bool = False
    ) -> None:
        """Select a pair with its remaining consent (RFC 7675 section 5.1: 30 s from its last response).

        After a disconnected pair, only a response within ``disconnected_patience`` shows that the peer is reachable
        again: the pair may have become valid long before the outage.
        """
        recent = now - chosen.answered_at < self._options.disconnected_patience
        consent = Consent(
            self._options,
            self._rng,
            answered_at=chosen.answered_at,
            disconnected=disconnected and not recent,
        )
        self.current = Selection(chosen, self._connectivity.generation, consent)
        _logger.debug("selected %s to %s", chosen.local.base, chosen.remote.address)
        self._events.append(SelectedPairChanged(chosen.pair, after_silence))

    def _expire(self, current: Selection, now: float) -> None:
        self._connectivity.expire_consent(current.generation, current.pair, now)
        self._deselect(now)
        if self.current is None and current.generation is self._connectivity.generation:
            self._connectivity.stop_checking(now)

    def remove_base(self, base: Address, now: float) -> None:
        if self.current is not None and self.current.pair.local.base == base:
            self._deselect(now)

    def _send_consent_check(self, current: Selection, now: float) -> None:
        # A controlling agent repeats the nomination, so that both sides stay on one pair. It stops while the pair is
        # unanswered: the peer must then follow the nomination of another one (``renomination_wait``).
        self._transactions.send_consent_check(
            current.generation,
            current.pair,
            nominates=current.consent.unanswered_since == math.inf
            and self._connectivity.is_nominee(current.generation, current.pair),
            now=now,
        )
        current.consent.check_sent(now)

    def handle_consent_result(
        self, check: ConsentCheck, event: ResponseReceived | TransactionFailed, now: float
    ) -> None:
        if isinstance(event, TransactionFailed):
            return
        if event.response.message_class is MessageClass.SUCCESS_RESPONSE:
            check.pair.answered_at = now
            check.pair.replaced = False
            check.pair.statistics.count_response(event.round_trip_time)
            self.renew(check.pair, now)

    def renew(self, pair: CheckedPair, now: float) -> None:
        if self.current is None:
            return
        if self.current.pair is pair:
            self.current.consent.renew(now)
        elif self._is_of_this_generation(self.current):
            self._backups.record_answer(pair, self.current.consent, now)

    def record_peer_check(self, base: Address, remote: Address, now: float) -> None:
        if self.current is not None and self.current.pair.key == (base, remote):
            self.current.consent.record_peer_check(now)

    def _deselect(self, now: float) -> None:
        """Replace the selected pair by another one, which inherits its connection state, or by none."""
        assert self.current is not None
        disconnected = self.current.consent.missed
        self.current = None
        chosen = self._choose_pair(now)
        if chosen is not None:
            self._select(chosen, now, disconnected=disconnected)
            return
        self.lost = True
        self._connectivity.generation.checking_since = now
        self._events.append(SelectedPairChanged(None))
