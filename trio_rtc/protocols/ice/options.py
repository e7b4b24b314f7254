"""Options of ICE."""

from typing import Any

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class


def _at_least_0(_: Any, __: Any, value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ValueError(f"late_candidate_timeout must be at least 0, or None, not {value!r}")


@strict_class
@attrs.frozen
class IceOptions:
    """Checking, nomination and consent. Times are in seconds.

    Attributes:
        pacing_interval: Ta, interval between new transactions (RFC 8445 section 14.2: 50 ms, at least 5 ms).
        minimum_rto: Minimum RTO, the time to the first retransmission (RFC 8445 section 14.3: 500 ms).
        max_transmissions: Rc, maximum number of transmissions of a request (RFC 8489 section 6.2.1: 7).
        gathering_timeout: Time for the response of a STUN server before it is reported as unreachable.
        max_pairs: Size of the check list (RFC 8445 section 6.1.2.5: 100).
        max_remote_candidates: Maximum number of candidates of the peer; further ones are dropped.
        max_peer_reflexive: Maximum number of peer-reflexive remote candidates; checks from further addresses are
            answered, but trigger no check.
        max_early_checks: Maximum number of checks stored before the peer's parameters arrive; the oldest is dropped.
        max_sockets: Maximum number of sockets, relayed ones included; further ones are ignored.
        max_stun_servers: Maximum number of STUN server addresses; further ones are ignored.
        reflexive_acceptance_wait: Minimum time of checking before a pair with a reflexive candidate is nominated while
            better pairs are still being checked. Pairs of host candidates do not wait.
        relay_acceptance_wait: The same for pairs with a relayed candidate.
        renomination_wait: A controlled agent follows the nomination of a pair worse than the nominated one only if
            the latter was not nominated again for this time. This distinguishes renomination from the aggressive
            nomination of RFC 5245 section 8.1.1.2.
        patience: PAC timer: minimum time from the first check to failure, since checks of unknown candidates of the
            peer may still arrive (RFC 8863).
        failure_timeout: Time from the first check until checking ends without a usable pair: the transport is "failed",
            or "disconnected" while gathering continues or the peer has not signaled its end of candidates (W3C webrtc
            section 5.6.4).
        late_candidate_timeout: Time in the state "disconnected" until it is "failed" in the latter case, for peers that
            never signal their end of candidates; W3C sets none. ``None``: never.
        consent_interval: Interval between consent checks, multiplied by a random number from 0.8 to 1.2 (RFC 7675
            section 5.1: 5 s).
        consent_timeout: Lifetime of consent after a response (RFC 7675 section 5.1: 30 s).
        consent_retry_interval: Interval between consent checks while they are unanswered.
        backup_interval: Interval between checks of a backup pair, which keep its NAT bindings (RFC 8445 section 11: at
            least 15 s) and its consent.
        backup_search_interval: Interval between first checks of further pairs after the nomination, while there are
            fewer than ``max_backup_pairs``.
        backup_confirmation_time: Time for which a backup pair must be answered, while the selected pair is not, before
            it replaces that. An outage that ends on all pairs together leaves the selected pair in place.
        max_backup_pairs: Maximum number of backup pairs.
        disconnected_timeout: Time without a received check or response on the selected pair until the state is
            "disconnected".
        disconnected_patience: Part of ``disconnected_timeout`` that is left for the response to a first and repeated
            consent check: a pair without traffic is checked when this time is left.
    """

    pacing_interval: float = attrs.field(default=0.05, validator=validators.ge(0.005))
    minimum_rto: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_transmissions: int = attrs.field(default=7, validator=validators.ge(1))
    gathering_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    max_pairs: int = attrs.field(default=100, validator=validators.ge(1))
    max_remote_candidates: int = attrs.field(default=100, validator=validators.ge(1))
    max_peer_reflexive: int = attrs.field(default=32, validator=validators.ge(0))
    max_early_checks: int = attrs.field(default=16, validator=validators.ge(0))
    max_sockets: int = attrs.field(default=32, validator=validators.ge(1))
    max_stun_servers: int = attrs.field(default=16, validator=validators.ge(0))
    reflexive_acceptance_wait: float = attrs.field(default=0.1, validator=validators.ge(0))
    relay_acceptance_wait: float = attrs.field(default=0.5, validator=validators.ge(0))
    renomination_wait: float = attrs.field(default=1.0, validator=validators.ge(0))
    patience: float = attrs.field(default=5.0, validator=validators.ge(0))
    failure_timeout: float = attrs.field(default=15.0, validator=validators.gt(0))
    late_candidate_timeout: float | None = attrs.field(default=30.0, validator=_at_least_0)
    consent_interval: float = attrs.field(default=5.0, validator=validators.gt(0))
    consent_timeout: float = attrs.field(default=30.0, validator=validators.gt(0))
    consent_retry_interval: float = attrs.field(default=0.5, validator=validators.gt(0))
    backup_interval: float = attrs.field(default=15.0, validator=validators.gt(0))
    backup_search_interval: float = attrs.field(default=1.0, validator=validators.gt(0))
    backup_confirmation_time: float = attrs.field(default=0.9, validator=validators.gt(0))
    max_backup_pairs: int = attrs.field(default=3, validator=validators.ge(0))
    disconnected_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    disconnected_patience: float = attrs.field(default=1.5, validator=validators.gt(0))
