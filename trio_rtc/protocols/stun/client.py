"""STUN client transactions over UDP (RFC 8489 sections 6.2.1 and 6.3).

Each request is a transaction: *open* from ``start`` on, it is retransmitted at doubling intervals until it is answered,
times out, or is cancelled. A response, success or error, is accepted only if its transaction is open, its addresses and
method match and, if the request had a key, its integrity is valid; otherwise it is dropped, because any host can send
one. For TURN (RFC 8656) there are two options that ICE does not use: further comprehended attributes, and long-term
credentials, with which the error responses 401 and 438 are accepted without integrity too (RFC 8489 section 9.2.5),
because the server sends them to requests that it could not authenticate. The challenges themselves are answered by
:class:`.credentials.LongTermCredentials` and the caller.

Over a reliable transport protocol, a request is sent once and fails after ``final_wait`` (section 6.2.2): the caller
passes ``max_transmissions=1``.
"""

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address, Datagram, QueuedCore
from trio_rtc.protocols.timer import Timer

from .attributes import COMPREHENDED
from .events import FailureReason, ResponseReceived, StunEvent, TransactionFailed
from .message import IntegrityAlgorithm, Message, MessageClass
from .options import TransactionOptions

_logger = logging.getLogger("trio_rtc.stun")
_RESPONSES = (MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE)
_CHALLENGES = (401, 438)
"""Unauthenticated, Stale Nonce."""


@attrs.define
class _Transaction:
    """A request without a response yet.

    Attributes:
        request: Encoded request, retransmitted unchanged.
        key: Key of the response's integrity; ``None`` accepts a response without integrity.
        timer: Time of the next retransmission, or of the end after the last one.
        final_wait: Seconds to wait after the last transmission.
        expires: Time of the end regardless of retransmissions.
    """

    request: bytes = attrs.field(repr=False)
    local: Address
    remote: Address
    key: bytes | None = attrs.field(repr=False)
    method: int
    timer: Timer
    max_transmissions: int
    final_wait: float
    started: float
    expires: float
    transmissions: int = 1

    @property
    def deadline(self) -> float:
        return min(self.timer.deadline, self.expires)


