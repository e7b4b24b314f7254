"""The client of one TURN allocation (RFC 8656), over any transport protocol to the server.

::

    idle ──allocate──► allocating ──success──► active ──release──► releasing ──► ended
                           │                     │                                 ▲
                           └─ error, redirected ─┴─ refresh failed, 437 ───────────┘

* *Allocating*: the Allocate request is sent without credentials, and again with those of the server's challenge.
* *Active*: packets are relayed. The allocation, the permissions and the channels are refreshed by timers.
* *Releasing*: a Refresh with lifetime 0 waits for its response, at most ``release_timeout``. If Allocate has not been
  answered yet, the allocation that it may still create is released, too.
* *Ended*: nothing is sent. A new allocation needs a new object, and another local port.

Packets to a peer are passed to :meth:`Allocation.send`, which adds what the server needs (see :mod:`.peers`). Packets
of peers are returned by :meth:`Allocation.received_data`; they are not events, because they are many.

Left out: mobility (RFC 8016), TCP to the peers (RFC 6062), EVEN-PORT and reservations, which no WebRTC client uses.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address, QueuedCore
from trio_rtc.protocols.stun import (
    AttributeType,
    Client,
    ErrorCode,
    FailureReason,
    LongTermCredentials,
    Message,
    MessageClass,
    ResponseReceived,
    SignedAttributes,
    StunAttribute,
    StunEvent,
    TransactionOptions,
)
from trio_rtc.protocols.stun.attributes import decode_address, decode_text
from trio_rtc.protocols.stun.credentials import STALE_NONCE, UNAUTHENTICATED

from .attributes import (
    COMPREHENDED_BY_TURN,
    AddressFamily,
    TurnAttribute,
    TurnMethod,
    lifetime,
    peer_address,
    peer_address_attribute,
    relayed_address,
)
from .channel_data import encode_channel_data, is_channel_data, parse_channel_data
from .events import (
    AllocationCreated,
    AllocationEnded,
    AllocationFailed,
    AllocationRedirected,
    AllocationRefreshed,
    PeerRefused,
    TurnEvent,
)
from .options import TurnOptions
from .peers import (
    ChannelTable,
    InstalledPermission,
    PermissionTable,
    RefusedPermission,
)
from .requests import AllocateRequest, ChannelRequest, PermissionRequest, RefreshRequest, Request

_logger = logging.getLogger("trio_rtc.turn")

TRY_ALTERNATE = 300
ALLOCATION_MISMATCH = 437
_DEFAULT_LIFETIME = 600
_LEAST_REFRESH_INTERVAL = 5.0
_RETRY_INTERVAL = 1.0
_UNSENT = ("not allocated", "too many permissions", "refused by the server", "waiting for a permission")
_MAX_HOSTS_PER_REQUEST = 8

# The client knows one server, on one path.
_LOCAL, _SERVER = Address("local", 0), Address("server", 0)


@attrs.frozen
class _Idle:
    pass


@attrs.frozen
class _Allocating:
    pass


@attrs.define
class _Active:
    """The times of the next refresh, and of the end without one."""

    refresh_at: float = math.inf
    expires: float = math.inf


@attrs.frozen
class _Releasing:
    deadline: float


@attrs.frozen
class _Ended:
    pass


_State = _Idle | _Allocating | _Active | _Releasing | _Ended


class Allocation(QueuedCore[bytes, TurnEvent]):
    """Client of one allocation. Its packets are those to and from the server.

    Args:
        options: Times and limits.
        rng: Source of transaction IDs.
        credentials: User name and password; ``None``: a challenge of the server is an error.
        family: Address family of the relayed address; ``None``: the server's default, IPv4.
        reliable: Whether the transport protocol to the server is TCP or TLS. Then nothing is retransmitted, and
            ChannelData is padded.
    """

    def __init__(
        self,
        options: TurnOptions,
        *,
        rng: random.Random,
        credentials: LongTermCredentials | None = None,
        family: AddressFamily | None = None,
        reliable: bool = False,
    ) -> None:
        super().__init__()
        self._options = options
        self._rng = rng
        self._credentials = credentials
        self._family = family
        self._reliable = reliable
        transaction_options = TransactionOptions(rto=options.rto, final_wait=options.timeout / options.rto)
        self._client = Client(
            transaction_options, comprehended=COMPREHENDED_BY_TURN, long_term_credentials=True
        )
        self._requests: dict[bytes, tuple[Request, int]] = {}
        self._permissions = PermissionTable(options)
        self._channels = ChannelTable(options)
        self._state: _State = _Idle()
        self._next_refresh = math.inf
        self._received: list[tuple[Address, list[bytes]]] = []
        self._dropped: Counter[str] = Counter()
        self._stun_received = 0

    @property
    def closed(self) -> bool:
        return isinstance(self._state, _Ended)

    @property
    def active(self) -> bool:
        """Whether packets can be relayed."""
        return isinstance(self._state, _Active)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Numbers of dropped packets, sent and received, by reason."""
        return MappingProxyType(self._dropped + Counter(self._client.dropped))

    @property
    def release_timeout(self) -> float:
        """Maximum time in seconds that ``release`` takes."""
        return self._options.release_timeout

    @property
    def unsent(self) -> int:
        """Number of packets to peers that were dropped: without an allocation, or without a permission."""
        return sum(self._dropped[reason] for reason in _UNSENT)

    @property
    def only_channel_data(self) -> bool:
        """Whether each packet of the last ``receive`` was ChannelData."""
        return not self._stun_received

    # -- the allocation --------------------------------------------------------------------------------------

    def allocate(self, now: float) -> None:
        """Request the allocation. The result is an event."""
        if not isinstance(self._state, _Idle):
            raise RuntimeError("allocate() was called before")
        self._state = _Allocating()
        self._start(AllocateRequest(self._family), now)

    def refresh(self, now: float) -> None:
        """Refresh the allocation before its time, to learn whether the server still has it."""
        state = self._state
        if isinstance(state, _Active) and state.refresh_at != math.inf:
            state.refresh_at = math.inf
            self._start(RefreshRequest(self._family), now)
            self._update_next_refresh()

    def release(self, now: float) -> None:
        """Release the allocation; it has ended when the server has confirmed it, or after ``release_timeout``."""
        match self._state:
            case _Idle():
                self._state = _Ended()
            case _Active():
                self._state = _Releasing(now + self._options.release_timeout)
                self._start(RefreshRequest(self._family, releases=True), now)
            case _Allocating():
                self._state = _Releasing(now + self._options.release_timeout)
            case _Releasing() | _Ended():
                pass

    def close(self, now: float) -> None:
        """Release the allocation without waiting for a response."""
        self.release(now)
        self._collect()
        self._state = _Ended()
        self._client.close(now)

    def lower_closed(self, now: float) -> None:
        """End without sending anything: the connection to the server has ended."""
        if not self.closed:
            self._end("the connection to the server has ended")
            self._outgoing.clear()

    # -- packets ---------------------------------------------------------------------------------------------

    def wrap(self, batch: Sequence[bytes], peer: Address) -> list[bytes] | None:
        """Return the packets to the server for packets to a peer with a bound channel, else ``None``.

        It changes nothing that other calls would have to send or schedule: the fast path of :meth:`send`.
        """
        channel = self._channels.find(peer)
        if channel is None or not channel.bound:
            return None
        channel.used = True
        number, padded = channel.number, self._reliable
        return [encode_channel_data(number, packet, padded=padded) for packet in batch]

    def send(self, batch: Sequence[bytes], peer: Address, now: float) -> None:
        """Send packets to a peer, after its permission is installed."""
        if not isinstance(self._state, _Active):
            self._dropped["not allocated"] += len(batch)
            return
        wrapped = self.wrap(batch, peer)
        if wrapped is not None:
            self._outgoing += wrapped
            return
        permission = self._permissions.find(peer.host, now)
        if permission is None:
            permission = self._permissions.add(peer.host)
            if permission is None:
                self._dropped["too many permissions"] += len(batch)
                return
            self._start(PermissionRequest((peer.host,)), now)
        if isinstance(permission, RefusedPermission):
            self._dropped["refused by the server"] += len(batch)
        elif isinstance(permission, InstalledPermission):
            permission.used = True
            self._indicate(batch, peer)
            self._bind_channel(batch, peer, now)
        else:
            room = self._options.max_queued_packets - len(permission.queue)
            permission.queue += [(peer, packet) for packet in batch[:room]]
            self._dropped["waiting for a permission"] += max(0, len(batch) - room)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Process packets of the server."""
        self._stun_received = 0
        for packet in batch:
            try:
                if is_channel_data(packet):
                    self._receive_channel_data(packet)
                else:
                    self._stun_received += 1
                    self._receive_stun(Message.parse(packet), now)
            except ProtocolError:
                self._dropped["malformed"] += 1
        self._handle_responses(now)

    def received_data(self) -> list[tuple[Address, list[bytes]]]:
        """Remove and return the packets of peers, consecutive ones of one peer together."""
        received, self._received = self._received, []
        return received

    def handle_timer(self, now: float) -> None:
        """Retransmit, refresh what is due, and end a release that was not answered."""
        self._client.handle_timer(now)
        self._handle_responses(now)
        state = self._state
        if isinstance(state, _Releasing) and now >= state.deadline:
            self._end(None)
        elif isinstance(state, _Active) and now >= self._next_refresh:
            self._refresh(state, now)

    def next_timer(self) -> float:
        """Return the time of the next retransmission, refresh or timeout."""
        if isinstance(self._state, _Releasing):
            return min(self._client.next_timer(), self._state.deadline)
        own = self._next_refresh if isinstance(self._state, _Active) else math.inf
        return min(self._client.next_timer(), own)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        self._collect()
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- sending ---------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        self._outgoing += [datagram.data for datagram in self._client.datagrams_to_send(0.0)]

    def _start(self, request: Request, now: float, attempt: int = 1) -> None:
        transaction_id = self._rng.randbytes(12)
        attributes = tuple(request.make_attributes(transaction_id))
        credentials = self._credentials
        signed = SignedAttributes(attributes) if credentials is None else credentials.sign(attributes)
        message = Message(request.method, MessageClass.REQUEST, transaction_id, signed.attributes)
        self._requests[transaction_id] = (request, attempt)
        self._client.start(
            message,
            _LOCAL,
            _SERVER,
            now=now,
            key=signed.key,
            algorithm=signed.algorithm,
            max_transmissions=1 if self._reliable else None,
            timeout=self._options.timeout,
        )

    def _indicate(self, batch: Sequence[bytes], peer: Address) -> None:
        for packet in batch:
            transaction_id = self._rng.randbytes(12)
            attributes = (
                peer_address_attribute(peer, transaction_id),
                StunAttribute(TurnAttribute.DATA, packet),
            )
            message = Message(TurnMethod.SEND, MessageClass.INDICATION, transaction_id, attributes)
            self._outgoing.append(message.encode(fingerprint=False))

    def _bind_channel(self, batch: Sequence[bytes], peer: Address, now: float) -> None:
        """Bind a channel unless there is one, or the packets are connectivity checks (RFC 7983)."""
        if self._channels.find(peer) is not None or all(packet[:1] < b"\x04" for packet in batch):
            return
        channel = self._channels.add(peer)
        if channel is not None:
            self._start(ChannelRequest(channel.number, peer), now)

    # -- receiving -------------------------------------------------------------------------------------------

    def _receive_channel_data(self, packet: bytes) -> None:
        number, payload = parse_channel_data(packet)
        peer = self._channels.find_peer(number)
        if peer is None or not self.active:
            # RFC 8656 section 12.6: a MUST.
            self._dropped["unknown channel"] += 1
            return
        self._add_received(peer, payload)

    def _receive_stun(self, message: Message, now: float) -> None:
        if message.message_class is MessageClass.INDICATION and message.method == TurnMethod.DATA:
            self._receive_indication(message)
        else:
            self._client.receive_response(message, _LOCAL, _SERVER, now)

    def _receive_indication(self, message: Message) -> None:
        payload = message.find(TurnAttribute.DATA)
        if payload is None:
            # An ICMP error (RFC 8656 section 11.5): the path is judged by connectivity checks alone.
            self._dropped["without data"] += 1
            return
        peer = peer_address(message)
        if not self.active or not self._permissions.is_installed(peer.host):
            # Section 11.4: indications are not authenticated.
            self._dropped["no permission"] += 1
            return
        self._add_received(peer, payload)

    def _add_received(self, peer: Address, payload: bytes) -> None:
        received = self._received
        if received and received[-1][0] == peer:
            received[-1][1].append(payload)
        else:
            received.append((peer, [payload]))

    # -- responses -------------------------------------------------------------------------------------------

    def _handle_responses(self, now: float) -> None:
        for event in self._client.events():
            request, attempt = self._requests.pop(event.transaction_id, (None, 0))
            if request is not None:
                self._handle_response(event, request, attempt, now)

    def _handle_response(self, event: StunEvent, request: Request, attempt: int, now: float) -> None:
        if not isinstance(event, ResponseReceived):
            timed_out = event.reason is FailureReason.TIMED_OUT
            reason = "no response from the server" if timed_out else f"request failed: {event.reason.value}"
            self._handle_failure(request, None, reason, now)
            return
        response = event.response
        try:
            if response.message_class is MessageClass.SUCCESS_RESPONSE:
                self._handle_success(request, response, now)
                return
            error = response.error_code
        except ProtocolError as malformed:
            self._handle_failure(request, None, f"malformed response: {malformed}", now)
            return
        if error is None:
            self._handle_failure(request, None, "an error response without a code", now)
        elif error.code in (UNAUTHENTICATED, STALE_NONCE) and self._answer_challenge(response, attempt):
            self._start(request, now, attempt + 1)
        elif error.code == TRY_ALTERNATE and isinstance(request, AllocateRequest):
            self._handle_redirection(response, error)
        else:
            self._handle_failure(request, error.code, error.reason, now)

    def _answer_challenge(self, response: Message, attempt: int) -> bool:
        if self._credentials is None or attempt >= self._options.max_attempts:
            return False
        return self._credentials.accept_challenge(response)

    def _handle_redirection(self, response: Message, error: ErrorCode) -> None:
        value = response.find(AttributeType.ALTERNATE_SERVER)
        domain = response.find(AttributeType.ALTERNATE_DOMAIN)
        try:
            address = None if value is None else decode_address(value)
            name = None if domain is None else decode_text(domain)
        except ProtocolError:
            address = name = None
        self._end_silently()
        if address is None:
            self._events.append(AllocationFailed(error.code, error.reason))
        else:
            self._events.append(AllocationRedirected(address, name))

    def _handle_success(self, request: Request, response: Message, now: float) -> None:
        match request:
            case AllocateRequest():
                self._handle_allocated(response, now)
            case RefreshRequest(releases=True):
                self._end(None)
            case RefreshRequest():
                self._schedule_refresh(lifetime(response), now)
                self._events.append(AllocationRefreshed())
            case PermissionRequest():
                for host in request.hosts:
                    for peer, packet in self._permissions.install(host, now):
                        self.send([packet], peer, now)
            case ChannelRequest():
                self._channels.bind(request.number, now)
        self._update_next_refresh()

    def _handle_allocated(self, response: Message, now: float) -> None:
        relayed, mapped, seconds = relayed_address(response), response.mapped_address, lifetime(response)
        if isinstance(self._state, _Releasing):
            self._start(RefreshRequest(self._family, releases=True), now)
            return
        if mapped is None:
            raise ProtocolError("an Allocate response without XOR-MAPPED-ADDRESS")
        self._state = _Active()
        self._schedule_refresh(seconds, now)
        _logger.debug("allocated %s for %s s", relayed, seconds)
        self._events.append(AllocationCreated(relayed, mapped, float(seconds or _DEFAULT_LIFETIME)))

    def _handle_failure(self, request: Request, code: int | None, reason: str, now: float) -> None:
        match request:
            case AllocateRequest():
                released = isinstance(self._state, _Releasing)
                self._end_silently()
                self._events.append(AllocationEnded(None) if released else AllocationFailed(code, reason))
            case RefreshRequest(releases=True):
                self._end(None)
            case RefreshRequest():
                self._handle_refresh_failure(code, reason, now)
            case PermissionRequest():
                for host in request.hosts:
                    if code is None and self._permissions.is_installed(host):
                        self._permissions.retry(host, now + _RETRY_INTERVAL)
                        continue
                    self._dropped["refused by the server"] += self._permissions.refuse(host, now)
                    self._events.append(PeerRefused(host, code, reason))
            case ChannelRequest():
                self._channels.fail(request.number, now)
        if code == ALLOCATION_MISMATCH and self.active:
            # The server does not know the allocation any more, for example because it was restarted.
            self._end(f"{code} {reason}")
        self._update_next_refresh()

    def _handle_refresh_failure(self, code: int | None, reason: str, now: float) -> None:
        """Repeat a refresh without a response until the allocation has expired; an error response ends it."""
        state = self._state
        if code is None and isinstance(state, _Active) and now < state.expires:
            state.refresh_at = now + _RETRY_INTERVAL
        else:
            self._end(reason if code is None else f"{code} {reason}")

    # -- timers and end --------------------------------------------------------------------------------------

    def _schedule_refresh(self, seconds: int | None, now: float) -> None:
        if isinstance(self._state, _Active):
            duration = _DEFAULT_LIFETIME if seconds is None else seconds
            margin = min(self._options.refresh_margin, duration / 2)
            self._state.refresh_at = now + max(duration - margin, _LEAST_REFRESH_INTERVAL)
            self._state.expires = now + duration

    def _refresh(self, state: _Active, now: float) -> None:
        if now >= state.refresh_at:
            state.refresh_at = math.inf
            self._start(RefreshRequest(self._family), now)
        hosts = self._permissions.pop_due(now, self._channels.used_hosts())
        for first in range(0, len(hosts), _MAX_HOSTS_PER_REQUEST):
            self._start(PermissionRequest(hosts[first : first + _MAX_HOSTS_PER_REQUEST]), now)
        for channel in self._channels.pop_due(now):
            self._start(ChannelRequest(channel.number, channel.peer), now)
        self._update_next_refresh()

    def _update_next_refresh(self) -> None:
        if isinstance(self._state, _Active):
            self._next_refresh = min(
                self._state.refresh_at, self._permissions.next_refresh(), self._channels.next_refresh()
            )

    def _end(self, reason: str | None) -> None:
        created = isinstance(self._state, _Active | _Releasing)
        self._end_silently()
        if created:
            self._events.append(AllocationEnded(reason))
        else:
            self._events.append(AllocationFailed(None, reason or "released"))

    def _end_silently(self) -> None:
        self._state = _Ended()
        self._client.close(0.0)
        self._requests.clear()
