"""Options of ICE."""

import attrs
from attrs import validators


@attrs.frozen
class IceOptions:
    """How the agent checks, nominates and keeps consent. Times are in seconds.

    Attributes:
        pacing_interval: Ta, between two new transactions (RFC 8445 section 14.2: 50 ms, at least 5 ms).
        minimum_rto: Least time to the first retransmission (RFC 8445 section 14.3: 500 ms).
        max_transmissions: Rc, how often a check is sent at most (RFC 8489 section 6.2.1: 7).
        gathering_timeout: How long a STUN server may take to answer before it counts as unreachable.
        max_pairs: Size of the check list (RFC 8445 section 6.1.2.5: 100).
        max_remote_candidates: How many candidates of the peer are kept; further ones are dropped.
        max_peer_reflexive: How many addresses may be learnt from checks alone; checks from further ones
            are answered, but not checked back.
        max_early_checks: How many checks are remembered that come before the peer's parameters; the oldest
            is forgotten.
        max_local_addresses: How many local addresses are used; further ones are ignored.
        max_stun_servers: How many addresses of STUN servers are used; further ones are ignored.
        reflexive_acceptance_wait: How long checks go on before a pair with a reflexive candidate is
            nominated while better pairs are still being checked. Pairs of host candidates do not wait.
        relay_acceptance_wait: The same for pairs with a relayed candidate.
        renomination_wait: A controlled agent follows the nomination of a pair that is worse than the
            nominated one only when the latter was not nominated again for this long. It tells the
            change of mind of some peers from the aggressive nomination of old ones (RFC 5245 section 8.1.1.2).
        patience: Least time from the first check to failure, since checks of a peer that we have no
            candidate for may still arrive (RFC 8863).
        failure_timeout: Time from the first check to failure when there still is no usable pair.
        consent_interval: Between consent checks, multiplied by a random number from 0.8 to 1.2 (RFC 7675
            section 5.1: 5 s).
        consent_timeout: How long consent lasts after a response (RFC 7675 section 5.1: 30 s).
        consent_retry_interval: Between consent checks while they are not answered.
        backup_interval: Between checks of a valid pair that may replace the selected one. It keeps NAT bindings
            (RFC 8445 section 11: 15 s at least) and its consent.
        backup_search_interval: Between first checks of further pairs after the nomination, as long as there are fewer
            valid pairs beside the selected one than ``max_backup_pairs``.
        backup_confirmation_time: How long another pair must have been answered, while the selected one was not, before
            it replaces it. An outage that ends on all pairs at once leaves the selected one in place.
        max_backup_pairs: How many valid pairs are kept checked beside the selected one.
        disconnected_timeout: Silence on the selected pair until the state is "disconnected".
        disconnected_patience: How much of ``disconnected_timeout`` is left for the answer to a first and
            repeated consent check; a silent pair is checked when only this much is left.
    """

    pacing_interval: float = attrs.field(default=0.05, validator=validators.ge(0.005))
    minimum_rto: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_transmissions: int = attrs.field(default=7, validator=validators.ge(1))
    gathering_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    max_pairs: int = attrs.field(default=100, validator=validators.ge(1))
    max_remote_candidates: int = attrs.field(default=100, validator=validators.ge(1))
    max_peer_reflexive: int = attrs.field(default=32, validator=validators.ge(0))
    max_early_checks: int = attrs.field(default=16, validator=validators.ge(0))
    max_local_addresses: int = attrs.field(default=32, validator=validators.ge(1))
    max_stun_servers: int = attrs.field(default=16, validator=validators.ge(0))
    reflexive_acceptance_wait: float = attrs.field(default=0.1, validator=validators.ge(0))
    relay_acceptance_wait: float = attrs.field(default=0.5, validator=validators.ge(0))
    renomination_wait: float = attrs.field(default=1.0, validator=validators.ge(0))
    patience: float = attrs.field(default=5.0, validator=validators.ge(0))
    failure_timeout: float = attrs.field(default=15.0, validator=validators.gt(0))
    consent_interval: float = attrs.field(default=5.0, validator=validators.gt(0))
    consent_timeout: float = attrs.field(default=30.0, validator=validators.gt(0))
    consent_retry_interval: float = attrs.field(default=0.5, validator=validators.gt(0))
    backup_interval: float = attrs.field(default=15.0, validator=validators.gt(0))
    backup_search_interval: float = attrs.field(default=1.0, validator=validators.gt(0))
    backup_confirmation_time: float = attrs.field(default=0.9, validator=validators.gt(0))
    max_backup_pairs: int = attrs.field(default=3, validator=validators.ge(0))
    disconnected_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    disconnected_patience: float = attrs.field(default=1.5, validator=validators.gt(0))
