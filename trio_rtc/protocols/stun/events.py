"""Events of the STUN client."""

from enum import StrEnum

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address

from .message import Message


class FailureReason(StrEnum):
    """Reason of a failed transaction."""

    TIMED_OUT = "timed-out"
    NOT_UNDERSTOOD = "not-understood"
    TOO_MANY = "too-many"


@attrs.frozen
class ResponseReceived:
    """A success or error response was received.

    If the request had a key, the response has passed the integrity check. Only an error response 401 or 438 to a client
    with long-term credentials may have no integrity.

    Attributes:
        round_trip_time: Seconds, ``None`` if the request was sent more than once (Karn's algorithm).
        remote: Address of the server or, for ICE, of the peer.
    """

    transaction_id: bytes
    response: Message
    round_trip_time: float | None
    local: Address
    remote: Address


@attrs.frozen
class TransactionFailed:
    """A transaction ended without a usable response."""

    transaction_id: bytes
    reason: FailureReason


StunEvent = ResponseReceived | TransactionFailed
