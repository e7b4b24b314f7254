"""Options of multicast DNS."""

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators


@attrs.frozen
class ResolverOptions:
    """Name resolution.

    Attributes:
        first_interval: Seconds between the first and second query. RFC 6762 section 5.2: at least 1.
        factor: Multiplier of the interval for each further query. RFC 6762 section 5.2: at least 2.
        max_queries: Maximum number of queries for a name; the resolution fails one interval after the last.
        max_names: Maximum number of names being resolved; the resolution of a further one fails immediately.
        max_hosts: Maximum number of addresses per name; further ones are ignored.
        any_local_name: Resolve every name under ``.local``, not only the UUIDs of browser candidates
            (draft-ietf-mmusic-mdns-ice-candidates section 3.1.1).
        unicast_response: Request a unicast response in the first query (RFC 6762 section 5.4). Off by default: if
            several programs share port 5353, another one may receive the response (section 15.1), and Chromium
            ignores such questions.
    """

    first_interval: float = attrs.field(default=1.0, validator=validators.gt(0))
    factor: float = attrs.field(default=2.0, validator=validators.ge(1))
    max_queries: int = attrs.field(default=3, validator=validators.ge(1))
    max_names: int = attrs.field(default=64, validator=validators.ge(1))
    max_hosts: int = attrs.field(default=8, validator=validators.ge(1))
    any_local_name: bool = False
    unicast_response: bool = False


@attrs.frozen
class ResponderOptions:
    """Responses for published names.

    Attributes:
        ttl: Time to live of a record in seconds. RFC 6762 section 10: 120 for addresses.
        min_interval: Seconds between responses for one name. RFC 6762 section 6: at least 1.
        max_names: Maximum number of published names.
        max_hosts: Maximum number of addresses per name, so that a response fits into one packet.
    """

    ttl: int = attrs.field(default=120, validator=validators.ge(1))
    min_interval: float = attrs.field(default=1.0, validator=validators.gt(0))
    max_names: int = attrs.field(default=64, validator=validators.ge(1))
    max_hosts: int = attrs.field(default=8, validator=validators.ge(1))
