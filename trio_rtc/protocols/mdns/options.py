"""Options of multicast DNS."""

import attrs
from attrs import validators


@attrs.frozen
class ResolverOptions:
    """How names are asked for.

    Attributes:
        first_interval: Seconds from the first query to the second. RFC 6762 section 5.2: at least 1.
        factor: What the interval is multiplied by for each further query. RFC 6762 section 5.2: at least 2.
        max_queries: How often a name is asked for; one more interval later it has failed.
        max_names: How many names may be open at a time; a further one fails at once.
        max_hosts: How many addresses of one name are taken; what an answer has on top is ignored.
        any_local_name: Ask for every name under ``.local``, not only for the UUIDs that browsers make up for
            their candidates (draft-ietf-mmusic-mdns-ice-candidates section 3.1.1).
        unicast_response: Ask in the first query for an answer by unicast (RFC 6762 section 5.4). Off by default:
            where several programs share port 5353 the answer may go to another one of them (section 15.1), and
            Chromium ignores such questions.
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
    """How queries for our own names are answered.

    Attributes:
        ttl: Seconds that others may remember an answer. RFC 6762 section 10: 120 for addresses.
        min_interval: Seconds from one answer to the next with the same name. RFC 6762 section 6: at least 1.
        max_names: How many names may be published at a time.
        max_hosts: How many addresses a name may have, which keeps an answer in one packet.
    """

    ttl: int = attrs.field(default=120, validator=validators.ge(1))
    min_interval: float = attrs.field(default=1.0, validator=validators.gt(0))
    max_names: int = attrs.field(default=64, validator=validators.ge(1))
    max_hosts: int = attrs.field(default=8, validator=validators.ge(1))
