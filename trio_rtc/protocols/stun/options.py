"""Options of STUN client transactions."""

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators


@attrs.frozen
class TransactionOptions:
    """Retransmission over UDP (RFC 8489 section 6.2.1).

    Attributes:
        rto: Initial RTO in seconds, doubled with each retransmission. RFC 8489: 500 ms.
        max_transmissions: Rc, maximum number of transmissions of a request. RFC 8489: 7.
        final_wait: Rm, time to wait after the last transmission in units of the initial RTO. RFC 8489: 16.
        max_transactions: Maximum number of open transactions; a further one fails immediately.
    """

    rto: float = attrs.field(default=0.5, validator=validators.gt(0))
    max_transmissions: int = attrs.field(default=7, validator=validators.ge(1))
    final_wait: float = attrs.field(default=16.0, validator=validators.gt(0))
    max_transactions: int = attrs.field(default=512, validator=validators.ge(1))
