"""Events of a TURN client."""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address


@attrs.frozen
class AllocationCreated:
    """The server has created the allocation.

    Attributes:
        relayed_address: The relayed transport address.
        mapped_address: Our address as the server sees it.
        lifetime: Seconds until the allocation ends without a refresh, which is sent automatically.
    """

    relayed_address: Address
    mapped_address: Address
    lifetime: float


@attrs.frozen
class AllocationFailed:
    """The server has not created the allocation.

    Attributes:
        code: Code of the error response (RFC 8656 section 19, RFC 8489 section 14.8); ``None`` if there was no usable
            response.
        reason: Reason phrase of the server, or what was wrong.
    """

    code: int | None
    reason: str


@attrs.frozen
class AllocationRedirected:
    """The server refers to another one (300 Try Alternate, RFC 8489 section 10).

    Attributes:
        address: Address of the other server, to be used with the same transport protocol and credentials.
        domain: Name for the verification of its certificate; ``None``: that of the first server.
    """

    address: Address
    domain: str | None


@attrs.frozen
class AllocationRefreshed:
    """The server has confirmed that the allocation exists, in response to a Refresh."""


@attrs.frozen
class AllocationEnded:
    """An allocation that existed has ended: it was released, has expired, or the server does not know it.

    Attributes:
        reason: What has ended it, ``None`` after ``release``.
    """

    reason: str | None


@attrs.frozen
class PeerRefused:
    """The server has refused to relay packets to an address of the peer.

    Attributes:
        host: Numeric address.
        code: Code of the error response, for example 403 (Forbidden); ``None`` without a response.
        reason: Reason phrase of the server, or what was wrong.
    """

    host: str
    code: int | None
    reason: str


TurnEvent = (
    AllocationCreated
    | AllocationFailed
    | AllocationRedirected
    | AllocationRefreshed
    | AllocationEnded
    | PeerRefused
)
