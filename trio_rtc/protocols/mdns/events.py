"""What the multicast DNS resolver tells."""

import attrs


@attrs.frozen
class NameResolved:
    """A name has been answered.

    Attributes:
        name: The name as it was asked for.
        hosts: Numeric IPv4 and IPv6 addresses, at least one.
    """

    name: str
    hosts: tuple[str, ...]


@attrs.frozen
class ResolutionFailed:
    """Nobody answered for a name, or it was not one to ask for."""

    name: str


@attrs.frozen
class MdnsClosed:
    """The resolver has ended.

    Attributes:
        error: What ended it; always None, as there is nothing in mDNS that could.
    """

    error: Exception | None = None


MdnsEvent = NameResolved | ResolutionFailed | MdnsClosed
