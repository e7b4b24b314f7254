"""What the STUN client tells."""

from enum import StrEnum

import attrs

from trio_rtc.protocols._contract import Address

from .message import Message


class FailureReason(StrEnum):
    """Why a transaction ended without a response."""

    TIMED_OUT = "timed-out"
    NOT_UNDERSTOOD = "not-understood"
    TOO_MANY = "too-many"


@attrs.frozen
class ResponseReceived:
    """A response came, success or error, authentic where the request had a key.

    Attributes:
        transaction_id: Of the request.
        response: The response.
        round_trip_time: Seconds, or None when the request had been sent more than once (Karn's algorithm).
        local: The local address that it came to.
        remote: The address that it came from, which need not be where the request went.
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