class Client(QueuedCore[Datagram, StunEvent]):
    """Client transactions.

    Args:
        options: Retransmission.
        comprehended: The attribute types that the caller understands; a response with another
            comprehension-required one fails its transaction. A TURN client adds its own.
        long_term_credentials: Whether the keys are those of long-term credentials, as in TURN.
    """

    def __init__(
        self,
        options: TransactionOptions,
        *,
        comprehended: frozenset[int] = COMPREHENDED,
        long_term_credentials: bool = False,
    ) -> None:
        super().__init__()
        self._options = options
        self._comprehended = comprehended
        self._long_term_credentials = long_term_credentials
        self._transactions: dict[bytes, _Transaction] = {}
        self._dropped: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dropped(self) -> Mapping[str, int]:
        """Numbers of dropped datagrams by reason."""
        return MappingProxyType(self._dropped)

    def start(
        self,
        request: Message,
        local: Address,
        remote: Address,
        *,
        now: float,
        key: bytes | None = None,
        algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1,
        rto: float | None = None,
        max_transmissions: int | None = None,
        timeout: float = math.inf,
    ) -> None:
        """Start a transaction.

        Args:
            request: The request; its transaction ID must be new and unpredictable.
            local: Local address of the socket to send from.
            remote: Address of the server or, for ICE, of the peer.
            now: Monotonic seconds.
            key: Integrity key of request and response.
            algorithm: Hash of the request's integrity.
            rto: Initial RTO in seconds, by default the option's.
            max_transmissions: Maximum number of transmissions, by default the option's.
            timeout: Seconds after which the transaction fails regardless of retransmissions.
        """
        if self._closed:
            return
        if len(self._transactions) >= self._options.max_transactions:
            self._events.append(TransactionFailed(request.transaction_id, FailureReason.TOO_MANY))
            return
        first_rto = self._options.rto if rto is None else rto
        transaction = _Transaction(
            request=request.encode(key=key, algorithm=algorithm),
            local=local,
            remote=remote,
            key=key,
            method=request.method,
            timer=Timer(first_rto),
            max_transmissions=max_transmissions or self._options.max_transmissions,
            final_wait=first_rto * self._options.final_wait,
            started=now,
            expires=now + timeout,
        )
        transaction.timer.start(now)
        self._transactions[request.transaction_id] = transaction
        self._send(transaction, now)

    def stop_retransmitting(self, transaction_id: bytes, now: float) -> None:
        """Stop retransmitting a request; its response is still accepted (RFC 8445 section 7.3.1.4)."""
        transaction = self._transactions.get(transaction_id)
        if transaction is not None and transaction.transmissions < transaction.max_transmissions:
            transaction.max_transmissions = transaction.transmissions
            transaction.timer.start(now, transaction.final_wait)

    def cancel(self, transaction_id: bytes) -> None:
        """Cancel a transaction without an event."""
        self._transactions.pop(transaction_id, None)

    def cancel_from(self, local: Address) -> None:
        """Cancel the transactions of a closed socket, and drop its queued datagrams."""
        for transaction_id in [key for key, value in self._transactions.items() if value.local == local]:
            del self._transactions[transaction_id]
        self._outgoing = [datagram for datagram in self._outgoing if datagram.local != local]

    def receive(self, batch: Sequence[Datagram], now: float) -> None:
        """Process datagrams; those that are not valid responses to open transactions are dropped and counted."""
        for datagram in batch:
            try:
                message = Message.parse(datagram.data)
            except ProtocolError:
                self._dropped["malformed"] += 1
                continue
            self.receive_response(message, datagram.local, datagram.remote, now)

    def receive_response(self, response: Message, local: Address, remote: Address, now: float) -> None:
        """Process a parsed response."""
        transaction = self._transactions.get(response.transaction_id)
        if transaction is None or response.message_class not in _RESPONSES:
            self._dropped["unexpected"] += 1
            return
        if (
            transaction.key is not None
            and not response.has_valid_integrity(transaction.key)
            and not (self._long_term_credentials and _is_challenge(response))
        ):
            self._dropped["unauthenticated"] += 1
            return
        if response.method != transaction.method:
            self._dropped["unexpected"] += 1
            return
        if (local, remote) != (transaction.local, transaction.remote):
            # An on-path attacker can replay an authentic response from another address, faster than the peer. So it
            # does not end the transaction: without another response, a check fails by its timeout, not immediately as
            # in RFC 8445 section 7.2.5.2.1.
            self._dropped["misdirected"] += 1
            return
        del self._transactions[response.transaction_id]
        if response.unknown_required_attributes(self._comprehended):
            # RFC 8489 section 6.3.3: the response is discarded and the transaction fails.
            self._events.append(TransactionFailed(response.transaction_id, FailureReason.NOT_UNDERSTOOD))
            return
        round_trip_time = now - transaction.started if transaction.transmissions == 1 else None
        self._events.append(
            ResponseReceived(response.transaction_id, response, round_trip_time, local, remote)
        )

    def handle_timer(self, now: float) -> None:
        """Retransmit due requests, and fail transactions that have timed out."""
        for transaction_id, transaction in list(self._transactions.items()):
            if now < transaction.deadline:
                continue
            transaction.timer.expire(now)
            if now >= transaction.expires or transaction.transmissions >= transaction.max_transmissions:
                del self._transactions[transaction_id]
                _logger.debug(
                    "no response from %s after %d requests", transaction.remote, transaction.transmissions
                )
                self._events.append(TransactionFailed(transaction_id, FailureReason.TIMED_OUT))
                continue
            transaction.transmissions += 1
            self._send(transaction, now)

    def next_timer(self) -> float:
        """Return the time of the next retransmission or timeout."""
        return min((transaction.deadline for transaction in self._transactions.values()), default=math.inf)

    def close(self, now: float) -> None:
        """Cancel all transactions; STUN has no close message."""
        self._closed = True
        self._transactions.clear()
        self._outgoing.clear()

    def lower_closed(self, now: float) -> None:
        self.close(now)

    def _send(self, transaction: _Transaction, now: float) -> None:
        self._outgoing.append(Datagram(transaction.request, transaction.local, transaction.remote))
        if transaction.transmissions >= transaction.max_transmissions:
            # After the last transmission, the timer runs for Rm times the initial RTO.
            transaction.timer.start(now, transaction.final_wait)


def _is_challenge(response: Message) -> bool:
    """Return whether a response without integrity requests credentials, or a new nonce."""
    if response.message_class is not MessageClass.ERROR_RESPONSE or response.has_integrity:
        return False
    try:
        error = response.error_code
    except ProtocolError:
        return False
    return error is not None and error.code in _CHALLENGES
