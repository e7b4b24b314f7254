"""The pair that data is sent on, from its selection until consent for it is gone."""

import logging
import math
import random

import attrs

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import MessageClass, ResponseReceived, TransactionFailed

from .checks import ConsentCheck, Requester
from .connectivity import Connectivity
from .consent import Consent
from .events import SelectedPairChanged
from .generation import Generation
from .options import IceOptions
from .state import CheckedPair

_logger = logging.getLogger("trio_rtc.ice")


@attrs.frozen(eq=False)
class Selection:
    """A selected pair, whose generation may be the one before a restart.

    Attributes:
        pair: The pair.
        generation: Whose credentials its consent checks have.
        consent: Its freshness.
    """

    pair: CheckedPair
    generation: Generation
    consent: Consent


class SelectedPath:
    """Chooses the selected pair among the valid ones, and keeps consent for it.

    Attributes:
        current: The selected pair, None as long as there is none.
        lost: Whether there was one in this generation, and none has come after it.
    """

    def __init__(
        self, options: IceOptions, *, rng: random.Random, connectivity: Connectivity, requester: Requester
    ) -> None:
        self._options = options
        self._rng = rng
        self._connectivity = connectivity
        self._requester = requester
        self._events: list[SelectedPairChanged] = []
        self.current: Selection | None = None
        self.lost = False

    def events(self) -> list[SelectedPairChanged]:
        """Take what has happened."""
        events, self._events = self._events, []
        return events

    @property
    def next_timer(self) -> float:
        """When there is something to do."""
        return math.inf if self.current is None else self.current.consent.next_timer

    def update(self, now: float) -> None:
        """Select the nominated pair, or before there is one the best valid pair."""
        generation = self._connectivity.generation
        wanted = generation.check_list.nominated
        if wanted is None and self._may_select_before_nomination:
            wanted = generation.check_list.best_valid
        if wanted is None or (self.current is not None and self.current.pair is wanted):
            return
        self.current = Selection(wanted, generation, Consent(self._options, self._rng, now))
        self.lost = False
        _logger.debug("selected %s to %s", wanted.local.base, wanted.remote.address)
        self._events.append(SelectedPairChanged(wanted.pair))

    @property
    def _may_select_before_nomination(self) -> bool:
        # After a restart the old pair serves until there is a nominated one, but only if it works.
        current = self.current
        return (
            current is None or current.generation is self._connectivity.generation or current.consent.missed
        )

    def remove_base(self, base: Address, now: float) -> None:
        """Hear that a local address is gone."""
        if self.current is not None and self.current.pair.local.base == base:
            self._deselect(now)

    def keep_consent(self, now: float) -> None:
        """Send the consent check that is due, and act when consent is gone."""
        current = self.current
        if current is None:
            return
        consent = current.consent
        consent.update(now)
        if now >= consent.expires:
            self._connectivity.expire_consent(current.generation, current.pair, now)
            self._deselect(now)
            if self.current is None and current.generation is self._connectivity.generation:
                self._connectivity.give_up()
        elif now >= consent.check_due:
            # A controlling agent nominates again and again, so that both stay on one pair whatever happens.
            self._requester.send_consent_check(
                current.generation,
                current.pair,
                nominates=self._connectivity.is_nominee(current.generation, current.pair),
                now=now,
            )
            consent.check_sent(now)

    def end_consent_check(
        self, check: ConsentCheck, event: ResponseReceived | TransactionFailed, now: float
    ) -> None:
        """Take the end of a consent check. Only a success on the same path renews consent."""
        if isinstance(event, TransactionFailed) or (event.local, event.remote) != check.pair.key:
            return
        if event.response.message_class is MessageClass.SUCCESS_RESPONSE:
            check.pair.answered_at = now
            check.pair.statistics.count_response(event.round_trip_time)
            self.renew(check.pair, now)

    def renew(self, pair: CheckedPair, now: float) -> None:
        """Note that a check of a pair was answered."""
        if self.current is not None and self.current.pair is pair:
            self.current.consent.renew(now)

    def hear(self, base: Address, remote: Address, now: float) -> None:
        """Note an authentic check of the peer."""
        if self.current is not None and self.current.pair.key == (base, remote):
            self.current.consent.hear(now)

    def _deselect(self, now: float) -> None:
        self.current = None
        self.update(now)
        if self.current is None:
            self.lost = True
            self._connectivity.generation.checking_since = now
            self._events.append(SelectedPairChanged(None))
