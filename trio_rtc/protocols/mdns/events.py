"""Events of the multicast DNS resolver and responder."""

from trio_rtc import _attrs as attrs


@attrs.frozen
class NameResolved:
    """A name was resolved.

    Attributes:
        name: The name passed to ``resolve``.
        hosts: Numeric IPv4 and IPv6 addresses, at least one.
    """

    name: str
    hosts: tuple[str, ...]


@attrs.frozen
class ResolutionFailed:
    """No responder answered for a name, or it is not permitted."""

    name: str


@attrs.frozen
class MdnsClosed:
    """The resolver or responder is closed; ``error`` is always ``None``: mDNS has no fatal errors."""

    error: Exception | None = None


MdnsEvent = NameResolved | ResolutionFailed | MdnsClosed
