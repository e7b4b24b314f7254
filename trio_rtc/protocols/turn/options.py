"""Options of a TURN client."""

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen
class TurnOptions:
    """Times and limits of an allocation. Times are in seconds.

    Attributes:
        rto: Initial RTO of requests over UDP and DTLS (RFC 8489 section 6.2.1: 500 ms).
        timeout: Time after which a request without a response has failed. A server that does not respond to the first
            one is reported as unreachable. RFC 8489's 39.5 s are longer than applications wait.
        refresh_margin: Time before the end of an allocation or a channel at which it is refreshed, at most half of
            its lifetime (RFC 8656 section 7: one minute).
        permission_refresh: Interval at which the permission for an address is refreshed while packets are sent to it;
            it lasts 300 s (RFC 8656 section 9).
        refusal_time: Time for which packets to an address are dropped after the server has refused the permission.
        max_permissions: Maximum number of addresses with a permission. Packets to a further one are dropped.
        max_channels: Maximum number of channels; packets to further addresses are sent in Send indications, which are
            32 bytes longer.
        max_queued_packets: Maximum number of packets that wait for the permission of one address; further ones are
            dropped.
        max_attempts: Maximum number of transmissions of one request with new credentials (error responses 401, 438).
        release_timeout: Maximum time for the response of the server when an allocation is released.
    """

    rto: float = attrs.field(default=0.5, validator=validators.gt(0))
    timeout: float = attrs.field(default=10.0, validator=validators.gt(0))
    refresh_margin: float = attrs.field(default=60.0, validator=validators.gt(0))
    permission_refresh: float = attrs.field(default=240.0, validator=validators.gt(0))
    refusal_time: float = attrs.field(default=30.0, validator=validators.gt(0))
    max_permissions: int = attrs.field(default=128, validator=validators.ge(1))
    max_channels: int = attrs.field(default=32, validator=validators.ge(0))
    max_queued_packets: int = attrs.field(default=16, validator=validators.ge(1))
    max_attempts: int = attrs.field(default=4, validator=validators.ge(2))
    release_timeout: float = attrs.field(default=1.0, validator=validators.gt(0))
