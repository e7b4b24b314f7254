"""Consent timers at their limits, without an agent (RFC 7675 section 5.1)."""

import math
import random
from typing import Any

import pytest

from trio_rtc.protocols.ice import IceOptions
from trio_rtc.protocols.ice.consent import Consent


class Middle(random.Random):
    """Generator that returns and records the middle of each range."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append((a, b))
        return (a + b) / 2


def make_consent(answered_at: float = 10.0, *, disconnected: bool = False, **options: Any) -> Consent:
    return Consent(IceOptions(**options), Middle(), answered_at=answered_at, disconnected=disconnected)


def test_consent_checks_are_4_to_6_seconds_apart() -> None:
    rng = Middle()
    consent = Consent(IceOptions(), rng, answered_at=10.0, disconnected=False)
    assert rng.asked == [(0.8, 1.2)]
    consent.record_peer_check(14.0)
    assert consent.check_due == 15.0
    consent.renew(20.0)
    assert rng.asked == [(0.8, 1.2)] * 2
    consent.record_peer_check(24.0)
    assert consent.check_due == consent.next_timer == 25.0


@pytest.mark.parametrize(
    ("timeout", "patience", "quiet"), [(5.0, 1.5, 3.5), (2.0, 1.5, 0.5), (2.1, 1.0, 1.1), (1.0, 1.5, 0.5)]
)
def test_a_pair_without_traffic_is_checked_when_the_patience_is_left(
    timeout: float, patience: float, quiet: float
) -> None:
    consent = make_consent(disconnected_timeout=timeout, disconnected_patience=patience)
    assert consent.check_due == 10 + quiet
    consent.record_peer_check(11.0)
    assert consent.check_due == min(11 + quiet, 15.0)


def test_unanswered_checks_are_repeated_until_the_patience_ends() -> None:
    consent = make_consent()
    assert not consent.is_silent(1e9)
    consent.check_sent(13.5)
    assert (consent.unanswered_since, consent.check_due) == (13.5, 14.0)
    assert not consent.is_silent(13.99)
    assert consent.is_silent(14.0)
    # A check of the peer shows liveness, but is not a response.
    consent.record_peer_check(13.9)
    assert consent.check_due == consent.next_timer == 14.0
    consent.check_sent(14.0)
    consent.check_sent(14.8)
    assert (consent.unanswered_since, consent.check_due) == (13.5, 15.3)
    assert consent.next_timer == 15.0
    consent.update(14.99)
    assert not consent.missed
    consent.update(15.0)
    assert consent.missed
    assert consent.next_timer == 15.3
    consent.check_sent(39.8)
    assert consent.next_timer == consent.expires == 40.0


def test_a_response_renews_all_timers() -> None:
    consent = make_consent()
    consent.check_sent(13.5)
    consent.update(15.0)
    consent.renew(16.0)
    assert not consent.missed
    assert consent.unanswered_since == math.inf
    assert consent.expires == 46.0
    assert consent.check_due == consent.next_timer == 19.5
    consent.update(30.0)
    assert not consent.missed


def test_a_pair_that_replaces_a_disconnected_one_is_disconnected_and_checked_immediately() -> None:
    consent = make_consent(disconnected=True)
    assert consent.missed
    assert consent.check_due == consent.next_timer == 10.0
    assert consent.expires == 40.0
    consent.check_sent(10.0)
    assert consent.next_timer == 10.5
    consent.renew(10.1)
    assert not consent.missed
