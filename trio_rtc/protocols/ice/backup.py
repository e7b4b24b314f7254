"""Backup pairs: valid pairs beside the selected one, kept alive to replace it on failure.

RFC 8445 section 8.1.2 stops checking with the nomination. Here, as in libwebrtc, a few more pairs become valid
afterwards, one at a time, and each is checked every 15 seconds, which keeps its NAT bindings (RFC 8445 section 11) and
its consent (RFC 7675 section 5.1). While checks of the selected pair are unanswered, backup pairs are checked at the
same rate. A backup pair that is answered for ``backup_confirmation_time`` replaces the selected pair once that is
disconnected. After an outage of all paths, this time lets the selected pair recover first, so that the selection does
not flap.
"""

import math

from trio_rtc import _attrs as attrs

from .connectivity import Connectivity
from .consent import Consent
from .options import IceOptions
from .state import CheckedPair, CheckState
from .transactions import TransactionManager


@attrs.define
class _Answers:
    """Times of the first and last response on a backup pair while the selected pair is unanswered."""

    first_at: float
    last_at: float


class BackupPairs:
    """Selects and checks the pairs that may replace the selected one."""

    def __init__(
        self, options: IceOptions, *, connectivity: Connectivity, transactions: TransactionManager
    ) -> None:
        self._options = options
        self._connectivity = connectivity
        self._transactions = transactions
        self._answers: dict[CheckedPair, _Answers] = {}
        self._next_search = math.inf

    def next_timer(self, selected: CheckedPair, consent: Consent) -> float:
        """Return the time of the next check or search, given a selected pair of the current generation."""
        backups = self._find_backups(selected)
        due = [self._check_due(pair, consent) for pair in backups]
        due += [pair.answered_at + self._options.consent_timeout for pair in self._find_replaced()]
        if self._find_unchecked(selected, backups) is not None:
            due.append(self._next_search)
        return min(due, default=math.inf)

    def update(self, selected: CheckedPair, consent: Consent, now: float) -> None:
        """Send due checks, and revoke consent for replaced pairs that remain unanswered."""
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
        if consent.unanswered_since == math.inf:
            return
        answers = self._answers.get(pair)
        if answers is None or now - answers.last_at >= self._options.disconnected_patience:
            self._answers[pair] = _Answers(now, now)
        else:
            answers.last_at = now

    def find_replacement(self, selected: CheckedPair, now: float) -> CheckedPair | None:
        """Return the best pair that has been answered for long enough, ``None`` if there is none."""
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
        # Only from the first retry on: one lost packet on the selected pair must not cause checks elsewhere.
        urgent = max(pair.checked_at, consent.unanswered_since) + self._options.consent_retry_interval
        return min(regular, urgent)

    def _find_backups(self, selected: CheckedPair) -> list[CheckedPair]:
        """Return the valid pairs to keep alive, those whose path differs most from the selected one first."""
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
        """Trigger a check of another pair every ``backup_search_interval`` while there are too few backup pairs."""
        unchecked = self._find_unchecked(selected, backups)
        if unchecked is None:
            self._next_search = math.inf
        elif self._next_search == math.inf:
            self._next_search = now + self._options.backup_search_interval
        elif now >= self._next_search:
            self._next_search = now + self._options.backup_search_interval
            self._connectivity.generation.check_list.trigger(unchecked)


def _count_differences(pair: CheckedPair, selected: CheckedPair) -> int:
    """Return the number of ends (0 to 2) whose address differs from that of the selected pair."""
    return (pair.local.base.host != selected.local.base.host) + (
        pair.remote.address.host != selected.remote.address.host
    )
