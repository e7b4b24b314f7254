"""Backup pairs: valid pairs beside the selected one, kept checked to replace it when it falls silent.

RFC 8445 section 8.1.2 stops checking with the nomination. Here, as in libwebrtc, a few more pairs become valid after
it, one at a time, and each is checked every 15 seconds, which keeps its NAT bindings (RFC 8445 section 11) and its
consent (RFC 7675 section 5.1). While checks of the selected pair stay unanswered, backup pairs are checked as often as
it; one that is answered for a while takes its place as soon as the selected pair counts as disconnected. After an
outage of all paths the selected pair has that while to be answered first, so that the selection does not flap.
"""

import math

import attrs

from .connectivity import Connectivity
from .consent import Consent
from .options import IceOptions
from .state import CheckedPair, CheckState
from .transactions import TransactionManager


@attrs.define
class _Answers:
    """When the answers of a backup pair began during the silence of the selected one, and the last one came."""

    first_at: float
    last_at: float


class BackupPairs:
    """Finds, checks and proposes the pairs that may replace the selected one."""

    def __init__(
        self, options: IceOptions, *, connectivity: Connectivity, transactions: TransactionManager
    ) -> None:
        self._options = options
        self._connectivity = connectivity
        self._transactions = transactions
        self._answers: dict[CheckedPair, _Answers] = {}
        self._next_search = math.inf

    def next_timer(self, selected: CheckedPair, consent: Consent) -> float:
        """Return when there is something to do beside a selected pair of the current generation."""
        backups = self._find_backups(selected)
        due = [self._check_due(pair, consent) for pair in backups]
        due += [pair.answered_at + self._options.consent_timeout for pair in self._find_replaced()]
        if self._find_unchecked(selected, backups) is not None:
            due.append(self._next_search)
        return min(due, default=math.inf)

    def update(self, selected: CheckedPair, consent: Consent, now: float) -> None:
        """Send the checks that are due, and revoke consent for replaced pairs that stay without an answer."""
        if consent.unanswered_since == math.inf:
            self._answers.clear()
        for pair in self._find_replaced():
            if now >= pair.answered_at + self._options.consent_timeout:
                self._connectivity.revoke_consent(self._connectivity.generation, pair)
        backups = self._find_backups(selected)
        for pair in backups:
            if now >= self._check_due(pair, consent):
                self._transactions.send_consent_check(
                    self._connectivity.generation, pair, nominates=False, now=now
                )
        self._search(selected, backups, now)

    def record_answer(self, pair: CheckedPair, consent: Consent, now: float) -> None:
        """Record a response to a check of a pair that is not the selected one."""
        if consent.unanswered_since == math.inf:
            return
        answers = self._answers.get(pair)
        if answers is None or now - answers.last_at >= self._options.disconnected_patience:
            self._answers[pair] = _Answers(now, now)
        else:
            answers.last_at = now

    def find_replacement(self, selected: CheckedPair, now: float) -> CheckedPair | None:
        """Return the best pair that has been answered for long enough, None as long as there is none."""
        answered = [
            pair
            for pair in self._find_backups(selected)
            if (answers := self._answers.get(pair)) is not None
            and answers.last_at - answers.first_at >= self._options.backup_confirmation_time
            and now - answers.last_at < self._options.disconnected_patience
        ]
        return max(answered, key=lambda pair: pair.priority, default=None)

    def _check_due(self, pair: CheckedPair, consent: Consent) -> float:
        regular = pair.checked_at + self._options.backup_interval
        # From the first retry on: a single lost packet of the selected pair costs no checks elsewhere.
        urgent = max(pair.checked_at, consent.unanswered_since) + self._options.consent_retry_interval
        return min(regular, urgent)

    def _find_backups(self, selected: CheckedPair) -> list[CheckedPair]:
        """Return the valid pairs to keep checked: first those whose path differs most from the selected one."""
        valid = [
            pair
            for pair in self._connectivity.generation.check_list
            if pair.state is CheckState.SUCCEEDED and pair is not selected
        ]
        valid.sort(key=lambda pair: (_count_differences(pair, selected), pair.priority), reverse=True)
        return valid[: self._options.max_backup_pairs]

    def _find_replaced(self) -> list[CheckedPair]:
        return [pair for pair in self._connectivity.generation.check_list if pair.replaced]

    def _find_unchecked(self, selected: CheckedPair, backups: list[CheckedPair]) -> CheckedPair | None:
        check_list = self._connectivity.generation.check_list
        if not check_list.concluded or len(backups) >= self._options.max_backup_pairs:
            return None
        return max(
            check_list.unchecked,
            key=lambda pair: (_count_differences(pair, selected), pair.priority),
            default=None,
        )

    def _search(self, selected: CheckedPair, backups: list[CheckedPair], now: float) -> None:
        """Check one more pair if there are too few backup pairs, some time after the nomination or the last one."""
        unchecked = self._find_unchecked(selected, backups)
        if unchecked is None:
            self._next_search = math.inf
        elif self._next_search == math.inf:
            self._next_search = now + self._options.backup_search_interval
        elif now >= self._next_search:
            self._next_search = now + self._options.backup_search_interval
            self._connectivity.generation.check_list.trigger(unchecked)


def _count_differences(pair: CheckedPair, selected: CheckedPair) -> int:
    """Return how many ends of a pair have another address than those of the selected one."""
    return (pair.local.base.host != selected.local.base.host) + (
        pair.remote.address.host != selected.remote.address.host
    )
