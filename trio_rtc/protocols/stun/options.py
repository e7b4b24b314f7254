"""Options of STUN client transactions."""

import attrs
from attrs import validators


@attrs.frozen
class TransactionOptions:
    """How requests are retransmitted over UDP (RFC 8489 section 6.2.1).

    Attributes:
        rto: Seconds until the first retransmission; doubles each time. RFC 8489: 500 ms.
        max_transmissions: Rc, how often a request is sent at most. RFC 8489: 7.
        final_wait: Rm, how many initial RTOs to wait after the last transmission. RFC 8489: 16.
        max_transactions: How many transactions may be open; a further one fails at once.
    """

    rto: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_transmissions: int = attrs.field(default=7, validator=validators.ge(1))
    final_wait: float = attrs.field(default=16.0, validator=validators.gt(0))
    max_transactions: int = attrs.field(default=512, validator=validators.ge(1))
